#!/usr/bin/python3
"""The carrier over TLS, and with a password."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import tap
from hop import EHLO, GO, OK, Authority, Hop, accepting, carry, message

t = tap.Tap()


# --- TLS --------------------------------------------------------------------

def secured(context, *more, ehlo=EHLO + b'250 END\r\n', at_once=False):
    """A talk over TLS that takes one message."""
    def talk(c):
        if at_once:
            c.tls(context)
            c.opening(ehlo)
        else:
            c.opening(EHLO + b'250 STARTTLS\r\n')
            c.ask(b'220 go\r\n', b'STARTTLS\r\n')
            c.tls(context)
            c.ask(ehlo, b'EHLO')
        for step in more:
            step(c)
        c.group(OK, OK, GO)
        c.content()
        c.say(OK)
        c.end()
    return talk


def opportunistic(ca):
    with Hop(secured(ca.issue('DNS:elsewhere.example'))) as h:
        r = carry('smtp://' + h.where)
    t.equal((r.fates(), r.of(0)[6]), ([(0, 'D', '2.0.0')], 'encrypted'),
            'any certificate encrypts')
    t.ok('tls=encrypted' in r.log, 'and the log says so', r.log)


def broken_starttls(ca):
    """STARTTLS that fails is tried again in clear, where nobody asked for
    more."""
    def garbage(c):
        c.opening(EHLO + b'250 STARTTLS\r\n')
        c.ask(b'220 go\r\n')
        c.say(b'this is no TLS at all\r\n' * 10)
        c.end()

    def refusal(c):
        c.opening(EHLO + b'250 STARTTLS\r\n')
        c.ask(b'454 not now\r\n', b'STARTTLS')
        c.group(OK, OK, GO)
        c.content()
        c.say(OK)
        c.end()
    with Hop(garbage, accepting(ehlo=EHLO + b'250 STARTTLS\r\n')) as h:
        r = carry('smtp://' + h.where)
    t.equal((r.fates(), r.of(0)[6]), ([(0, 'D', '2.6.0')], 'none'),
            'a broken handshake: once more, in clear')
    with Hop(refusal) as h:
        r = carry('smtp://' + h.where)
    t.equal((r.fates(), r.of(0)[6]), ([(0, 'D', '2.0.0')], 'none'),
            '454 to STARTTLS: on in clear')


def injection(ca):
    """Octets behind the 220, before the handshake: CVE-2011-0411."""
    context = ca.issue('IP:127.0.0.1')

    def talk(c):
        c.opening(EHLO + b'250 STARTTLS\r\n')
        c.ask(b'220 go\r\n250 injected\r\n', b'STARTTLS')
        c.tls(context)
        c.end()
    for scheme in 'smtp', 'smtp+tls':
        with Hop(talk) as h:
            r = carry('%s://%s' % (scheme, h.where),
                      env={'SSL_CERT_FILE': ca.ca})
        t.equal(r.unreachable()[1].split(': ')[1],
                'octets in clear behind STARTTLS', scheme + ': not trusted')


def verified(ca):
    good = ca.issue('IP:127.0.0.1')
    env = {'SSL_CERT_FILE': ca.ca}
    with Hop(secured(good)) as h:
        r = carry('smtp+tls://' + h.where, env=env)
    t.equal((r.fates(), r.of(0)[6]), ([(0, 'D', '2.0.0')], 'verified'),
            'smtp+tls:// to who it must be')
    with Hop(secured(good, at_once=True)) as h:
        r = carry('smtps://' + h.where, env=env)
    t.equal((r.fates(), r.of(0)[6]), ([(0, 'D', '2.0.0')], 'verified'),
            'smtps:// likewise')


def not_verified(ca):
    other = Authority()
    rows = (
        ('another name', ca.issue('IP:127.0.0.2'), ca.ca),
        ('only a name', ca.issue('DNS:127.0.0.1'), ca.ca),
        ('expired', ca.issue('IP:127.0.0.1', '20200101000000Z',
                             '20200202000000Z'), ca.ca),
        ('not yet', ca.issue('IP:127.0.0.1', '20980101000000Z',
                             '20990101000000Z'), ca.ca),
        ('another authority', ca.issue('IP:127.0.0.1'), other.ca),
    )
    for name, context, authority in rows:
        for scheme in 'smtp+tls', 'smtps':
            with Hop(secured(context, at_once=scheme == 'smtps')) as h:
                r = carry('%s://%s' % (scheme, h.where),
                          env={'SSL_CERT_FILE': authority})
            t.ok(r.unreachable()[0] == '4.7.5' and
                 'not who it must be' in r.unreachable()[1],
                 '%s, %s: later' % (scheme, name), r.records)
            t.ok(not h.contents and not any(
                b'MAIL' in line for line in h.heard[0]), 'nothing is sent')
    other.clean()


def downgrade(ca):
    env = {'SSL_CERT_FILE': ca.ca}
    with Hop(accepting()) as h:
        r = carry('smtp+tls://' + h.where, env=env)
    t.equal((r.unreachable(), h.heard[0][1:2]),
            (('4.7.5', h.where + ': STARTTLS is not offered'), [b'']),
            'smtp+tls:// without STARTTLS: later')

    def refusal(c):
        c.opening(EHLO + b'250 STARTTLS\r\n')
        c.ask(b'454 4.7.0 not now\r\n', b'STARTTLS')
        c.end()
    with Hop(refusal) as h:
        r = carry('smtp+tls://' + h.where, env=env)
    t.equal(r.unreachable()[0], '4.7.0', '454 to STARTTLS: later')
    with Hop(accepting()) as h:
        r = carry('smtps://' + h.where, env=env)
    t.equal((r.unreachable()[0], h.contents), ('4.7.5', []),
            'smtps:// to who speaks in clear: later')


# --- AUTH -------------------------------------------------------------------

def with_password(ca, ehlo, steps, password='se cret', mode=0o600,
                  name='127.0.0.1', group=-1):
    with Hop(secured(ca.issue('IP:127.0.0.1'), *steps, ehlo=ehlo)) as h:
        path = os.path.join(ca.dir, 'credentials')
        with open(path, 'w') as f:
            f.write('# host user password\nother me wrong\n'
                    '[%s] you wrong\n[%s] me %s\n' % (name, name, password))
        os.chown(path, -1, group)
        os.chmod(path, mode)
        r = carry('smtp+tls://me@' + h.where, credentials=path,
                  env={'SSL_CERT_FILE': ca.ca})
    return h, r


def auth(ca):
    from base64 import b64encode as b64
    plain = b'AUTH PLAIN ' + b64(b'\0me\0se cret') + b'\r\n'
    offer = EHLO + b'250 AUTH %s\r\n'
    h, r = with_password(ca, offer % b'PLAIN LOGIN', [
        lambda c: c.ask(b'235 2.7.0 welcome\r\n', plain)])
    t.equal(r.fates(), [(0, 'D', '2.0.0')], 'PLAIN')
    h, r = with_password(ca, offer % b'LOGIN', [
        lambda c: c.ask(b'334 VXNlcm5hbWU6\r\n', b'AUTH LOGIN\r\n'),
        lambda c: c.ask(b'334 UGFzc3dvcmQ6\r\n', b64(b'me') + b'\r\n'),
        lambda c: c.ask(b'235 ok\r\n', b64(b'se cret') + b'\r\n')])
    t.equal(r.fates(), [(0, 'D', '2.0.0')], 'LOGIN')
    h, r = with_password(ca, offer % b'XOAUTH2 PLAIN', [
        lambda c: c.ask(b'235 ok\r\n', b'AUTH XOAUTH2 ' + b64(
            b'user=me\1auth=Bearer t0ken\1\1') + b'\r\n')],
        password='bearer:t0ken')
    t.equal(r.fates(), [(0, 'D', '2.0.0')], 'XOAUTH2 with a token')
    h, r = with_password(ca, offer % b'PLAIN', [
        lambda c: c.ask(b'535 5.7.8 no\r\n')])
    t.equal(r.unreachable(), ('4.7.8', h.where + ': 535 5.7.8 no'),
            'a wrong password bounces nothing')
    t.ok('cret' not in r.log and b64(b'\0me\0se cret').decode() not in r.log,
         'and is in no log', r.log)
    h, r = with_password(ca, EHLO + b'250 END\r\n', [])
    t.equal(r.unreachable()[0], '4.7.4', 'AUTH is not offered: later')
    h, r = with_password(ca, offer % b'PLAIN', [], mode=0o644)
    t.ok(r.unreachable()[0] == '4.7.8' and 'owner or mode is not safe' in
         r.log and not h.heard, 'a password that others can read is not used',
         r.log)
    h, r = with_password(ca, offer % b'PLAIN', [
        lambda c: c.ask(b'235 2.7.0 welcome\r\n', plain)], mode=0o640,
                         group=os.getegid())
    t.equal(r.fates(), [(0, 'D', '2.0.0')], 'our group may read it')
    if os.geteuid() == 0:
        h, r = with_password(ca, offer % b'PLAIN', [], mode=0o640, group=99)
        t.equal((r.unreachable()[0], h.heard), ('4.7.8', []),
                'another group may not')
    h, r = with_password(ca, offer % b'PLAIN', [], name='127.0.0.9')
    t.equal((r.unreachable()[1].split(': ')[1], h.heard),
            ('no password for this user and host', []),
            'no password: nobody is called')


def scram_liar(ca):
    """A server that does not know the password is found out."""
    from base64 import b64decode, b64encode

    def first(c):
        line = c.line()
        assert line.startswith(b'AUTH SCRAM-SHA-256 '), line
        nonce = b64decode(line.split()[2]).split(b'r=')[1]
        c.say(b'334 ' + b64encode(b'r=' + nonce + b'xyz,s=c2FsdA==,i=4096') +
              b'\r\n')
        c.line()
        c.say(b'235 2.7.0 welcome\r\n')
        c.line()
        raise OSError
    h, r = with_password(ca, EHLO + b'250 AUTH SCRAM-SHA-256 PLAIN\r\n',
                         [first])
    t.ok('did not prove' in r.unreachable()[1], 'SCRAM: both must know it',
         r.records)


def requiretls(ca):
    env = {'SSL_CERT_FILE': ca.ca}
    with Hop(secured(ca.issue('IP:127.0.0.1'),
                     ehlo=EHLO + b'250 REQUIRETLS\r\n')) as h:
        r = carry('smtp+tls://' + h.where, message(flags='t'), env=env)
    t.ok(r.fates() == [(0, 'D', '2.0.0')] and any(
        re.match(rb'MAIL .* REQUIRETLS\r\n', s) for s in h.heard[0]),
         'REQUIRETLS is passed on', (r.records, h.heard))


def credentials_directory(ca):
    """What systemd hands out comes first."""
    directory = os.path.join(ca.dir, 'run')
    os.mkdir(directory)
    with open(directory + '/smarthost', 'w') as f:
        f.write('[127.0.0.1] me right\n')
    from base64 import b64encode as b64
    with Hop(secured(ca.issue('IP:127.0.0.1'), lambda c: c.ask(
            b'235 ok\r\n', b'AUTH PLAIN ' + b64(b'\0me\0right')),
            ehlo=EHLO + b'250 AUTH PLAIN\r\n')) as h:
        r = carry('smtp+tls://me@' + h.where,
                  env={'SSL_CERT_FILE': ca.ca,
                       'CREDENTIALS_DIRECTORY': directory})
    t.equal(r.fates(), [(0, 'D', '2.0.0')], '$CREDENTIALS_DIRECTORY')


def main():
    ca = Authority()
    for test in (opportunistic, broken_starttls, injection, verified,
                 not_verified, downgrade, auth, scram_liar, requiretls,
                 credentials_directory):
        t.run(test.__name__.replace('_', ' '), test, ca)
    ca.clean()
    t.done()


main()
