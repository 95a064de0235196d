#!/usr/bin/python3
"""Slow clients of every kind hang, and others are served as ever; a deadline
ends each kind.  Fifty of each, and the deadlines of the default: tests/long.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import slow
import tap

EACH = 8
t = tap.Tap()


def ending():
    place = slow.Place({'command-timeout': '5s'})
    with slow.far_host(place.p.port, 6):
        held = place.hang(3)
        assert place.all_gone(), '%d hang on' % len(place.p.sessions())
        place.drip.stop()
    for s in held:
        slow.farewell(s)
    slow.nothing_left(place)


t.run('%d slow clients of every kind do not keep others waiting' % EACH,
      slow.hanging, t, EACH)
t.run('every kind of slow client has an end', ending)
t.done()
