#!/usr/bin/python3
"""A socket-activated smtpd leaves after an idle minute, the socket stays and
the next connection is served; one with -l stays."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import fronts
import tap
from postern import Client, Postern, free_port, until

IDLE_S = 60

t = tap.Tap()
stays = Postern()
stays.start()
p = Postern()
p.port = free_port()
activated = fronts.activate(p, '-l', '127.0.0.1:%d' % p.port, p.smtpd, '-C',
                            p.conf)
fronts.ready(p)
held = Client(('127.0.0.1', p.port))
held.want('220')
time.sleep(IDLE_S + 3)
t.ok(activated.poll() is None, 'with a session open it stays')
held.quit()
start = time.monotonic()
t.ok(until(lambda: activated.poll() is not None, IDLE_S + 10, 0.5),
     'activated and idle it leaves')
t.equal(activated.returncode, 0, 'with exit code 0')
t.ok(time.monotonic() - start > IDLE_S - 5, 'not before its time')
t.ok(stays.listener.poll() is None, 'with -l it stays')
stays.client().want('220')
t.done()
