#!/usr/bin/python3
"""mailbox lmtp: what is said to the server, and what its replies become,
also when they are not what they should be."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import tap
from lmtp import BEGIN, DATA, MAIL, RCPT, Server
from postern import Postern
from request import Deliver

t = tap.Tap()


def start():
    p = Postern()
    p.configure({'mailbox': 'lmtp:' + p.path('lmtp')})
    return p, Deliver(p).requests()


def verdicts(p, r, script, to=('alice',), content=b'x\n', **more):
    s = Server(p, script)
    for name in to:
        r.rcpt(name)
    got = r.store(content, n=len(to), **more)
    s.thread.join(20)
    return s, got


def conversation():
    p, r = start()
    s, v = verdicts(p, r, BEGIN + MAIL + RCPT * 2 + DATA +
                    [(None, b'250 2.0.0 <alice> stored\r\n'),
                     (None, b'250 2.0.0 <bob> stored\r\n')],
                    ('alice', 'bob+tag'), b'Subject: x\n\n.\n..\nend')
    assert [x[0] for x in v] == ['D', 'D'], v
    assert s.heard == [b'LHLO localhost\r\n',
                       b'MAIL FROM:<a@away.example>\r\n',
                       b'RCPT TO:<alice>\r\n', b'RCPT TO:<bob>\r\n',
                       b'DATA\r\n', b'QUIT\r\n'], s.heard
    assert s.content == b'Subject: x\r\n\r\n..\r\n...\r\nend\r\n', s.content


def null_sender_and_empty_content():
    p, r = start()
    s, v = verdicts(p, r, BEGIN + MAIL + RCPT + DATA +
                    [(None, b'250 ok\r\n')], content=b'', sender='')
    assert v[0][:2] == ('D', '2.0.0'), v
    assert b'MAIL FROM:<>\r\n' in s.heard and s.content == b''


def big_content():
    """Dots and line ends at every border of a block."""
    p, r = start()
    text = b''.join(b'.' * (i % 3) + b'y' * (i % 977) + b'\n'
                    for i in range(1000))
    s, v = verdicts(p, r, BEGIN + MAIL + RCPT + DATA +
                    [(None, b'250 ok\r\n')], content=text)
    assert v[0][0] == 'D'
    got = b''.join(line[1:] if line[:1] == b'.' else line
                   for line in s.content.splitlines(True))
    assert got == text.replace(b'\n', b'\r\n')


def each_has_his_reply():
    p, r = start()
    s, v = verdicts(p, r, BEGIN + MAIL + RCPT + [
        (b'RCPT TO:<bob>', b'550 5.1.1 who?\r\n'),
        (b'RCPT TO:<carol>', b'452 4.2.2 full\r\n')] + DATA + [
        (None, b'250 2.0.0 stored\r\n')], ('alice', 'bob', 'carol'))
    assert v == [('D', '2.0.0', 'stored'), ('N', '5.1.1', 'who?'),
                 ('L', '4.2.2', 'full')], v
    s, v = verdicts(p, r, BEGIN + MAIL + RCPT * 3 + DATA + [
        (None, b'250 2.0.0 stored\r\n'), (None, b'552-5.2.2 too\r\n552 5.2.2 '
                                          b'big\r\n'),
        (None, b'451 later\r\n')], ('alice', 'bob', 'carol'))
    assert v == [('D', '2.0.0', 'stored'), ('N', '5.2.2', 'too/big'),
                 ('L', '4.0.0', 'later')], v


def everything_refused():
    for script, letter in (
            ([(None, b'421 4.3.2 not now\r\n')], 'L'),
            ([(None, b'554 5.3.2 never\r\n')], 'N'),
            ([(None, b'220 hi\r\n'), (b'LHLO', b'500 what?\r\n')], 'N'),
            (BEGIN + [(b'MAIL', b'451 4.3.0 no\r\n')], 'L'),
            (BEGIN + [(b'MAIL', b'552 5.3.4 too big\r\n')], 'N'),
            (BEGIN + MAIL + [(b'RCPT', b'450 busy\r\n')] * 2, 'L'),
            (BEGIN + MAIL + RCPT * 2 + [(b'DATA', b'451 4.3.0 no\r\n')], 'L'),
            (BEGIN + MAIL + RCPT * 2 + [(b'DATA', b'554 no\r\n')], 'N'),
            (BEGIN + MAIL + RCPT * 2 + [(b'DATA', b'250 ok\r\n')], 'L')):
        p, r = start()
        s, v = verdicts(p, r, script, ('alice', 'bob'))
        assert [x[0] for x in v] == [letter] * 2, (script, v)


def not_lmtp():
    """Anything that is no reply, and every end before one, is "later"."""
    for script in (
            [],
            [(None, b'')],
            [(None, b'\r\n')],
            [(None, b'hello\r\n')],
            [(None, b'999 hello\r\n')],
            [(None, b'220')],
            [(None, b'220-x\r\n250 y\r\n')],
            [(None, b'220-' + b'x' * 70000 + b'\r\n')],
            [(None, b'220-x\r\n' * 300)],
            [(None, b'354 go on\r\n')],
            BEGIN + MAIL + RCPT,
            BEGIN + MAIL + [(b'RCPT', b'350 go\r\n')] * 2,
            BEGIN + MAIL + RCPT * 2 + DATA,
            BEGIN + MAIL + RCPT * 2 + DATA + [(None, b'350 ok\r\n')]):
        p, r = start()
        try:
            s, v = verdicts(p, r, script, ('alice', 'bob'))
        except TimeoutError:
            raise AssertionError(script)
        assert [x[0] for x in v] == ['L', 'L'], (script, v)
        assert r.fate('alice') == 'D', 'deliver goes on'
        assert 'worker-died' not in p.logged()


def half_of_the_replies():
    """Who was answered is stored, whoever was not is tried again."""
    p, r = start()
    s, v = verdicts(p, r, BEGIN + MAIL + RCPT * 2 + DATA +
                    [(None, b'250 2.0.0 stored\r\n')], ('alice', 'bob'))
    assert [x[0] for x in v] == ['D', 'L'], v


def hostile_text():
    """What the server says is kept printable and short."""
    p, r = start()
    s, v = verdicts(p, r, BEGIN + MAIL + RCPT + DATA + [
        (None, b'550-5.7.1 \x1b[2J\xff\r\n550 5.7.1 ' + b'z' * 2000 +
         b'\r\n')])
    assert v[0][:2] == ('N', '5.7.1')
    assert v[0][2].startswith('?[2J?/zzz') and len(v[0][2]) == 160, v


def no_server():
    p, r = start()
    r.rcpt('alice')
    assert r.store(b'x\n')[0][:2] == ('L', '4.4.1')


def list_owners():
    """Copies with another reverse-path are transactions of their own."""
    p, r = start()
    p.write('aliases', 'owner-news: alice\nnews: alice\n')
    s, v = verdicts(p, r, BEGIN + [
        (b'MAIL FROM:<owner-news@here.example>', b'250 ok\r\n')] + RCPT +
        DATA + [(None, b'250 ok\r\n')], ('news',))
    assert v[0][0] == 'D', (v, s.heard)


def beside_a_maildir():
    """root's Maildir gets its copy only when the server takes one too."""
    p, r = start()
    s, v = verdicts(p, r, BEGIN + [(b'MAIL', b'451 no\r\n')],
                    ('root', 'alice'))
    assert [x[0] for x in v] == ['L', 'L'] and not p.messages('root')
    s, v = verdicts(p, r, BEGIN + MAIL + RCPT + DATA +
                    [(None, b'250 ok\r\n')], ('root', 'alice'))
    assert [x[0] for x in v] == ['D', 'D'] and len(p.messages('root')) == 1


Postern()
for name, test in list(globals().items()):
    if callable(test) and getattr(test, '__module__', '') == '__main__' and \
            name not in ('start', 'Server', 'verdicts'):
        t.run(name.replace('_', ' '), test)
t.done()
