"""smtpd's side of the request socket (mail/request.h), honest or hostile."""
import array
import os
import socket
import tempfile

from postern import WAIT, children, until

WORKERS = 24    # store workers (sys/poller.h)
LOCAL = 1       # a flag: submitted on the unix socket
FORWARDED = 4   # a flag: the addresses elsewhere are queued ...


def forwarded(octets):
    """... namely these, as they were told: the flags for R."""
    h = 2166136261
    for c in octets:
        h = (h ^ c) * 16777619 & 0xffffffff
    return FORWARDED | ((h ^ h >> 24) & 0xffffff) << 8


def comm(pid):
    try:
        with open('/proc/%d/comm' % pid) as f:
            return f.read().strip()
    except OSError:
        return None


class Ended(Exception):
    """deliver closed the connection."""


def record(letter, *fields):
    return letter.encode() + b''.join(
        (f.encode() if isinstance(f, str) else f) + b'\0' for f in fields)


def connect(where):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(where)        # waits while the queue of the listener is full
    s.settimeout(WAIT)
    return s


class Requests:
    """One connection."""

    def __init__(self, where, uid=None):
        """where: a path or a connected socket; uid: who owns the messages."""
        if not isinstance(where, str):
            where.settimeout(WAIT)
        self.sock = connect(where) if isinstance(where, str) else where
        self.uid = uid

    def send(self, data, *fds):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                      array.array('i', fds))] if fds else []
        try:
            self.sock.sendmsg([data], ancillary)
        except (BrokenPipeError, ConnectionResetError):
            raise Ended()

    def receive(self, letter):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b''
        if not data:
            raise Ended()
        assert data[:1] == letter.encode(), data
        fields = data[1:].split(b'\0')
        assert fields.pop() == b'', data
        return [f.decode() for f in fields]

    def user(self, uid):
        self.send(record('U', str(uid)))
        return self.receive('u')[0]

    def lookup(self, local, domain='here.example', flags=0,
               sender='a@away.example'):
        """(fate letter, status, text)"""
        self.send(record('L', str(flags), local, domain, sender))
        self.sender = None      # rewritten
        self.forwards = None    # (leads to mailboxes, [(address, owner)])
        data = self.sock.recv(65536, socket.MSG_PEEK)
        if data[:1] == b'g':
            mailboxes, self.sender, *rest = self.receive('g')
            self.list = data[1:].split(b'\0', 2)[2]
            self.forwards = mailboxes == '1', list(zip(rest[::2], rest[1::2]))
        fate, status, text = self.receive('l')
        return fate, status, text

    def fate(self, *args, **more):
        return self.lookup(*args, **more)[0]

    def message(self, content):
        """A spool file as smtpd makes it: without a name."""
        f = tempfile.TemporaryFile(buffering=0)
        f.write(content)
        if self.uid is not None:
            os.fchown(f.fileno(), self.uid, self.uid)
        return f

    def rcpt(self, local, domain='here.example', flags=0, address=None):
        self.send(record('R', str(flags), local, domain,
                         address or '%s@%s' % (local, domain)))

    def store(self, content, sender='a@away.example', n=1, size=None,
              start=0):
        """The verdicts on the n recipients named before."""
        with self.message(content) as f:
            self.send(record('S', str(start), str(
                len(content) if size is None else size), sender), f.fileno())
        return [tuple(self.receive('s')) for _ in range(n)]

    def deliver(self, to, content=b'Subject: x\n\nx\n', flags=0, **more):
        """R for each local part, then S; the fates."""
        for local in to:
            self.rcpt(local, flags=flags)
        return ''.join(v[0] for v in self.store(content, n=len(to), **more))

    def at_end(self):
        try:
            return self.sock.recv(65536) == b''
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()


class Deliver:
    """A deliver on RUN/deliver of a private installation (postern.Postern)."""

    def __init__(self, p, *args, **more):
        self.p = p
        self.path = p.path('run', 'deliver')
        self.proc = p.popen([p.deliver, '-C', p.conf,
                             '-l', 'unix:' + self.path, *args], **more)
        if not until(lambda: os.path.exists(self.path) or
                     self.proc.poll() is not None) or \
                self.proc.poll() is not None:
            raise AssertionError('deliver does not run\n' + p.logged())
        until(self.answers)

    def answers(self):
        """Once somebody was told anything, it is ready for others."""
        try:
            r = self.requests()
            r.user(0)
        except (OSError, Ended):
            return False
        r.close()
        return True

    def requests(self):
        return Requests(self.path, os.geteuid())

    def children(self, pid=None):
        """pids of the workers (or of pid's children), lookup workers first:
        they have no filter; without those that look into homes."""
        return [c for c in children(pid or self.proc.pid)
                if comm(c) != 'deliver-homes']

    def homers(self):
        """pids of the workers that look into homes."""
        return [c for c in children(self.proc.pid)
                if comm(c) == 'deliver-homes']

    def workers(self, filtered):
        found = []
        for pid in self.children():
            with open('/proc/%d/status' % pid) as f:
                if ('Seccomp:\t2' in f.read()) == filtered:
                    found.append(pid)
        return found
