"""Reading a queue file by what mail/qfile.h says of it, and nothing else: no
line of the program's own reader is in here."""
import os
import re

FIXED = re.compile(rb'PQ1\n([0-9]{15})\n([0-9]{6})\n([0-9]{15})\n'
                   rb'([H-])\n([W-])\n')
NRCPT = re.compile(rb'([0-9]{5})\n')
RCPT = re.compile(rb'([NTDSRFB])\n([0-9a-f])\n([ -~]{9})\n([ -~]{160})\n')
END = re.compile(rb'END ([0-9]{20}) ([0-9a-f]{8})\n')
NAME = re.compile('q[0-9]{12}[0-9a-f]{16}')
# of the head and of a recipient, what may change: (offset, octets)
HEAD_SLOTS = ((20, 6), (27, 15), (43, 1), (45, 1))
RCPT_SLOTS = ((0, 1), (4, 9), (14, 160))


class Bad(Exception):
    """It is not a queue file, or a damaged one."""


def _table():
    table = []
    for c in range(256):
        for _ in range(8):
            c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
        table.append(c)
    return table


TABLE = _table()


def crc32c(octets, crc=0):
    crc ^= 0xffffffff
    for c in octets:
        crc = crc >> 8 ^ TABLE[(crc ^ c) & 255]
    return crc ^ 0xffffffff


def _need(good, what):
    if not good:
        raise Bad(what)


class Rcpt:
    """status, notify (a set of words), code, text, address, orcpt"""

    def __repr__(self):
        return '<%s %s %s %s>' % (self.status, self.address, self.code,
                                  self.text)


class QFile:
    """arrival, attempts, next, held, warned, sender, envid, ret, body, flags,
    rcpts, content (with our trace fields)"""

    def __init__(self, text, name=None):
        self.name, self.octets, self.at = name, text, 0
        self.fixed = []         # what never changes
        self._head()
        self.rcpts = [self._rcpt() for _ in range(self.nrcpt)]
        self.start = self.at
        m = END.fullmatch(text[-34:])
        _need(m, 'no end: %r' % text[-40:])
        self.content = text[self.start:-34]
        self.fixed.append(self.content)
        _need(int(m[1]) == len(text) - 34, 'octets')
        _need(int(m[2], 16) == crc32c(b''.join(self.fixed)), 'crc')

    def _match(self, pattern, what):
        m = pattern.match(self.octets, self.at)
        _need(m, '%s at %d: %r' % (what, self.at,
                                   self.octets[self.at:self.at + 60]))
        self.at = m.end()
        return m

    def _value(self):
        m = self._match(re.compile(rb'(0|[1-9][0-9]*):'), 'length')
        end = self.at + int(m[1])
        _need(self.octets[end:end + 1] == b'\n', 'value at %d' % self.at)
        value, self.at = self.octets[self.at:end], end + 1
        _need(not re.search(rb'[\0-\x1f\x7f]', value), 'value %r' % value)
        return value.decode('utf-8', 'surrogateescape')

    def _leave_out(self, start, slots):
        for offset, n in slots:
            self.fixed.append(self.octets[start:self.first + offset])
            start = self.first + offset + n
        self.fixed.append(self.octets[start:self.at])

    def _head(self):
        self.first = 0
        m = self._match(FIXED, 'head')
        self.arrival, self.attempts, self.next = map(int, m.groups()[:3])
        self.held, self.warned = m[4] == b'H', m[5] == b'W'
        self.sender, self.envid, self.ret, self.body, self.flags = (
            self._value() for _ in range(5))
        _need(self.ret in ('', 'FULL', 'HDRS'), self.ret)
        _need(self.body in ('7BIT', '8BITMIME', 'BINARYMIME'), self.body)
        _need(re.fullmatch('s?u?t?b?', self.flags), self.flags)
        self.nrcpt = int(self._match(NRCPT, 'count')[1])
        _need(1 <= self.nrcpt <= 4096, 'count')
        self._leave_out(0, HEAD_SLOTS)

    def _rcpt(self):
        r = Rcpt()
        r.at = self.first = self.at
        m = self._match(RCPT, 'recipient')
        r.status = m[1].decode()
        bits = int(m[2], 16)
        r.notify = {w for i, w in enumerate(
            ('NEVER', 'SUCCESS', 'FAILURE', 'DELAY')) if bits >> i & 1}
        r.code, r.text = m[3].decode().rstrip(' '), m[4].decode().rstrip(' ')
        _need(re.fullmatch(r'|[245](\.[0-9]{1,3}){2}', r.code), r.code)
        r.address, r.orcpt = self._value(), self._value()
        _need(r.address, 'no address')
        self._leave_out(self.first, RCPT_SLOTS)
        return r

    def status(self):
        return ''.join(r.status for r in self.rcpts)

    def addresses(self):
        return [r.address for r in self.rcpts]

    def __repr__(self):
        return '<%s from %s to %s>' % (self.name, self.sender, self.rcpts)


def read(path):
    with open(path, 'rb') as f:
        return QFile(f.read(), os.path.basename(path))


def of(p):
    """All that are queued in a private installation (postern.Postern), in the
    order of their names; Bad when one is not whole."""
    directory = p.path('spool', 'queue')
    return [read(os.path.join(directory, name))
            for name in sorted(os.listdir(directory))
            if not name.startswith('t')]


def take(p):
    """Likewise, and they are removed."""
    found = of(p)
    for q in found:
        assert NAME.fullmatch(q.name), q.name
        os.unlink(p.path('spool', 'queue', q.name))
    return found
