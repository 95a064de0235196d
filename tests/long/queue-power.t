#!/usr/bin/python3
"""Power cuts at 150 places ($CUTS) while the queue is filled and while it is
worked off, on each file system.  Arguments choose file systems."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import power
import sabotage
import tap
from queueing import Leftover, Passing, Queueing

CUTS = int(os.environ.get('CUTS', 150))

t = tap.Tap()


def controls(kind):
    """Without the calls that make it safe, promises are seen to be broken."""
    def broken(how, workload):
        power.broken(t, kind, workload, CUTS // 5, how)
    broken('lost', Queueing(10, 60, lie=['fsync']))
    broken('lost', Leftover(10, 60, lie=['fsync']))
    # what keeps a file without its data from being seen
    if kind != 'btrfs':
        broken('torn', Queueing(20, 160, lie=['sync_file_range'],
                                pause_ms=20))
    broken('twice', Passing(100, lie=['fsync', 'fdatasync']))


for kind in sys.argv[1:] or power.KINDS:
    why = power.needs(kind) or sabotage.needs()
    if why:
        t.skip(kind, why)
        continue
    power.kept(t, kind, Queueing(20, 160), CUTS)
    power.kept(t, kind, Queueing(20, 160, pause_ms=20), CUTS)
    power.kept(t, kind, Leftover(20, 120), CUTS)
    power.kept(t, kind, Passing(100), CUTS)
    controls(kind)
t.done()
