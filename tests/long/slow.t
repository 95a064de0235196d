#!/usr/bin/python3
"""Fifty slow clients of every kind, and the deadlines of the default: five
minutes for a command and for silence, a minute for content that trickles,
thirty seconds when smtpd is told to end."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import slow
import tap

EACH = 50       # as many as the default of source-limit allows
TIMEOUT_S = 300         # RFC 5321 4.5.3.2: no less
TRICKLES = (slow.dripping_data, slow.dripping_lines, slow.dripping_chunk,
            slow.dripping_chunks)
t = tap.Tap()


def defaults():
    place = slow.Place()
    begin = time.monotonic()
    held = place.hang(3)
    with slow.far_host(place.p.port, 6) as far:
        patient = far + sum(s.kind not in TRICKLES for s in held)
        assert place.all_gone(patient, 120), len(place.p.sessions())
        # nobody who says nothing is ended before his time
        time.sleep(max(0, begin + TIMEOUT_S - 5 - time.monotonic()))
        assert len(place.p.sessions()) == patient, len(place.p.sessions())
        assert place.all_gone(0, 120), '%d hang on' % len(place.p.sessions())
    place.drip.stop()
    for s in held:
        slow.farewell(s)
    slow.nothing_left(place)


def told_to_end():
    """Those who wait for nothing go at once, the others when their grace is
    over."""
    place = slow.Place()
    with slow.far_host(place.p.port, 6):
        held = place.hang(3)
        place.p.listener.send_signal(signal.SIGTERM)
        for s in held:
            if s.kind in slow.IDLE:
                heard = s.last()
                assert heard.endswith(b'421 4.3.2 closing, try again\r\n'), (
                    s.kind.__name__, heard)
        assert place.p.listener.wait(90) == 0
    place.drip.stop()
    assert not place.p.take('alice'), 'half a message is there'
    place.close()


t.run('%d slow clients of every kind do not keep others waiting' % EACH,
      slow.hanging, t, EACH)
t.run('smtpd ends although they hang', told_to_end)
t.run('the deadlines of the default', defaults)
t.done()
