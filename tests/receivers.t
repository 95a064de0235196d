#!/usr/bin/env python3
"""How large receivers treat strangers: not now, not so much, not so many, not
so large; and servers that promise what they do not keep.  Each message arrives
once or is still here."""
import collections
import os
import re
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import box                              # noqa: E402
from hop import EHLO, GO, OK, Hop       # noqa: E402
from postern import ROOT                # noqa: E402
from qsite import Site                  # noqa: E402
from tap import Tap                     # noqa: E402

PLAIN = EHLO + b'250 END\r\n'
BYE = b'221 2.0.0 bye\r\n'


class Receiver:
    """A talk that takes mail as a policy says: rcpt(address) and mail(n, line)
    return a reply or None for "yes"; after `most` messages over a connection
    last(c) is called.  What it took: {subject: [recipients of each time]}."""

    def __init__(self, greeting=b'220 hop.example\r\n', ehlo=PLAIN,
                 rcpt=None, mail=None, most=None, last=None):
        self.greeting, self.ehlo = greeting, ehlo
        self.rcpt, self.mail = rcpt, mail
        self.most, self.last = most, last
        self.taken = collections.defaultdict(list)
        self.transactions = []          # recipients asked for in each
        self.lock = threading.Lock()

    def __call__(self, c):
        greeting = self.greeting
        if callable(greeting):
            greeting = greeting()
        c.say(greeting)
        if not greeting.startswith(b'220'):
            c.end()
            return
        c.ask(self.ehlo, b'EHLO')
        n, rcpts = 0, []
        while True:
            line = c.line()
            verb = line[:4].upper()
            if verb in (b'', b'QUIT'):
                c.say(BYE)
                return
            if self.most is not None and n >= self.most:
                self.last(c)
                return
            if verb == b'MAIL':
                rcpts, asked = [], 0
                self.transactions.append(0)
                refused = self.mail and self.mail(n, line)
                c.say(refused or OK)
            elif verb == b'RCPT':
                asked += 1
                self.transactions[-1] = asked
                who = line.split(b'<')[1].split(b'>')[0].decode()
                answer = self.rcpt and self.rcpt(who, len(rcpts))
                if refused:
                    answer = b'503 5.5.1 no MAIL\r\n'
                if not answer:
                    rcpts.append(who)
                c.say(answer or OK)
            elif verb == b'DATA' and not rcpts:
                c.say(b'503 5.5.1 nobody\r\n')
            elif verb == b'DATA':
                c.say(GO)
                text = c.content()
                with self.lock:
                    self.taken[subject(text)].append(rcpts)
                c.say(b'250 2.6.0 taken\r\n')
                n += 1
            else:
                c.say(OK)


def subject(text):
    m = re.search(rb'Subject: (\S+)', text)
    assert m, text
    return m[1].decode()


def site(*hops, **conf):
    p = Site(dict({'smarthost': ' '.join('smtp://' + h.where for h in hops),
                   'destination-concurrency': '1'}, **conf))
    p.start()
    return p


def put(p, mark, rcpts=('bob@away.example',), **more):
    p.put('alice@here.example', list(rcpts),
          b'Subject: %s\n\nx\n' % mark.encode(), **more)


def waiting(p):
    return {r.address: r.code.strip() for f in p.files()
            for r in p.read(f).rcpts if r.status == 'N'}


def again(p):
    p.make_due()
    p.pass_()


def once(r, *marks):
    """Each of these arrived, one time."""
    assert {k: len(v) for k, v in r.taken.items()} == dict.fromkeys(
        marks, 1), r.taken


def not_now():
    """421 and 554 instead of a greeting, then a proper one."""
    for words in b'421 4.3.2 busy\r\n', b'554 5.7.1 bad reputation\r\n':
        greetings = [words]
        r = Receiver(lambda: greetings.pop() if greetings
                     else b'220 hop.example\r\n')
        with Hop(r) as hop:
            p = site(hop)
            put(p, 'one')
            p.pass_()
            assert waiting(p)['bob@away.example'][0] == '4', p.logged()
            assert not p.messages(), 'bounced'
            again(p)
        assert p.files() == [], p.logged()
        once(r, 'one')
        p.clean()


def next_host():
    """... and where there is another host, that one has it at once."""
    busy, free = Receiver(b'421 4.3.2 busy\r\n'), Receiver()
    with Hop(busy) as first, Hop(free) as second:
        p = site(first, second)
        put(p, 'one')
        p.pass_()
    once(free, 'one')
    assert p.files() == [], p.logged()
    p.clean()


def greylisting():
    """Each new recipient is told to come again."""
    seen = set()

    def rcpt(who, _):
        if who in seen:
            return None
        seen.add(who)
        return b'450 4.2.0 greylisted, come again\r\n'
    r = Receiver(rcpt=rcpt)
    rcpts = ['u%d@away.example' % i for i in range(5)]
    with Hop(r) as hop:
        p = site(hop)
        put(p, 'grey', rcpts)
        p.pass_()
        assert waiting(p) == dict.fromkeys(rcpts, '4.2.0'), p.logged()
        assert not r.taken and not p.messages()
        again(p)
    assert r.taken == {'grey': [rcpts]}, r.taken
    assert p.files() == [], p.logged()
    p.clean()


def one_of_them():
    """One recipient is put off: the others have it, and only once."""
    off = ['b@away.example']
    r = Receiver(rcpt=lambda who, _: b'450 4.2.1 mailbox busy\r\n'
                 if who in off else None)
    with Hop(r) as hop:
        p = site(hop)
        put(p, 'some', ['a@away.example', 'b@away.example',
                        'c@away.example'])
        p.pass_()
        assert waiting(p) == {'b@away.example': '4.2.1'}, p.logged()
        off.clear()
        again(p)
    assert r.taken == {'some': [['a@away.example', 'c@away.example'],
                                ['b@away.example']]}, r.taken
    assert p.files() == [], p.logged()
    p.clean()


def says_421(c):
    c.say(b'421 4.7.0 too many messages on this connection\r\n')


def hangs_up(c):
    pass


def so_many_a_connection():
    """After three messages the connection ends, in clear words or without:
    all ten arrive in one pass, once."""
    marks = ['m%d' % i for i in range(10)]
    for last in says_421, hangs_up:
        r = Receiver(most=3, last=last)
        with Hop(r) as hop:
            p = site(hop)
            for m in marks:
                put(p, m)
            p.pass_()
            assert len(hop.heard) == 4, len(hop.heard)
        once(r, *marks)
        assert p.files() == [], p.logged()
        p.clean()


def rate_limited():
    """451 to MAIL after three messages: the rest waits, nothing is sent
    twice."""
    marks = ['m%d' % i for i in range(10)]
    r = Receiver(mail=lambda n, _: b'451 4.7.1 rate limited\r\n'
                 if n >= 3 else None)
    with Hop(r) as hop:
        p = site(hop)
        for m in marks:
            put(p, m)
        p.pass_()
        assert len(p.files()) == 7 and len(r.taken) == 3, p.logged()
        for _ in range(3):
            again(p)
    once(r, *marks)
    assert p.files() == [] and not p.messages(), p.logged()
    p.clean()


def so_many_recipients():
    """Ten at a time, said in three ways; in one pass."""
    rcpts = ['u%d@away.example' % i for i in range(35)]
    for words in (b'452 4.5.3 too many recipients\r\n',
                  b'452 too many recipients\r\n',
                  b'552 5.5.3 too many recipients\r\n'):
        r = Receiver(rcpt=lambda _, n: words if n >= 10 else None)
        with Hop(r) as hop:
            p = site(hop)
            put(p, 'crowd', rcpts)
            p.pass_()
        assert [len(t) for t in r.taken['crowd']] == [10, 10, 10, 5], r.taken
        assert sorted(sum(r.taken['crowd'], [])) == sorted(rcpts), r.taken
        assert p.files() == [] and not p.messages(), p.logged()
        p.clean()


def one_recipient_only():
    """RCPTMAX=1 and MAILMAX=2: neither limit is tried out."""
    r = Receiver(ehlo=EHLO + b'250 LIMITS RCPTMAX=1 MAILMAX=2\r\n')
    rcpts = ['u%d@away.example' % i for i in range(5)]
    with Hop(r) as hop:
        p = site(hop)
        put(p, 'five', rcpts)
        put(p, 'other')
        p.pass_()
        assert all(sum(s[:4] == b'MAIL' for s in c) <= 2
                   for c in hop.heard), hop.heard
    assert set(r.transactions) == {1}, r.transactions
    assert sorted(sum(r.taken['five'], [])) == rcpts, r.taken
    assert r.taken['other'] == [['bob@away.example']], r.taken
    assert p.files() == [], p.logged()
    p.clean()


def too_large():
    """SIZE says so before anything is sent, or 552 to MAIL does; the sender
    hears it.  What is small goes on the same connection."""
    def said(n, line):
        size = int(re.search(rb'SIZE=(\d+)', line)[1])
        return b'552 5.3.4 too large\r\n' if size > 1000 else None
    for r in (Receiver(ehlo=EHLO.replace(b'1000000', b'1000') +
                       b'250 END\r\n'), Receiver(mail=said)):
        with Hop(r) as hop:
            p = site(hop)
            p.put('alice@here.example', ['bob@away.example'],
                  b'Subject: large\n\n' + b'x' * 70 + b'\n' * 2000)
            put(p, 'small')
            p.pass_()
        once(r, 'small')
        reports = p.take('alice')
        assert len(reports) == 1 and b'Status: 5.3.4' in reports[0], reports
        assert p.files() == [], p.logged()
        p.clean()


# --- PIPELINING that is promised and not kept --------------------------------

def only_the_first(c):
    """Answers a command and throws away what came with it; has enough of
    waiting at last."""
    c.opening(PLAIN)
    c.sock.settimeout(0.5)
    try:
        while True:
            octets = c.sock.recv(65536)
            if not octets:
                return
            c.say(OK)
    except OSError:
        c.say(b'421 4.4.2 time-out\r\n')


def one_for_all(c):
    """One 250 for the whole group, then 354 for the content's first line."""
    c.opening(PLAIN)
    c.sock.settimeout(0.5)
    try:
        c.sock.recv(65536)
        c.say(OK)
        c.sock.recv(65536)
        c.say(GO + OK)
        c.sock.recv(65536)
    except OSError:
        pass


def eager(c):
    """All replies, that of the content too, before there is content."""
    c.opening(PLAIN)
    for _ in range(3):
        c.line()
    c.say(OK + OK + GO + b'250 2.0.0 taken\r\n')
    c.end()


def loses_one(c):
    """Answers MAIL and DATA, not RCPT: 354 where RCPT's reply is due."""
    c.opening(PLAIN)
    for _ in range(3):
        c.line()
    c.say(OK + GO)
    c.content()
    c.say(OK)
    c.end()


def one_too_many(c):
    """A reply more than there were commands."""
    c.opening(PLAIN)
    for _ in range(3):
        c.line()
    c.say(OK + OK + OK + GO)
    c.content()
    c.say(OK)
    c.end()


def refuses_groups(c):
    """Takes a group as an offence."""
    c.opening(PLAIN)
    c.line()
    c.say(b'503 5.5.0 improper pipelining\r\n421 4.7.0 bye\r\n')


def promised(talk):
    """Nothing counts as delivered that was not asked for and answered in
    order, and a server that does keep its word gets it afterwards."""
    good = Receiver()
    with Hop(talk, good) as hop:
        p = site(hop)
        put(p, 'one')
        p.pass_()
        assert not hop.contents or not good.taken, hop.contents
        left = p.files()
        if talk is refuses_groups and not left:
            # 503 to MAIL is a refusal that the sender hears
            assert len(p.take('alice')) == 1, p.logged()
            p.clean()
            return
        assert len(left) == 1 and waiting(p), p.logged()
        assert not p.messages(), 'bounced'
        again(p)
    once(good, 'one')
    assert p.files() == [], p.logged()
    p.clean()


def main():
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix='receivers-') as directory:
        os.chmod(directory, 0o755)
        box.isolate(directory)  # before the first hop, where that is possible
        run()


def run():
    tap = Tap()
    for test in (not_now, next_host, greylisting, one_of_them,
                 so_many_a_connection, rate_limited, so_many_recipients,
                 one_recipient_only, too_large):
        tap.run(test.__name__.replace('_', ' '), test)
    for talk in (only_the_first, one_for_all, eager, loses_one, one_too_many,
                 refuses_groups):
        tap.run('PIPELINING: ' + talk.__name__.replace('_', ' '), promised,
                talk)
    tap.done()


main()
