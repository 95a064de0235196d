"""Postfix's smtp-source against a server, until the last message is in its
mailbox."""
import os
import resource
import subprocess
import time

import group
import unpacked
from arrivals import finished, wait

LIMIT_S = 60        # for one sample; then it has stalled
SAMPLE_S = 12       # a sample has no more messages than fit into it
MUCH = 64 << 20     # bytes that are removed again
SOURCE = unpacked.path('postfix', 'usr', 'sbin', 'smtp-source')
ENV = dict(os.environ,
           LD_LIBRARY_PATH=unpacked.path('postfix', 'usr', 'lib', 'postfix'))


class Unfinished(Exception):
    """How far it came, and whether it `stalled` or the server `refused`."""

    def __init__(self, mark, text):
        super().__init__(text)
        self.mark = mark


class Load:
    """sessions in parallel, messages in all; each: many in one session;
    recipients: of each message."""

    def __init__(self, sessions=1, messages=1, each=False, size=4096,
                 recipients=1):
        self.sessions, self.messages, self.each = sessions, messages, each
        self.size, self.recipients = size, recipients

    def command(self, server, n, user):
        return [SOURCE, '-s', str(self.sessions), '-m', str(n),
                '-l', str(self.size), '-M', 'client.example',
                '-f', 'sender@away.example', '-t', user + '@here.example'] + (
                    ['-d'] if self.each else []) + (
                    ['-r', str(self.recipients)] if self.recipients > 1
                    else []) + ['inet:127.0.0.1:%d' % server.port]

    def number(self, server, scale):
        """Of messages: as many as asked for, if it can take them."""
        n = max(self.sessions, int(self.messages * scale))
        if server.pace:
            n = min(n, max(self.sessions, int(server.pace * SAMPLE_S)))
        return n

    def sample(self, server, scale, user, users):
        """Sends to `user`, of whom smtp-source makes `users`."""
        n = self.number(server, scale)
        wanted = n * self.recipients
        boxes = [server.maildir(u) for u in users]
        there = count(boxes)
        result, took = self._run(server, n, user, users)
        if count(boxes) != there + wanted:
            raise SystemExit('bench: %s: %d messages instead of %d' % (
                server.name, count(boxes) - there, wanted))
        if wanted * self.size >= MUCH:
            empty(boxes)
        server.pace = n / took
        return result

    def _run(self, server, n, user, users):
        wanted = n * self.recipients
        arrivals = server.arrivals(users)
        cpu, (busy, cpus) = server.cpu(), group.machine()
        start = time.monotonic()
        source = subprocess.Popen(
            self.command(server, n, user), env=ENV,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        usage = finished(source, arrivals, LIMIT_S)
        sent_s = time.monotonic() - start
        done = usage and source.returncode == 0 and wait(
            arrivals, wanted, LIMIT_S - sent_s)
        took = time.monotonic() - start
        arrivals.close()
        said = source.stderr.read().decode(errors='replace').strip()
        source.stderr.close()
        if not done:
            raise Unfinished(
                'refused' if usage and source.returncode else 'stalled',
                '%d of %d messages after %.0f s%s' % (
                    arrivals.count, wanted, took,
                    ', then ' + said.split('fatal: ')[-1] if said else ''))
        own = usage.ru_utime + usage.ru_stime
        spent = server.cpu() - cpu
        others = group.machine()[0] - busy - spent - own
        whole = (time.monotonic() - start) * cpus
        return {'rate': wanted / took, 'cpu': spent * 1000 / wanted,
                'source': own * 100 / sent_s,
                'others': max(0, others * 100 / whole)}, took


def count(boxes):
    """Messages in new/ of these Maildirs."""
    total = 0
    for box in boxes:
        with os.scandir(os.path.join(box, 'new')) as names:
            total += sum(1 for _ in names)
    return total


def empty(boxes):
    for box in boxes:
        with os.scandir(os.path.join(box, 'new')) as names:
            for one in names:
                os.unlink(one.path)


def descriptors():
    """Enough for ourselves and for a thousand sessions of smtp-source."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
