"""Debian's Postfix."""
from servers import SIZE_LIMIT, UID, Peer

MAIN = '''
compatibility_level = 3.6
queue_directory = %(dir)s/spool
data_directory = %(dir)s/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
meta_directory = %(dir)s/etc
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.here.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = here.example
virtual_mailbox_base = %(dir)s/mail
virtual_mailbox_maps = texthash:%(dir)s/etc/users
virtual_uid_maps = static:%(uid)d
virtual_gid_maps = static:%(uid)d
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = %(size)d
maillog_file = %(dir)s/log/log
maillog_file_prefixes = %(dir)s
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
'''

TLS = '''
smtpd_tls_security_level = may
smtpd_tls_chain_files = %(dir)s/etc/chain
smtpd_tls_loglevel = 0
'''

MASTER = '''
127.0.0.1:%(port)d inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''

QUEUES = ('active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold',
          'incoming', 'private', 'saved', 'trace')


class Postfix(Peer):
    name = 'Postfix'
    packages = ('postfix',)

    def prepare(self):
        fill = {'dir': self.dir, 'uid': UID, 'port': self.port,
                'size': SIZE_LIMIT}
        main = MAIN % fill
        if self.processes:
            main += 'default_process_limit = %d\n' % self.processes
        if self.tls:
            with open(self.tls + '.key') as key, open(
                    self.tls + '.pem') as chain:
                self.write('etc/chain', key.read() + chain.read())
            main += TLS % fill
        self.write('etc/main.cf', main)
        self.write('etc/master.cf', MASTER % fill)
        self.write('etc/users', ''.join('%s@here.example %s/\n' % (n, n)
                                        for n in self.users))
        for name in ('spool', 'spool/pid'):
            self.directory(name, None, 0o755)
        self.directory('data', 'postfix', 0o700)
        for name in QUEUES:
            self.directory('spool/' + name, 'postfix', 0o700)
        self.directory('spool/public', 'postfix', 0o2710, 'postdrop')
        self.directory('spool/maildrop', 'postfix', 0o1730, 'postdrop')

    def start(self):
        self.run(['/usr/lib/postfix/sbin/master', '-c', self.dir + '/etc'])

    def sendmail(self):
        return ['/usr/sbin/sendmail', '-C', self.dir + '/etc', '-t', '-i',
                '-f', 'sender@away.example']
