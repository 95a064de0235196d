#!/usr/bin/python3
"""The queue across a power cut: what smtpd took for others is there, what a
pass has settled stays settled, nothing is lost; and the checks see it when a
disk forgets what it was told to keep.  Many more cuts:
tests/long/queue-power.t."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import power
import sabotage
import tap
from queueing import Leftover, Passing, Queueing

CUTS = 9

t = tap.Tap()
why_not = {kind: power.needs(kind) for kind in power.KINDS}
no_strace = sabotage.needs()
for kind, why in why_not.items():
    if why:
        t.skip(kind, why)
        continue
    power.kept(t, kind, Queueing(10, 40, pause_ms=0 if no_strace else 10),
               CUTS)
    power.kept(t, kind, Passing(30), CUTS)
if not why_not['ext4']:
    power.kept(t, 'ext4', Leftover(6, 24), CUTS)
    if no_strace:
        t.skip('calls in vain', no_strace)
    else:
        power.broken(t, 'ext4', Queueing(8, 32, lie=['fsync']), 3, 'lost')
        power.broken(t, 'ext4', Passing(20, lie=['fsync', 'fdatasync']), 3,
                     'twice')
t.done()
