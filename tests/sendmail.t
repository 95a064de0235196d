#!/usr/bin/python3
"""sendmail(8) as the programs of a machine call it."""
import os
import pwd
import quopri
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from mailer import (DATAERR, NOPERM, NOUSER, OK, UNAVAILABLE, USAGE, Mailer,
                    arrived, sender_of)
from postern import Postern

t = tap.Tap()
# whom alice may send as is tests/submission.t's
p = Postern({'trusted-users': '*'})
sendmail = Mailer(p)
p.start()
SELF = pwd.getpwuid(p.uid('alice')).pw_name if (
    box.isolated() or not p.user) else 'uid%d' % p.uid('alice')

MESSAGE = b'Subject: x\n\nbody\n'
TO_BOB = b'To: bob\n' + MESSAGE


# callers: arguments, standard input, recipients, reverse-path
CALLERS = (
    ('cronie', '-FCronDaemon -i -odi -oem -oi -t -f bob', TO_BOB, 'bob',
     'bob@here.example'),
    ('Debian cron', '-i -FCronDaemon -B8BITMIME -oem bob', MESSAGE, 'bob',
     None),
    ('systemd-cron', '-i -B 8BITMIME bob', MESSAGE, 'bob', None),
    ('anacron', '-FAnacron -odi bob', MESSAGE, 'bob', None),
    ('atd', '-i bob', MESSAGE, 'bob', None),
    ('busybox crond', '-ti', TO_BOB, 'bob', None),
    ('mdadm', '-t -fbob', TO_BOB, 'bob', 'bob@here.example'),
    ('php', '-t -i', TO_BOB, 'bob', None),
    ('php with a sender', '-t -i -fuser@example.org', TO_BOB, 'bob',
     'user@example.org'),
    ('git send-email', '-i -f user@example.org bob carol', MESSAGE,
     'bob carol', 'user@example.org'),
    ('mailutils', '-oi -f user@away.example -t', TO_BOB, 'bob',
     'user@away.example'),
    ('s-nail', '-i -f user@away.example -- bob', MESSAGE, 'bob',
     'user@away.example'),
    ('mutt', '-oem -oi -f a@b.example -B8BITMIME -N never -R hdrs -- bob',
     MESSAGE, 'bob', 'a@b.example'),
    ('sudo, logwatch', '-t', TO_BOB, 'bob', None),
    ('unattended-upgrades', '-oi -t', TO_BOB, 'bob', None),
    ('scripts, -f', '-f a@b.example bob', MESSAGE, 'bob', 'a@b.example'),
    ('scripts, -r', '-r a@b.example bob', MESSAGE, 'bob', 'a@b.example'),
    ('scripts', 'bob', MESSAGE, 'bob', None),
    ('ignored options', '-OA=b -oQ/x -h 9 -L tag -Ac -G -U -X /x/y -p SMTP:h '
     '-C /x/y -em -d0.1 bob', MESSAGE, 'bob', None),
    ('several in one argument', 'bob,carol', MESSAGE, 'bob carol', None),
    ('nobody twice', 'bob bob <bob>', MESSAGE, 'bob', None),
    ('a null sender', '-f <> bob', MESSAGE, 'bob', ''),
    ('-t and arguments', '-t carol', TO_BOB, 'bob carol', None),
)


def caller(args, text, users, sender):
    sendmail.sends(*args.split(), text=text)
    trace, fields, body = arrived(p, *users.split())
    if sender is None:
        sender = SELF + '@here.example'
    assert sender_of(trace) == sender, trace
    names = [name for name, _ in fields]
    for name in ('Subject', 'Date', 'From', 'Message-ID'):
        assert names.count(name) == 1, fields
    assert body == b'body\n', body


for name, *row in CALLERS:
    t.run(name, caller, *row)


# contents: arguments, standard input, what arrives behind the header
BODIES = (
    ('a dot ends it', '', b'\na\n.\nb\n', b'a\n'),
    ('a dot with CR LF', '', b'\r\na\r\n.\r\nb\r\n', b'a\n'),
    ('a dot with -i', '-i', b'\na\n.\nb\n', b'a\n.\nb\n'),
    ('a dot with -oi', '-oi', b'\na\n.\n', b'a\n.\n'),
    ('dots', '', b'\n.a\n..\n...\n', b'.a\n..\n...\n'),
    ('no line end', '-i', b'\na', b'a\n'),
    ('CR LF', '', b'\r\na\r\nb\r\n', b'a\nb\n'),
    ('a progress bar', '', b'\n1%\r2%\r3%\n', b'1%\n2%\n3%\n'),
    ('no header', '', b'hello world\n', b'hello world\n'),
    ('no blank line', '', b'X-A: b\nhello\n', b'hello\n'),
    ('a postmark', '', b'From x Mon\nX-A: b\n\na\nFrom y\n', b'a\nFrom y\n'),
    ('8 bit', '', b'\n\xc3\xbc\xff\n', b'\xc3\xbc\xff\n'),
    ('empty', '', b'', b''),
    ('header only', '', b'X-A: b\n', b''),
    ('998 octets', '', b'\n' + b'x' * 998 + b'\n', b'x' * 998 + b'\n'),
    ('2 MB', '-i', b'\n' + b'0123456789abcde\n' * 131072,
     b'0123456789abcde\n' * 131072),
)


def content(args, text, body):
    sendmail.sends(*args.split(), 'bob', text=text)
    got = arrived(p, 'bob')[2]
    assert got == body, (got[:200], body[:200])


for name, *row in BODIES:
    t.run(name, content, *row)


def field(fields, name):
    values = [v.decode() for n, v in fields if n == name]
    assert len(values) == 1, (name, fields)
    return values[0]


def header(args, text):
    sendmail.sends(*args, text=text)
    return arrived(p, 'bob')[1]


def completed():
    f = header(['bob'], b'Subject: x\n\nx\n')
    assert re.fullmatch(r'[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d{4} '
                        r'\d\d:\d\d:\d\d [+-]\d{4}', field(f, 'Date')), f
    assert re.fullmatch(r'<[0-9]+\.[0-9a-f]{16}@mx\.here\.example>',
                        field(f, 'Message-ID')), f
    assert SELF + '@here.example' in field(f, 'From'), f


def nothing_twice():
    text = (b'From: a@b.example\nDate: Mon, 23 Nov 2026 12:00:00 +0000\n'
            b'Message-ID: <1@b.example>\n')
    assert header(['bob'], text + b'\nx\n') == [
        (n.decode(), v) for n, v in
        (line.split(b': ', 1) for line in text.splitlines())]


def full_names():
    f = header(['-F', 'Al B', 'bob'], MESSAGE)
    assert field(f, 'From') == 'Al B <%s@here.example>' % SELF, f
    f = header(['-FJürgen Ä', '-f', 'j@b.example', 'bob'], MESSAGE)
    assert field(f, 'From') == '=?utf-8?Q?J=C3=BCrgen_=C3=84?= ' \
        '<j@b.example>', f
    f = header(['-F', 'A, "B" <c@d>', 'bob'], MESSAGE)
    assert field(f, 'From') == '"A, \\"B\\" <c@d>" <%s@here.example>' % SELF
    f = header(['-F', 'Al B', 'bob'], b'From: x@y.example\n' + MESSAGE)
    assert field(f, 'From') == 'x@y.example', f


def name_of_the_account():
    if not box.isolated():
        raise tap.Skip('it needs an /etc/passwd of its own')
    with open('/etc/passwd') as f:
        old = f.read()
    line = 'carol:x:%d:%d:&  Müller,room 1:%s:/bin/sh\n' % (
        p.uid('carol'), p.uid('carol'), sendmail.home('carol'))
    with open('/etc/passwd', 'w') as f:
        f.write(re.sub('(?m)^carol:.*\n', line, old))
    try:
        sendmail.sends('bob', user='carol')
        fields = arrived(p, 'bob')[1]
        assert field(fields, 'From') == '=?utf-8?Q?Carol__M=C3=BCller?= ' \
            '<carol@here.example>', fields
    finally:
        with open('/etc/passwd', 'w') as f:
            f.write(old)


def qualified():
    f = header(['-t'], b'From: root (Cron Daemon)\nTo: Bob <bob>,\n'
               b'\tundisclosed:;\nReply-To: "a b"\n' + MESSAGE)
    assert field(f, 'From') == 'root@here.example (Cron Daemon)', f
    assert field(f, 'To') == 'Bob <bob@here.example>,\n\tundisclosed:;', f
    assert field(f, 'Reply-To') == '"a b"@here.example', f


def encoded():
    f = header(['-t'], 'To: "Bob, ü" <bob>\nSubject: grüße\n\nx\n'.encode())
    assert field(f, 'Subject') == '=?utf-8?Q?gr=C3=BC=C3=9Fe?=', f
    assert field(f, 'To') == '=?utf-8?Q?Bob=2C_=C3=BC?= ' \
        '<bob@here.example>', f


def blind():
    sendmail.sends('-t', text=b'To: bob\nBcc: Carol <carol>,\n alice\n' +
                   MESSAGE)
    for user in ('alice', 'bob', 'carol'):
        text, = p.messages(user)
        assert b'carol' not in text.split(b'Subject', 1)[1], text
        assert b'bcc' not in text.lower(), text
    arrived(p, 'alice', 'bob', 'carol')
    sendmail.sends('bob', text=b'Bcc: carol\n' + MESSAGE)
    fields = arrived(p, 'bob')[1]
    assert 'Bcc' not in [n for n, _ in fields], fields


def resent():
    sendmail.sends('-t', text=b'Resent-To: bob\nTo: alice\nCc: carol\n' +
                   MESSAGE)
    arrived(p, 'bob')
    sendmail.sends('-t', text=b'To: alice, carol\nResent-Bcc: bob\n' + MESSAGE)
    names = [n for n, _ in arrived(p, 'bob')[1]]
    assert 'Resent-Bcc' not in names and 'To' in names, names
    sendmail.sends('-t', 'bob', text=b'To: alice\nResent-Cc: carol\n' +
                   MESSAGE)
    arrived(p, 'bob', 'carol')


def groups_and_comments():
    sendmail.sends('-t', text=b'To: a group (x, alice): "Bob, B." <bob>,\n'
                   b' =?utf-8?Q?alice=2C?= <carol>;\n' + MESSAGE)
    arrived(p, 'bob', 'carol')


def long_lines():
    """100 kB in a line arrive as they were, in lines that SMTP allows."""
    line = b'0123456789' * 10000
    sendmail.sends('bob', text=b'Subject: x\n\na\n' + line + b'\nb\n')
    _, fields, body = arrived(p, 'bob')
    assert field(fields, 'Content-Transfer-Encoding') == 'quoted-printable'
    assert max(len(one) for one in body.split(b'\n')) <= 998
    assert quopri.decodestring(body) == b'a\n' + line + b'\nb\n'
    f = header(['bob'], b'X-A: ' + b'word ' * 2000 + b'\n\nx\n')
    assert max(len(one) for one in field(f, 'X-A').split('\n')) <= 998
    assert field(f, 'X-A').replace('\n', '') == ('word ' * 2000)


def signed_stays():
    """What is signed or encrypted is not touched for its long lines."""
    line = b'x' * 2000
    text = (b'Content-Type: multipart/signed; boundary=b; micalg=x\n'
            b'MIME-Version: 1.0\n\n--b\n\n' + line + b'\n--b--\n')
    sendmail.sends('bob', text=text)
    assert line in arrived(p, 'bob')[2]
    dkim = (b'DKIM-Signature: v=1; b=x\nFrom: bob\nSubject: \xc3\xbc\n\n' +
            line + b'\n')
    sendmail.sends('bob', text=dkim)
    _, fields, body = arrived(p, 'bob')
    assert [n for n, _ in fields] == ['DKIM-Signature', 'From', 'Subject']
    assert fields[1][1] == b'bob' and body == line + b'\n', fields


for test in (completed, nothing_twice, full_names, name_of_the_account,
             qualified, encoded, blind, resent, groups_and_comments,
             long_lines, signed_stays):
    t.run(test.__name__.replace('_', ' '), test)


# what is refused before anything is sent: code, arguments, standard input
REFUSED = (
    ('no recipients', USAGE, [], MESSAGE, 'no recipients'),
    ('none in the header', DATAERR, ['-t'], MESSAGE, 'no recipients'),
    ('none but Bcc: of nobody', DATAERR, ['-t'], b'Bcc: ;\n' + MESSAGE,
     'no recipients'),
    ('NUL', DATAERR, ['bob'], b'Subject: x\n\na\0b\n', 'NUL'),
    ('NUL in the header', DATAERR, ['bob'], b'Subj\0ect: x\n\n', 'NUL'),
    ('LF in -f', USAGE, ['-f', 'a@b.example\nRCPT TO:<carol>', 'bob'],
     MESSAGE, 'line end'),
    ('CR in -f', USAGE, ['-fa@b.example\r', 'bob'], MESSAGE, 'line end'),
    ('LF in -F', USAGE, ['-F', 'A\nBcc: carol', 'bob'], MESSAGE, 'line end'),
    ('LF in a recipient', USAGE, ['bob\ncarol'], MESSAGE, 'not an address'),
    ('CR in a recipient', USAGE, ['bob\rcarol'], MESSAGE, 'not an address'),
    ('parameters in -f', USAGE, ['-f', 'a@b.example> SIZE=1', 'bob'], MESSAGE,
     'not a sender'),
    ('parameters of a recipient', USAGE, ['bob> NOTIFY=NEVER'], MESSAGE,
     'not an address'),
    ('two senders', USAGE, ['-f', 'a@b.example,c@d.example', 'bob'], MESSAGE,
     'not a sender'),
    ('-bd', USAGE, ['-bd'], b'', 'daemon'),
    ('-bd -q15m', USAGE, ['-bd', '-q15m'], b'', 'daemon'),
    ('-q15m', USAGE, ['-q15m'], b'', 'daemon'),
    ('-bt', USAGE, ['-bt'], b'', 'mode'),
    ('-Z', USAGE, ['-Z', 'bob'], MESSAGE, 'unknown option'),
    ('-f without a value', USAGE, ['-f'], MESSAGE, 'value'),
    ('-N sometimes', USAGE, ['-N', 'sometimes', 'bob'], MESSAGE, 'never'),
)


def refused(code, args, text, say):
    sendmail.fails(code, *args, text=text, say=say)
    arrived_nothing()


def arrived_nothing():
    for user in ('alice', 'bob', 'carol', 'root'):
        assert p.take(user) == [], user


for name, *row in REFUSED:
    t.run('refused: ' + name, refused, *row)


def a_million_recipients():
    text = b'To: ' + b',\n '.join(b'u%d@away.example' % i
                                  for i in range(1000000))
    sendmail.fails(DATAERR, '-t', text=text + b'\nSubject: x\n\nx\n',
                   say='recipients')
    one = b''.join(b'To: u%d@away.example\n' % i for i in range(5000))
    sendmail.fails(DATAERR, '-t', text=one + b'\nx\n', say='4096 recipients')
    arrived_nothing()


def an_address_that_is_none():
    """The others go, and the sender is told."""
    sendmail.fails(DATAERR, '-t', text=b'To: a b c, bob\n' + MESSAGE,
                   say='a b c')
    arrived(p, 'bob')


def unknown_user():
    r = sendmail.fails(NOUSER, 'nobody-here@here.example', 'bob',
                       say='5.1.1')
    assert b'nobody-here' in r.stderr and b'bob' not in r.stderr, r
    arrived(p, 'bob')


def a_sender_that_is_not_hers():
    """Policy is smtpd's, and the caller is told."""
    if not box.isolated():
        raise tap.Skip('whom smtpd runs as may send as anybody')
    p.configure({'trusted-users': 'system'})
    try:
        sendmail.fails(NOPERM, '-f', 'a@b.example', 'bob', say='550 5.7.1')
        arrived_nothing()
    finally:
        p.configure({'trusted-users': '*'})


def dashes_in_front():
    sendmail.fails(NOUSER, 'bob', '-t@here.example', say='-t@here.example')
    arrived(p, 'bob')
    sendmail.fails(NOUSER, '--', '-oQ/x@here.example', 'bob', say='-oQ/x')
    arrived(p, 'bob')


def talks():
    r = sendmail('-v', 'bob')
    assert r.returncode == OK and b'bob: 250 2.' in r.stdout, r
    arrived(p, 'bob')


def smtp_mode(args):
    s = subprocess.Popen([sendmail.program] + args, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE,
                         env=sendmail.environment(),
                         **sendmail.identity('alice'))

    def say(text, code):
        s.stdin.write(text)
        s.stdin.flush()
        line = b'-'
        while line[3:4] == b'-' or len(line) < 4:
            line = s.stdout.readline()
            assert line, 'no reply to %r' % text
        assert line.startswith(code), (text, line)

    try:
        say(b'', b'220')
        say(b'EHLO client.example\r\n', b'250')
        say(b'MAIL FROM:<a@b.example>\r\n', b'250')
        say(b'RCPT TO:<bob>\r\n', b'250')
        say(b'DATA\r\n', b'354')
        say(b'Subject: x\r\n\r\nx\r\n.\r\n', b'250')
        say(b'QUIT\r\n', b'221')
        assert s.stdout.read() == b''
        assert s.wait(30) == OK
    finally:
        s.kill()
        s.communicate()
    trace = arrived(p, 'bob')[0]
    assert sender_of(trace) == 'a@b.example', trace
    assert b'uid %d' % p.uid('alice') in trace, trace


def newaliases():
    for args, name in (([], 'newaliases'), (['-bi'], None), (['-I'], None)):
        p.write('aliases', 'a: b\nc: d, e\n')
        r = sendmail(*args, name=name)
        assert (r.returncode, r.stderr) == (OK, b''), r
        assert b'2 aliases' in r.stdout, r
        p.write('aliases', 'a: b\nno alias\nc: d\n')
        r = sendmail.fails(DATAERR, *args, name=name, say='aliases:2')
    p.write('aliases', '')


def mailq():
    for args, name in (([], 'mailq'), (['-bp'], None), (['-q'], None)):
        if box.isolated():
            sendmail.fails(NOPERM, *args, name=name, say='only root')
    os.symlink(p.queue, p.path('libexec', 'queue'))
    try:
        user = 'root' if box.isolated() else 'alice'
        for args, name in (([], 'mailq'), (['-bp'], None), (['-q'], None)):
            r = sendmail(*args, name=name, user=user)
            assert r.returncode == OK, (args, name, r)
    finally:
        os.unlink(p.path('libexec', 'queue'))


def route():
    """-bv asks postern(8)."""
    script = p.write('libexec/postern', '#!/bin/sh\necho "$0 $*"\nexit 3\n')
    os.chmod(script, 0o755)
    try:
        r = sendmail('-bv', '--', '-x', 'bob')
        assert r.returncode == 3, r
        assert r.stdout == b'%s route -x bob\n' % script.encode(), r
        sendmail.fails(USAGE, '-bv', say='address')
    finally:
        os.unlink(script)
    sendmail.fails(UNAVAILABLE, '-bv', 'bob', say='postern')


for test in (a_million_recipients, an_address_that_is_none, unknown_user,
             a_sender_that_is_not_hers, dashes_in_front, talks):
    t.run(test.__name__.replace('_', ' '), test)
for args in ('-bs', '-bs -i', '-bs -odb -oem'):
    t.run('SMTP mode, ' + args, smtp_mode, args.split())
for test in (newaliases, mailq, route):
    t.run(test.__name__, test)
t.done()
