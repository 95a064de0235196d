"""A pass that is killed, and whose calls fail: what must hold at that moment,
and after the next passes.  The scenario of tests/queue-crash.t."""
import os
import re
import time

import qfile
import sabotage
from postern import until
from qsite import Site
from sink import Sink

# Before and around main: nothing has been touched yet.
LOADER = {'mmap', 'munmap', 'mprotect', 'brk', 'arch_prctl', 'prlimit64',
          'set_tid_address', 'set_robust_list', 'rseq', 'pread64',
          'clock_gettime', 'rt_sigaction', 'rt_sigprocmask', 'getuid',
          'geteuid', 'getppid', 'lseek', 'fstat', 'newfstatat', 'access',
          'uname', 'readlink', 'ioctl', 'fcntl', 'umask', 'futex', 'time'}
# What a pass does to the queue.
SPOOL = {'openat', 'pread64', 'pwrite64', 'fdatasync', 'fsync', 'renameat2', 'unlinkat',
         'flock', 'getdents64', 'sync_file_range', 'write', 'socketpair',
         'sendmsg', 'clone', 'fork', 'recvmsg'}
RCPTS = ['good@away.example', 'bad@away.example', 'late@away.example']
ORDER = 'NTDSRFB'


class Round:
    """One message for three, from alice, and one from nobody that fails.
    follow: carriers are sabotaged as well, each at its own k-th call."""

    def __init__(self, follow=False):
        self.follow = ['-f'] if follow else []
        self.p = Site()
        self.p.start()
        self.sink = Sink({'RCPT': self.rcpt})
        self.p.configure({'smarthost': self.sink.url})
        self.trace = self.p.path('trace')
        self.wrong, self.label, self.later = [], '', True

    def rcpt(self, line):
        if 'bad@' in line:
            return '550 5.1.1 no'
        if 'late@' in line and self.later:
            return '450 4.2.2 later'
        return '250 2.1.5 ok'

    def bad(self, text):
        self.wrong.append('%s: %s' % (self.label, text))

    def prepare(self):
        self.later = True
        self.log_at = len(self.p.logged())
        self.sink.messages.clear()
        self.p.take('alice')
        self.p.take('root')
        self.one = self.p.put('alice@here.example', RCPTS)
        self.two = self.p.put('', ['bad@away.example'])

    def strace(self, more):
        run = self.p.popen(['strace', *self.follow, '-o', self.trace, *more,
                            self.p.queue, '-C', self.p.conf])
        if not until(lambda: run.poll() is not None, 30):
            self.bad('the pass does not end')
            run.kill()
        run.wait()
        # carriers go with the pass
        if not until(lambda: not self.passes(), 10):
            self.bad('carriers stay: %s' % self.passes())

    def passes(self):
        found = []
        for pid in self.p.running():
            try:
                if os.readlink('/proc/%d/exe' % pid) == self.p.queue:
                    found.append(pid)
            except OSError:
                pass
        return found

    def statuses(self):
        """{name: statuses}; each file is whole."""
        found = {}
        for name in self.p.files():
            if name.startswith('t'):
                continue
            try:
                found[name] = self.p.read(name).status()
            except qfile.Bad as e:
                self.bad('%s is not whole: %s' % (name, e))
        return found

    def after(self):
        """What holds at the moment of the crash."""
        found = self.statuses()
        told = [n for n in found if n.startswith('r')]
        for name, n in ((self.one, 3), (self.two, 1)):
            s = found.get(name)
            if s is not None and len(s) != n:
                self.bad('%s has statuses %s' % (name, s))
        if self.one not in found:
            self.bad('gone, though one of it is for later')
        elif 'B' in found[self.one] and not told and \
                not self.p.messages('alice'):
            self.bad('reported, and there is no report')
        if self.two not in found and not self.p.messages('root') and \
                not [n for n in found if n.startswith('p')]:
            self.bad('nobody was told of the one from nobody')
        return found

    def settle(self, before):
        """The next passes bring everything to its end."""
        self.p.pass_()
        now = self.statuses()
        for name in set(before) & set(now):
            if any(ORDER.index(b) > ORDER.index(a)
                   for b, a in zip(before[name], now[name])
                   if (b, a) != ('T', 'N')):
                self.bad('%s went from %s to %s' % (name, before[name],
                                                    now[name]))
        self.later = False
        self.p.pass_('-a')
        self.p.pass_('-a')

    def judge(self, point):
        left = [n for n in self.p.files() if not n.startswith('t')]
        if left:
            self.bad('left: %s' % left)
        if os.listdir(self.p.path('spool', 'bad')):
            self.bad('moved to bad: %s' % os.listdir(
                self.p.path('spool', 'bad')))
        got = self.sink.rcpts()
        # the answer of the hop may be lost, once
        for r in RCPTS[0], RCPTS[2]:
            if not 1 <= got.count(r) <= 2:
                self.bad('%s has %d' % (r, got.count(r)))
        for user in 'alice', 'root':
            reports = self.p.messages(user)
            # the answer to the report's delivery may be lost as well
            if not 1 <= len(reports) <= 2:
                self.bad('%s has %d reports' % (user, len(reports)))
        log = self.p.logged()[self.log_at:]
        for name in self.one, self.two:
            made = re.findall('event=report id=%s .*' % name, log)
            if len(made) > 1:
                self.bad('%d reports were made: %s' % (len(made), made))
        for n in self.p.files():
            os.unlink(os.path.join(self.p.queue_dir, n))

    def run(self, point):
        self.label = '%s %d %s' % point
        self.prepare()
        self.strace(sabotage.options(point))
        hit = sabotage.Trace(self.trace).hit()
        self.settle(self.after())
        self.judge(point)
        return hit

    def trial(self):
        self.label = 'trial'
        self.prepare()
        self.strace([])
        calls = sabotage.Trace(self.trace).calls()
        self.settle(self.after())
        self.judge(None)
        return calls


def campaign(t, name, r, points):
    begin = time.monotonic()
    r.wrong = []
    missed = [p for p in points if not r.run(p)]
    t.ok(points and not r.wrong and len(missed) * 4 <= len(points),
         '%s: %d points' % (name, len(points)),
         '\n'.join(r.wrong + ['not reached: %d, %s' % (len(missed),
                                                       missed[:8])]))
    t.note('%s: %d points in %.0f s, %d not reached' % (
        name, len(points), time.monotonic() - begin, len(missed)))
