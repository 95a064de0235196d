#!/usr/bin/python3
"""deliver from the command line: one message, one user, sysexits(3)."""
import os
import pwd
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from postern import Postern

t = tap.Tap()
OK, USAGE, NOUSER, UNAVAILABLE, TEMPFAIL = 0, 64, 67, 69, 75


def run(p, *args, text=b'Subject: x\n\nx\n', conf=True, **more):
    more.setdefault('input', text)
    return subprocess.run([p.deliver] + (['-C', p.conf] if conf else []) +
                          list(args), stderr=subprocess.PIPE,
                          **p.identity(), **more)


def code(p, *args, **more):
    return run(p, *args, **more).returncode


def delivers():
    p = Postern()
    r = run(p, '-f', 'a@away.example', 'alice')
    assert (r.returncode, r.stderr) == (OK, b''), r
    text, = p.take()
    assert text == (b'Return-Path: <a@away.example>\nDelivered-To: alice\n'
                    b'Subject: x\n\nx\n'), text
    assert code(p, '-f', '', 'alice@here.example') == OK
    assert p.take()[0].startswith(b'Return-Path: <>\nDelivered-To: '
                                  b'alice@here.example\n')
    assert code(p, '-f', '<>', 'Alice+tag') == OK
    assert p.take()[0].startswith(b'Return-Path: <>\n')
    if box.isolated():
        st = os.stat(p.mailbox() + '/new')
        assert st.st_uid == p.uid('alice')


def sender_by_default():
    """Whoever calls, at our origin."""
    p = Postern()
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert code(p, 'alice') == OK
    assert p.take()[0].startswith(
        b'Return-Path: <%s@here.example>\n' % name.encode())


def postmark():
    """The line that begins a message in an mbox is not part of it."""
    p = Postern()
    assert code(p, 'alice', text=b'From x Mon Nov 23 21:13:00 2026\n'
                b'Subject: y\n\nFrom z\n') == OK
    assert p.take()[0].endswith(b'Delivered-To: alice\nSubject: y\n\n'
                                b'From z\n')
    # however long it is
    assert code(p, 'alice', text=b'From %s\ny\n' % (b'x' * 200000)) == OK
    assert p.take()[0].endswith(b'Delivered-To: alice\ny\n')
    # also when it comes in pieces, and nothing but it
    for pieces in (('From a', ' b\\n', 'Subject: y\\n\\nz\\n'), ('Fr', 'om b\\n')):
        r = subprocess.run(
            ['sh', '-c', '{ %s } | "$@"' % ''.join(
                "printf '%s'; sleep .1; " % s for s in pieces), 'sh',
             p.deliver, '-C', p.conf, 'alice'], **p.identity())
        assert r.returncode == OK
        assert p.take()[0].endswith(b'Delivered-To: alice\n' + (
            b'Subject: y\n\nz\n' if len(pieces) > 2 else b''))


def exit_codes():
    p = Postern(aliases='away: a@away.example\ncmd: "|/bin/true"\n'
                'all: alice, bob\n')
    assert code(p, 'all') == OK
    assert len(p.take('alice')) == 1 and len(p.take('bob')) == 1
    assert code(p, 'nobody-here') == NOUSER
    assert code(p, 'away') == TEMPFAIL
    assert code(p, 'cmd') == TEMPFAIL
    assert code(p, '') == USAGE
    assert code(p, 'a b') == USAGE
    assert code(p, 'alice\nbob') == USAGE
    assert code(p, '-f', 'not an address', 'alice') == USAGE
    assert code(p, '-f', 'a@b\nX: y', 'alice') == USAGE
    assert code(p, 'alice', 'bob') == USAGE
    assert code(p, '-x') == USAGE
    assert code(p, '-f', 'a@b') == USAGE
    assert code(p) == USAGE
    assert code(p, '-l', 'unix:' + p.path('x'), 'alice') == USAGE
    assert code(p, '-l', '127.0.0.1:25') == USAGE
    assert not p.messages() and not p.rubbish()


def temporary():
    p = Postern()
    os.rename(p.path('home', 'alice'), p.path('home', 'away'))
    r = run(p, 'alice')
    assert r.returncode == TEMPFAIL and b'4.2.0' in r.stderr, r
    os.rename(p.path('home', 'away'), p.path('home', 'alice'))
    with open(p.mailbox() + '/new', 'w'):
        p.own(p.mailbox() + '/new', 'alice')
    assert code(p, 'alice') == TEMPFAIL
    p.write('postern.conf', 'nonsense\n')
    r = run(p, 'bob')
    assert r.returncode == TEMPFAIL and b'postern.conf:1' in r.stderr, r
    r = run(p, '-C', p.path('nothing'), 'bob', conf=False)
    assert r.returncode == TEMPFAIL, 'a broken setup does not bounce mail'


def limits():
    p = Postern({'message-size-limit': '100K'})
    assert code(p, 'alice', text=b'x' * 102400) == OK
    assert code(p, 'alice', text=b'x' * 102401) == UNAVAILABLE
    assert code(p, 'alice', text=b'') == OK
    assert len(p.messages()) == 2


def by_environment():
    p = Postern()
    assert code(p, 'alice', conf=False,
                env={'POSTERN_CONF': p.conf}) == OK


def closed_descriptors():
    p = Postern()
    r = subprocess.run(['/bin/sh', '-c', 'exec "$0" -C "$1" alice <&- >&- '
                        '2>&-', p.deliver, p.conf])
    assert r.returncode == OK and len(p.take()) == 1


def ordinary_user():
    """With his own rights, to his own mailbox."""
    Postern()
    if not box.isolated():
        raise tap.Skip('needs root and a mount namespace')
    p = Postern(user='alice')
    assert code(p, 'alice') == OK
    os.chown(p.path('home', 'bob'), 20002, 20002)
    assert code(p, 'bob') == TEMPFAIL
    assert len(p.messages()) == 1


def without_its_user():
    """root without _postern-deliver: a clear error, not a delivery."""
    Postern()
    if not box.isolated():
        raise tap.Skip('needs root and a mount namespace')
    p = Postern()
    r = subprocess.run(
        ['unshare', '-m', 'sh', '-c', 'grep -v _postern-deliver /etc/passwd '
         '>"$1/p"; mount --bind "$1/p" /etc/passwd; shift; exec "$@"', 'sh',
         p.dir, p.deliver, '-C', p.conf, 'alice'], input=b'x\n',
        stderr=subprocess.PIPE)
    assert r.returncode == TEMPFAIL and b'no such user' in r.stderr, r
    assert not p.messages()


for name, test in list(globals().items()):
    if callable(test) and getattr(test, '__module__', '') == '__main__' and \
            test.__code__.co_argcount == 0:
        t.run(name.replace('_', ' '), test)
t.done()
