#!/usr/bin/python3
"""Power cuts at 150 places ($CUTS) of each workload and file system.
Arguments choose file systems."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import power
import sabotage
import tap
from receiving import Receiving

CUTS = int(os.environ.get('CUTS', 150))

t = tap.Tap()


def controls(kind):
    """Without the calls that make it safe, promises are seen to be broken."""
    def broken(how, *args, **more):
        power.broken(t, kind, Receiving(*args, **more), CUTS // 5, how)
    broken('lost', 20, 100, lie=['fsync'])
    broken('lost', 20, 100, lie=['fsync', 'sync_file_range'])
    broken('lost', 8, 80, lie=['fsync'], mbox=True)
    # what keeps a file without its data from being seen
    data = 'fsync:when=1+2' if kind == 'btrfs' else 'sync_file_range'
    broken('torn', 20, 200, lie=[data], pause_ms=20, plain=True)


for kind in sys.argv[1:] or power.KINDS:
    why = power.needs(kind) or sabotage.needs()
    if why:
        t.skip(kind, why)
        continue
    power.kept(t, kind, Receiving(1, 60, plain=True), CUTS)
    power.kept(t, kind, Receiving(20, 200, plain=True), CUTS)
    power.kept(t, kind, Receiving(20, 200), CUTS)
    power.kept(t, kind, Receiving(20, 200, pause_ms=20), CUTS)
    power.kept(t, kind, Receiving(20, 200, pause_ms=20, beside=True), CUTS)
    power.kept(t, kind, Receiving(8, 120, mbox=True), CUTS)
    controls(kind)
t.done()
