#!/usr/bin/env python3
"""A pass killed at every system call, and calls that fail: nothing is lost,
no status goes back, and no report is made twice.  Every call with every
error: tests/long/queue-crash.t."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import sabotage                                             # noqa: E402
from qcrash import LOADER, SPOOL, Round, campaign           # noqa: E402
from tap import Tap, skip_all                               # noqa: E402


def main():
    t = Tap()
    r = Round()
    why = sabotage.needs()
    if why:
        skip_all(why)
    all_calls = r.trial()
    t.ok(not r.wrong, 'without sabotage', '\n'.join(r.wrong))
    chosen = {n: k for n, k in all_calls.items()
              if not sys.argv[1:] or n in sys.argv[1:]}
    calls = {n: k for n, k in chosen.items() if n not in LOADER}
    t.note(re.sub(r'[{}\']', '', str(calls)))
    campaign(t, 'killed', r, sabotage.kills(calls))
    campaign(t, 'a call fails', r, sabotage.some_errors(
        {n: k for n, k in chosen.items() if n in SPOOL}))
    r.p.clean()
    t.done()


main()
