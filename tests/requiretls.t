#!/usr/bin/env python3
"""REQUIRETLS (RFC 8689) from the spool to the handshake: such a message goes
to a host that the DNS names for sure, that proves to be it and promises the
same, or it comes back; and so does what comes back."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import box                                              # noqa: E402
import names                                            # noqa: E402
from hop import (EHLO, OK, Authority, Hop, hashed)      # noqa: E402
from postern import ROOT                                # noqa: E402
from qsite import Site                                  # noqa: E402
from tap import Tap, skip_all                           # noqa: E402
from world import relayed, trust                        # noqa: E402

# exchangers: (address, certificate, STARTTLS, REQUIRETLS)
SERVERS = {
    'good': (1, 'good', True, True),
    'stranger': (2, 'other', True, True),
    'old': (3, 'old', True, True),
    'unaware': (4, 'good', True, False),
    'clear': (5, 'good', False, True),
}
ZONE = '''
two MX 10 unaware
two MX 20 good
down MX 10 unaware
down MX 20 nobody
nobody A 192.0.2.99
lost MX 10 nobody
far MX 10 good
proved MX 10 shown
shown A 192.0.2.2
_25._tcp.shown TLSA 3 1 1 %s
'''
SECRET = b'Subject: to be kept\n\nsecret body\n'


class Exchangers:
    """All of them listen as long as the test goes."""

    def __init__(self, ca):
        # a name in the unsigned zone, too: itself, without an MX
        ca.issue('DNS:good.signed,DNS:unaware.signed,DNS:plain,'
                 'DNS:mx.far.plain')
        good = ca.last
        ca.issue('DNS:old.signed', '20200101000000Z', '20210101000000Z')
        old = ca.last
        ca.issue('DNS:other.example')
        self.bases = {'good': good, 'old': old, 'other': ca.last}
        self.hops = {}
        for name, (n, base, tls, aware) in SERVERS.items():
            self.hops[name] = Hop(self.talk(self.bases[base], tls, aware),
                                  at=('192.0.2.%d' % n, 25))

    @staticmethod
    def talk(base, tls, aware):
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(base + '.pem', base + '.key')
        # in clear nothing is promised that counts
        ehlo = EHLO + b'250-REQUIRETLS\r\n' * aware

        def talk(c):
            c.opening(ehlo + (b'250 STARTTLS\r\n' if tls else b'250 END\r\n'))
            if tls:
                line = c.line()
                if not line.startswith(b'STARTTLS'):
                    c.say(b'221 bye\r\n')
                    return
                c.say(b'220 go\r\n')
                c.tls(context)
                c.ask(ehlo + b'250 END\r\n', b'EHLO')
            while True:
                line = c.line().upper()
                if line in (b'', b'QUIT\r\n'):
                    c.say(b'221 bye\r\n')
                    return
                c.say(b'354 go\r\n' if line == b'DATA\r\n' else OK)
                if line == b'DATA\r\n':
                    c.content()
                    c.say(OK)
        return talk

    def heard(self, name):
        return [s for c in self.hops[name].heard for s in c]

    def forget(self):
        for h in self.hops.values():
            h.heard.clear()
            h.contents.clear()


class Case:
    """A site, and a message of the strict kind through one pass."""

    def __init__(self, net, domain, sender='alice@here.example', flags='st',
                 env=(), **conf):
        dns, self.servers = net
        self.servers.forget()
        self.p = Site(dict({'resolver': dns.resolver, 'dnssec': 'auto',
                            'trust-anchor': dns.anchor}, **conf))
        self.p.start()
        self.to = 'bob@' + domain
        self.p.put(sender, [self.to], SECRET, flags=flags, ret='FULL')
        self.p.pass_(env=dict(os.environ, **dict(env)))
        self.log = self.p.logged()
        self.reports = self.p.take('alice')

    def goes(self, server, level):
        lines = [r for r in relayed(self.p) if r['to'] == self.to]
        assert [r['tls'] for r in lines] == [level] and \
            self.p.files() == [], self.log
        assert len(self.servers.hops[server].contents) == 1, self.log
        mails = [s for s in self.servers.heard(server) if s[:4] == b'MAIL']
        return mails[0]

    def kept(self):
        """Nobody was given anything of it."""
        for name, hop in self.servers.hops.items():
            assert not hop.contents, name
            assert not [s for s in self.servers.heard(name)
                        if s[:4] in (b'MAIL', b'RCPT')], name

    def comes_back(self, status, text=''):
        self.kept()
        assert self.p.files() == [], self.log
        assert len(self.reports) == 1, self.log
        report = self.reports[0].decode()
        assert '\nStatus: %s\n' % status in report and text in report, report
        assert 'Subject: to be kept' in report, report
        assert 'secret body' not in report, 'RET=FULL has to be disregarded'
        assert 'encrypted' in report, 'no advice'

    def waits(self, status):
        self.kept()
        rcpt = self.p.read(self.p.files()[0]).rcpts[0]
        assert (rcpt.status, rcpt.code.strip()) == ('N', status), self.log


def verified(net):
    mail = Case(net, 'good.signed').goes('good', 'verified')
    assert b' REQUIRETLS' in mail, mail


def by_dane(net):
    """What TLSA records prove needs no authority."""
    mail = Case(net, 'proved.signed').goes('stranger', 'dane')
    assert b' REQUIRETLS' in mail, mail


def itself(net):
    """Without an MX the domain's own name is the one to prove, whatever the
    DNS is worth."""
    Case(net, 'plain').goes('good', 'verified')


def stranger(net):
    Case(net, 'stranger.signed').comes_back('5.7.10', 'not proved')


def expired(net):
    Case(net, 'old.signed').comes_back('5.7.10', 'not proved')


def in_clear(net):
    Case(net, 'clear.signed').comes_back('5.7.10', 'no TLS')


def unaware(net):
    Case(net, 'unaware.signed').comes_back('5.7.30', 'not offered')


def made_up(net):
    """An exchanger that anybody could have named proves nothing."""
    Case(net, 'far.plain').comes_back('5.7.10', 'does not tell')


def second(net):
    case = Case(net, 'two.signed')
    case.goes('good', 'verified')
    assert not case.servers.hops['unaware'].contents
    assert 'event=unsuited' in case.log, case.log


def second_is_down(net):
    """It may be the one: later."""
    Case(net, 'down.signed').waits('4.7.30')


def ordinary(net):
    """Mail that asks for nothing goes to all of them, and no certificate is
    verified for it."""
    for name, level in (('good', 'encrypted'), ('stranger', 'encrypted'),
                        ('old', 'encrypted'), ('unaware', 'encrypted'),
                        ('clear', 'none')):
        mail = Case(net, name + '.signed', flags='s').goes(name, level)
        assert b'REQUIRETLS' not in mail, mail


def among_others(net):
    """On one connection: one that asks for nothing, one that does, one that
    cannot have it."""
    dns, servers = net
    for domain, server, wanted in ('good', 'good', 3), ('unaware', 'unaware',
                                                        2):
        servers.forget()
        p = Site({'resolver': dns.resolver, 'trust-anchor': dns.anchor,
                  'dnssec': 'auto', 'destination-concurrency': '1'})
        p.start()
        for flags in 's', 'st', 's':
            p.put('alice@here.example', ['bob@%s.signed' % domain], SECRET,
                  flags=flags)
        p.pass_()
        assert p.files() == [], p.logged()
        assert len(servers.hops[server].contents) == wanted, p.logged()
        assert len(p.take('alice')) == 3 - wanted, p.logged()
        p.clean()


def no_signatures(net):
    """A resolver that hides them may not do so tomorrow; who wants none gets
    an answer now."""
    def plain(query, ask):
        q = query[:names.question_end(query)]
        return ask(q[:10] + b'\0\0' + q[12:])
    with names.Proxy(plain, net[0].port) as proxy:
        Case(net, 'far.signed', resolver=proxy.resolver).waits('4.7.10')
    Case(net, 'far.signed', dnssec='off').comes_back('5.7.10',
                                                       'does not tell')


def no_authorities(net):
    """A machine that cannot verify anything finds that out later."""
    Case(net, 'good.signed', env={'SSL_CERT_FILE': '/nowhere'}).waits('4.7.10')
    Case(net, 'proved.signed', env={'SSL_CERT_FILE': '/nowhere'}).goes(
        'stranger', 'dane')


def report_away(net):
    """A report of such a message is one itself, and asks for TLS, but goes to
    a host that does not promise more."""
    case = Case(net, 'unaware.signed', sender='carol@lost.signed')
    case.kept()
    files = case.p.files()
    assert len(files) == 1 and files[0][0] == 'r', (files, case.log)
    assert 't' in case.p.read(files[0]).flags, case.p.read(files[0]).flags
    mail = Case(net, 'unaware.signed', sender='').goes('unaware', 'verified')
    assert b'REQUIRETLS' not in mail, mail
    mail = Case(net, 'good.signed', sender='').goes('good', 'verified')
    assert b' REQUIRETLS' in mail, mail


def report_in_clear(net):
    """... not in clear: the postmaster has it then."""
    case = Case(net, 'clear.signed', sender='')
    case.kept()
    assert "report=p" in case.log, case.log


def zones(servers, ca):
    zone = ZONE % hashed(servers['other'] + '.pem', 'key')
    for name, (n, *_) in SERVERS.items():
        zone += '%s MX 10 %s\n%s A 192.0.2.%d\n' % (name, name, name, n)
    return {'signed': (names.SIGNED, zone),
            'plain': (names.PLAIN, '@ A 192.0.2.1\nfar MX 10 mx.far\n'
                                   'mx.far A 192.0.2.1\n')}


def run(ca):
    tap = Tap()
    trust(ca)
    servers = Exchangers(ca)
    dns = names.World(zones(servers.bases, ca))
    for test in (verified, by_dane, itself, stranger, expired, in_clear,
                 unaware, made_up, second, second_is_down, ordinary,
                 among_others, no_signatures, no_authorities,
                 report_away, report_in_clear):
        tap.run(test.__name__.replace('_', ' '), test, (dns, servers))
    dns.end()
    tap.done()


def main():
    why = names.missing()
    if why:
        skip_all(why)
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix='strict-') as directory:
        os.chmod(directory, 0o755)
        if not box.isolate(directory):
            skip_all('port 25 needs root, for a network of its own')
        ca = Authority()
        try:
            run(ca)
        finally:
            ca.clean()


main()
