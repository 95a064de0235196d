#!/usr/bin/python3
"""Some seconds (SOAK_SECONDS) under full load with clients of every kind; an
hour: tests/long/soak.t."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import soak
import tap

t = tap.Tap()
soak.soak(t, int(os.environ.get('SOAK_SECONDS', 8)), 4,
          os.environ.get('SOAK_SEED', str(os.getpid())), False)
t.done()
