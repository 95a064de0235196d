#!/usr/bin/env python3
"""A pass and its carriers: killed at every system call, those of the loader
included, and every call fails with every error.  Arguments choose calls."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import sabotage                                             # noqa: E402
from qcrash import Round, campaign                          # noqa: E402
from tap import Tap, skip_all                               # noqa: E402


def whole(t, name, follow):
    r = Round(follow)
    calls = r.trial()
    t.ok(not r.wrong, name + ': without sabotage', '\n'.join(r.wrong))
    calls = {n: k for n, k in calls.items()
             if not sys.argv[1:] or n in sys.argv[1:]}
    campaign(t, name + ': killed', r, sabotage.kills(calls))
    for error in sabotage.ERRORS:
        campaign(t, '%s: calls fail with %s' % (name, error), r, [
            p for p in sabotage.errors(calls) if error in p.what])
    r.p.clean()


t = Tap()
Round().p.clean()       # the first one isolates this process
no = sabotage.needs()
if no:
    skip_all(no)
whole(t, 'the pass', False)
whole(t, 'the pass and its carriers', True)
t.done()
