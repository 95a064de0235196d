"""strace as a saboteur: it kills a process as it enters its k-th call of a
name, or lets that call fail.  The process is stopped before the call, so
killing at every one passes through every state."""
import collections
import re
import shutil
import signal
import subprocess

import box

ERRORS = ('EIO', 'ENOSPC', 'EDQUOT', 'EINTR', 'EMFILE', 'ENOMEM', 'EROFS')
KILL = 'signal=KILL'

# Nothing is left to go wrong in these, or libc does not let them fail.
NEVER = {'exit', 'exit_group', 'rt_sigreturn', 'restart_syscall', 'execve',
         'getpid'}
# With WNOHANG, it tells of a child or that there is none.
NO_ERROR = {'wait4'}

Point = collections.namedtuple('Point', 'call k what')


def needs():
    """Why nothing can be traced here, or None."""
    if not shutil.which('strace'):
        return 'strace is not installed'
    if not box.isolated():
        return 'needs root and a mount namespace'
    probe = subprocess.Popen(['sleep', '60'])
    try:
        with Tracer(probe.pid, []):
            return None
    except OSError as e:
        return str(e)
    finally:
        probe.kill()
        probe.wait()


def kills(calls):
    """A point for each call of a trial."""
    return [Point(name, k, KILL) for name, n in calls.items()
            for k in range(1, n + 1)]


def errors(calls):
    """Each call fails with each error."""
    # the filters would kill a process for call -1, strace's usual choice
    return [Point(name, k, 'error=%s:syscall=getpid' % e)
            for name, n in calls.items() if name not in NO_ERROR
            for k in range(1, n + 1) for e in ERRORS]


def some_errors(calls):
    """Each call fails once, with one error after the other."""
    return [p for i, p in enumerate(errors(calls))
            if i % len(ERRORS) == i // len(ERRORS) % len(ERRORS)]


def options(point):
    return ['-e', 'trace=' + point.call, '-e', 'inject=%s:%s:when=%d' % (
        point.call, point.what, point.k)]


class Trace:
    """What strace wrote."""
    LINE = re.compile(r'(\d+ +|)([a-z_0-9]+)\(')

    def __init__(self, path):
        self.path = path

    def lines(self):
        with open(self.path, errors='replace') as f:
            return f.readlines()

    def calls(self):
        """{name: how often}, of the process that made it most often: strace
        counts for each on its own."""
        found = (self.LINE.match(line) for line in self.lines())
        count = collections.Counter(m.groups() for m in found if m)
        most = {}
        for (_, name), n in count.items():
            if name not in NEVER:
                most[name] = max(n, most.get(name, 0))
        return most

    def order(self, names):
        """The calls of these names, in their order."""
        found = (self.LINE.match(line) for line in self.lines())
        return [m[2] for m in found if m and m[2] in names]

    def hit(self):
        return any('(INJECTED' in line or 'killed by SIGKILL' in line
                   for line in self.lines())


class Tracer(Trace):
    """strace of a process that runs, and with it of those that it forks when
    `more` has -f.  It lets go at the end."""
    def __init__(self, pid, more, path='/dev/null'):
        super().__init__(path)
        self.proc = subprocess.Popen(
            ['strace', '-o', path, '-p', str(pid), *more],
            stderr=subprocess.PIPE, text=True)
        first = self.proc.stderr.readline()
        if 'attached' not in first:
            self.proc.wait()
            raise OSError('strace: ' + first.strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGINT)
        self.proc.stderr.close()
        self.proc.wait()
