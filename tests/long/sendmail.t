#!/usr/bin/python3
"""sendmail with a message of a gigabyte: it arrives as it was, and the memory
of sendmail does not grow with it."""
import hashlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import tap
from mailer import OK, Mailer
from postern import Postern

OCTETS, LINE = 1 << 30, b'0123456789abcdef' * 4 + b'\n'
MOST_KB = 16 * 1024     # of sendmail, and of this process before it was that
t = tap.Tap()
# Not beneath /tmp, which may be in memory.
p = Postern({'message-size-limit': '2G'}, under='/var/tmp')
sendmail = Mailer(p)
p.start()


def blocks(head, line):
    yield head
    block = line * (1 << 20 >> 6)
    sent = len(head)
    while sent < OCTETS:
        yield block
        sent += len(block)


def content_sum(path):
    """Of what stands behind the first blank line."""
    sum_ = hashlib.sha256()
    with open(path, 'rb') as f:
        for line in f:
            if line == b'\n':
                break
        for block in iter(lambda: f.read(1 << 20), b''):
            sum_.update(block)
    return sum_.hexdigest()


def sends(args, line):
    """It is told of its memory by wait4."""
    want = hashlib.sha256()
    s = subprocess.Popen([sendmail.program, *args], stdin=subprocess.PIPE,
                         env=sendmail.environment({'TMPDIR': '/var/tmp'}),
                         **sendmail.identity('alice'))
    try:
        for i, block in enumerate(blocks(b'Subject: x\nTo: bob\n\n', line)):
            s.stdin.write(block)
            if i > 0:
                want.update(block)
        s.stdin.close()
        _, status, usage = os.wait4(s.pid, 0)
        s.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if s.returncode is None:
            s.kill()
            s.wait()
    assert s.returncode == OK, (s.returncode, p.logged()[-1000:])
    assert usage.ru_maxrss < MOST_KB, '%d kB' % usage.ru_maxrss
    path, = p.names('bob')
    got = content_sum(path)
    os.unlink(path)
    return usage.ru_maxrss, got, want.hexdigest()


def as_it_was():
    kb, got, want = sends(['-t', '-i'], LINE)
    assert got == want
    t.note('%d kB' % kb)


def encoded():
    """Lines that are too long: it is read thrice more, and not kept."""
    kb, _, _ = sends(['-i', 'bob'], b'0123456789abcdef' * 128 + b'\n')
    t.note('%d kB' % kb)


for test in (as_it_was, encoded):
    t.run(test.__name__.replace('_', ' '), test)
t.done()
