#!/usr/bin/python3
"""Five hundred submissions at once, bounces to where they bounce again, and
passes side by side.  With ten thousand: tests/long/storm.t."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import storm
import tap
from postern import Postern

t = tap.Tap()
Postern().clean()       # the first one isolates this process
for name, test, args in (
        ('500 submissions at once, 60 sessions', storm.submissions, (500, 60)),
        ('bounces to the dead', storm.to_the_dead, (60,)),
        ('bounces to ourselves', storm.to_ourselves, (60,)),
        ('bounces to a bouncer', storm.to_a_bouncer, (40,)),
        ('two passes, slow at locks and removals', storm.passes, (300,))):
    if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
        t.run(name, test, t, *args)
t.done()
