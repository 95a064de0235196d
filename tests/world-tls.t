#!/usr/bin/env python3
"""TLS to other people's mail systems: Debian's Postfix behind a signed DNS,
with TLSA records that fit and such that do not, and what stands between.  The
log tells how safe each message was on its way."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import names                            # noqa: E402
import world                            # noqa: E402
from hop import Authority, hashed       # noqa: E402
from qsite import Site                  # noqa: E402
from tap import Tap                     # noqa: E402
from world import relayed               # noqa: E402

TLD = 'signed NS ns.root.\nplain NS ns.root.\nexpired NS ns.root.\n'
BAD = '3 1 1 ' + '00' * 32
# domain, last number of its exchanger's address, TLSA record (ee, ta: one that fits),
# options of the server; what becomes of mail
ONLY12 = {'smtpd_tls_protocols': '>=TLSv1.2, <=TLSv1.2'}
ONLY13 = {'smtpd_tls_protocols': '>=TLSv1.3'}
NO_TLS = {'smtpd_tls_security_level': 'none'}
OTHER = {'smtpd_tls_chain_files': '%(other)s'}
OLD = {'smtpd_tls_chain_files': '%(old)s'}
LATER = None
TABLE = (
    ('ee12', 61, 'ee', ONLY12, 'dane'),
    ('ee13', 62, 'ee', ONLY13, 'dane'),
    ('ta', 63, 'ta', {}, 'dane'),
    ('ta-other', 64, 'ta', OTHER, LATER),
    ('ee-old', 65, 'ee-old', OLD, 'dane'),
    ('wrong', 66, BAD, {}, LATER),
    ('bogus', 67, '3 1 1 badc0de%s' % ('0' * 57), {}, LATER),
    ('no-tls', 68, 'ee', NO_TLS, LATER),
    ('without', 69, None, OTHER, 'encrypted'),
    ('without-no-tls', 70, None, NO_TLS, 'none'),
    ('stripped', 71, 'ee', {}, LATER),
    ('stripped-may', 72, None, {}, 'none'),
)
SIX = '2001:db8::60'
ZONE = '''
six MX 10 mx.six
mx.six AAAA %s
next MX 10 mx.wrong
next MX 20 mx.ee13
two MX 10 mx.stripped
two MX 20 mx.without
far MX 10 mx.expired.example.
''' % SIX


def zones(ca):
    pem = ca.last + '.pem'
    fits = {'ee': '3 1 1 ' + hashed(pem, 'key'),
            'ee-old': '3 1 1 ' + hashed(ca.old + '.pem', 'key'),
            'ta': '2 0 1 ' + hashed(ca.ca, 'certificate')}
    zone = ZONE + '_25._tcp.mx.six TLSA %s\n' % fits['ta']
    for name, n, tlsa, *_ in TABLE:
        zone += '%s MX 10 mx.%s\nmx.%s A 192.0.2.%d\n' % (name, name, name, n)
        if tlsa:
            zone += '_25._tcp.mx.%s TLSA %s\n' % (name, fits.get(tlsa, tlsa))
    mx = '@ MX 10 mx\nmx A 192.0.2.69\n_25._tcp.mx TLSA %s\n'
    return {'example': (names.SIGNED, TLD),
            'signed.example': (names.SIGNED, zone),
            'plain.example': (names.PLAIN, mx % BAD),
            'expired.example': (names.EXPIRED, mx % fits['ee'])}


class Internet:
    def __init__(self, ca):
        self.hosts = h = world.Hosts()
        h.add('names', world.NAMES)
        h.add('resolvers', world.RESOLVER)
        addresses = ['192.0.2.%d' % n for _, n, *_ in TABLE]
        strangers = addresses[-2:]
        h.add('mail', *addresses[:-2], '192.0.2.60', SIX)
        h.add('strangers', *strangers)
        self.dns = names.World(zones(ca), [('badc0de', 'bad0c0e')],
                               (world.NAMES, 53), h.prefix('names'))
        self.resolver = world.Resolver(h, 'resolvers', world.RESOLVER)
        self.postfix = world.Postfix(
            h, 'mail', 'mx.example', (ca.last + '.key', ca.last + '.pem',
                                      ca.ca),
            [('192.0.2.60', {}), (SIX, {})] + [
                ('192.0.2.%d' % n, {k: v % ca.chains for k, v in o.items()})
                for _, n, _, o, _ in TABLE[:-2]])
        self.strippers = [world.Stripper(h, 'strangers', (a, 25),
                                         ('192.0.2.60', 25))
                          for a in strangers]

    def site(self, **conf):
        return Site(dict({'resolver': self.resolver.resolver, 'dnssec': 'auto',
                          'trust-anchor': self.dns.anchor}, **conf))


def send(net, domain, mark, resolver=None, policy='auto', **conf):
    """A message through a pass of its own.  The log's line of its fate, or
    None when it waits."""
    p = net.site(dnssec=policy, resolver=resolver or net.resolver.resolver,
                 **conf)
    p.put('alice@here.example', ['bob@' + domain],
          b'Subject: %s\n\nx\n' % mark.encode())
    p.pass_()
    lines = [r for r in relayed(p) if r['to'] == 'bob@' + domain]
    log, left = p.logged(), p.files()
    rcpts = [r for f in left for r in p.read(f).rcpts]
    p.clean()
    assert len(lines) <= 1, log
    assert bool(left) == (not lines), log
    return (lines[0] if lines else None), rcpts, log


def goes(net, domain, level, mark, **more):
    line, _, log = send(net, domain, mark, **more)
    assert line, log
    assert line['tls'] == level and line['status'] == '2.0.0', line
    net.postfix.took(mark)
    return log


def stays(net, domain, mark, **more):
    """It waits here, and nobody has got it."""
    line, rcpts, log = send(net, domain, mark, **more)
    assert not line, log
    assert rcpts[0].status == 'N' and rcpts[0].code[0] == '4', log
    assert not any(mark.encode() in t for t in net.postfix.taken()), log
    return rcpts[0], log


def one(net, name, level):
    domain = name + '.signed.example'
    if level is LATER:
        stays(net, domain, 'to-' + name)
    else:
        goes(net, domain, level, 'to-' + name)


def versions(net):
    """What Postfix says it spoke."""
    for version in 'TLSv1.2', 'TLSv1.3':
        assert 'TLS connection established from unknown[192.0.2.1]: ' \
            + version in net.postfix.logged(), version


def by_ipv6(net):
    goes(net, 'six.signed.example', 'dane', 'to-six')


def next_one(net):
    """The first is not who it should be: the second is called."""
    log = goes(net, 'next.signed.example', 'dane', 'to-next')
    assert 'mx.wrong.signed.example' in log, log


def stripped_next(net):
    """... whatever the second offers, as long as it is no less safe than the
    DNS promises for it."""
    goes(net, 'two.signed.example', 'encrypted', 'to-two')


def expired(net):
    """An exchanger whose records can be trusted no more is not called."""
    rcpt, log = stays(net, 'far.signed.example', 'to-far')
    assert rcpt.code.strip() == '4.4.3' and 'event=relay' not in log, log


def unsigned(net):
    """TLSA records that anybody can write are not looked at."""
    goes(net, 'plain.example', 'encrypted', 'to-plain')


def plain(query):
    """The question without EDNS: no signatures in the answer."""
    q = query[:names.question_end(query)]
    return q[:10] + b'\0\0' + q[12:]


def stripping_resolver(net):
    """Without signatures DANE is off, and that is logged; who requires them
    waits; who wants none hears nothing of it."""
    with names.Proxy(lambda q, ask: ask(plain(q)), (world.RESOLVER, 53)) as p:
        log = goes(net, 'wrong.signed.example', 'encrypted', 'insecurely',
                   resolver=p.resolver)
        assert 'no DNSSEC, no DANE' in log, log
        rcpt, log = stays(net, 'wrong.signed.example', 'required',
                          resolver=p.resolver, policy='require')
        assert 'no mail goes out' in log and rcpt.code[0] == '4', log
        log = goes(net, 'wrong.signed.example', 'encrypted', 'off',
                   resolver=p.resolver, policy='off')
        assert 'DNSSEC' not in log, log


def switched_off(net):
    """... even when there are signatures."""
    goes(net, 'wrong.signed.example', 'encrypted', 'switched-off',
         policy='off')


def required(net):
    goes(net, 'ee13.signed.example', 'dane', 'with-signatures',
         policy='require')


def stripped_in_clear(net):
    """Where nobody promises TLS the message goes, and the log says how; where
    somebody does it has not passed the wire."""
    said = [s.said for s in net.strippers]
    assert b'to-stripped-may' in said[1] and b'STARTTLS' not in said[1], said
    assert b'to-stripped' not in said[0] and b'MAIL' not in said[0], said


def stripped_smarthost(net):
    """A smarthost with a password behind one who strips: nothing of it."""
    p = net.site(smarthost='smtp+tls://me@mx.stripped.signed.example:25')
    path = p.write('credentials', 'mx.stripped.signed.example me se-cret\n')
    os.chmod(path, 0o600)
    p.own(path, '_postern-queue')
    p.configure({'credentials': path})
    p.put('alice@here.example', ['bob@ee12.signed.example'])
    before = len(net.strippers[0].said)
    p.pass_()
    said = net.strippers[0].said[before:]
    rcpt = p.read(p.files()[0]).rcpts[0]
    assert rcpt.status == 'N' and rcpt.code.strip() == '4.7.5', p.logged()
    assert said.startswith(b'EHLO') and b'AUTH' not in said and \
        b'MAIL' not in said, said
    assert 'se-cret' not in p.logged()
    p.clean()


def all_of_it(net):
    """Eight bits, UTF-8 in addresses, and DSN parameters reach Postfix, which
    reports."""
    p = net.site()
    p.put('alice@here.example', [
        ('j\u00f6rg@ee13.signed.example', {'notify': 2 | 4})],
        'Subject: all-of-it \u00e9\n\nbody \u00e9\n.\n..\n'.encode(),
        envid='whole-envelope', ret='HDRS', body='8BITMIME', flags='su')
    p.pass_()
    assert p.files() == [], p.logged()
    # the report has the header, but not the body
    text = net.postfix.took('Subject: all-of-it \u00e9', '\n\nbody \u00e9')
    assert text.endswith('\n\nbody \u00e9\n.\n..\n'.encode()), text
    report = net.postfix.took('Original-Envelope-Id: whole-envelope')
    for wanted in ('Action: delivered', 'j\u00f6rg@ee13.signed.example'):
        assert wanted.encode() in report, (wanted, report[600:])
    log = net.postfix.logged()
    p.clean()
    assert 'status=sent' in log, log


def one_connection(net):
    """Thirty messages, one connection, one handshake."""
    p = net.site(**{'destination-concurrency': '1'})
    connects = 'TLS connection established from'
    before = net.postfix.logged().count(connects)
    for i in range(30):
        p.put('alice@here.example', ['bob@ee12.signed.example'],
              b'Subject: thirty %d.\n\nx\n' % i)
    p.pass_()
    assert p.files() == [], p.logged()
    assert net.postfix.logged().count(connects) == before + 1
    for i in range(30):
        net.postfix.took('thirty %d.' % i)
    assert {r['tls'] for r in relayed(p)} == {'dane'}, p.logged()
    p.clean()


def authority():
    """One certificate for all exchangers, one of a stranger's, an old one."""
    ca = Authority()
    good = ',DNS:'.join('mx.%s.signed.example' % t[0]
                        for t in TABLE + (('six',),))
    ca.chains = {}
    for name, san, dates in (
            ('other', 'other.example', ()),
            ('old', 'mx.ee-old.signed.example', ('20200101000000Z',
                                                 '20210101000000Z')),
            ('good', good, ())):
        ca.issue('DNS:' + san, *dates)
        path = os.path.join(ca.dir, name + '-chain')
        with open(path, 'w') as f:
            for part in ca.last + '.key', ca.last + '.pem', ca.ca:
                with open(part) as one_:
                    f.write(one_.read())
        ca.chains[name] = path
        if name == 'old':
            ca.old = ca.last
    return ca


def run(ca):
    tap = Tap()
    world.trust(ca)
    net = Internet(ca)
    for name, _, _, _, level in TABLE:
        tap.run(name, one, net, name, level)
    for test in (versions, by_ipv6, next_one, stripped_next, expired, unsigned,
                 stripping_resolver, switched_off, required,
                 stripped_in_clear, stripped_smarthost, all_of_it,
                 one_connection):
        tap.run(test.__name__.replace('_', ' '), test, net)
    net.postfix.end()
    net.dns.end()
    tap.done()


world.play(run, authority)
