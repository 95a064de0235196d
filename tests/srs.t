#!/usr/bin/env python3
"""Sender rewriting: mail of strangers that an alias sends on leaves with an
address of ours as its reverse-path, and what comes back to that address, and
to no other of its kind, reaches the sender."""
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import qfile                                                # noqa: E402
from postern import ROOT, Postern                           # noqa: E402
from qsite import Site                                      # noqa: E402
from request import Deliver                                 # noqa: E402
from sink import Sink                                       # noqa: E402
from tap import Tap                                         # noqa: E402

t = Tap()
SENDER = 's@far.example'
OURS = re.compile(r'SRS0=[A-Za-z0-9+/]{6}=[A-Z2-7]{2}=far\.example=s'
                  r'@here\.example')
ALIASES = ('gone: x@away.example\n'
           'both: alice, x@away.example\n'
           'list: x@away.example\nowner-list: carol\n'
           'mixed: list, y@away.example\n')
DAY = 86400


def start(conf=None, kind=Postern, env=None):
    """With strangers only, as far as TCP is concerned."""
    p = kind(dict({'relay-networks': 'none'}, **(conf or {})),
             aliases=ALIASES)
    return p, Deliver(p, env=env).requests()


def rewritten(r, sender=SENDER, to='gone'):
    assert r.lookup(to, sender=sender)[:2] == ('F', '4.3.0')
    return r.sender


def back(r, address):
    """Where this address of ours leads to: an address, or a verdict."""
    local, domain = address.rsplit('@', 1)
    if local.startswith('"'):
        local = local[1:-1]
    fate, status, _ = r.lookup(local, domain, sender='')
    if fate != 'F':
        return fate, status
    assert r.forwards[0] is False and len(r.forwards[1]) == 1, r.forwards
    return r.forwards[1][0][0]


def secret(p):
    return p.path('state', 'srs-secret')


def put_secret(p, text, mode=0o600):
    with open(secret(p) + '.new', 'w') as f:
        f.write(text)
    os.chmod(secret(p) + '.new', mode)
    p.own(secret(p) + '.new', '_postern-deliver')
    os.rename(secret(p) + '.new', secret(p))


# --- the whole way ----------------------------------------------------------

def round_trip():
    """The next hop does not want it: our own report goes to the address that
    we gave the sender, and with the next pass to himself."""
    p, r = start(kind=Site)
    refuses = {'RCPT': lambda line: '550 5.1.1 no x' if '<x@' in line
               else '250 2.1.5 ok'}
    sink = Sink(refuses)
    p.configure({'smarthost': sink.url})
    p.start()
    c = p.client()
    c.hello()
    assert c.mail(['gone@here.example'], SENDER)[0] == 250
    q, = qfile.of(p)
    assert OURS.fullmatch(q.sender), q.sender
    assert [x.address for x in q.rcpts] == ['x@away.example']
    for _ in range(3):
        p.pass_('-a')
    assert p.files() == [], p.logged()[-2000:]
    m, = sink.messages
    assert (m.sender, m.rcpts) == ('', [SENDER])
    assert b'multipart/report' in m.content and b'no x' in m.content
    p.clean()


def from_elsewhere():
    """The report of another host, by a stranger's connection; and an answer
    that has a reverse-path."""
    p, r = start(kind=Site)
    sink = Sink()
    p.configure({'smarthost': sink.url})
    p.start()
    c = p.client()
    c.hello()
    assert c.mail(['both@here.example'], SENDER)[0] == 250
    files = {q.sender: [(x.address, x.status) for x in q.rcpts]
             for q in qfile.of(p)}
    ours = next(filter(OURS.fullmatch, files))
    assert files == {SENDER: [('both@here.example', 'D')],
                     ours: [('x@away.example', 'N')]}
    text, = p.messages()
    assert text.startswith(b'Return-Path: <%s>\n' % SENDER.encode()), text
    p.pass_()
    assert [m.sender for m in sink.messages] == [ours]
    for sender in '', 'daemon@away.example':
        assert c.mail([ours], sender)[0] == 250
    p.pass_()
    assert [m.rcpts for m in sink.messages[1:]] == [[SENDER]] * 2
    got = sorted(m.sender for m in sink.messages[1:])
    assert got[0] == '' and got[1].endswith('=away.example=daemon'
                                            '@here.example'), got
    c.want('250', 'MAIL FROM:<>')
    forged = ours.replace('=s@', '=t@')
    c.want('550 5.7.1', 'RCPT TO:<%s>' % forged)
    c.want('550 5.7.1', 'RCPT TO:<x@away.example>')
    c.want('550 5.1.1', 'RCPT TO:<SRS0@here.example>')
    p.clean()


def wishes():
    """What the sender asked to be told of goes with him, unless it is a
    list's mail."""
    p, r = start()
    p.start()
    c = p.client()
    c.hello()
    c.want('250', 'MAIL FROM:<%s> RET=FULL ENVID=e' % SENDER)
    c.want('250', 'RCPT TO:<mixed@here.example> NOTIFY=FAILURE '
           'ORCPT=rfc822;o@far.example')
    c.want('354', 'DATA')
    c.send(b'x\r\n.\r\n')
    c.want('250')
    files = {q.sender: q for q in qfile.take(p)}
    theirs = files.pop('owner-list@here.example')
    (ours, q), = files.items()
    assert OURS.fullmatch(ours)
    assert (q.envid, q.ret, q.rcpts[0].address) == (
        'e', 'FULL', 'y@away.example')
    assert q.rcpts[0].notify == {'FAILURE'}
    assert q.rcpts[0].orcpt == 'rfc822;o@far.example'
    assert (theirs.envid, theirs.ret, theirs.rcpts[0].orcpt) == ('', '', '')


# --- who is rewritten -------------------------------------------------------

def senders():
    p, r = start({'relay-domains': 'relayed.example'})
    assert OURS.fullmatch(rewritten(r))
    for own in ('bob@here.example', 'bob@mx.here.example', 'bob@localhost',
                '', rewritten(r)):
        assert rewritten(r, own) == '', own
    for foreign in 'a@relayed.example', 'a@sub.here.example', 'a@[192.0.2.1]':
        ours = rewritten(r, foreign)
        assert 'SRS0=' in ours and back(r, ours) == foreign, ours
    quoted = rewritten(r, '"a b"@far.example')
    assert quoted.startswith('"SRS0=') and quoted.endswith(
        '=far.example=a b"@here.example')
    assert back(r, quoted) == '"a b"@far.example'
    assert rewritten(r, to='list') == '', 'a list has its owner'
    assert rewritten(r, to='mixed'), 'but not all of these are a list'
    assert rewritten(r, 'x' * 50 + '@far.example') == ''
    assert 'event=sender-kept from=' + 'x' * 50 in p.logged()


def domains():
    """Where bounces find us, or nowhere."""
    p, r = start()
    for conf, want in (
            ({'origin': 'away.example'}, 'mx.here.example'),
            ({'origin': 'away.example', 'local-domains': 'here.example'}, ''),
            ({'origin': 'box', 'hostname': 'box', 'local-domains': 'box'},
             '')):
        p.configure(dict({'origin': 'here.example',
                          'local-domains': 'here.example mx.here.example'},
                         **conf))
        assert rewritten(r).rpartition('@')[2] == want, conf


def second_forwarder():
    p, r = start()
    first = 'SRS0=abcd=XY=orig.example=u@fwd.example'
    ours = rewritten(r, first)
    assert re.fullmatch(r'SRS1=[^=]{6}=fwd\.example==abcd=XY=orig\.example=u'
                        r'@here\.example', ours), ours
    assert back(r, ours) == first
    third = rewritten(r, ours.replace('@here.', '@there.'))
    assert third == ours, 'one step back, however many hosts there were'
    assert back(r, ours.replace('=u@', '=v@')) == ('N', '5.7.1')
    assert back(r, ours.replace('SRS1=', 'SRS0=')) != first


def off():
    p, r = start()
    ours = rewritten(r)
    assert back(r, ours) == SENDER
    p.configure({'srs': 'off'})
    assert rewritten(r) == ''
    assert back(r, ours) == ('N', '5.1.1')
    os.unlink(secret(p))
    assert rewritten(r) == '' and not os.path.exists(secret(p))


# --- the way back -----------------------------------------------------------

def forged():
    p, r = start()
    ours = rewritten(r)
    assert back(r, ours) == SENDER
    for same in (ours.lower(), ours.upper(), ours.replace('SRS0=', 'SRS0+'),
                 ours.replace('SRS0=', 'srs0-')):
        assert back(r, same).lower() == SENDER, same
    for at in range(len('SRS0='), ours.index('@')):
        other = 'x' if ours[at] not in 'xX' else 'y'
        if ours[at] != '=':
            other = ours[:at] + other + ours[at + 1:]
            assert back(r, other) == ('N', '5.7.1'), other
    for local in ('SRS0', 'SRS0=', 'SRS0=a', 'SRS0=a=b', 'SRS0=a=b=c',
                  'SRS0=a=bb=c.example=', 'SRS1=a', 'SRS1=a=b', 'SRS2=a=b=c=d',
                  'SRS0_a=bb=c.example=d'):
        assert back(r, local + '@here.example') == ('N', '5.1.1'), local


def old():
    p, r = start()
    ours = rewritten(r)
    library = p.path('clock.so')
    subprocess.run(['gcc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', library,
                    os.path.join(ROOT, 'tests', 'lib', 'clock.c')],
                   check=True)
    for days, want in ((0, SENDER), (20, SENDER), (23, ('N', '5.1.1')),
                       (400, ('N', '5.1.1')), (-3, ('N', '5.1.1'))):
        p.stop()
        os.unlink(p.path('run', 'deliver'))
        env = dict(os.environ, LD_PRELOAD=library,
                   CLOCK_OFFSET=str(days * DAY))
        r = Deliver(p, env=env).requests()
        assert back(r, ours) == want, days


def home():
    """The sender's domain has become ours."""
    p, r = start()
    ours = rewritten(r, 'alice@far.example')
    nobody = rewritten(r)
    p.configure({'local-domains': 'here.example mx.here.example far.example'})
    local, domain = ours.split('@')
    assert r.lookup(local, domain, sender='')[0] == 'D'
    r.rcpt(local, domain)
    assert r.store(b'Subject: x\n\nx\n', sender='')[0][0] == 'D'
    assert len(p.messages()) == 1
    assert back(r, nobody) == ('N', '5.1.1')


# --- the secret -------------------------------------------------------------

def made():
    """At the first need, by whoever is first, and never for a stranger's
    address."""
    p, r = start()
    assert back(r, 'SRS0=abcdef=AA=far.example=s@here.example') == (
        'N', '5.7.1')
    rewritten(r, '')
    assert os.listdir(p.path('state')) == []
    many = [Deliver.requests(p_) for p_ in [type('D', (), {
        'path': p.path('run', 'deliver')})] * 8]
    found, together = [], threading.Barrier(len(many))

    def ask(one):
        together.wait()
        found.append(rewritten(one))
    threads = [threading.Thread(target=ask, args=(one,)) for one in many]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 8 and len(set(found)) == 1, found
    assert os.listdir(p.path('state')) == ['srs-secret']
    st = os.stat(secret(p))
    assert st.st_mode & 0o7777 == 0o600
    assert st.st_uid == p.uid('_postern-deliver')
    with open(secret(p)) as f:
        assert re.fullmatch(r'[0-9a-f]{64}\n', f.read())


def renewed():
    """Another first line signs; the old one is still believed."""
    p, r = start()
    put_secret(p, 'the first secret\n')
    one = rewritten(r)
    put_secret(p, 'another, the second\n\nthe first secret\n')
    two = rewritten(r)
    assert one != two
    assert back(r, one) == back(r, two) == SENDER
    put_secret(p, 'another, the second\n')
    assert (back(r, one), back(r, two)) == (('N', '5.7.1'), SENDER)


def not_to_be_had():
    """Later, and nothing goes out as it came in."""
    p, r = start()
    ours = rewritten(r)
    with open(secret(p)) as f:
        text = f.read()
    p.start()
    c = p.client()
    c.hello()
    broken = {
        'others may read it': lambda: put_secret(p, text, 0o640),
        'others may write it': lambda: put_secret(p, text, 0o602),
        'it is too short': lambda: put_secret(p, 'x' * 15 + '\n'),
        'its second line is': lambda: put_secret(p, text + 'x\n'),
        'it is empty': lambda: put_secret(p, ''),
        'it is too long': lambda: put_secret(p, 'x' * 5000),
        'it is a directory': lambda: (os.unlink(secret(p)),
                                      os.mkdir(secret(p))),
    }
    for title, work in broken.items():
        work()
        before = p.logged().count('event=secret ')
        assert r.lookup('gone', sender=SENDER)[0] == 'L', title
        assert back(r, ours)[0] == 'L', title
        assert p.logged().count('event=secret ') == before + 2, title
        c.want('250', 'MAIL FROM:<%s>' % SENDER)
        c.want('451', 'RCPT TO:<gone@here.example>')
        c.want('250', 'RSET')
        assert rewritten(r, '') == '', 'others do not need it'
    os.rmdir(secret(p))
    os.chmod(p.path('state'), 0o500)
    assert r.lookup('gone', sender=SENDER)[0] == 'L', 'it cannot be made'
    os.chmod(p.path('state'), 0o700)
    assert OURS.fullmatch(rewritten(r))


for test in (round_trip, from_elsewhere, wishes, senders, domains,
             second_forwarder, off, forged, old, home, made, renewed,
             not_to_be_had):
    t.run(test.__name__.replace('_', ' '), test)
t.done()
