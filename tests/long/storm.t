#!/usr/bin/python3
"""Ten thousand ($STORM) of what tests/storm.t does with a few: submissions at
once under the usual limits, bounces that bounce again, passes side by
side."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import qsite
import storm
import tap
from postern import Postern

N = int(os.environ.get('STORM', 10000))
LIMIT = 1000            # local-connection-limit as it is by itself

t = tap.Tap()
qsite.PASS_S = 1200
Postern().clean()       # the first one isolates this process
for name, test, args in (
        ('submissions at once', storm.submissions, (N, LIMIT)),
        ('bounces to the dead', storm.to_the_dead, (N,)),
        ('bounces to ourselves', storm.to_ourselves, (N,)),
        ('bounces to a bouncer', storm.to_a_bouncer, (N,)),
        ('two passes, slow at locks and removals', storm.passes, (N,)),
        ('four passes', storm.passes, (N, 4))):
    if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
        t.run('%d: %s' % (N, name), test, t, *args)
t.done()
