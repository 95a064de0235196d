#!/usr/bin/python3
"""10 000 handshakes that are abandoned; and a tls that was started by a socket
unit leaves after an idle minute."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
import fronts
import tap
from postern import ROOT, until
from secured import Site, running

IDLE_S = 60

t = tap.Tap()
r = subprocess.run([sys.executable, os.path.join(HERE, '..', 'tls.t'),
                    'abandoned'], stdout=subprocess.PIPE, text=True, cwd=ROOT,
                   env=dict(os.environ, HANDSHAKES='10000'))
t.ok(r.returncode == 0 and '\nok 1' in '\n' + r.stdout,
     '10 000 abandoned handshakes leave nothing', r.stdout)

p = Site()
at = p.path('run', 'tls')
started = fronts.activate(p, '--datagram', '-l', at, p.tls, '-C', p.conf)
assert until(lambda: os.path.exists(at)), p.logged()
p.own(at, '_postern')
p.start()
c = p.tls_client().starttls()
t.ok(not until(lambda: started.poll() is not None, IDLE_S + 10, 0.5),
     'with a connection it stays')
c.hello_again()
c.quit()
t.ok(until(lambda: started.poll() is not None, IDLE_S + 20, 0.5) and
     started.returncode == 0, 'idle it leaves', p.logged())
t.ok(until(lambda: not running(p.tls)), 'and all of its workers')
p.clean()
t.done()
