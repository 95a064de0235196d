"""A server's processes as one: a control group of their own, which tells the
CPU time of all of them, user and kernel, the ended ones included, whoever
started them.  The kernel's own threads (journal, loop device) are in nobody's
group."""
import atexit
import os
import signal
import tempfile
import time

from postern import until

CONTROLLERS = (     # directory, its file, seconds in a unit of it
    ('/sys/fs/cgroup/cpuacct', 'cpuacct.usage', 1e-9),
    ('/sys/fs/cgroup/cpu,cpuacct', 'cpuacct.usage', 1e-9),
    ('/sys/fs/cgroup', 'cpu.stat', 1e-6),
)
QUIET_S = 0.05      # nobody worked for so long: the work is done


class Group:
    def __init__(self):
        for root, self.file, self.unit in CONTROLLERS:
            if os.path.exists(os.path.join(root, 'cgroup.procs')):
                self.dir = tempfile.mkdtemp(prefix='postern-bench-', dir=root)
                atexit.register(self.end)
                return
        raise SystemExit('bench: no control group to account CPU time with')

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

    def settled(self, limit_s=2):
        """seconds(), once nothing runs any more (or limit_s is over): what is
        done behind the last reply belongs to the message, too."""
        end = time.monotonic() + limit_s
        last = self.seconds()
        while time.monotonic() < end:
            time.sleep(QUIET_S)
            now = self.seconds()
            if now - last < QUIET_S / 50:
                return now
            last = now
        return last

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
            if until(lambda: not self.pids(), 3):
                break
        try:
            os.rmdir(self.dir)
        except OSError:
            pass


def reap():
    """Processes that lost their parent became children of the first process
    of the name space, ourselves."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def machine():
    """CPU seconds of the whole machine since it was started, and its CPUs."""
    with open('/proc/stat') as f:
        n = [int(s) for s in f.readline().split()[1:]]
    idle = n[3] + n[4]
    return ((sum(n[:8]) - idle) / os.sysconf('SC_CLK_TCK'), os.cpu_count())
