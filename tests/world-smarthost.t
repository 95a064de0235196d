#!/usr/bin/env python3
"""A smarthost as providers have it: Debian's Postfix asks for a password that
Dovecot knows, by every mechanism we have, behind certificates of every kind.
Whatever is wrong, mail waits, and the password is nowhere but where it goes."""
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import names                            # noqa: E402
import world                            # noqa: E402
from hop import Authority, Hop          # noqa: E402
from postern import children, until       # noqa: E402
from qsite import Site                  # noqa: E402
from tap import Tap                     # noqa: E402
from world import relayed               # noqa: E402

PASSWORD = 's3cret-of-me'
KEY = b'a key of the one who issues tokens'
# name: (address, port, certificate, mechanisms)
SERVERS = {
    'plain': (81, 587, 'good', 'plain'),
    'login': (82, 587, 'good', 'login'),
    'scram': (83, 587, 'good', 'scram-sha-256'),
    'token': (84, 587, 'good', 'xoauth2'),
    'all': (85, 587, 'good', 'plain, login, scram-sha-256, xoauth2'),
    'implicit': (86, 465, 'good', 'plain, scram-sha-256'),
    'other': (87, 587, 'other', 'plain'),
    'old': (88, 587, 'old', 'plain'),
    'unknown': (89, 587, 'unknown', 'plain'),
    'odd': (90, 587, 'good', 'digest-md5'),
}
DOVECOT = '''
protocols =
ssl = no
base_dir = %(dir)s/run
state_dir = %(dir)s/state
log_path = %(dir)s/log
auth_mechanisms = plain login scram-sha-256 xoauth2 digest-md5
auth_verbose = yes
auth_failure_delay = 0
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
passdb {
  driver = passwd-file
  mechanisms = plain login scram-sha-256 digest-md5
  args = %(dir)s/users
}
passdb {
  driver = oauth2
  mechanisms = xoauth2
  args = %(dir)s/oauth2
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=%(dir)s
}
service auth {
  chroot =
  unix_listener %(dir)s/auth {
    mode = 0666
  }
}
# no penalty for those who fail
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
'''
OAUTH2 = '''
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=%(dir)s/keys/
username_attribute = sub
'''


class Dovecot:
    """Its authentication alone, and who may issue tokens."""

    def __init__(self, hosts, host):
        self.dir = tempfile.mkdtemp(prefix='postern-sasl-')
        os.chmod(self.dir, 0o755)
        os.makedirs(self.dir + '/keys/default/HS256')
        for name, text in (
                ('users', 'me:{PLAIN}%s:::::\n' % PASSWORD),
                ('conf', DOVECOT % {'dir': self.dir}),
                ('oauth2', OAUTH2 % {'dir': self.dir}),
                ('keys/default/HS256/default',
                 base64.b64encode(KEY).decode())):
            with open(os.path.join(self.dir, name), 'w') as f:
                f.write(text)
        self.socket = self.dir + '/auth'
        self.process = world.Process(hosts, host, [
            '/usr/sbin/dovecot', '-F', '-c', self.dir + '/conf'],
            self.dir + '/console', self.dir)
        assert until(lambda: os.path.exists(self.socket)), self.logged()

    def logged(self):
        text = ''
        for name in 'console', 'log':
            if os.path.exists(os.path.join(self.dir, name)):
                with open(os.path.join(self.dir, name)) as f:
                    text += f.read()
        return text

    def end(self):
        self.process.end()


def token(user, key=KEY, until_s=3600):
    """A JSON web token, RFC 7519, as Dovecot checks them itself."""
    def part(octets):
        return base64.urlsafe_b64encode(octets).rstrip(b'=')
    now = int(time.time())
    text = b'.'.join(part(json.dumps(d).encode()) for d in (
        {'alg': 'HS256', 'typ': 'JWT'},
        {'sub': user, 'iat': now - 60, 'exp': now + until_s}))
    return (text + b'.' + part(hmac.new(key, text, hashlib.sha256).digest())
            ).decode()


class Provider:
    def __init__(self, ca):
        self.hosts = h = world.Hosts()
        h.add('names', world.NAMES)
        h.add('isp', '192.0.2.80', *['192.0.2.%d' % s[0]
                                     for s in SERVERS.values()])
        h.add('fake', '192.0.2.91')
        zone = ''.join('%s A 192.0.2.%d\n' % (n, s[0])
                       for n, s in SERVERS.items()) + 'fake A 192.0.2.91\n'
        self.dns = names.World({'isp': (names.SIGNED, zone)}, (),
                               (world.NAMES, 53), h.prefix('names'))
        self.dovecot = Dovecot(h, 'isp')
        self.postfix = world.Postfix(
            h, 'isp', 'isp.example', (ca.chains['good'],),
            [('192.0.2.80', {})] + [self.service(ca, *s)
                                    for s in SERVERS.values()],
            'smtpd_sasl_type = dovecot\nsmtpd_sasl_path = %s\n'
            % self.dovecot.socket)

    @staticmethod
    def service(ca, n, port, certificate, mechanisms):
        options = {
            'smtpd_tls_chain_files': ca.chains[certificate],
            'smtpd_tls_auth_only': 'yes',
            'smtpd_sasl_auth_enable': 'yes',
            'smtpd_sasl_mechanism_filter': mechanisms,
            'smtpd_client_restrictions': 'permit_sasl_authenticated, reject',
        }
        if port == 465:
            options['smtpd_tls_wrappermode'] = 'yes'
        return '192.0.2.%d' % n, options, port


class Customer:
    """A site with a password for one smarthost."""

    def __init__(self, isp, server, secret=PASSWORD, user='me'):
        port = SERVERS[server][1] if server in SERVERS else 587
        self.isp, self.secret = isp, secret
        self.p = p = Site({
            'resolver': isp.dns.resolver, 'trust-anchor': isp.dns.anchor,
            'dnssec': 'auto', 'smarthost': '%s://%s@%s.isp:%d' % (
                'smtps' if port == 465 else 'smtp+tls', user, server, port)})
        self.path = p.write('credentials', '')
        # as the README says: root's, for the group of the pass
        os.chown(self.path, 0, p.uid('_postern-queue'))
        os.chmod(self.path, 0o640)
        with open(self.path, 'w') as f:
            f.write('%s.isp %s %s\n' % (server, user, secret))
        p.configure({'credentials': self.path})
        p.put('alice@here.example', ['bob@away.example'],
              b'Subject: by-%s\n\nx\n' % server.encode())

    def try_(self):
        self.p.pass_()
        self.log = self.p.logged()
        self.discreet(self.log)
        return self

    def discreet(self, text):
        """No password, in none of the forms that it is sent in."""
        secret = re.sub('^bearer:', '', self.secret).encode()
        b64 = base64.b64encode
        for form in (secret, b64(secret), b64(b'\0me\0' + secret)):
            assert form.decode() not in text, 'the password is told'

    def sent(self, mark):
        assert self.p.files() == [], self.log + self.isp.dovecot.logged()
        line = relayed(self.p)[-1]
        assert line['tls'] == 'verified' and \
            line['relay'].startswith(mark + '.isp['), line
        return self.isp.postfix.took('Subject: by-' + mark)

    def waits(self, status, text):
        rcpt = self.p.read(self.p.files()[0]).rcpts[0]
        assert (rcpt.status, rcpt.code.strip()) == ('N', status), self.log
        assert text in rcpt.text, rcpt.text
        with open(os.path.join(self.p.queue_dir, self.p.files()[0])) as f:
            self.discreet(f.read())
        return self


def said(isp, what):
    """Postfix has logged how somebody proved who he is."""
    assert until(lambda: what in isp.postfix.logged()), \
        isp.postfix.logged()[-2000:]


def mechanism(isp, server, method, secret):
    Customer(isp, server, secret).try_().sent(server)
    said(isp, 'sasl_method=%s, sasl_username=me' % method)


def best(isp):
    """Of several, the one that tells no password."""
    Customer(isp, 'all').try_().sent('all')
    said(isp, 'sasl_method=SCRAM-SHA-256, sasl_username=me')


def implicit(isp):
    Customer(isp, 'implicit').try_().sent('implicit')


def wrong(isp):
    """... waits with the provider's words, and goes when it is right."""
    for server in 'plain', 'login', 'scram', 'implicit':
        case = Customer(isp, server, 'n0t-of-me').try_()
        case.waits('4.7.8', 'authentication failed')
        with open(case.path, 'w') as f:
            f.write('%s.isp me %s\n' % (server, PASSWORD))
        case.secret = PASSWORD
        case.p.make_due()
        case.try_().sent(server)


def wrong_token(isp):
    for bad in token('me', b'another key'), token('me', until_s=-60), 'no-token':
        Customer(isp, 'token', 'bearer:' + bad).try_().waits('4.7.8', '')


def no_mechanism(isp):
    Customer(isp, 'odd').try_().waits('4.7.4', 'no mechanism')


def not_trusted(isp, server, why):
    """Its certificate is not what it must be: it hears no more than that."""
    before = isp.postfix.logged().count('sasl_method')
    Customer(isp, server).try_().waits('4.7.5', why)
    assert isp.postfix.logged().count('sasl_method') == before


def no_core(isp):
    """A carrier that has sent a password leaves no core behind, and another
    user's eyes do not reach its memory."""
    ca = isp.ca
    context = ca.issue('DNS:fake.isp')
    reached, go = [], []

    def talk(c):
        c.opening(b'250-x\r\n250 STARTTLS\r\n')
        c.ask(b'220 go\r\n', b'STARTTLS')
        c.tls(context)
        c.ask(b'250-x\r\n250 AUTH PLAIN\r\n', b'EHLO')
        reached.append(c.line())
        until(lambda: go)
        c.say(b'535 5.7.8 no\r\n')
        c.end()
    with isp.hosts.inside('fake'):
        hop = Hop(talk, at=('192.0.2.91', 587))
    with hop:
        case = Customer(isp, 'fake')
        p = subprocess.Popen([case.p.queue, '-C', case.p.conf],
                             stderr=subprocess.PIPE, text=True)
        try:
            assert until(lambda: reached), 'no AUTH'
            carriers = children(p.pid)
            assert carriers, 'no carrier'
            for pid in carriers:
                with open('/proc/%d/limits' % pid) as f:
                    core = re.search('^Max core file size +(.*)$', f.read(),
                                     re.M)
                assert core[1].split()[:2] == ['0', '0'], core[0]
                # not dumpable: its files in /proc are root's
                assert os.stat('/proc/%d/mem' % pid).st_uid == 0, pid
        finally:
            go.append(True)
            log = p.communicate(timeout=60)[1]
    case.discreet(log)
    assert '4.7.8' in log, log
    case.waits('4.7.8', '535 5.7.8 no')


def authority():
    ca, stranger = Authority(), Authority()
    ca.chains = {}
    every = ',DNS:'.join(n + '.isp' for n in SERVERS)
    for name, by, san, dates in (
            ('good', ca, every, ()), ('other', ca, 'isp.example', ()),
            ('old', ca, every, ('20200101000000Z', '20210101000000Z')),
            ('unknown', stranger, every, ())):
        by.issue('DNS:' + san, *dates)
        ca.chains[name] = os.path.join(ca.dir, name + '-chain')
        with open(ca.chains[name], 'w') as f:
            for part in '.key', '.pem':
                with open(by.last + part) as one:
                    f.write(one.read())
    stranger.clean()
    return ca


def run(ca):
    tap = Tap()
    world.trust(ca)
    isp = Provider(ca)
    isp.ca = ca
    for server, method, secret in (
            ('plain', 'PLAIN', PASSWORD), ('login', 'LOGIN', PASSWORD),
            ('scram', 'SCRAM-SHA-256', PASSWORD),
            ('token', 'XOAUTH2', 'bearer:' + token('me'))):
        tap.run(method, mechanism, isp, server, method, secret)
    for test in best, implicit, wrong, wrong_token, no_mechanism, no_core:
        tap.run(test.__name__.replace('_', ' '), test, isp)
    for server, why in (('other', 'mismatch'), ('old', 'expired'),
                        ('unknown', 'unable to get local issuer')):
        tap.run('certificate: ' + server, not_trusted, isp, server, why)
    isp.postfix.end()
    isp.dovecot.end()
    isp.dns.end()
    tap.done()


world.play(run, authority)
