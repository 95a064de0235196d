#!/usr/bin/python3
"""The carrier and hops that are of no use, or mean harm: another one takes the
message, or it is later; nothing is lost, bounced, or given to two."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import tap
from hop import GO, OK, PLAIN, Hop, accepting, carry, message

t = tap.Tap()


# --- hosts that fail --------------------------------------------------------

def failover():
    """Each way to be of no use, and the next host takes the message."""
    def closed(c):
        pass
    rows = (
        ('closes at once', closed),
        ('says 554', lambda c: c.say(b'554 5.7.1 go away\r\n')),
        ('says 421', lambda c: c.say(b'421 busy\r\n')),
        ('refuses EHLO', lambda c: (c.say(b'220 x\r\n'),
                                    c.ask(b'550 no\r\n'))),
        ('speaks no SMTP', lambda c: c.say(b'SSH-2.0-OpenSSH_9\r\n')),
        ('closes in the middle of a line', lambda c: c.say(b'220 he')),
        ('closes after EHLO', lambda c: (c.opening(), c.line())),
        ('says 421 to MAIL', lambda c: (c.opening(PLAIN),
                                        c.ask(b'421 4.3.2 bye\r\n'))),
        ('closes within the envelope', lambda c: (
            c.opening(PLAIN), c.ask(OK), c.line())),
    )
    for name, talk in rows:
        with Hop(talk) as bad, Hop(accepting()) as good:
            r = carry(['smtp://' + bad.where, 'smtp://' + good.where])
        t.equal((r.fates(), r.of(0)[5:]),
                ([(0, 'D', '2.6.0')], ['[127.0.0.1]', 'none']),
                'the first %s, the second takes it' % name)


def nobody():
    with Hop(lambda c: c.say(b'554 5.7.1 go away\r\n')) as h:
        r = carry('smtp://' + h.where)
    t.equal(r.letters, 'X', 'nobody: told before a message is taken')
    t.equal(r.unreachable(), ('4.7.1', h.where + ': 554 5.7.1 go away'),
            'later, whatever it says: it is one host')
    h.sock = None
    r = carry('smtp://' + h.where)
    t.equal(r.unreachable()[0], '4.4.1', 'refused connection')
    r = carry('lmtp:/nowhere/at/all')
    t.equal(r.unreachable(), ('4.4.1',
                              '/nowhere/at/all: No such file or directory'),
            'no such socket')


def lost_content():
    """Whose content was under way when the connection went is later, and is
    not given to another host."""
    def talk(c):
        c.opening()
        c.group(OK, OK, GO)
        c.content()
    with Hop(talk) as bad, Hop(accepting()) as good:
        r = carry(['smtp://' + bad.where, 'smtp://' + good.where],
                  message(), message(b'next\n'))
    t.equal([x[2:4] for x in r.records if x[0] == 'V'],
            [['L', '4.4.2'], ['L', '4.4.2']], 'later')
    t.equal((len(bad.heard), good.heard), (2, []), 'no other host')


def left_alone():
    """A connection that the hop closed between two messages."""
    def once(c):
        c.opening()
        c.group(OK, OK, GO)
        c.content()
        c.say(OK)
    with Hop(once) as h:
        r = carry('smtp://' + h.where, message(), message(), message())
    t.equal((r.letters, len(h.heard)), ('AVEAVEAVEA', 3), 'called again')


def message_of_death():
    """A hop that hangs up at one message: that one is later, the next one is
    delivered."""
    def talk(c):
        c.opening(PLAIN)
        if b'dead' in c.line():
            return
        c.say(OK)
        c.ask(OK)
        c.ask(GO)
        c.content()
        c.say(OK)
        c.end()
    with Hop(talk) as h:
        r = carry('smtp://' + h.where, message(sender='dead@here.example'),
                  message())
    t.equal([x[2] for x in r.records if x[0] == 'V'], ['L', 'W'],
            'only the one')


# --- hostile ----------------------------------------------------------------

def hostile():
    """None of these makes a message done, or bounced."""
    def endless(c):
        try:
            while True:
                c.say(b'220-' + b'x' * 1000 + b'\r\n')
        except OSError:
            pass

    def ahead(c):
        c.say(b'220 x\r\n' + OK * 10 + GO + OK)
        c.end()

    def early(c):
        c.opening()
        c.group(OK, OK, GO + OK)
        c.content()
        c.end()
    rows = (
        ('a line without end', lambda c: c.say(b'220 ' + b'x' * 200000)),
        ('lines without end', endless),
        ('octets of any kind', lambda c: c.say(bytes(range(256)) * 20)),
        ('NULs', lambda c: c.say(b'\0' * 1000)),
        ('only line ends', lambda c: c.say(b'\r\n' * 1000)),
        ('codes that differ', lambda c: c.say(b'220-x\r\n250 y\r\n')),
        ('every reply ahead of its question', ahead),
        ('250 ahead of the content', early),
        ('600', lambda c: c.say(b'600 x\r\n')),
        ('354 for a greeting', lambda c: c.say(b'354 x\r\n')),
        ('250 to DATA', lambda c: (c.opening(), c.group(OK, OK, OK),
                                   c.end())),
        ('355 to DATA', lambda c: (c.opening(), c.group(OK, OK,
                                                        b'355 x\r\n'),
                                   c.end())),
        ('354 to MAIL', lambda c: (c.opening(), c.group(GO, OK, GO),
                                   c.end())),
        ('354 to RCPT', lambda c: (c.opening(), c.group(OK, GO, GO),
                                   c.end())),
        ('354 after the content', lambda c: (
            c.opening(), c.group(OK, OK, GO), c.content(), c.say(GO),
            c.end())),
        ('a 250 cut off', lambda c: (
            c.opening(), c.group(OK, OK, GO), c.content(),
            c.say(b'250 taken'))),
        ('a 250 that goes on', lambda c: (
            c.opening(), c.group(OK, OK, GO), c.content(),
            c.say(b'250-taken\r\n'))),
        ('250 and then 550', lambda c: (
            c.opening(), c.group(OK, OK, GO), c.content(),
            c.say(b'250-taken\r\n550 no\r\n'))),
    )
    for name, talk in rows:
        with Hop(talk) as h:
            r = carry('smtp://' + h.where)
        if 'X' in r.letters:
            status = r.unreachable()[0]
        else:
            status = r.of(0)[3] if r.of(0)[2] == 'L' else r.of(0)
        t.ok(status[0] == '4', '%s: later' % name, (r.records, r.log))


def odd_words():
    """What is said is data: bounded, printable, one field."""
    rows = (
        (b'550 ' + b'y' * 5000 + b'\r\n', '5.0.0', '550 ' + 'y' * 156),
        (b'550-5.1.1 one\n550-\r\n550 5.1.1 "two"\\\r\n', '5.1.1',
         r'550 5.1.1 one//\\x22two\\x22\\x5c'),
        (b'550 5.1.1 a\0b\tc\x1b[31m\xff\r\n', '5.1.1',
         '550 5.1.1 a?b?c?[31m?'),
        (b'550\r\n', '5.0.0', '550'),
        (b'550 2.0.0 no\r\n', '5.0.0', '550 2.0.0 no'),
        (b'550 5.1.1 x\rfate=done\r\n', '5.1.1', '550 5.1.1 x?fate=done'),
        (b'550 9.9.9 \x80\r\n', '5.0.0', '550 9.9.9 ?'),
    )
    for reply, status, text in rows:
        def talk(c):
            c.opening(PLAIN)
            c.ask(OK)
            c.ask(reply)
            c.ask(OK)
            c.end()
        with Hop(talk) as h:
            r = carry('smtp://' + h.where)
        # carry escapes what it prints once more
        text = text.replace(r'\\x', r'\x')
        t.equal(r.of(0)[2:5], ['N', status, text], 'said: %r' % reply[:40])


def refused_midway():
    """A refusal within a content larger than any buffer, by one who reads no
    more: it is heard, and is the answer."""
    big = b'x' * 70 + b'\n'
    big = big * 200000

    def talk(c):
        c.opening(PLAIN)
        c.ask(OK)
        c.ask(OK)
        c.ask(GO)
        for _ in range(100):
            c.lines.readline()
        c.say(b'552 5.3.4 too big\r\n')
        c.sock.settimeout(10)
        while c.lines.read(65536):
            pass
    with Hop(talk) as h:
        r = carry('smtp://' + h.where, message(big))
    t.equal(r.fates(), [(0, 'N', '5.3.4')], 'refused in the midst')


def big_content():
    text = b''.join(b'.' * (i % 3) + b'y' * (i % 977) + b'\n'
                    for i in range(20000))
    with Hop(accepting(ehlo=b'250-x\r\n250 PIPELINING\r\n')) as h:
        r = carry('smtp://' + h.where, message(text))
    got = b''.join(line[1:] if line[:1] == b'.' else line
                   for line in h.contents[0].splitlines(True))
    t.ok(got == text.replace(b'\n', b'\r\n'), '10 MB come back whole')
    t.equal(r.fates(), [(0, 'W', '2.6.0')], 'and are taken')


def many_recipients():
    """4096 of them, answered only when all questions that may be under way
    have been heard; neither side waits for the other for ever."""
    rcpts = ['%s%d@away.example' % ('u' * 50, i) for i in range(4096)]

    def talk(c):
        c.opening()
        c.ask(OK, b'MAIL')
        while True:
            line = c.line()
            if line.startswith(b'DATA'):
                break
            c.say(b'250 2.1.5 ' + b'z' * 400 + b'\r\n')
        c.say(GO)
        c.content()
        c.say(OK)
        c.end()
    with Hop(talk) as h:
        r = carry('smtp://' + h.where, message(rcpts=rcpts))
    t.ok([f for _, f, _ in r.fates()] == ['D'] * 4096, '4096 recipients',
         r.records[:3])


def silence():
    """Each place where a hop may fall silent: time-outs are made by telling
    that poll(2) has waited in vain."""
    def after(*steps):
        def talk(c):
            for s in steps:
                s(c)
            while c.line():
                pass
        return talk
    rows = (
        ('before the greeting', after()),
        ('within a reply', after(lambda c: c.say(b'220-x\r\n220'))),
    )
    for name, talk in rows:
        with Hop(talk) as h:
            # the first poll(2) is for the connection
            r = carry('smtp://' + h.where, prefix=[
                'strace', '-f', '-o', '/dev/null', '-e', 'trace=poll',
                '-e', 'inject=poll:retval=0:when=2+'])
        t.equal(r.unreachable(), ('4.4.2', h.where + ': no reply in time'),
                'silent ' + name)


def main():
    for test in (failover, nobody, lost_content, left_alone,
                 message_of_death, hostile, odd_words, refused_midway,
                 big_content, many_recipients, silence):
        t.run(test.__name__.replace('_', ' '), test)
    t.done()


main()
