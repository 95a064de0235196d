#!/usr/bin/python3
"""mailbox mbox: what is appended, under which locks, and what is refused."""
import ctypes
import fcntl
import mailbox
import os
import re
import stat
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from postern import Postern, until
from request import Deliver, record

t = tap.Tap()
libc = ctypes.CDLL(None, use_errno=True)


def start(path='mbox', conf=None):
    """mbox files in the homes of a private system's users."""
    p = Postern({'users': None})
    if not p.isolated:
        raise tap.Skip('needs root and a mount namespace')
    if not path.startswith('/'):
        path = p.path('home') + '/%u/' + path
    p.configure(dict({'mailbox': 'mbox:' + path}, **(conf or {})))
    d = Deliver(p)
    return p, d, d.requests()


def mbox(p, name='alice'):
    return p.path('home', name, 'mbox')


def read(path):
    with open(path, 'rb') as f:
        return f.read()


FROM = rb'From a@away\.example [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d ' \
    rb'\d\d:\d\d:\d\d \d{4}\n'
HEAD = b'Return-Path: <a@away.example>\nDelivered-To: alice@here.example\n'


def content():
    """Quoting, line ends, and what is between two messages."""
    p, d, r = start()
    texts = [
        b'Subject: 1\n\nFrom here\n>From there\n>>From\n From\nFrom: x\nFrom',
        b'From the first line on\n',
        b'',
        b'Subject: 4\n\n\n\n',
        b'x' * 200000 + b'\nFrom ' + b'y' * 70000 + b'\n',
    ]
    for text in texts:
        assert r.deliver(['alice'], text) == 'D'
    whole = read(mbox(p))
    parts = re.split(b'(?:^|(?<=\n\n))(?=' + FROM + b')', whole)
    assert parts.pop(0) == b'' and len(parts) == len(texts), whole[:900]
    for part, text in zip(parts, texts):
        m = re.match(FROM + re.escape(HEAD), part)
        assert m, part[:300]
        body = part[m.end():]
        if text and not text.endswith(b'\n'):
            text += b'\n'
        assert re.sub(b'(?m)^>(>*From )', rb'\1', body) == text + b'\n', part
    assert len(mailbox.mbox(mbox(p))) == len(texts), 'as another reads it'
    st = os.stat(mbox(p))
    assert (st.st_uid, st.st_gid) == (20001, 20001), st
    assert stat.S_IMODE(st.st_mode) == 0o600
    assert not os.path.exists(mbox(p) + '.lock')


def what_was_there():
    """A gap is made behind a file that does not end in a blank line."""
    for old, gap in (b'', b''), (b'\n', b''), (b'x', b'\n\n'), \
            (b'x\n', b'\n'), (b'x\n\n', b''):
        p, d, r = start()
        with open(mbox(p), 'wb') as f:
            f.write(old)
        p.own(mbox(p), 'alice')
        assert r.deliver(['alice']) == 'D'
        assert re.match(re.escape(old + gap) + FROM, read(mbox(p))), old


def bounce():
    p, d, r = start()
    assert r.deliver(['alice'], sender='') == 'D'
    assert read(mbox(p)).startswith(b'From MAILER-DAEMON ')
    assert r.deliver(['bob'], sender='"a b"@c.example') == 'D'
    assert read(mbox(p, 'bob')).startswith(b'From "a-b"@c.example ')


def refused():
    """What is not the user's own plain file is left alone."""
    def symlink(path, p):
        with open(path + '2', 'w'):
            p.own(path + '2', 'alice')
        os.symlink(path + '2', path)

    def hardlink(path, p):
        with open(path + '2', 'w'):
            p.own(path + '2', 'alice')
        os.link(path + '2', path)

    def others(path, p):
        with open(path, 'w'):
            os.chmod(path, 0o666)

    def dangling(path, p):
        os.symlink(path + '2', path)

    def directory(path, p):
        os.mkdir(path)
    for make in symlink, hardlink, others, dangling, directory, \
            lambda path, p: os.mkfifo(path):
        p, d, r = start()
        make(mbox(p), p)
        r.rcpt('alice')
        r.rcpt('bob')
        v = r.store(b'x\n', n=2)
        assert [x[0] for x in v] == ['L', 'L'], v
        assert not os.path.exists(mbox(p) + '2') or \
            read(mbox(p) + '2') == b''
        assert not os.path.exists(mbox(p, 'bob')) or \
            read(mbox(p, 'bob')) == b''


def taken_back():
    """One that fails: the others are as long as before."""
    p, d, r = start()
    assert r.deliver(['alice', 'bob']) == 'DD'
    before = [read(mbox(p, u)) for u in ('alice', 'bob')]
    os.mkdir(mbox(p, 'carol'))
    assert r.deliver(['alice', 'carol', 'bob']) == 'LLL'
    assert [read(mbox(p, u)) for u in ('alice', 'bob')] == before
    assert not os.path.exists(mbox(p) + '.lock')


def full():
    p, d, r = start()
    if libc.mount(b'none', p.path('home', 'alice').encode(), b'tmpfs', 0,
                  b'size=128k,mode=755'):
        raise tap.Skip('no tmpfs')
    p.own(p.path('home', 'alice'), 'alice')
    assert r.deliver(['alice']) == 'D'
    before = read(mbox(p))
    r.rcpt('bob')
    r.rcpt('alice')
    v = r.store(b'x' * 200000, n=2)
    assert v[1][:2] == ('L', '4.3.1') and v[0][0] == 'L', v
    assert read(mbox(p)) == before, 'cut back to where it was'


def many_at_once():
    p, d, r = start()
    conns = [d.requests() for _ in range(20)]
    for i in range(5):
        for c in conns:
            c.rcpt('alice')
            with c.message(b'Subject: n\n\nx\n') as f:
                c.send(record('S', '0', '14', 'a@b'), f.fileno())
        assert [c.receive('s')[0] for c in conns] == ['D'] * 20
    box_ = mailbox.mbox(mbox(p))
    assert len(box_) == 100
    assert all(m.get_payload() == 'x\n' for m in box_)


def fcntl_lock():
    """A reader with a lock is waited for."""
    p, d, r = start()
    assert r.deliver(['alice']) == 'D'
    size = os.stat(mbox(p)).st_size
    f = open(mbox(p), 'rb+')
    fcntl.lockf(f, fcntl.LOCK_EX)
    r.rcpt('alice')
    with r.message(b'x\n') as m:
        r.send(record('S', '0', '2', ''), m.fileno())
    time.sleep(0.5)
    assert os.stat(mbox(p)).st_size == size
    f.close()
    assert r.receive('s')[0] == 'D'
    assert os.stat(mbox(p)).st_size > size


def one_user_has_not_all_workers():
    """As many messages as there are workers wait for alice's lock, and more;
    bob's mail goes on, and so does hers when the lock is gone."""
    p, d, r = start()
    assert r.deliver(['alice']) == 'D'
    f = open(mbox(p), 'rb+')
    fcntl.lockf(f, fcntl.LOCK_EX)
    waiting = [d.requests() for _ in range(24)]
    for c in waiting:
        c.rcpt('alice')
        with c.message(b'x\n') as m:
            c.send(record('S', '0', '2', ''), m.fileno())
    for _ in range(3):
        assert r.deliver(['bob']) == 'D'
    f.close()
    fates = [c.receive('s')[0] for c in waiting]
    assert set(fates) <= {'D', 'L'} and fates.count('D') >= 8, fates


def dot_lock():
    p, d, r = start()
    with open(mbox(p) + '.lock', 'w'):
        pass
    r.rcpt('alice')
    with r.message(b'x\n') as m:
        r.send(record('S', '0', '2', ''), m.fileno())
    time.sleep(0.5)
    assert os.stat(mbox(p)).st_size == 0
    os.unlink(mbox(p) + '.lock')
    assert r.receive('s')[0] == 'D'
    # one that was forgotten
    with open(mbox(p) + '.lock', 'w'):
        pass
    os.utime(mbox(p) + '.lock', (0, 0))
    assert r.deliver(['alice']) == 'D'
    assert not os.path.exists(mbox(p) + '.lock')


def concurrent_writer():
    """Another program appends under the same locks."""
    p, d, r = start()
    assert r.deliver(['alice']) == 'D'
    stop = threading.Event()
    count = [1]

    def write():
        other = mailbox.mbox(mbox(p), create=False)
        while not stop.is_set():
            try:
                other.lock()
            except mailbox.ExternalClashError:
                continue
            other.add(b'Subject: other\n\ny\n')
            other.flush()
            other.unlock()
            os.chown(mbox(p), 20001, 20001)
            count[0] += 1
            time.sleep(0.01)
    writer = threading.Thread(target=write)
    writer.start()
    fates = [r.deliver(['alice'], b'Subject: ours\n\nx\n') for _ in range(30)]
    stop.set()
    writer.join()
    assert 'D' in fates and set(fates) <= set('DL')
    subjects = [m['Subject'] for m in mailbox.mbox(mbox(p))]
    assert subjects.count('ours') == fates.count('D')
    assert len(subjects) == count[0] + fates.count('D')


def spool():
    """/var/mail: the user's uid, the group mail, and dot-locks beside it."""
    p, d, r = start('/var/mail/%u')
    if libc.mount(b'none', b'/var/mail', b'tmpfs', 0, b'mode=2775,gid=8'):
        raise tap.Skip('no tmpfs')
    try:
        assert r.deliver(['alice', 'bob']) == 'DD', p.logged()
        for name in 'alice', 'bob':
            st = os.stat('/var/mail/' + name)
            assert (st.st_uid, st.st_gid) == (p.uid(name), 8), st
        assert sorted(os.listdir('/var/mail')) == ['alice', 'bob']
        os.rename('/var/mail/alice', '/var/mail/x')
        os.link('/etc/passwd', '/var/mail/alice') if \
            os.stat('/etc').st_dev == os.stat('/var/mail').st_dev else \
            os.symlink('/etc/passwd', '/var/mail/alice')
        assert r.deliver(['alice']) == 'L'
    finally:
        libc.umount2(b'/var/mail', 2)


def dropped():
    """While it waits for a lock: the user, and no capability."""
    p, d, r = start()
    with open(mbox(p) + '.lock', 'w'):
        pass
    r.rcpt('alice')
    with r.message(b'x\n') as m:
        r.send(record('S', '0', '2', ''), m.fileno())
    worker = until(lambda: d.workers(True))[0]
    child, = until(lambda: d.children(worker))

    def status():
        with open('/proc/%d/status' % child) as f:
            return dict(s.rstrip('\n').split(':\t', 1) for s in f
                        if ':\t' in s)
    s = until(lambda: status()['Uid'] == '\t'.join(['20001'] * 4) and
              status())
    assert s['Gid'] == '\t'.join(['20001'] * 4) and not s['Groups'].strip()
    for cap in 'CapEff', 'CapPrm', 'CapInh', 'CapAmb':
        assert int(s[cap], 16) == 0, s[cap]
    os.unlink(mbox(p) + '.lock')
    assert r.receive('s')[0] == 'D'


Postern()
for name, test in list(globals().items()):
    if callable(test) and getattr(test, '__module__', '') == '__main__' and \
            name not in ('start', 'mbox', 'read'):
        t.run(name.replace('_', ' '), test)
t.done()
