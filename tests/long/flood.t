#!/usr/bin/python3
"""Clients that send without end at full size: lines, headers and bodies of
5 GiB (FLOOD_OCTETS), ten million recipients (FLOOD_RCPTS), a million of every
command that leads to no message (FLOOD_COUNT)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import flood
import tap

t = tap.Tap()
flood.campaign(t, int(os.environ.get('FLOOD_OCTETS', 5 << 30)),
               int(os.environ.get('FLOOD_COUNT', 10 ** 6)),
               int(os.environ.get('FLOOD_RCPTS', 10 ** 7)))
t.done()
