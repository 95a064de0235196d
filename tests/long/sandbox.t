#!/usr/bin/python3
"""A thousand real sessions of every kind need nothing that the policies do
not allow: a call outside them ends its process at once, so each session must
reach its own end and no process may die of a signal.  With both C libraries;
then under strace, where no call may fail by a refusal of the policy."""
import os
import re
import shutil
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import postern
import tap
from postern import Closed, Postern, until

SESSIONS = 1000
AT_ONCE = 10
t = tap.Tap()


def plain(c):
    c.hello()
    assert c.mail()[0] == 250
    c.quit()
    return 1


def several(c):
    c.hello()
    for n in range(3):
        assert c.mail(to=('alice@here.example', 'bob@here.example'),
                      content=b'Subject: %d\r\n\r\n..\r\n' % n)[0] == 250
    c.quit()
    return 6


def chunked(c):
    c.hello()
    c.want('250', 'MAIL FROM:<>')
    c.want('250', 'RCPT TO:<alice@here.example>')
    c.send(b'BDAT 12\r\nSubject: x\r\n')
    c.want('250')
    c.send(b'BDAT 5 LAST\r\n\r\ny\r\n')
    c.want('250')
    c.quit()
    return 1


def large(c):
    c.hello()
    assert c.mail(content=b'\r\n' + (b'x' * 76 + b'\r\n') * 8000)[0] == 250
    c.quit()
    return 1


def pipelined(c):
    c.hello()
    c.send(b'MAIL FROM:<a@away.example>\r\nRCPT TO:<bob@here.example>\r\n'
           b'RCPT TO:<no-such-user@here.example>\r\nDATA\r\n')
    for code in '250', '250', '550', '354':
        c.want(code)
    c.send(b'\r\nx\r\n.\r\nQUIT\r\n')
    c.want('250')
    c.want('221')
    return 1


def questions(c):
    c.want('220')
    c.want('250', 'HELO x')
    for text in 'NOOP', 'VRFY alice', 'HELP', 'RSET', 'EXPN x', 'NONSENSE':
        c.cmd(text)
    c.want('5', 'RCPT TO:<x')
    c.quit()
    return 0


def refused(c):
    c.hello()
    assert c.mail(content=b'bare\nline\r\n')[0] == 550
    c.quit()
    return 0


def hangs_up_in_data(c):
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<alice@here.example>')
    c.want('354', 'DATA')
    c.send(b'Subject: cut\r\n\r\nnot the e')
    c.close()
    return 0


def resets(c):
    c.want('220')
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      b'\1\0\0\0\0\0\0\0')
    c.close()
    return 0


def other_protocol(c):
    c.want('220')
    try:
        c.cmd('GET / HTTP/1.1')
        while True:
            c.fill()
    except Closed:
        return 0


KINDS = (plain, several, chunked, large, pipelined, questions, refused,
         hangs_up_in_data, resets, other_protocol)


def one(p, n):
    kind = KINDS[n % len(KINDS)]
    client = p.local_client if n % 3 == 0 else p.client
    try:
        return kind(client())
    except Exception as e:
        raise AssertionError('session %d, %s: %r' % (n, kind.__name__, e))


def sessions(p, n):
    """How many copies of messages they have put into mailboxes."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(lambda i: one(p, i), range(n)))


def thousand(build):
    postern.BUILD = build
    p = Postern({'source-limit': '500'})
    p.start()
    stored = sessions(p, SESSIONS)
    until(lambda: p.logged().count('event=session ') >= SESSIONS)
    there = len(p.names('alice')) + len(p.names('bob'))
    log = p.logged()
    p.stop()
    assert stored == there, '%d stored, %d found' % (stored, there)
    for sign in 'session-killed', 'worker-died', 'worker-lost', 'SIGSYS':
        assert sign not in log, [s for s in log.split('\n') if sign in s][:5]


CALL = re.compile(r'(\d+) +(\w+)\(.*?(?: = (-?\d+)(?: (E[A-Z]+))?.*)?$')


def locked_calls(path):
    """(call, errno or None) of every process that has loaded its policy."""
    locked, found = set(), []
    with open(path, errors='replace') as f:
        for line in f:
            assert 'killed by SIGSYS' not in line, line
            m = CALL.match(line)
            if not m:
                continue
            pid, call, value, errno = m.groups()
            if call in ('clone', 'fork') and value and pid in locked:
                locked.add(value)
            if pid in locked:
                found.append((call, errno))
            if call == 'seccomp':
                locked.add(pid)
    return found


def traced(build):
    if not shutil.which('strace'):
        raise tap.Skip('no strace')
    postern.BUILD = build
    p = Postern()
    out, plain_popen = p.path('strace'), p.popen
    p.popen = lambda args, **more: plain_popen(
        ['strace', '-f', '-qq', '-o', out] + args, **more)
    p.start()
    sessions(p, 5 * len(KINDS))
    p.stop()
    found = locked_calls(out)
    assert len(found) > 1000, len(found)
    bad = {f for f in found if f[1] in ('EACCES', 'ENOSYS', 'ENOTTY',
                                        'EPERM')}
    assert not bad, sorted(bad)


glibc = postern.BUILD
musl = os.path.join(glibc, 'static')
t.run('1000 sessions, glibc', thousand, glibc)
t.run('strace shows no refusal, glibc', traced, glibc)
if os.path.exists(os.path.join(musl, 'smtpd')):
    t.run('1000 sessions, musl', thousand, musl)
    t.run('strace shows no refusal, musl', traced, musl)
else:
    t.skip('1000 sessions, musl', 'not built: make static')
t.done()
