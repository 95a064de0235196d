#!/usr/bin/python3
"""An hour (SOAK_SECONDS) under full load with clients of every kind: what was
stored, what the log says and what the clients heard agree, and nothing is
left over."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import soak
import tap

t = tap.Tap()
soak.soak(t, int(os.environ.get('SOAK_SECONDS', 3600)), 8,
          os.environ.get('SOAK_SEED', str(os.getpid())), True)
t.done()
