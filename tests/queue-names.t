#!/usr/bin/env python3
"""The queue and the DNS, from the spool to port 25: who has no such name is
told at once, who cannot be found out about is tried again."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import box                              # noqa: E402
import names                            # noqa: E402
from hop import Hop, accepting          # noqa: E402
from postern import HOST, ROOT          # noqa: E402
from qsite import Site                  # noqa: E402
from tap import Tap, skip_all           # noqa: E402

OWN = '203.0.113.9'
ZONE = '''
good MX 10 mx1
good MX 20 mx2
mx1 A 192.0.2.1
mx2 A 192.0.2.2
backup MX 10 mx1
backup MX 20 %s.
backup MX 30 mx2
null MX 0 .
text TXT x
self MX 10 %s.
own A %s
lo MX 10 localhost-of-spammers
localhost-of-spammers A 127.0.0.1
altered A 192.0.2.99
''' % (HOST, HOST, OWN)
# more than a datagram holds: asked for by TCP
ZONE += ''.join('many MX %d h%03d\nh%03d A 192.0.2.%d\n'
                % (i, i, i, 1 if i == 1 else 2) for i in range(1, 101))
NEVER = {
    'nx.signed': '5.1.2',
    'nx.plain': '5.1.2',
    'null.signed': '5.1.10',
    'text.signed': '5.4.4',
    'self.signed': '5.4.6',
    'own.signed': '5.4.6',
    'lo.signed': '5.4.6',
    '[%s]' % OWN: '5.4.6',
    '[127.0.0.1]': '5.4.6',
    '[IPv6:::1]': '5.4.6',
}
LATER = {
    'x.lame': '4.4.3',
    'expired': '4.4.3',
    'altered.signed': '4.4.3',
}


def site(world, **conf):
    return Site(dict({'resolver': world.resolver, 'trust-anchor': world.anchor,
                      'dnssec': 'auto'}, **conf))


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


def fates(world):
    p = site(world)
    p.start()
    p.put('alice@here.example',
          ['bob@' + d for d in list(NEVER) + list(LATER)])
    p.pass_()
    got = statuses(p.take('alice'))
    wanted = {'bob@' + d: s for d, s in NEVER.items()}
    assert got == wanted, 'got    %r\nwanted %r\n%s' % (
        got, wanted, p.logged()[-3000:])
    assert len(p.files()) == 1, p.files()
    waiting = {r.address: (r.status, r.code.strip())
               for r in p.read(p.files()[0]).rcpts if r.status == 'N'}
    assert waiting == {'bob@' + d: ('N', s) for d, s in LATER.items()}, waiting
    p.clean()


def delivered(world):
    p = site(world)
    for domain in 'good.signed', 'many.signed':
        p.put('alice@here.example', ['bob@' + domain])
        with Hop(accepting(), at=('192.0.2.1', 25)) as hop:
            p.pass_()
        assert len(hop.contents) == 1 and p.files() == [], p.logged()
    p.clean()


def backup(world):
    """We are the second of three: the first is down, so it waits here and
    does not go on to the third."""
    p = site(world)
    p.put('alice@here.example', ['bob@backup.signed'])
    with Hop(accepting(), at=('192.0.2.2', 25)) as third:
        p.pass_()
    assert not third.heard and len(p.files()) == 1, p.logged()
    p.make_due()
    with Hop(accepting(), at=('192.0.2.1', 25)) as first:
        p.pass_()
    assert len(first.contents) == 1 and p.files() == [], p.logged()
    p.clean()


def dead_resolver(world):
    """Everything waits, and is sent when the resolver is back."""
    p = site(world, resolver='127.0.0.1:%d' % names.free_port())
    p.put('alice@here.example', ['bob@good.signed', 'bob@nx.signed'])
    p.pass_()
    statuses_ = [r.status for r in p.read(p.files()[0]).rcpts]
    assert statuses_ == ['N', 'N'], statuses_
    p.configure({'resolver': world.resolver})
    p.make_due()
    p.start()
    with Hop(accepting(), at=('192.0.2.1', 25)) as hop:
        p.pass_()
    assert len(hop.contents) == 1 and p.files() == [], p.logged()
    assert statuses(p.take('alice')) == {'bob@nx.signed': '5.1.2'}
    p.clean()


def run():
    subprocess.run(['ip', 'addr', 'add', OWN + '/32', 'dev', 'lo'], check=True)
    tap = Tap()
    world = names.World({
        'signed': (names.SIGNED, ZONE), 'plain': (names.PLAIN, ''),
        'expired': (names.EXPIRED, '@ A 192.0.2.1\n'),
        'lame': (names.LAME, '')}, [(r'192\.0\.2\.99', '192.0.2.98')])
    for test in fates, delivered, backup, dead_resolver:
        tap.run(test.__name__.replace('_', ' '), test, world)
    world.end()
    tap.done()


def main():
    why = names.missing()
    if why:
        skip_all(why)
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix='names-') as directory:
        os.chmod(directory, 0o755)
        if not box.isolate(directory):
            skip_all('port 25 needs root, for a network of its own')
        run()


main()
