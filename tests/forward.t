#!/usr/bin/python3
"""~/.forward: where it leads, what it may not do, and that nothing is lost."""
import collections
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import qfile
import tap
from postern import Postern, until
from request import Deliver, forwarded

t = tap.Tap()
PEOPLE = 'alice', 'bob', 'carol'


def home(name, *more):
    return os.path.join(pwd.getpwnam(name).pw_dir, *more)


def make_homes():
    for name in PEOPLE:
        shutil.rmtree(home(name), ignore_errors=True)
        os.makedirs(home(name))
        os.chmod(home(name), 0o700)
        os.chown(home(name), *[pwd.getpwnam(name).pw_uid] * 2)


def start(conf=None, aliases='', **more):
    """A private system whose users have homes; deliver and a request."""
    p = Postern(dict({'users': None, 'mailbox': 'maildir:~/Maildir'},
                     **(conf or {})), users=(), aliases=aliases)
    if not box.isolated():
        raise tap.Skip('needs root and a mount namespace')
    make_homes()
    d = Deliver(p, **more)
    return p, d, d.requests()


def forward(text, name='alice', mode=0o644, owner=None):
    """~/.forward whole, under a new inode, as an editor does it."""
    path = home(name, '.forward')
    with open(path + '.new', 'w') as f:
        f.write(text)
    os.chmod(path + '.new', mode)
    uid = pwd.getpwnam(owner or name).pw_uid
    os.chown(path + '.new', uid, uid)
    os.rename(path + '.new', path)
    return path


def unforward(name='alice'):
    os.unlink(home(name, '.forward'))


def count(name='alice', where='Maildir'):
    try:
        return len(os.listdir(home(name, where, 'new')))
    except FileNotFoundError:
        return 0


def empty():
    for name in PEOPLE:
        shutil.rmtree(home(name, 'Maildir'), ignore_errors=True)


def got():
    """Who got how many."""
    return {n: count(n) for n in PEOPLE if count(n)}


# --- what it may say ----------------------------------------------------------

FORMS = {
    # text: (who gets it here, addresses elsewhere)
    'bob\n': ('bob', []),
    'bob@here.example\n': ('bob', []),
    'bob, carol': ('bob carol', []),
    '\\alice\nbob\n': ('alice bob', []),
    '"\\alice", bob': ('alice bob', []),
    'alice, bob': ('alice bob', []),
    'ALICE@here.example bob' .replace(' ', '\n'): ('alice bob', []),
    'alice+tag': ('alice', []),
    '# comment\n\n  bob # and another\n': ('bob', []),
    '': ('alice', []),
    '# nothing but a comment\n\n': ('alice', []),
    'a@away.example': ('', ['a@away.example']),
    'a@away.example, \\alice, b@far.example':
        ('alice', ['a@away.example', 'b@far.example']),
    '"odd one"@away.example': ('', ['"odd one"@away.example']),
    'bob\r\ncarol\r\n': ('bob carol', []),
    '~/Maildir/': ('alice', []),
    './Maildir/': ('alice', []),
    'Maildir/': ('alice', []),
    'root': ('', []),
}



def forms():
    p, d, r = start()
    for text, (here, elsewhere) in FORMS.items():
        empty()
        forward(text)
        fate, status, why = r.lookup('alice')
        assert fate == ('F' if elsewhere else 'D'), (text, fate, why,
                                                     p.logged()[-500:])
        flags = 0
        if elsewhere:
            assert r.forwards == (bool(here), [(a, '') for a in elsewhere]), \
                (text, r.forwards)
            if not here:
                continue
            flags = forwarded(r.list)
        r.rcpt('alice', flags=flags)
        assert r.store(b'Subject: x\n\nx\n')[0][0] == 'D', text
        assert got() == {n: 1 for n in here.split()}, (text, got())
    assert len(p.messages('root')) == 1



def paths():
    """Mailboxes of his own, made if need be, as the user."""
    p, d, r = start()
    os.mkdir(home('alice', 'lists'), 0o700)
    os.chown(home('alice', 'lists'), *[pwd.getpwnam('alice').pw_uid] * 2)
    forward('%s/one/\n~/lists/two/, lists/three/\n"./lists/mbox"\nlists/m2\n'
            % home('alice'))
    for _ in range(2):
        assert r.deliver(['alice'], b'Subject: x\n\nx\n') == 'D', p.logged()
    assert got() == {}, 'no copy in the usual mailbox'
    for where in 'one', 'lists/two', 'lists/three':
        assert count('alice', where) == 2, where
        assert os.stat(home('alice', where)).st_uid == \
            pwd.getpwnam('alice').pw_uid
    for where in 'mbox', 'm2':
        with open(home('alice', 'lists', where)) as f:
            assert f.read().count('\nDelivered-To: alice@') == 2


def kept_in_any_mailbox():
    """\\name is wherever mail for him is kept otherwise."""
    p, d, r = start({'mailbox': 'mbox:~/box'})
    forward('\\alice, bob')
    assert r.deliver(['alice']) == 'D'
    for name in 'alice', 'bob':
        assert os.path.getsize(home(name, 'box')) > 0


def everybodys_own():
    """Each .forward on the way is followed; an alias before it."""
    p, d, r = start(aliases='team: alice, bob\nbob: bob, root\nx: \\alice\n')
    forward('carol', 'alice')
    forward('alice, \\bob', 'bob')
    assert r.deliver(['team']) == 'D'
    assert got() == {'carol': 1, 'bob': 1}, got()
    assert len(p.take('root')) == 1
    assert r.deliver(['x']) == 'D' and count('alice') == 1, 'as the alias says'
    forward('x@away.example', 'carol')
    assert r.lookup('team')[0] == 'F'
    assert r.forwards == (True, [('x@away.example', '')])


# --- what is wrong --------------------------------------------------------------

FAULTS = {
    'include': ':include:/etc/passwd',
    'command': '"|/bin/true"',
    'outside': '/etc/passwd',
    'outside, a Maildir': '/tmp/x/',
    'dots': '~/../bob/Maildir/',
    'dots in the middle': 'lists/../../bob/Maildir/',
    'home itself': '~/',
    'like the home': lambda: home('alice') + 'x/Maildir/',
    'home of another': '~bob/Maildir/',
    'no user': 'nobody-here',
    'no user beside one': 'bob, nobody-here',
    'final no user': '\\nobody-here',
    'no address': 'a@@away.example',
    'no quote': '"bob',
    'blanks': 'bob carol',
    'control': 'bob\x01',
    'NUL': 'bob\0',
    'too many': '\n'.join('u%d@away.example' % i for i in range(101)),
    'too large': '# ' + 'x' * 65536 + '\nbob\n',
    'long': 'x' * 600,
}


def faults():
    """Put off with a word for the log, and kept nowhere in the meantime."""
    p, d, r = start()
    for name, text in FAULTS.items():
        forward(text() if callable(text) else text)
        at = len(p.logged())
        fate, status, why = r.lookup('alice')
        assert fate == 'L' and status in ('4.3.5', '4.4.6'), \
            (name, fate, status, why)
        assert 'event=forward' in p.logged()[at:] or \
            'event=alias' in p.logged()[at:], name
        assert r.deliver(['alice', 'bob']) == 'LL', name
    assert got() == {}, got()
    forward('bob')
    assert r.deliver(['alice']) == 'D' and got() == {'bob': 1}


def largest():
    p, d, r = start()
    forward('# ' + 'x' * (65536 - 8) + '\nbob\n\n')
    assert os.path.getsize(home('alice', '.forward')) == 65536
    assert r.deliver(['alice']) == 'D' and got() == {'bob': 1}
    forward(', '.join('u%d@away.example' % i for i in range(99)) + ', bob')
    assert r.fate('alice') == 'F' and len(r.forwards[1]) == 99


def planted(make, clean=None):
    """One deferral; the file that was there before is out of the way."""
    path = home('alice', '.forward')
    if os.path.lexists(path):
        os.unlink(path)
    make(path)


def hostile_files():
    """What is no honest file of his is not read."""
    p, d, r = start()
    uid = pwd.getpwnam('alice').pw_uid
    secret = p.write('secret', 'a@away.example\n')

    def sparse(path):
        with open(path, 'w') as f:
            f.write('bob\n')
            f.truncate(10 << 30)
        os.chown(path, uid, uid)

    def hard(path):
        with open(path, 'w') as f:
            f.write('bob\n')
        os.chown(path, uid, uid)
        os.link(path, home('alice', 'other-name'))

    def inside(path):
        with open(home('alice', 'real'), 'w') as f:
            f.write('bob\n')
        os.symlink('real', path)

    def device(path):
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.chown(path, uid, uid)

    plants = {
        'link out of the home': lambda path: os.symlink(secret, path),
        'link within': inside,
        'dangling link': lambda path: os.symlink('nothing', path),
        'link to itself': lambda path: os.symlink('.forward', path),
        'hard link': hard,
        'fifo': lambda path: (os.mkfifo(path), os.chown(path, uid, uid)),
        'device': device,
        'ten gigabytes of nothing': sparse,
        'of another user': lambda path: forward('bob', owner='bob'),
        'group may write': lambda path: forward('bob', mode=0o664),
        'others may write': lambda path: forward('bob', mode=0o646),
    }
    for name, make in plants.items():
        planted(make)
        at = len(p.logged())
        fate, status, why = r.lookup('alice')
        assert (fate, status) == ('L', '4.3.5'), (name, fate, status, why)
        assert 'event=forward uid=%d' % uid in p.logged()[at:], name
        assert r.deliver(['alice']) == 'L', name
        assert got() == {}, (name, got())
    os.unlink(home('alice', '.forward'))
    os.mkdir(home('alice', '.forward'))
    assert r.lookup('alice')[:2] == ('L', '4.3.5'), 'a directory'
    os.rmdir(home('alice', '.forward'))
    forward('bob', mode=0)
    assert r.lookup('alice')[:2] == ('L', '4.2.0'), 'he cannot read it himself'
    forward('bob')
    for mode in 0o770, 0o707:
        os.chmod(home('alice'), mode)
        assert r.lookup('alice')[:2] == ('L', '4.3.5'), oct(mode)
    os.chmod(home('alice'), 0o755)
    assert r.fate('alice') == 'D'
    forward('bob')
    os.chown(home('alice', '.forward'), 0, 0)
    assert r.deliver(['alice']) == 'D' and got() == {'bob': 1}, 'of root'


def homes_of_others():
    p, d, r = start()
    forward('bob')
    os.chown(home('alice'), 0, 0)
    os.chmod(home('alice'), 0o755)
    assert r.fate('alice') == 'D', 'of root'
    os.chown(home('alice'), 20003, 20003)
    assert r.lookup('alice')[:2] == ('L', '4.3.5'), 'of another user'


def no_home_now():
    """Without a look into it nothing can be decided; unless he has none."""
    p, d, r = start({'mailbox': 'maildir:/boxes/%u'})
    boxes = p._mkdir('boxes', 'alice', 0o1777)
    p.configure({'mailbox': 'maildir:%s/%%u' % boxes})
    assert r.deliver(['alice']) == 'D'
    os.rename(home('alice'), home('alice') + '.away')
    os.utime('/etc/passwd')     # what was found is not remembered
    try:
        assert until(lambda: r.lookup('alice')[:2] == ('L', '4.2.0'))
        assert r.deliver(['alice']) == 'L'
        assert r.deliver(['bob']) == 'D', 'nobody else waits'
    finally:
        os.rename(home('alice') + '.away', home('alice'))
    assert r.deliver(['alice']) == 'D'
    with open('/etc/passwd') as f:
        old = f.read()
    try:
        for none in '/nonexistent', '/dev/null', '/', '':
            with open('/etc/passwd', 'w') as f:
                f.write(old.replace(home_field('alice', old), none))
            assert until(lambda: r.deliver(['alice']) == 'D'), none
    finally:
        with open('/etc/passwd', 'w') as f:
            f.write(old)


def home_field(name, passwd):
    return [line.split(':')[5] for line in passwd.split('\n')
            if line.startswith(name + ':')][0]


# --- loops ----------------------------------------------------------------------

def rings():
    p, d, r = start(aliases='a: alice\nalice: bob\n')
    forward('carol', 'bob')
    forward('bob', 'carol')
    assert r.deliver(['bob']) == 'D' and got() == {'bob': 1}
    empty()
    assert r.deliver(['a']) == 'D' and got() == {'bob': 1}
    empty()
    p.write('aliases', '')
    forward('alice')
    assert r.deliver(['alice']) == 'D' and got() == {'alice': 1}
    empty()
    forward('bob', 'alice')
    forward('carol', 'bob')
    forward('alice', 'carol')
    for name in PEOPLE:
        assert r.deliver([name]) == 'D' and got() == {name: 1}
        empty()


def depth():
    p, d, r = start(aliases=''.join('x%d: x%d\n' % (i, i + 1)
                                    for i in range(1, 10)) + 'x10: bob\n')
    forward('x1')
    fate, status, why = r.lookup('alice')
    assert (fate, status) == ('L', '4.4.6'), (fate, status, why)
    forward('x2')
    assert r.deliver(['alice']) == 'D' and got() == {'bob': 1}


# --- while it runs --------------------------------------------------------------

def changes():
    """What was remembered of a home is not believed when it changed."""
    p, d, r = start()
    assert r.deliver(['alice', 'alice']) == 'DD' and got() == {'alice': 1}
    for _ in range(3):
        empty()
        assert r.deliver(['alice']) == 'D' and got() == {'alice': 1}
        forward('bob')
        first = r.deliver(['alice'])
        assert first in 'LD', first
        assert got() == ({'bob': 1} if first == 'D' else {'alice': 1})
        empty()
        assert r.deliver(['alice']) == 'D', 'looked up anew'
        assert got() == {'bob': 1}, got()
        forward('carol')
        assert r.deliver(['alice']) == 'D'
        assert got() == {'bob': 1, 'carol': 1}, 'a change holds at once'
        unforward()


def a_home_that_hangs():
    """The look is given up; he is left alone for a while, others are not."""
    p, d, r = start()
    forward('carol', 'bob')
    assert r.fate('alice') == 'D'
    looking, = d.homers()
    os.kill(looking, signal.SIGSTOP)
    os.utime('/etc/passwd')
    assert until(lambda: r.lookup('alice')[:2] == ('L', '4.2.0'))
    assert 'the home does not answer' in p.logged()
    q = d.requests()
    assert q.deliver(['bob']) == 'D' and got() == {'carol': 1}
    assert r.fate('alice') == 'L', 'not asked again so soon'
    # the hung one is ended in time, and its place taken again
    assert until(lambda: looking not in d.homers(), 40)


def lost_while_it_looks():
    """A worker that dies costs one answer."""
    p, d, r = start()
    assert r.fate('alice') == 'D'
    pid, = d.homers()
    os.kill(pid, signal.SIGSTOP)
    q = d.requests()
    r.send(b'L0\0bob\0here.example\0\0')
    for _ in range(100):    # the question is with it by now
        q.user(0)
    os.kill(pid, signal.SIGKILL)
    assert r.receive('l')[0] == 'L'
    assert r.fate('bob') == 'D'


def nothing_is_executed():
    """What a .forward says is read by a process that is the user for good, and
    no program is ever started."""
    if subprocess.run(['strace', '-V'], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode:
        raise tap.Skip('no strace')
    p, d, r = start(aliases='prog: "|/bin/true"\n')
    trace = p.path('trace')
    s = subprocess.Popen(
        ['strace', '-f', '-qq', '-o', trace, '-p', str(d.proc.pid), '-e',
         'trace=execve,execveat,openat,setresuid,setresgid,setgroups,capset,'
         'read,pread64'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert until(lambda: tracer(d.proc.pid) == s.pid)
    for text in 'bob', '|/bin/true', '"|/bin/sh -c true"', ':include:/bin/sh':
        forward(text)
        r.fate('alice')
    r.fate('prog')
    unforward()
    assert r.deliver(['alice']) == 'D'
    s.send_signal(signal.SIGINT)
    s.wait()
    with open(trace) as f:
        lines = [line.split(None, 1) for line in f]
    assert not [x for _, x in lines if x.startswith('exec')]
    readers = {pid for pid, x in lines
               if x.startswith('openat') and '".forward"' in x}
    assert readers
    for pid in readers:
        calls = [x.split('(')[0] for n, x in lines if n == pid]
        at = min(i for i, (n, x) in enumerate(
            [y for y in lines if y[0] == pid]) if '".forward"' in x)
        before = [x for n, x in lines if n == pid][:at]
        for call in ('setgroups(0', 'setresgid(20001, 20001, 20001) ',
                     'setresuid(20001, 20001, 20001) ', 'capset('):
            assert any(x.startswith(call) for x in before), (call, before)
        assert 'pread64' in calls[at:]


def tracer(pid):
    with open('/proc/%d/status' % pid) as f:
        return int(re.search(r'TracerPid:\t(\d+)', f.read())[1])


def one_call_more():
    """A user without the file costs one system call, and no process."""
    if subprocess.run(['strace', '-V'], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode:
        raise tap.Skip('no strace')
    counts = []
    for mode in 'on', 'off':
        p, d, r = start({'forward': mode})
        assert r.deliver(['alice']) == 'D'
        pid, = d.workers(True)
        trace = p.path('trace')
        s = subprocess.Popen(['strace', '-qq', '-o', trace, '-p', str(pid)],
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        assert until(lambda: tracer(pid) == s.pid)
        assert r.deliver(['alice']) == 'D'
        s.send_signal(signal.SIGINT)
        s.wait()
        with open(trace) as f:
            counts.append([line.split('(')[0] for line in f])
        # the tracer comes and goes in the middle of these
        counts[-1] = [c for c in counts[-1]
                      if c not in ('recvmsg', 'close', 'restart_syscall')]
    with_it, without = map(collections.Counter, counts)
    more, less = with_it - without, without - with_it
    assert not less and sum(more.values()) == 1, (more, less)
    assert set(more) <= {'newfstatat', 'lstat', 'lstat64', 'fstatat64'}, more


def switched_off():
    p, d, r = start({'forward': 'off'})
    forward('bob')
    assert r.deliver(['alice']) == 'D' and got() == {'alice': 1}
    p.configure({'forward': 'on'})
    assert r.deliver(['alice']) == 'D' and got() == {'alice': 1, 'bob': 1}
    p.configure({'forward': 'yes'})
    assert r.fate('alice') in 'DL' and 'on or off' in p.logged()


def users_of_a_file():
    """The directory that holds his mailbox, if it is his."""
    p = Postern(users=PEOPLE)
    if not p.multi:
        raise tap.Skip('needs root and a mount namespace')
    r = Deliver(p).requests()

    def put(name, text, owner):
        path = p.path('home', name, '.forward')
        with open(path, 'w') as f:
            f.write(text)
        p.own(path, owner)

    put('alice', 'bob\n', 'alice')
    assert r.deliver(['alice']) == 'D'
    assert len(p.take('bob')) == 1 and not p.take('alice')
    put('carol', 'bob\n', 'carol')
    os.chown(p.path('home', 'carol'), 0, 0)
    assert r.deliver(['carol']) == 'D', 'a directory of root is no home'
    assert len(p.take('carol')) == 1 and not p.take('bob')
    assert r.deliver(['carol']) == 'D'
    put('alice', '|x\n', 'alice')
    assert r.deliver(['alice']) == 'L'


def an_ordinary_users_own():
    """deliver without any right follows his own file, as everything else."""
    p = Postern({'users': None, 'mailbox': 'maildir:~/Maildir'}, users=(),
                user='alice')
    if not box.isolated():
        raise tap.Skip('needs root and a mount namespace')
    make_homes()
    r = Deliver(p).requests()
    assert r.deliver(['alice']) == 'D' and got() == {'alice': 1}
    forward('\\alice, a@away.example')
    assert until(lambda: r.fate('alice') == 'F')
    forward('lists/')
    assert r.deliver(['alice']) == 'D' and count('alice', 'lists') == 1


# --- with smtpd and the queue -----------------------------------------------------

def whole_way():
    """A copy here, the rest in the queue, and a word in it that stops a loop
    over hosts of others."""
    p, d, r = start({'srs': 'off'})
    forward('\\alice, a@away.example')
    p.start()

    def send(to=('alice@here.example',), content=b'Subject: x\r\n\r\nx\r\n',
             helo='client.example', local=False):
        c = p.local_client() if local else p.client()
        c.hello(helo)
        return c.mail(to, content=content)

    assert send()[0] == 250
    q, = qfile.take(p)
    assert {x.address: x.status for x in q.rcpts} == {
        'alice@here.example': 'D', 'a@away.example': 'N'}
    assert q.content.startswith(b'Delivered-To: alice@here.example\n'
                                b'Received: '), q.content
    assert got() == {'alice': 1}
    back = q.content.replace(b'\n', b'\r\n')
    forward('a@away.example')
    for to in 'alice@here.example', 'ALICE@here.example':
        code, text = send((to,), back)
        assert code == 554 and text[0].startswith('5.4.6'), (code, text)
    # another address of his is not the same one
    assert send(('alice+x@here.example',), back)[0] == 250
    q, = qfile.take(p)
    assert q.content.count(b'Delivered-To: ') == 2
    # others of the same message are told nothing
    assert send(('alice@here.example', 'bob@here.example'))[0] == 250
    q, = qfile.take(p)
    assert b'Delivered-To' not in q.content
    # as an alias does: a foreign sender is rewritten
    p.configure({'srs': 'on'})
    forward('a@away.example')
    assert send()[0] == 250
    q, = qfile.take(p)
    assert q.sender.startswith('SRS0='), q.sender
    # the queue brings what has been here before
    assert send(content=back, helo='queue.localhost', local=True
                )[0] == 250
    assert qfile.take(p)


# --- from the command line --------------------------------------------------------

def mda(p, name, text=b'Subject: x\n\nx\n'):
    return subprocess.run([p.deliver, '-C', p.conf, '-f', 'a@away.example',
                           name], input=text, stderr=subprocess.PIPE)


def command_line():
    p, d, r = start()
    forward('bob, \\alice')
    done = mda(p, 'alice')
    assert done.returncode == 0, done
    assert got() == {'alice': 1, 'bob': 1}
    forward('|x')
    done = mda(p, 'alice')
    assert done.returncode == 75 and b'4.3.5' in done.stderr, done
    assert got() == {'alice': 1, 'bob': 1}


HELPERS = ('make_homes', 'start', 'unforward', 'count', 'empty', 'got')
for name, test in list(globals().items()):
    if callable(test) and getattr(test, '__module__', '') == '__main__' and \
            test.__code__.co_argcount == 0 and name not in HELPERS:
        t.run(name.replace('_', ' '), test)
t.done()
