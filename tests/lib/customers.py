"""Clients of every kind, at random, for tests/lib/soak.py.

Every message has an identifier, in its reverse-path and in its text; every
session has one in its EHLO.  What they heard they write into a report:

  S HELO ACCEPTED REFUSED       a session that heard every reply
  M IDENT VERDICT USERS         a message; VERDICT yes: 250 was heard; no: it
                                was refused, or never sent whole; maybe: its
                                reply was lost
"""
import random
import re
import socket
import struct
import threading
import time

from postern import Client, Closed

DOMAIN = 'here.example'
LIMIT = 300000          # message-size-limit of the site, octets
PATIENCE_S = 120
ALIASES = 'team: alice, bob\nall: team, carol\nself: self2\nself2: self\n' \
    'away: x@away.example\n'
# Local parts and the mailboxes behind them; none: refused, and how.
GOOD = {'alice': 'alice', 'bob': 'bob', 'carol': 'carol', 'ALICE': 'alice',
        'bob+%s': 'bob', 'alice+%s': 'alice', 'team': 'alice bob',
        'all': 'alice bob carol', 'team+%s': 'alice bob'}
BAD = 'no-such-user', 'no-such-%s'

# Replies that end a session of which no command is the reason.
UNCOUNTED = ('too many errors', 'timeout, closing', 'wait for the greeting')


def text(ident, lines):
    """A message that can be told from every other and from a part of it."""
    rows = ['Subject: ' + ident, '']
    for i in range(lines):
        rows.append(('.', '..', '', 'From here', '>From there', '.%d' % i,
                     'line %d of %s, ' % (i, ident) + 'x' * (i % 60))[i % 7])
    return '\n'.join(rows + ['%d lines of %s' % (lines, ident), '']).encode()


def whole(message):
    """The identifier of a message that has all its lines, or None."""
    body = message[message.index(b'\nSubject: ') + 1:]
    # what a local client's message gets from smtpd, behind what it has
    body = re.sub(rb'\A(.*\n)(?:Date: .*\n)?(?:Message-ID: .*\n)?\n',
                  rb'\1\n', body)
    m = re.search(rb'\n([0-9]+) lines of ([-a-z0-9]+)\n$', body)
    if not m or body != text(m[2].decode(), int(m[1])):
        return None
    return m[2].decode()


def stuffed(content):
    lines = content.replace(b'\n', b'\r\n')
    return re.sub(rb'^\.', b'..', lines, flags=re.M)


class Talker(Client):
    """Counts what it hears."""

    refused = accepted = 0
    complete = True     # nothing was said that it did not hear

    def reply(self):
        code, lines = super().reply()
        if code >= 400 and not any(u in lines[0] for u in UNCOUNTED):
            self.refused += 1
        return code, lines

    def ask(self, line):
        return self.cmd(line)[0]

    def end(self):
        """Says no more, and hears what there still is."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            while True:
                self.reply()
        except (Closed, OSError):
            pass

    def reset(self):
        self.complete = False
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack('ii', 1, 0))
        self.close()


class Report:
    """Lines of several threads, whole."""

    def __init__(self, path):
        self.f = open(path, 'w')
        self.lock = threading.Lock()

    def write(self, *words):
        with self.lock:
            self.f.write(' '.join(map(str, words)) + '\n')

    def close(self):
        self.f.close()


class Customer(threading.Thread):
    """One client after the other until it is over."""

    def __init__(self, name, where, source, report, until, seed, proxied):
        super().__init__(daemon=True)
        self.proxied = proxied
        self.name, self.where, self.source = name, where, source
        self.report, self.until = report, until
        self.rnd = random.Random('%s %s' % (seed, name))
        self.n = 0
        self.fault = None

    def run(self):
        while time.monotonic() < self.until and not self.fault:
            kind = self.rnd.choices(KINDS, WEIGHTS)[0]
            try:
                self.visit(kind)
            except Exception as e:      # goes into the report of the test
                self.fault = '%s, %s: %r' % (self.name, kind.__name__, e)

    def header(self):
        """What a balancer puts in front, PROXY version 2."""
        client = bytes([198, 51, 100, self.rnd.randrange(1, 255)])
        return (b'\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c' + client +
                bytes([192, 0, 2, 25]) + b'\x9c\x40\0\x19')

    def next(self):
        self.n += 1
        return '%s-%d' % (self.name, self.n)

    def visit(self, kind):
        helo = 's-%s.soak.example' % self.next()
        local = isinstance(self.where, str)
        t = Talker(self.where) if local else Talker(self.where,
                                                    source=self.source)
        t.sock.settimeout(PATIENCE_S)
        t.helo = helo
        try:
            if self.proxied:
                t.send(self.header())
            kind(self, t)
        except Closed:
            pass
        except (BrokenPipeError, ConnectionResetError):
            t.end()     # its last words
        finally:
            t.close()
        if t.complete and getattr(t, 'greeted', False):
            self.report.write('S', helo, t.accepted, t.refused)

    def note(self, ident, verdict, users):
        self.report.write('M', ident, verdict, ','.join(sorted(users)))

    def hello(self, t, verb='EHLO'):
        if t.reply()[0] != 220 or t.ask('%s %s' % (verb, t.helo)) != 250:
            raise Closed('not greeted')
        t.greeted = True

    def rcpts(self, ident, bad=0.0):
        """Local parts with the mailboxes they lead to, '' for none."""
        n = self.rnd.choice((1, 1, 1, 2, 3, 8))
        some = [(b, '') if self.rnd.random() < bad else (
            g := self.rnd.choice(list(GOOD)), GOOD[g])
            for b in self.rnd.choices(BAD, k=n)]
        return [(local.replace('%s', ident), boxes) for local, boxes in some]

    def envelope(self, t, ident, bad=0.0):
        """MAIL and RCPT one by one; the mailboxes, or None."""
        if t.ask('MAIL FROM:<%s@soak.example>' % ident) != 250:
            return None
        users = set()
        for local, boxes in self.rcpts(ident, bad):
            if t.ask('RCPT TO:<%s@%s>' % (local, DOMAIN)) == 250:
                assert boxes, 'accepted: ' + local
                users.update(boxes.split())
        return users

    def settle(self, t, ident, users):
        """The last reply of a message that was sent whole."""
        try:
            code = t.reply()[0]
        except (Closed, OSError):
            t.complete = False
            self.note(ident, 'maybe', users)
            raise
        t.accepted += code == 250
        self.note(ident, 'yes' if code == 250 else 'no', users)
        return code

    def lines(self):
        """Most messages are small."""
        return self.rnd.choice((1, 3, 10, 30, 100, self.rnd.randrange(6000)))

    def data(self, t, bad=0.0, spoil=lambda wire: wire, lines=None):
        """A message by DATA; the code that ends it."""
        ident = self.next()
        users = self.envelope(t, ident, bad)
        code = t.ask('DATA') if users is not None else 0
        if code != 354:
            self.note(ident, 'no', ())
            t.ask('RSET')
            return code
        wire = spoil(stuffed(text(ident, lines or self.lines())))
        t.send(wire + b'.\r\n')
        return self.settle(t, ident, users)

    def stream(self, ident, chunks):
        """A message as octets that may all be sent at once, and whose it
        is."""
        wire = text(ident, self.lines()).replace(b'\n', b'\r\n')
        out = b'MAIL FROM:<%s@soak.example>\r\n' % ident.encode()
        users, replies = set(), 1
        for local, boxes in self.rcpts(ident):
            out += b'RCPT TO:<%s@%s>\r\n' % (local.encode(), DOMAIN.encode())
            users.update(boxes.split())
            replies += 1
        cuts = sorted(self.rnd.randrange(len(wire) + 1)
                      for _ in range(chunks - 1))
        for i, (a, b) in enumerate(zip([0] + cuts, cuts + [len(wire)])):
            last = b' LAST' if i + 1 == chunks else b''
            out += b'BDAT %d%s\r\n' % (b - a, last) + wire[a:b]
            replies += 1
        return out, users, replies


# ------------------------------------------------------------ kinds of them

def good(self, t):
    self.hello(t, self.rnd.choice(('EHLO', 'HELO')))
    self.data(t)
    t.ask('QUIT')


def many_messages(self, t):
    self.hello(t)
    for _ in range(self.rnd.randrange(2, 12)):
        self.data(t, bad=0.1)
    t.ask('QUIT')


def unknown_ones(self, t):
    self.hello(t)
    self.data(t, bad=0.5)
    t.ask('QUIT')


def group(self, t):
    """MAIL, RCPT and DATA in one segment, the text and QUIT in another."""
    self.hello(t)
    ident = self.next()
    rcpts = self.rcpts(ident, bad=0.2)
    out = 'MAIL FROM:<%s@soak.example>\r\n' % ident
    out += ''.join('RCPT TO:<%s@%s>\r\n' % (r, DOMAIN) for r, _ in rcpts)
    t.send(out.encode() + b'DATA\r\n')
    users, sender = set(), t.reply()[0]
    for _, boxes in rcpts:
        if t.reply()[0] == 250:
            users.update(boxes.split())
    if t.reply()[0] != 354:
        self.note(ident, 'no', ())
        assert sender != 250 or not users
        return t.ask('QUIT')
    t.send(stuffed(text(ident, self.lines())) + b'.\r\nQUIT\r\n')
    self.settle(t, ident, users)
    return t.reply()


def chunked(self, t):
    self.hello(t)
    for _ in range(self.rnd.randrange(1, 4)):
        ident = self.next()
        out, users, replies = self.stream(ident, self.rnd.randrange(1, 9))
        t.send(out)
        for _ in range(replies - 1):
            t.reply()
        self.settle(t, ident, users)
    t.ask('QUIT')


def stops_anywhere(self, t):
    """Everything is sent up to some octet; no reply is missed."""
    self.hello(t)
    ident = self.next()
    out, users, replies = self.stream(ident, self.rnd.randrange(1, 5))
    cut = self.rnd.randrange(len(out) + 1)
    t.send(out[:cut])
    if cut < len(out):
        self.note(ident, 'no', users)
        t.end()
        return
    for _ in range(replies - 1):
        t.reply()
    self.settle(t, ident, users)
    t.end()


def resets_anywhere(self, t):
    self.hello(t)
    ident = self.next()
    out, users, _ = self.stream(ident, self.rnd.randrange(1, 5))
    cut = self.rnd.choice((len(out), self.rnd.randrange(len(out))))
    t.send(out[:cut])
    self.note(ident, 'maybe' if cut == len(out) else 'no', users)
    time.sleep(self.rnd.choice((0, 0, 0.001, 0.01, 0.1)))
    t.reset()


def stops_in_data(self, t):
    self.hello(t)
    ident = self.next()
    if self.envelope(t, ident) and t.ask('DATA') == 354:
        wire = stuffed(text(ident, self.lines())) + b'.\r\n'
        t.send(wire[:self.rnd.randrange(len(wire))])
        self.note(ident, 'no', ())
        t.end()


def deaf(self, t):
    """Sends message after message and reads no reply."""
    self.hello(t)
    t.complete = False
    for _ in range(self.rnd.randrange(1, 10)):
        ident = self.next()
        out, users, _ = self.stream(ident, 2)
        self.note(ident, 'maybe', users)
        t.send(out)
    time.sleep(self.rnd.random())
    t.reset()


def slow(self, t):
    self.hello(t)
    ident = self.next()
    users = self.envelope(t, ident)
    if users and t.ask('DATA') == 354:
        wire = stuffed(text(ident, 20)) + b'.\r\n'
        step = len(wire) // 5
        for i in range(0, len(wire), step):
            t.send(wire[i:i + step])
            time.sleep(self.rnd.random() / 2)
        self.settle(t, ident, users)
    t.ask('QUIT')


def stalls(self, t):
    """Until the server has had enough."""
    self.hello(t)
    t.send(self.rnd.choice((b'', b'MAIL', b'MAIL FROM:<>\r\nRCPT TO:<bob@'
                            b'here.example>\r\nBDAT 100 LAST\r\nxxx')))
    while True:
        t.reply()


def too_big(self, t):
    self.hello(t)
    if t.ask('MAIL FROM:<> SIZE=%d' % (LIMIT + 1)) == 552:
        assert self.data(t, lines=60000) in (552, 421, 451, 452)
    t.ask('QUIT')


def spoilt(self, t):
    """What no message may hold, then a good one."""
    self.hello(t)
    what = self.rnd.choice((b'\n', b'\n.\n', b'\r', b'\0', b'\r.\r',
                            b'\n.\r\n'))

    def spoil(wire):
        at = self.rnd.randrange(12, len(wire) - 2)
        wire = wire[:at] + b'x' + what + b'x' + wire[at:]
        # not what it must not be: an end
        return re.sub(rb'\r\n\.\r\n', b'\r\n..\r\n', wire)
    assert self.data(t, spoil=spoil) != 250
    self.data(t)
    t.ask('QUIT')


def loops(self, t):
    self.hello(t)
    assert self.data(t, spoil=lambda wire: b''.join(
        b'Delivered-To: %s@here.example\r\n' % u for u in (
            b'alice', b'bob', b'carol', b'all', b'team')) +
        b'Received: x\r\n' * 101 + wire) != 250
    t.ask('QUIT')


def errors(self, t):
    """Commands that lead nowhere, perhaps until the server hangs up."""
    self.hello(t)
    for _ in range(self.rnd.randrange(40)):
        t.ask(self.rnd.choice((
            'XYZZY', 'MAIL FROM:<@>', 'RCPT TO:<alice@here.example>', 'DATA',
            'NOOP', 'RSET', 'VRFY x', 'HELP', 'EXPN x', 'x' * 600,
            'MAIL FROM:<a@b.example> BODY=9BIT')))
    t.ask('QUIT')


def foreign(self, t):
    t.reply()
    t.send(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    while True:
        t.reply()


def hasty(self, t):
    """Talks before the greeting, or behind EHLO."""
    t.complete = False
    t.send(b'EHLO %s\r\nMAIL FROM:<>\r\n' % t.helo.encode())
    while True:
        t.reply()


def nobody(self, t):
    """Comes and goes."""
    if self.rnd.random() < 0.5:
        t.reply()
    if self.rnd.random() < 0.5:
        t.reset()


KINDS, WEIGHTS = zip(
    (good, 30), (many_messages, 15), (unknown_ones, 5), (group, 15),
    (chunked, 15), (stops_anywhere, 10), (resets_anywhere, 10),
    (stops_in_data, 5), (deaf, 3), (slow, 1), (stalls, 0.3), (too_big, 2),
    (spoilt, 8), (loops, 2), (errors, 5), (foreign, 2), (hasty, 2),
    (nobody, 5))
