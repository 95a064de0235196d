"""A DNS of one's own on loopback: a signed root and what hangs from it.

World() writes the zones, signs them with ldns and serves all of them by nsd
on one port, which serves as the resolver: a question is answered out of the
zone that has it.  A zone within another is delegated by that one's own NS
records; what signs it stands there, too.  Proxy() stands before it, or before nothing, and may do to
answers what an attacker would.
"""
import atexit
import glob
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from postern import BUILD, until

DEPS = os.path.join(BUILD, 'deps', 'nsd')
SIGNED, EXPIRED, PLAIN, LAME = 'signed', 'expired', 'plain', 'lame'
PRIVATE = 'private'     # unsigned, and not in the root


def missing():
    """What is not there to make a world, or None."""
    for tool in ('ldns-keygen', 'ldns-signzone'):
        if not shutil.which(tool):
            return 'no ' + tool
    if not nsd():
        return 'no nsd'
    return None


def nsd():
    unpacked = os.path.join(DEPS, 'usr', 'sbin', 'nsd')
    return unpacked if os.path.exists(unpacked) else shutil.which('nsd')


def own_network(*commands):
    """Begins this program anew in a network of its own, where the commands of
    ip(8) were done; False as an ordinary user, or where it is forbidden."""
    if os.environ.get('NAMES_NETWORK'):
        return True
    if os.getuid() != 0 or subprocess.run(
            ['unshare', '-n', 'true'], stderr=subprocess.DEVNULL).returncode:
        return False
    script = ''.join('ip %s && ' % c for c in ('link set lo up',) + commands)
    os.environ['NAMES_NETWORK'] = '1'
    os.execvp('unshare', ['unshare', '-n', 'sh', '-c', script + 'exec "$@"',
                          'sh', sys.executable, os.path.abspath(sys.argv[0])])


def head(origin):
    dot = '' if origin == '.' else '.'
    return ('$ORIGIN %s%s\n$TTL 300\n@ SOA ns.root. hostmaster.root. '
            '1 3600 900 604800 300\n@ NS ns.root.\n' % (origin, dot))


class World:
    """zones: {name: (kind, text of its records)}; `changed` is a list of
    (pattern, replacement) done to every zone after it was signed.  at: an
    address and port of the server, which is started behind `prefix`."""

    def __init__(self, zones, changed=(), at=None, prefix=()):
        self.at = at or ('127.0.0.1', free_port())
        self.prefix = list(prefix)
        self.dir = tempfile.mkdtemp(prefix='names-')
        os.chmod(self.dir, 0o755)   # for users that programs become
        atexit.register(self.end)
        self.server = None
        self.zones = zones
        ds = {}
        for n in sorted(zones, key=lambda n: -n.count('.')):
            kind, text = zones[n]
            ds[n] = self._make(n, kind, text + self._below(n, ds), changed)
        root = 'ns.root. A %s\n' % self.at[0]
        root += ''.join('%s. NS ns.root.\n' % n for n, z in zones.items()
                        if z[0] != PRIVATE and not self._parent(n))
        self._make('.', SIGNED, root + self._below(None, ds), ())
        self.anchor = glob.glob(self.dir + '/root.key/K*.ds')[0]
        self.anchor_key = glob.glob(self.dir + '/root.key/K*.key')[0]
        self.port = self.at[1]
        self.resolver = '%s:%d' % self.at
        self._serve()

    def _parent(self, name):
        """The zone around it; None: the root."""
        around = [z for z in self.zones if name.endswith('.' + z)]
        return max(around, key=len) if around else None

    def _below(self, name, ds):
        """What `name` has to say of those who sign the zones in it."""
        return ''.join(ds[n] for n in ds if self._parent(n) == name)

    def _path(self, name):
        return os.path.join(self.dir, 'root' if name == '.' else name)

    def _tool(self, *args, **more):
        return subprocess.run(args, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, **more)

    def _make(self, name, kind, text, changed):
        """Writes and signs a zone; the DS records of it, for the root."""
        path = self._path(name)
        if kind == LAME:
            return ''
        with open(path, 'w') as f:
            f.write(head(name) + text)
        if kind in (PLAIN, PRIVATE):
            return ''
        keys = path + '.key'
        os.mkdir(keys)
        out = self._tool('ldns-keygen', '-a', 'ECDSAP256SHA256', '-k', name,
                         cwd=keys).stdout
        key = os.path.join(keys, out.split()[-1])
        now = int(time.time())
        first, last = now - 86400, now + 30 * 86400
        if kind == EXPIRED:
            first, last = now - 9 * 86400, now - 86400
        stamps = [time.strftime('%Y%m%d%H%M%S', time.gmtime(t))
                  for t in (first, last)]
        self._tool('ldns-signzone', '-o', name, '-i', stamps[0], '-e',
                   stamps[1], '-f', path + '.signed', path, key)
        with open(path + '.signed') as f:
            signed = f.read()
        for pattern, new in changed:
            signed = re.sub(pattern, new, signed, flags=re.M)
        with open(path, 'w') as f:
            f.write(signed)
        with open(key + '.ds') as f:
            return f.read()

    def _serve(self):
        conf = os.path.join(self.dir, 'nsd.conf')
        with open(conf, 'w') as f:
            f.write('server:\n ip-address: %s@%d\n username: ""\n'
                    ' chroot: ""\n zonesdir: "%s"\n database: ""\n'
                    ' pidfile: "%s/pid"\n xfrdfile: "%s/xfrd"\n'
                    ' zonelistfile: "%s/list"\n xfrdir: "%s"\n'
                    ' server-count: 1\n rrl-ratelimit: 0\n'
                    'remote-control:\n control-enable: no\n'
                    % (self.at + 5 * (self.dir,)))
            for name in list(self.zones) + ['.']:
                f.write('zone:\n name: "%s"\n zonefile: "%s"\n'
                        % (name, self._path(name)))
        log = open(os.path.join(self.dir, 'log'), 'w')
        self.server = subprocess.Popen(self.prefix + [nsd(), '-d', '-c', conf],
                                       stdout=log, stderr=log)
        if not until(lambda: answers(self.port, self.at[0])):
            with open(log.name) as f:
                raise RuntimeError('nsd: ' + f.read())

    def end(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
            self.server = None
        shutil.rmtree(self.dir, ignore_errors=True)


def free_port():
    """A number that is free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(('127.0.0.1', 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(('127.0.0.1', port))
            except OSError:
                continue
            return port


def question(name, kind=1):
    labels = b''.join(struct.pack('B', len(s)) + s
                      for s in name.encode().split(b'.') if s)
    return (struct.pack('>6H', 4711, 0x0100, 1, 0, 0, 0) + labels + b'\0' +
            struct.pack('>2H', kind, 1))


def answers(port, address='127.0.0.1'):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.2)
        s.connect((address, port))
        try:
            s.send(question('.', 2))
            return len(s.recv(4096)) > 12
        except OSError:
            return False


def question_end(packet):
    at = 12
    while packet[at]:
        at += packet[at] + 1
    return at + 5


class Proxy:
    """Answers UDP questions: reply(query, ask) returns the octets of the
    answer, or None; ask(query) is what the server behind says, on that port
    of loopback or at (address, port)."""

    def __init__(self, reply, behind=None, at=('127.0.0.1', 0)):
        self.behind = behind
        if isinstance(behind, int):
            self.behind = ('127.0.0.1', behind)
        self.reply = reply
        self.asked = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(at)
        self.sock.settimeout(0.1)
        self.resolver = '127.0.0.1:%d' % self.sock.getsockname()[1]
        self.stop = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _ask(self, query):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect(self.behind)
            s.send(query)
            return s.recv(65535)

    def _run(self):
        while not self.stop:
            try:
                query, who = self.sock.recvfrom(65535)
            except OSError:
                continue
            self.asked += 1
            answer = self.reply(query, self._ask)
            if answer is not None:
                self.sock.sendto(answer, who)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()
        self.sock.close()
