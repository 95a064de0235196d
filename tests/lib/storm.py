"""Very much mail at once: submissions, bounces, passes side by side.  The
scenarios of tests/storm.t, which is small, and of tests/long/storm.t."""
import asyncio
import collections
import email
import email.utils
import os
import random
import re
import resource
import shutil
import smtplib
import socket
import subprocess
import tempfile
import threading
import time

import fronts
import tap
from postern import free_port, until
from qsite import Site
from sink import OK, Sink

STALL_S = 60            # without any progress
SUBJECT = re.compile(rb'^Subject: (\w+)\r?$', re.M)
POSTFIX = os.path.join(fronts.DEPS, 'postfix')


def why(p, names):
    """What the log says of the first of these messages."""
    lines = [s for s in p.logged().split('\n') if names[0] in s]
    return '\n'.join(['%d are left' % len(names)] + lines[-10:])


def progress(count, wanted):
    """Waits for count() to be wanted, as long as it moves at all."""
    last, end = None, 0
    while True:
        now = count()
        if now != last:
            last, end = now, time.monotonic() + STALL_S
        if now == wanted or time.monotonic() > end:
            return now
        time.sleep(0.1)


class RealSink:
    """Postfix's smtp-sink, which keeps each message in a file."""

    def __init__(self, *options):
        program = os.path.join(POSTFIX, 'usr/sbin/smtp-sink')
        if not os.path.exists(program):
            raise tap.Skip('smtp-sink is not unpacked')
        self.dir = tempfile.mkdtemp(prefix='postern-sink-')
        os.chmod(self.dir, 0o777)
        self.port = free_port()
        user = ['-u', 'nobody'] if os.geteuid() == 0 else []
        self.proc = subprocess.Popen(
            [program, *user, '-d', self.dir + '/m', *options,
             '127.0.0.1:%d' % self.port, '100'],
            stdin=subprocess.DEVNULL, env=dict(
                os.environ, LD_LIBRARY_PATH=os.path.join(
                    POSTFIX, 'usr/lib/postfix')))
        self.url = 'smtp://127.0.0.1:%d' % self.port
        assert until(self._answers), 'smtp-sink does not answer'

    def _answers(self):
        with open('/proc/net/tcp') as f:
            return ':%04X 00000000:0000 0A' % self.port in f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.terminate()
        self.proc.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)

    def subjects(self):
        """{subject: how often it came}"""
        found = collections.Counter()
        for name in os.listdir(self.dir):
            with open(os.path.join(self.dir, name), 'rb') as f:
                found[SUBJECT.search(f.read())[1].decode()] += 1
        return found


class Watch:
    """How many processes of an installation there are, at most."""

    def __init__(self, p):
        self.p, self.most, self.looks, self.over = p, 0, 0, False
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        while not self.over:
            self.most = max(self.most, len(self.p.running()))
            self.looks += 1
            time.sleep(0.03)

    def end(self):
        self.over = True
        self.thread.join()
        assert self.looks > 10, self.looks
        return self.most


# --- submissions ------------------------------------------------------------

class Client:
    """One message over a connection of its own; 421, 45x and a full backlog
    are for later, as for every sensible client."""
    heard = collections.Counter()

    def __init__(self, path, ident, rcpt):
        self.path, self.ident, self.rcpt = path, ident, rcpt

    async def deliver(self):
        while True:
            code = await self._attempt()
            Client.heard[code] += 1
            if code == 250:
                return
            assert code in (421, 451, 452, 'backlog'), code
            await asyncio.sleep(random.uniform(0.05, 1))

    async def _attempt(self):
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        try:
            s.connect(self.path)
        except BlockingIOError:
            s.close()
            return 'backlog'
        reader, writer = await asyncio.open_unix_connection(sock=s)
        try:
            return await self._talk(reader, writer)
        finally:
            writer.close()

    async def _reply(self, reader):
        while True:
            line = await reader.readline()
            if not line:
                return 'closed'
            if line[3:4] == b' ':
                return int(line[:3])

    async def _talk(self, reader, writer):
        steps = ((None, 220), ('EHLO c.example', 250),
                 ('MAIL FROM:<alice@here.example>', 250),
                 ('RCPT TO:<%s>' % self.rcpt, 250), ('DATA', 354))
        for text, wanted in steps:
            if text:
                writer.write(text.encode() + b'\r\n')
            code = await self._reply(reader)
            if code != wanted:
                return code
        writer.write(b'Subject: %s\r\n\r\nx\r\n.\r\n' % self.ident.encode())
        return await self._reply(reader)


async def _submit(path, n, users):
    room = asyncio.Semaphore(resource.getrlimit(
        resource.RLIMIT_NOFILE)[0] - 500)

    async def one(i):
        async with room:
            user = users[i % len(users)]
            await Client(path, 's%d' % i, 'x@away.example' if i % 2 else
                         user + '@here.example').deliver()
    await asyncio.gather(*map(one, range(n)))


def submissions(t, n, limit):
    """n programs send at once, to a real server and to Maildirs, and smtpd
    starts the passes: at any time there are `limit` sessions and a number of
    others that does not depend on n."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with RealSink() as sink:
        p = Site({'local-connection-limit': str(limit), 'concurrency': '10',
                  'smarthost': sink.url})
        shutil.copy(p.queue, p.path('libexec', 'queue'))
        p.start()
        Client.heard = collections.Counter()
        watch = Watch(p)
        users = ['alice', 'bob', 'carol']
        begin = time.monotonic()
        asyncio.run(_submit(p.local, n, users))
        sent = time.monotonic() - begin
        left = progress(lambda: len(p.files()), 0)
        most = watch.end()
        t.note('%d in %.0f s, %.0f s until all was away; most processes: %d, '
               '%d looks; %s' % (n, sent, time.monotonic() - begin, most,
                                 watch.looks, dict(Client.heard)))
        assert left == 0, why(p, p.files())
        # spares, deliver and its workers, one pass and its carriers
        assert most <= limit + 80, most
        away = {'s%d' % i: 1 for i in range(n) if i % 2}
        assert sink.subjects() == away, 'not each once at the sink'
        here = collections.Counter(
            SUBJECT.search(m)[1].decode()
            for user in users for m in p.messages(user))
        assert here == {'s%d' % i: 1 for i in range(n) if i % 2 == 0}, \
            'not each once in the mailboxes'
        assert Client.heard[421], 'nobody had to wait: %s' % Client.heard
        p.clean()


# --- bounces ----------------------------------------------------------------

REPORT = re.compile(r'event=report id="?([^ "]+)"? report="?([^ "]+)')


def created(p):
    """{message: reports made of it}"""
    return collections.Counter(m[1] for m in REPORT.finditer(p.logged()))


def _bounces(p, n, sender, passes):
    """n messages that are refused; (what is left after each pass, how many
    reports were made of reports)"""
    refusing = Sink({'RCPT': '550 5.1.1 no'})
    p.configure({'smarthost': refusing.url})
    p.start()
    mine = [p.put(sender, ['bad%d@refused.example' % i],
                  b'Subject: b%d\n\nx\n' % i) for i in range(n)]
    sizes = []
    while len(sizes) < passes and (p.files() or not sizes):
        p.pass_('-a')
        sizes.append(len(p.files()))
        if len(sizes) > 8:      # often enough: now time must pass as well
            time.sleep(0.2)
    assert max(sizes) <= n, 'the queue grows: %s' % sizes
    assert p.files() == [], '%d left after %s' % (len(p.files()), sizes)
    reports = created(p)
    assert max(reports.values()) == 1, reports.most_common(3)
    assert set(mine) <= set(reports), 'not all were reported'
    # one of each message, one to the postmaster of each report; no more
    second = [name for name in reports if name not in set(mine)]
    assert all(name[0] == 'r' for name in second), second[:3]
    assert len(reports) <= 2 * n, len(reports)
    refusing.close()
    return sizes, len(second)


def to_the_dead(t, n):
    """Nobody answers where the reports go, until they are too old."""
    p = Site({'retry': '1 1', 'queue-lifetime': '1s',
              'route': 'dead.example smtp://127.0.0.1:%d' % free_port()})
    sizes, second = _bounces(p, n, 'x@dead.example', 100)
    t.note('%d passes' % len(sizes))
    assert sizes[1] == n, 'none had to wait: %s' % sizes
    assert second == len(p.messages('root')) == n, second
    p.clean()


def to_ourselves(t, n):
    """The sender is one of ours, and nobody."""
    p = Site()
    sizes, second = _bounces(p, n, 'no-such-user@here.example', 5)
    assert second == len(p.messages('root')) == n, second
    p.clean()


def _bounced_back(p):
    """What the bouncer does with all that it takes: it sends it back to
    whoever is named in it, in the name of nobody and in its own."""
    def taken(text):
        m = email.message_from_string(text)
        to = email.utils.parseaddr(m['From'])[1]
        for sender in '', 'daemon@bouncer.example':
            try:
                with smtplib.SMTP('127.0.0.1', p.port) as c:
                    c.sendmail(sender, [to, 'x@bouncer.example'], 'Subject: '
                               'Undelivered\r\n\r\n' + text)
            except smtplib.SMTPException:
                p.refused += 1
        return OK
    return taken


def to_a_bouncer(t, n):
    """Where the reports go everything is sent back."""
    p = Site({'relay-networks': '::1', 'source-limit': '1000'})
    p.refused = 0
    bouncer = Sink({'.': _bounced_back(p)})
    p.configure({'route': 'bouncer.example ' + bouncer.url})
    sizes, second = _bounces(p, n, 'x@bouncer.example', 10)
    came = len(p.messages('root'))
    t.note('taken by the bouncer %d; of what it sent back we took %d and '
           'refused %d' % (len(bouncer.messages), came, p.refused))
    assert len(bouncer.messages) == n and second == 0, second
    assert came + p.refused == 2 * n, (came, p.refused)
    bouncer.close()
    p.clean()


# --- passes side by side ----------------------------------------------------

def passes(t, n, npasses=2):
    """Each message once, whatever they do at the same moment: locks, removals
    and names take their time."""
    if not shutil.which('strace'):
        raise tap.Skip('no strace')
    with RealSink() as sink:
        p = Site({'smarthost': sink.url})
        for i in range(n):
            p.put('a@here.example', ['x@away.example'],
                  b'Subject: p%d\n\nx\n' % i)
        slow = ['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null',
                '-e', 'trace=flock,unlinkat']
        slow += ['-e', 'inject=flock:delay_enter=300:when=1+5']
        slow += ['-e', 'inject=unlinkat:delay_enter=300:when=1+3']
        runs = [p.popen(slow + [p.queue, '-C', p.conf])
                for _ in range(npasses)]
        left = progress(lambda: len(p.files()), 0)
        assert left == 0, left
        for run in runs:
            assert until(lambda run=run: run.poll() is not None, 60)
            assert run.returncode == 0, run.returncode
        assert sink.subjects() == {'p%d' % i: 1 for i in range(n)}, \
            'not each once: %s' % sink.subjects().most_common(3)
        p.clean()
