"""Kills and errors at chosen system calls, and what must hold after each.

One process of a private installation is sabotaged while it handles a message.
After each run the promises are checked (Site.verify), then the same message
is sent again as a client would, and must arrive.
"""
import os
import shutil
import signal
import socket
import subprocess
import time

from postern import (Client, Closed, Postern, is_spare, split_trace,
                     until)
from request import Deliver
from sabotage import KILL, Trace, Tracer, options

SENDER = 'a@away.example'
PATIENCE = 8    # seconds for a reply; none of the calls needs one
# An answer that gets lost on the way after the mail is safe: the client
# tries again, and two copies are better than none.
TALK = {'sendmsg', 'recvmsg', 'epoll_pwait', 'epoll_ctl', 'poll', 'ppoll',
        'read', 'write', 'sendto', 'recvfrom', 'accept4'}

# These make it safe; one that fails is the end of that attempt.
SAFETY = {'fsync', 'syncfs', 'sync_file_range', 'renameat2'}


# Magic numbers of file systems on which deliver pushes the data out; on others
# it syncs the file before that has its name (sys/maildir.c).
PUSHED = {'ef53', '58465342'}


def pushes_out(path):
    return subprocess.run(['stat', '-f', '-c', '%t', path],
                          capture_output=True, text=True,
                          check=True).stdout.strip() in PUSHED


def content(ident, size=0):
    """A message that can be told from every other, and from a part of it."""
    text = 'Subject: %s\n\n' % ident
    line = ident + ' %06d ' + 'x' * 50 + '\n'
    text += ''.join(line % i for i in range(max(1, size // len(line % 0))))
    return (text + 'end of %s\n' % ident).encode()


def attempt(open_client, ident, rcpts, size=0, ready=None):
    """(stage, code) of the first reply that is not the wanted one, ('sent',
    250), or (stage, None) when the connection ended there."""
    steps = [('greeting', None, 220), ('ehlo', b'EHLO c.example', 250),
             ('mail', b'MAIL FROM:<%s>' % SENDER.encode(), 250)]
    steps += [('rcpt', b'RCPT TO:<%s>' % r.encode(), 250) for r in rcpts]
    steps += [('data', b'DATA', 354)]
    stage, c = 'connect', None
    try:
        c = open_client()
        c.sock.settimeout(PATIENCE)
        for stage, text, code in steps:
            got = c.cmd(text)[0] if text else c.reply()[0]
            if got != code:
                return stage, got
            if stage == 'greeting' and ready:
                ready()
        stage = 'content'
        c.send(content(ident, size).replace(b'\n', b'\r\n') + b'.\r\n')
        return 'sent', c.reply()[0]
    except (Closed, BrokenPipeError, ConnectionError):
        return stage, None
    except TimeoutError:
        return stage, 'silence'
    finally:
        if c:
            c.close()


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
        self.collect()
        self.settle()
        time.sleep(0.2)
        self.rest = [self.now_in(pid) for pid in (
            self.d.proc.pid, self.d.workers(True)[0])]
        assert 'running' not in self.rest, self.rest

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
        assert until(lambda: len(self.p.sessions()) == 1)
        return self.p.sessions()[0]

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
        """Members that run; the dead whose parent died too are init's, and
        one that waits for the next client belongs to its listener."""
        return [pid for pid, (state, parent) in self.members(proc).items()
                if (state != 'Z' or parent == proc.pid) and
                not (parent == proc.pid and is_spare(pid))]

    @staticmethod
    def now_in(pid):
        """The system call it sleeps in; None when it runs."""
        try:
            with open('/proc/%d/syscall' % pid) as f:
                return f.read().split()[0]
        except OSError:
            return None

    def at_rest(self):
        """Nobody of deliver works on anything; who told smtpd nothing may
        still have been at it."""
        poller, store = self.rest
        return self.now_in(self.d.proc.pid) == poller and all(
            self.now_in(pid) in (store, None)
            for pid in self.d.workers(True))

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
        try:    # without smtpd there is no Received
            got = split_trace(text)[1] if b'\nReceived: ' in text else \
                text.split(b'\n', 2)[2]
        except (AssertionError, IndexError):
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

    def collect(self):
        """Empties the mailboxes."""
        for user in self.users:
            for sub in 'new', 'cur':
                for path in self.left_in('home', user, 'Maildir', sub):
                    os.unlink(path)

    # a run

    def attached(self, role, ident, more):
        """To a process that runs already."""
        tracer = []

        def attach():
            pid = self.newest_session() if role == 'session' else \
                self.pid(role)
            tracer.append(Tracer(pid, more, self.trace))
        if role == 'session':
            heard = self.send(ident, ready=attach)
        else:
            attach()
            heard = self.send(ident)
        self.settle()
        for t in tracer:
            t.__exit__()
        return heard

    def strace(self, more, *args, **streams):
        return self.p.popen(['strace', '-o', self.trace, *more, *args],
                            **streams)

    def ended(self, proc):
        """And nobody else of its session is left."""
        try:
            proc.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.bad('it does not end')
            proc.kill()
            proc.wait()
        if not until(lambda: not self.alive(proc), 5):
            self.bad('left running: %s' % self.members(proc))

    def inetd(self, ident, more, conf):
        """One session, from the first call on."""
        ours, its = socket.socketpair()
        proc = self.strace(more, self.p.smtpd, '-C', conf, stdin=its,
                           stdout=its)
        its.close()
        heard = self.send(ident, lambda: Client(ours))
        self.ended(proc)
        return heard

    def mda(self, ident, more):
        """deliver and its workers, from the first call on."""
        proc = self.strace(['-f'] + more, self.p.deliver, '-C', self.p.conf,
                           '-f', SENDER, self.to(ident)[0],
                           stdin=subprocess.PIPE)
        try:
            proc.communicate(content(ident, self.size))
        except BrokenPipeError:
            pass
        self.ended(proc)
        code = proc.returncode
        if code < 0 or code == 127:     # the loader's
            return 'exit', None
        return 'exit', {0: 250, 75: 451}.get(code, 'exit code %d' % code)

    def deed(self, role, ident, more):
        self.prepare(self)
        if role == 'mda':
            return self.mda(ident, more)
        if role == 'inetd':
            return self.inetd(ident, more, self.p.conf)
        if role == 'alone':     # it starts a deliver of its own
            return self.inetd(ident, more, self.alone_conf())
        return self.attached(role, ident, more)

    def alone_conf(self):
        conf = dict(self.p.settings)
        conf['run-directory'] = self.p.path('nowhere')
        return self.p.write('alone.conf', ''.join(
            '%s %s\n' % (k, v) for k, v in conf.items() if v is not None))

    def trial(self, role):
        """The calls that one message needs of this role."""
        ident = self.ident()
        self.label = role + ' trial'
        heard = self.deed(role, ident, [])
        assert heard[1] == 250, (role, heard, self.p.logged()[-2000:])
        self.collect()
        return Trace(self.trace).calls()

    def run(self, role, point):
        """One message with this point; False when it was not reached."""
        ident = self.ident()
        self.label = '%s %s %d %s' % (role, point.call, point.k, point.what)
        stage, code = self.deed(role, ident, options(point))
        hit = Trace(self.trace).hit()
        self.verify(role, point, ident, stage, code)
        return hit

    def verify(self, role, point, ident, stage, code):
        killed = point.what == KILL
        self.renew()
        if not until(self.at_rest, PATIENCE):
            self.bad('a worker does not come to rest')
        first = self.copies(ident)
        spool, tmp = self.left()
        if 'signal=31' in self.p.logged() or 'Bad system call' in \
                self.p.logged():
            self.bad('killed by its filter')
            os.truncate(self.p.log, 0)
        self.judge(role, point, stage, code, first)
        if len(tmp) > (len(self.rcpts) if killed else 0) or \
                (tmp and role not in ('store', 'mda')):
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
        return role in ('session', 'inetd', 'alone') and (
            point.what == KILL or point.call == 'unlinkat')

    def judge(self, role, point, stage, code, count):
        """What the client heard against what there is."""
        killed = point.what == KILL
        if isinstance(code, str):
            self.bad('%s, at %s' % (code, stage))
        elif code == 250 and point.call in SAFETY and not killed:
            self.bad('250, though it is not on stable storage')
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


def unmake(site):
    """Nobody has a Maildir yet."""
    for user in site.users:
        for sub in 'new', 'tmp', 'cur':
            shutil.rmtree(os.path.join(site.p.mailbox(user), sub),
                          ignore_errors=True)


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
