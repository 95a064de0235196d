"""A small internet: hosts in network name spaces on one bridge, a DNS that is
signed from its root, and the mail systems of other people, as Debian has them.

The process itself is the host that postern runs on (box.isolate).  Every
other host has an interface of its own; what listens there is a real server
where one can be had, and a thread of the test where none would misbehave so.
"""
import atexit
import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import tempfile
import threading

import box
import names

from postern import BUILD, ROOT, until
from tap import skip_all

NEWNET = 0x40000000
DEPS = os.path.join(BUILD, 'deps')
LAID = ('postfix', 'unbound')           # over /usr, for this process alone
US4, US6 = '192.0.2.1', '2001:db8::1'
NAMES, RESOLVER = '192.0.2.53', '192.0.2.54'
BUNDLE = '/etc/ssl/certs/ca-certificates.crt'

_libc = ctypes.CDLL(None, use_errno=True)


def missing():
    """What is not there to make a world, or None."""
    why = names.missing()
    for name in LAID:
        if not os.path.isdir(os.path.join(DEPS, name, 'usr')):
            why = why or name + ' is not unpacked'
    for tool in ('ip', 'nsenter', 'openssl'):
        if not shutil.which(tool):
            why = why or 'no ' + tool
    return why


def isolate(directory):
    """True when this process has a network and mounts of its own, with the
    programs of LAID in their places."""
    if not box.isolate(directory):
        return False
    layers = [os.path.join(DEPS, n, 'usr') for n in LAID] + ['/usr']
    try:
        sh('mount -t overlay overlay -o lowerdir=%s /usr' % ':'.join(layers))
        # the box answers for these networks itself; here others do
        sh('ip route del local 192.0.2.0/24 dev lo')
        sh('ip -6 route del local 2001:db8::/32 dev lo')
        sh('ip netns add wire')
    except subprocess.CalledProcessError:
        return False
    return True


def play(run, authority=None, why=None):
    """A test of the world: run(), or with a maker of certificates run(ca);
    skipped where `why`, or what is missing, says so."""
    os.chdir(ROOT)
    why = missing() or why
    if why:
        skip_all(why)
    with tempfile.TemporaryDirectory(prefix='world-') as directory:
        os.chmod(directory, 0o755)
        if not isolate(directory):
            skip_all('needs root, for networks and mounts of its own')
        if authority is None:
            run()
            return
        ca = authority()
        try:
            run(ca)
        finally:
            ca.clean()


def sh(command):
    subprocess.run(command, shell=True, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)


def trust(ca):
    """This authority is the only one that the machine knows."""
    sh('mount --bind %s %s' % (ca.ca, BUNDLE))


class Hosts:
    """The name spaces.  One of them, `wire`, is the bridge between them."""

    def __init__(self):
        self.n = 0
        self.up = 'ip -n wire '
        sh(self.up + 'link add name bridge type bridge && ' + self.up +
           'link set bridge up')
        self._plug(None, 'eth0', (US4, US6))

    def _plug(self, host, device, addresses):
        """A cable from a host to the bridge."""
        self.n += 1
        at = 'ip -n %s ' % host if host else 'ip '
        sh('ip -n wire link add p%d type veth peer name %s netns %s && '
           'ip -n wire link set p%d up master bridge' % (
               self.n, device, host or os.getpid(), self.n))
        sh(at + 'link set lo up && ' + at + 'link set %s up' % device)
        for a in addresses:
            self.address(host, a, device)

    def address(self, host, a, device='eth0'):
        at = 'ip -n %s ' % host if host else 'ip '
        sh(at + ('addr add %s/64 dev %s nodad' if ':' in a else
                 'addr add %s/24 dev %s') % (a, device))

    def add(self, host, *addresses):
        sh('ip netns add ' + host)
        self._plug(host, 'eth0', addresses)
        return host

    @contextlib.contextmanager
    def inside(self, host):
        """What this thread opens meanwhile belongs to the host."""
        with open('/proc/thread-self/ns/net') as here, \
                open('/run/netns/' + host) as there:
            enter(there)
            try:
                yield
            finally:
                enter(here)

    def prefix(self, host):
        return ['nsenter', '--net=/run/netns/' + host, '--']


def give_up_soon():
    """A host that is not there is found out in less than three seconds."""
    for family in 'ipv4', 'ipv6':
        for key, value in ('retrans_time_ms', 100), ('mcast_solicit', 2):
            with open('/proc/sys/net/%s/neigh/eth0/%s' % (family, key),
                      'w') as f:
                f.write(str(value))


def enter(f):
    if _libc.setns(f.fileno(), NEWNET) != 0:
        raise OSError(ctypes.get_errno(), 'setns')


def accepts(address, port=25):
    """Does somebody listen there?"""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(5)
        return s.connect_ex((address, port)) == 0


class Process:
    """A server in a host; it ends with the test, and `rubbish` with it."""

    def __init__(self, hosts, host, argv, log, rubbish, **more):
        self.rubbish = rubbish
        with open(log, 'ab') as f:
            self.proc = subprocess.Popen(
                hosts.prefix(host) + argv, stdin=subprocess.DEVNULL,
                stdout=f, stderr=f, preexec_fn=box.die_with_parent, **more)
        atexit.register(self.end)

    def end(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            self.proc.wait(20)
        shutil.rmtree(self.rubbish, ignore_errors=True)


# --- the DNS ----------------------------------------------------------------

UNBOUND = '''
server:
 interface: %(at)s
 access-control: 0.0.0.0/0 allow
 do-ip6: no
 do-daemonize: no
 username: ""
 chroot: ""
 directory: "%(dir)s"
 pidfile: ""
 use-syslog: no
 root-hints: "%(dir)s/hints"
 num-threads: 1
 module-config: "%(modules)s"
 infra-host-ttl: 1
 rrset-roundrobin: no
%(more)s
remote-control:
 control-enable: no
'''


class Resolver:
    """A recursive one of the site's own.  With an anchor it validates what it
    hears, without it passes signatures on as they came."""

    def __init__(self, hosts, host, at, anchor=None):
        self.dir = tempfile.mkdtemp(prefix='postern-unbound-')
        self.resolver = at + ':53'
        with open(self.dir + '/hints', 'w') as f:
            f.write('. 3600 NS ns.root.\nns.root. 3600 A %s\n' % NAMES)
        with open(self.dir + '/conf', 'w') as f:
            f.write(UNBOUND % {
                'at': at, 'dir': self.dir,
                'modules': ('validator ' if anchor else '') + 'iterator',
                'more': ' trust-anchor-file: "%s"' % anchor if anchor
                        else ''})
        self.process = Process(hosts, host, [
            '/usr/sbin/unbound', '-d', '-c', self.dir + '/conf'],
            self.dir + '/log', self.dir)
        assert until(lambda: names.answers(53, at)), self.logged()

    def logged(self):
        with open(self.dir + '/log') as f:
            return f.read()

    def end(self):
        self.process.end()


# --- smtp-sink --------------------------------------------------------------

class SmtpSink:
    """Postfix's smtp-sink at an address; what it takes, one file a message."""

    def __init__(self, hosts, host, address, *options):
        self.dir = tempfile.mkdtemp(prefix='postern-smtp-sink-')
        os.chmod(self.dir, 0o777)
        at = '[%s]:25' % address if ':' in address else address + ':25'
        self.process = Process(hosts, host, [
            '/usr/sbin/smtp-sink', '-u', 'nobody', '-d', self.dir + '/m',
            *options, 'inet:' + at, '64'], self.dir + '/log', self.dir)
        assert until(lambda: accepts(address)), at + ' does not answer'

    def taken(self):
        """Texts of the messages so far, with smtp-sink's own header."""
        texts = []
        for name in sorted(os.listdir(self.dir)):
            if name.startswith('m'):
                with open(os.path.join(self.dir, name)) as f:
                    texts.append(f.read())
        return texts

    def end(self):
        self.process.end()


# --- Postfix ----------------------------------------------------------------

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
myhostname = %(name)s
inet_interfaces = all
inet_protocols = all
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = static:all
virtual_mailbox_base = %(dir)s/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:%(uid)d
virtual_gid_maps = static:%(uid)d
maillog_file = %(dir)s/log
maillog_file_prefixes = %(dir)s
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated,
 reject_unauth_destination
smtputf8_enable = yes
smtpd_tls_security_level = may
smtpd_tls_chain_files = %(dir)s/chain.pem
smtpd_tls_loglevel = 1
%(more)s
'''

MASTER = '''
%(listen)s
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
'''

QUEUES = ('active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold',
          'incoming', 'private', 'saved', 'trace')


class Postfix:
    """Debian's Postfix in a host.  services: (address, {parameter: value}) or
    (address, parameters, port), each a port that it listens at; chain: PEM
    files of key and certificates.  Whoever the recipient is, the mail comes
    into one Maildir."""

    def __init__(self, hosts, host, name, chain, services, more=''):
        self.dir = tempfile.mkdtemp(prefix='postern-postfix-')
        os.chmod(self.dir, 0o755)
        self.uid = box.USERS['daemonish'][0]
        self.name = name
        fill = {'dir': self.dir, 'name': name, 'uid': self.uid, 'more': more,
                'listen': '\n'.join(self._service(s) for s in services)}
        self._directories()
        self.chain('chain', *chain)
        for file, text in ('etc/main.cf', MAIN), ('etc/master.cf', MASTER):
            with open(os.path.join(self.dir, file), 'w') as f:
                f.write(text % fill)
        # it makes a session of its own: ended by its pid file
        self.process = Process(hosts, host, [
            '/usr/lib/postfix/sbin/master', '-d', '-c', self.dir + '/etc'],
            self.dir + '/console', self.dir)
        for s in services:
            port = s[2] if len(s) > 2 else 25
            assert until(lambda: accepts(s[0], port)), self.logged()

    def _service(self, service):
        address, options, port = (tuple(service) + (25,))[:3]
        at = '[%s]:%d' % (address, port) if ':' in address else \
            '%s:%d' % (address, port)
        return '%s inet n - n - - smtpd' % at + ''.join(
            '\n  -o { %s = %s }' % o for o in options.items())

    def chain(self, name, *files):
        """Key and certificates in one file; its path."""
        path = '%s/%s.pem' % (self.dir, name)
        with open(path, 'w') as to:
            for file in files:
                with open(file) as f:
                    to.write(f.read())
        return path

    def _directories(self):
        user, drop = box.USERS['postfix'][0], box.USERS['postdrop'][0]
        for name, uid, mode, gid in [
                ('etc', 0, 0o755, 0), ('mail', self.uid, 0o700, self.uid),
                ('data', user, 0o700, user), ('spool', 0, 0o755, 0),
                ('spool/pid', 0, 0o755, 0),
                ('spool/public', user, 0o2710, drop),
                ('spool/maildrop', user, 0o1730, drop)] + [
                    ('spool/' + q, user, 0o700, user) for q in QUEUES]:
            path = os.path.join(self.dir, name)
            os.mkdir(path)
            os.chown(path, uid, gid)
            os.chmod(path, mode)

    def logged(self):
        text = ''
        for name in 'console', 'log':
            try:
                with open(os.path.join(self.dir, name)) as f:
                    text += f.read()
            except FileNotFoundError:
                pass
        return text

    def taken(self):
        """Texts of what has arrived."""
        new, texts = os.path.join(self.dir, 'mail/box/new'), []
        for name in os.listdir(new) if os.path.isdir(new) else ():
            with open(os.path.join(new, name), 'rb') as f:
                texts.append(f.read())
        return texts

    def took(self, *marks):
        """The text with this subject, which has to come."""
        def find():
            for text in self.taken():
                if all(m.encode() in text for m in marks):
                    return text
            return None
        text = until(find)
        assert text, '%r did not come\n%s' % (marks, self.logged()[-3000:])
        return text

    def end(self):
        self.process.end()


class Stripper:
    """Stands before a server and hides STARTTLS from those who call it."""

    def __init__(self, hosts, host, at, behind):
        self.hosts, self.host, self.behind = hosts, host, behind
        self.said = b''         # by clients
        with hosts.inside(host):
            self.sock = socket.create_server(at)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            with self.hosts.inside(self.host):
                server = socket.create_connection(self.behind, 20)
            for a, b in (client, server), (server, client):
                threading.Thread(target=self._pass_on, args=(a, b, b is client),
                                 daemon=True).start()

    def _pass_on(self, source, to, strip):
        """A reply comes in one piece here: nothing is cut in two."""
        try:
            while True:
                octets = source.recv(65536)
                if strip:
                    octets = octets.replace(b'250-STARTTLS', b'250-X-STRIPPED')
                else:
                    self.said += octets
                if not octets:
                    break
                to.sendall(octets)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def end(self):
        self.sock.close()


def relayed(p):
    """[{key: value}] of the log lines that tell the fate of recipients."""
    lines = [s for s in p.logged().splitlines() if 'event=relay ' in s]
    return [dict(w.split('=', 1) for w in s.split() if '=' in w)
            for s in lines]



