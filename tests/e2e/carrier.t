#!/usr/bin/python3
"""The carrier and real servers: Dovecot by LMTP and, with a password over
TLS, as a submission server; Postfix's smtp-sink with its refusals."""
import os
import shutil
import smtplib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import fronts
import tap
from hop import Authority, Hop, carry, message, polite
from postern import free_port, until

t = tap.Tap()
SINK = os.path.join(fronts.DEPS, 'postfix')

CONF = '''
base_dir = %(base)s/run
state_dir = %(base)s/state
log_path = %(base)s/log
protocols = lmtp submission
listen = 127.0.0.1
ssl = required
ssl_cert = <%(base)s/cert
ssl_key = <%(base)s/key
auth_mechanisms = %(mechanisms)s
default_internal_user = dovecot
default_internal_group = dovecot
default_login_user = dovenull
first_valid_uid = 1
mail_location = maildir:%(base)s/mail/%%n
submission_relay_host = 127.0.0.1
submission_relay_port = %(relay)d
submission_relay_trusted = yes
hostname = submission.example
passdb {
  driver = passwd-file
  args = %(base)s/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=%(base)s/mail/%%n allow_all_users=yes
}
service submission-login {
  chroot =
  inet_listener submission {
    port = %(port)d
  }
}
service anvil {
  chroot =
}
service lmtp {
  unix_listener %(base)s/lmtp {
    mode = 0666
  }
  inet_listener lmtp {
    port = %(lmtp)d
  }
}
'''


class Dovecot:
    def __init__(self, ca, mechanisms, relay=1):
        if os.geteuid() != 0:
            raise tap.Skip('Dovecot needs root')
        if not os.path.exists('/usr/lib/dovecot/submission'):
            raise tap.Skip('dovecot-submissiond is not installed')
        self.base = tempfile.mkdtemp(prefix='postern-dovecot-')
        os.chmod(self.base, 0o755)
        os.mkdir(self.base + '/mail')
        shutil.chown(self.base + '/mail', 'nobody')
        ca.issue('IP:127.0.0.1')
        for name, end in ('cert', '.pem'), ('key', '.key'):
            shutil.copy(ca.last + end, os.path.join(self.base, name))
        self.write('users', 'me:{PLAIN}se cret:::::\n')
        self.port, self.lmtp_port = free_port(), free_port()
        conf = self.write('dovecot.conf', CONF % {
            'base': self.base, 'mechanisms': mechanisms, 'port': self.port,
            'relay': relay, 'lmtp': self.lmtp_port})
        self.proc = subprocess.Popen(
            [fronts.tool('dovecot'), '-F', '-c', conf],
            stdin=subprocess.DEVNULL)
        assert until(self.answers), self.logged()

    def write(self, name, text):
        path = os.path.join(self.base, name)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def answers(self):
        try:
            with smtplib.SMTP('127.0.0.1', self.port, timeout=5) as s:
                return s.ehlo()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def logged(self):
        try:
            with open(self.base + '/log') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def mail(self, user):
        new = os.path.join(self.base, 'mail', user, 'new')
        texts = []
        for name in sorted(os.listdir(new)):
            with open(os.path.join(new, name), 'rb') as f:
                texts.append(f.read())
        return texts

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.terminate()
        self.proc.wait(20)
        shutil.rmtree(self.base)


def lmtp():
    content = b'Subject: x\n\n.\n..two\n\xe9\n' + b'y' * 990 + b'\nend\n'
    with Dovecot(ca, 'plain') as d:
        for hop in ('lmtp:unix:%s/lmtp' % d.base,
                    'lmtp://[127.0.0.1]:%d' % d.lmtp_port):
            r = carry(hop, message(content, ['alice', 'bob@here.example']))
            assert r.fates() == [(0, 'W', '2.0.0'), (1, 'W', '2.0.0')], (
                r.records, r.log, d.logged())
        for user in 'alice', 'bob':
            texts = d.mail(user)
            assert len(texts) == 2, texts
            for text in texts:
                assert text.endswith(content), text


def submission():
    """Each mechanism that Dovecot has; what it took reaches its relay."""
    for mechanism in 'scram-sha-256', 'plain', 'login', 'plain login':
        with Hop(polite) as relay:
            port = relay.sock.getsockname()[1]
            with Dovecot(ca, mechanism, port) as d:
                r = login(d, 'se cret')
                assert [x[2] for x in r.records if x[0] == 'V'] == ['W'] and \
                    r.of(0)[6] == 'verified', (r.records, r.log, d.logged())
                assert 'method=' + mechanism.split()[0].upper() in \
                    d.logged(), d.logged()
                r = login(d, 'wrong')
                assert r.unreachable()[0] == '4.7.8', (r.records, r.log)
            assert b'Subject: x' in relay.contents[0], relay.contents


def login(d, password):
    path = os.path.join(d.base, 'credentials')
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
              'w') as f:
        f.write('[127.0.0.1] me %s\n' % password)
    return carry('smtp+tls://me@[127.0.0.1]:%d' % d.port, credentials=path,
                 env={'SSL_CERT_FILE': ca.ca})


class Sink:
    def __init__(self, *options):
        self.port = free_port()
        program = os.path.join(SINK, 'usr/sbin/smtp-sink')
        if not os.path.exists(program):
            raise tap.Skip('smtp-sink is not unpacked')
        user = ['-u', 'nobody'] if os.geteuid() == 0 else []
        self.proc = subprocess.Popen(
            [program] + user + list(options) + ['127.0.0.1:%d' % self.port,
                                                '16'],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=dict(os.environ, LD_LIBRARY_PATH=os.path.join(
                SINK, 'usr/lib/postfix')))
        assert until(self.answers), 'smtp-sink does not answer'

    def answers(self):
        with open('/proc/net/tcp') as f:
            return ':%04X 00000000:0000 0A' % self.port in f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.terminate()
        self.proc.wait(10)
        self.proc.stderr.close()


def sink():
    two = ['a@away.example', 'b@away.example']
    rows = (
        ((), 'DD'),
        (('-p',), 'DD'),                # no PIPELINING
        (('-e',), 'WW'),                # no EHLO
        (('-L',), None),                # LMTP only
        (('-r', 'mail'), 'LL'), (('-r', 'rcpt'), 'LL'),
        (('-r', 'data'), 'LL'), (('-r', '.'), 'LL'),
        (('-f', 'mail'), 'NN'), (('-f', 'rcpt'), 'NN'),
        (('-f', 'data'), 'NN'), (('-f', '.'), 'NN'),
        (('-f', 'connect'), None), (('-r', 'connect'), None),
        (('-f', 'ehlo'), 'WW'),         # HELO then
        (('-q', 'mail'), 'LL'), (('-q', 'rcpt'), 'LL'),
        (('-q', 'data'), 'LL'), (('-q', '.'), 'LL'),
        (('-q', 'connect'), None),
        (('-p', '-r', 'rcpt'), 'LL'), (('-p', '-f', '.'), 'NN'),
        (('-p', '-q', 'data'), 'LL'),
    )
    for options, fates in rows:
        with Sink(*options) as s:
            r = carry('smtp://[127.0.0.1]:%d' % s.port,
                      message(rcpts=two))
        if fates is None:
            t.ok(r.letters == 'X' and r.unreachable()[0][0] == '4',
                 'smtp-sink %s: later' % ' '.join(options), r.records)
        else:
            t.equal(''.join(f for _, f, _ in r.fates()), fates,
                    'smtp-sink %s' % ' '.join(options))


def sink_lmtp():
    with Sink('-L') as s:
        r = carry('lmtp://[127.0.0.1]:%d' % s.port, message(
            rcpts=['a', 'b', 'c']))
    assert ''.join(f for _, f, _ in r.fates()) in ('DDD', 'WWW'), r.records


ca = Authority()
for test in lmtp, submission, sink, sink_lmtp:
    t.run(test.__name__.replace('_', ' '), test)
ca.clean()
t.done()
