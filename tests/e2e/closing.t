#!/usr/bin/python3
"""A client that is gone after each octet it could have sent: by a close, by a
reset, and with its half of the connection alone.  A message whose end came is
stored once, one whose end did not come never; nobody stays behind."""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import tap
from postern import Closed, Postern, split_trace, until

t = tap.Tap()
EHLO = (b'EHLO c.example\r\n', 1)
ENVELOPE = (b'MAIL FROM:<a@away.example>\r\n'
            b'RCPT TO:<alice@here.example>\r\n'
            b'RCPT TO:<nobody-here@here.example>\r\n')
QUIT = (b'QUIT\r\n', 1)

# What is sent at once, and how many replies it has; %s tells one run from
# the others.
DATA = (EHLO, (ENVELOPE + b'DATA\r\n', 4),
        (b'Subject: %s\r\n\r\n..x\r\n.\r\n', 1), QUIT)
BDAT = (EHLO, (ENVELOPE + b'BDAT 16\r\nSubject: %s\r\nBDAT 6 LAST\r\n\r\n.x\r\n',
               5), QUIT)
CONTENT = b'Subject: %s\n\n.x\n'


def end_of_message(steps):
    """The number of octets with which it is whole."""
    text = b''.join(s[0] for s in steps)
    return text.index(QUIT[0])


def leave(c, how):
    if how == 'reset':
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack('ii', 1, 0))
    if how == 'half':
        c.sock.shutdown(socket.SHUT_WR)
        try:
            while True:
                c.fill()
        except Closed:
            pass
    c.close()


def run(client, steps, n, ident, how):
    """The first n octets, in the time that the protocol has."""
    c = client()
    c.want('220')
    for text, replies in steps:
        text = text.replace(b'%s', ident)
        c.send(text[:n])
        n -= len(text)
        if n <= 0:
            break
        for _ in range(replies):
            c.reply()
    leave(c, how)


def every_octet(p, client, steps, how):
    end, last = end_of_message(steps), sum(len(s[0]) for s in steps)
    # "%s" stands for five octets
    end, last = end + 3, last + 3
    for n in range(last + 1):
        run(client, steps, n, b'n%04d' % n, how)
    # A reset may take the end of the message with it, but not once that was
    # answered, as it is before QUIT.
    want = [CONTENT.replace(b'%s', b'n%04d' % n) for n in range(end, last + 1)]
    least = want[1:] if how == 'reset' else want
    until(lambda: len(p.names()) >= len(want), 1)
    got = sorted(split_trace(m)[1] for m in p.take())
    assert set(got) <= set(want) and len(set(got)) == len(got), [
        m for m in got if m not in want][:3]
    missing = [w for w in least if w not in got]
    assert not missing, missing[:3]
    assert until(lambda: not p.rubbish()), p.rubbish()
    assert until(lambda: not p.sessions()), 'a session stays'
    assert 'session-killed' not in p.logged()


p = Postern({'source-limit': '1000'})
p.start()
for name, steps in ('DATA', DATA), ('BDAT', BDAT):
    for how in 'close', 'reset', 'half':
        t.run('%s, %s after every octet' % (name, how), every_octet, p,
              p.client, steps, how)
t.run('the unix socket, close after every octet', every_octet, p,
      p.local_client, DATA, 'close')
c = p.client()
c.hello()
t.equal(c.mail()[0], 250, 'mail is taken as before')
t.done()
