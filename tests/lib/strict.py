"""A smarthost as the large providers run it: Debian's Postfix, with Dovecot
for passwords.  It wants TLS and a password, lets a user send from his own
address alone, refuses names and addresses that are no use elsewhere, and a
From that is none.  What it takes it passes on to a sink."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import tap
from box import USERS
from postern import ROOT, free_port, until
from sink import Sink

DEPS = os.path.join(ROOT, 'build', 'deps')
PASSWORD = 's3cret'
OWNER, GROUP = 'daemonish', 'carol'     # anybody will do who is nobody else

MAIN = '''
compatibility_level = 3.6
queue_directory = %(dir)s/spool
data_directory = %(dir)s/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
meta_directory = %(dir)s/etc
mail_owner = %(owner)s
setgid_group = %(group)s
default_privs = bob
myhostname = mail.isp.example
myorigin = isp.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks =
alias_maps =
alias_database =
maillog_file = %(dir)s/log
maillog_file_prefixes = %(dir)s
smtpd_peername_lookup = no
disable_dns_lookups = yes
relayhost = [127.0.0.1]:%(sink)d
smtp_tls_security_level = none
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = %(key)s, %(chain)s
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = %(dir)s/auth/socket
smtpd_helo_required = yes
smtpd_helo_restrictions = reject_invalid_helo_hostname,
 reject_non_fqdn_helo_hostname
smtpd_sender_login_maps = texthash:%(dir)s/etc/logins
smtpd_sender_restrictions = reject_non_fqdn_sender,
 reject_sender_login_mismatch
smtpd_recipient_restrictions = reject_non_fqdn_recipient
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_delay_reject = yes
header_checks = regexp:%(dir)s/etc/headers
local_header_rewrite_clients =
'''

# A From with an address of the provider, or of the world, but of no machine;
# and who is written to is somebody somewhere.
HEADERS = r'''
/^From:.*[<[:space:]:][^[:space:]<>@,]+@[^[:space:]<>@,.]+(>|[[:space:],]|$)/ REJECT 5.7.1 From: no such domain
/^From:.*@([a-z0-9-]+\.)*(here\.example|localdomain|localhost)/ REJECT 5.7.1 From: no such domain
/^From:.*@/ DUNNO
/^From:/ REJECT 5.7.1 From: no address
/^Sender:.*@([a-z0-9-]+\.)*(here\.example|localdomain|localhost)/ REJECT 5.7.1 Sender: no such domain
/^Sender:.*@/ DUNNO
/^Sender:/ REJECT 5.7.1 Sender: no address
/^(To|Cc|Reply-To):.*[@;]/ DUNNO
/^(To|Cc|Reply-To):/ REJECT 5.7.1 not an address
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
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
'''

DOVECOT = '''
protocols =
ssl = no
base_dir = %(dir)s/auth/run
state_dir = %(dir)s/auth/state
log_path = %(dir)s/auth/log
auth_mechanisms = plain login
auth_failure_delay = 0
default_internal_user = %(owner)s
default_internal_group = %(owner)s
default_login_user = bob
passdb {
  driver = passwd-file
  args = %(dir)s/auth/users
}
userdb {
  driver = static
  args = uid=%(owner)s gid=%(owner)s home=%(dir)s/auth
}
service auth {
  chroot =
  unix_listener %(dir)s/auth/socket {
    mode = 0666
  }
}
service anvil {
  chroot =
}
'''


class Strict:
    """users: {login: address that is his}; certificate: the base name that
    hop.Authority.last gives."""

    def __init__(self, certificate, users):
        usr = os.path.join(DEPS, 'postfix', 'usr')
        for found, name in ((os.path.isdir(usr), 'postfix'),
                            (shutil.which('dovecot', path='/usr/sbin'),
                             'dovecot')):
            if not found:
                raise tap.Skip(name + ' is not there')
        self.users = users
        self.sink = Sink(keywords=('8BITMIME', 'SMTPUTF8', 'PIPELINING'))
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix='postern-strict-')
        os.chmod(self.dir, 0o755)
        self.procs = []
        self._files(certificate)
        self._run(['/usr/sbin/dovecot', '-F', '-c', self.dir + '/auth/conf'])
        assert until(lambda: os.path.exists(self.dir + '/auth/socket')), \
            self.logged()
        lay = 'mount -t overlay overlay -o lowerdir=%s:/usr /usr; exec "$@"'
        self._run(['unshare', '-m', '--propagation', 'private', '--', 'sh',
                   '-ec', lay % usr, 'sh', '/usr/lib/postfix/sbin/master',
                   '-c', self.dir + '/etc'])
        assert until(self._answers), self.logged()

    def _files(self, certificate):
        fill = {'dir': self.dir, 'owner': OWNER, 'group': GROUP,
                'port': self.port, 'sink': self.sink.port,
                'key': certificate + '.key', 'chain': certificate + '.pem'}
        for name in ('etc', 'spool', 'spool/pid', 'auth'):
            os.mkdir(os.path.join(self.dir, name), 0o755)
        for name in ('data', 'spool/active', 'spool/bounce', 'spool/corrupt',
                     'spool/defer', 'spool/deferred', 'spool/flush',
                     'spool/hold', 'spool/incoming', 'spool/private',
                     'spool/saved', 'spool/trace', 'spool/public',
                     'spool/maildrop'):
            path = os.path.join(self.dir, name)
            os.mkdir(path, 0o700)
            os.chown(path, USERS[OWNER][0], USERS[OWNER][0])
        for name, mode in (('spool/public', 0o2710),
                           ('spool/maildrop', 0o1730)):
            path = os.path.join(self.dir, name)
            os.chown(path, USERS[OWNER][0], USERS[GROUP][0])
            os.chmod(path, mode)
        for name, text in (
                ('etc/main.cf', MAIN % fill), ('etc/master.cf', MASTER % fill),
                ('etc/headers', HEADERS),
                ('etc/logins', ''.join('%s %s\n' % (a, u)
                                       for u, a in self.users.items())),
                ('auth/conf', DOVECOT % fill),
                ('auth/users', ''.join('%s:{PLAIN}%s:::::\n' % (u, PASSWORD)
                                       for u in self.users))):
            with open(os.path.join(self.dir, name), 'w') as f:
                f.write(text)

    def _run(self, args):
        with open(self.dir + '/console', 'ab') as out:
            self.procs.append(subprocess.Popen(
                args, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True))

    def _answers(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), 5) as s:
                s.settimeout(20)
                return s.recv(3) == b'220'
        except OSError:
            return False

    def url(self, user):
        return 'smtp+tls://%s@127.0.0.1:%d' % (user, self.port)

    def take(self, n):
        """The contents of n messages, as they reached the sink."""
        until(lambda: len(self.sink.messages) >= n, 60)
        with self.sink.lock:
            found = list(self.sink.messages)
            del self.sink.messages[:]
        assert len(found) == n, '%d messages, not %d\n%s' % (
            len(found), n, self.logged())
        return found

    def logged(self):
        text = ''
        for name in 'console', 'log', 'auth/log':
            path = os.path.join(self.dir, name)
            if os.path.exists(path):
                with open(path, errors='replace') as f:
                    text += f.read()
        return text[-6000:]

    def end(self):
        for p in self.procs:
            for pid in self._group(p.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            p.wait()
        self.sink.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def _group(session):
        """All of them: daemons have groups of their own in our session."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/stat' % pid) as f:
                    if f.read().rsplit(')', 1)[1].split()[3] == str(session):
                        found.append(int(pid))
            except OSError:
                pass
        return found
