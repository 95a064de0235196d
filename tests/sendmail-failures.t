#!/usr/bin/python3
"""sendmail before a mail service that refuses, fails, or is not there: what
the caller is told, and where the mail is then."""
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from mailer import (DATAERR, IOERR, NOHOST, NOPERM, NOUSER, OK, OSERR,
                    TEMPFAIL, UNAVAILABLE, Mailer)
from postern import Postern, until
from sink import Sink

t = tap.Tap()
p = Postern()
if not box.isolated():
    tap.skip_all('it writes to the homes of users of its own')
sendmail = Mailer(p)
SOCKET = p.path('run', 'smtp')
KEYWORDS = ('PIPELINING', 'SIZE 1000000', '8BITMIME', 'SMTPUTF8', 'DSN')
TEXT = b'Subject: x\n\nFrom here\nbody\n'


class Service(Sink):
    """Answers on the socket of the mail service."""

    def __init__(self, replies=None, keywords=KEYWORDS):
        if os.path.exists(SOCKET):
            os.unlink(SOCKET)
        super().__init__(replies, keywords, path=SOCKET)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        os.unlink(SOCKET)


def nothing_kept(user='alice'):
    assert not os.path.lexists(sendmail.dead(user)), user


def kept(user='alice'):
    """The one message in dead.letter, which is removed."""
    path = sendmail.dead(user)
    with open(path, 'rb') as f:
        text = f.read()
    st = os.lstat(path)
    assert stat.S_IMODE(st.st_mode) == 0o600, oct(st.st_mode)
    assert st.st_uid == (p.uid(user) if user != 'root' else 0), st
    os.unlink(path)
    assert text.startswith(b'From ') and text.endswith(b'\n\n'), text
    assert len(re.findall(rb'(?m)^From ', text)) == 1, text
    return text


# what sendmail says to the service: arguments, message, MAIL, RCPT

def says(args, text, mail, rcpts):
    with Service() as s:
        sendmail.sends(*args, text=text)
        message, = s.messages
    assert re.fullmatch(mail, message.mail), message.mail
    assert message.rcpt_lines == rcpts, message.rcpt_lines
    assert (b'\n' not in message.content.replace(b'\r\n', b'') and
            b'\r' not in message.content.replace(b'\r\n', b'')), \
        message.content
    nothing_kept()


SAID = (
    ('plain', ['bob'], TEXT,
     r'MAIL FROM:<alice@here\.example> SIZE=\d+', ['RCPT TO:<bob>']),
    ('several', ['bob', 'c@d.example'], TEXT, r'MAIL FROM:<alice@.*',
     ['RCPT TO:<bob>', 'RCPT TO:<c@d.example>']),
    ('null sender', ['-f', '<>', 'bob'], TEXT, r'MAIL FROM:<> SIZE=\d+',
     ['RCPT TO:<bob>']),
    ('8 bit', ['bob'], b'Subject: x\n\n\xc3\xbc\n',
     r'.*SIZE=\d+ BODY=8BITMIME', ['RCPT TO:<bob>']),
    ('8 bit in a Subject becomes ASCII', ['bob'], b'Subject: \xc3\xbc\n\nx\n',
     r'.*SIZE=\d+', ['RCPT TO:<bob>']),
    ('8 bit in a local part', ['ü@d.example'], TEXT,
     r'.*SIZE=\d+ SMTPUTF8', ['RCPT TO:<ü@d.example>']),
    ('8 bit in a domain', ['x@ü.de'], TEXT, r'.*SIZE=\d+',
     ['RCPT TO:<x@xn--tda.de>']),
    ('8 bit in a From that stays', ['bob'],
     'From: ü@d.example\n\nx\n'.encode(),
     r'.*SIZE=\d+ BODY=8BITMIME SMTPUTF8', ['RCPT TO:<bob>']),
    ('Latin-1 is no SMTPUTF8', ['bob'],
     b'Content-Type: x; name=\xfc\n\nx\n', r'.*SIZE=\d+ BODY=8BITMIME',
     ['RCPT TO:<bob>']),
    ('-N never', ['-N', 'never', 'bob'], TEXT, r'.*SIZE=\d+',
     ['RCPT TO:<bob> NOTIFY=NEVER']),
    ('-N -R -V', ['-Nsuccess,delay', '-R', 'hdrs', '-V', 'a+b c', 'bob'],
     TEXT, r'.*SIZE=\d+ RET=HDRS ENVID=a\+2Bb\+20c',
     ['RCPT TO:<bob> NOTIFY=SUCCESS,DELAY']),
    ('-R full', ['-Rfull', 'bob'], TEXT, r'.*SIZE=\d+ RET=FULL',
     ['RCPT TO:<bob>']),
    ('no PIPELINING, no SIZE', ['bob'], TEXT, r'MAIL FROM:<alice@here.*',
     ['RCPT TO:<bob>']),
)
for name, *row in SAID:
    t.run('says: ' + name, says, *row)


def size_is_right():
    with Service() as s:
        sendmail.sends('bob', text=b'Subject: x\n\n' + b'.\r\n..\nx\n' * 50)
        sendmail.sends('-i', 'bob', text=b'Subject: x\n\n' + b'.\n' * 50)
        for m in s.messages:
            said = int(re.search(r'SIZE=(\d+)', m.mail)[1])
            assert said == len(m.content), (said, len(m.content))


def in_batches():
    """Some servers take few recipients in a transaction."""
    n = [0]

    def rcpt(_):
        n[0] += 1
        return '452 4.5.3 too many' if n[0] % 4 == 0 else '250 2.1.5 ok'

    with Service({'RCPT': rcpt}) as s:
        sendmail.sends(*['u%d@d.example' % i for i in range(20)])
        assert s.rcpts() == sorted('u%d@d.example' % i for i in range(20))
        assert len(s.messages) > 1
    nothing_kept()


for test in (size_is_right, in_batches):
    t.run(test.__name__.replace('_', ' '), test)


# Refusals of all: what is replied to what, the exit code.

REFUSALS = (
    ('RCPT', '550 5.1.1 no such user', NOUSER),
    ('RCPT', '550 5.1.6 moved', NOUSER),
    ('RCPT', '550 5.1.2 no such host', NOHOST),
    ('RCPT', '550 5.7.1 not for you', NOPERM),
    ('RCPT', '550 no', UNAVAILABLE),
    ('RCPT', '501 5.1.3 syntax', DATAERR),
    ('MAIL', '550 5.7.1 not you', NOPERM),
    ('MAIL', '552 5.3.4 too big', UNAVAILABLE),
    ('DATA', '554 5.5.0 no', 76),
    ('.', '554 5.6.0 what is that', DATAERR),
    ('.', '552 5.2.2 full', UNAVAILABLE),
)


def refusal(verb, reply, code):
    """The caller may have no other copy."""
    with Service({verb: reply}) as s:
        sendmail.fails(code, 'bob', 'carol', text=TEXT, say=reply)
        assert s.messages == []
    text = kept()
    assert b'\nSubject: x\n\n>From here\nbody\n\n' in text, text
    assert b'\nX-Dead-Letter-To: bob, carol\n' in text, text


for verb, reply, code in REFUSALS:
    t.run('%s: %s' % (verb, reply), refusal, verb, reply, code)


def some_are_refused():
    def rcpt(line):
        return ('550 5.1.1 no such user' if 'bob' in line else
                '550 5.7.1 no' if 'dora' in line else '250 2.1.5 ok')

    with Service({'RCPT': rcpt}) as s:
        r = sendmail.fails(NOUSER, 'carol', 'bob', 'dora@d.example', 'eve',
                           say='bob: 550 5.1.1 no such user')
        assert b'dora@d.example: 550 5.7.1' in r.stderr, r
        assert b'carol' not in r.stderr and b'eve' not in r.stderr, r
        assert s.rcpts() == ['carol', 'eve']
    nothing_kept()


def too_large_is_told_at_once():
    with Service(keywords=('SIZE 1000',)) as s:
        sendmail.fails(UNAVAILABLE, 'bob', text=b'\n' + b'x\n' * 1000,
                       say='larger')
        assert not any(line.startswith('MAIL') for line in s.lines)
    kept()


def refused_amid():
    """A service that has enough of it before its end, and hears no more."""
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    os.chmod(SOCKET, 0o666)
    listener.listen(5)

    # EHLO is answered without an extension, so commands come one by one
    def serve():
        conn, _ = listener.accept()
        conn.sendall(b'220 x\r\n')
        f = conn.makefile('rb')
        for line in f:
            if line.startswith(b'DATA'):
                break
            conn.sendall(b'250 2.0.0 ok\r\n')
        conn.sendall(b'354 go on\r\n')
        f.readline()
        conn.sendall(b'552 5.3.4 enough\r\n')
        f.close()
        conn.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        sendmail.fails(UNAVAILABLE, '-i', 'bob', say='552 5.3.4 enough',
                       text=b'\n' + b'x' * 900 + b'\n' * 5000 +
                       b'y\n' * 2000000)
    finally:
        listener.close()
        os.unlink(SOCKET)
        thread.join(20)
    assert len(kept()) > 4000000


for test in (some_are_refused, too_large_is_told_at_once, refused_amid):
    t.run(test.__name__.replace('_', ' '), test)


# No answer, or "later": it is tried for ten seconds; several at once here.

LATERS = {
    'nobody listens': None,
    'greeting 421': {'': '421 4.3.5 broken'},
    'greeting 554': {'': '554 5.0.0 no'},
    'no greeting': {'': None},
    'EHLO': {'EHLO': None},
    'MAIL': {'MAIL': None},
    'MAIL 451': {'MAIL': '451 4.3.0 later'},
    'RCPT 450': {'RCPT': '450 4.2.0 later'},
    'DATA': {'DATA': None},
    'DATA 451': {'DATA': '451 4.3.0 later'},
    'no answer to the data': {'.': None},
    'data 452': {'.': '452 4.3.1 full'},
    'no SMTP': {'': 'SSH-2.0-x'},
}
RUN = {}


def start_later(name, replies):
    """Each with a run directory and a home of its own: root's, as others
    have one home."""
    run = p.path('run-' + name.replace(' ', '-'))
    os.mkdir(run)
    os.chown(run, p.uid('_postern'), -1)
    sink = Sink(replies, KEYWORDS, path=run + '/smtp') if replies else None
    conf = p.write('conf-' + name.replace(' ', '-'),
                   open(p.conf).read().replace(p.path('run') + '\n',
                                               run + '\n'))
    began = time.monotonic()
    s = subprocess.Popen([sendmail.program, '-i', 'bob', name.split()[0]],
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=sendmail.environment({'POSTERN_CONF': conf}),
                         **sendmail.identity('carol'))
    s.stdin.write(b'Subject: %s\n\nx\n' % name.encode())
    s.stdin.close()
    s.stdin = None
    RUN[name] = (s, sink, began, run)


def later(name):
    s, sink, began, run = RUN[name]
    _, err = s.communicate(timeout=90)
    took = time.monotonic() - began
    assert s.returncode == TEMPFAIL, (s.returncode, err)
    assert took >= 9, took
    assert sink is None or sink.messages == [], name
    assert sendmail.dead('carol').encode() in err, err
    assert b'2 of 2 recipients not served' in err, err
    if sink is None:
        assert (run + '/smtp').encode() in err, err
        assert b'No such file or directory' in err, err
    else:
        assert sink.connections > 1, sink.connections
        sink.close()
    with open(sendmail.dead('carol'), 'rb') as f:
        text = f.read()
    assert text.count(b'\nSubject: %s\n' % name.encode()) == 1, text


for name, replies in LATERS.items():
    start_later(name, replies)
for name in LATERS:
    t.run('later: ' + name, later, name)


def an_mbox_of_all():
    """They did not write into one another."""
    with open(sendmail.dead('carol'), 'rb') as f:
        text = f.read()
    os.unlink(sendmail.dead('carol'))
    messages = re.split(rb'(?m)^From alice|^From carol', text)[1:]
    assert len(messages) == len(LATERS), len(messages)
    for m in messages:
        assert m.count(b'\nX-Dead-Letter-To: bob, ') == 1, m
        assert m.endswith(b'\nx\n\n'), m


def comes_in_time():
    """A service that starts meanwhile gets it."""
    s = subprocess.Popen([sendmail.program, 'bob'], stdin=subprocess.PIPE,
                         env=sendmail.environment(),
                         **sendmail.identity('alice'))
    s.stdin.write(TEXT)
    s.stdin.close()
    time.sleep(1)
    with Service() as sink:
        assert s.wait(30) == OK
        assert len(sink.messages) == 1
    nothing_kept()


def only_those_left():
    """Who was served is not served again."""
    n = [0]

    def rcpt(line):
        if 'bob' in line:
            n[0] += 1
            return '450 4.2.0 later' if n[0] < 3 else '250 2.1.5 ok'
        return '250 2.1.5 ok'

    with Service({'RCPT': rcpt}) as s:
        sendmail.sends('carol', 'bob')
        assert [m.rcpts for m in s.messages] == [['carol'], ['bob']]
    nothing_kept()


for test in (an_mbox_of_all, comes_in_time, only_those_left):
    t.run(test.__name__.replace('_', ' '), test)


# dead.letter under attack: a service that refuses makes it be written.
VICTIM = '/home/victim'  # of the same file system, for links

def attacked(prepare, *, say='could not be saved', code=NOUSER,
             user='alice'):
    path = sendmail.dead(user)
    prepare(path)
    try:
        with Service({'RCPT': '550 5.1.1 no'}):
            sendmail.fails(code, 'bob', text=TEXT, say=say, user=user)
    finally:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)


def victim():
    path = VICTIM
    with open(path, 'w') as f:
        f.write('as it was\n')
    os.chmod(path, 0o666)
    return path


def untouched():
    with open(VICTIM) as f:
        assert f.read() == 'as it was\n'


def symlink():
    """Not even to another file of the user's."""
    def link(path):
        os.chown(victim(), p.uid('alice'), -1)
        os.symlink(VICTIM, path)
    attacked(link)
    untouched()


def dangling_symlink():
    attacked(lambda path: os.symlink(p.path('home/alice/new'), path))
    assert not os.path.exists(p.path('home/alice/new'))


def hard_link():
    def link(path):
        os.link(victim(), path)
        os.chown(path, p.uid('alice'), -1)
    attacked(link)
    untouched()


def of_another():
    def write(path):
        with open(path, 'w') as f:
            f.write('x\n')
        os.chmod(path, 0o666)
    attacked(write)


def fifo():
    attacked(lambda path: (os.mkfifo(path), os.chmod(path, 0o666)))


def directory():
    attacked(os.mkdir)


def home_of_another():
    """HOME does not count, and the home must be the user's."""
    os.chown(sendmail.home('bob'), p.uid('alice'), -1)
    os.chmod(sendmail.home('bob'), 0o777)
    try:
        attacked(lambda _: None, user='bob')
    finally:
        os.chown(sendmail.home('bob'), p.uid('bob'), -1)
        os.chmod(sendmail.home('bob'), 0o755)
    with Service({'RCPT': '550 5.1.1 no'}):
        sendmail.fails(NOUSER, 'carol', text=TEXT, user='bob',
                       env={'HOME': sendmail.home('alice')})
    nothing_kept()
    kept('bob')


def without_a_home():
    with Service({'RCPT': '550 5.1.1 no'}):
        r = subprocess.run(
            [sendmail.program, 'bob'], input=TEXT, stderr=subprocess.PIPE,
            env=sendmail.environment({'HOME': '/tmp'}), user=61234,
            group=61234, extra_groups=[])
    assert r.returncode == NOUSER, r
    assert b'could not be saved' in r.stderr, r
    assert not os.path.exists('/tmp/dead.letter')


def neither_taken_nor_saved():
    """75 is "queued" to some callers, PHP among them: they would go on as if
    there were a copy somewhere."""
    r = subprocess.run(
        [sendmail.program, 'bob'], input=TEXT, stderr=subprocess.PIPE,
        env=sendmail.environment({'HOME': '/tmp'}), user=61234, group=61234,
        extra_groups=[], timeout=90)
    assert r.returncode == OSERR, r
    assert b'could not be saved' in r.stderr, r


def not_even_read():
    here = os.open('/', os.O_RDONLY)
    try:
        r = subprocess.run(
            [sendmail.program, 'bob'], stdin=here, stderr=subprocess.PIPE,
            env=sendmail.environment(), **sendmail.identity('alice'))
    finally:
        os.close(here)
    assert r.returncode == IOERR, r
    assert b'nothing was sent' in r.stderr, r
    nothing_kept()


def disk_full():
    """What does not fit whole is taken back."""
    home = sendmail.home('alice')
    with open(sendmail.dead(), 'w') as f:
        f.write('From a\nbefore\n\n')
    os.chown(sendmail.dead(), p.uid('alice'), -1)
    with Service({'RCPT': '550 5.1.1 no'}):
        sendmail.fails(
            NOUSER, '-i', 'bob', text=b'\n' + b'x\n' * 50000,
            say='could not be saved',
            before=('sh', '-c', 'ulimit -f 20; exec "$@"', 'sh'))
    with open(sendmail.dead()) as f:
        assert f.read() == 'From a\nbefore\n\n'
    os.unlink(sendmail.dead())
    assert os.path.isdir(home)


def appended():
    with Service({'RCPT': '550 5.1.1 no'}):
        for i in range(3):
            sendmail.fails(NOUSER, 'bob', text=b'Subject: %d\n\nx\n' % i)
    with open(sendmail.dead(), 'rb') as f:
        text = f.read()
    os.unlink(sendmail.dead())
    assert len(re.findall(rb'(?m)^From alice@here\.example ', text)) == 3
    assert [text.count(b'\nSubject: %d\n' % i) for i in range(3)] == [1] * 3


for test in (symlink, dangling_symlink, hard_link, of_another, fifo,
             directory, home_of_another, without_a_home, neither_taken_nor_saved,
             not_even_read, disk_full, appended):
    t.run('dead.letter: ' + test.__name__.replace('_', ' '), test)


# Options that would open files elsewhere: under strace.

OPENERS = ('-X/tmp/postern-x', '-X /tmp/postern-x', '-D /tmp/postern-x',
           '-C /etc/shadow', '-C/tmp/postern-x', '-oQ/tmp',
           '-OQueueDirectory=/tmp',
           '-O DataFileBufferSize=0', '-oA/tmp/a', '-oH/tmp/h', '-oS/tmp/s',
           '-e /tmp/x', '-p /tmp/x', '-d0-99.100', '-L /tmp/x', '-h /tmp/x',
           '-oX/tmp/postern-x', '-O LogFile=/tmp/postern-x', '-A /tmp/x',
           '-M /tmp/x')
WRITES = re.compile(r'open(at)?\(.*(O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|'
                    r'O_APPEND|O_TMPFILE)|(creat|unlink|rename|link|symlink|'
                    r'mknod|mkdir|truncate)(at|at2)?\(|execve|fork|clone')


def opens_nothing(option):
    trace = p.path('trace')
    with Service() as s:
        sendmail.sends(*option.split(), 'bob', user='root', before=(
            'strace', '-f', '-qq', '-o', trace, '-e',
            'trace=file,process,ftruncate'))
        assert s.rcpts() == ['bob'], s.rcpts()
    with open(trace) as f:
        lines = f.read().split('\n')[1:]
    bad = [line for line in lines if WRITES.search(line)]
    assert not bad, bad
    assert not [line for line in lines if 'shadow' in line or
                'postern-x' in line], lines


if subprocess.run(['strace', '-V'], stdout=subprocess.DEVNULL,
                  stderr=subprocess.DEVNULL).returncode:
    t.skip('options that would open files', 'no strace')
else:
    for option in OPENERS:
        t.run('opens nothing: ' + option, opens_nothing, option)


# root, where nobody listens

def root_starts_smtpd():
    """... which ends with it, and with it deliver."""
    nobody = p.path('run', 'smtp')
    assert not os.path.exists(nobody)
    r = sendmail('bob', '-v', user='root')
    r = sendmail('bob', user='root', text=TEXT)
    assert (r.returncode, r.stdout, r.stderr) == (OK, b'', b''), r
    trace = p.messages('bob')[-1]
    assert b'uid 0, user root' in trace, trace
    assert until(lambda: not subprocess.run(
        ['pgrep', '-f', p.path('libexec')],
        stdout=subprocess.PIPE).stdout), 'a process is left'
    p.take('bob')


def root_joins_a_smtpd_of_its_own():
    r = sendmail('-bs', user='root', text=b'QUIT\r\n')
    assert r.returncode == OK, r
    lines = r.stdout.split(b'\r\n')
    assert lines[0].startswith(b'220 ') and lines[1].startswith(b'221'), r


def smtp_mode_without_a_service():
    r = sendmail('-bs', text=b'QUIT\r\n')
    assert r.returncode == TEMPFAIL and r.stdout.startswith(b'421 '), r
    assert b'No such file' in r.stderr, r


def a_broken_configuration():
    """It is smtpd's to complain of; sendmail goes on where it can."""
    with Service():
        text = open(p.conf).read()
        conf = p.write('broken.conf', text + 'no-such-key x\n')
        r = sendmail('-f', 'a@b.example', 'bob',
                     env={'POSTERN_CONF': conf})
        assert r.returncode == OK, r
        assert b'broken.conf:' in r.stderr, r


for test in (root_starts_smtpd, root_joins_a_smtpd_of_its_own,
             smtp_mode_without_a_service, a_broken_configuration):
    t.run(test.__name__.replace('_', ' '), test)
t.done()
