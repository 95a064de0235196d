#!/usr/bin/python3
"""Addresses that mean something to a shell, a file system, a format or a
mail system: each is refused for good, or is a plain file in the mailbox of the
user that it names, and nothing else happens.  Users of a file, and of the
system."""
import os
import re
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import tap
from postern import Postern, split_trace

t = tap.Tap()
USERS = ('alice', 'bob', 'carol', 'root')
# {} is a path that nobody may make
PAYLOADS = (
    ';touch {}', '|touch {}', '||touch {}', '&touch {}', '&&touch {}',
    '`touch {}`', '$(touch {})', '>{}', '>>{}', '<{}', '{}', '../../../{}',
    ';touch${{IFS}}{};', '`touch${{IFS}}{}`', '$(touch${{IFS}}{})',
    '|/bin/sh -c "touch {}"', '"|touch {}"', '|"exec touch {}"',
    ':include:{}', ':fail:x', '${{run{{/bin/touch {}}}}}',
    '${{run{{/bin/touch${{tick}}{}}}}}', '${{readfile{{/etc/passwd}}}}',
    '%{{{}}}', '%s%s%s%n', '%n', '%u', '%d', '%x%x', '\\$(touch {})',
    "';touch {};'", "'`touch {}`'", '() {{ :;}}; touch {}', '~/{}', '~root',
    '-X{}', '-oQ{}', '-C{}', '-be', '--', '/etc/passwd', '/dev/null', '.',
    '..', 'x/../alice', '*', '?', '[a-z]*', '{{a,b}}', '\\x00', '\\n',
    '#', '##', '!id', '!!', '^x^y', '=cmd', '@{}', 'a,b', 'a:b', 'a;b',
    '\\', '\\alice', '"', '""', "'", "''", '$HOME', '${{HOME}}',
    '$IFS', '`', '``', '$(', '$()', '(x)', '<x>', '[x]', '{{x}}',
    'root', 'daemon', '0', '#0', 'toor', 'nobody', '+', '+x', '-alice',
    'alice:x:0:0', 'x' * 64)
OCTETS = [bytes([n]) for n in range(256) if not chr(n).isalnum() or n > 127]


def quoted(octets):
    return b'"' + re.sub(rb'(["\\])', rb'\\\1', octets) + b'"'


def payloads(canary):
    """Each as it is, and as a quoted string."""
    for text in PAYLOADS:
        octets = text.format(canary).encode()
        yield from (octets, quoted(octets))


def tags(canary):
    for text in PAYLOADS:
        octets = b'alice+' + text.format(canary).encode()
        yield from (octets, quoted(octets))


def octets(canary):
    for octet in OCTETS:
        yield from (b'alice' + octet, quoted(octet + b'alice'))


class Sender:
    """Asks with this path as sender or recipient; a new session before one
    has had too many errors."""

    def __init__(self, p):
        self.p, self.c, self.errors = p, None, 0

    def session(self):
        if self.c and self.errors < 15:
            self.c.want('250', 'RSET')
            return self.c
        if self.c:
            self.c.close()
        self.c, self.errors = self.p.client(), 0
        self.c.hello()
        return self.c

    def told(self, sender=b'a@away.example', to=b'alice@here.example'):
        """The first code that is not good, or the last one."""
        c = self.session()
        for line in b'MAIL FROM:<' + sender + b'>', b'RCPT TO:<' + to + b'>':
            code = c.cmd(line)[0]
            if code != 250:
                # with a line end in it there may be more than one reply
                self.errors += 99 if set(line) & set(b'\r\n') else 1
                return code
        c.want('354', 'DATA')
        c.send(b'Subject: x\r\n\r\nx\r\n.\r\n')
        return c.reply()[0]


def tree(p):
    """All but the log and the mailboxes' files."""
    found = {os.path.join(top, n) for top, dirs, files in os.walk(p.dir)
             for n in dirs + files}
    return {f for f in found if '/new/' not in f} - {p.log}


def plain(p, user, local):
    """The one message that came is a plain file of its owner's."""
    path, = p.names(user)
    st = os.lstat(path)
    assert stat.S_ISREG(st.st_mode) and st.st_uid == p.uid(
        '_postern-deliver' if user == 'root' else user)
    assert re.fullmatch(r'[0-9A-Za-z._=,-]+', os.path.basename(path)), path
    trace, content = split_trace(p.take(user)[0])
    assert content == b'Subject: x\n\nx\n', content
    assert trace.count(b'\nDelivered-To: ') == 1, trace


def recipients(p, *kinds):
    s = Sender(p)
    for user in USERS:
        assert s.told(to=user.encode() + b'@here.example') == 250
        plain(p, user, user)
    before, n, stored = tree(p), 0, 0
    for local in (x for k in kinds for x in k(p.path('canary'))):
        code = s.told(to=local + b'@here.example')
        n += 1
        got = [u for u in USERS if p.names(u)]
        if code == 250:
            assert len(got) == 1, (local, got)
            tagged = local.lstrip(b'"').startswith((b'alice+', b'alice"'))
            assert got == (['alice'] if tagged else ['root']), (local, got)
            plain(p, got[0], local)
            stored += 1
        else:
            assert 500 <= code < 600 and got == [], (local, code, got)
    t.note('%d recipients, %d stored' % (n, stored))
    assert n > 150 and stored >= 2, (n, stored)
    assert tree(p) == before, tree(p) ^ before
    for sign in 'worker-died', 'worker-lost', 'session-killed':
        assert sign not in p.logged(), sign


def senders(p):
    """As a reverse-path it is refused, or one field of the message."""
    s, before, stored = Sender(p), tree(p), 0
    for local in payloads(p.path('canary')):
        code = s.told(sender=local + b'@away.example')
        if code == 250:
            message, = p.take()
            first = message.split(b'\n')[0]
            assert first.startswith(b'Return-Path: <') and first.endswith(
                b'@away.example>'), first
            assert message.endswith(b'\nSubject: x\n\nx\n')
            stored += 1
        else:
            assert 500 <= code < 600, (local, code)
    t.note('%d stored' % stored)
    assert stored > 40
    assert tree(p) == before, tree(p) ^ before


p = Postern({'source-limit': '1000'})
p.start()
t.run('recipients, users of a file', recipients, p, payloads,
      tags, octets)
t.run('senders', senders, p)
p.clean()
if p.multi:
    p = Postern({'source-limit': '1000', 'users': None})
    p.configure({'mailbox': 'maildir:%s/%%u/Maildir' % p.path('home')})
    p.start()
    t.run('recipients, users of the system', recipients, p, payloads)
else:
    t.skip('recipients, users of the system', 'needs root')
t.done()
