#!/usr/bin/python3
"""The carrier and a hop: what is said on the wire, and what becomes of each
recipient."""
import email
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import tap
from hop import EHLO, GO, OK, PLAIN, Hop, accepting, carry, lockstep, message

t = tap.Tap()


# --- what is said -----------------------------------------------------------

def on_the_wire():
    with Hop(accepting(2)) as h:
        r = carry('smtp://' + h.where, message(
            b'Subject: x\n\n.\n..two\nno end', ['b@away.example',
                                              'c@away.example']))
    t.equal(h.heard[0], [
        b'EHLO here.example\r\n',
        b'MAIL FROM:<alice@here.example> SIZE=32\r\n',
        b'RCPT TO:<b@away.example>\r\n', b'RCPT TO:<c@away.example>\r\n',
        b'DATA\r\n', b'QUIT\r\n'], 'what is said')
    t.equal(h.contents, [b'Subject: x\r\n\r\n..\r\n...two\r\nno end\r\n'],
            'content as it is sent')
    t.equal(r.fates(), [(0, 'D', '2.6.0'), (1, 'D', '2.6.0')], 'fates')
    t.equal(r.letters, 'AVVEA', 'records')
    t.equal(r.of(0)[4:], ['250 2.6.0 taken', '[127.0.0.1]', 'none'],
            'what was said, by whom, and how')
    t.ok('event=relay id=message-0 to=b@away.example relay=%s tls=none '
         'status=2.6.0 reply="250 2.6.0 taken"' % h.where in r.log,
         'a line in the log for each', r.log)


def parameters():
    with Hop(accepting(3)) as h:
        carry('smtp://' + h.where, message(
            b'x \xc3\xa9\n', ['b@away.example,6,rfc822;b+2Bc@x.example',
                              'c@away.example,1', '\xfc@away.example,8'],
            envid='a+2Bb', ret='H', body='8', flags='u'))
    t.equal(h.heard[0][1:5], [
        b'MAIL FROM:<alice@here.example> SIZE=6 BODY=8BITMIME SMTPUTF8 '
        b'RET=HDRS ENVID=a+2Bb\r\n',
        b'RCPT TO:<b@away.example> NOTIFY=SUCCESS,FAILURE '
        b'ORCPT=rfc822;b+2Bc@x.example\r\n',
        b'RCPT TO:<c@away.example> NOTIFY=NEVER\r\n',
        'RCPT TO:<\xfc@away.example> NOTIFY=DELAY\r\n'.encode()],
            'every parameter that is offered')


def nothing_offered():
    with Hop(lockstep(1, b'250 hop.example\r\n')) as h:
        r = carry('smtp://' + h.where, message(
            rcpts=['b@away.example,6,rfc822;x'], envid='a', ret='F',
            body='8', sender=''))
    t.equal(h.heard[0], [
        b'EHLO here.example\r\n', b'MAIL FROM:<>\r\n',
        b'RCPT TO:<b@away.example>\r\n', b'DATA\r\n', b'QUIT\r\n'],
            'nothing that is not offered')
    t.equal(r.fates(), [(0, 'W', '2.0.0')], 'told that it knows no DSN')


def lock_step():
    with Hop(lockstep(3)) as h:
        r = carry('smtp://' + h.where, message(
            rcpts=['a@x.example', 'b@x.example', 'c@x.example']))
    t.equal([f for _, f, _ in r.fates()], ['W'] * 3,
            'one after the other without PIPELINING')


def helo():
    def talk(c):
        c.say(b'220-old\r\n220 server\r\n')
        c.ask(b'500 what?\r\n', b'EHLO here.example')
        c.ask(b'250 hello\r\n', b'HELO here.example')
        c.ask(OK, b'MAIL')
        c.ask(OK, b'RCPT')
        c.ask(GO, b'DATA')
        c.content()
        c.say(b'250\r\n')
        c.end()
    with Hop(talk) as h:
        r = carry('smtp://' + h.where)
    t.equal(r.fates(), [(0, 'W', '2.0.0')], 'HELO for who knows no EHLO')


def address_without_brackets():
    with Hop(accepting()) as h:
        r = carry('smtp://' + h.where.replace('[', '').replace(']', ''))
    t.equal(r.fates(), [(0, 'D', '2.6.0')], 'smtp://127.0.0.1:port')


def several_messages():
    with Hop(accepting(1, 3)) as h:
        r = carry('smtp://' + h.where, *[message(b'%d\n' % i)
                                        for i in range(3)])
    t.equal((h.contents, len(h.heard)), ([b'0\r\n', b'1\r\n', b'2\r\n'], 1),
            'three messages over one connection')
    t.equal(r.letters, 'AVEAVEAVEA', 'and their records')


def lmtp():
    def talk(c):
        c.say(b'220 store\r\n')
        c.ask(PLAIN.replace(b'8BITMIME', b'PIPELINING'), b'LHLO here.example')
        c.group(OK, OK, b'550 5.1.1 no such user\r\n', OK, OK, GO)
        c.content()
        c.say(b'250 2.0.0 one\r\n452 4.2.2 full\r\n552 5.2.3 big\r\n')
        c.end()
    with Hop(talk, unix=True) as h:
        r = carry('lmtp:unix:' + h.where, message(
            rcpts=['a', 'b', 'c@x.example', 'd']))
    t.equal(r.fates(), [(0, 'W', '2.0.0'), (1, 'N', '5.1.1'),
                        (2, 'L', '4.2.2'), (3, 'N', '5.2.3')],
            'LMTP: a reply for each')
    t.equal(r.of(3)[4:6], ['552 5.2.3 big', 'localhost'], 'and its words')


# --- what a hop cannot carry ------------------------------------------------

def not_possible():
    rows = (
        ('SMTPUTF8', PLAIN, dict(flags='u'), '5.6.7'),
        ('8BITMIME', b'250 x\r\n', dict(content=b'\xe9\n'), '5.6.3'),
        ('BINARYMIME', PLAIN, dict(body='B'), '5.6.3'),
        ('SIZE', b'250-x\r\n250 SIZE 20\r\n', dict(content=b'x\n' * 7),
         '5.3.4'),
        ('REQUIRETLS', b'250-x\r\n250 REQUIRETLS\r\n', dict(flags='t'),
         '5.7.10'),
    )
    for name, ehlo, more, status in rows:
        def talk(c):
            c.opening(ehlo)
            c.end()
        with Hop(talk) as h:
            r = carry('smtp://' + h.where, message(**more))
        t.equal((r.fates(), r.of(0)[5], h.heard[0][1:]),
                ([(0, 'N', status)], '', [b'QUIT\r\n']),
                'without %s: %s, and nothing is sent' % (name, status))


def possible():
    """As large as it may be; ASCII that was declared as eight bits."""
    for more in dict(content=b'x\n' * 7), dict(body='8'):
        with Hop(lockstep(1, b'250-x\r\n250 SIZE 21\r\n')) as h:
            r = carry('smtp://' + h.where, message(**more))
        t.equal(r.fates(), [(0, 'W', '2.0.0')], 'sent: %r' % more)


# --- fates ------------------------------------------------------------------

def refusals():
    """Reply by reply, with and without PIPELINING: fates of two."""
    rows = (    # MAIL, RCPT, RCPT, DATA, content
        ('250 550 250 354 250', 'NW', '5.0.0 2.0.0'),
        ('250 450 250 354 250', 'LW', '4.0.0 2.0.0'),
        ('250 251 252 354 250', 'WW', '2.0.0 2.0.0'),
        ('250 550 450', 'NL', '5.0.0 4.0.0'),
        ('451', 'LL', '4.0.0 4.0.0'),
        ('552', 'NN', '5.0.0 5.0.0'),
        ('250 250 550 451', 'LN', '4.0.0 5.0.0'),
        ('250 250 250 554', 'NN', '5.0.0 5.0.0'),
        ('250 250 250 354 451', 'LL', '4.0.0 4.0.0'),
        ('250 250 550 354 554', 'NN', '5.0.0 5.0.0'),
    )
    for codes, fates, statuses in rows:
        for pipelining in False, True:
            def talk(c):
                reply = [b'%s x\r\n' % s.encode() for s in codes.split()]
                envelope = reply[:4]
                c.opening(b'250-x\r\n250 %s\r\n' % (
                    b'PIPELINING' if pipelining else b'8BITMIME'))
                if pipelining:
                    # who has said no to all says so to DATA as well
                    while len(envelope) < 4:
                        envelope.append(b'503 5.5.1 x\r\n')
                    c.group(*envelope)
                else:
                    for r in envelope:
                        c.ask(r)
                if envelope[-1][:3] == b'354':
                    c.content()
                    c.say(reply[4])
                if c.line() == b'RSET\r\n':
                    c.say(OK)
                    c.line()
            with Hop(talk) as h:
                r = carry('smtp://' + h.where, message(
                    rcpts=['a@x.example', 'b@x.example']))
            got = [f for _, f, _ in r.fates()], [s for _, _, s in r.fates()]
            t.equal(got, (list(fates), statuses.split()), '%s%s' % (
                codes, ', pipelined' if pipelining else ''))
            t.equal((h.heard[0][-1], r.letters), (b'QUIT\r\n', 'AVVEA'),
                    '... and the connection goes on')


def content_for_nobody():
    """354 although every recipient was refused: an empty end, RFC 2920 3.1."""
    def talk(c):
        c.opening()
        c.group(OK, b'550 no\r\n', GO)
        c.content()
        c.say(b'554 no valid recipients\r\n')
        c.ask(OK, b'RSET')
        c.end()
    with Hop(talk) as h:
        r = carry('smtp://' + h.where)
    t.equal((h.contents, r.fates()), ([b''], [(0, 'N', '5.0.0')]),
            'the end of nothing, for nobody')


def too_many():
    """A hop that takes 100 at a time."""
    rcpts = ['u%d@away.example' % i for i in range(350)]

    def talk(c):
        c.opening()
        while True:
            line = c.line()
            if not line.startswith(b'MAIL'):
                break
            c.say(OK)
            n = 0
            while True:
                line = c.line()
                if not line.startswith(b'RCPT'):
                    break
                n += 1
                c.say(OK if n <= 100 else b'452 4.5.3 too many\r\n')
            c.say(GO)
            c.content()
            c.say(OK)
        c.say(b'221 bye\r\n')
    with Hop(talk) as h:
        r = carry('smtp://' + h.where, message(rcpts=rcpts))
    t.equal([f for _, f, _ in r.fates()], ['D'] * 350, 'all of 350')
    t.equal(len(h.contents), 4, 'in four transactions')


def limits_told():
    """RCPTMAX and MAILMAX: neither is tried out."""
    most = []

    def talk(c):
        c.opening(EHLO + b'250 LIMITS MAILMAX=2 RCPTMAX=3\r\n')
        for _ in range(2):
            if not c.line().startswith(b'MAIL'):
                return
            c.say(OK)
            n = 0
            while c.line().startswith(b'RCPT'):
                n += 1
                c.say(OK)
            most.append(n)
            c.say(GO)
            c.content()
            c.say(OK)
        c.end()
    with Hop(talk) as h:
        r = carry('smtp://' + h.where, message(
            rcpts=['u%d@away.example' % i for i in range(8)]),
            message(b'second\n'))
    t.equal(([f for _, f, _ in r.fates()], most, len(h.heard)),
            (['D'] * 9, [3, 3, 2, 1], 2), 'LIMITS are kept')


def long_lines():
    """What was submitted to us is encoded where a line is too long, and SIZE
    and BODY are of what is sent; what came from elsewhere is not changed."""
    lines = b'w\xc3\xb6rd ' * 300 + b'\n.\n'
    head = b'From: alice@here.example\nSubject: x\n'
    submitted = message(head + b'\n' + lines * 40, flags='s')
    with Hop(accepting()) as h:
        carry('smtp://' + h.where, submitted)
    sent = h.contents[0].replace(b'\n..\r', b'\n.\r')
    t.ok(b' SIZE=%d\r\n' % len(sent) in h.heard[0][1], 'SIZE of what is sent',
         (h.heard[0][1], len(sent)))
    t.ok(max(map(len, sent.split(b'\r\n'))) <= 76, 'no line is too long')
    body = email.message_from_bytes(sent).get_payload(decode=True)
    t.ok(body.replace(b'\r\n', b'\n') == lines * 40, 'it decodes to the same')
    signed = b'DKIM-Signature: v=1\n' + head + b'\n' + lines
    for name, m in (('of another host', message(head + b'\n' + lines)),
                    ('signed', message(signed, flags='s')),
                    ('short', message(head + b'\nshort\n', flags='s'))):
        with Hop(accepting()) as h:
            carry('smtp://' + h.where, m)
        t.equal(h.contents[0].replace(b'\n..\r', b'\n.\r').replace(
            b'\r\n', b'\n'), m['content'], 'unchanged: ' + name)


def main():
    for test in (on_the_wire, parameters, nothing_offered, lock_step,
                 helo, address_without_brackets, several_messages, lmtp,
                 not_possible, possible, refusals, content_for_nobody,
                 too_many, limits_told, long_lines):
        t.run(test.__name__.replace('_', ' '), test)
    t.done()


main()
