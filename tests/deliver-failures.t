#!/usr/bin/python3
"""deliver when things go wrong: mailboxes that are not there or not the
user's, full disks, workers that die or hang.  Nothing is lost, nothing is
half stored, nobody else waits."""
import ctypes
import os
import resource
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from postern import Postern, until
from request import WORKERS, Deliver, Ended, record

t = tap.Tap()
libc = ctypes.CDLL(None, use_errno=True)


def need_root():
    if not box.isolated():
        raise tap.Skip('needs root and a mount namespace')


def start(conf=None, **more):
    p = Postern(conf, **more)
    d = Deliver(p)
    return p, d, d.requests()


def tmpfs(path, options):
    need_root()
    if libc.mount(b'none', path.encode(), b'tmpfs', 0, options.encode()):
        raise tap.Skip('no tmpfs: ' + os.strerror(ctypes.get_errno()))


def stored(p):
    return [len(p.messages(u)) for u in ('alice', 'bob')]


# --- mailboxes --------------------------------------------------------------

def replaced(what):
    """Something else stands where a directory of alice's Maildir should."""
    def link(path, p):
        os.symlink(p.mailbox('bob') + '/new', path)

    def file(path, p):
        with open(path, 'w'):
            p.own(path, 'alice')

    def others(path, p):
        need_root()
        os.mkdir(path)
        p.own(path, 'bob')
        os.chmod(path, 0o777)
    make = {'link': link, 'file': file, 'fifo': lambda path, p:
            os.mkfifo(path), 'others': others,
            'dangling': lambda path, p: os.symlink('/nowhere', path)}[what]
    for name in 'new', 'tmp':
        p = Postern()
        for sub in 'new', 'tmp', 'cur':
            for user in 'alice', 'bob':
                p._mkdir('home/%s/Maildir/%s' % (user, sub), user, 0o700)
        path = os.path.join(p.mailbox(), name)
        os.rmdir(path)
        make(path, p)
        r = Deliver(p).requests()
        v = r.lookup('alice')
        assert v[0] == 'D', v
        r.rcpt('alice')
        r.rcpt('bob')
        verdicts = r.store(b'x\n', n=2)
        assert [v[0] for v in verdicts] == ['L', 'L'], (name, verdicts)
        assert verdicts[0][1] == '4.2.0', verdicts
        assert stored(p) == [0, 0] and not p.rubbish(), name


def a_file_is_in_the_way():
    p = Postern()
    os.rmdir(p.mailbox())
    with open(p.mailbox(), 'w'):
        p.own(p.mailbox(), 'alice')
    r = Deliver(p).requests()
    assert r.deliver(['alice']) == 'L'


def missing_home():
    p, d, r = start()
    os.rename(p.path('home', 'alice'), p.path('home', 'away'))
    assert r.lookup('alice')[:2] == ('L', '4.2.0')
    assert r.deliver(['alice', 'bob']) == 'LL'
    os.rename(p.path('home', 'away'), p.path('home', 'alice'))
    assert r.deliver(['alice', 'bob']) == 'DD'


def missing_home_of_the_system():
    need_root()
    p = Postern({'users': None})
    p.configure({'mailbox': 'maildir:%s/%%u/Maildir' % p.path('home')})
    r = Deliver(p).requests()
    os.rename(p.path('home', 'alice'), p.path('home', 'away'))
    r.rcpt('alice')
    v, = r.store(b'x\n')
    assert v[:2] == ('L', '4.2.0'), v
    assert not os.path.exists(p.path('home', 'alice')), 'homes are not made'
    os.rename(p.path('home', 'away'), p.path('home', 'alice'))
    assert r.deliver(['alice']) == 'D'


def closed_maildir():
    need_root()
    p, d, r = start()
    assert r.deliver(['alice']) == 'D'
    os.chmod(p.mailbox() + '/new', 0o500)
    assert r.deliver(['alice', 'bob']) == 'LL'
    assert stored(p) == [1, 0] and not p.rubbish()


def full_disk():
    p = Postern()
    tmpfs(p.path('home', 'alice'), 'size=256k,mode=755')
    p.own(p.path('home', 'alice'), 'alice')
    p._mkdir('home/alice/Maildir', 'alice', 0o700)
    r = Deliver(p).requests()
    assert r.deliver(['alice'], b'x' * 65536) == 'D'
    for order in (['alice', 'bob'], ['bob', 'alice']):
        for user in order:
            r.rcpt(user)
        v = dict(zip(order, r.store(b'x' * 300000, n=2)))
        assert v['alice'][:2] == ('L', '4.3.1'), v
        assert v['bob'][0] == 'L', v
        assert stored(p) == [1, 0] and not p.rubbish()
    assert r.deliver(['alice', 'bob']) == 'DD', 'a small one still fits'


def no_inodes():
    p = Postern()
    tmpfs(p.path('home', 'alice'), 'nr_inodes=6,mode=755')
    p.own(p.path('home', 'alice'), 'alice')
    p._mkdir('home/alice/Maildir', 'alice', 0o700)
    r = Deliver(p).requests()
    fates = [r.deliver(['alice']) for _ in range(4)]
    assert fates[-1] == 'L' and len(p.messages()) == fates.count('D')
    r.rcpt('alice')
    assert r.store(b'x\n')[0][1] == '4.3.1'


def read_only():
    p = Postern()
    tmpfs(p.path('home', 'alice'), 'mode=755')
    p.own(p.path('home', 'alice'), 'alice')
    p._mkdir('home/alice/Maildir', 'alice', 0o700)
    libc.mount(None, p.path('home', 'alice').encode(), None, 32 | 1, None)
    r = Deliver(p).requests()
    assert r.deliver(['alice', 'bob']) == 'LL' and stored(p) == [0, 0]


# --- workers ----------------------------------------------------------------

def store_worker_killed():
    p, d, r = start()
    assert r.deliver(['alice']) == 'D'
    pid, = d.workers(True)
    r.rcpt('alice')
    r.rcpt('bob')
    time.sleep(0.2)         # the worker has them
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: 'event=worker-died' in p.logged())
    assert [v[0] for v in r.store(b'x\n', n=2)] == ['L', 'L']
    assert r.deliver(['alice', 'bob']) == 'DD', 'the next has another worker'
    assert 'signal=9' in p.logged()


def store_worker_killed_at_work():
    p, d, r = start()
    assert r.deliver(['alice']) == 'D'
    pid, = d.workers(True)
    os.kill(pid, signal.SIGSTOP)
    r.rcpt('alice')
    with r.message(b'x\n') as f:
        r.send(record('S', '0', '2', ''), f.fileno())
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    assert r.receive('s')[0] == 'L'
    assert r.deliver(['bob']) == 'D'
    assert stored(p) == [1, 1]


def peer_gone_at_work():
    """What smtpd began is finished, though nobody hears of it."""
    p, d, r = start()
    assert r.deliver(['alice']) == 'D'
    pid, = d.workers(True)
    os.kill(pid, signal.SIGSTOP)
    r.rcpt('alice')
    with r.message(b'x\n') as f:
        r.send(record('S', '0', '2', ''), f.fileno())
    r.close()
    time.sleep(0.1)
    os.kill(pid, signal.SIGCONT)
    assert until(lambda: len(p.messages()) == 2)
    time.sleep(0.2)         # its verdict has come
    assert d.requests().deliver(['alice']) == 'D'
    assert d.workers(True) == [pid], 'the same worker goes on'


def worker_that_does_not_read():
    """It is ended with the connection that it was bound to."""
    p, d, r = start()
    assert r.deliver(['alice']) == 'D'
    pid, = d.workers(True)
    os.kill(pid, signal.SIGSTOP)
    r.sock.settimeout(1)
    sent = 0
    try:
        for sent in range(4000):
            r.rcpt('alice')
    except TimeoutError:
        pass
    assert 100 < sent < 3999, sent
    assert d.requests().deliver(['bob']) == 'D', 'nobody else waits'
    r.close()
    assert until(lambda: pid not in d.children())


def peer_gone_before():
    p, d, r = start()
    for _ in range(50):
        q = d.requests()
        q.rcpt('alice')
        q.close()
    assert r.deliver(['bob']) == 'D'
    assert stored(p) == [0, 1]


def lookup_worker_killed():
    """One after the other; without any, deliver ends to be started anew."""
    p, d, r = start()
    pids = d.workers(False)
    for n, pid in enumerate(pids):
        os.kill(pid, signal.SIGKILL)
        if n < len(pids) - 1:
            assert until(lambda: r.fate('bob+%d' % n) == 'D')
    r.close()
    assert d.proc.wait(20) == 0


def lookup_worker_killed_at_work():
    p, d, r = start()
    for pid in d.workers(False):
        os.kill(pid, signal.SIGSTOP)
    r.send(record('L', '0', 'alice', '', 'a@b'))
    time.sleep(0.1)
    for pid in d.workers(False):
        os.kill(pid, signal.SIGKILL)
    assert r.receive('l')[:2] == ['L', '4.3.0']


def lookups_hang():
    """Who is known is served, who is not hears "later" soon."""
    p, d, r = start()
    assert r.fate('alice') == 'D'
    pids = d.workers(False)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    waiting = [d.requests() for _ in pids]
    for w in waiting:
        w.send(record('L', '0', 'carol', 'here.example', 'a@b'))
    begin = time.monotonic()
    others = d.requests()
    assert others.lookup('bob')[:2] == ('L', '4.3.2')
    assert time.monotonic() - begin < 4
    begin = time.monotonic()
    assert others.lookup('bob')[:2] == ('L', '4.3.2')
    assert time.monotonic() - begin < 0.5, 'at once, from then on'
    assert others.deliver(['alice']) == 'D'
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    for w in waiting:
        assert w.receive('l')[0] == 'D'
    assert others.fate('bob') == 'D'


def all_store_workers_taken():
    p, d, r = start()
    holders = [d.requests() for _ in range(WORKERS)]
    for h in holders:
        h.rcpt('alice')
    assert until(lambda: len(d.workers(True)) == WORKERS)
    begin = time.monotonic()
    r.rcpt('bob')
    assert r.store(b'x\n')[0][:2] == ('L', '4.3.2')
    took = time.monotonic() - begin
    assert took < 4, took
    assert r.fate('bob') == 'D', 'and can be asked'
    begin = time.monotonic()
    assert r.deliver(['bob', 'alice']) == 'LL'
    assert time.monotonic() - begin < 0.5, 'at once, when it is known'
    for h in holders:
        assert [v[0] for v in h.store(b'x\n')] == ['D']
    assert r.deliver(['bob']) == 'D'
    assert stored(p) == [WORKERS, 1]


def a_short_line():
    """More at a time than there are workers: they wait, none is refused."""
    p, d, r = start()
    many = [d.requests() for _ in range(60)]
    for m in many:
        m.rcpt('alice')
        with m.message(b'x\n') as f:
            m.send(record('S', '0', '2', ''), f.fileno())
    assert [m.receive('s')[0] for m in many] == ['D'] * 60
    assert len(p.messages()) == 60
    assert len(d.workers(True)) <= WORKERS


def recipients_without_message():
    p, d, r = start()
    begin = time.monotonic()
    r.rcpt('alice')
    assert r.at_end()
    assert 8 < time.monotonic() - begin < 15
    assert d.requests().deliver(['alice']) == 'D'


def deaf_peer():
    """One that takes no answers costs nobody else anything."""
    p, d, r = start()
    deaf = d.requests()
    for i in range(1000):
        deaf.rcpt('alice')
    with deaf.message(b'x\n') as f:
        deaf.send(record('S', '0', '2', ''), f.fileno())
    assert r.deliver(['bob']) == 'D'
    assert until(lambda: len(p.messages()) == 1)
    verdicts = [deaf.receive('s')[0] for _ in range(1000)]
    assert verdicts == ['D'] * 1000
    assert deaf.deliver(['bob']) == 'D'
    asker = d.requests()
    try:
        for _ in range(100000):
            asker.send(record('L', '0', 'alice', '', 'a@b'))
    except (Ended, TimeoutError):
        pass
    assert r.deliver(['bob']) == 'D'


def many_connections():
    p, d, r = start()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = min(hard - 100, 4200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (n + 100, hard))
    conns = [d.requests() for _ in range(n)]
    served = min(n, 4095)   # r is one
    for c in conns[:served:100]:
        assert c.fate('alice') == 'D'
    conns.pop(0).close()
    assert conns[served - 2].fate('alice') == 'D'
    for c in conns:
        c.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert r.fate('alice') == 'D'


HELPERS = ('need_root',)
Postern()       # the first one isolates this process
for kind in 'link', 'dangling', 'file', 'fifo', 'others':
    t.run('in the place of a directory: ' + kind, replaced, kind)
for name, test in list(globals().items()):
    if callable(test) and getattr(test, '__module__', '') == '__main__' and \
            test.__code__.co_argcount == 0 and name not in HELPERS:
        t.run(name.replace('_', ' '), test)
t.done()
