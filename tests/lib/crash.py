"""Kills and errors at chosen system calls, and what must hold after each.

strace is attached to one process of a private installation and told to kill
it as it enters its k-th call of a name, or to let that call fail.  The
process is stopped before the call, so killing at every one passes through
every state.  After each run the promises are checked (Site.verify), then the
same message is sent again as a client would, and must arrive.
"""
import collections
import os
import re
import shutil
import signal
import subprocess
import time

import box
import tap
from postern import Client, Closed, Postern, split_trace, until
from request import Deliver

SENDER = 'a@away.example'
PATIENCE = 8    # seconds for a reply; none of the calls needs one
ERRORS = ('EIO', 'ENOSPC', 'EDQUOT', 'EINTR', 'EMFILE', 'ENOMEM')
KILL = 'signal=KILL'

# Nothing is left to go wrong in these, or libc does not let them fail.
NEVER = {'exit', 'exit_group', 'rt_sigreturn', 'restart_syscall', 'execve',
         'getpid'}
# An answer that gets lost on the way after the mail is safe: the client
# tries again, and two copies are better than none.
TALK = {'sendmsg', 'recvmsg', 'epoll_pwait', 'epoll_ctl', 'poll', 'ppoll',
        'read', 'write', 'sendto', 'recvfrom', 'accept4'}

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
            for name, n in calls.items() for k in range(1, n + 1)
            for e in ERRORS]


def some_errors(calls):
    """Each call fails once, with one error after the other."""
    return [p for i, p in enumerate(errors(calls))
            if i % len(ERRORS) == i // len(ERRORS) % len(ERRORS)]


def options(point):
    return ['-e', 'trace=' + point.call, '-e', 'inject=%s:%s:when=%d' % (
        point.call, point.what, point.k)]


class Trace:
    """What strace wrote."""
    LINE = re.compile(r'(?:\d+ +)?([a-z_0-9]+)\(')

    def __init__(self, path):
        self.path = path

    def lines(self):
        with open(self.path, errors='replace') as f:
            return f.readlines()

    def calls(self):
        found = (self.LINE.match(line) for line in self.lines())
        count = collections.Counter(m[1] for m in found if m)
        return {n: k for n, k in count.items() if n not in NEVER}

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


def content(ident, size=0):
    """A message that can be told from every other, and from a part of it."""
    text = 'Subject: %s\n\n' % ident
    line = ident + ' %06d ' + 'x' * 50 + '\n'
    text += ''.join(line % i for i in range(max(1, size // len(line % 0))))
    return (text + 'end of %s\n' % ident).encode()


def attempt(open_client, ident, rcpts, size=0, ready=None):
    """(stage, code) of the first reply that is not the wanted one, ('sent',
    250), or (stage, None) when the connection ended there."""
    stage = 'connect'
    try:
        c = open_client()
        c.sock.settimeout(PATIENCE)
        steps = [('greeting', None, 220), ('ehlo', b'EHLO c.example', 250),
                 ('mail', b'MAIL FROM:<%s>' % SENDER.encode(), 250)]
        steps += [('rcpt', b'RCPT TO:<%s>' % r.encode(), 250) for r in rcpts]
        steps += [('data', b'DATA', 354)]
        for stage, text, code in steps:
            if text is None and ready:
                got = c.reply()[0]
                ready()
            else:
                got = c.cmd(text)[0] if text else c.reply()[0]
            if got != code:
                c.close()
                return stage, got
        stage = 'content'
        c.send(content(ident, size).replace(b'\n', b'\r\n') + b'.\r\n')
        got = c.reply()[0]
        stage = 'sent'
        c.close()
        return stage, got
    except (Closed, BrokenPipeError, ConnectionError):
        return stage, None
    except TimeoutError:
        return stage, 'silence'


class Site:
    """An installation under trial.  scenario: rcpts are local parts with %s
    for the identifier; prepare(site) comes before each message."""

    def __init__(self, rcpts=('alice+%s',), size=0, prepare=None, conf=None):
        self.p = Postern(conf)
        self.d = Deliver(self.p)
        self.p.start()
        self.rcpts, self.size = rcpts, size
        self.prepare = prepare or (lambda site: None)
        self.n = 0
        self.users = sorted({r.split('+')[0] for r in rcpts})
        self.wrong = []
        self.trace = self.p.path('trace')
        assert self.send('warm')[1] == 250, self.p.logged()
        self.collect({'warm'})

    # one message

    def ident(self):
        self.n += 1
        return 'm%d' % self.n

    def to(self, ident):
        return [(r % ident if '%' in r else r) + '@here.example'
                for r in self.rcpts]

    def send(self, ident, open_client=None, ready=None):
        return attempt(open_client or self.p.client, ident, self.to(ident),
                       self.size, ready)

    # processes

    def pid(self, role):
        """Of the process that will do the work of this role."""
        if role == 'store':
            if not self.d.workers(True):
                self.send('warm')
                self.collect()
            return self.d.workers(True)[0]
        if role == 'lookup':
            return self.d.workers(False)[0]
        if role == 'poller':
            return self.d.proc.pid
        assert role == 'listener'
        return self.p.listener.pid

    def newest_session(self):
        return max(self.d.children(self.p.listener.pid))

    def members(self, proc):
        """{pid: (state, parent)} of the session that proc leads."""
        found = {}
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/stat' % pid) as f:
                    stat = f.read().rsplit(')', 1)[1].split()
            except OSError:
                continue
            if int(stat[3]) == proc.pid and int(pid) != proc.pid:
                found[int(pid)] = stat[0], int(stat[1])
        return found

    def alive(self, proc):
        """Members that run; the dead whose parent died too are init's."""
        return [pid for pid, (state, parent) in self.members(proc).items()
                if state != 'Z' or parent == proc.pid]

    def renew(self):
        """Starts what has died; what it leaves running is an orphan."""
        if self.d.proc.poll() is not None:
            if not until(lambda: not self.alive(self.d.proc), 5):
                self.bad('workers outlive their poller')
            self.d = Deliver(self.p)
        elif len(self.d.workers(False)) < 2:
            os.kill(self.d.proc.pid, signal.SIGTERM)
            self.d.proc.wait(40)
            self.d = Deliver(self.p)
        if self.p.listener.poll() is not None:
            if not until(lambda: not self.alive(self.p.listener), 5):
                self.bad('sessions outlive their listener and their client')
            self.p.start()

    def settle(self):
        """Nobody but those who belong here: no session, no zombie."""
        if not until(lambda: not self.alive(self.p.listener), 5):
            self.bad('a session stays')

        def unburied():
            return ('Z', self.d.proc.pid) in self.members(
                self.d.proc).values()
        if self.d.proc.poll() is None and not until(
                lambda: not unburied(), 5):
            self.bad('a dead worker is not buried')

    # files

    def bad(self, what):
        self.wrong.append('%s: %s' % (self.label, what))

    label = 'start'

    def copies(self, ident):
        """How many each user has; a torn one is wrong wherever it is."""
        wanted = content(ident, self.size)
        count = {}
        for user in self.users:
            count[user] = 0
            for sub in 'new', 'cur':
                directory = os.path.join(self.p.mailbox(user), sub)
                names = os.listdir(directory) if os.path.isdir(
                    directory) else []
                for name in names:
                    count[user] += self.inspect(
                        os.path.join(directory, name), wanted)
        return count

    def inspect(self, path, wanted):
        with open(path, 'rb') as f:
            text = f.read()
        try:
            got = split_trace(text)[1]
        except AssertionError:
            got = None
        if got != wanted:
            self.bad('torn or foreign mail %s: %r' % (path, text[-200:]))
        if not path.endswith(',S=%d' % len(text)):
            self.bad('size in the name of %s, not %d' % (path, len(text)))
        return 1

    def left_in(self, *path):
        directory = self.p.path(*path)
        return [os.path.join(directory, n) for n in os.listdir(directory)] \
            if os.path.isdir(directory) else []

    def in_tmp(self):
        return [f for u in self.users
                for f in self.left_in('home', u, 'Maildir', 'tmp')]

    def left(self):
        """(files of the spool, files in tmp/), which are then removed."""
        spool = self.left_in('spool', 'queue')
        tmp = self.in_tmp()
        for path in spool + tmp:
            os.unlink(path)
        return spool, tmp

    def collect(self, idents=()):
        """Empties the mailboxes."""
        for user in self.users:
            for sub in 'new', 'cur':
                for path in self.left_in('home', user, 'Maildir', sub):
                    os.unlink(path)

    # a run

    def trial(self, role):
        """The calls that one message needs of this role."""
        ident = self.ident()
        self.label = role + ' trial'
        self.prepare(self)
        if role == 'session':
            keep = []

            def ready():
                keep.append(Tracer(self.newest_session(), [], self.trace))
            stage, code = self.send(ident, ready=ready)
            self.settle()
            keep[0].__exit__()
        else:
            with Tracer(self.pid(role), [], self.trace):
                stage, code = self.send(ident)
                self.settle()
        assert code == 250, (role, stage, code)
        self.collect()
        return Trace(self.trace).calls()

    def run(self, role, point):
        """One message with this point; False when it was not reached."""
        ident = self.ident()
        self.label = '%s %s %d %s' % (role, point.call, point.k, point.what)
        self.prepare(self)
        tracer = []

        def attach(pid):
            tracer.append(Tracer(pid, options(point), self.trace))
        if role == 'session':
            stage, code = self.send(
                ident, ready=lambda: attach(self.newest_session()))
        else:
            attach(self.pid(role))
            stage, code = self.send(ident)
        self.settle()
        for t in tracer:
            t.__exit__()
        hit = Trace(self.trace).hit()
        self.verify(role, point, ident, stage, code)
        return hit

    def verify(self, role, point, ident, stage, code):
        killed = point.what == KILL
        self.renew()
        if not killed:  # who was not heard may still be at work
            until(lambda: not self.in_tmp(), 1)
        first = self.copies(ident)
        spool, tmp = self.left()
        if 'signal=31' in self.p.logged() or 'Bad system call' in \
                self.p.logged():
            self.bad('killed by its filter')
            os.truncate(self.p.log, 0)
        self.judge(role, point, stage, code, first)
        if len(tmp) > (len(self.rcpts) if killed else 0) or \
                (tmp and role != 'store'):
            self.bad('left in tmp/: %s' % tmp)
        if len(spool) > self.allowed_in_spool(role, point):
            self.bad('left in the spool: %s' % spool)
        if code != 250:
            again = self.send(ident)
            if again[1] != 250:
                self.bad('the next mail: %s %s' % again)
            second = self.copies(ident)
            if any(second[u] != first[u] + 1 for u in self.users):
                self.bad('not one more after the next try: %s, %s' % (
                    first, second))
        if self.left() != ([], []):
            self.bad('left by the next mail')
        self.collect()

    def allowed_in_spool(self, role, point):
        """A name is removed as soon as it is made; killed between these
        two, or when it cannot be removed, it stays."""
        return role in ('session', 'whole') and (
            point.what == KILL or point.call == 'unlinkat')

    def judge(self, role, point, stage, code, count):
        """What the client heard against what there is."""
        killed = point.what == KILL
        if code == 'silence':
            self.bad('no reply, at ' + stage)
        elif code == 250 and set(count.values()) != {1}:
            self.bad('250, and copies: %s' % count)
        elif max(count.values()) > 1:
            self.bad('twice: %s' % count)
        elif code is not None and code not in (250, 421, 451, 452):
            self.bad('answered %s at %s' % (code, stage))
        elif code != 250 and any(count.values()) and not (
                killed or point.call in TALK):
            self.bad('%s %s, and yet copies: %s' % (stage, code, count))

    def close(self):
        self.p.clean()


def rewrite_users(site):
    """The file of users has changed: lookups read it again."""
    with open(site.p.path('users')) as f:
        text = f.read()
    site.p.write('users', text)


def campaign(t, name, site, role, points):
    """One test: all of these points."""
    begin = time.monotonic()
    site.wrong = []
    missed = []
    for point in points:
        if not site.run(role, point):
            missed.append(point)
    # how often a process waits differs from run to run
    t.ok(not site.wrong and len(missed) * 5 <= len(points),
         '%s: %d points' % (name, len(points)),
         '\n'.join(site.wrong + ['not reached: %d of %d, %s' % (
             len(missed), len(points), missed[:5])]))
    t.note('%s: %d points in %.1f s, %d not reached' % (
        name, len(points), time.monotonic() - begin, len(missed)))
