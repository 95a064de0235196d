#!/usr/bin/env python3
"""Mail to domains of a small internet: the queue as it is shipped, told by
postern.conf alone where its resolver and its trust anchor are, finds the hosts
by a signed DNS and hands messages to the mail systems that stand there."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import names                            # noqa: E402
import world                            # noqa: E402
from hop import Hop, polite             # noqa: E402
from postern import HOST          # noqa: E402
from qsite import Site                  # noqa: E402
from tap import Tap                     # noqa: E402

TLD = '''
signed NS ns.root.
plain NS ns.root.
expired NS ns.root.
lame NS ns.root.
'''
ZONE = '''
a A 192.0.2.11
a AAAA 2001:db8::11
b A 192.0.2.12
b AAAA 2001:db8::12
c A 192.0.2.13
c AAAA 2001:db8::13
d AAAA 2001:db8::11
refuses A 192.0.2.19
gone A 192.0.2.99
gone AAAA 2001:db8::99
order MX 20 b
order MX 10 a
*.equal MX 10 a
*.equal MX 10 b
*.equal MX 20 c
third MX 10 refuses
third MX 10 gone
third MX 20 c
six MX 10 c
only6 MX 10 d
direct A 192.0.2.11
direct6 AAAA 2001:db8::12
alias CNAME order
mx-alias MX 10 other
other CNAME a
xn--bcher-kva MX 10 b
backup MX 10 refuses
backup MX 20 %(us)s.
backup MX 30 b
null MX 0 .
text TXT x
self MX 10 %(us)s.
own MX 10 own4
own4 A %(us4)s
own6 AAAA %(us6)s
loop MX 10 loop4
loop4 A 127.0.0.1
loop6 AAAA ::1
zero A 0.0.0.0
mapped AAAA ::ffff:127.0.0.1
altered MX 10 altered-mx
altered-mx A 192.0.2.198
''' % {'us': HOST, 'us4': world.US4, 'us6': world.US6}
CHANGED = [(r'192\.0\.2\.198', '192.0.2.66')]
ZONES = {
    'example': (names.SIGNED, TLD),
    'signed.example': (names.SIGNED, ZONE),
    'plain.example': (names.PLAIN, '@ MX 10 mx\nmx A 192.0.2.12\n'),
    'expired.example': (names.EXPIRED, '@ MX 10 mx\nmx A 192.0.2.66\n'),
    'lame.example': (names.LAME, ''),
}
# where a message comes to: the address that is called, and the name there
TAKEN = {
    'order.signed.example': 'a',
    'third.signed.example': 'c',
    'six.signed.example': 'c',
    'only6.signed.example': 'd',
    'direct.signed.example': 'a',
    'direct6.signed.example': 'b',
    'alias.signed.example': 'a',
    'mx-alias.signed.example': 'a',
    'plain.example': 'b',
    '[192.0.2.11]': 'a',
    '[IPv6:2001:db8::12]': 'b',
}
NEVER = {
    'nx.signed.example': '5.1.2',
    'nx.plain.example': '5.1.2',
    'no-such-tld': '5.1.2',
    'null.signed.example': '5.1.10',
    'text.signed.example': '5.4.4',
    'self.signed.example': '5.4.6',
    'own.signed.example': '5.4.6',
    'own6.signed.example': '5.4.6',
    'loop.signed.example': '5.4.6',
    'loop6.signed.example': '5.4.6',
    'zero.signed.example': '5.4.6',
    'mapped.signed.example': '5.4.6',
    '[127.0.0.1]': '5.4.6',
    '[0.0.0.0]': '5.4.6',
    '[%s]' % world.US4: '5.4.6',
    '[IPv6:%s]' % world.US6: '5.4.6',
    '[IPv6:::1]': '5.4.6',
}
LATER = {
    'lame.example': '4.4.3',
    'expired.example': '4.4.3',
    'altered.signed.example': '4.4.3',
}


class Internet:
    """What all tests use: hosts, a DNS, two resolvers, sinks by name."""

    def __init__(self):
        self.hosts = h = world.Hosts()
        h.add('names', world.NAMES)
        h.add('resolvers', world.RESOLVER, VALIDATING)
        for n, host in enumerate('abc'):
            h.add(host, '192.0.2.1%d' % (n + 1), '2001:db8::1%d' % (n + 1))
        h.add('refuses', '192.0.2.19')
        h.add('evil', '192.0.2.66')
        world.give_up_soon()
        self.dns = names.World(ZONES, CHANGED, (world.NAMES, 53),
                               h.prefix('names'))
        self.resolver = world.Resolver(h, 'resolvers', world.RESOLVER)
        self.strict = world.Resolver(h, 'resolvers', VALIDATING,
                                     self.dns.anchor)
        sink = lambda host, a: world.SmtpSink(h, host, a)   # noqa: E731
        self.sinks = {
            'a': [sink('a', '192.0.2.11'), sink('a', '2001:db8::11')],
            'b': [sink('b', '192.0.2.12'), sink('b', '2001:db8::12')],
            'c': [sink('c', '192.0.2.13')],     # its IPv6 is dead
            'evil': [sink('evil', '192.0.2.66')],
        }
        self.sinks['d'] = self.sinks['a'][1:]

    def taken(self, host, domain):
        """Messages that a host has for a domain."""
        return [t for s in self.sinks[host] for t in s.taken()
                if '@%s>' % domain in t]

    def site(self, **conf):
        return Site(dict({'resolver': self.resolver.resolver, 'dnssec': 'auto',
                          'trust-anchor': self.dns.anchor}, **conf))


VALIDATING = '192.0.2.55'


def statuses(reports):
    """{address: status} of all reports together."""
    found = {}
    for text in reports:
        for block in text.decode().split('\n\n'):
            to = re.search(r'^Final-Recipient: rfc822; ?(.*)$', block, re.M)
            status = re.search(r'^Status: (\S+)$', block, re.M)
            if to and status:
                found[to.group(1)] = status.group(1)
    return found


def waiting(p):
    """{address: code} of the recipients that wait."""
    return {r.address: r.code.strip() for f in p.files()
            for r in p.read(f).rcpts if r.status == 'N'}


def everywhere(net):
    """One message to all kinds of domains: each has its fate, and nothing
    calls this host or one that a forged answer names."""
    p = net.site()
    p.start()
    domains = list(TAKEN) + list(NEVER) + list(LATER)
    p.put('alice@here.example', ['bob@' + d for d in domains])
    with Hop(polite, at=('0.0.0.0', 25)) as own4, \
            Hop(polite, at=('::', 25)) as own6:
        p.pass_()
    for domain, host in TAKEN.items():
        assert len(net.taken(host, domain)) == 1, (domain, p.logged())
    for domain in 'order.signed.example', 'alias.signed.example':
        assert not net.taken('b', domain), 'not the best'
    assert statuses(p.take('alice')) == {
        'bob@' + d: s for d, s in NEVER.items()}, p.logged()
    assert waiting(p) == {'bob@' + d: s for d, s in LATER.items()}, p.logged()
    assert not own4.heard and not own6.heard, 'called itself'
    assert not net.sinks['evil'][0].taken(), 'called a forged address'
    p.clean()


def equals(net):
    """Both of them, over many messages, and never the one behind them."""
    p = net.site()
    domains = ['n%d.equal.signed.example' % i for i in range(24)]
    p.put('alice@here.example', ['bob@' + d for d in domains])
    p.pass_()
    assert p.files() == [], p.logged()
    got = [[d for d in domains if net.taken(host, d)] for host in 'abc']
    assert got[0] and got[1] and not got[2], got
    assert sorted(got[0] + got[1]) == sorted(domains), got
    p.clean()


def many_messages(net):
    """... of one destination take the same way together."""
    p = net.site()
    domain = 'm.equal.signed.example'
    for _ in range(20):
        p.put('alice@here.example', ['bob@' + domain])
    p.pass_()
    assert p.files() == [], p.logged()
    assert sum(len(net.taken(h, domain)) for h in 'ab') == 20, p.logged()
    p.clean()


def idn(net):
    """A domain beyond ASCII is called by its A-label; smtp-sink knows no
    SMTPUTF8, so mail that needs it comes back."""
    p = net.site()
    p.start()
    p.put('alice@here.example', ['bob@xn--bcher-kva.signed.example'])
    p.put('alice@here.example', ['bob@b\u00fccher.signed.example'], flags='su')
    p.pass_()
    assert p.files() == [], p.logged()
    assert len(net.taken('b', 'xn--bcher-kva.signed.example')) == 1
    reports = p.take('alice')
    assert len(reports) == 1 and b'5.6.7' in reports[0], reports
    assert 'relay=b.signed.example' in p.logged(), p.logged()
    p.clean()


def backup(net):
    """We are the second of three: mail waits for the first, and does not go
    on to the third."""
    p = net.site()
    p.put('alice@here.example', ['bob@backup.signed.example'])
    p.pass_()
    assert len(p.files()) == 1, p.logged()
    assert not net.taken('b', 'backup.signed.example')
    p.make_due()
    sink = world.SmtpSink(net.hosts, 'refuses', '192.0.2.19')
    try:
        p.pass_()
        assert p.files() == [] and len(sink.taken()) == 1, p.logged()
    finally:
        sink.end()
    p.clean()


def validating(net):
    """A resolver that validates itself says SERVFAIL to what was forged."""
    p = net.site(resolver=net.strict.resolver)
    p.put('alice@here.example', ['bob@' + d for d in LATER] +
          ['carol@order.signed.example'])
    p.pass_()
    assert waiting(p) == {'bob@' + d: s for d, s in LATER.items()}, p.logged()
    p.clean()


def lies(net):
    """A resolver whose answers lead elsewhere: a signed domain waits."""
    def reply(query, ask):
        return ask(query).replace(bytes([192, 0, 2, 11]),
                                  bytes([192, 0, 2, 66]))
    with names.Proxy(reply, (world.RESOLVER, 53)) as liar:
        p = net.site(resolver=liar.resolver)
        p.put('alice@here.example', ['bob@direct.signed.example'])
        p.pass_()
    assert waiting(p) == {'bob@direct.signed.example': '4.4.3'}, p.logged()
    assert not net.sinks['evil'][0].taken(), 'was led astray'
    p.configure({'resolver': net.resolver.resolver})
    p.make_due()
    p.pass_()
    assert p.files() == [], p.logged()
    p.clean()


def run():
    tap = Tap()
    net = Internet()
    for test in (everywhere, equals, many_messages, idn, backup,
                 validating, lies):
        tap.run(test.__name__.replace('_', ' '), test, net)
    net.dns.end()
    tap.done()


world.play(run)
