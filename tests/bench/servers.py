"""The servers that are measured, each started with its own defaults but for
limits per client, with as many Maildirs as there are runs."""
import atexit
import os
import subprocess

import box
import load
from fronts import DEPS
from postern import Client, Closed, Postern, free_port, until

USERS = ['u%d' % i for i in range(64)]
UID = box.USERS['alice'][0]


class Ours:
    """smtpd, listening; deliver started by it."""
    name = 'postern'

    def __init__(self, under, **more):
        self.cpu_group = load.Cpu('postern-bench')
        conf = {'connection-limit': '4000', 'source-limit': '4000'}
        conf.update(more)
        self.p = Postern(conf, users=('alice',), under=under)
        for name in USERS:
            path = self.maildir(name)
            os.makedirs(path, 0o700)
            os.chown(path, UID, UID)
        self.p.write('users', ''.join('%s %s\n' % (n, self.maildir(n))
                                      for n in USERS))
        self.p.start(preexec_fn=self.cpu_group.enter)
        self.port = self.p.port
        self.client_env = None

    def maildir(self, user):
        return self.p.path('home', 'alice', user)

    def cpu(self):
        return self.cpu_group.seconds()

    def memory(self):
        return self.cpu_group.memory()

    def logged(self):
        return self.p.logged()

    def stop(self):
        self.cpu_group.end()
        self.p.clean()


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
message_size_limit = 52428800
maillog_file = %(dir)s/log/log
maillog_file_prefixes = %(dir)s
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH
%(more)s
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
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''


class Postfix:
    """Debian's Postfix, unpacked, its libraries laid over /usr/lib."""
    name = 'Postfix'
    laid = False

    def __init__(self, under, more=''):
        self.cpu_group = load.Cpu('postfix-bench')
        self.dir = os.path.join(under, 'postfix')
        self.port = free_port()
        self.usr = os.path.join(DEPS, 'postfix', 'usr')
        self._lay()
        self._directories()
        fill = {'dir': self.dir, 'uid': UID, 'port': self.port, 'more': more}
        self._write('etc/main.cf', MAIN % fill)
        self._write('etc/master.cf', MASTER % fill)
        self._write('etc/users', ''.join(
            '%s@here.example %s/\n' % (n, n) for n in USERS))
        self.client_env = dict(os.environ)
        self.proc = subprocess.Popen(
            ['/usr/lib/postfix/sbin/master', '-c', self.dir + '/etc'],
            start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=self.cpu_group.enter)
        atexit.register(self.cpu_group.end)
        assert until(self._answers), self.logged()

    def _lay(self):
        if Postfix.laid:
            return
        subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o',
                        'lowerdir=%s/lib:/usr/lib' % self.usr, '/usr/lib'],
                       check=True)
        Postfix.laid = True

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), 'w') as f:
            f.write(text)

    def _directories(self):
        uid = box.USERS['postfix'][0]
        drop = box.USERS['postdrop'][0]
        os.makedirs(self.dir)
        for name in ('etc', 'spool', 'spool/pid', 'log', 'mail'):
            os.mkdir(os.path.join(self.dir, name), 0o755)
        owned = ['data'] + ['spool/' + s for s in (
            'active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush',
            'hold', 'incoming', 'private', 'saved', 'trace', 'public',
            'maildrop')]
        for name in owned:
            path = os.path.join(self.dir, name)
            os.mkdir(path, 0o700)
            os.chown(path, uid, drop if name.endswith(
                ('public', 'maildrop')) else -1)
        os.chmod(self.dir + '/spool/public', 0o2710)
        os.chmod(self.dir + '/spool/maildrop', 0o1730)
        os.chown(self.dir + '/mail', UID, UID)

    def _answers(self):
        try:
            c = Client(('127.0.0.1', self.port))
            c.want('220')
            c.quit()
            return True
        except (OSError, AssertionError, Closed):
            return False

    def maildir(self, user):
        return os.path.join(self.dir, 'mail', user)

    def cpu(self):
        return self.cpu_group.seconds()

    def memory(self):
        return self.cpu_group.memory()

    def logged(self):
        try:
            with open(os.path.join(self.dir, 'log', 'log'),
                      errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def stop(self):
        self.cpu_group.end()
        self.proc.wait()
