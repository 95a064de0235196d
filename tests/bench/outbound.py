"""The cases of make bench-outbound: a queue that is full, and one smtp-sink
that takes it; and what a long queue costs when there is nothing to do."""
import os
import resource
import subprocess
import time

import group
import unpacked
from box import USERS
from case import Case, Row, most, times
from dma import Dma
from load import ENV, LIMIT_S, Unfinished
from ours import Glibc
from postern import free_port, until
from postfix import Postfix
from qsite import Site, build
from servers import Server

SIZE = 4096
FROM, TO = 'sender@here.example', 'someone@away.example'
LINES = (SIZE - 12) // 72
BODY = b'Subject: x\n\n' + (b'y' * 71 + b'\n') * LINES
SINK = unpacked.path('postfix', 'usr', 'sbin', 'smtp-sink')
POLL_S = 0.002
MANY = 100000       # a long queue


class Sink:
    """One smtp-sink, and how many messages it has taken."""

    def __init__(self, server):
        self.port, self.path = free_port(), server.sink_log
        with open(self.path, 'w') as out:
            self.proc = subprocess.Popen(
                [SINK, '-c', '127.0.0.1:%d' % self.port, '1000'], env=ENV,
                stdout=out, stderr=subprocess.STDOUT,
                user=USERS['alice'][0], group=USERS['alice'][0])
        assert until(self.listens), 'smtp-sink does not listen'

    def listens(self):
        with open('/proc/%d/net/tcp' % self.proc.pid) as f:
            return ':%04X ' % self.port in f.read()

    def count(self):
        with open(self.path) as f:
            last = f.read().rsplit('mesg=', 1)
        return int(last[1].split()[0]) if len(last) > 1 else 0

    def end(self):
        self.proc.kill()
        self.proc.wait()


class Sender:
    """fill(n): so many messages for TO are in its queue, not tried yet.
    flush(): it begins to send.  left(): how many it still has."""

    def begin(self):
        self.sink_log = os.path.join(self.dir, 'sink')
        self.sink = Sink(self)

    def stop(self):
        self.sink.end()
        super().stop()


class Ours(Sender, Server):
    name = Glibc.name

    def __init__(self, under, **options):
        super().__init__(under, **options)
        os.mkdir(self.dir)
        self.begin()
        self.p = Site({'smarthost': 'smtp://127.0.0.1:%d' % self.sink.port},
                      users=('alice',), under=under)
        self.peak_kb, self.serial = 0, 0

    def fill(self, n, **more):
        octets = build(FROM, [TO], BODY, **more)
        for _ in range(n):
            self.serial += 1
            self.p.put_octets('q%012d%016x' % (int(time.time()),
                                               self.serial), octets)

    def flush(self, *args):
        self.peak_kb = 0
        self.proc = self.p.popen([self.p.queue, '-C', self.p.conf, *args],
                                 preexec_fn=self.group.enter)

    def left(self):
        """The pass ends when all is on stable storage."""
        if self.proc.returncode is None:
            self._look()
            pid, status, usage = os.wait4(self.proc.pid, os.WNOHANG)
            if pid == 0:
                return -1
            self.proc.returncode = os.waitstatus_to_exitcode(status)
            self.usage = usage
        return len(os.listdir(self.p.queue_dir))

    def _look(self):
        """The most memory of the pass itself; rusage would tell of us, who
        forked it."""
        try:
            with open('/proc/%d/status' % self.proc.pid) as f:
                text = f.read()
        except FileNotFoundError:
            return
        if 'Name:\tqueue\n' in text and 'VmHWM' in text:
            self.peak_kb = max(self.peak_kb, int(
                text.split('VmHWM:')[1].split()[0]))

    def logged(self):
        return self.p.logged()

    def stop(self):
        super().stop()
        self.p.clean()


class PostfixOut(Sender, Postfix):
    def prepare(self):
        self.begin()
        super().prepare()
        with open(self.dir + '/etc/main.cf') as f:
            text = f.read().replace('mydestination =\n', 'mydestination =\n'
                                    'relayhost = [127.0.0.1]:%d\n' %
                                    self.sink.port)
        self.main = text
        self.write('etc/main.cf', text)

    def _call(self, *argv):
        subprocess.run(self.room.command(list(argv)), check=True, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, preexec_fn=self.group.enter)

    def _defer(self, on):
        self.write('etc/main.cf', self.main + (
            'defer_transports = smtp\n' if on else ''))
        self._call('/usr/sbin/postfix', '-c', self.dir + '/etc', 'reload')

    def fill(self, n):
        """By SMTP, as mail comes to it; put off for now."""
        self._defer(True)
        source = unpacked.path('postfix', 'usr', 'sbin', 'smtp-source')
        subprocess.run([source, '-s', '20', '-m', str(n), '-l', str(SIZE),
                        '-f', FROM, '-t', TO,
                        'inet:127.0.0.1:%d' % self.port], env=ENV, check=True,
                       timeout=LIMIT_S * 10, stdout=subprocess.DEVNULL)
        if not until(lambda: self._files('deferred') == n, LIMIT_S * 5, 0.1):
            raise Unfinished('stalled', '%d of %d are in its queue' % (
                self._files('deferred'), n))
        self._defer(False)

    def _files(self, *queues):
        return sum(len(files) for q in queues for _, _, files in os.walk(
            os.path.join(self.dir, 'spool', q)))

    def flush(self):
        self._call('/usr/sbin/postqueue', '-c', self.dir + '/etc', '-f')

    def left(self):
        return self._files('active', 'incoming', 'deferred')


class DmaOut(Sender, Dma):
    known = 'a process for each message; syncs nothing when it has sent one'

    def prepare(self):
        self.begin()
        super().prepare()
        self.etc['dma/dma.conf'] = (
            'MAILNAME mx.here.example\nSMARTHOST 127.0.0.1\nPORT %d\n'
            'DEFER\n' % self.sink.port)
        self.serial = 0

    def _run(self, *argv, **more):
        return subprocess.Popen(
            self.room.command(list(argv)), stdin=subprocess.DEVNULL,
            preexec_fn=self.group.enter, **more)

    def spool(self):
        return os.path.join(self.dir, 'spool', 'dma')

    def fill(self, n):
        """One message by its sendmail; copies of that one under other
        names."""
        subprocess.run(self.room.command(
            ['/usr/sbin/dma', '-i', '-f', FROM, TO]),
            input=BODY, check=True, timeout=LIMIT_S,
            preexec_fn=self.group.enter)
        names = [f for f in os.listdir(self.spool()) if f[0] in 'MQ']
        kept = {f[0]: (f[1:], self._read(f)) for f in names}
        st = os.stat(os.path.join(self.spool(), names[0]))
        for f in names:
            os.unlink(os.path.join(self.spool(), f))
        for _ in range(n):
            self.serial += 1
            for letter, (old, text) in kept.items():
                new = '%x.%x' % (self.serial, 0x5550000 + self.serial)
                path = os.path.join(self.spool(), letter + new)
                with open(path, 'wb') as f:
                    f.write(text.replace(old.encode(), new.encode()))
                os.chown(path, st.st_uid, st.st_gid)
                os.chmod(path, st.st_mode & 0o777)

    def _read(self, name):
        with open(os.path.join(self.spool(), name), 'rb') as f:
            return f.read()

    def flush(self):
        self._run('/usr/sbin/dma', '-q').wait()

    def left(self):
        return sum(1 for f in os.listdir(self.spool()) if f[0] in 'MQ')


def outbound(count):
    def run(server, scale, point):
        n = max(20, int(count * scale))
        server.fill(n)
        os.sync()
        there, cpu = server.sink.count(), server.cpu()
        busy, cpus = group.machine()
        start = time.monotonic()
        server.flush()
        until(lambda: server.left() == 0, LIMIT_S * 10, POLL_S)
        took = time.monotonic() - start
        spent = server.cpu() - cpu
        got = server.sink.count() - there
        if server.left() or got != n:
            raise Unfinished('stalled', '%d of %d messages came, %d are left '
                             'after %.0f s' % (got, n, server.left(), took))
        others = group.machine()[0] - busy - spent
        whole = (time.monotonic() - start) * cpus
        found = {'rate': n / took, 'cpu': spent * 1000 / n,
                 'others': max(0, others * 100 / whole)}
        if isinstance(server, Ours):
            found['memory'] = server.peak_kb
        return found
    return run


def cpu_of(server, *args, **more):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = server.p.pass_(*args, **more)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime -
            before.ru_stime), out


def long_queue(server, scale, point):
    """None of it is due."""
    n = max(100, int(MANY * scale))
    server.fill(n, next=int(time.time()) + 3600)
    os.sync()
    listing, out = cpu_of(server, '-l', '--json')
    assert out.count('\n') == n, out.count('\n')
    server.flush()
    assert until(lambda: server.left() == n, LIMIT_S), server.left()
    idle = server.usage.ru_utime + server.usage.ru_stime
    return {'listing': listing, 'pass': idle, 'memory': server.peak_kb}


def rate(target):
    return (Row('rate', '', '/s', target, more=True),
            Row('cpu', 'CPU of the sender, per message', ' ms'),
            Row('memory', 'resident memory of the pass, at most', ' kB',
                compared=False))


def case(name, count, rival, target):
    return Case(name, '%d messages of 4 KiB to one sink, ext4' % count,
                'ext4', (Ours, rival), outbound(count), rate(target),
                smtp=False)


CASES = (
    case('out-1000', 1000, PostfixOut, times(3)),
    case('out-10000', 10000, PostfixOut, times(3)),
    # dma starts all its processes at once: ten thousand are too many
    case('out-1000-dma', 1000, DmaOut, times(1.2)),
    Case('long', 'a queue of %d, nothing due, ext4' % MANY, 'ext4', (Ours,),
         long_queue, (
             Row('listing', 'listing, CPU', ' s', most(2)),
             Row('pass', 'a pass, CPU', ' s', most(1)),
             Row('memory', 'resident memory of the pass, at most', ' kB')),
         once=True, smtp=False),
)
