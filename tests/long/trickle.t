#!/usr/bin/python3
"""Fifty clients whose content trickles in are hung up on after a minute, and
keep nobody from being served meanwhile; one that is merely slow is not."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import tap
from postern import Closed, Postern, until

SLOW, AFTER_S = 50, 60      # CONVERSATION_RATE_AFTER_S
t = tap.Tap()


def in_content(p, **how):
    c = p.client(**how)
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<alice@here.example>')
    c.want('354', 'DATA')
    c.send(b'Subject: slow\r\n\r\n')
    return c


def trickle(c, octets):
    """False once the server has hung up."""
    try:
        c.send(octets)
        c.sock.setblocking(False)
        try:
            c.fill()
        except BlockingIOError:
            pass
        finally:
            c.sock.setblocking(True)
            c.sock.settimeout(20)
    except (Closed, BrokenPipeError, ConnectionResetError):
        return False
    return b'421' not in c.raw


p = Postern()
p.start()
start = time.monotonic()
slow = [in_content(p) for _ in range(SLOW)]
steady = in_content(p, source='127.0.0.2')
left, ends = list(slow), []
while left and time.monotonic() - start < AFTER_S + 30:
    for c in list(left):
        if not trickle(c, b'x'):
            ends.append(time.monotonic() - start)
            left.remove(c)
    assert trickle(steady, b'x' * 98 + b'\r\n')
    time.sleep(0.5)
    if len(ends) == 0 and time.monotonic() - start > 20 and not p.names('bob'):
        c = p.client(source='127.0.0.3')
        c.hello()
        t.equal(c.mail(to=('bob@here.example',))[0], 250,
                'another client is served')
        c.quit()
t.equal(len(ends), SLOW, 'each that trickles is hung up on')
t.ok(ends and min(ends) > AFTER_S - 2, 'not before a minute', str(ends))
t.ok(all(b'421 4.4.2' in c.raw for c in slow), 'with 421 4.4.2')
steady.send(b'.\r\n')
t.equal(steady.reply()[0], 250, 'who is slow but steady is served')
t.ok(until(lambda: len(p.names()) == 1), 'nothing else was stored')
t.done()
