"""How long a local program waits for sendmail -t, and what it costs."""
import os
import subprocess
import time

from arrivals import wait
from case import Case, Row, part
from load import LIMIT_S, Unfinished
from session import summary

INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'inject.py')


def sendmail(server, scale, point):
    """A message after the other, until the last is delivered."""
    n = max(10, int(200 * scale))
    user = server.fresh()
    argv = [server.mailbox_of(user)] + server.sendmail()
    arrivals = server.arrivals([user])
    cpu = server.cpu()
    start = time.monotonic()
    try:
        done = subprocess.run(
            server.room.command(['python3', INJECT, str(n)] + argv),
            check=True, timeout=LIMIT_S, stdout=subprocess.PIPE, text=True,
            preexec_fn=server.group.enter)
    except subprocess.TimeoutExpired:
        raise Unfinished('stalled', 'sendmail does not return')
    *times, own = [float(s) for s in done.stdout.split()]
    if not wait(arrivals, n, LIMIT_S):
        raise Unfinished('stalled', '%d of %d messages arrive' % (
            arrivals.count, n))
    took = time.monotonic() - start
    arrivals.close()
    return dict(summary(times), rate=n / took,
                cpu=max(0, server.cpu() - cpu - own) / n * 1000)


def case(servers):
    return Case('sendmail', 'sendmail -t, one message after another, ext4',
                'ext4', servers, sendmail, (
                    Row('median', 'returns after, median', ' ms'),
                    Row('p99', '99th percentile', ' ms'),
                    Row('rate', 'until the last is delivered', '/s',
                        more=True),
                    Row('cpu', 'CPU until then, per message', ' ms',
                        part(1 / 3))), smtp=False)
