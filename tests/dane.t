#!/usr/bin/env python3
"""DANE (RFC 7672) from the DNS to the handshake: domains of a signed DNS,
exchangers on port 25 whose certificates fit their TLSA records or do not.
A message that must not go out in clear stays here."""
import os
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import names                                                # noqa: E402
from hop import (EHLO, GO, OK, Authority, Hop, carry,       # noqa: E402
                 hashed, message)
from postern import ROOT                                    # noqa: E402
from tap import Tap, skip_all                               # noqa: E402

PAST = '20200101000000Z', '20210101000000Z'


class Server:
    """A certificate, and what the DNS says of it."""
    count = 0

    def __init__(self, ca, name, dates=(), starttls=True, broken=False):
        Server.count += 1
        self.address = '192.0.2.%d' % Server.count
        self.name, self.starttls, self.broken = name, starttls, broken
        ca.issue('DNS:' + name, *dates)
        pem = ca.last + '.pem'
        self.ee = '3 1 1 ' + hashed(pem, 'key')
        self.ta = '2 0 1 ' + hashed(ca.ca, 'certificate')
        with open(ca.ca) as f, open(pem, 'a') as chain:
            chain.write(f.read())
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem, ca.last + '.key')
        self.sni = []
        self.context.sni_callback = lambda s, name, c: self.sni.append(name)

    def talk(self, c):
        if self.starttls:
            c.opening(EHLO + b'250 STARTTLS\r\n')
            c.ask(b'220 go\r\n', b'STARTTLS\r\n')
            if self.broken:
                c.say(b'no TLS\r\n' * 20)
                c.end()
                return
            c.tls(self.context)
            c.ask(EHLO + b'250 END\r\n', b'EHLO')
        else:
            c.opening()
        c.group(OK, OK, GO)
        c.content()
        c.say(OK)
        c.end()

    def listen(self):
        self.hop = Hop(self.talk, at=(self.address, 25))
        return self.hop


BAD = '3 1 1 ' + '00' * 32
PKIX = '1 1 1 ' + '00' * 32
DANE, TLS, CLEAR, LATER = 'dane', 'encrypted', 'none', None


def cases(ca):
    """(name, what comes of mail, servers with their TLSA records, zone)"""
    here = lambda n: '%s.signed' % n            # noqa: E731
    ok = lambda n, **k: Server(ca, here(n), **k)        # noqa: E731
    off = lambda n, **k: Server(ca, 'other.example', **k)       # noqa: E731
    table = [
        ('ee', DANE, ok, {}, ['ee']),
        ('ee-other-name', DANE, off, {}, ['ee']),
        ('ee-expired', DANE, ok, {'dates': PAST}, ['ee']),
        ('ee-one-of-two', DANE, ok, {}, [BAD, 'ee']),
        ('ee-and-unusable', DANE, ok, {}, [PKIX, 'ee']),
        ('ee-mismatch', LATER, ok, {}, [BAD]),
        ('ee-mismatch-and-unusable', LATER, ok, {}, [PKIX, BAD]),
        ('ta', DANE, ok, {}, ['ta']),
        ('ta-other-name', LATER, off, {}, ['ta']),
        ('ta-expired', LATER, ok, {'dates': PAST}, ['ta']),
        ('ta-mismatch', LATER, ok, {}, ['2 0 1 ' + '00' * 32]),
        ('no-starttls', LATER, ok, {'starttls': False}, ['ee']),
        ('broken-starttls', LATER, ok, {'broken': True}, ['ee']),
        ('unusable', TLS, off, {}, [PKIX]),
        ('unusable-no-starttls', LATER, ok, {'starttls': False}, [PKIX]),
        ('unusable-broken', LATER, ok, {'broken': True}, [PKIX]),
        ('without', TLS, off, {}, []),
        ('without-no-starttls', CLEAR, ok, {'starttls': False}, []),
    ]
    for name, wanted, make, more, tlsa in table:
        s = make('mx-' + name, **more)
        yield (name, wanted, s, [getattr(s, t, t) if len(t) == 2 else t
                                 for t in tlsa])


def zone_of(name, server, tlsa):
    lines = ['%s MX 10 mx-%s\n' % (name, name),
             'mx-%s A %s\n' % (name, server.address)]
    lines += ['_25._tcp.mx-%s TLSA %s\n' % (name, t) for t in tlsa]
    return ''.join(lines)


def send(world, domain):
    return carry([], message(rcpts=['bob@' + domain]), domain=domain,
                 resolver=world.resolver, **{'trust-anchor': world.anchor})


def commands(hop):
    return b''.join(b''.join(c) for c in hop.heard)


def one(world, name, wanted, server, *_):
    with server.listen() as hop:
        r = send(world, name + '.signed')
    said = commands(hop)
    if wanted is LATER:
        assert not any(hop.contents) and b'MAIL' not in said, said
        assert r.letters in ('X', 'AX'), (r.records, r.log)
        assert r.unreachable()[0].startswith('4.'), r.records
        return
    assert len(hop.contents) == 1, (r.records, r.log)
    assert r.fates()[0][1] == 'D' and r.of(0)[6] == wanted, r.records
    if wanted == DANE:
        # the name that TLSA records belong to, RFC 7672 8.1
        assert server.sni == [server.name if 'other' not in server.name
                              else 'mx-%s.signed' % name], server.sni


def second_serves(world, bad, good, domain):
    """An exchanger that is not who it should be: the next one."""
    with bad.listen() as first, good.listen() as second:
        r = send(world, domain)
    assert not first.contents and len(second.contents) == 1, r.log
    assert r.of(0)[6] == DANE, r.records


def hidden(world, server, domain):
    """Records that cannot be had: the exchanger is not even called."""
    with server.listen() as hop:
        r = send(world, domain)
    assert not hop.heard and not hop.contents, hop.heard
    assert r.unreachable()[0] == '4.4.3', r.records


def unsigned(world, server, domain):
    """What an unsigned zone says of certificates is not believed."""
    with server.listen() as hop:
        r = send(world, domain)
    assert len(hop.contents) == 1 and r.of(0)[6] == TLS, (r.records, r.log)


def main():
    network = names.own_network('route add local 192.0.2.0/24 dev lo')
    why = names.missing()
    if why:
        skip_all(why)
    if not network:
        skip_all('port 25 needs root, for a network of its own')
    os.chdir(ROOT)
    tap = Tap()
    ca = Authority()
    table = list(cases(ca))
    by_name = {c[0]: c for c in table}
    zone = ''.join(zone_of(n, s, t) for n, _, s, t in table)
    zone += ('two MX 10 mx-ee-mismatch\ntwo MX 20 mx-ee\n'
             '_25._tcp.mx-hidden TLSA 3 1 1 badc0de%s\n' % ('0' * 57))
    lost = Server(ca, 'mx-hidden.signed')
    zone += 'hidden MX 10 mx-hidden\nmx-hidden A %s\n' % lost.address
    plain = Server(ca, 'mx.plain')
    world = names.World(
        {'signed': (names.SIGNED, zone),
         'plain': (names.PLAIN, '@ MX 10 mx\nmx A %s\n_25._tcp.mx TLSA %s\n'
                   % (plain.address, BAD))},
        [('badc0de', 'bad0c0e')])
    try:
        for case in table:
            tap.run(case[0], one, world, *case)
        tap.run('the second exchanger serves', second_serves, world,
                by_name['ee-mismatch'][2], by_name['ee'][2], 'two.signed')
        tap.run('hidden records', hidden, world, lost, 'hidden.signed')
        tap.run('an unsigned zone', unsigned, world, plain, 'plain')
    finally:
        ca.clean()
    world.end()
    tap.done()


main()
