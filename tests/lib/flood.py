"""Clients that send without end, and what their session costs meanwhile.

Memory is in kB, from /proc: `now` is what is resident, `most` what ever was.
A session's start is its greeting.
"""
import collections
import os
import re
import select
import time

from postern import Postern, until
from request import Deliver

BOUND_KB = 1024     # of a session, over its start
# Of the processes that outlive it, over theirs: what their tables may take.
SERVER_KB = {'listener': 256, 'poller': 3072, 'lookup': 512, 'store': 4096}
SETTLED_KB = 128    # ... and no more, once these were used
CHUNK = 1 << 20


def memory(pid):
    """{'now':, 'most':} of a process; None when it is gone."""
    try:
        with open('/proc/%d/status' % pid) as f:
            found = dict(re.findall(r'Vm(HWM|RSS):\s+(\d+) kB', f.read()))
        return {'now': int(found['RSS']), 'most': int(found['HWM'])}
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return None


def repeat(text, octets):
    """text again and again, in large pieces: about so many octets."""
    piece = text * max(1, CHUNK // len(text))
    whole, rest = divmod(octets, len(piece))
    for _ in range(whole):
        yield piece
    if rest:
        yield text * max(1, rest // len(text))


class Replies:
    """Counts replies by code and keeps the last one."""

    def __init__(self):
        self.codes = collections.Counter()
        self.last, self.tail, self.closed = b'', b'', False

    def take(self, octets):
        lines = (self.tail + octets).split(b'\r\n')
        self.tail = lines.pop()
        final = [s for s in lines if s[3:4] == b' ']
        self.codes.update(int(s[:3]) for s in final)
        if final:
            self.last = final[-1]

    def total(self):
        return sum(self.codes.values())


class Flood:
    """One session: everything that `send` sends goes out while replies are
    read.  Its memory is looked at by root only: who else may not tell a
    session from a process that waits for the next client."""

    def __init__(self, site, client):
        self.site = site
        known = set(site.p.sessions())
        self.c = client()
        self.c.want('220')
        self.replies = Replies()
        self.pid = None
        if os.geteuid() == 0:
            self.pid, = until(lambda: set(site.p.sessions()) - known)
            self.start = memory(self.pid)
            self.most = self.start['most']

    def hello(self):
        self.c.want('250', 'EHLO client.example')

    def begin(self, *rcpts):
        self.hello()
        self.c.want('250', 'MAIL FROM:<a@away.example>')
        for r in rcpts or ('alice',):
            self.c.want('250', 'RCPT TO:<%s@here.example>' % r)

    def sample(self):
        m = memory(self.pid) if self.pid else None
        if m:
            self.most = max(self.most, m['most'])

    def grown(self):
        """kB over the start, at the most; 0 when nobody looked."""
        return self.most - self.start['now'] if self.pid else 0

    def send(self, pieces, replies):
        """Sends all pieces and waits until so many replies have come; ends
        early when the server hangs up."""
        sock, pieces, out = self.c.sock, iter(pieces), b''
        sock.setblocking(False)
        more, next_sample = True, 0
        while not self.replies.closed and (
                more or out or self.replies.total() < replies):
            if not out and more:
                out = next(pieces, None)
                more = out is not None
                out = memoryview(out or b'')
            readable, writable, _ = select.select(
                [sock], [sock] if out else [], [], 60)
            assert readable or writable, 'silence: %s' % self.replies.codes
            if readable:
                self._read(sock)
            if writable and not self.replies.closed:
                out = self._write(sock, out)
            if time.monotonic() >= next_sample:
                self.sample()
                next_sample = time.monotonic() + 0.05
        sock.setblocking(True)
        sock.settimeout(60)
        self.sample()
        return self.replies

    def _read(self, sock):
        try:
            octets = sock.recv(1 << 18)
        except ConnectionResetError:
            octets = b''
        self.replies.take(octets)
        self.replies.closed = not octets

    def _write(self, sock, out):
        try:
            return out[sock.send(out):]
        except BlockingIOError:
            return out
        except (BrokenPipeError, ConnectionResetError):
            self._drain(sock)
            return b''

    def _drain(self, sock):
        while not self.replies.closed:
            if select.select([sock], [], [], 60)[0]:
                self._read(sock)

    def quit(self):
        self.c.input = b''
        self.c.quit()


class Site:
    """An installation whose processes are looked at."""

    def __init__(self, conf=None):
        self.p = Postern(conf)
        self.d = Deliver(self.p)
        self.p.start(*self.addresses())
        until(lambda: not self.p.sessions())

    def addresses(self):
        """Where smtpd listens; empty: as Postern does."""
        return ()

    def flood(self, local=False):
        return Flood(self, self.p.local_client if local else self.p.client)

    def servers(self):
        """{name: pid} of the processes that outlive a session."""
        found = {'listener': self.p.listener.pid, 'poller': self.d.proc.pid}
        for i, pid in enumerate(self.d.workers(False)):
            found['lookup worker %d' % i] = pid
        for i, pid in enumerate(self.d.workers(True)):
            found['store worker %d' % i] = pid
        return found

    def close(self):
        self.p.clean()


# ------------------------------------------------------------- the floods

def chain(*parts):
    for part in parts:
        yield from part


def swallowed(site, octets, flood):
    """One line without end is one refusal, and the session goes on."""
    flood.send(chain(repeat(b'x', octets), [b'\r\n']), 1)
    assert flood.replies.codes == {500: 1}, flood.replies.codes
    flood.quit()


def data(site, flood, *parts):
    """A message of which nothing is wrong but its size."""
    flood.begin()
    flood.c.want('354', 'DATA')
    flood.send(chain(*parts, [b'\r\n.\r\n']), 1)
    assert flood.replies.last.startswith(b'552 5.3.4'), flood.replies.last
    flood.c.want('250', 'MAIL FROM:<a@away.example>')
    flood.quit()


def command_line(site, octets):
    flood = site.flood()
    swallowed(site, octets, flood)
    return flood


def local_command_line(site, octets):
    flood = site.flood(local=True)
    swallowed(site, octets, flood)
    return flood


def header_line(site, octets):
    flood = site.flood()
    data(site, flood, [b'Subject: '], repeat(b'x', octets))
    return flood


def folded_header(site, octets):
    flood = site.flood()
    data(site, flood, [b'Delivered-To: x\r\n'], repeat(b' y\r\n', octets))
    return flood


def header_lines(site, octets):
    flood = site.flood()
    data(site, flood, repeat(b'Received: from x by y; z\r\n', octets))
    return flood


def body(site, octets):
    flood = site.flood()
    data(site, flood, [b'Subject: x\r\n\r\n'],
         repeat(b'x' * 76 + b'\r\n', octets))
    return flood


def empty_lines(site, octets):
    flood = site.flood()
    data(site, flood, [b'Subject: x\r\n\r\n'], repeat(b'\r\n', octets))
    return flood


def dots(site, octets):
    flood = site.flood()
    data(site, flood, repeat(b'..\r\n', octets))
    return flood


def chunk(site, octets):
    """One BDAT of that size, which is read to its end."""
    flood = site.flood()
    flood.begin()
    sent = CHUNK * max(1, octets // CHUNK)
    flood.send(chain([b'BDAT %d LAST\r\n' % sent], repeat(b'x', sent)), 1)
    assert flood.replies.last.startswith(b'552 5.3.4'), flood.replies.last
    flood.quit()
    return flood


def foreign_chunk(site, octets):
    """... also when there is nothing it could belong to."""
    flood = site.flood()
    flood.hello()
    sent = CHUNK * max(1, octets // CHUNK)
    flood.send(chain([b'BDAT %d\r\n' % sent], repeat(b'x', sent)), 1)
    assert flood.replies.codes == {503: 1}, flood.replies.codes
    flood.quit()
    return flood


OCTETS = (command_line, local_command_line, header_line, folded_header,
          header_lines, body, empty_lines, dots, chunk, foreign_chunk)


# (name, what is sent again and again, codes until the end)
BUDGETS = (
    ('NOOP', b'NOOP\r\n', {250: 97, 421: 1}),
    ('RSET', b'RSET\r\n', {250: 97, 421: 1}),
    ('VRFY', b'VRFY x\r\n', {252: 97, 421: 1}),
    ('HELP', b'HELP\r\n', {214: 97, 421: 1}),
    ('BDAT 0', b'BDAT 0\r\n', {250: 97, 421: 1}),
    ('unknown commands', b'XYZZY\r\n', {500: 20, 421: 1}),
    ('bare line ends', b'\n', {500: 20, 421: 1}),
    ('lines too long', b'x' * 4000 + b'\r\n', {500: 20, 421: 1}),
    ('unknown recipients', b'RCPT TO:<nobody@here.example>\r\n',
     {550: 20, 421: 1}),
    ('recipients elsewhere', b'RCPT TO:<x@away.example>\r\n',
     {250: 999, 452: 1020, 421: 1}),     # as many as one message may have
    ('bad addresses', b'RCPT TO:<@>\r\n', {501: 20, 421: 1}),
)


def budget(site, text, count, codes):
    """What leads to no message ends the session."""
    flood = site.flood()
    flood.begin('alice')
    flood.c.want('250', 'NOOP')
    flood.send(repeat(text, len(text) * count), count)
    assert flood.replies.closed, 'the session lives on'
    assert flood.replies.codes == codes, flood.replies.codes
    return flood


def recipients(site, count, limit=1000):
    """Recipients of one message: as many as the limit allows, twice as many
    that hear 452, then the errors are counted."""
    flood = site.flood()
    flood.hello()
    flood.c.want('250', 'MAIL FROM:<a@away.example>')
    text = b'RCPT TO:<alice@here.example>\r\n'
    flood.send(repeat(text, len(text) * count), count)
    assert flood.replies.codes == {250: limit, 452: limit + 20, 421: 1}, \
        flood.replies.codes
    return flood


def messages(site, count, limit=1000):
    """So many recipients in one session, a message for every thousand and
    half as many that are one too many: no end of it, for it is mail."""
    n = max(1, count // limit)
    over = limit // 2
    flood = site.flood()
    flood.hello()
    many = b''.join(b'RCPT TO:<%s+%d@here.example>\r\n' % (
        (b'alice', b'bob')[i % 2], i % 10) for i in range(limit))
    one = (b'MAIL FROM:<a@away.example>\r\n' + many +
           b'RCPT TO:<carol@here.example>\r\n' * over + b'BDAT 1 LAST\r\nx')
    flood.send((one for _ in range(n)), n * (limit + over + 2))
    assert flood.replies.codes == {250: n * (limit + 2), 452: n * over}, \
        flood.replies.codes
    flood.quit()
    for user, copies in ('alice', n), ('bob', n), ('carol', 0):
        found = len(site.p.take(user))
        assert found == copies, '%s has %d of %d' % (user, found, copies)
    return flood


def chunks(site, count):
    """A message an octet at a time."""
    flood = site.flood()
    flood.begin()
    flood.send(chain(repeat(b'BDAT 1\r\nx', 9 * count),
                     [b'BDAT 0 LAST\r\n']), count + 1)
    assert set(flood.replies.codes) == {250}, flood.replies.codes
    flood.quit()
    sizes = [len(m.rsplit(b'\n', 1)[1]) for m in site.p.take()]
    assert sizes == [flood.replies.codes[250] - 1], sizes
    return flood


def everything(site, octets):
    """All the room a session has: the longest names for the most
    recipients, and content of the largest size.  The site's limit is 4096
    recipients."""
    flood = site.flood()
    flood.begin('alice')
    name = b'RCPT TO:<alice+' + b'x' * 50 + b'%06d@here.example>\r\n'
    flood.send((name % i for i in range(4000)), 4000)
    full = flood.replies.codes[452]
    assert flood.replies.codes == {250: 4000 - full, 452: full}
    assert full > 0, 'there is room for more'
    flood.c.input = b''
    flood.c.want('354', 'DATA')
    flood.send(chain(repeat(b'x' * 100 + b'\r\n', octets), [b'.\r\n']), 4001)
    assert flood.replies.last.startswith(b'250 2.0.0'), flood.replies.last
    flood.quit()
    found = site.p.take()
    assert len(found) == 1 and len(found[0]) > octets // 2
    return flood


def small(t, name, test, *args):
    """One test: the flood is answered as it should be, and its session stays
    small."""
    def go():
        flood = test(*args)
        t.note('%s: %d kB over the start, %s' % (
            name, flood.grown(), dict(flood.replies.codes)))
        assert flood.grown() < BOUND_KB, 'grown by %d kB' % flood.grown()
    t.run(name, go)


def servers_stay(t, site, before, again):
    """They grow to the size of their tables, and then not."""
    first = {name: memory(pid) for name, pid in site.servers().items()}
    again()
    last = {name: memory(pid) for name, pid in site.servers().items()}
    for name, m in first.items():
        start = before.get(name, m)['now'] if name in before else None
        t.note('%s: %s kB at the start, %d at the most, %d later' % (
            name, start, m['most'], last[name]['most']))
    t.ok(all(first[n]['most'] - m['now'] < SERVER_KB[n.split()[0]]
             for n, m in before.items()),
         'the listener and deliver stay small', '%s, %s' % (before, first))
    t.ok(all(m['most'] < SERVER_KB['store'] for n, m in first.items()
             if n.startswith('store')), 'and so do store workers', first)
    t.ok(all(last[n]['most'] - m['most'] < SETTLED_KB
             for n, m in first.items() if n in last),
         'and more of the same makes none of them larger',
         '%s, %s' % (first, last))


def campaign(t, octets, count, rcpts, **conf):
    site = Site({k.replace('_', '-'): v for k, v in conf.items()})
    before = {name: memory(pid) for name, pid in site.servers().items()}
    for test in OCTETS:
        small(t, '%d octets of %s' % (octets, test.__name__.replace('_', ' ')),
              test, site, octets)
    for name, text, codes in BUDGETS:
        small(t, '%d times %s' % (count, name), budget, site, text, count,
              codes)
    small(t, '%d recipients of one message' % count, recipients, site, count)
    small(t, '%d recipients in one session' % rcpts, messages, site, rcpts)
    small(t, '%d chunks' % count, chunks, site, count)
    t.ok(not site.p.take() and until(lambda: not site.p.rubbish()),
         'nothing else was stored, nothing is left', site.p.rubbish())
    servers_stay(t, site, before, lambda: messages(site, 10000))
    site.close()
    site = Site({'recipient-limit': '4096'})
    before = {name: memory(pid) for name, pid in site.servers().items()}
    small(t, 'all the room that a session has', everything, site, 16 << 20)
    servers_stay(t, site, before, lambda: everything(site, 16 << 20))
    site.close()
