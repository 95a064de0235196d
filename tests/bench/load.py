"""What is measured: smtp-source against a server and its Maildir, connections
that do nothing, and the time to the greeting."""
import os
import resource
import signal
import socket
import statistics
import subprocess
import time

from postern import Client, until

LIMIT = 120     # seconds for one run


def count(path):
    """Messages in new/ of a Maildir."""
    try:
        return len(os.listdir(os.path.join(path, 'new')))
    except FileNotFoundError:
        return 0


class Load:
    """sessions in parallel, messages in all; each: many in one session."""

    def __init__(self, name, about, sessions, messages, each=False,
                 size=4096):
        self.name, self.about, self.sessions = name, about, sessions
        self.messages, self.each, self.size = messages, each, size

    def run(self, source, server, user, scale=1.0):
        """(messages per second, CPU seconds of the server per message)."""
        n = max(self.sessions, int(self.messages * scale))
        cpu = server.cpu()
        start = time.monotonic()
        subprocess.run(
            [source, '-s', str(self.sessions), '-m', str(n), '-l',
             str(self.size), '-f', 'sender@away.example', '-t',
             user + '@here.example'] + (['-d'] if self.each else []) +
            ['inet:127.0.0.1:%d' % server.port], check=True, timeout=LIMIT,
            stdout=subprocess.DEVNULL, env=server.client_env)
        box = server.maildir(user)
        got = until(lambda: count(box) >= n, LIMIT, 0.002)
        took = time.monotonic() - start
        if not got:
            raise SystemExit('%s: %d of %d messages in %s\n%s' % (
                server.name, count(box), n, box, server.logged()[-2000:]))
        return n / took, (server.cpu() - cpu) / n


LOADS = (
    Load('a', '20 sessions at once, one message each', 20, 1500),
    Load('b', '20 at once, many messages a session', 20, 2500, each=True),
    Load('c', 'one session after another', 1, 500),
    Load('d', '10 MiB messages, 4 at once', 4, 40, size=10 << 20),
)


class Cpu:
    """CPU time of a group of processes, those that ended included."""

    def __init__(self, name):
        self.dir, self.file, self.unit = None, None, 1
        for root, file, unit in (
                ('/sys/fs/cgroup', 'cpu.stat', 1e-6),
                ('/sys/fs/cgroup/cpuacct', 'cpuacct.usage', 1e-9)):
            if os.path.exists(os.path.join(root, file)) or (
                    unit == 1e-6 and os.path.exists(
                        os.path.join(root, 'cgroup.controllers'))):
                self.dir = os.path.join(root, '%s-%d' % (name, os.getpid()))
                self.file, self.unit = file, unit
                os.mkdir(self.dir)
                return
        raise SystemExit('no cgroup to account CPU time with')

    def enter(self):
        """In the child, before it becomes the server."""
        with open(os.path.join(self.dir, 'cgroup.procs'), 'w') as f:
            f.write('0')

    def pids(self):
        try:
            with open(os.path.join(self.dir, 'cgroup.procs')) as f:
                return [int(s) for s in f]
        except FileNotFoundError:
            return []

    def seconds(self):
        with open(os.path.join(self.dir, self.file)) as f:
            text = f.read()
        number = text.split()[1] if self.file == 'cpu.stat' else text
        return int(number) * self.unit

    def memory(self):
        """PSS of all its processes in kB."""
        total = 0
        for pid in self.pids():
            try:
                with open('/proc/%d/smaps_rollup' % pid) as f:
                    total += sum(int(s.split()[1]) for s in f
                                 if s.startswith('Pss:'))
            except (FileNotFoundError, ProcessLookupError):
                pass
        return total

    def end(self):
        """Ends its processes, the ones that do not want to as well."""
        for signo in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.pids():
                try:
                    os.kill(pid, signo)
                except ProcessLookupError:
                    pass
            if until(lambda: not self.pids(), 5):
                break
        try:
            os.rmdir(self.dir)
        except OSError:
            pass


def idle(server, n):
    """kB of PSS for each of n connections that were greeted and wait."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (
        4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    before = server.memory()
    held = []
    for _ in range(n):
        c = Client(('127.0.0.1', server.port))
        c.want('220')
        held.append(c)
    after = server.memory()
    for c in held:
        c.close()
    return (after - before) / n


def median_and_p99(times):
    times = sorted(times)
    return (statistics.median(times) * 1000,
            times[int(len(times) * 0.99)] * 1000)


def to_banner(server, n=500):
    """Milliseconds from connect to greeting: median, 99th percentile."""
    times = []
    for _ in range(n):
        s = socket.socket()
        start = time.monotonic()
        s.connect(('127.0.0.1', server.port))
        s.recv(512)
        times.append(time.monotonic() - start)
        s.sendall(b'QUIT\r\n')
        while s.recv(512):
            pass
        s.close()
    return median_and_p99(times)


def to_quit(server, user, n=200):
    """Milliseconds from connect to the end of a session with one message."""
    text = b'Subject: x\r\n\r\n' + b'x' * 998 + b'\r\n'
    times = []
    for _ in range(n):
        start = time.monotonic()
        c = Client(('127.0.0.1', server.port))
        c.hello()
        code, _ = c.mail(to=(user + '@here.example',), content=text)
        assert code == 250
        c.want('221', 'QUIT')
        times.append(time.monotonic() - start)
        c.close()
    return median_and_p99(times)
