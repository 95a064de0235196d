#!/usr/bin/python3
"""Clients that send without end are answered, and cost no memory: what
tests/long/flood.t does at full size."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import flood
import tap

t = tap.Tap()
flood.campaign(t, 8 << 20, 10000, 10000, message_size_limit='1M')
t.done()
