#!/usr/bin/env python3
"""What takes its time in the small internet: hosts that say nothing at all, a
resolver that does not answer or comes and goes, and thousands of messages to
Debian's Postfix, each of which arrives once."""
import collections
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
import names                            # noqa: E402
import world                            # noqa: E402
from hop import EHLO, Authority, Hop    # noqa: E402
from postern import until         # noqa: E402
from qsite import Site                  # noqa: E402
from tap import Tap                     # noqa: E402
from world import relayed               # noqa: E402

PASS_S = 1500
MESSAGES = int(os.environ.get('WORLD_MESSAGES', '2000'))
DOMAINS = 40
ZONE = '''
a A 192.0.2.11
hole A 192.0.2.98
hole AAAA 2001:db8::98
half A 192.0.2.11
half AAAA 2001:db8::98
slow A 192.0.2.12
post A 192.0.2.25
dark MX 10 hole
dark MX 20 a
twofold MX 10 half
flushes MX 10 slow
many MX 10 post
*.many MX 10 post
'''


class Internet:
    def __init__(self, ca):
        self.hosts = h = world.Hosts()
        h.add('names', world.NAMES)
        h.add('resolvers', world.RESOLVER)
        h.add('a', '192.0.2.11')
        h.add('slow', '192.0.2.12')
        h.add('post', '192.0.2.25')
        # what is sent there reaches nobody
        for address in '192.0.2.98', '2001:db8::98':
            world.sh('ip neigh add %s lladdr 02:00:00:00:00:99 dev eth0 nud '
                     'permanent' % address)
        self.dns = names.World({'signed': (names.SIGNED, ZONE)}, (),
                               (world.NAMES, 53), h.prefix('names'))
        self.resolver = None
        self.resolve()
        self.sink = world.SmtpSink(h, 'a', '192.0.2.11')
        self.postfix = world.Postfix(
            h, 'post', 'post.signed', (ca.last + '.key', ca.last + '.pem'),
            [('192.0.2.25', {})])

    def resolve(self):
        self.resolver = world.Resolver(self.hosts, 'resolvers',
                                       world.RESOLVER)

    def site(self, **conf):
        return Site(dict({'resolver': world.RESOLVER + ':53', 'dnssec': 'auto',
                          'trust-anchor': self.dns.anchor}, **conf))


def long_pass(p):
    with open(p.log, 'ab') as log:
        subprocess.run([p.queue, '-C', p.conf], stdin=subprocess.DEVNULL,
                       stderr=log, timeout=PASS_S, check=True)


def hole(net):
    """Nobody at the first exchanger's addresses, IPv4 nor IPv6: the second
    has it; a dead IPv6 is followed by the same host's IPv4."""
    p = net.site()
    p.put('alice@here.example', ['bob@dark.signed'])
    p.put('alice@here.example', ['bob@twofold.signed'])
    long_pass(p)
    assert p.files() == [], p.logged()
    for domain in 'dark', 'twofold':
        assert sum('@%s.signed>' % domain in t
                   for t in net.sink.taken()) == 1, p.logged()
    p.clean()


def silent_resolver(net):
    """It takes questions and says nothing: all waits, and is sent later."""
    with names.Proxy(lambda q, ask: None) as silent:
        p = net.site(resolver=silent.resolver)
        for i in range(5):
            p.put('alice@here.example', ['bob@n%d.many.signed' % i])
        long_pass(p)
        assert silent.asked, 'nobody asked'
    assert len(p.files()) == 5 and 'event=failed' not in p.logged(), p.logged()
    p.configure({'resolver': world.RESOLVER + ':53'})
    p.make_due()
    long_pass(p)
    assert p.files() == [], p.logged()
    p.clean()


def flushes(net):
    """PIPELINING is offered, and what comes in a group is thrown away but for
    the first command: given up for now, and never told as delivered."""
    def talk(c):
        c.opening(EHLO + b'250 END\r\n')
        c.sock.settimeout(900)
        while c.sock.recv(65536):
            c.say(b'250 2.0.0 ok\r\n')
    with net.hosts.inside('slow'):
        hop = Hop(talk, at=('192.0.2.12', 25))
    with hop:
        p = net.site()
        p.put('alice@here.example', ['bob@flushes.signed'])
        long_pass(p)
    rcpt = p.read(p.files()[0]).rcpts[0]
    assert (rcpt.status, rcpt.code[0]) == ('N', '4'), p.logged()
    p.clean()


def arrived(net):
    return collections.Counter(
        n for t in net.postfix.taken()
        for n in re.findall(rb'^Subject: number (\d+)$', t, re.M))


def resolver_comes_and_goes(net):
    """... while passes follow each other: nothing bounces, nothing is lost,
    nothing arrives twice."""
    p = net.site(concurrency='10')
    p.start()
    for i in range(MESSAGES):
        p.put('alice@here.example',
              ['bob@n%d.many.signed' % (i % DOMAINS)],
              b'Subject: number %d\n\nx\n' % i)
    over = threading.Event()

    def disturb():
        while not over.wait(3):
            net.resolver.end()
            over.wait(2)
            net.resolve()
    t = threading.Thread(target=disturb)
    t.start()
    try:
        end = time.monotonic() + PASS_S
        while p.files() and time.monotonic() < end:
            long_pass(p)
            p.make_due()
    finally:
        over.set()
        t.join()
    assert p.files() == [], p.logged()[-3000:]
    assert until(lambda: len(arrived(net)) == MESSAGES, 300), len(arrived(net))
    assert set(arrived(net).values()) == {1}, 'twice'
    assert not p.messages(), 'bounced'
    assert {r['tls'] for r in relayed(p)} == {'encrypted'}
    p.clean()


def run(ca):
    tap = Tap()
    world.trust(ca)
    net = Internet(ca)
    for test in hole, silent_resolver, flushes, resolver_comes_and_goes:
        tap.run(test.__name__.replace('_', ' '), test, net)
    net.postfix.end()
    net.dns.end()
    tap.done()


def authority():
    ca = Authority()
    ca.issue('DNS:post.signed')
    return ca


world.play(run, authority)
