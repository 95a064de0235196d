"""SMTP dialogues as data: reading a .smtp file and playing it.

Each line of a file is one of

  # text           the first one tells the behaviour that is shown
  config KEY VALUE a key of postern.conf for this dialogue
  peer WHO         tcp (the default: may relay), outside (may not), unix
  whole            the client's octets must not be cut further
  C: TEXT          the client sends TEXT and CR LF
  C> TEXT          ... TEXT as it is
  S: CODE STATUS   the next reply; both may be alternatives (501|555), STATUS
                   is a prefix; then /REGEX/ must and !/REGEX/ must not be in
                   its text (lines joined by LF, without codes)
  S: closed        the server ends the connection and has nothing to add
  X: close         the client closes; X: reset with a RST; X: half says that
                   no more will come; X: until CODE STATUS reads replies up to
                   one like that
  mail NAME N      at the end N messages (or A-B) are new in NAME's mailbox;
                   other mailboxes have none
  M: TEXT          line of the content of alice's only message; M> without LF
  T: REGEX         is found in the trace fields of that message
  queue N          at the end N messages are new in the queue; otherwise none
  Q: REGEX         is found in its only file, ahead of the content

C lines without S between them go out in one segment.  In C and M, \\r \\n \\t
\\0 \\\\ and \\xHH are octets and {TEXT*N} is TEXT, N times.
"""
import re
import select
import socket
import struct
import time

from postern import Client, Closed, split_trace

SIMPLE = {'r': b'\r', 'n': b'\n', 't': b'\t', '0': b'\0', '\\': b'\\'}


def octets(text):
    """The octets that an escaped TEXT means."""
    text = re.sub(r'\{([^{}]*)\*([0-9]+)\}', lambda m: m[1] * int(m[2]), text)
    out, at = bytearray(), 0
    for m in re.finditer(r'\\(?:x([0-9a-f]{2})|(.))', text):
        out += text[at:m.start()].encode()
        out += bytes([int(m[1], 16)]) if m[1] else SIMPLE[m[2]]
        at = m.end()
    return bytes(out + text[at:].encode())


class Reply:
    """What one S line allows."""

    def __init__(self, text):
        self.text = text
        self.must = re.findall(r'(?<!!)(?<=\s)/((?:[^/\\]|\\.)*)/', text)
        self.must_not = re.findall(r'!/((?:[^/\\]|\\.)*)/', text)
        words = re.split(r'\s!?/', text)[0].split()
        self.codes = {int(c) for c in words[0].split('|')}
        self.status = words[1].split('|') if len(words) > 1 else []

    def fits(self, code, lines):
        whole = '\n'.join(lines)
        return (code in self.codes and
                (not self.status or
                 any(lines[0].startswith(s) for s in self.status)) and
                all(re.search(p, whole) for p in self.must) and
                not any(re.search(p, whole) for p in self.must_not))


class Dialogue:
    def __init__(self, path):
        self.path = path
        self.about = None
        self.conf, self.peer, self.whole = {}, 'tcp', False
        self.steps = []         # (kind, value)
        self.mail, self.content, self.trace = {}, None, []
        self.queued, self.envelope = 0, []
        with open(path, encoding='utf-8', newline='\n') as f:
            for line in f.read().split('\n')[:-1]:
                self._line(line)
        assert self.about and self.steps, path

    def _line(self, line):
        key, _, value = line.partition(' ')
        if key == '#':
            self.about = self.about or value
        elif key in ('C:', 'C>', 'M:', 'M>'):
            self._octets(key, value)
        elif line.startswith(('C>', 'M>')):
            self._octets(line[:2], line[2:])
        elif key == 'S:':
            self.steps.append(('closed', None) if value == 'closed'
                              else ('reply', Reply(value)))
        elif key == 'X:':
            what, _, rest = value.partition(' ')
            assert what in ('close', 'reset', 'half', 'until'), line
            self.steps.append((what, Reply(rest) if rest else None))
        elif key == 'T:':
            self.trace.append(value)
        elif key == 'Q:':
            self.envelope.append(value)
        elif key == 'queue':
            self.queued = int(value)
        elif key == 'mail':
            name, count = value.split()
            low, _, high = count.partition('-')
            self.mail[name] = (int(low), int(high or low))
        elif key == 'config':
            name, _, rest = value.partition(' ')
            self.conf[name] = rest
        elif key == 'peer':
            assert value in ('tcp', 'outside', 'unix'), line
            self.peer = value
        elif key == 'whole':
            self.whole = True
        else:
            raise ValueError('%s: %r' % (self.path, line))

    def _octets(self, key, value):
        text = octets(value)
        if key[0] == 'M':
            self.content = (self.content or b'') + text
            self.content += b'\n' if key == 'M:' else b''
            return
        text += b'\r\n' if key == 'C:' else b''
        if self.steps and self.steps[-1][0] == 'send':
            text = self.steps.pop()[1] + text
        self.steps.append(('send', text))

    def settings(self):
        """The configuration that this dialogue needs, hashable."""
        conf = dict(self.conf)
        if self.peer == 'outside':
            conf.setdefault('relay-networks', '203.0.113.1')
        return tuple(sorted(conf.items()))

    def talks_first(self):
        return self.steps[0][0] == 'send'

    def early(self):
        """What is sent before the server can have said anything."""
        return self.steps[0][1] if self.talks_first() else b''


def check_form(code, lines, after):
    """What holds for every reply: RFC 5321 4.2, RFC 2034 4."""
    verb = after.lstrip(b' ').split(b' ')[0].strip().upper()
    free = (code in (220, 354) or
            (code == 250 and verb in (b'EHLO', b'HELO')))
    for line in lines:
        m = re.match(r'([245])\.[0-9]{1,3}\.[0-9]{1,3}( |$)', line)
        if m:
            assert int(m[1]) == code // 100, '%d %s: classes differ' % (
                code, line)
            assert not re.match(r'[245]\.(0[0-9]|[0-9]+\.0[0-9])', line)
        else:
            assert free, 'no enhanced status: %d %s' % (code, line)


def commands(text):
    """The lines of a segment, to tell which one a reply belongs to."""
    return text.split(b'\r\n')[:-1]


class Player:
    """Plays one dialogue over a connected socket."""

    def __init__(self, dialogue, sock, step=None, sent=b''):
        self.d = dialogue
        self.c = Client(sock)
        self.step = step        # octets to send at once; None: all
        self.sent = sent        # was sent already
        self.last = b''
        self.ended = False

    def play(self):
        for kind, value in self.d.steps:
            getattr(self, '_' + kind)(value)
        if not self.ended:
            self._finish()

    def _send(self, text):
        if not self.sent:
            self._push(text)
        self.sent = b''
        lines = commands(text)
        self.last = lines[0] if len(lines) == 1 else b'EHLO' if (
            b'EHLO' in text[:4].upper()) else b''

    def _push(self, text):
        if self.step is None or self.d.whole:
            self.c.send(text)
            return
        for i in range(0, len(text), self.step):
            try:
                self.c.send(text[i:i + self.step])
            except (BrokenPipeError, ConnectionResetError):
                return
            if len(text) < 2000:
                time.sleep(0.0002)

    def _reply(self, want):
        try:
            code, lines = self.c.reply()
        except Closed as e:
            raise AssertionError('closed before %s: %s' % (want.text, e))
        assert want.fits(code, lines), 'got %d %s, wanted %s' % (
            code, ' / '.join(lines), want.text)
        check_form(code, lines, self.last)

    def _until(self, want):
        while True:
            try:
                code, lines = self.c.reply()
            except Closed:
                raise AssertionError('closed before %s' % want.text)
            check_form(code, lines, self.last)
            if want.fits(code, lines):
                return

    def _closed(self, _):
        assert self.c.at_end(), 'not closed: %r' % self.c.input[:200]
        self.c.close()
        self.ended = True

    def _close(self, _):
        self.c.close()
        self.ended = True

    def _reset(self, _):
        self.c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack('ii', 1, 0))
        self._close(None)

    def _half(self, _):
        self.c.sock.shutdown(socket.SHUT_WR)

    def _finish(self):
        """No reply came that nobody asked for."""
        if select.select([self.c.sock], [], [], 0)[0]:
            self.c.fill()
        assert not self.c.input, 'unasked: %r' % self.c.input[:200]
        self.c.close()


def check_queue(d, found):
    """Compares the files of the queue (qfile.QFile) with the dialogue."""
    assert len(found) == d.queued, '%d messages in the queue, wanted %d' % (
        len(found), d.queued)
    for q in found:
        head = q.octets[:q.start].decode('utf-8', 'surrogateescape')
        for p in d.envelope:
            assert re.search(p, head, re.M), 'no %r in %r' % (p, head)


def check_mail(d, boxes, take):
    """Compares the mailboxes, which take(name) empties, with the dialogue."""
    for name in boxes:
        got = take(name)
        low, high = d.mail.get(name, (0, 0))
        assert low <= len(got) <= high, '%s has %d messages, wanted %d' % (
            name, len(got), low)
        if name != 'alice' and len(d.mail) > 1:
            continue
        for message in got:
            trace, content = split_trace(message)
            if d.content is not None:
                assert content == d.content, 'content %r, wanted %r' % (
                    content[:300], d.content[:300])
            text = trace.decode()
            unfolded = re.sub(r'\n[ \t]+', ' ', text)
            for p in d.trace:
                if p.startswith('^(?!'):
                    found = re.fullmatch(p + '.*', unfolded, re.S)
                else:
                    found = re.search(p, unfolded, re.M)
                assert found, 'no %r in %r' % (p, text)
