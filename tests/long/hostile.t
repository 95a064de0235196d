#!/usr/bin/python3
"""A conquered smtpd with time: it may not hold a store worker for more than
five minutes, however it lets its recipients trickle in; and records at random,
with descriptors at random, for HOSTILE_SECONDS."""
import os
import random
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import box
import tap
from hostile import ALICE, GOOD, Target, heard
from postern import Postern, until
from request import Ended, record

t = tap.Tap()
SECONDS = float(os.environ.get('HOSTILE_SECONDS', 120))


def trickle():
    """A new recipient, who has to be looked up, before ten seconds pass."""
    w = Target(workers=1)
    c, start = w.peer(), time.monotonic()
    ended = False
    while not ended and time.monotonic() - start < 400:
        try:
            c.rcpt('alice+%d' % time.monotonic_ns())
            c.sock.settimeout(5)
            ended = c.at_end()
        except TimeoutError:
            pass
        except Ended:
            ended = True
    took = time.monotonic() - start
    assert ended and 290 < took < 320, took
    assert 'recipients but no message' in w.p.logged()
    c.close()
    w.unharmed()


class Noise:
    """What a peer says that has no plan."""

    def __init__(self, w, seed):
        self.w, self.r = w, random.Random(seed)
        self.fds = [w.mine(), w.mine(bytes(100000)), w.mine(flags=os.O_WRONLY),
                    os.open('/', os.O_RDONLY), os.pipe()[0],
                    w.mine(b'')]

    def record(self):
        r = self.r
        letter = r.choice('ULRSM' * 6 + 'XZlrsm\0\n')
        if letter not in GOOD:
            return record(letter, *(r.choice(ALICE) for _ in range(
                r.randrange(5))))
        fields = list(GOOD[letter])
        if letter in 'LR' and r.random() < 0.5:
            fields[1] = r.choice(('bob', 'carol', 'root', 'nobody-here',
                                  'alice+%d' % r.randrange(1 << 30)))
        if letter == 'S':
            fields[0] = r.choice(('2', '100000', '0', '3'))
        octets = bytearray(record(letter, *fields))
        if letter == 'M':
            octets += bytes(r.choice((0, 1, 100, 65535, 65536, 65537)))
        if r.random() < 0.1:
            octets[r.randrange(len(octets))] = r.randrange(256)
        if r.random() < 0.05:
            octets = octets[:r.randrange(len(octets))]
        return bytes(octets)

    def descriptors(self, octets):
        r = self.r
        good = octets[:1] == b'S'
        n = good if r.random() < 0.95 else r.randrange(6)
        if good and n == 1 and r.random() < 0.7:
            size = octets[1:].split(b'\0')[0]
            fit = {b'2': 0, b'100000': 1, b'0': 5}.get(size, 0)
            return [self.fds[fit]]
        return [r.choice(self.fds) for _ in range(n)]

    def session(self):
        c = self.w.peer()
        try:
            for _ in range(self.r.randrange(1, 40)):
                octets = self.record()
                c.send(octets, *self.descriptors(octets))
                if self.r.random() < 0.3:
                    c.sock.setblocking(False)
                    try:
                        c.sock.recv(65536)
                    except BlockingIOError:
                        pass
                    c.sock.settimeout(20)
            if self.r.random() < 0.5:
                heard(c)
        except (Ended, ConnectionResetError):
            pass
        finally:
            c.close()


def make_noise(w, seed, end):
    """In a process of its own, which is smtpd's user."""
    pid = os.fork()
    if pid:
        return pid
    try:
        noise = Noise(w, seed)
        os.seteuid(w.uid)
        while time.monotonic() < end:
            noise.session()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def random_records():
    w = Target()
    seed = int.from_bytes(os.urandom(4), 'little')
    t.note('seed %d' % seed)
    end = time.monotonic() + SECONDS
    pids = [make_noise(w, seed + n, end) for n in range(4)]
    served = 0
    while time.monotonic() < end:
        # all workers may be taken: then it is "later"
        served += w.good.deliver(['carol']) == 'D'
        w.p.take('carol')
        w.p.take('alice')
        time.sleep(0.1)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
    assert served > SECONDS, served
    assert until(w.at_rest, 30)
    w.take()
    w.unharmed()


Postern().clean()       # the first one isolates this process
if not box.isolated():
    tap.skip_all('needs root and a mount namespace')
for test, about in (
        (trickle, 'recipients that trickle in'),
        (random_records, 'records and descriptors at random')):
    if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
        t.run(about, test)
t.done()
