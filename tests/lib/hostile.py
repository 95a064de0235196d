"""A deliver under attack by a peer that is smtpd no longer, and how to see that
nothing is left of it afterwards."""
import os
import tempfile

from postern import Postern, until
from request import WORKERS, Deliver, Ended, Requests, record

ALICE = ('0', 'alice', 'here.example', 'alice@here.example')
GOOD = {'U': ('0',), 'L': ALICE, 'R': ALICE, 'S': ('0', '2', 'a@b'),
        'M': ('a@b',)}
USERS = ('alice', 'bob', 'carol', 'root')


class Target:
    """A deliver under attack, with so many of its workers running.  mailbox:
    for users of the system, {} is where their homes are."""

    def __init__(self, mailbox=None, workers=WORKERS):
        self.p = Postern()
        self.nworkers, self.system = workers, mailbox is not None
        if mailbox:
            self.p.configure({'users': None, 'mailbox': mailbox.format(
                self.p.path('home'))})
        self.d = Deliver(self.p)
        self.uid = self.p.uid('_postern')
        self.good = self.peer()
        self.warm()
        self.take()
        self.files = self.tree()
        self.extra = self.poller_fds() - len(self.all_workers())

    def peer(self):
        """A connection of smtpd's own user."""
        if os.geteuid() != 0:
            return Requests(self.d.path, self.uid)
        os.seteuid(self.uid)
        try:
            return Requests(self.d.path, self.uid)
        finally:
            os.seteuid(0)

    def warm(self):
        assert self.good.deliver(USERS) == 'DDDD', self.p.logged()
        holders = [self.peer() for _ in range(self.nworkers)]
        for h in holders:
            h.rcpt('alice')
        for h in holders:
            assert [v[0] for v in h.store(b'x\n')] == ['D'], self.p.logged()
            h.close()
        assert until(lambda: len(self.workers()) == self.nworkers + 4)

    def take(self):
        return [m for u in USERS for m in self.p.take(u)]

    def count(self):
        return [len(self.p.names(u)) for u in USERS]

    def workers(self):
        return self.d.children()

    def all_workers(self):
        return self.workers() + self.d.homers()

    def poller_fds(self):
        return len(os.listdir('/proc/%d/fd' % self.d.proc.pid))

    def tree(self):
        """Everything below, but for the log."""
        found = {os.path.join(top, n)
                 for top, dirs, files in os.walk(self.p.dir)
                 for n in dirs + files}
        return found - {self.p.log}

    def at_rest(self):
        """Descriptors: its own, one a worker, and the good connection's."""
        pids = self.all_workers()
        return (len(self.workers()) <= WORKERS + 4 and
                self.poller_fds() == self.extra + len(pids) and
                all(self.plain_worker(pid) for pid in pids))

    def plain_worker(self, pid):
        try:
            return (set(os.listdir('/proc/%d/fd' % pid)) <= set('0123') and
                    not self.d.children(pid))
        except OSError:
            return False

    def unharmed(self, mail=0):
        """As it was before, but for so many messages."""
        assert self.d.proc.poll() is None, self.p.logged()[-600:]
        assert until(self.at_rest, 15), (
            'fds', self.poller_fds(), 'workers', len(self.workers()))
        got = self.take()
        assert len(got) == mail, '%d messages, not %d' % (len(got), mail)
        assert self.tree() == self.files, self.tree() ^ self.files
        assert self.good.deliver(['alice', 'bob']) == 'DD', self.p.logged()
        assert len(self.take()) == 2
        assert 'worker-died' not in self.p.logged(), self.p.logged()[-900:]

    def tell(self, *sends):
        """(fates or letters heard, whether it was ended) of a peer that says
        this."""
        c = self.peer()
        try:
            for s in sends:
                c.send(*s)
            return heard(c)
        except Ended:
            return '', True
        finally:
            c.close()

    def mine(self, content=b'x\n', flags=os.O_RDWR):
        """A descriptor as smtpd has it."""
        fd, path = tempfile.mkstemp(dir='/tmp')
        os.write(fd, content)
        os.close(fd)
        os.chown(path, self.uid, self.uid)
        fd = os.open(path, flags)
        os.unlink(path)
        return fd


def heard(c):
    """Asks for a user who is not there, to know that all was answered."""
    letters = ''
    try:
        c.send(record('U', '4294967294'))
        while True:
            data = c.sock.recv(65536)
            if data in (b'', b'u\0'):
                return letters, data == b''
            letters += chr(data[1] if data[:1] in b'ls' else data[0])
    except (Ended, ConnectionResetError):
        return letters, True


def deaf(w):
    """Peers in all workers, each with more answers than it has room for."""
    peers = [w.peer() for _ in range(WORKERS)]
    for c in peers:
        for _ in range(600):
            c.rcpt('alice')
        with c.message(b'x\n') as f:
            c.send(record('S', '0', '2', ''), f.fileno())
    assert until(lambda: len(w.p.names()) == WORKERS)
    return peers
