"""Clients that take their time, of every kind.

A kind is a function that brings a fresh connection to where it hangs; it
returns the octet that goes on coming, or nothing.  Drip feeds all of them.
"""
import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import box
import tap
from flood import Site
from postern import Client, until

TICK = 0.3      # seconds from octet to octet
BALANCER = '127.0.7.99'

HELPS = b'HELP\r\n' * 90
MESSAGE = (b'MAIL FROM:<>\r\nRCPT TO:<bob@here.example>\r\n'
           b'BDAT 1 LAST\r\nx')     # a message sets the budgets back


def silent(c):
    c.want('220')


def mute_after_ehlo(c):
    c.hello()


def half_a_command(c):
    c.hello()
    c.send(b'MAIL FR')


def dripping_command(c):
    c.hello()
    return b'x'


def dripping_long_line(c):
    c.hello()
    c.send(b'x' * 5000)
    return b'x'


def in_envelope(c):
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<alice@here.example>')


def in_data(c):
    in_envelope(c)
    c.want('354', 'DATA')
    c.send(b'Subject: half')


def dripping_data(c):
    in_data(c)
    return b'x'


def dripping_lines(c):
    in_data(c)
    return b'\r\n'


def in_chunk(c):
    in_envelope(c)
    c.send(b'BDAT 100000 LAST\r\nSubject: half')


def dripping_chunk(c):
    in_chunk(c)
    return b'x'


def between_chunks(c):
    in_envelope(c)
    c.send(b'BDAT 3\r\nx\r\n')
    c.want('250')


def dripping_chunks(c):
    between_chunks(c)
    return b'BDAT 1\r\nx'


def between_messages(c):
    c.hello()
    c.mail(to=['bob@here.example'])


def deaf(c):
    """Reads nothing any more, and asks on until nothing more goes out."""
    c.hello()
    c.sock.setblocking(False)
    out = b''
    for _ in range(2000):
        out = out or HELPS + MESSAGE
        if not select.select([], [c.sock], [], 0.3)[1]:
            break
        out = out[c.sock.send(out):]
    else:
        raise AssertionError('replies without end go out')


def nearly_deaf(c):
    """Reads an octet now and then (Drip does it)."""
    deaf(c)


def half_a_proxy_header(c):
    c.send(b'\r\n\r\n\0\r\nQUIT')


# Those who wait for a reply to a command they have not sent, and the others:
# a message at hand, or replies on their way.
IDLE = (silent, mute_after_ehlo, half_a_command, dripping_command,
        in_envelope, between_messages)
BUSY = (half_a_proxy_header, dripping_long_line, in_data, dripping_data,
        dripping_lines, in_chunk, dripping_chunk, between_chunks,
        dripping_chunks, deaf, nearly_deaf)


class Slow:
    """One of them."""

    def __init__(self, kind, c):
        self.kind, self.c = kind, c
        self.drip = kind(c) or b''
        self.c.sock.setblocking(False)
        self.gone = False

    def tick(self):
        try:
            if self.drip:
                self.c.sock.send(self.drip)
        except BlockingIOError:
            pass
        except OSError:
            self.gone = True
        if self.kind is not deaf:
            self.hear(1 if self.kind is nearly_deaf else 65536)

    def hear(self, most):
        try:
            heard = self.c.sock.recv(most)
            self.c.raw += heard
            self.gone = self.gone or not heard
        except BlockingIOError:
            pass
        except OSError:
            self.gone = True

    def last(self):
        """What he has heard at the end, when he listens."""
        heard = self.c.raw
        self.c.sock.settimeout(20)
        try:
            while True:
                more = self.c.sock.recv(65536)
                heard += more
                if not more:
                    return heard
        except OSError:
            return heard


class Drip(threading.Thread):
    """An octet of each, again and again, until stop()."""

    def __init__(self):
        super().__init__(daemon=True)
        self.all, self.over = [], threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(TICK):
            for s in list(self.all):
                if not s.gone:
                    s.tick()

    def stop(self):
        self.over.set()
        self.join()


def small_windows():
    """As little room for octets on their way as there may be, in the network
    of our own; False where there is none."""
    if not box.isolated():
        return False
    for name in 'tcp_wmem', 'tcp_rmem':
        with open('/proc/sys/net/ipv4/' + name, 'w') as f:
            f.write('4096 4096 4096')
    return True


HOST = r'''
import socket, subprocess, sys
port, n = int(sys.argv[1]), int(sys.argv[2])
sys.stdin.readline()
for command in ('link set lo up', 'addr add 10.99.0.2/24 dev far',
                'link set far up'):
    subprocess.run(['ip'] + command.split(), check=True)
held = []
for i in range(n):
    s = socket.create_connection(('10.99.0.1', port), 20)
    f = s.makefile('rb')
    f.readline()
    if i % 2:
        s.sendall(b'HELO c.example\r\n')
        f.readline()
        for line in (b'MAIL FROM:<>', b'RCPT TO:<alice@here.example>',
                     b'DATA'):
            s.sendall(line + b'\r\n')
            f.readline()
        s.sendall(b'Subject: half')
    held.append((s, f))
print('there', flush=True)
sys.stdin.readline()
'''


def _ip(command):
    subprocess.run(['ip'] + command.split(), check=True)


def _other_network(proc):
    ours = os.readlink('/proc/self/ns/net')
    while os.readlink('/proc/%d/ns/net' % proc.pid) == ours:
        assert proc.poll() is None, 'no namespace'


@contextlib.contextmanager
def far_host(port, n):
    """n clients on a host that then vanishes: its network is cut, and no octet
    of theirs, nor an end of their connections, ever comes again.  Their
    count: 0 where no network is ours."""
    if not box.isolated():
        yield 0
        return
    proc = subprocess.Popen(
        ['unshare', '-n', sys.executable, '-c', HOST, str(port), str(n)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        _other_network(proc)
        _ip('link add near type veth peer name far')
        _ip('link set far netns %d' % proc.pid)
        _ip('addr add 10.99.0.1/24 dev near')
        _ip('link set near up')
        proc.stdin.write(b'go\n')
        proc.stdin.flush()
        assert proc.stdout.readline() == b'there\n', 'no far host'
        _ip('link set near down')
        yield n
    finally:
        subprocess.run(['ip', 'link', 'del', 'near'])
        proc.kill()
        proc.communicate()


class Place(Site):
    """Where they hang: small windows where the network is ours, and then
    reachable from a far host too."""

    def __init__(self, conf=None):
        if os.geteuid() != 0:
            raise tap.Skip('only root can count sessions')
        super().__init__({'proxy-networks': BALANCER, **(conf or {})})
        self.small = small_windows()
        self.drip = Drip()

    def addresses(self):
        with socket.socket() as s:
            s.bind(('', 0))
            port = self.p.port = s.getsockname()[1]
        unix = 'unix:' + self.p.path('run', 'smtp')
        return ('0.0.0.0:%d' % port if box.isolated() else
                '127.0.0.1:%d' % port), unix

    def hang(self, each, kinds=IDLE + BUSY):
        """So many of every kind, each kind from an address of its own."""
        with ThreadPoolExecutor(20) as pool:
            new = list(pool.map(self.one, [
                (kind, n) for n, kind in enumerate(kinds)
                for _ in range(each)]))
        self.drip.all += new
        return new

    def one(self, which):
        kind, n = which
        # where no network is ours, the deaf need less than TCP's room
        if kind in (deaf, nearly_deaf) and not self.small:
            return Slow(kind, self.p.local_client())
        source = BALANCER if kind is half_a_proxy_header else \
            '127.0.7.%d' % (n + 1)
        return Slow(kind, Client(('127.0.0.1', self.p.port), source=source))

    def serves(self):
        """Strangers and local programs are served as ever."""
        for i in range(1, 4):
            c = self.p.client(source='127.0.8.%d' % i)
            c.hello()
            assert c.mail(to=['carol@here.example'])[0] == 250
            c.quit()
        c = self.p.local_client()
        c.hello()
        assert c.mail(to=['carol@here.example'])[0] == 250
        c.quit()
        assert len(self.p.take('carol')) == 4

    def all_gone(self, left=0, seconds=60):
        """Only so many sessions are left."""
        return until(lambda: len(self.p.sessions()) == left, seconds)

    def close(self):
        self.drip.stop()
        super().close()


def hanging(t, each):
    """With the limits of the default: others are served meanwhile."""
    place = Place()
    with far_host(place.p.port, each) as far:
        held = place.hang(each)
        n = len(held) + far
        t.note('%d sessions hang' % n)
        assert place.all_gone(n), '%d of %d' % (
            len(place.p.sessions()), n)
        before = set(place.p.sessions())
        place.serves()
        assert before <= set(place.p.sessions()), 'not all hung meanwhile'
        for s in held:
            s.c.close()
        assert place.all_gone(far), 'left by those who hung up'
        place.serves()
        assert not place.p.take('alice'), 'half a message is there'
        place.close()


def farewell(s):
    """What one whose time is over has heard at last, if he listened."""
    wanted = b'421 4.4.2 timeout, closing\r\n'
    if s.kind is half_a_proxy_header:
        wanted = b'421 4.7.0 a PROXY header is needed here\r\n'
    heard = s.last()
    assert s.kind in (deaf, nearly_deaf) or heard.endswith(wanted), (
        s.kind.__name__, heard)


def nothing_left(place):
    place.serves()
    assert not place.p.take('alice'), 'half a message is there'
    assert not place.p.rubbish(), place.p.rubbish()
    assert 'session-killed' not in place.p.logged()
    place.close()
