#!/usr/bin/env python3
"""Where mail for a domain goes, by a DNS of the test's own: validated answers,
unsigned ones, forged ones, none.  What could not be found out is "later"; a
bounce needs an answer that says so."""
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import names                            # noqa: E402
from postern import BUILD, ROOT         # noqa: E402
from tap import Skip, Tap, skip_all     # noqa: E402

DNSQ = os.path.join(BUILD, 'tests', 'tools', 'dnsq')
OWN4, OWN6 = '203.0.113.9', '2001:db8:9::9'
DEADLINE = 40           # DNS_DEADLINE_S
HASH = 'a7' * 32


SIGNED = '''
a A 192.0.2.1
b A 192.0.2.2
c A 192.0.2.3
order MX 30 c
order MX 10 a
order MX 20 b
e1 A 192.0.2.11
e2 A 192.0.2.12
e3 A 192.0.2.13
e4 A 192.0.2.14
equals MX 5 a
equals MX 10 e1
equals MX 10 e2
equals MX 10 e3
equals MX 10 e4
equals MX 20 b
both AAAA 2001:db8::1
both AAAA 2001:db8::2
both AAAA 2001:db8::3
both A 192.0.2.21
both A 192.0.2.22
six AAAA 2001:db8::6
null MX 0 .
nullish MX 0 .
nullish MX 10 a
self-last MX 10 a
self-last MX 20 self.example.
self-last MX 20 b
self-last MX 30 c
self-first MX 10 self.example.
self-first MX 20 a
our4 A %(own4)s
our6 AAAA %(own6)s
ours-last MX 10 a
ours-last MX 20 our4
ours-last MX 20 b
ours-last MX 30 c
ours-first MX 10 our6
ours-first MX 20 a
lo A 127.0.0.1
lo6 AAAA ::1
mapped AAAA ::ffff:127.0.0.1
zero A 0.0.0.0
multi A 224.0.0.5
linklocal AAAA fe80::1
nowheres MX 10 lo
nowheres MX 10 lo6
nowheres MX 10 mapped
nowheres MX 20 zero
nowheres MX 20 multi
nowheres MX 20 linklocal
half A 127.0.0.1
half A 192.0.2.5
half MX 10 half
lo-first MX 10 lo
lo-first MX 20 a
alias CNAME alias2
alias2 CNAME alias3
alias3 CNAME order
turn CNAME turn2
turn2 CNAME turn
text TXT "nothing else"
gone MX 10 nobody
dim MX 10 nobody
dim MX 20 a.lame.
dimmed MX 10 a.lame.
dimmed MX 20 b
worse MX 10 a.bogus.
badname MX 10 bad\\032host
badnames MX 10 bad\\032host
badnames MX 20 a
altered MX 10 a
changed A 192.0.2.99
hidden MX 10 changed
d1 A 192.0.2.31
_25._tcp.d1 TLSA 3 1 1 %(hash)s
_25._tcp.d1 TLSA 2 0 1 %(hash)s
_25._tcp.d1 TLSA 1 1 1 %(hash)s
dane MX 10 d1
d2 A 192.0.2.32
_25._tcp.d2 TLSA 1 1 1 %(hash)s
_25._tcp.d2 TLSA 3 1 1 a7a7
_25._tcp.d2 TLSA 3 9 1 %(hash)s
pkix MX 10 d2
d3 A 192.0.2.33
_25._tcp.d3 TLSA 3 1 1 badc0de%(rest)s
forged MX 10 d3
forged MX 20 a
d4 A 192.0.2.34
_tcp.d4 NS ns.root.
lost MX 10 d4
d5 CNAME d1
aliased MX 10 d5
d6 CNAME a
_25._tcp.d6 TLSA 3 1 1 %(hash)s
renamed MX 10 d6
implicit A 192.0.2.35
_25._tcp.implicit TLSA 3 1 1 %(hash)s
away MX 10 a.insec.
d7 A 192.0.2.37
_tcp.d7 NS ns.root.
beside MX 10 d7
''' % {'own4': OWN4, 'own6': OWN6, 'hash': HASH, 'rest': 'a7' * 28 + 'a'}
SIGNED += ''.join('many MX %d h%03d\nh%03d A 192.0.2.40\n'
                  % (1000 - i, i, i) for i in range(100))
INSEC = '''
a A 192.0.2.51
_25._tcp.a TLSA 3 1 1 %s
m MX 10 a
to-dane MX 10 d1.signed.
null MX 0 .
''' % HASH
# after signing
CHANGED = [(r'192\.0\.2\.99', '192.0.2.98'),
           ('^(altered.*MX\\s+)10', r'\g<1>11'),
           ('badc0de', 'bad0c0e')]
ZONES = {
    'signed': (names.SIGNED, SIGNED),
    'insec': (names.PLAIN, INSEC),
    'bogus': (names.SIGNED, 'a A 192.0.2.99\n@ A 192.0.2.99\n'),
    'expired': (names.EXPIRED, '@ MX 10 a\na A 192.0.2.1\n'),
    'lame': (names.LAME, ''),
    '_tcp.d7.signed': (names.PLAIN, '_25 TLSA 3 1 1 %s\n' % HASH),
    '_tcp.d4.signed': (names.LAME, ''),
    'test': (names.PRIVATE, 'a A 192.0.2.61\n'),
    'home.arpa': (names.PRIVATE, 'a A 192.0.2.62\n'),
    'lan': (names.PRIVATE, 'a A 192.0.2.63\n'),
    'internal': (names.PRIVATE, 'a A 192.0.2.64\n'),
    'made-up': (names.PRIVATE, 'a A 192.0.2.65\n'),
}

NEVER_NAME = 'never 5.1.2 the domain does not exist'
NULL = 'never 5.1.10 the domain takes no mail (null MX)'
NO_ADDRESS = 'never 5.4.4 no mail exchanger of the domain has an address'
OURSELVES = 'never 5.4.6 mail for the domain leads back to this host'
LITERAL = 'never 5.1.2 not an address of a host'
LATER = 'later 4.4.3 the domain could not be looked up'
NO_HOP = 'later 4.4.4 the configured next hop has no address'
HOP_LATER = 'later 4.4.3 the configured next hop could not be looked up'


def way(host, addr, secure=True, tls='hop', base=None, records='', port=25):
    return 'way %s %s %d %s tls=%s base=%s%s' % (
        host, addr, port, 'secure' if secure else 'insecure', tls,
        base or host, records and ' ' + records)


A, B, C = (way(n + '.signed', '192.0.2.%d' % (i + 1))
           for i, n in enumerate('abc'))
AFAR = way('a.insec', '192.0.2.51', secure=False)
TABLE = [
    # destination, what is to come of it
    ('order.signed', [A, B, C]),
    ('nullish.signed', [A]),
    ('a.signed', [A]),
    ('six.signed', [way('six.signed', '2001:db8::6')]),
    ('alias.signed', [A, B, C]),
    ('m.insec', [AFAR]),
    ('away.signed', [AFAR]),
    # not in the root: names of private networks, and somebody's forgery
    ('a.test', [way('a.test', '192.0.2.61', secure=False)]),
    ('a.home.arpa', [way('a.home.arpa', '192.0.2.62', secure=False)]),
    ('a.lan', [way('a.lan', '192.0.2.63', secure=False)]),
    ('a.internal', [way('a.internal', '192.0.2.64', secure=False)]),
    ('a.made-up', [LATER]),
    ('badnames.signed', [A]),
    ('dimmed.signed', [B]),
    # who says so in so many words
    ('null.signed', [NULL]),
    ('null.insec', [NULL]),
    ('nx.signed', [NEVER_NAME]),
    ('nx.insec', [NEVER_NAME]),
    ('no-such-tld', [NEVER_NAME]),
    ('x' * 63 + ('.' + 'y' * 60) * 3 + '.signed.example', [NEVER_NAME]),
    ('text.signed', [NO_ADDRESS]),
    ('gone.signed', [NO_ADDRESS]),
    # ourselves
    ('self-last.signed', [A]),
    ('self-first.signed', [OURSELVES]),
    ('nowheres.signed', [OURSELVES]),
    ('lo.signed', [OURSELVES]),
    ('lo-first.signed', [A]),
    ('half.signed', [way('half.signed', '192.0.2.5')]),
    # nobody knows
    ('x.lame', [LATER]),
    ('dim.signed', [LATER]),
    ('turn.signed', [LATER]),
    ('a.bogus', [LATER]),
    ('worse.signed', [LATER]),
    ('altered.signed', [LATER]),
    ('hidden.signed', [LATER]),
    ('expired', [LATER]),
    ('badname.signed', [LATER]),
    # DANE
    ('dane.signed', [way('d1.signed', '192.0.2.31', tls='dane',
                         records='{2/0/1 3/1/1}')]),
    ('pkix.signed', [way('d2.signed', '192.0.2.32', tls='any')]),
    ('forged.signed', [A]),
    ('lost.signed', [LATER]),
    ('aliased.signed', [way('d5.signed', '192.0.2.31', tls='dane',
                            base='d1.signed', records='{2/0/1 3/1/1}')]),
    ('renamed.signed', [way('d6.signed', '192.0.2.1', tls='dane',
                            base='d6.signed', records='3/1/1')]),
    ('implicit.signed', [way('implicit.signed', '192.0.2.35', tls='dane',
                             records='3/1/1')]),
    ('beside.signed', [way('d7.signed', '192.0.2.37')]),
    ('to-dane.insec', [way('d1.signed', '192.0.2.31', secure=False)]),
    # literals
    ('[192.0.2.77]', [way('[192.0.2.77]', '192.0.2.77', secure=False)]),
    ('[IPv6:2001:db8::77]', [way('[IPv6:2001:db8::77]', '2001:db8::77',
                                 secure=False)]),
    ('[127.0.0.1]', [OURSELVES]),
    ('[IPv6:::ffff:127.0.0.1]', [OURSELVES]),
    ('[0.0.0.0]', [OURSELVES]),
    ('[IPv6:::]', [OURSELVES]),
    ('[x400:secret]', [LITERAL]),
    ('[192.0.2.77', [LITERAL]),
    ('[]', [LITERAL]),
    # configured hops: an address look-up and no MX, loopback as one likes
    ('hop:smtp://a.signed:2525', [way('a.signed', '192.0.2.1', port=2525)]),
    ('hop:smtp://order.signed', [NO_HOP]),
    ('hop:smtp://nx.signed', [NO_HOP]),
    ('hop:smtp://a.bogus', [HOP_LATER]),
    ('hop:smtp://a.lame', [HOP_LATER]),
    ('hop:smtp://lo.signed:26', [way('lo.signed', '127.0.0.1', port=26)]),
    ('hop:smtp://[127.0.0.1]:26', [way('[127.0.0.1]', '127.0.0.1', port=26,
                                       secure=False)]),
    ('hop:smtp://[IPv6:::1]:26', [way('[IPv6:::1]', '::1', port=26,
                                      secure=False)]),
    ('hop:smtp://d1.signed', [way('d1.signed', '192.0.2.31', tls='dane',
                                  records='{2/0/1 3/1/1}')]),
    ('hop:smtp+tls://d1.signed', [way('d1.signed', '192.0.2.31', port=25)]),
    ('hop:lmtp:unix:/run/x', ['way /run/x 0 insecure tls=hop base=/run/x']),
]
OURS = [
    ('ours-last.signed', [A]),
    ('ours-first.signed', [OURSELVES]),
    ('our4.signed', [OURSELVES]),
    ('[%s]' % OWN4, [OURSELVES]),
    ('[IPv6:%s]' % OWN6, [OURSELVES]),
]


class Lines(list):
    """What it printed, with what it logged."""
    log = ''


def dnsq(world, what, *name, resolver=None, policy='auto', anchor=None):
    done = subprocess.run(
        [DNSQ, '-r', resolver or world.resolver, '-t',
         anchor or world.anchor, '-p', policy, what, *name],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=100)
    assert done.returncode == 0, done
    lines = Lines(done.stdout.splitlines())
    lines.log = done.stderr
    return lines


def sort_records(line):
    """TLSA records come in any order; {} around those of a table."""
    m = re.match(r'(way .* base=\S+) (.*)', line)
    if not m:
        return line
    return ' '.join([m.group(1)] + sorted(m.group(2).strip('{}').split()))


def same(got, wanted):
    mine = [sort_records(s) for s in got]
    wanted = [sort_records(s) for s in wanted]
    assert mine == wanted, 'got    %r\nwanted %r\n%s' % (mine, wanted, got.log)


def expect(world, name, wanted):
    same(dnsq(world, 'reach', name), wanted)


def equals_are_shuffled(world):
    seen = set()
    for _ in range(40):
        lines = [s.split()[1].split('.')[0]
                 for s in dnsq(world, 'reach', 'equals.signed')]
        assert lines[0] == 'a' and lines[5] == 'b', lines
        assert sorted(lines[1:5]) == ['e1', 'e2', 'e3', 'e4'], lines
        seen.add(lines[1])
    assert seen == {'e1', 'e2', 'e3', 'e4'}, seen


def families_take_turns(world):
    addrs = [s.split()[2] for s in dnsq(world, 'reach', 'both.signed')]
    assert len(addrs) == 5, addrs
    assert [':' in a for a in addrs] == [True, False, True, False, True], addrs


def best_of_many(world):
    mx = dnsq(world, 'mx', 'many.signed')[0].split()
    assert mx[:2] == ['ok', 'secure'], mx
    assert mx[2::2] == [str(i) for i in range(901, 921)], mx
    assert mx[3] == 'h099.signed' and mx[-1] == 'h080.signed', mx


def key_as_anchor(world):
    same(dnsq(world, 'mx', 'order.signed', anchor=world.anchor_key),
         ['ok secure 10 a.signed 20 b.signed 30 c.signed'])


def other_root(world):
    """The root is not the one that the anchor tells of."""
    key = '/usr/share/dns/root.key'
    if not os.path.exists(key):
        raise Skip('no ' + key)
    same(dnsq(world, 'reach', 'a.signed', anchor=key, policy='require'),
         [LATER])
    got = dnsq(world, 'reach', 'dane.signed', anchor=key)
    same(got, [way('d1.signed', '192.0.2.31', secure=False)])
    assert 'no DNSSEC, no DANE' in got.log, got.log


def bad_anchor(world):
    for path in ('/nonexistent', '/dev/null', DNSQ):
        got = dnsq(world, 'reach', 'a.signed', anchor=path)
        assert got[0].startswith('start -') and got[1:] == [LATER], (path, got)


def bad_resolver(world):
    for text in ('', 'host', '127.0.0.1:', '127.0.0.1:0', '127.0.0.1:65536',
                 '[::1', '[::1]53', '127.0.0.1@53'):
        got = dnsq(world, 'reach', 'a.signed', resolver=text or ' ')
        assert got == ['start -22', LATER], (text, got)


def switched_off(world):
    same(dnsq(world, 'reach', 'dane.signed', policy='off'),
         [way('d1.signed', '192.0.2.31', secure=False)])
    same(dnsq(world, 'reach', 'a.bogus', policy='off'),
         [way('a.bogus', '192.0.2.98', secure=False)])


# --- this machine's files, in a mount namespace of the test's own -----------

def with_files(files, *args):
    """dnsq where `files` are laid over others (None: hidden)."""
    with tempfile.TemporaryDirectory(prefix='names-') as d:
        script = ''
        for n, (path, text) in enumerate(files.items()):
            mine = os.path.join(d, str(n))
            if text is None:
                os.mkdir(mine)
                script += '[ ! -d %s ] || ' % path
            else:
                with open(mine, 'w') as f:
                    f.write(text)
            script += 'mount --bind %s %s; ' % (mine, path)
        done = subprocess.run(
            ['unshare', '-m', 'sh', '-ec', script + 'exec "$@"', 'sh', DNSQ,
             *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, timeout=100)
    lines = Lines(done.stdout.splitlines())
    lines.log = done.stderr
    return lines


def usual_resolver(world):
    """resolv.conf: its servers, one of them dead; none: this machine."""
    with names.Proxy(lambda q, ask: ask(q), world.port,
                     at=('127.0.0.1', 53)) as p:
        for text in ('nameserver 127.0.0.1\n', 'search example\n', '',
                     'nameserver 127.0.0.77\nnameserver 127.0.0.1\n'):
            before = p.asked
            same(with_files({'/etc/resolv.conf': text}, '-t',
                            world.anchor, 'reach', 'dane.signed'),
                 [way('d1.signed', '192.0.2.31', tls='dane',
                      records='{2/0/1 3/1/1}')])
            assert p.asked > before


def usual_anchor(world):
    """The distribution's key, and a machine that has none."""
    with open(world.anchor_key) as f:
        key = f.read()
    places = {'/var/lib/unbound': None, '/etc/unbound': None}
    ask = '-r', world.resolver, 'reach', 'a.signed'
    same(with_files(dict(places, **{'/usr/share/dns/root.key': key}),
                    *ask), [A])
    places['/usr/share/dns'] = None
    got = with_files(places, *ask)
    same(got, [way('a.signed', '192.0.2.1', secure=False)])
    assert 'no trust anchor' in got.log, got.log
    got = with_files(places, '-p', 'require', *ask)
    same(got, ['start -2', LATER])


# --- resolvers that cannot be relied on --------------------------------------

def timed(world, proxy, *names_, policy='auto'):
    """All later, and there is an end to it."""
    began = time.monotonic()
    got = dnsq(world, 'reach', *names_, resolver=proxy, policy=policy)
    took = time.monotonic() - began
    assert got == [LATER] * len(names_), got
    assert took < DEADLINE + 20, took


def dead_resolver(world, policy):
    timed(world, '127.0.0.1:%d' % names.free_port(), 'a.signed', 'b.signed',
          'c.signed', 'order.signed', 'm.insec', policy=policy)


def silent_resolver(world):
    with names.Proxy(lambda q, ask: None) as p:
        timed(world, p.resolver, 'a.signed', 'b.signed', 'c.signed',
              'order.signed', 'm.insec')
        assert p.asked > 0


def falls_silent(world):
    """It proves the root key and says nothing more."""
    def reply(query, ask):
        return ask(query) if query[12] == 0 else None

    with names.Proxy(reply, world.port) as p:
        timed(world, p.resolver, 'a.signed', 'm.insec', 'b.signed',
              'c.signed', 'order.signed')


def plain(query):
    """The question without EDNS: no signatures in the answer."""
    q = query[:names.question_end(query)]
    return q[:10] + b'\0\0' + q[12:]


def strips(world):
    """A resolver that hides signatures."""
    with names.Proxy(lambda q, ask: ask(plain(q)), world.port) as p:
        got = dnsq(world, 'reach', 'dane.signed', resolver=p.resolver)
        same(got, [way('d1.signed', '192.0.2.31', secure=False)])
        assert 'no DNSSEC, no DANE' in got.log, got.log
        same(dnsq(world, 'reach', 'dane.signed', 'm.insec', 'nx.signed',
                  resolver=p.resolver, policy='require'), [LATER] * 3)


def strips_some(world):
    """... hides those of everything but the root and its delegations."""
    def reply(query, ask):
        kind = query[names.question_end(query) - 4:][:2]
        return ask(query if kind in (b'\0\x2b', b'\0\x30') else plain(query))

    with names.Proxy(reply, world.port) as p:
        same(dnsq(world, 'reach', 'dane.signed', 'nx.signed', 'a.signed',
                  'm.insec', 'nx.insec', resolver=p.resolver),
             [LATER] * 3 + [AFAR, NEVER_NAME])


def hides_tlsa(world):
    """The set of a secure host is refused, or said not to be there."""
    def servfail(query, ask):
        if b'\4_tcp' not in query:
            return ask(query)
        return query[:2] + b'\x81\x82' + query[4:]

    def denial(query, ask):
        if b'\4_tcp' not in query:
            return ask(query)
        return query[:2] + b'\x85\x83' + query[4:]

    def silence(query, ask):
        return None if b'\4_tcp' in query else ask(query)

    for reply in (servfail, denial, silence):
        with names.Proxy(reply, world.port) as p:
            same(dnsq(world, 'reach', 'dane.signed', resolver=p.resolver),
                 [LATER])


def hides_family(world):
    """Without the AAAA answer the host is as secure as its A answer."""
    def reply(query, ask):
        kind = query[names.question_end(query) - 4:][:2]
        if kind == b'\0\x1c':
            return query[:2] + b'\x81\x82' + query[4:]
        return ask(query)

    with names.Proxy(reply, world.port) as p:
        same(dnsq(world, 'reach', 'dane.signed', resolver=p.resolver),
             [way('d1.signed', '192.0.2.31', tls='dane',
                  records='{2/0/1 3/1/1}')])


def lies(world):
    """Another address: refused in a signed zone; an unsigned one is
    believed, which shows that the lie was told."""
    def reply(query, ask):
        return ask(query).replace(b'\xc0\0\2', b'\xc6\x33\x64')

    with names.Proxy(reply, world.port) as p:
        same(dnsq(world, 'reach', 'a.signed', 'order.signed', 'm.insec',
                  resolver=p.resolver),
             [LATER, LATER, way('a.insec', '198.51.100.51', secure=False)])


def lies_that_none(world):
    """NXDOMAIN for everything but the root's key."""
    def reply(query, ask):
        if query[12] == 0:
            return ask(query)
        return query[:2] + b'\x85\x83' + query[4:10] + b'\0\0' + \
            query[12:names.question_end(query)]

    with names.Proxy(reply, world.port) as p:
        same(dnsq(world, 'reach', 'a.signed', 'dane.signed',
                  resolver=p.resolver), [LATER] * 2)


def slow(world):
    def reply(query, ask):
        time.sleep(0.4)
        return ask(query)

    with names.Proxy(reply, world.port) as p:
        same(dnsq(world, 'reach', 'm.insec', resolver=p.resolver,
                  policy='off'), [AFAR])


def header(query, flags, *counts):
    return query[:2] + flags + b''.join(n.to_bytes(2, 'big') for n in counts)


def asked(query):
    return query[12:names.question_end(query)]


def record(query, kind, data, name=b'\xc0\x0c'):
    return (header(query, b'\x85\x80', 1, 1, 0, 0) + asked(query) + name +
            kind + b'\0\1\0\0\1\0' + len(data).to_bytes(2, 'big') + data)


MX = b'\0\x0f'
HOSTILE = {
    'another id': lambda q: bytes([q[0] ^ 1]) + header(
        q, b'\x85\x83', 1, 0, 0, 0)[1:] + asked(q),
    'another question': lambda q: header(q, b'\x85\x83', 1, 0, 0, 0) +
        b'\5other\4name\0' + asked(q)[-4:],
    'no question': lambda q: header(q, b'\x85\x83', 0, 0, 0, 0),
    'not an answer': lambda q: header(q, b'\x05\x03', 1, 0, 0, 0) + asked(q),
    'empty': lambda q: b'',
    'half a header': lambda q: q[:7],
    'header alone': lambda q: header(q, b'\x85\x80', 1, 1, 0, 0),
    'cut within the question': lambda q: header(
        q, b'\x85\x80', 1, 1, 0, 0) + asked(q)[:-5],
    'a name that points to itself': lambda q: record(
        q, MX, b'\0\x0a\xc0' + bytes([12 + len(asked(q)) + 14])),
    'names that point to each other': lambda q: record(
        q, MX, b'\0\x0a\xc0\x0c', b'\xc0' + bytes([12 + len(asked(q))])),
    'a pointer behind the end': lambda q: record(q, MX, b'\0\x0a\xff\xff'),
    'a label behind the end': lambda q: record(q, MX, b'\0\x0a\x3fabc'),
    'a label of another kind': lambda q: record(q, MX, b'\0\x0a\x80a\0'),
    'no host': lambda q: record(q, MX, b'\0\x0a'),
    'half a preference': lambda q: record(q, MX, b'\0'),
    'nothing': lambda q: record(q, MX, b''),
    'octets behind the host': lambda q: record(q, MX, b'\0\x0a\1a\0more'),
    'more records told than sent': lambda q: header(
        q, b'\x85\x80', 1, 999, 0, 0) + asked(q),
    'record longer than the packet': lambda q: record(
        q, MX, b'\0\x0a\1a\0')[:-3],
    'truncated, and no TCP': lambda q: header(
        q, b'\x87\x80', 1, 0, 0, 0) + asked(q),
    'noise': lambda q: os.urandom(300),
    'FORMERR': lambda q: header(q, b'\x81\x81', 1, 0, 0, 0) + asked(q),
    'SERVFAIL': lambda q: header(q, b'\x81\x82', 1, 0, 0, 0) + asked(q),
    'NOTIMP': lambda q: header(q, b'\x81\x84', 1, 0, 0, 0) + asked(q),
    'REFUSED': lambda q: header(q, b'\x81\x85', 1, 0, 0, 0) + asked(q),
    'code 15': lambda q: header(q, b'\x81\x8f', 1, 0, 0, 0) + asked(q),
}


def hostile(world, packet):
    """Without validation, so that nothing but the parser stands in between."""
    with names.Proxy(lambda q, ask: packet(q), world.port) as p:
        same(dnsq(world, 'reach', 'm.insec', resolver=p.resolver,
                  policy='off'), [LATER])
        assert p.asked > 0


def main():
    network = names.own_network('addr add %s/32 dev lo' % OWN4,
                                'addr add %s/128 dev lo nodad' % OWN6)
    why = names.missing()
    if why:
        skip_all(why)
    os.chdir(ROOT)
    tap = Tap()
    world = names.World(ZONES, CHANGED)
    tests = [(f.__name__.replace('_', ' '), f) for f in SLOW]
    tests += [('dead resolver: ' + p, dead_resolver, p)
              for p in ('auto', 'off', 'require')]
    tests += [('hostile: ' + n, hostile, p) for n, p in HOSTILE.items()]
    tests += [(f.__name__.replace('_', ' '), f) for f in QUICK]
    tests += [(n, expect, n, wanted) for n, wanted in TABLE]
    if network:
        tests += [('usual resolver', usual_resolver),
                  ('usual anchor', usual_anchor)]
        tests += [(n, expect, n, wanted) for n, wanted in OURS]
    else:
        tap.skip('own addresses, usual files', 'needs root, for a network of its own')
    # most of them wait for an answer that does not come
    with ThreadPoolExecutor(16) as pool:
        running = [(name, pool.submit(test, world, *args))
                   for name, test, *args in tests]
        for name, future in running:
            tap.run(name, future.result)
    world.end()
    tap.done()


SLOW = (falls_silent, silent_resolver, hides_tlsa, lies,
        strips_some, lies_that_none, other_root)
QUICK = (equals_are_shuffled, families_take_turns, best_of_many,
         key_as_anchor, bad_anchor, bad_resolver, switched_off, strips,
         hides_family, slow)
main()
