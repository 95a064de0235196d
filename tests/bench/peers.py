"""The cases of make bench-peers: those of make bench with the other mail
systems that Debian has for the same purpose, and what only they do so far."""
import os
import subprocess
import time

import cases
from arrivals import wait
from case import Case, Row
from dma import Dma
from exim import Exim
from load import LIMIT_S, Unfinished
from opensmtpd import OpenSmtpd
from session import summary

INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'inject.py')
OTHERS = (OpenSmtpd, Exim, Dma)


def sendmail(server, scale, point):
    """A message by sendmail after the other, until the last is delivered."""
    n = max(10, int(200 * scale))
    user = server.fresh()
    argv = server.sendmail(user)
    arrivals = server.arrivals([user])
    start = time.monotonic()
    try:
        done = subprocess.run(
            server.room.command(['python3', INJECT, str(n)] + argv),
            check=True, timeout=LIMIT_S, stdout=subprocess.PIPE, text=True,
            preexec_fn=server.group.enter)
    except subprocess.TimeoutExpired:
        raise Unfinished('stalled', 'sendmail does not return')
    times = [float(s) for s in done.stdout.split()]
    if not wait(arrivals, n, LIMIT_S):
        raise Unfinished('stalled', '%d of %d messages arrive' % (
            arrivals.count, n))
    took = time.monotonic() - start
    arrivals.close()
    return dict(summary(times), rate=n / took)


def _with_others(case):
    return Case(case.name, case.about, case.kind, case.servers + OTHERS,
                case.run, case.rows, case.options, once=case.once,
                smtp=case.smtp)


CASES = tuple(_with_others(c) for c in cases.CASES
              if c.servers == cases.ALL) + (
    Case('sendmail', 'sendmail, one message after another, ext4', 'ext4',
         cases.ALL + OTHERS, sendmail, (
             Row('median', 'returns after, median', ' ms'),
             Row('p99', '99th percentile', ' ms'),
             Row('rate', 'until the last is delivered', '/s',
                 more=True)), smtp=False),
)
