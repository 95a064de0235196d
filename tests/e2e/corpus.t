#!/usr/bin/python3
"""Real and malformed messages, several hundred, arrive as they were sent: by
DATA and by BDAT, line ends apart.  The sample messages of Python's and
spamassassin's tests and of flufl.bounce, and each of them broken in ways that
follow from its own octets."""
import hashlib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import tap
from corpus import collect
from postern import Postern, split_trace

t = tap.Tap()


def canonical(text):
    """As a client would send it: CR LF line ends, no NUL."""
    text = re.sub(rb'\r\n|\r|\n', b'\n', text).replace(b'\0', b'?')
    if not text.endswith(b'\n'):
        text += b'\n'
    return text.replace(b'\n', b'\r\n')


def broken(name, text):
    """Ways of being malformed that no receiver may mind."""
    seed = hashlib.sha256(name.encode()).digest()
    lines = text.split(b'\r\n')
    at = seed[0] % len(lines)
    cut = len(text) * (seed[1] + 1) // 257
    yield 'no header', b'\r\n' + text
    yield 'cut', canonical(text[:cut])
    yield 'dots', b''.join(b'.' + s + b'\r\n' for s in lines)
    yield 'one line', text.replace(b'\r\n', b' ') + b'\r\n'
    yield 'space lines', b'\r\n'.join(lines[:at] + [b' ', b'\t'] + lines[at:])
    yield 'eight bits', bytes(c ^ 0x80 if c > 0x20 and i % 7 == seed[2] % 7
                              and c ^ 0x80 not in (0, 10, 13) else c
                              for i, c in enumerate(text))


def stuffed(text):
    return re.sub(rb'(?m)^\.', b'..', text)


def by_data(c, text):
    c.want('354', 'DATA')
    c.send(stuffed(text) + b'.\r\n')
    return c.reply()


def by_bdat(c, text):
    """In chunks that end anywhere, CR and LF apart among them."""
    step = max(1, len(text) * 2 // 5)
    at = 0
    while True:
        part = text[at:at + step]
        at += len(part)
        last = at >= len(text)
        c.send(b'BDAT %d%s\r\n' % (len(part), b' LAST' if last else b'') +
               part)
        code, lines = c.reply()
        if last or code != 250:
            return code, lines


def trip(p, c, text, how):
    c.want('250', 'MAIL FROM:<sender@away.example>')
    c.want('250', 'RCPT TO:<alice@here.example>')
    code, lines = how(c, text)
    assert code == 250, (code, lines)
    got = p.take()
    assert len(got) == 1, len(got)
    _, content = split_trace(got[0])
    want = text.replace(b'\r\n', b'\n')
    assert content == want, 'got %r\nwanted %r' % (content[:500], want[:500])


def trips(p, variants):
    c = p.client()
    c.hello()
    for what, text in variants:
        for how in (by_data, by_bdat):
            try:
                trip(p, c, text, how)
            except AssertionError as e:
                raise AssertionError('%s, %s: %s' % (what, how.__name__, e))
    c.quit()


texts = collect()
if len(texts) < 100:
    tap.skip_all('no sample messages under build/deps: scripts/deps.sh check')
p = Postern()
p.start()
for name, text in texts.items():
    text = canonical(text)
    t.run(name, trips, p, [('as it is', text)] + list(broken(name, text)))
t.done()
