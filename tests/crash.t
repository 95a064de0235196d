#!/usr/bin/python3
"""What 250 promises, while processes are killed, calls fail and disks are
full.  Every call and every error: tests/long/crash.t."""
import collections
import ctypes
import errno
import os
import random
import resource
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import crash
import sabotage
import tap
from postern import (Postern, children, descriptor, is_spare, split_trace,
                     until)
from request import Deliver

t = tap.Tap()
libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT = 1, 32
STORM_S = float(os.environ.get('STORM_SECONDS', 12))


# --- chosen calls -----------------------------------------------------------

def traced():
    why = sabotage.needs()
    roles = 'store', 'session', 'poller', 'lookup'
    if why:
        for role in roles:
            t.skip(role + ': killed, and calls that fail', why)
        return
    site = crash.Site()
    for role in roles:
        if role == 'lookup':    # it reads the file of users again
            site.prepare = crash.rewrite_users
        calls = site.trial(role)
        crash.campaign(t, role + ': killed', site, role,
                       sabotage.kills(calls))
        crash.campaign(t, role + ': errors', site, role,
                       sabotage.some_errors(calls))
    for role in 'inetd', 'mda':     # from the first call on
        crash.campaign(t, role + ': killed', site, role,
                       sabotage.kills(site.trial(role)))
    site.close()


def on_tmpfs(site):
    for user in site.users:
        tmpfs(site.p, site.p.path('home', user), 'size=1m,mode=755', user)
        for sub in '', '/new', '/cur', '/tmp':
            site.p._mkdir('home/%s/Maildir%s' % (user, sub), user, 0o700)


def commit_order():
    """Data, name, both on stable storage, and only then the promise."""
    why = sabotage.needs()
    if why:
        raise tap.Skip(why)
    pushed = ('sync_file_range', 'renameat2', 'fsync', 'fsync', 'sendmsg')
    synced = ('fsync', 'renameat2', 'fsync', 'sendmsg')
    for rcpts in ('alice+%s',), ('alice+%s', 'bob+%s'):
        for prepare in None, on_tmpfs:
            site = crash.Site(rcpts=rcpts)
            site.prepare = prepare or site.prepare
            site.trial('store')
            order = sabotage.Trace(site.trace).order(pushed)
            wanted = synced if prepare or not crash.pushes_out(site.p.dir) \
                else pushed
            # several are all on their way before one is waited for
            begun = ['sync_file_range'] * len(rcpts) if rcpts[1:] else []
            assert order == begun + [c for c in wanted for _ in rcpts], order
            site.close()


def commit_together():
    """Many mailboxes of one file system are made to last by one call."""
    why = sabotage.needs()
    if why:
        raise tap.Skip(why)
    rcpts = 'alice+%s', 'bob+%s', 'carol+%s'
    site = crash.Site(rcpts=rcpts)
    if not crash.pushes_out(site.p.dir):
        raise tap.Skip('only on ext4 and xfs')
    site.trial('store')
    steps = 'sync_file_range', 'renameat2', 'syncfs', 'fsync', 'sendmsg'
    order = sabotage.Trace(site.trace).order(steps)
    assert order == [steps[0]] * 6 + [steps[1]] * 3 + ['syncfs'] + \
        ['sendmsg'] * 3, order
    site.close()


def new_maildir():
    """Its directories last before anything in them has a name."""
    why = sabotage.needs()
    if why:
        raise tap.Skip(why)
    site = crash.Site(prepare=crash.unmake)
    site.trial('store')
    order = sabotage.Trace(site.trace).order(('mkdirat', 'fsync',
                                              'renameat2'))
    assert order[:4] == ['mkdirat'] * 3 + ['fsync'], order
    # and the message's own
    assert order[4:].count('fsync') == 2 and 'renameat2' in order, order
    site.close()


# --- a storm ----------------------------------------------------------------

def is_filtered(pid):
    try:
        with open('/proc/%d/status' % pid) as f:
            return 'Seccomp:\t2' in f.read()
    except OSError:
        return False


def listed(pid):
    """Its children as the kernel lists them: not all, but at once."""
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            return [int(w) for w in f.read().split()]
    except OSError:
        return []


class Storm:
    """Clients that send, and somebody who kills, for a while."""
    users = 'alice', 'bob', 'carol'

    def __init__(self):
        self.p = Postern({'source-limit': '1000'})
        self.p.start()
        # it keeps a deliver running
        found = []
        assert until(lambda: found.append([
            c for c in children(self.p.listener.pid) if not is_spare(c)]) or
            len(found[-1]) == 1)
        self.keeper, = found[-1]
        self.heard = {}         # ident: (user, size, code)
        self.killed = collections.Counter()
        self.over = False
        self.errors = []

    def client(self, number):
        r = random.Random(number)
        n = 0
        while not self.over:
            n += 1
            ident = 'c%dn%d' % (number, n)
            user, size = r.choice(self.users), r.choice((0, 0, 0, 150000))
            try:
                code = crash.attempt(
                    self.p.client, ident,
                    ['%s+%s@here.example' % (user, ident)], size)[1]
            except Exception as e:
                self.errors.append('%s: %r' % (ident, e))
                code = None
            self.heard[ident] = user, size, code
            if code != 250:
                time.sleep(0.02)

    def victims(self):
        """{role: pids}"""
        found = {'session': [c for c in listed(self.p.listener.pid)
                             if (descriptor(c, 0) or '').startswith('socket:')],
                 'poller': children(self.keeper), 'store': [], 'lookup': []}
        for pid in [c for d in found['poller'] for c in children(d)]:
            found['store' if is_filtered(pid) else 'lookup'].append(pid)
        return found

    def kill(self, r, role):
        """False when there is none: deliver may be on its way back."""
        pids = self.victims()[role]
        if not pids:
            return False
        try:
            os.kill(r.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.killed[role] += 1
        return True

    def run(self, seconds):
        threads = [threading.Thread(target=self.client, args=(i,))
                   for i in range(8)]
        for c in threads:
            c.start()
        r = random.Random(0)
        for i in range(4):
            end = time.monotonic() + seconds / 4
            while time.monotonic() < end:
                time.sleep(r.uniform(0.005, 0.08))
                self.kill(r, r.choice(('session', 'store', 'lookup')))
            # takes all workers along, and costs a second
            if i < 3:
                until(lambda: self.kill(r, 'poller'))
        self.over = True
        for c in threads:
            c.join()

    def found(self):
        """{ident: copies}; every file is one whole message of one client."""
        count = collections.Counter()
        for user in self.users:
            for text in self.p.messages(user):
                body = split_trace(text)[1]
                ident = body.split(b'\n')[0].split(b' ')[-1].decode()
                rcpt, size, _ = self.heard[ident]
                assert body == crash.content(ident, size), 'torn: %r' % text
                assert rcpt == user, '%s is in the mailbox of %s' % (
                    ident, user)
                count[ident] += 1
        return count


def storm():
    s = Storm()
    s.run(STORM_S)
    codes = collections.Counter(h[2] for h in s.heard.values())
    t.note('%d messages, replies %s, killed %s' % (
        len(s.heard), dict(codes), dict(s.killed)))
    assert not s.errors, s.errors[:5]
    assert set(codes) <= {250, 421, 451, None}, codes
    assert codes[250] >= 50 and set(s.killed) == {
        'session', 'store', 'lookup', 'poller'}, (codes, s.killed)
    assert until(lambda: crash.attempt(
        s.p.client, 'last', ['alice@here.example'])[1] == 250)
    s.heard['last'] = 'alice', 0, 250
    count = s.found()
    lost = [i for i, h in s.heard.items() if h[2] == 250 and count[i] != 1]
    assert not lost, 'acknowledged, and copies: %s' % [
        (i, s.heard[i], count[i]) for i in lost[:10]]
    twice = [i for i in count if count[i] > 1]
    assert not twice, 'twice: %s' % twice[:10]
    rest = s.p.rubbish()
    spool = [f for f in rest if '/spool/' in f]
    assert len(spool) <= s.killed['session'], spool
    assert len(rest) - len(spool) <= s.killed['store'], rest
    the_end(s)


def the_end(s):
    """Killed itself, the listener leaves nobody behind."""
    site = object.__new__(crash.Site)
    assert until(lambda: not s.victims()['session']), 'a session stays'
    assert len(children(s.keeper)) == 1
    os.kill(s.p.listener.pid, signal.SIGKILL)
    s.p.listener.wait()
    until(lambda: not site.alive(s.p.listener))
    # deliver is in the same session, and so are its workers
    assert not site.alive(s.p.listener), site.members(s.p.listener)


# --- disks ------------------------------------------------------------------

def tmpfs(p, path, options, owner='alice'):
    if not box.isolated():
        raise tap.Skip('needs root and a mount namespace')
    if libc.mount(b'none', path.encode(), b'tmpfs', 0, options.encode()):
        raise tap.Skip('no tmpfs: ' + os.strerror(ctypes.get_errno()))
    p.own(path, owner)


def remount(path, flags, options=b''):
    """The session of the last message may still hold its file."""
    assert until(lambda: libc.mount(None, path.encode(), None,
                                    MS_REMOUNT | flags, options) == 0), \
        os.strerror(ctypes.get_errno())


def maildir_on(options):
    p = Postern()
    home = p.path('home', 'alice')
    tmpfs(p, home, options + ',mode=755')
    for sub in '', '/new', '/cur', '/tmp':
        p._mkdir('home/alice/Maildir' + sub, 'alice', 0o700)
    Deliver(p)
    p.start()
    return p, home


def spool_on(options):
    p = Postern()
    queue = p.path('spool', 'queue')
    tmpfs(p, queue, options + ',mode=3770', '_postern')
    Deliver(p)
    p.start()
    return p, queue


def send(p, ident, size=0, to=('alice',)):
    return crash.attempt(p.client, ident, [u + '@here.example' for u in to],
                         size)


def refused(p, codes, ident='big', size=0, to=('alice',)):
    """Not taken, for now; nothing is stored and nothing is left."""
    before = {u: len(p.messages(u)) for u in ('alice', 'bob')}
    got = send(p, ident, size, to)
    assert got[1] in codes, '%s\n%s' % (got, p.logged()[-2000:])
    after = {u: len(p.messages(u)) for u in ('alice', 'bob')}
    assert after == before, 'stored: %s, %s' % (before, after)
    assert not p.rubbish(), p.rubbish()


def taken(p, ident, **more):
    """Stored once, whole."""
    n = len(p.messages())
    got = send(p, ident, **more)
    assert got == ('sent', 250), '%s\n%s' % (got, p.logged()[-2000:])
    texts = [split_trace(m)[1] for m in p.messages()]
    assert len(texts) == n + 1
    assert texts.count(crash.content(ident, more.get('size', 0))) == 1
    assert not p.rubbish(), p.rubbish()


def full_maildir():
    p, _ = maildir_on('size=64k')
    refused(p, [452], size=100000)
    refused(p, [452], size=100000, to=('alice', 'bob'))
    refused(p, [451, 452], size=100000, to=('bob', 'alice'))
    taken(p, 'small')
    n = 0
    while send(p, 'fill%d' % n, 6000)[1] == 250:
        n += 1
        assert n < 16
    assert len(p.messages()) == n + 1 and not p.rubbish()
    p.take()
    taken(p, 'room again', size=20000)


def maildir_without_inodes():
    p, home = maildir_on('nr_inodes=8')
    taken(p, 'one')
    taken(p, 'two')
    n = 2
    while send(p, 'more')[1] == 250:
        n += 1
        assert n < 8
    refused(p, [452])
    assert len(p.messages()) == n
    p.take()
    taken(p, 'room')


def read_only_maildir():
    p, home = maildir_on('size=1m')
    taken(p, 'one')
    remount(home, MS_RDONLY)
    refused(p, [451])
    refused(p, [451], to=('alice', 'bob'))
    remount(home, 0)
    taken(p, 'two')


def home_that_is_gone():
    p = Postern()
    Deliver(p)
    p.start()
    home, away = p.path('home', 'alice'), p.path('home', 'away')
    taken(p, 'one')
    os.rename(home, away)
    refused(p, [451])
    refused(p, [451], to=('bob', 'alice'))
    assert not os.path.exists(home), 'a home was made'
    os.rename(away, home)
    taken(p, 'two')


def small_spool():
    p, _ = spool_on('size=64k')
    refused(p, [452])


def spool_that_fills():
    """There is room at MAIL, and none for the content."""
    p, _ = spool_on('size=1200k')
    refused(p, [452], size=2000000)
    taken(p, 'small')


def spool_without_inodes():
    """There are some at MAIL, and none for the content."""
    p, queue = spool_on('nr_inodes=1100')
    c = p.client()
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<alice@here.example>')
    names = [os.path.join(queue, 'x%d' % i) for i in range(1099)]
    try:
        for name in names:
            os.close(os.open(name, os.O_CREAT))
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
    c.want('354', 'DATA')
    c.send(crash.content('big', 100000).replace(b'\n', b'\r\n') + b'.\r\n')
    c.want('452')
    refused_at_mail = send(p, 'none')
    assert refused_at_mail == ('mail', 452), refused_at_mail
    for name in os.listdir(queue):
        assert name.startswith('x'), name
        os.unlink(os.path.join(queue, name))
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<alice@here.example>')
    c.want('354', 'DATA')
    c.send(b'x\r\n.\r\n')
    c.want('250')
    assert len(p.messages()) == 1 and not p.rubbish()


def read_only_spool():
    p, queue = spool_on('size=1m')
    taken(p, 'one', size=100000)
    remount(queue, MS_RDONLY)
    refused(p, [451, 452], size=100000)
    taken(p, 'small')       # it needs no file there
    remount(queue, 0)
    taken(p, 'two', size=100000)


def limited_file_size():
    """The signal that comes with it is not the end of a session."""
    p = Postern()
    limit = 64 * 1024, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    Deliver(p)
    p.start(preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, limit))
    refused(p, [451, 452], size=100000)
    taken(p, 'small')
    p = Postern()
    Deliver(p, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, limit))
    p.start()
    refused(p, [452], size=100000)
    taken(p, 'small')


Postern().clean()       # the first one isolates this process
for test in (full_maildir, maildir_without_inodes, read_only_maildir,
             home_that_is_gone, small_spool, spool_that_fills,
             spool_without_inodes, read_only_spool, limited_file_size):
    t.run(test.__name__.replace('_', ' '), test)
t.run('a storm of kills', storm)
t.run('commit order', commit_order)
t.run('one commit for many', commit_together)
t.run('a new Maildir', new_maildir)
traced()
t.done()
