#!/usr/bin/python3
"""deliver: whose mail goes where, with which owner, and who may ask."""
import os
import re
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from postern import HOST, Postern, until
from request import LOCAL, FORWARDED, Deliver, Ended, Requests, forwarded, \
    record

t = tap.Tap()


def need_root():
    if not box.isolated():
        raise tap.Skip('needs root and a mount namespace')


def start(conf=None, **more):
    p = Postern(conf, **more)
    d = Deliver(p)
    return p, d, d.requests()


def on_system(conf=None, **more):
    """Users of the (private) system; their mail goes where the test looks."""
    need_root()
    p = Postern(dict({'users': None}, **(conf or {})), **more)
    p.configure({'mailbox': 'maildir:%s/%%u/Maildir' % p.path('home')})
    return p


def start_on_system(conf=None, **more):
    p = on_system(conf, **more)
    d = Deliver(p)
    return p, d, d.requests()


# --- delivery ---------------------------------------------------------------

def two_users():
    p, d, r = start_on_system()
    text = b'Subject: two\n\n' + b'x' * 5000 + b'\n'
    assert r.deliver(['alice', 'bob'], text) == 'DD'
    for name in 'alice', 'bob':
        path, = p.names(name)
        st = os.stat(path)
        assert (st.st_uid, st.st_gid) == (p.uid(name),) * 2, st
        assert stat.S_IMODE(st.st_mode) == 0o600, oct(st.st_mode)
        with open(path, 'rb') as f:
            assert f.read() == (b'Return-Path: <a@away.example>\n'
                                b'Delivered-To: %s@here.example\n%s'
                                % (name.encode(), text))
        m = re.fullmatch(r'\d{10,}\.M\d{6}P\d+Q\d+_[0-9a-f]{16}\.%s,S=(\d+)'
                         % re.escape(HOST), os.path.basename(path))
        assert m and int(m[1]) == st.st_size, path
    assert 'event=delivered user=alice mailbox=maildir' in p.logged()


def made_if_missing():
    p = on_system(users=())
    os.makedirs(p.path('home', 'carol'))
    p.own(p.path('home', 'carol'), 'carol')
    r = Deliver(p).requests()
    assert r.deliver(['carol']) == 'D'
    for name in '', 'cur', 'new', 'tmp':
        st = os.stat(os.path.join(p.mailbox('carol'), name))
        assert st.st_uid == p.uid('carol'), name
        assert stat.S_IMODE(st.st_mode) == 0o700, (name, oct(st.st_mode))


def sizes():
    p, d, r = start()
    for n in 0, 1, 4095, 65536, 262144 - 60, 262144, 3 * 262144 + 7:
        text = os.urandom(n)
        assert r.deliver(['alice'], text) == 'D', n
        got, = p.take()
        assert got.split(b'Delivered-To: alice@here.example\n', 1)[1] == text


def one_copy():
    p, d, r = start(aliases='both: alice, bob\nmore: both, alice\n')
    assert r.deliver(['alice', 'ALICE', 'both', 'more', 'alice+tag']) == 'DDDDD'
    assert len(p.messages('alice')) == 1 and len(p.messages('bob')) == 1
    assert b'\nDelivered-To: alice@here.example\n' in p.messages('alice')[0]


def null_sender():
    p, d, r = start()
    assert r.deliver(['alice'], sender='') == 'D'
    assert p.messages()[0].startswith(b'Return-Path: <>\nDelivered-To: ')


def homes():
    """The default mailbox, ~/Maildir."""
    import pwd
    p = on_system()
    p.configure({'mailbox': None})
    home = pwd.getpwnam('carol').pw_dir
    os.makedirs(home, exist_ok=True)
    os.chown(home, 20003, 20003)
    os.chmod(home, 0o700)
    assert Deliver(p).requests().deliver(['carol']) == 'D', p.logged()
    name, = os.listdir(home + '/Maildir/new')
    assert os.stat(home + '/Maildir/new/' + name).st_uid == 20003


def many_recipients():
    p, d, r = start()
    assert r.deliver(['alice+%d' % i for i in range(1000)]) == 'D' * 1000
    assert r.deliver(['alice', 'bob']) == 'DD', 'the connection goes on'
    assert len(p.messages()) == 2


def all_or_none():
    p, d, r = start(aliases='away: a@away.example\nlater: "|/bin/true"\n')
    for other, fates in ('away', 'LFL'), ('later', 'LLL'):
        assert r.deliver(['alice', other, 'bob']) == fates
    assert not p.messages('alice') and not p.messages('bob')
    assert r.deliver(['alice', 'nobody-here', 'bob']) == 'DND'
    assert len(p.messages('alice')) == 1 and len(p.messages('bob')) == 1
    assert not p.rubbish()


# --- names ------------------------------------------------------------------

ALIASES = r'''
# names and targets in all their forms
postmaster:  alice
list:        alice,
             bob
nested:      list, carol
Mixed:       Alice
quoted:      "alice", bob
"two words": alice
final:       \alice
alice2:      "\alice"
away:        somebody@away.example, alice
here:        bob@here.example
tagged:      bob+x
command:     alice, "|/bin/sh -c true"
file:        /tmp/mail
badname:     alice, @nowhere
ghost:       nobody-here
half:        nobody-here, alice
ring1:       ring2
ring2:       ring1
bob:         bob, alice
wide:        w1, w2
w1:          alice
w2:          bob
root:        carol
owner-news:  bob
news:        alice
included:    :include:%(dir)s/members
notmine:     :include:%(dir)s/others
missing:     :include:%(dir)s/nothing
daemonuser:  daemon
no colon here
'''

# local part: (fate, whose mailboxes)
NAMES = {
    'alice': ('D', 'alice'), 'ALICE': ('D', 'alice'),
    'bob': ('D', 'alice bob'),              # an alias that keeps a copy
    'carol': ('D', 'carol'),
    'alice+tag': ('D', 'alice'), 'alice+': ('D', 'alice'),
    '+tag': ('N', ''), '': ('N', ''), '*': ('N', ''),
    'nobody-here': ('N', ''), 'nobody+tag': ('N', ''),
    'postmaster': ('D', 'alice'), 'PostMaster': ('D', 'alice'),
    'postmaster+x': ('D', 'alice'),
    'root': ('D', 'carol'), 'Root': ('D', 'carol'),
    'list': ('D', 'alice bob'), 'LIST+x': ('D', 'alice bob'),
    'nested': ('D', 'alice bob carol'),
    'mixed': ('D', 'alice'), 'quoted': ('D', 'alice bob'),
    'two words': ('D', 'alice'),
    'final': ('D', 'alice'), 'alice2': ('D', 'alice'),
    'away': ('F', ''), 'here': ('D', 'alice bob'),
    'tagged': ('D', 'alice bob'),
    'command': ('L', ''), 'file': ('L', ''), 'badname': ('L', ''),
    'ghost': ('N', ''), 'half': ('D', 'alice'),
    'ring1': ('L', ''), 'ring2': ('L', ''),
    'wide': ('D', 'alice bob'), 'news': ('D', 'alice'),
    'included': ('D', 'alice carol'),
    'notmine': ('L', ''), 'missing': ('L', ''),
    'daemonuser': ('N', ''), 'no': ('N', ''),
    'a/b': ('N', ''), '../alice': ('N', ''), '-alice': ('N', ''),
    'alice:x': ('N', ''), 'alice;id': ('N', ''), '$(id)': ('N', ''),
}


def alias_names(p):
    p.write('aliases', ALIASES % {'dir': p.dir})
    p.write('members', '# a list\nalice, carol\n')
    p.write('others', 'alice\n')
    os.chmod(p.path('others'), 0o666)
    r = Deliver(p).requests()
    for name, (fate, boxes) in NAMES.items():
        got = r.lookup(name)
        assert got[0] == fate, (name, got, p.logged()[-500:])
        assert r.deliver([name]) == fate, name
        stored = [u for u in ('alice', 'bob', 'carol') if p.take(u)]
        assert ' '.join(stored) == boxes, (name, stored)
    assert r.lookup('nobody-here')[1] == '5.1.1'
    assert r.lookup('ring1')[1] == '4.4.6'
    assert not p.rubbish()
    return p


def forwards():
    """Where else an alias leads is told with L; whoever queues for that says
    so with R, and gets the mailboxes served."""
    p = Postern(aliases='gone: a@away.example\nboth: alice, a@Away.Example, '
                '"b b"@c.example, a@away.example\nlist: bob, x@away.example, '
                'both\nowner-list: carol\nmany: %s\n' % ', '.join(
                    'm%02d@away.example' % i for i in range(100)))
    r = Deliver(p).requests()
    assert r.fate('alice') == 'D' and r.forwards is None
    assert r.fate('gone') == 'F'
    assert r.forwards == (False, [('a@away.example', '')]), r.forwards
    assert r.deliver(['gone'], flags=forwarded(r.list)) == 'F'
    assert r.fate('many') == 'F' and len(r.forwards[1]) == 100
    assert r.fate('list') == 'F'
    assert r.forwards == (True, [
        (a, 'owner-list@here.example') for a in (
            'x@away.example', 'a@away.example', '"b b"@c.example')])
    assert r.fate('both') == 'F'
    assert r.forwards == (True, [('a@away.example', ''),
                                 ('"b b"@c.example', '')]), r.forwards
    assert r.deliver(['both']) == 'F' and not p.messages()
    flags = forwarded(r.list)
    for wrong in flags ^ 256, flags & 255, flags & ~FORWARDED:
        assert r.deliver(['both'], flags=wrong) == 'F' and not p.messages()
    assert r.deliver(['both'], flags=flags) == 'D' and len(p.take()) == 1
    r.rcpt('both', flags=flags)
    r.rcpt('bob')
    assert [v[0] for v in r.store(b'x\n', n=2)] == ['D', 'D']
    assert len(p.take()) == len(p.take('bob')) == 1
    # he who was not told of the newest one has not queued for it
    p.write('aliases', 'both: alice, a@away.example, new@away.example\n')
    assert r.deliver(['both'], flags=flags) == 'F' and not p.messages()
    # those who are no alias any more, or never were, are users
    p.write('aliases', 'both: alice\n')
    assert r.deliver(['both'], flags=flags) == 'D' and len(p.take()) == 1


def aliases_of_the_system():
    alias_names(on_system())


def aliases_with_users_file():
    alias_names(Postern())


def aliases_change():
    p, d, r = start()
    assert r.fate('sales') == 'N'
    p.write('aliases', 'sales: alice\n')
    assert r.fate('sales') == 'D'
    assert r.fate('sales') == 'D', 'and from the memory'
    p.write('aliases', 'sales: a@away.example\n')
    assert r.fate('sales') == 'F'
    os.unlink(p.path('aliases'))
    assert r.fate('sales') == 'N', 'no file is an empty one'
    os.mkdir(p.path('aliases'))
    assert r.lookup('alice')[:2] == ('L', '4.3.5'), 'unreadable: later'


def alias_limits():
    chain = ''.join('c%d: c%d\n' % (i, i + 1) for i in range(1, 12))
    p, d, r = start(aliases=chain + 'c12: alice\n' +
                    'hundred: ' + ', '.join(['alice'] * 100) + '\n' +
                    'more: ' + ', '.join(['alice'] * 101) + '\n')
    assert r.fate('c3') == 'D', '10 aliases deep'
    assert r.lookup('c2')[:2] == ('L', '4.4.6'), '11 aliases deep'
    assert r.fate('hundred') == 'D'
    assert r.lookup('more')[:2] == ('L', '4.4.6')


def include_again():
    p, d, r = start()
    p.write('aliases', 'l: :include:%s\n' % p.path('members'))
    p.write('members', 'alice\n')
    assert r.deliver(['l']) == 'D' and p.take('alice')
    p.write('members', 'bob\n')
    assert r.deliver(['l']) == 'D' and p.take('bob') and not p.take('alice')
    p.write('members', ':include:%s\n' % p.path('members'))
    assert r.fate('l') == 'L', 'a file that includes itself'
    os.unlink(p.path('members'))
    os.mkfifo(p.path('members'))
    assert r.fate('l') == 'L', 'a fifo does not hold anybody up'


def catch_all():
    p, d, r = start(aliases='*: carol\nbob: \\bob\n')
    assert r.deliver(['anything', 'alice', 'bob']) == 'DDD'
    assert [len(p.messages(u)) for u in ('alice', 'bob', 'carol')] == [1, 1, 1]


def list_owner():
    p, d, r = start(aliases='owner-news: bob\nnews: alice\n'
                    'owner-outer: bob\nouter: news, carol\n')
    assert r.deliver(['news']) == 'D'
    assert p.take()[0].startswith(b'Return-Path: <owner-news@here.example>\n')
    assert r.deliver(['news'], sender='') == 'D'
    assert p.take()[0].startswith(b'Return-Path: <>\n'), 'a bounce stays one'
    assert r.deliver(['outer']) == 'D'
    assert p.take('alice')[0].startswith(b'Return-Path: <owner-news@')
    assert p.take('carol')[0].startswith(b'Return-Path: <owner-outer@')


# --- accounts of the system -------------------------------------------------

def system_users():
    p, d, r = start_on_system()
    for name in 'daemon', 'www-data', 'nobody', 'bin', 'uucp':
        assert r.lookup(name)[:2] == ('N', '5.1.1'), name
        assert r.fate(name, flags=LOCAL) == 'D', name
    assert r.fate('nobody-here', flags=LOCAL) == 'N'
    assert r.fate('daemonish') == 'D', 'a person may have no login shell'
    assert r.deliver(['www-data'], flags=LOCAL) == 'D'
    path, = p.names('root')
    assert os.stat(path).st_uid == p.uid('_postern-deliver')
    p.take('root')
    p.write('aliases', 'daemon: bob\nroot: carol\n')
    assert r.deliver(['daemon']) == 'D' and p.take('bob')
    assert r.deliver(['www-data'], flags=LOCAL) == 'D' and p.take('carol')
    assert r.deliver(['root']) == 'D' and p.take('carol')
    assert not p.messages('root')


def system_users_beside_a_file():
    need_root()
    p, d, r = start()
    assert r.fate('daemonish') == 'N', 'not in the file'
    assert r.fate('daemonish', flags=LOCAL) == 'N'
    assert r.fate('www-data') == 'N'
    assert r.deliver(['www-data'], flags=LOCAL) == 'D' and p.take('root')


def root_by_itself():
    p, d, r = start()
    assert r.deliver(['root', 'postmaster', 'root+x']) == 'DDD'
    assert len(p.messages('root')) == 1


def minimum_uid():
    p, d, r = start_on_system({'minimum-uid': '20002'})
    assert r.fate('alice') == 'N' and r.fate('bob') == 'D'
    p, d, r = start({'minimum-uid': '20002'})
    assert r.fate('alice') == 'L', 'in the users file: a mistake to mend'
    assert r.deliver(['bob']) == 'D'


def names_of_uids():
    p, d, r = start()
    assert r.user(0) == 'root'
    assert r.user(3999999999) == ''
    if box.isolated():
        assert r.user(20001) == 'alice'


def broken_user_database():
    """One that cannot be read is not one without users."""
    p, d, r = start_on_system()
    assert r.fate('alice') == 'D' and r.fate('nobody-here') == 'N'
    os.chmod('/etc/passwd', 0o600)      # the private one
    try:
        for name in 'alice', 'bob', 'nobody-here':
            assert r.fate(name) == 'L', name
        assert r.user(20001) == ''
    finally:
        os.chmod('/etc/passwd', 0o644)
    assert r.fate('bob') == 'D' and r.fate('nobody-here') == 'N'


# --- the users file ---------------------------------------------------------

def users_file_paths():
    p = Postern()
    d = Deliver(p)
    r = d.requests()
    home = p.path('home')
    os.symlink(p.path('home', 'alice'), p.path('home', 'link'))
    p._mkdir('home/open', 'alice', 0o777)
    p._mkdir('home/open/box', 'alice', 0o700)
    p._mkdir('home/group', 'alice', 0o775)
    p._mkdir('home/group/box', 'alice', 0o700)
    p._mkdir('home/alice/wide', 'alice', 0o707)
    os.symlink(p.mailbox('alice'), p.path('home', 'alice', 'link'))
    p._mkdir('home/sticky', 'alice', 0o1777)
    p._mkdir('home/sticky/box', 'alice', 0o700)
    lines = {
        'good': (home + '/alice/Maildir', 'D'),
        'slashes': (home + '//alice/Maildir/', 'D'),
        'link': (home + '/link/Maildir', 'L'),
        'lastlink': (home + '/alice/link', 'L'),
        'open': (home + '/open/box', 'L'),
        'group': (home + '/group/box', 'L'),
        'wide': (home + '/alice/wide', 'L'),
        'sticky': (home + '/sticky/box', 'L'),
        'dots': (home + '/bob/../alice/Maildir', 'L'),
        'dot': (home + '/./alice/Maildir', 'L'),
        'relative': ('home/alice/Maildir', 'L'),
        'missing': (home + '/alice/nothing', 'L'),
        'nopath': ('', 'L'),
        'file': (p.path('users'), 'L'),
        'slash': ('/', 'L'),
        'etc': ('/etc', 'L'),
    }
    if p.multi:     # bob's directory in alice's, and root's
        p._mkdir('home/alice/bobs', 'bob', 0o700)
        lines['mixed'] = (home + '/alice/bobs', 'L')
    p.write('users', '# comment\n\n' + ''.join(
        '%s\t%s\n' % (n, path) for n, (path, _) in lines.items()))
    for name, (path, fate) in lines.items():
        got = r.lookup(name)
        assert got[0] == fate, (name, got, p.logged()[-600:])
        assert r.deliver([name]) == fate, name
        assert len(p.take()) == (fate == 'D'), name
    assert r.fate('alice') == 'N', 'the new file is in force'


def users_file_behind_closed_doors():
    """A mailbox below a home that only its owner may enter."""
    need_root()
    p = Postern()
    os.chmod(p.path('home', 'alice'), 0o700)
    r = Deliver(p).requests()
    assert r.deliver(['alice']) == 'D', p.logged()
    path, = p.names()
    assert os.stat(path).st_uid == p.uid('alice')
    # what deliver cannot see in advance, the worker checks as the user
    os.rename(p.mailbox(), p.path('home', 'alice', 'real'))
    os.symlink('real', p.mailbox())
    assert r.deliver(['alice']) == 'L'
    assert len(os.listdir(p.path('home', 'alice', 'real', 'new'))) == 1


def users_file_gone():
    p, d, r = start()
    os.unlink(p.path('users'))
    assert r.fate('alice') == 'L', 'nobody is unknown without the file'
    assert r.fate('root') == 'D'


def exact_case_first():
    p = Postern()
    p.write('users', 'ALICE %s\nalice %s\n' % (p.mailbox('bob'), p.mailbox()))
    r = Deliver(p).requests()
    assert r.deliver(['alice']) == 'D' and p.take('alice')
    assert r.deliver(['ALICE']) == 'D' and p.take('bob')


# --- who asks, and how ------------------------------------------------------

def hostile():
    """Each ends its own connection, and no other."""
    p, d, good = start()
    assert good.fate('alice') == 'D'
    spool = good.message(b'x\n')
    fd = spool.fileno()
    pipe = os.pipe()
    readonly = os.open(p.conf, os.O_RDONLY)
    writeonly = os.open(p.path('w'), os.O_WRONLY | os.O_CREAT)
    os.write(writeonly, b'x\n')
    R = (record('R', '0', 'alice', 'here.example', 'alice@here.example'),)
    S = record('S', '0', '2', 'a@b')
    long = 'x' * 65
    cases = {
        'an unknown letter': [(b'Z',)],
        'nothing but a letter': [(b'L',)],
        'no NUL at the end': [(b'L0\0alice\0here.example',)],
        'a field too few': [(record('L', '0', 'alice'),)],
        'a field too many': [(record('L', '0', 'a', 'b', 'c', 'd'),)],
        'octets behind the last field': [(record('U', '1') + b'x',)],
        'too long': [(record('L', '0', 'x' * 4000, '', 'a@b'),)],
        'a local part too long': [(record('L', '0', long, '', 'a@b'),)],
        'a domain too long': [(record('L', '0', 'a', 'x' * 256, 'a@b'),)],
        'a line end in a local part': [(record('L', '0', 'a\nb', '', 'a@b'),)],
        'a slash in a domain': [(record('L', '0', 'a', '../x', 'a@b'),)],
        'a line end in an address': [
            (record('R', '0', 'alice', '', 'alice\nX: y'),)],
        'a line end in a sender': [R, (record('S', '0', '2', 'a\nX: y'), fd)],
        'a line end in a reverse-path': [(record('L', '0', 'a', '', 'a\n'),)],
        'a reverse-path too long': [(record('L', '0', 'a', '', 'x' * 400),)],
        'flags that are none': [(record('L', '9', 'alice', '', 'a@b'),)],
        'flags of R': [(record('L', '4', 'alice', '', 'a@b'),)],
        'flags of L': [(record('R', '2', 'alice', '', 'a@b'),)],
        'flags beyond': [(record('R', str(1 << 32), 'alice', '', 'a@b'),)],
        'flags that are no number': [(record('L', '-1', 'alice', '', 'a@b'),)],
        'a uid that is none': [(record('U', '99999999999'),)],
        'S before R': [(S, fd)],
        'L after R': [R, (record('L', '0', 'alice', '', 'a@b'),)],
        'U after R': [R, (record('U', '1'),)],
        'S without a descriptor': [R, (S,)],
        'S with two': [R, (S, fd, fd)],
        'L with one': [(record('L', '0', 'alice', '', 'a@b'), fd)],
        'R with one': [(R[0][0:], fd)],
        'a pipe': [R, (S, pipe[0])],
        'a directory': [R, (S, os.open('/', os.O_RDONLY))],
        'a device': [R, (record('S', '0', '0', ''), os.open('/dev/null',
                                                       os.O_RDONLY))],
        'a size too big': [R, (record('S', '0', '3', ''), fd)],
        'a size too small': [R, (record('S', '0', '1', ''), fd)],
        'a negative size': [R, (record('S', '0', '-2', ''), fd)],
        'a start behind the end': [R, (record('S', '3', '0', ''), fd)],
        'a part that is not there': [R, (record('S', '1', '2', ''), fd)],
        'a sum that overflows': [
            R, (record('S', '9223372036854775807', '2', ''), fd)],
        'a negative start': [R, (record('S', '-1', '1', ''), fd)],
        'a descriptor not to be read': [R, (S, writeonly)],
    }
    if os.geteuid() == 0:
        theirs = good.message(b'x\n')
        os.fchown(theirs.fileno(), 20001, 20001)
        cases["another user's file"] = [R, (S, theirs.fileno())]
    for name, sends in cases.items():
        bad = d.requests()
        try:
            for s in sends:
                bad.send(*s)
            ended = bad.at_end()
        except Ended:
            ended = True
        assert ended, name
        bad.close()
        assert good.fate('bob') == 'D', name
    assert not p.messages(), 'nothing of it was stored'
    assert good.deliver(['alice']) == 'D'
    assert p.logged().count('event=peer-ended') >= len(cases)
    assert 'worker-died' not in p.logged(), p.logged()
    del spool, readonly


def strangers():
    """Neither an ordinary user nor a message of his gets in."""
    need_root()
    p, d, good = start()
    st = os.stat(d.path)
    assert stat.S_IMODE(st.st_mode) == 0o600
    assert st.st_uid == p.uid('_postern')
    os.chmod(d.path, 0o666)
    script = ('import socket,sys; s = socket.socket(socket.AF_UNIX, '
              'socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); '
              's.send(b"U0\\0"); sys.exit(s.recv(99)[:1] == b"u" and 9)')
    for name, welcome in ('alice', False), ('_postern-queue', False), \
            ('_postern', True):
        uid = box.USERS.get(name, (20999,))[0]
        rc = subprocess.run(['/usr/bin/python3', '-c', script, d.path],
                            user=uid, group=uid, extra_groups=[],
                            stderr=subprocess.DEVNULL).returncode
        assert (rc == 9) == welcome, (name, rc)
    assert 'event=peer-refused uid=20001' in p.logged()
    assert good.fate('alice') == 'D'


def owner_of_the_message():
    """smtpd hands over files of its own user."""
    need_root()
    p, d, r = start()
    r.uid = p.uid('_postern')
    assert r.deliver(['alice']) == 'D', 'the peer is root, the file smtpd\'s'


def identities():
    """What the processes may do, as the kernel tells it."""
    p, d, r = start_on_system()
    assert r.deliver(['alice']) == 'D'

    def status(pid):
        with open('/proc/%d/status' % pid) as f:
            return dict(s.rstrip('\n').split(':\t', 1) for s in f
                        if ':\t' in s)
    uid = '\t'.join([str(p.uid('_postern-deliver'))] * 4)
    lookups, stores = d.workers(False), d.workers(True)
    assert len(lookups) == 4 and len(stores) == 1, (lookups, stores)
    for pid in [d.proc.pid] + lookups + stores:
        s = status(pid)
        caps = '0000000000000000' if pid in lookups else '00000000000000c0'
        assert s['Uid'] == uid and s['Gid'] == uid, s
        assert s['Groups'].strip() == '', s['Groups']
        assert s['CapEff'] == s['CapPrm'] == caps, s
        assert s['CapAmb'] == s['CapInh'] == '0000000000000000', s
        assert s['CapBnd'] == '00000000000000c0', s
        assert s['NoNewPrivs'] == '1'
        assert s['Seccomp'] == ('0' if pid in lookups else '2'), s
    for pid in lookups + stores:
        only = {'0', '1', '2', '3'}
        assert until(lambda: set(os.listdir('/proc/%d/fd' % pid)) <= only)


def unprivileged():
    """An ordinary user's deliver serves that user, and nobody else."""
    need_root()
    p = Postern(user='alice')
    d = Deliver(p)
    os.chmod(d.path, 0o600)
    # root may ask, but files are the asker's own
    r = d.requests()
    assert r.deliver(['alice']) == 'D', p.logged()
    os.chown(p.mailbox('bob'), 20002, 20002)
    os.chown(p.path('home', 'bob'), 20002, 20002)
    assert r.fate('bob') == 'L'
    p = on_system(user='alice')
    r = Deliver(p).requests()
    assert r.fate('alice') == 'D' and r.fate('bob') == 'L'


def socket_in_use():
    p, d, r = start()
    second = subprocess.run([p.deliver, '-C', p.conf, '-l',
                             'unix:' + d.path], stderr=subprocess.PIPE)
    assert second.returncode == 71, second
    assert r.fate('alice') == 'D', 'the first goes on'
    d.proc.kill()
    d.proc.wait()
    r = Deliver(p).requests()
    assert r.fate('alice') == 'D', 'what it left behind is replaced'


def on_standard_input():
    """One connection, as a root or an unprivileged smtpd hands it over."""
    import socket
    p = Postern()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    d = p.popen([p.deliver, '-C', p.conf], stdin=theirs)
    theirs.close()
    r = Requests(ours, os.geteuid())
    assert r.deliver(['alice', 'bob']) == 'DD'
    assert r.fate('nobody-here') == 'N'
    r.close()
    assert d.wait(20) == 0


def reach(path):
    try:
        return Requests(path, os.geteuid())
    except OSError:
        return None


def activated():
    """LISTEN_FDS, a broken configuration, and one that is mended."""
    p = Postern()
    with open(p.conf) as f:
        good = f.read()
    p.write('postern.conf', good + 'no-such-key 1\n')
    path = p.path('run', 'deliver')
    d = p.popen(['systemd-socket-activate', '--seqpacket', '-l', path,
                 p.deliver, '-C', p.conf])
    r = until(lambda: reach(path))
    assert r.lookup('alice')[:2] == ('L', '4.3.5')
    assert r.deliver(['alice', 'bob']) == 'LL'
    assert 'no-such-key' in p.logged()
    p.write('postern.conf', good)
    assert r.deliver(['alice', 'bob']) == 'DD', p.logged()
    p.write('postern.conf', good + 'hostname\n')
    assert r.deliver(['alice']) == 'D', 'a bad change keeps the old one'
    p.write('postern.conf', good.replace(HOST, 'other.example'))
    p.take()
    assert r.deliver(['alice']) == 'D'
    assert 'other.example' in p.names()[0], 'a good one is in force'
    r.close()
    assert d.poll() is None


def terminated():
    """SIGTERM: no new connections, those that are there go on."""
    p, d, r = start()
    r.rcpt('alice')
    d.proc.terminate()
    until(lambda: not d.answers())
    assert not d.answers()
    assert [v[0] for v in r.store(b'x\n')] == ['D']
    r.close()
    assert d.proc.wait(20) == 0
    assert len(p.messages()) == 1


HELPERS = ('need_root', 'on_system', 'start_on_system', 'reach')
Postern()      # the first one isolates this process
for name, test in list(globals().items()):
    if callable(test) and getattr(test, '__module__', '') == '__main__' and \
            test.__code__.co_argcount == 0 and name not in HELPERS:
        t.run(name.replace('_', ' '), test)
t.done()
