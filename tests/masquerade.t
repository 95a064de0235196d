#!/usr/bin/python3
"""Mail of a host without a name, over a smarthost that wants one: refused as
it is, taken in its masquerade; and what is signed arrives as it was."""
import base64
import email
import email.policy
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import tap
from hop import Authority
from postern import BUILD, Postern
from qsite import Site
from sink import Sink
from strict import PASSWORD, Strict

t = tap.Tap()
AWAY = 'eve@away.example'
ca = Authority()
certificate = ca.issue('IP:127.0.0.1') and ca.last
ENV = dict(os.environ, SSL_CERT_FILE=ca.ca)
USERS = {'me': 'me@isp.example', 'work': 'ann@work.example'}
BODY = b'\nFrom: root\nTo: root\n\n.\nbody \xc3\xa4\nno line end'

# As the callers of sendmail(8) write: what they call themselves, and whom.
CALLERS = {
    'Debian cron': b'From: root (Cron Daemon)\nTo: root\n'
                   b'Subject: Cron <root@box> x\n',
    'cronie': b'From: "(Cron Daemon)" <root>\nTo: root\nSubject: x\n',
    'mailx': b'To: root@localhost\nSubject: x\nFrom: root <root@mx.here.example>\n',
    'smartd': b'To: root\nSubject: x\n',
    'mdadm': b'From: mdadm monitoring <root>\nTo: root\nSubject: x\n',
    'PHP': b'To: root\nSubject: x\nFrom: www-data@localhost\n',
    'git': b'From: =?UTF-8?q?J=C3=B6rg?= <alice@here.example>\nTo: a@b.example'
           b'\nCc: "C, D" <c@d.example>,\n bob\nSubject: x\n',
    'a list': b'From: alice\nSender: root\nReply-To: list@away.example\n'
              b'To: undisclosed-recipients:;\nSubject: x\n',
    'logwatch': b'From: logwatch@mx.here.example\nTo: root\nSubject: x\n',
    'no header': b'',
    'two authors': b'From: alice, Bob <bob@here.example>\nSender: alice\n'
                   b'Subject: x\n',
    'a long line': b'From: "' + b'n' * 900 + b'" <alice>\nTo: ' +
                   b', '.join(b'user%d' % i for i in range(80)) +
                   b'\nSubject: x\n',
}


def site(smarthost, conf=None, **more):
    p = Site(dict({'smarthost': smarthost}, **(conf or {})), **more)
    if not p.multi:
        raise tap.Skip('a smarthost of its own needs root')
    path = p.write('credentials', ''.join(
        '127.0.0.1 %s %s\n' % (u, PASSWORD) for u in USERS))
    p.own(path, '_postern-queue')
    os.chmod(path, 0o600)
    p.configure({'credentials': path})
    return p


def submit(p, header, body=BODY, sender='root', to=AWAY, at=None):
    c = at or p.local_client()
    c.hello()
    text = header.rstrip(b'\n') + (b'\n' if header else b'') + body
    code, said = c.mail([to], sender, b'' if not text else
                        text.replace(b'\n.', b'\n..').replace(b'\n', b'\r\n')
                        + (b'' if text.endswith(b'\n') else b'\r\n'))
    assert code == 250, said
    c.quit()


def parsed(content):
    return email.message_from_bytes(content, policy=email.policy.default)


def body_of(content):
    return content.replace(b'\r\n', b'\n').split(b'\n\n', 1)[1]


# --- a strict smarthost ------------------------------------------------------

def every_caller():
    s = Strict(certificate, USERS)
    try:
        p = site(s.url('me'))
        p.start()
        for name, header in CALLERS.items():
            submit(p, header)
        p.pass_(env=ENV)
        log = p.logged()
        # as it is: nobody's mail is taken
        assert log.count('not owned by user me') == len(CALLERS), log[-3000:]
        for q in p.files():
            os.unlink(os.path.join(p.queue_dir, q))
        # the right envelope alone is not enough for most
        for name, header in CALLERS.items():
            submit(p, header, sender='me@isp.example')
        p.pass_(env=ENV)
        taken = len(re.findall('event=relay id=[^ ]+ to=eve@.* status=2.0.0',
                               p.logged()))
        assert taken <= len(CALLERS) - 10, (taken, p.logged()[-3000:])
        assert '5.7.1 From: no' in p.logged()
        for q in p.files():
            os.unlink(os.path.join(p.queue_dir, q))
        s.take(taken)       # the smarthost may still have them in hand
        # in its masquerade: everybody's
        p.configure({'masquerade': 'me@isp.example'})
        for name, header in CALLERS.items():
            submit(p, header)
        p.pass_(env=ENV)
        assert p.files() == [], p.logged()[-3000:]
        for m in s.take(len(CALLERS)):
            assert m.sender == 'me@isp.example', m.sender
            assert body_of(m.content).rstrip(b'\n') == BODY[1:], m.content
            h = parsed(m.content)
            for field in 'From', 'Date', 'Message-ID':
                assert len(h.get_all(field, [])) == 1, (field, m.content)
            for a in h['From'].addresses:
                assert a.addr_spec == 'me@isp.example' and a.display_name, \
                    m.content
            for field in 'To', 'Cc', 'Reply-To', 'Sender':
                for a in h[field].addresses if h[field] else ():
                    assert '.' in a.domain or a.domain == 'localhost', (
                        field, m.content)
            assert max(map(len, m.content.split(b'\r\n'))) <= 998
    finally:
        s.end()


def who_it_was():
    """The display name and the way back to the author."""
    sink = Sink()
    p = site(sink.url, {'masquerade': 'me@isp.example'})
    p.start()
    submit(p, CALLERS['Debian cron'])
    submit(p, CALLERS['git'], sender='alice')
    submit(p, CALLERS['a list'], sender='alice')
    p.pass_()
    cron, git, many = [parsed(m.content) for m in sorted(
        sink.messages, key=lambda m: (b'undisclosed' in m.content,
                                      b'UTF-8' in m.content))]
    t.equal((str(cron['From']), cron['Reply-To'], cron['To']),
            ('"root at mx.here.example" <me@isp.example>', 'root@here.example',
             'root@here.example'), 'the host is in the name')
    t.equal((git['From'].addresses[0].display_name, git['Reply-To'],
             git['Cc']), ('Jörg', 'alice@here.example',
                          '"C, D" <c@d.example>, bob@here.example'),
            'a name stays what it is')
    t.equal((many['Reply-To'], many['X-Original-From'], many['Sender']),
            ('list@away.example', 'alice@here.example', 'me@isp.example'),
            'a Reply-To stays')


# --- what may be changed -----------------------------------------------------

def left_alone():
    """By envelope only: strangers' mail, what is signed; and no LMTP."""
    sink, lmtp = Sink(), Sink(lmtp=True)
    p = site(sink.url, {'masquerade': 'me@isp.example\n'
                        'masquerade no@isp.example for ' + lmtp.url,
                        'route': 'lmtp.example ' + lmtp.url})
    p.start()
    root = b'From: root\nTo: root\nDate: x\nMessage-ID: <x>\n\nx\n'
    p.put('stranger@away.example', [AWAY], root, flags='')
    p.put('', [AWAY], b'From: x@y.example\n\nnull\n')
    p.put('root@here.example', ['x@lmtp.example'], root)
    for seal in (b'DKIM-Signature: v=1; h=from\n',
                 b'Content-Type: multipart/signed; boundary=x\n',
                 b'content-type:\n Multipart/Encrypted; boundary=x\n',
                 b'Content-Type: application/pkcs7-mime\n'):
        p.put('root@here.example', [AWAY], seal + root)
    pgp = root + b'-----BEGIN PGP SIGNED MESSAGE-----\n'
    p.put('root@here.example', [AWAY], pgp)
    far = b'x' * 70 + b'\n'
    p.put('root@here.example', [AWAY], root + far * 3000 +
          b'-----BEGIN PGP MESSAGE-----\n')
    big = b''.join(b'X-%d: %s\n' % (i, b'y' * 900) for i in range(80))
    p.put('root@here.example', [AWAY], big + root)
    p.put('root@here.example', [AWAY], b'From: x@away.example\n\nforeign\n')
    p.pass_()
    t.equal(sorted((m.sender, b'From: root\r\n' in m.content or
                    b'null' in m.content or b'foreign' in m.content)
                   for m in sink.messages),
            [('', True)] + [('me@isp.example', True)] * 9,
            'the envelope changes, the content does not')
    assert len(lmtp.messages) == 1, p.logged()
    t.equal(lmtp.messages[0].sender, 'root@here.example', 'not to LMTP')
    assert b'From: root\r\n' in lmtp.messages[0].content


def size_is_right():
    sink = Sink(keywords=('SIZE 100000000', '8BITMIME', 'PIPELINING'))
    p = site(sink.url, {'masquerade': 'me@isp.example'})
    p.start()
    for header in CALLERS.values():
        submit(p, header)
    p.pass_()
    assert len(sink.messages) == len(CALLERS), p.logged()
    for m in sink.messages:
        assert ' SIZE=%d' % len(m.content) in m.mail, (m.mail,
                                                       len(m.content))


def long_lines_too():
    """The body's long lines are encoded behind the new header."""
    sink = Sink()
    p = site(sink.url, {'masquerade': 'me@isp.example'})
    p.start()
    body = b'\n' + b'z' * 3000 + b'\nend\n'
    submit(p, b'From: root\nTo: root\n', body)
    p.pass_()
    m = parsed(sink.messages[0].content)
    assert str(m['From']).endswith('<me@isp.example>'), m['From']
    got = m.get_payload(decode=True).replace(b'\r\n', b'\n')
    assert got == body[1:], got[:200]


def by_domain():
    sink = Sink()
    p = site(sink.url, {'masquerade': '@isp.example'})
    p.start()
    submit(p, b'From: root\nTo: root\nSubject: 1\n', sender='root')
    submit(p, b'From: Ann <alice@here.example>\nSubject: 2\n', sender='alice')
    submit(p, b'From: x@away.example\nSubject: 3\n', sender='x@away.example')
    p.pass_()
    got = sorted((parsed(m.content)['Subject'], m.sender,
                  str(parsed(m.content)['From']),
                  parsed(m.content)['X-Original-From'],
                  parsed(m.content)['Reply-To']) for m in sink.messages)
    t.equal(got, [
        ('1', 'root@isp.example',
         '"root at mx.here.example" <root@isp.example>', 'root@here.example',
         None),
        ('2', 'alice@isp.example', 'Ann <alice@isp.example>',
         'alice@here.example', None),
        ('3', 'x@away.example', 'x@away.example', None, None)],
        'local parts stay')


def which_hop():
    """A rule for a hop, failover between hops with different rules, routes,
    and no rule without a smarthost."""
    first, second, routed = Sink({'MAIL': '451 4.3.0 later'}), Sink(), Sink()
    p = site(first.url + ' ' + second.url, {
        'masquerade': 'one@isp.example for ' + first.url +
                      '\nmasquerade two@isp.example for ' +
                      second.url.replace('smtp', 'SMTP') +
                      '\nmasquerade three@isp.example',
        'route': 'routed.example ' + routed.url})
    p.start()
    submit(p, b'From: root\n')
    submit(p, b'From: root\n', to='x@routed.example')
    first.replies['MAIL'] = '421 4.3.0 closing'
    p.pass_()
    said = [x for x in first.lines if x.startswith('MAIL')]
    assert said and 'FROM:<one@isp.example>' in said[0], first.lines
    m, = second.messages
    assert m.sender == 'two@isp.example', m.sender
    assert b'<two@isp.example>' in m.content and b'one@' not in m.content
    m, = routed.messages
    assert m.sender == 'root@here.example' and b'From: root\r\n' in m.content
    p.configure({'masquerade': 'four@isp.example for ' + routed.url})
    submit(p, b'From: root\n', to='x@routed.example')
    p.pass_()
    assert routed.messages[-1].sender == 'four@isp.example'


def by_sender():
    """smarthost-for: his address, then his domain, several as failover."""
    away, dead, his, firm = Sink(), Sink({'': '421 4.3.0 no'}), Sink(), Sink()
    p = site(away.url, {
        'trusted-users': '*',
        'smarthost-for': 'ann@work.example %s %s\nsmarthost-for @Work.example'
                         ' %s' % (dead.url, his.url, firm.url)})
    p.start()
    for sender in ('ann@work.example', 'ANN@work.example', 'bob@work.example',
                   'ann@sub.work.example', 'alice', ''):
        submit(p, b'From: x@y.example\n', sender=sender)
    submit(p, b'From: x@y.example\n', sender='ann@work.example', to='bob')
    p.pass_()
    assert p.files() == [], p.logged()
    t.equal([sorted(m.sender for m in s.messages)
             for s in (his, firm, away)],
            [['ANN@work.example', 'ann@work.example'], ['bob@work.example'],
             ['', 'alice@here.example', 'ann@sub.work.example']],
            'each sender has his smarthost')
    assert dead.connections >= 1 and len(p.messages('bob')) == 1


def two_accounts():
    """Each with a user of its own at the same strict smarthost."""
    s = Strict(certificate, USERS)
    try:
        p = site(s.url('me'), {
            'masquerade': 'me@isp.example\nmasquerade ann@work.example for ' +
                          s.url('work'),
            'smarthost-for': 'alice@here.example ' + s.url('work')})
        p.start()
        submit(p, b'From: alice\n', sender='alice')
        submit(p, b'From: bob\n', sender='bob')
        p.pass_(env=ENV)
        assert p.files() == [], p.logged()[-3000:]
        got = sorted((m.sender, parsed(m.content)['From'].addresses[0]
                      .addr_spec) for m in s.take(2))
        assert got == [('ann@work.example',) * 2, ('me@isp.example',) * 2], got
    finally:
        s.end()


def recipe():
    """The README's: mail for root, from sendmail(8), at the provider."""
    s = Strict(certificate, {'me@isp.example': 'me@isp.example'})
    try:
        p = site(s.url('me@isp.example'), {'masquerade': 'me@isp.example'},
                 aliases='root: me@isp.example\n')
        with open(p.path('credentials'), 'a') as f:
            f.write('127.0.0.1 me@isp.example %s\n' % PASSWORD)
        p.start()
        mailer = p.path('sendmail')
        shutil.copy(os.path.join(BUILD, 'sendmail'), mailer)
        subprocess.run([mailer, 'root'], input=b'Subject: from cron\n\nworks\n',
                       check=True, timeout=60,
                       env=dict(os.environ, POSTERN_CONF=p.conf))
        p.pass_(env=ENV)
        assert p.files() == [], p.logged()[-3000:]
        m, = s.take(1)
        assert (m.sender, m.rcpts) == ('me@isp.example', ['me@isp.example'])
        h = parsed(m.content)
        assert h['From'].addresses[0].addr_spec == 'me@isp.example', m.content
        assert body_of(m.content) == b'works\n', m.content
        assert 'event=relay' in p.logged()
    finally:
        s.end()


# --- what is signed, verified after the journey ------------------------------

def journey(header, body, **conf):
    """Through smtpd, the queue and a strict smarthost; the content that
    arrives, without the Received fields that it got."""
    s = Strict(certificate, {'me': 'me@isp.example'})
    try:
        p = site(s.url('me'), dict({'masquerade': 'me@isp.example'}, **conf))
        p.start()
        submit(p, header, body)
        p.pass_(env=ENV)
        assert p.files() == [], p.logged()[-3000:]
        m, = s.take(1)
        assert m.sender == 'me@isp.example', m.sender
        return re.sub(rb'\AReceived: .*?\r\n(?!Received|[ \t])', b'',
                      m.content, flags=re.S)
    finally:
        s.end()


def dkim():
    try:
        import dkim as d
    except ImportError:
        raise tap.Skip('python3-dkim is not installed')
    key = subprocess.run(['openssl', 'genrsa', '2048'], check=True,
                         stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL).stdout
    public = subprocess.run(
        ['openssl', 'rsa', '-pubout', '-outform', 'DER'], input=key,
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    record = b'v=DKIM1; k=rsa; p=' + base64.b64encode(public)
    for canonical in (b'simple', b'simple'), (b'relaxed', b'relaxed'):
        message = (b'From: "Ann" <ann@away.example>\r\n'
                   b'Mail-Followup-To: bob\r\nSubject:  x \r\n\r\n.dot\r\n\r\nFrom here\r\n')
        signature = d.sign(message, b'sel', b'away.example', key,
                           canonicalize=canonical,
                           include_headers=[b'from', b'mail-followup-to',
                                            b'subject', b'date',
                                            b'message-id'])
        got = journey(
            signature.replace(b'\r\n', b'\n') +
            message.split(b'\r\n\r\n')[0].replace(b'\r\n', b'\n'),
            b'\n' + message.split(b'\r\n\r\n', 1)[1].replace(b'\r\n', b'\n'))
        assert d.verify(got, dnsfunc=lambda *_, **__: record), got
        # and a message that was changed would not
        assert not d.verify(got.replace(b'To: bob', b'To: bob@x'),
                            dnsfunc=lambda *_, **__: record)


def pgp():
    with tempfile.TemporaryDirectory() as home:
        def gpg(*args, **more):
            return subprocess.run(
                ['gpg', '--homedir', home, '--batch', '--quiet', *args],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                **more)
        gpg('--passphrase', '', '--quick-gen-key', 'a@here.example',
            check=True)
        try:
            inline_and_mime(gpg, home)
        finally:
            subprocess.run(['gpgconf', '--homedir', home, '--kill', 'all'],
                           check=False)


def inline_and_mime(gpg, home):
    # inline: the whole message stays
    text = b'\nsigned text \xc3\xa4\n- dashes\n'
    signed = gpg('--clearsign', input=text, check=True).stdout
    header = b'From: ann@away.example\nMail-Followup-To: bob\n'
    got = journey(header, b'\n' + signed)
    assert b'To: bob\r\n' in got, got
    assert gpg('--verify', input=body_of(got)).returncode == 0, got
    # multipart/signed, RFC 3156: the part with CR LF line ends
    part = (b'Content-Type: text/plain; charset=utf-8\r\n'
            b'Content-Transfer-Encoding: quoted-printable\r\n\r\n'
            b'From=20here\r\n' + b'=C3=A4=20\r\n')
    seal = gpg('--armor', '--detach-sign', input=part, check=True).stdout
    header = (b'From: ann@away.example\nMail-Followup-To: bob\nMIME-Version: 1.0\n'
              b'Content-Type: multipart/signed; micalg=pgp-sha512;\n'
              b' protocol="application/pgp-signature"; boundary="b"\n')
    got = journey(header, b'\n--b\n' + part.replace(b'\r\n', b'\n') +
                  b'\n--b\nContent-Type: application/pgp-signature\n\n' +
                  seal + b'\n--b--\n')
    first = got.split(b'--b\r\n')[1][:-2]
    sealed = os.path.join(home, 'seal')
    with open(sealed, 'wb') as f:
        f.write(seal)
    assert gpg('--verify', sealed, '-', input=first).returncode == 0, first
    assert b'To: bob\r\n' in got and b'Message-ID: ' in got, got


def s_mime():
    key = ca.last + '.key'
    text = b'Content-Type: text/plain\r\n\r\nFrom here \xc3\xa4\r\n'
    for args in ((), ('-nodetach',)):
        signed = subprocess.run(
            ['openssl', 'cms', '-sign', '-signer', ca.last + '.pem', '-inkey',
             key, '-from', 'ann@away.example', '-to', 'bob@away.example', '-subject', 'x',
             *args], input=text, check=True, stdout=subprocess.PIPE).stdout
        signed = signed.replace(b'\r\n', b'\n')
        header, body = signed.split(b'\n\n', 1)
        got = journey(header + b'\nMail-Followup-To: bob', b'\n' + body)
        assert b'Mail-Followup-To: bob\r\n' in got, got
        done = subprocess.run(
            ['openssl', 'cms', '-verify', '-CAfile', ca.ca, '-purpose', 'any'],
            input=got, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0 and done.stdout == text, (done, got)


def main():
    os.chmod(ca.dir, 0o755)
    Postern().clean()       # users and a network of our own from here on
    for test in (every_caller, who_it_was, left_alone, size_is_right,
                 long_lines_too, by_domain, which_hop, by_sender,
                 two_accounts, recipe, dkim, pgp, s_mime):
        t.run(test.__name__.replace('_', ' '), test)
    ca.clean()
    t.done()


main()
