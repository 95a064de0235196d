"""A private installation of smtpd and deliver under a temporary directory.

As root each mailbox belongs to a user of its own and the programs change
identity as they do on a real machine; as an ordinary user everything belongs
to that user.  The programs are those in $B (build), copied so that any user
can reach them.
"""
import atexit
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import box

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get('B', 'build'))
WAIT = 20       # seconds for anything that should take milliseconds
HOST = 'mx.here.example'

DEFAULTS = {
    'hostname': HOST,
    'origin': 'here.example',
    'local-domains': 'here.example mx.here.example localhost',
}


def until(test, seconds=WAIT, step=0.005):
    """Waits for test() to be true; returns its value, or the last one."""
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def children(pid):
    """All of them: the kernel's own list leaves some out while others end."""
    found = []
    for one in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % one) as f:
                if f.read().rsplit(')', 1)[1].split()[1] == str(pid):
                    found.append(int(one))
        except OSError:
            pass
    return sorted(found)


def descriptor(pid, fd):
    """What it leads to, or None."""
    try:
        return os.readlink('/proc/%d/fd/%d' % (pid, fd))
    except OSError:
        return None


def is_locked_in(pid):
    try:
        with open('/proc/%d/status' % pid) as f:
            return 'Seccomp:\t2' in f.read()
    except OSError:
        return False


def is_spare(pid):
    """A child of the listener that waits for a client: it has no 0 yet."""
    return descriptor(pid, 0) is None and descriptor(pid, 1) is not None


# A test that is told to end cleans up as one that has ended.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


class Closed(Exception):
    """The server ended the connection."""


class Client:
    """One SMTP connection; replies are (code, [text of each line])."""

    def __init__(self, where, source=None, early=b''):
        if isinstance(where, socket.socket):
            self.sock = where
        elif isinstance(where, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(WAIT)
            self.sock.connect(where)
        else:
            self.sock = self._tcp(where, source)
        self.sock.settimeout(WAIT)
        self.input = b''
        self.raw = b''          # every octet of the server so far
        if early:
            self.sock.sendall(early)

    @staticmethod
    def _tcp(where, source):
        family = socket.AF_INET6 if ':' in where[0] else socket.AF_INET
        s = socket.socket(family)
        s.settimeout(WAIT)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            # addresses that are ours by a local route only
            freebind = ((41, 78) if family == socket.AF_INET6 else (0, 15))
            s.setsockopt(*freebind, 1)
            s.bind((source, 0))
        s.connect(where)
        return s

    def send(self, octets):
        self.sock.sendall(octets)

    def fill(self):
        try:
            more = self.sock.recv(65536)
        except ConnectionResetError:
            more = b''
        if not more:
            raise Closed(repr(self.input))
        self.input += more
        self.raw += more

    def line(self):
        while b'\n' not in self.input:
            self.fill()
        line, self.input = self.input.split(b'\n', 1)
        return line + b'\n'

    def reply(self):
        code, texts = None, []
        while True:
            line = self.line()
            m = re.fullmatch(rb'([2-5][0-9][0-9])([ -])([ -~\x80-\xff]*)\r\n',
                             line)
            assert m, 'not a reply line: %r' % line
            assert len(line) <= 512, 'reply line of %d octets' % len(line)
            assert code in (None, int(m[1])), 'codes differ in one reply'
            code = int(m[1])
            texts.append(m[3].decode('utf-8', 'surrogateescape'))
            if m[2] == b' ':
                return code, texts

    def cmd(self, text):
        if isinstance(text, str):
            text = text.encode('utf-8', 'surrogateescape')
        self.send(text + b'\r\n')
        return self.reply()

    def want(self, code, text=None):
        """The next reply (after sending `text`) has this code and, when
        given as '250 2.1.0', this status."""
        got = self.reply() if text is None else self.cmd(text)
        full = '%d %s' % (got[0], got[1][0])
        assert full.startswith(str(code)), '%r: got %r, wanted %s' % (
            text, full, code)
        return got

    def hello(self, name='client.example'):
        self.want('220')
        return self.want('250', 'EHLO ' + name)

    def mail(self, to=('alice@here.example',), sender='a@away.example',
             content=b'Subject: x\r\n\r\nx\r\n'):
        """A whole transaction; the last reply."""
        self.want('250', 'MAIL FROM:<%s>' % sender)
        for rcpt in to:
            self.want('250', 'RCPT TO:<%s>' % rcpt)
        self.want('354', 'DATA')
        self.send(content + b'.\r\n')
        return self.reply()

    def quit(self):
        self.want('221', 'QUIT')
        assert self.at_end(), 'no end after 221'
        self.close()

    def at_end(self):
        """Nothing but the end of the connection comes."""
        try:
            self.fill()
        except Closed:
            return not self.input
        return False

    def close(self):
        self.sock.close()


class Postern:
    """conf: keys of postern.conf(5); None leaves a key out."""

    def __init__(self, conf=None, users=('alice', 'bob', 'carol'),
                 aliases='', user=None, under=None):
        self.dir = tempfile.mkdtemp(prefix='postern-test-', dir=under)
        atexit.register(self.clean)
        self.isolated = box.isolate(self.dir)
        # who runs the programs: root with users of its own, or one user
        if os.geteuid() == 0 and not self.isolated:
            user = user or 'alice'
        self.multi = self.isolated and user is None
        self.user = user
        os.chmod(self.dir, 0o755)
        self.procs = []
        self.port = None
        self._programs()
        self._directories(users)
        self.write('aliases', aliases)
        self.conf = self.path('postern.conf')
        self.settings = dict(DEFAULTS)
        self.settings.update({
            'users': 'file:' + self.path('users'),
            'aliases': self.path('aliases'),
            'spool': self.path('spool'),
            'run-directory': self.path('run'),
            'root-mailbox': self.path('root-mailbox'),
            'srs-secret': self.path('state', 'srs-secret'),
        })
        if not self.multi and os.geteuid() and os.geteuid() < 1000:
            self.settings['minimum-uid'] = str(os.geteuid())
        self.configure(conf or {})
        self.log = self.path('log')

    # files

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text):
        """Whole, under a new inode, as an editor does it."""
        path = self.path(name)
        with open(path + '.new', 'w', errors='surrogateescape') as f:
            f.write(text)
        os.chmod(path + '.new', 0o644)
        os.rename(path + '.new', path)
        return path

    def _programs(self):
        os.mkdir(self.path('libexec'))
        for name in ('smtpd', 'deliver'):
            shutil.copy(os.path.join(BUILD, name), self.path('libexec', name))
        if os.path.exists(os.path.join(BUILD, 'tls')):  # not the static one
            shutil.copy(os.path.join(BUILD, 'tls'),
                        self.path('libexec', 'tls'))
        # not beside smtpd, which would start it
        os.mkdir(self.path('aside'))
        for name in 'queue', 'command':
            if os.path.exists(os.path.join(BUILD, name)): # no static queue
                shutil.copy(os.path.join(BUILD, name),
                            self.path('aside', name))
        self.smtpd = self.path('libexec', 'smtpd')
        self.deliver = self.path('libexec', 'deliver')
        self.tls = self.path('libexec', 'tls')
        self.queue = self.path('aside', 'queue')
        self.command = self.path('aside', 'command')

    def uid(self, name):
        if self.multi:
            return box.USERS[name][0]
        return box.USERS[self.user][0] if self.user else os.geteuid()

    def own(self, path, name):
        if os.geteuid() == 0:
            os.chown(path, self.uid(name), self.uid(name))

    def _mkdir(self, name, owner, mode):
        path = self.path(name)
        os.mkdir(path)
        os.chmod(path, mode)
        self.own(path, owner)
        return path

    def _directories(self, users):
        one = not self.multi
        self._mkdir('spool', '_postern', 0o755)
        self._mkdir('spool/queue', '_postern-queue', 0o3770)
        if not one:
            os.chown(self.path('spool', 'queue'),
                     self.uid('_postern-queue'), self.uid('_postern'))
            os.chmod(self.path('spool', 'queue'), 0o3770)
        self._mkdir('run', '_postern', 0o755)
        self._mkdir('root-mailbox', '_postern-deliver', 0o700)
        self._mkdir('state', '_postern-deliver', 0o700)
        self._mkdir('home', 'alice', 0o755)
        if not one:
            os.chown(self.path('home'), 0, 0)
        for name in users:
            self._mkdir('home/' + name, name, 0o755)
            self._mkdir('home/%s/Maildir' % name, name, 0o700)
        self.write('users', ''.join('%s %s\n' % (
            n, self.path('home', n, 'Maildir')) for n in users))

    def configure(self, changes):
        """Writes the configuration; later changes add to earlier ones."""
        self.settings.update(changes)
        self.write('postern.conf', ''.join(
            '%s %s\n' % (k, v) for k, v in self.settings.items()
            if v is not None))

    # processes

    def identity(self):
        if self.user:
            uid = box.USERS[self.user][0]
            return {'user': uid, 'group': uid, 'extra_groups': []}
        return {}

    def popen(self, args, **more):
        """A program with its log in self.log and a group of its own."""
        more.setdefault('stdin', subprocess.DEVNULL)
        more.setdefault('stdout', subprocess.DEVNULL)
        with open(self.log, 'ab') as log:
            more.setdefault('stderr', log)
            p = subprocess.Popen(args, start_new_session=True,
                                 **self.identity(), **more)
        self.procs.append(p)
        return p

    def start(self, *addresses, wait=True, **more):
        """smtpd listening on 127.0.0.1:self.port and on the unix socket."""
        self.port = self.port or free_port()
        self.local = self.path('run', 'smtp')
        listen = addresses or ('127.0.0.1:%d' % self.port,
                               'unix:' + self.local)
        args = [self.smtpd, '-C', self.conf]
        for a in listen:
            args += ['-l', a]
        p = self.popen(args, **more)
        if wait and not until(lambda: self.answers() or p.poll() is not None):
            raise AssertionError('smtpd does not answer\n' + self.logged())
        assert p.poll() is None, 'smtpd ended: %s\n%s' % (p.poll(),
                                                          self.logged())
        self.listener = p
        return p

    def answers(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), 1) as s:
                s.settimeout(WAIT)
                if self.settings.get('proxy-networks'):
                    return True
                return s.recv(1) != b''
        except OSError:
            return False

    def session(self, sock):
        """One session on this connected socket, as inetd starts it."""
        return self.popen([self.smtpd, '-C', self.conf], stdin=sock,
                          stdout=sock)

    def sessions(self):
        """pids of those that have a client.  A spare that is on its way to
        its lock-down may have another socket at 0."""
        return [pid for pid in children(self.listener.pid)
                if (descriptor(pid, 0) or '').startswith('socket:') and
                is_locked_in(pid)]

    def client(self, **more):
        return Client(('127.0.0.1', self.port), **more)

    def local_client(self, **more):
        return Client(self.local, **more)

    def stop(self):
        """Ends all of it, sessions too; tests of a graceful end send their
        own signals."""
        for p in self.procs:
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            p.wait()
        self.procs = []

    def clean(self):
        self.stop()
        if os.environ.get('KEEP'):
            print('# kept ' + self.dir)
            return
        # box.py's copy of /etc/passwd stays mounted: its name may go
        shutil.rmtree(self.dir, ignore_errors=True)

    def logged(self):
        try:
            with open(self.log, errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    # mail

    def mailbox(self, name='alice'):
        if name == 'root':
            return self.path('root-mailbox')
        return self.path('home', name, 'Maildir')

    def names(self, name='alice'):
        return sorted(glob.glob(os.path.join(glob.escape(self.mailbox(name)),
                                             'new', '*')),
                      key=lambda p: (os.stat(p).st_mtime_ns, p))

    def messages(self, name='alice'):
        texts = []
        for path in self.names(name):
            with open(path, 'rb') as f:
                texts.append(f.read())
        return texts

    def take(self, name='alice'):
        """The messages, which are then removed."""
        texts = self.messages(name)
        for path in self.names(name):
            os.unlink(path)
        return texts

    def rubbish(self):
        """Files that a finished transaction should not leave behind."""
        left = glob.glob(self.path('spool', '**'), recursive=True)
        left += glob.glob(self.path('home', '*', 'Maildir', 'tmp', '*'))
        return [p for p in left if not os.path.isdir(p)]


TRACE = re.compile(rb'Return-Path: <[^\n]*>\nDelivered-To: [^\n]*\n'
                   rb'Received: .*?;(?: |\n\t)[A-Z][a-z][a-z], [^\n]*'
                   rb' [+-][0-9]{4}\n', re.S)


def split_trace(message):
    """(our trace fields, the content as it was sent with LF line ends)."""
    m = TRACE.match(message)
    assert m, 'no trace fields: %r' % message[:400]
    return m[0], uncompleted(m[0], message[m.end():])


COMPLETED = re.compile(rb'(?:Date: [^\n]*\n)?Message-ID: <q[0-9a-f]+@[^\n]*>\n'
                       rb'(?=\n|\Z)')


def uncompleted(trace, content):
    """Without the fields that a local program's message lacked."""
    if b'(uid ' not in trace:
        return content
    return COMPLETED.sub(b'', content, count=1)
