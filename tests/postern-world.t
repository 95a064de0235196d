#!/usr/bin/env python3
"""postern check and route before other people's mail systems: Debian's
Postfix, which asks for a password that Dovecot knows, behind a DNS that is
signed from its root."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import names                            # noqa: E402
import world                            # noqa: E402
from hop import Authority, hashed       # noqa: E402
from installed import Installed, has    # noqa: E402
from postern import until         # noqa: E402
from tap import Tap                     # noqa: E402

PASSWORD = 's3cret-of-me'
DOVECOT = '''
protocols =
ssl = no
base_dir = %(dir)s/run
state_dir = %(dir)s/state
log_path = %(dir)s/log
auth_mechanisms = plain
auth_failure_delay = 0
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
passdb {
  driver = passwd-file
  args = %(dir)s/users
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
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
'''
ZONE = '''
good A 192.0.2.81
bad A 192.0.2.82
closed A 192.0.2.83
dane MX 10 mx.dane
mx.dane A 192.0.2.84
_25._tcp.mx.dane TLSA %s
two MX 10 mx.dane
two MX 20 good
null MX 0 .
'''


class Provider:
    def __init__(self, ca):
        self.hosts = h = world.Hosts()
        h.add('names', world.NAMES)
        h.add('isp', '192.0.2.80', *['192.0.2.%d' % n for n in
                                     (81, 82, 83, 84)])
        self.dns = names.World({'isp': (names.SIGNED, ZONE % (
            '3 1 1 ' + hashed(ca.good + '.pem', 'key')))}, (),
            (world.NAMES, 53), h.prefix('names'))
        self.dovecot()
        sasl = {'smtpd_sasl_auth_enable': 'yes',
                'smtpd_tls_auth_only': 'yes',
                'smtpd_client_restrictions':
                    'permit_sasl_authenticated, reject'}
        self.postfix = world.Postfix(
            h, 'isp', 'isp.example', (ca.chain,), [
                ('192.0.2.80', {}),
                ('192.0.2.81', sasl, 587),
                ('192.0.2.82', dict(sasl, smtpd_tls_chain_files=ca.other),
                 587),
                ('192.0.2.83', {'smtpd_recipient_restrictions': 'reject'}),
                ('192.0.2.84', {})],
            'smtpd_sasl_type = dovecot\nsmtpd_sasl_path = %s\n'
            % self.sasl)

    def dovecot(self):
        d = tempfile.mkdtemp(prefix='postern-sasl-')
        os.chmod(d, 0o755)
        for name, text in (('users', 'me:{PLAIN}%s:::::\n' % PASSWORD),
                           ('conf', DOVECOT % {'dir': d})):
            with open(os.path.join(d, name), 'w') as f:
                f.write(text)
        self.sasl = d + '/auth'
        self.auth = world.Process(self.hosts, 'isp', [
            '/usr/sbin/dovecot', '-F', '-c', d + '/conf'],
            d + '/console', d)
        assert until(lambda: os.path.exists(self.sasl)), 'no dovecot'

    def end(self):
        self.postfix.end()
        self.auth.end()
        self.dns.end()


class Customer(Installed):
    def __init__(self, isp, password=PASSWORD, **conf):
        super().__init__(dict({'resolver': isp.dns.resolver,
                               'trust-anchor': isp.dns.anchor,
                               'dnssec': 'auto'}, **conf))
        path = self.write('credentials', 'good.isp me %s\nbad.isp me %s\n' % (
            password, password))
        # as the README says: root's, for the group of the pass
        os.chown(path, 0, self.uid('_postern-queue'))
        os.chmod(path, 0o640)
        os.chown(self.path('spool'), 0, 0)
        os.chown(self.path('run'), 0, 0)
        self.configure({'credentials': path})
        self.start()


def takes(isp):
    p = Customer(isp, smarthost='smtp+tls://me@good.isp')
    out = p.postern('check', code=0)
    has(out, '^ok: the DNS answers, and answers are validated',
        r'^ok: .*postern\.conf:\d+: good\.isp \[192\.0\.2\.81\]:587: '
        'connected, TLS: verified$',
        r'^ok: .*good\.isp \[192\.0\.2\.81\]:587: takes our mail: 2\.1\.5 ',
        '^ok: .*/credentials: a password for each user$')
    assert PASSWORD not in out
    assert isp.postfix.taken() == [], 'something was sent'
    for what in ('sasl_username=me',
                 'ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 rset=1 quit=1'):
        assert until(lambda: what in isp.postfix.logged()), \
            isp.postfix.logged()[-3000:]
    p.clean()


def wrong_password(isp):
    p = Customer(isp, 'wrong', smarthost='smtp+tls://me@good.isp')
    out = p.postern('check', '-q', code=69)
    has(out, r'^fault: .*conf:\d+: good\.isp .*: 4\.7\.8 535 5\.7\.8 ')
    p.write('credentials', '# nothing\n')
    has(p.postern('check', '-n', code=78),
        '^fault: .*/credentials: has mode 0644')
    p.clean()


def wrong_certificate(isp):
    p = Customer(isp, smarthost='smtp+tls://me@bad.isp '
                                'smtp+tls://me@good.isp')
    out = p.postern('check', code=69)
    has(out, r'^fault: .*conf:\d+: bad\.isp .*: 4\.7\.5 not who it must be',
        r'^ok: .*conf:\d+: good\.isp .*: takes our mail')
    p.clean()


def closed(isp):
    p = Customer(isp, route='lists.example smtp://closed.isp')
    out = p.postern('check', '-q', code=69)
    has(out, r'^fault: .*conf:\d+: closed\.isp .*: does not take our mail: '
        r'5\.7\.1 554 5\.7\.1 .*postmaster@lists\.example')
    p.clean()


def gone(isp):
    p = Customer(isp, smarthost='smtp://nobody.isp')
    has(p.postern('check', '-q', code=69),
        r'^fault: .*conf:\d+: 4\.4\.4 the configured next hop has no addr')
    p.clean()


def routes(isp):
    p = Customer(isp)
    has(p.postern('route', 'bob@dane.isp', code=0),
        r'^  mx\.dane\.isp \[192\.0\.2\.84\]:25: TLS or not at all, '
        'certificate verified by DANE$',
        r'^  DNS answers are validated \(DNSSEC\)$',
        '^from other hosts: refused: 5.7.1')
    out = p.postern('route', 'bob@two.isp', code=0)
    has(out, r'DANE$\n  good\.isp \[192\.0\.2\.81\]:25: TLS when it is '
        'offered, whoever answers$')
    has(p.postern('route', 'bob@null.isp', code=68),
        '^  cannot be sent: 5.1.10 the domain takes no mail')
    has(p.postern('route', 'bob@none.isp', code=68),
        '^  cannot be sent: 5.1.2 the domain does not exist$')
    p.configure({'smarthost': 'smtps://me@good.isp'})
    has(p.postern('route', 'bob@dane.isp', code=0),
        r'^  good\.isp \[192\.0\.2\.81\]:465: TLS from the first octet, '
        'certificate verified, AUTH as me$')
    p.configure({'smarthost': None, 'dnssec': 'off'})
    has(p.postern('route', 'bob@dane.isp', code=0), 'TLS when it is offered',
        'not validated')
    # nobody was called
    assert isp.postfix.taken() == []
    p.clean()


def authority():
    ca = Authority()
    for name, san in (('other', 'other.example'),
                      ('good', 'good.isp,DNS:mx.dane.isp')):
        ca.issue('DNS:' + san)
        path = os.path.join(ca.dir, name + '-chain')
        with open(path, 'w') as f:
            for part in ca.last + '.key', ca.last + '.pem', ca.ca:
                with open(part) as one:
                    f.write(one.read())
        if name == 'other':
            ca.other = path
    ca.good, ca.chain = ca.last, path
    return ca


def run(ca):
    tap = Tap()
    world.trust(ca)
    isp = Provider(ca)
    for test in (takes, wrong_password, wrong_certificate, closed, gone,
                 routes):
        tap.run(test.__name__.replace('_', ' '), test, isp)
    isp.end()
    tap.done()


world.play(run, authority, None if os.path.exists('/usr/sbin/dovecot')
           else 'no dovecot')
