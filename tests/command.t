#!/usr/bin/python3
"""|command: run as the user, by a program of its own, and only if enabled."""
import os
import pwd
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from postern import Postern, children, until
from request import Deliver, Requests, connect

t = tap.Tap()
PEOPLE = 'alice', 'bob', 'carol'
TEXT = b'Subject: x\n\nx\n'


def home(name, *more):
    return os.path.join(pwd.getpwnam(name).pw_dir, *more)


def make_homes():
    for name in PEOPLE:
        shutil.rmtree(home(name), ignore_errors=True)
        os.makedirs(home(name), 0o755)
        os.chown(home(name), *[pwd.getpwnam(name).pw_uid] * 2)


class Command:
    """A postern-command of a private installation."""

    def __init__(self, p):
        self.path = p.path('run', 'command')
        self.proc = p.popen([p.command, '-C', p.conf, '-l',
                             'unix:' + self.path])
        assert until(lambda: os.path.exists(self.path) and os.stat(
            self.path).st_uid == p.uid('_postern-deliver')), p.logged()


def start(conf=None, aliases='', command=True):
    p = Postern(dict({'users': None, 'mailbox': 'maildir:~/Maildir',
                      'commands': 'on'}, **(conf or {})), users=(),
                aliases=aliases)
    if not box.isolated():
        raise tap.Skip('needs root and a mount namespace')
    make_homes()
    c = Command(p) if command else None
    return p, Deliver(p).requests(), c


def put(name, text, user='alice', mode=0o644):
    path = home(user, name)
    with open(path, 'w') as f:
        f.write(text)
    os.chmod(path, mode)
    os.chown(path, *[pwd.getpwnam(user).pw_uid] * 2)
    return path


def forward(text, user='alice'):
    put('.forward', text + '\n', user)


def script(text, name='run', user='alice'):
    return put(name, '#!/bin/sh\n' + text + '\n', user, 0o755)


def read(name, user='alice'):
    with open(home(user, name), 'rb') as f:
        return f.read()


def deliver(r, to='alice', content=TEXT, sender='a@away.example'):
    r.rcpt(to)
    return r.store(content, sender=sender)[0]


def count(user='alice'):
    try:
        return len(os.listdir(home(user, 'Maildir', 'new')))
    except FileNotFoundError:
        return 0


# --- what it is given -----------------------------------------------------------

def the_message():
    """On standard input, in one piece, with two fields before it; small ones
    and large ones, in memory and in a file."""
    p, r, c = start()
    script('cat >"$HOME/got"')
    forward('|./run')
    for n in 0, 10, 60000, 70000, 5000000:
        text = b'Subject: x\n\n' + os.urandom(n)
        assert deliver(r, content=text)[:2] == ('D', '2.0.0'), p.logged()
        assert read('got') == (b'Return-Path: <a@away.example>\n'
                               b'Delivered-To: alice@here.example\n' + text)
    r.rcpt('alice')
    r.send(b'M\0Subject: y\n\ny\n')
    assert r.receive('s')[0] == 'D'
    assert read('got').endswith(b'\nSubject: y\n\ny\n')
    assert read('got').startswith(b'Return-Path: <>\n')
    assert 'event=command user=alice command=./run status=0' in p.logged()
    assert count() == 0, 'no other copy'


def who_it_is():
    p, r, c = start()
    put('run', '#!/usr/bin/python3 -I\nimport os, shutil\n'
        'home = os.environ["HOME"] + "/"\n'
        'with open(home + "fds", "w") as f:\n'
        '    f.write(" ".join(n for n in os.listdir("/proc/self/fd") if\n'
        '            os.path.exists("/proc/self/fd/" + n) and n != \n'
        '            str(f.fileno())))\n'
        'shutil.copyfile("/proc/self/status", home + "status")\n'
        'with open(home + "rest", "w") as f:\n'
        '    print(os.getcwd(), os.umask(0), os.getsid(0) == os.getpid(),\n'
        '          file=f)\n', mode=0o755)
    forward('|./run')
    with open('/etc/group') as f:
        old = f.read()
    with open('/etc/group', 'a') as f:
        f.write('friends:x:20777:alice,bob\nwheel:x:0:alice\n')
    try:
        assert deliver(r)[0] == 'D', p.logged()
    finally:
        with open('/etc/group', 'w') as f:
            f.write(old)
    status = dict(line.split(':\t', 1) for line in
                  read('status').decode().splitlines())
    assert status['Uid'].split() == ['20001'] * 4, status['Uid']
    assert status['Gid'].split() == ['20001'] * 4, status['Gid']
    assert sorted(status['Groups'].split()) == ['20001', '20777']
    for kind in 'Inh', 'Prm', 'Eff', 'Amb':
        assert int(status['Cap' + kind], 16) == 0, kind
    assert status['NoNewPrivs'] == '1'
    assert sorted(read('fds').split()) == [b'0', b'1', b'2'], read('fds')
    assert read('rest').decode().split() == [home('alice'), '63', 'True']


def environment():
    p, r, c = start()
    script('env >"$HOME/env"')
    forward('|./run')

    def env():
        e = dict(line.split('=', 1) for line in
                 read('env').decode().splitlines())
        for made in 'PWD', 'OLDPWD', 'SHLVL', '_':      # by the shell
            e.pop(made, None)
        return e

    r.rcpt('alice+a-b')
    assert r.store(TEXT)[0][0] == 'D'
    assert env() == {
        'PATH': '/usr/local/bin:/usr/bin:/bin', 'HOME': home('alice'),
        'USER': 'alice', 'LOGNAME': 'alice', 'SHELL': '/bin/sh',
        'SENDER': 'a@away.example', 'RECIPIENT': 'alice+a-b@here.example',
        'LOCAL': 'alice+a-b', 'EXTENSION': 'a-b', 'DOMAIN': 'here.example'}
    assert deliver(r, sender='')[0] == 'D' and env()['SENDER'] == ''
    assert env()['EXTENSION'] == ''
    assert deliver(r, sender='"() { :;}; `x`$(y)"@away.example')[0] == 'D'
    assert env()['SENDER'] == '______:_____x___y__@away.example', env()


def words():
    """No shell: words as they stand, and what needs a shell is refused."""
    p, r, c = start()
    script('for a; do echo "<$a>"; done >"$HOME/args"')
    for line, args in {
            '|./run': [],
            '|./run a  b\tc': ['a', 'b', 'c'],
            '"|./run \'a  b\' \\"c d\\" e\\\\ f"': ['a  b', 'c d', 'e f'],
            '"|./run \'$HOME;`x`|*\'"': ['$HOME;`x`|*'],
            '"|./run \'\' x"': ['', 'x'],
            '|./run -- --x=1 %s ${': None,
            '|./run $HOME': None, '|./run `id`': None, '|./run *': None,
            '|./run; ./run': None, '|./run && ./run': None,
            '|./run >x': None, '|~/run': None, "|./run 'x": None,
            '"|IFS=\' \' && exec /usr/bin/procmail || exit 75 #x"': None,
            '|""': None}.items():
        if os.path.exists(home('alice', 'args')):
            os.unlink(home('alice', 'args'))
        forward(line)
        got = deliver(r)
        if args is None:
            assert got[:2] == ('L', '4.3.5'), (line, got)
            assert not os.path.exists(home('alice', 'args')), line
        else:
            assert got[0] == 'D', (line, got, p.logged()[-400:])
            assert read('args').decode().splitlines() == \
                ['<%s>' % a for a in args], line
    forward('|env')
    assert deliver(r)[0] == 'D', 'found where programs are'
    forward('|no-such-program')
    assert deliver(r)[0] == 'L'
    put('text', 'x\n', mode=0o644)
    forward('|./text')
    assert deliver(r)[0] == 'L'
    put('text', 'no interpreter\n', mode=0o755)
    assert deliver(r)[0] == 'L', 'no shell for a file without #!'


# --- what comes of it -------------------------------------------------------------

def exit_codes():
    p, r, c = start()
    fates = dict({0: ('D', '2.0.0'), 65: ('N', '5.6.0'), 67: ('N', '5.1.1'),
                  68: ('N', '5.1.2'), 69: ('N', '5.3.0'), 77: ('N', '5.7.0')})
    for code in list(range(64, 79)) + [0, 1, 2, 99, 100, 111, 126, 127, 255]:
        script('cat >/dev/null; exit %d' % code)
        forward('|./run')
        got = deliver(r)
        assert got[:2] == fates.get(code, ('L', '4.3.0')), (code, got)
    script('kill -9 $$')
    assert deliver(r)[:2] == ('L', '4.3.0')


def what_it_says():
    """The first line of its output is the text, and cannot be more."""
    p, r, c = start()
    forward('|./run')
    script('echo " not for you "; echo more; exit 77')
    assert deliver(r) == ('N', '5.7.0', 'not for you')
    script('echo on standard error >&2; exit 75')
    assert deliver(r) == ('L', '4.3.0', 'on standard error')
    script(r'printf "a\033[2J\000\200\r\n250 ok\r\n"; exit 77')
    assert deliver(r)[2] == 'a?[2J???'
    script('head -c 5000 /dev/zero | tr "\\000" x; exit 77')
    got = deliver(r)[2]
    assert got == 'x' * 160, got
    script('yes | head -c 3000000; exit 77')
    assert deliver(r) == ('N', '5.7.0', 'y'), 'what is too much is thrown away'
    script('exit 69')
    assert deliver(r) == ('N', '5.3.0', "the user's command refuses it")


def does_not_read():
    p, r, c = start()
    forward('|./run')
    big = b'Subject: x\n\n' + b'x' * 3000000
    script('exit 0')
    assert deliver(r, content=big)[0] == 'D'
    script('exec <&-; exit 75')
    assert deliver(r, content=big)[0] == 'L'


def with_a_copy():
    """One fate for all that a .forward says."""
    p, r, c = start()
    forward('\\alice, |./run, |./run again, bob')
    script('echo x >>"$HOME/ran"')
    assert deliver(r)[0] == 'D'
    assert read('ran') == b'x\nx\n' and count() == 1 and count('bob') == 1
    script('exit 75')
    assert deliver(r)[0] == 'L'
    assert count() == 1 and count('bob') == 1, 'nothing was kept'
    script('exit 77')
    assert deliver(r)[0] == 'N'
    assert count() == 2, 'refused for good by one, kept by the others'


# --- limits -----------------------------------------------------------------------

def nothing_is_left():
    """However it was detached."""
    p, r, c = start()
    forward('|./run')
    script('sleep 300 & setsid sleep 301 & (setsid sh -c "sleep 302 & '
           'sleep 303" &) ; echo $$ >"$HOME/pid"; exit 0')
    assert deliver(r)[0] == 'D'
    assert not sleepers(), sleepers()
    assert until(lambda: not children(c.proc.pid))


def sleepers():
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/cmdline' % pid) as f:
                line = f.read().split('\0')
            if line[0] == 'sleep' and line[1] in ('300', '301', '302', '303') \
                    and os.stat('/proc/' + pid).st_uid == 20001:
                found.append(pid)
        except (OSError, IndexError):
            pass
    return found


def processor_time():
    """A program that spins is ended by the limit of its processor time."""
    p, r, c = start()
    forward('|./run')
    script('ulimit -t; ulimit -n; ulimit -v; ulimit -c; exit 77')
    assert deliver(r)[2] == '30'
    script('ulimit -n; exit 77')
    assert deliver(r)[2] == '256'
    script('ulimit -v; exit 77')
    assert deliver(r)[2] == str(1 << 20)
    script('ulimit -c; exit 77')
    assert deliver(r)[2] == '0'


def others_do_not_wait():
    """Four at a time for one user; the fifth is put off, bob's goes on."""
    p, r, c = start()
    os.mkfifo(home('alice', 'gate'), 0o600)
    os.chown(home('alice', 'gate'), 20001, 20001)
    script('echo x >>"$HOME/started"; cat "$HOME/gate"')
    forward('|./run')
    script('exit 0', user='bob')
    forward('|./run', 'bob')

    def another():
        return Requests(p.path('run', 'deliver'), 0)

    busy = [another() for _ in range(4)]
    for b in busy:
        b.rcpt('alice')
        b.send(b'M\0x\n')
    assert until(lambda: os.path.exists(home('alice', 'started')) and
                 read('started') == b'x\n' * 4)
    assert deliver(another())[:2] == ('L', '4.3.2')
    assert deliver(another(), 'bob')[0] == 'D'


    def nobody_reads():
        try:
            os.close(os.open(home('alice', 'gate'),
                             os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return True

    until(nobody_reads)     # a writer that comes and goes lets them end
    for b in busy:
        assert b.receive('s')[0] == 'D'


# --- who may not --------------------------------------------------------------------

def switched_off():
    """Put off, logged, and nothing is executed or lost."""
    p, r, c = start({'commands': 'off'}, aliases='prog: "|/bin/true"\n')
    script('echo x >"$HOME/ran"')
    forward('\\alice, |./run')
    for to in 'alice', 'prog':
        assert r.lookup(to)[:2] == ('L', '4.3.5'), to
        assert deliver(r, to)[:2] == ('L', '4.3.5')
    assert 'commands are not enabled' in p.logged()
    assert count() == 0 and not os.path.exists(home('alice', 'ran'))
    # deliver itself may not be trusted: the program looks, too
    s = connect(p.path('run', 'command'))
    s.send(b'Dalice\0./run\0\0alice\0x\n')
    assert s.recv(4096).startswith(b'cL\0004.3.2\0commands are not enabled')
    assert not os.path.exists(home('alice', 'ran'))
    p.configure({'commands': 'on'})
    assert deliver(r)[0] == 'D' and os.path.exists(home('alice', 'ran'))


def not_running():
    p, r, c = start(command=False)
    forward('|./run')
    assert deliver(r)[:2] == ('L', '4.3.5') and count() == 0
    script('exit 0')
    Command(p)
    assert deliver(r)[0] == 'D'


def of_aliases():
    """As command-user, and nobody without it."""
    p, r, c = start(aliases='prog: "|/home/carol/run", bob\n')
    script('id -un >"$HOME/who"', user='carol')
    assert deliver(r, 'prog')[:2] == ('L', '4.3.5')
    assert 'no command-user' in p.logged()
    p.configure({'command-user': 'carol'})
    assert deliver(r, 'prog')[0] == 'D'
    assert read('who', 'carol') == b'carol\n' and count('bob') == 1
    for nobody in 'no-such-user', 'daemon', 'toor':
        p.configure({'command-user': nobody})
        assert deliver(r, 'prog')[:2] == ('L', '4.3.5'), nobody
    p.configure({'command-user': 'root'})
    assert until(lambda: 'never run as root' in p.logged() or
                 r.fate('bob') is None)


def users_of_the_system():
    """Never root, nor anybody below minimum-uid, whatever is asked."""
    p, r, c = start()
    os.chmod(p.path('run', 'command'), 0o600)
    for user in 'root', 'daemon', 'mail', 'nobody-here', '', '../alice', \
            'Alice', 'a' * 70, 'alice\n':
        s = connect(p.path('run', 'command'))
        s.send(b'D' + user.encode() + b'\0/bin/sh -c true\0\0x\0x\n')
        got = s.recv(4096)
        assert got == b'' or got.startswith(b'cL\0'), (user, got)


def who_may_ask():
    """Nobody but deliver and root."""
    p, r, c = start()
    script('echo x >"$HOME/ran"')
    for name in 'alice', '_postern', '_postern-deliver':
        os.chmod(p.path('run', 'command'), 0o666)
        os.seteuid(pwd.getpwnam(name).pw_uid)
        try:
            s = connect(p.path('run', 'command'))
        finally:
            os.seteuid(0)
        try:
            s.send(b'Dalice\0./run\0\0alice\0x\n')
            got = s.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            got = b''
        ran = os.path.exists(home('alice', 'ran'))
        assert ran == (name == '_postern-deliver'), (name, got)
        assert got.startswith(b'cD') == ran, (name, got)


def hostile_records():
    p, r, c = start()
    script('echo x >"$HOME/ran"')
    for record in (b'', b'C', b'D', b'X', b'D\0', b'Dalice\0./run\0\0',
                   b'Calice\0./run\0\0alice\0000\0005\0',
                   b'Calice\0./run\0\0alice\000-1\0005\0',
                   b'Dal\nice\0./run\0\0alice\0', b'\0' * 2000,
                   b'D' + b'x' * 60000):
        s = connect(p.path('run', 'command'))
        if record:
            s.send(record)
        else:
            s.close()
            continue
        got = s.recv(4096)
        assert got == b'' or got.startswith(b'cL'), (record[:40], got)
    assert not os.path.exists(home('alice', 'ran'))
    assert c.proc.poll() is None
    # descriptors that are no message
    import array
    import socket
    for path, flags in (('/dev/zero', os.O_RDONLY), ('/etc', os.O_PATH),
                        ('/etc/passwd', os.O_PATH)):
        s = connect(p.path('run', 'command'))
        fd = os.open(path, flags)
        s.sendmsg([b'Calice\0./run\0\0alice\0000\0005\0'], [(
            socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))])
        os.close(fd)
        assert s.recv(4096).startswith(b'cL'), path
    assert not os.path.exists(home('alice', 'ran'))


def ends_in_order():
    """SIGTERM: what runs is waited for."""
    p, r, c = start()
    os.mkfifo(home('alice', 'gate'), 0o600)
    os.chown(home('alice', 'gate'), 20001, 20001)
    script('echo x >"$HOME/started"; cat "$HOME/gate" >/dev/null')
    forward('|./run')
    r.rcpt('alice')
    r.send(b'M\0x\n')
    assert until(lambda: os.path.exists(home('alice', 'started')))
    c.proc.send_signal(signal.SIGTERM)
    with open(home('alice', 'gate'), 'w') as f:
        f.write('go\n')
    assert r.receive('s')[0] == 'D'
    assert c.proc.wait(20) == 0


# --- real programs --------------------------------------------------------------------

def needs(program):
    if not shutil.which(program):
        raise tap.Skip('no ' + program)
    return shutil.which(program)


def procmail():
    p, r, c = start()
    path = needs('procmail')
    put('.procmailrc', 'MAILDIR=$HOME\n:0\n* ^Subject: spam\nspam\n\n'
        ':0\nMaildir/\n')
    forward('"|%s -f-"' % path)
    assert deliver(r, content=b'From: x@y.example\nSubject: hello\n\nx\n'
                   )[0] == 'D', p.logged()
    assert deliver(r, content=b'From: x@y.example\nSubject: spam\n\nx\n'
                   )[0] == 'D'
    assert count() == 1 and b'Subject: spam' in read('spam')
    put('.procmailrc', 'EXITCODE=77\n:0\n/dev/null\n')
    assert deliver(r)[:2] == ('N', '5.7.0')


def maildrop():
    p, r, c = start()
    path = needs('maildrop')
    subprocess.run(['/usr/bin/maildirmake.maildrop', home('alice', 'Maildir')]
                   if os.path.exists('/usr/bin/maildirmake.maildrop') else
                   ['/usr/bin/maildirmake', home('alice', 'Maildir')],
                   check=True, user=20001, group=20001, extra_groups=[])
    put('.mailfilter', 'if (/^Subject: spam/)\n{\n  EXITCODE=77\n  exit\n}\n'
        'to "$HOME/Maildir"\n', mode=0o600)
    forward('|%s' % path)
    assert deliver(r)[0] == 'D', p.logged()
    assert count() == 1
    assert deliver(r, content=b'Subject: spam\n\nx\n')[:2] == ('N', '5.7.0')


HELPERS = ('make_homes', 'count', 'sleepers', 'start')
for name, test in list(globals().items()):
    if callable(test) and getattr(test, '__module__', '') == '__main__' and \
            getattr(test, '__code__', None) and \
            test.__code__.co_argcount == 0 and name not in HELPERS:
        t.run(name.replace('_', ' '), test)
t.done()
