#!/usr/bin/python3
"""What a user makes of his own home harms nobody else: whatever stands where
his Maildir should, also while it changes under deliver's eyes, the files of
others stay as they are, and his mail is kept for later.  Users of the system,
whose Maildir may be elsewhere by a link of theirs, and of a file."""
import ctypes
import os
import shutil
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from postern import Postern
from request import Deliver

t = tap.Tap()
libc = ctypes.CDLL(None, use_errno=True)
EXCHANGE, CWD = 2, -100


class Home:
    """alice's, with bob and root as neighbours."""

    def __init__(self, system):
        self.system = system
        self.p = p = Postern({'users': None} if system else None)
        p.configure({'mailbox': 'maildir:%s/%%u/Maildir' % p.path('home')})
        p._mkdir('home/alice/own', 'alice', 0o700)
        for sub in 'new', 'tmp', 'cur':
            p._mkdir('home/alice/own/' + sub, 'alice', 0o700)
            p._mkdir('home/bob/Maildir/' + sub, 'bob', 0o777)
        os.mkdir(p.path('roots'))
        os.chmod(p.path('roots'), 0o777)
        for path, who in (('roots/file', None),
                          ('home/bob/Maildir/new/file', 'bob')):
            p.write(path, 'not yours\n')
            if who:
                p.own(p.path(path), who)
        self.r = Deliver(p).requests()
        self.fresh()

    def path(self, *names):
        return self.p.path('home', 'alice', 'Maildir', *names)

    def fresh(self):
        """An ordinary Maildir."""
        top = self.path()
        if os.path.islink(top) or (os.path.exists(top) and
                                   not os.path.isdir(top)):
            os.unlink(top)
        shutil.rmtree(top, ignore_errors=True)
        for sub in '', '/new', '/tmp', '/cur':
            self.p._mkdir('home/alice/Maildir' + sub, 'alice', 0o700)

    def others(self):
        """Everything in the neighbourhood that is not alice's."""
        found = {os.path.join('/etc', n): sign(os.path.join('/etc', n))
                 for n in os.listdir('/etc') + ['.']}
        for place in (self.p.path('roots'),
                      self.p.path('root-mailbox'), self.p.path('home', 'bob'),
                      self.p.path('home', 'carol')):
            found[place] = sign(place)
            for top, dirs, files in os.walk(place):
                for name in dirs + files:
                    path = os.path.join(top, name)
                    found[path] = sign(path)
        return found


def sign(path):
    st = os.lstat(path)
    return (st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_size,
            st.st_mtime_ns, st.st_ctime_ns)


def changes(before, after):
    return [k for k in before.keys() | after.keys()
            if before.get(k) != after.get(k)]


def replace(path, make):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
    make(path)


def link(target):
    return lambda path: os.symlink(target, path)


def bind(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)


def places(h):
    """(title, what is replaced, by what, fate)"""
    p = h.p
    home = p.path('home')
    own = 'D' if h.system else 'L'
    yield 'Maildir is /etc', '', link('/etc'), 'L'
    yield 'Maildir is a directory of root', '', link(p.path('roots')), 'L'
    yield "Maildir is bob's", '', link(home + '/bob/Maildir'), 'L'
    yield "Maildir is bob's home", '', link(home + '/bob'), 'L'
    yield "Maildir is root's", '', link(p.path('root-mailbox')), 'L'
    yield 'Maildir is itself', '', link('Maildir'), 'L'
    yield 'Maildir is nowhere', '', link('/nowhere/at/all'), 'L'
    yield 'Maildir is to be made in /etc', '', link('/etc/new'), 'L'
    yield 'Maildir is elsewhere', '', link(home + '/alice/own'), own
    yield 'Maildir is a device', '', lambda path: os.mknod(
        path, 0o020666, os.makedev(1, 3)), 'L'
    yield 'Maildir is a socket', '', bind, 'L'
    yield 'Maildir is a fifo', '', os.mkfifo, 'L'
    yield 'Maildir is closed', '', lambda path: (
        os.mkdir(path), p.own(path, 'alice'), os.chmod(path, 0)), 'L'
    for sub in 'new', 'tmp':
        yield sub + ' is /etc', sub, link('/etc'), 'L'
        yield sub + ' is a directory of root', sub, link(p.path('roots')), 'L'
        yield sub + " is bob's", sub, link(home + '/bob/Maildir/new'), 'L'
        yield sub + ' is elsewhere', sub, link(home + '/alice/own/new'), 'L'
        yield sub + ' is itself', sub, link(sub), 'L'
        yield sub + ' is a socket', sub, bind, 'L'
    yield 'cur is /etc', 'cur', link('/etc'), 'D'


def stored(h):
    """Messages in new/, and in the other place."""
    found = []
    for directory in h.path('new'), h.p.path('home', 'alice', 'own', 'new'):
        if not os.path.islink(os.path.dirname(directory)) and not \
                os.path.islink(directory) and os.path.isdir(directory):
            found += [os.path.join(directory, n)
                      for n in os.listdir(directory)]
    return found


def things(h):
    for title, what, make, fate in places(h):
        h.fresh()
        replace(h.path(what) if what else h.path(), make)
        before = h.others()
        h.r.rcpt('alice')
        got = h.r.store(b'x\n')[0]
        assert got[0] == fate, (title, got)
        assert got[0] == 'D' or got[1].startswith('4.'), (title, got)
        assert h.others() == before, (title, changes(before, h.others()))
        there = stored(h)
        assert len(there) == (fate == 'D'), (title, there)
        for path in there:
            os.unlink(path)
    h.fresh()
    assert h.r.deliver(['alice']) == 'D', 'the kept mail comes through'


def hard_links(h):
    """Names that he gave to files of others lead nowhere."""
    h.fresh()
    targets = [h.p.path('roots/file'),
               h.p.path('home/bob/Maildir/new/file')]
    for n, target in enumerate(targets):
        for sub in 'new', 'tmp':
            os.link(target, h.path(sub, '1.M1P1Q%d.%s' % (n, sub)))
            os.symlink(target, h.path(sub, '2.M1P1Q%d.%s' % (n, sub)))
    before = h.others()
    for _ in range(5):
        assert h.r.deliver(['alice']) == 'D'
    assert h.others() == before
    assert len(os.listdir(h.path('new'))) == 9
    assert len(os.listdir(h.path('tmp'))) == 4


def exchanged(h, what, other):
    """Two names change places all the time while mail comes."""
    h.fresh()
    path = h.path(what) if what else h.path()
    trap = h.p.path('home', 'alice', 'trap')
    if os.path.lexists(trap):
        os.unlink(trap)
    os.symlink(other, trap)
    before, over, turns = h.others(), threading.Event(), [0]

    def turn():
        while not over.is_set():
            rc = libc.renameat2(CWD, path.encode(), CWD, trap.encode(),
                                EXCHANGE)
            assert rc == 0, os.strerror(ctypes.get_errno())
            turns[0] += 1
    turner = threading.Thread(target=turn)
    turner.start()
    fates = set()
    try:
        for _ in range(50):
            fates.add(h.r.deliver(['alice']))
    finally:
        over.set()
        turner.join()
    assert fates <= {'D', 'L'} and turns[0] > 20, (fates, turns)
    assert h.others() == before, changes(before, h.others())
    if os.path.islink(path):
        libc.renameat2(CWD, path.encode(), CWD, trap.encode(), EXCHANGE)
    h.fresh()
    assert h.r.deliver(['alice']) == 'D'


Postern().clean()       # the first one isolates this process
if not box.isolated():
    tap.skip_all('needs root and a mount namespace')
for system in True, False:
    h = Home(system)
    users = 'users of the system' if system else 'users of a file'
    t.run(users + ': what stands in the place of a Maildir', things, h)
    t.run(users + ': hard links', hard_links, h)
    bobs = h.p.path('home', 'bob', 'Maildir')
    t.run(users + ": new, and bob's, change places", exchanged, h, 'new',
          bobs + '/new')
    t.run(users + ": tmp, and bob's, change places", exchanged, h, 'tmp',
          bobs + '/tmp')
    t.run(users + ": Maildir, and bob's, change places", exchanged, h, '',
          bobs)
    t.run(users + ': Maildir, and /etc, change places', exchanged, h, '',
          '/etc')
    h.p.clean()
t.done()
