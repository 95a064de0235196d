#!/usr/bin/python3
"""Local programs at the unix socket: who may send as whom, how much, and what
their messages lack.  Each client is really the user that it is said to be."""
import contextlib
import os
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import qfile
import tap
from box import USERS
from postern import Client, Closed, Postern, until
from qsite import Site
from request import LOCAL, Deliver, Requests, record

t = tap.Tap()
AWAY = 'x@away.example'
DYNAMIC = 61999         # as systemd makes them up
NAMELESS = 33333        # not in the user database
WHOLE = (b'Date: Tue, 24 Nov 2026 18:00:00 +0000\r\nMessage-ID: <a@b.example>'
         b'\r\nSubject: x\r\n\r\nx\r\n')


def start(conf=None, deliver=True, **more):
    p = Postern(conf, **more)
    if not p.multi:
        raise tap.Skip('users of its own need root')
    d = Deliver(p) if deliver else None
    p.start()
    return p, d


@contextlib.contextmanager
def being(uid):
    """The kernel tells the listener who we were when we connected."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def client(p, who, helo='client.example'):
    uid = USERS[who][0] if isinstance(who, str) else who
    with being(uid):
        c = p.local_client()
    c.hello(helo)
    return c


def may(c, sender):
    """The reply to MAIL, as text; the transaction is given up."""
    code, text = c.cmd('MAIL FROM:<%s>' % sender)
    if code == 250:
        c.want('250', 'RSET')
    return '%d %s' % (code, text[0])


def one(p):
    found = qfile.take(p)
    assert len(found) == 1, found
    return found[0]


# --- who may send as whom ----------------------------------------------------

def his_own():
    p, _ = start()
    c = client(p, 'alice')
    for good in ('', 'alice', 'ALICE', 'alice@here.example', 'alice+x',
                 'alice@mx.here.example', 'Alice+tag+y@localhost',
                 '"alice"@here.example'):
        assert may(c, good).startswith('250 '), (good, may(c, good))
    for bad in ('bob', 'bob@here.example', 'alice@away.example',
                'alice@[127.0.0.1]', 'alicex@here.example', 'root',
                '+alice@here.example', 'x+alice@here.example',
                '"alice "@here.example', 'MAILER-DAEMON@here.example'):
        got = may(c, bad)
        assert got.startswith('550 5.7.1 user alice may not send as ') and \
            bad.replace('"', '?') in got and 'sender-map' in got and \
            'trusted-users' in got, (bad, got)
    assert c.mail(['bob'], 'alice', WHOLE)[0] == 250
    text = p.messages('bob')[0]
    assert text.startswith(b'Return-Path: <alice@here.example>\n'), text
    assert b'(uid 20001, user alice)' in text, text


def long_addresses():
    p, _ = start()
    c = client(p, 'alice')
    for n in range(1, 64, 7):
        got = may(c, 'l' * n + '@' + '.'.join(['d' * 60] * 3) + '.example')
        assert got.startswith('550 5.7.1 ') and \
            got.endswith('see trusted-users and sender-map'), got


def believed_by_number():
    p, _ = start()
    for uid in 0, 1, 999, DYNAMIC, 61184, 65519, 65534, USERS['_postern'][0]:
        c = client(p, uid)
        assert may(c, 'any@where.example').startswith('250 '), uid
    for uid in 1000, 61183, 65520, 65533, 65535, NAMELESS, 'daemonish':
        c = client(p, uid)
        assert may(c, 'any@where.example').startswith('550 '), uid
        assert may(c, '').startswith('250 '), uid
    got = may(client(p, NAMELESS), 'alice')
    assert got.startswith('550 5.7.1 uid 33333 (no name) may not'), got


def trusted_users():
    p, _ = start({'trusted-users': 'alice 20002'})
    for who, code in (('alice', '250 '), ('bob', '250 '), ('carol', '550 '),
                      (1, '550 '), (0, '250 ')):
        assert may(client(p, who), 'any@where.example').startswith(code), who
    p.configure({'trusted-users': 'none'})
    for who, code in (('alice', '550 '), (1, '550 '), (0, '250 ')):
        assert may(client(p, who), 'any@where.example').startswith(code), who
    p.configure({'trusted-users': '*'})
    assert may(client(p, 'carol'), 'any@where.example').startswith('250 ')
    p.configure({'trusted-users': 'system carol'})
    for who, code in (('carol', '250 '), (1, '250 '), ('alice', '550 ')):
        assert may(client(p, who), 'any@where.example').startswith(code), who


def sender_map():
    p, _ = start()
    p.configure({'sender-map': p.path('senders')})
    got = may(client(p, 'alice'), 'sales@firm.example')
    assert got.startswith('451 4.3.5 '), got
    p.write('senders', '# who owns what\n'
            'Sales@firm.example alice 20002 # both\n'
            '@whole.example carol\n'
            'noreply@here.example *\n'
            'info bob\n')
    for who, sender, code in (
            ('alice', 'sales@firm.example', 250),
            ('alice', 'SALES@FIRM.example', 250),
            ('bob', 'sales@firm.example', 250),
            ('carol', 'sales@firm.example', 550),
            ('alice', 'sales@other.example', 550),
            ('alice', 'sales', 550),
            ('carol', 'any@whole.example', 250),
            ('carol', 'any@sub.whole.example', 550),
            ('alice', 'any@whole.example', 550),
            ('carol', 'noreply@here.example', 250),
            ('carol', 'noreply', 250),
            ('bob', 'info', 250), ('bob', 'info@localhost', 250),
            ('bob', 'info@away.example', 550), ('alice', 'info', 550)):
        got = may(client(p, who), sender)
        assert got.startswith('%d ' % code), (who, sender, got)
    # read again when it changes, also within a session
    c = client(p, 'alice')
    assert may(c, 'new@firm.example').startswith('550 ')
    p.write('senders', 'new@firm.example alice\n')
    assert may(c, 'new@firm.example').startswith('250 ')
    assert may(client(p, 'alice'), 'sales@firm.example').startswith('550 ')


def not_to_be_looked_up():
    p, d = start()
    d.proc.kill()
    d.proc.wait()
    os.unlink(d.path)
    os.unlink(p.deliver)
    c = client(p, 'alice')
    assert may(c, 'alice').startswith('451 4.3.0 who you are'), 'alice'
    assert may(client(p, 'alice'), '').startswith('250 '), 'null'
    # those whom their number tells lose nothing by it
    assert may(client(p, 0), 'any@where.example').startswith('250 '), 'root'
    c = client(p, 1)
    assert c.mail([AWAY], 'www@here.example', WHOLE)[0] == 250
    assert one(p).sender == 'www@here.example'


def asked_once():
    """A session of one sender costs one question; other senders one each."""
    p, d = start()
    with subprocess.Popen(
            ['strace', '-f', '-qq', '-e', 'trace=sendmsg', '-s', '40',
             '-o', p.path('trace'), '-p', str(p.listener.pid)],
            stderr=subprocess.PIPE) as s:
        assert s.stderr is not None
        until(lambda: 'TracerPid:\t0' not in open(
            '/proc/%d/status' % p.listener.pid).read())
        c = client(p, 'alice')      # the spare, and one made now
        c.close()
        c = client(p, 'alice')
        for _ in range(3):
            assert c.mail(['bob'], 'alice', WHOLE)[0] == 250
        assert may(c, 'alice+x').startswith('250 ')
        c.quit()
        s.terminate()
        s.wait()
    with open(p.path('trace')) as f:
        asked = re.findall(r'iov_base="([A-Z])(20001[^"]*)"', f.read())
    assert [q[0] for q in asked] == ['A', 'A'], asked


def strangers():
    """What a client of the network says of itself is not looked at here."""
    p, _ = start()
    c = p.client()
    c.hello()
    assert c.mail(['alice'], 'bob@here.example')[0] == 250


def real_processes():
    p, _ = start()
    talk = ('import socket,sys\n'
            's=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n'
            'f=s.makefile("rw", newline="\\r\\n"); f.readline()\n'
            'for c in "EHLO x", "MAIL FROM:<"+sys.argv[2]+">":\n'
            '  f.write(c+"\\n"); f.flush()\n'
            '  while True:\n'
            '    r=f.readline()\n'
            '    if r[3]!="-": break\n'
            'print(r)\n')
    for user, sender, code in (('alice', 'alice', '250'),
                               ('alice', 'bob', '550'),
                               ('bob', 'bob', '250')):
        got = subprocess.run(
            ['setpriv', '--reuid', user, '--regid', user, '--clear-groups',
             '--no-new-privs', sys.executable, '-c', talk, p.local, sender],
            stdout=subprocess.PIPE, check=True, text=True, timeout=60).stdout
        assert got.startswith(code), (user, sender, got)


def pipe():
    """smtpd as a child of the user who talks to it, with his own files."""
    p = Postern(user='alice')
    if os.geteuid():
        raise tap.Skip('users of its own need root')
    p.configure({'sender-map': p.path('senders')})
    d = p.popen([p.smtpd, '-C', p.conf], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE)
    out, _ = d.communicate(
        b'EHLO x\r\nMAIL FROM:<any@where.example>\r\nQUIT\r\n', 30)
    assert b'\r\n250 2.1.0' in out, out


# --- the queue pass ----------------------------------------------------------

def only_the_queue_is_the_queue():
    p, _ = start()
    os.rename(p.path('home', 'bob'), p.path('home', 'away'))
    queue = USERS['_postern-queue'][0]
    for who, helo, code in ((queue, 'queue.localhost', 451),
                            (queue, 'other.example', 451),
                            (0, 'queue.localhost', 451),
                            (0, 'other.example', 250),
                            ('alice', 'queue.localhost', 250),
                            (1, 'queue.localhost', 250)):
        c = client(p, who, helo)
        got = c.mail(['alice'], '', WHOLE)
        assert got[0] == 250, got
        c.want('250', 'MAIL FROM:<>')
        got = c.cmd('RCPT TO:<bob>')
        assert got[0] == code, (who, helo, got)
    # it may give any reverse-path, and its messages stay as they are
    c = client(p, queue)
    assert c.mail(['alice'], 'any@where.example', b'Subject: x\r\n\r\nx\r\n'
                  )[0] == 250
    text = p.take()[-1]
    assert b'Message-ID' not in text and b'\nDate' not in text, text


# --- how much ----------------------------------------------------------------

def submission_rate():
    p, _ = start({'submission-rate': '3/1h'})
    for _ in range(3):
        assert client(p, 'alice').mail(['bob'], 'alice', WHOLE)[0] == 250
    got = may(client(p, 'alice'), 'alice')
    assert got.startswith('450 4.7.1 uid 20001 has reached submission-rate: '
                          '3 messages in 3600 seconds'), got
    # others, root, and what is refused anyway
    c = client(p, 'carol')
    assert may(c, 'alice').startswith('550 ')
    for _ in range(3):
        assert c.mail(['bob'], '', WHOLE)[0] == 250
    assert may(c, 'carol').startswith('450 ')
    c = client(p, 0)
    for _ in range(5):
        assert c.mail(['bob'], 'root', WHOLE)[0] == 250
    c = client(p, 1)            # trusted is not without limit
    for _ in range(3):
        assert c.mail(['bob'], 'x@away.example', WHOLE)[0] == 250
    assert may(c, 'x').startswith('450 ')
    assert len(p.messages('bob')) == 14
    # another limit holds from the next session on
    p.configure({'submission-rate': 'none'})
    assert may(client(p, 'alice'), 'alice').startswith('250 ')


def together():
    """Sessions side by side share one count."""
    p, _ = start({'submission-rate': '10/1h'})
    clients = [client(p, 'alice') for _ in range(25)]
    codes = [c.cmd('MAIL FROM:<alice>')[0] for c in clients]
    assert sorted(codes) == [250] * 10 + [450] * 15, codes


def octets_too():
    p, _ = start({'submission-rate': '1000/1h 100K/1h'})
    c = client(p, 'alice')
    big = WHOLE + b'x' * 60 + b'\r\n'
    big += (b'y' * 70 + b'\r\n') * 900          # 65 kB
    for _ in range(2):
        assert c.mail(['bob'], 'alice', big)[0] == 250
    until(lambda: may(c, 'alice').startswith('450 '))
    got = may(c, 'alice')
    assert got.startswith('450 4.7.1 uid 20001 has reached submission-rate: '
                          '102400 octets'), got
    assert may(client(p, 'bob'), 'bob').startswith('250 ')


def it_grows_back():
    p, _ = start({'submission-rate': '2/2s'})
    c = client(p, 'alice')
    until(lambda: may(c, 'alice').startswith('450 '))
    assert until(lambda: may(client(p, 'alice'), 'alice').startswith('250 '))


def no_accept_loop():
    p = Postern({'submission-rate': '1/1h'})
    Deliver(p)
    for _ in range(2):
        ours, theirs = socket.socketpair()
        s = p.session(theirs)
        theirs.close()
        c = Client(ours)
        c.hello()
        assert c.mail(['bob'], '', WHOLE)[0] == 250
        c.quit()
        s.wait(20)
    assert p.logged().count('submission-rate holds only in a listening') == 2


# --- completion --------------------------------------------------------------

def sent(p, content, who='alice', **more):
    c = client(p, who)
    assert c.mail(['bob'], '', content)[0] == 250
    text = p.take('bob')[0]
    m = re.match(rb'Return-Path: <>\nDelivered-To: [^\n]*\nReceived: .*?\n'
                 rb'(?![ \t])', text, re.S)
    return text[m.end():]


DATE = rb'Date: [A-Z][a-z][a-z], \d+ [A-Z][a-z][a-z] \d{4} [\d:]{8} [+-]\d{4}\n'
ID = rb'Message-ID: <q[0-9a-f]+@mx\.here\.example>\n'


def completion():
    p, _ = start()
    long_header = b''.join(b'X-%d: %s\r\n' % (i, b'y' * 900)
                           for i in range(90))
    for content, want in (
            (b'Subject: x\r\n\r\nx\r\n', b'Subject: x\n' + DATE + ID + b'\nx\n'),
            (b'Date: never\r\n\r\nx\r\n', b'Date: never\n' + ID + b'\nx\n'),
            (b'message-id : <x>\r\n\r\n', b'message-id : <x>\n' + DATE + b'\n'),
            (b'Subject: x\r\n', b'Subject: x\n' + DATE + ID),
            (b'', DATE + ID),
            (b'\r\nbody\r\n', DATE + ID + b'\nbody\n'),
            (b'A: b\r\n Date: no\r\n\r\nDate: no\r\n',
             b'A: b\n Date: no\n' + DATE + ID + b'\nDate: no\n'),
            # not a header, or not one that ends like one
            (b'Hello\r\nSubject: x\r\n\r\nx\r\n', b'Hello\nSubject: x\n\nx\n'),
            (b'Subject: x\r\nno field\r\n\r\nx\r\n',
             b'Subject: x\nno field\n\nx\n'),
            # somebody vouches for it
            (b'DKIM-Signature: v=1\r\nSubject: x\r\n\r\nx\r\n',
             b'DKIM-Signature: v=1\nSubject: x\n\nx\n'),
            (b'Subject: x\r\ndkim-signature: v=1;\r\n h=date\r\n\r\nx\r\n',
             b'Subject: x\ndkim-signature: v=1;\n h=date\n\nx\n'),
            (WHOLE, re.escape(WHOLE.replace(b'\r\n', b'\n'))),
            (long_header + b'\r\n' + b'z' * 70 + b'\r\n',
             long_header.replace(b'\r\n', b'\n') + DATE + ID + b'\n' +
             b'z' * 70 + b'\n')):
        got = sent(p, content)
        assert re.fullmatch(want, got), (content[:200], got[-400:])


def completion_at_every_length():
    """Wherever the buffer ends in or behind the header."""
    p, _ = start()
    c = client(p, 'alice')
    body = b'z' * 60 + b'\r\n'
    around = [n for k in (63, 64) for n in range(k * 1024 - 900,
                                                 k * 1024 + 40, 47)]
    for n in around:
        fields = b''.join(b'X: ' + b'y' * 905 + b'\r\n'
                          for _ in range(n // 910))
        rest = n - len(fields)
        content = fields + b'Y: ' + b'w' * rest + b'\r\n\r\n' + body
        assert c.mail(['bob'], '', content)[0] == 250
        text = p.take('bob')[0]
        want = content.replace(b'\r\n', b'\n').split(b'\n\n')
        assert re.search(re.escape(want[0][-1000:]) + b'\n' + DATE + ID +
                         b'\n' + re.escape(want[1]) + b'\\Z', text), (
            n, text[-1200:])


def completion_by_chunks():
    p, _ = start()
    c = client(p, 'alice')
    content = b'Subject: x\r\n\r\nbody\r\n'
    for cut in range(len(content) + 1):
        c.want('250', 'MAIL FROM:<>')
        c.want('250', 'RCPT TO:<bob>')
        c.send(b'BDAT %d\r\n%s' % (cut, content[:cut]))
        c.want('250')
        c.send(b'BDAT %d LAST\r\n%s' % (len(content) - cut, content[cut:]))
        c.want('250')
        text = p.take('bob')[0]
        assert re.search(b'\nSubject: x\n' + DATE + ID + b'\nbody\n\\Z',
                         text), (cut, text)
    c.want('250', 'MAIL FROM:<>')
    c.want('250', 'RCPT TO:<bob>')
    c.send(b'BDAT 9 LAST\r\nSubject: ')   # no line end: nothing behind it
    c.want('250')
    assert p.take('bob')[0].endswith(b'\nSubject: ')


def not_for_strangers():
    p, _ = start()
    c = p.client()
    c.hello()
    assert c.mail(['bob'], 'a@b.example', b'Subject: x\r\n\r\nx\r\n')[0] == 250
    text = p.take('bob')[0]
    assert b'Message-ID' not in text and b'\nDate' not in text, text


# --- the request -------------------------------------------------------------

def request():
    p, d = start()
    r = d.requests()

    def ask(uid, sender):
        r.send(record('A', str(uid), sender))
        return r.receive('a')
    assert ask(20001, 'alice') == ['D', '2.1.0', 'good', 'alice']
    assert ask(20001, '')[0] == 'D'
    assert ask(20001, 'bob')[0] == 'N'
    assert ask(0, 'x@y.example')[0] == 'D'
    assert ask(NAMELESS, 'x@y.example')[0::3] == ['N', '']
    assert ask(20001, 'not an address')[0] == 'N'
    assert ask(20001, 'b\u00f6b@here.example')[0] == 'N'
    for bad in (record('A', '99999999999', 'x'), record('A', '-1', 'x'),
                record('A', '1', 'x\n'), record('A', '1', 'x' * 400),
                record('A', '1'), record('A', '1', 'x', 'y')):
        r = d.requests()
        r.send(bad)
        try:
            r.receive('a')
        except Exception:
            continue
        raise AssertionError(bad)


def main():
    for test in (his_own, long_addresses, believed_by_number, trusted_users,
                 sender_map, not_to_be_looked_up, asked_once, strangers,
                 real_processes, pipe, only_the_queue_is_the_queue,
                 submission_rate, together, octets_too, it_grows_back,
                 no_accept_loop, completion, completion_at_every_length,
                 completion_by_chunks, not_for_strangers, request):
        t.run(test.__name__.replace('_', ' '), test)
    t.done()


main()
