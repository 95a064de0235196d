#!/usr/bin/python3
"""What 250 promises across a power cut, on each file system; and that a
broken promise would be seen.  Many more cuts: tests/long/power.t."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import power
import sabotage
import tap
from receiving import Receiving

CUTS = 15

t = tap.Tap()
why_not = {kind: power.needs(kind) for kind in power.KINDS}
no_strace = sabotage.needs()
for kind, why in why_not.items():
    if why:
        t.skip(kind, why)
        continue
    power.kept(t, kind, Receiving(20, 60, pause_ms=0 if no_strace else 20),
               CUTS)
    if no_strace:
        t.skip(kind + ': calls in vain', no_strace)
        continue
    power.broken(t, kind, Receiving(8, 40, lie=['fsync']), 5, 'lost')
if not why_not['ext4']:
    power.kept(t, 'ext4', Receiving(20, 60, beside=True), CUTS)
    power.kept(t, 'ext4', Receiving(8, 64, mbox=True), CUTS)
    if not no_strace:
        power.broken(t, 'ext4', Receiving(
            20, 60, lie=['sync_file_range'], pause_ms=20), 5, 'torn')
t.done()
