#!/usr/bin/python3
"""A conquered smtpd that tries everything: for CONQUERED_SECONDS system calls
at random, with the arguments that an intruder would choose from, in sessions
that the walls end or do not.  Nothing else is ever harmed."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import conquered
import tap
from conquered import (CWD, DELIVER, NEW, OTHERS, PARENT, SPOOL, UNCHANGED,
                       Killed, World, numbers)
from request import record

SECONDS = float(os.environ.get('CONQUERED_SECONDS', 120))
t = tap.Tap()

# What its filter lets pass, with these arguments or with others.  Not what
# would only make it wait, or end it: poll, exit, rt_sigreturn, munmap, brk.
CALLS = ('openat linkat renameat2 unlinkat write writev read readv lseek '
         'pwrite64 close shutdown sendmsg recvmsg fsync fdatasync '
         'sync_file_range fstat fstatfs statx newfstatat ioctl clock_gettime '
         'getrandom mmap open').split()
FDS = list(range(12)) * 2 + [SPOOL] * 20 + [DELIVER] * 5 + [
    PARENT, CWD, UNCHANGED, SPOOL + (1 << 32)]
FLAGS = [0, 1, 2, NEW, NEW | os.O_TRUNC, NEW | os.O_PATH, NEW | os.O_DIRECTORY,
         NEW | os.O_TMPFILE, NEW | os.O_APPEND, os.O_RDWR | os.O_CREAT,
         os.O_EXCL, os.O_PATH, 0x1000, UNCHANGED]


def names(p):
    outside = p.path('outside')
    return [outside + '/secret', outside + '/new', outside, '../queue',
            '../../outside/secret', '../../outside/new', '../new', '.', '..',
            '', '/', '/etc/passwd', '/etc/shadow', '/proc/self/fd/10',
            '/proc/self/fd/3', '/proc/self/mem', '/proc/self/root/etc/passwd',
            '/proc/self/cwd', '/dev/null', '/dev/mem', p.conf, p.log,
            p.path('home', 'alice', 'Maildir', 'new', 'x'),
            'tmine', 'tother', 'x' * 300, '/tmp/x' + os.path.basename(p.dir)]


def argument(r, w):
    kind = r.random()
    if kind < 0.35:
        return r.choice(FDS)
    if kind < 0.6:
        return r.choice(w.names)
    if kind < 0.85:
        return r.choice(FLAGS)
    if kind < 0.95:
        return bytearray(64)
    return r.getrandbits(64)


def likely(r, w):
    """A call as it is meant to be, of another thing."""
    name, other = r.choice(w.names), r.choice(w.names)
    return r.choice((
        ('openat', SPOOL, name, NEW | r.choice(FLAGS), r.choice((0o600,
                                                                 0o7777))),
        ('openat', SPOOL, name, r.choice(FLAGS), 0o600),
        ('linkat', SPOOL, name, SPOOL, other, r.choice((0, 0, 0x400, 0x1000))),
        ('renameat2', SPOOL, name, SPOOL, other, r.choice((1, 1, 0, 2))),
        ('unlinkat', SPOOL, name, r.choice((0, 0, 0x200)))))


def session(r, w):
    c = w.conquer()
    try:
        for _ in range(r.randrange(1, 30)):
            if r.random() < 0.6:
                c.call(*likely(r, w))
            elif r.random() < 0.1:
                c.send(record(r.choice('ULRS'), *'0000'[:r.randrange(5)]),
                       *([r.randrange(12)] if r.random() < 0.5 else []))
            else:
                args = [argument(r, w) for _ in range(6)]
                call = r.choice(CALLS)
                if call in ('write', 'writev', 'pwrite64', 'read', 'readv',
                            'close', 'shutdown') and args[0] in (0, 1):
                    args[0] = 3     # its orders come and go there
                c.call(call, *args)
    except (Killed, AssertionError):
        pass
    finally:
        c.close()


def tidy(w):
    """What it may: files of its own."""
    queue = w.p.path('spool', 'queue')
    for name in os.listdir(queue):
        if name != OTHERS:
            os.unlink(os.path.join(queue, name))


def tries(build):
    w = World(build, True)
    w.names = names(w.p)
    seed = int.from_bytes(os.urandom(4), 'little')
    t.note('seed %d' % seed)
    r, end, n = random.Random(seed), time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        for _ in range(200):
            session(r, w)
            n += 1
        w.p.take()
        tidy(w)
        w.unharmed(counted=False)
        assert not os.path.exists('/tmp/x' + os.path.basename(w.p.dir))
    t.note('%d sessions, %d of them killed' % (n, w.nkilled()))
    assert 0 < w.nkilled() < n
    w.close()


builds = conquered.build()
calls = [n for n in CALLS if n in numbers()]
CALLS = calls
for libc, build in builds.items():
    t.run(libc + ': calls at random', tries, build)
t.done()
