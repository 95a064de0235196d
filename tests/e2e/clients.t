#!/usr/bin/python3
"""Programs that people send mail with, through everything that may start
smtpd."""
import os
import pwd
import smtplib
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import fronts
import tap
from postern import split_trace

t = tap.Tap()

MESSAGE = (b'From: Tester <tester@here.example>\r\n'
           b'Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n'
           b'Message-ID: <1@client.example>\r\n'
           b'To: alice@here.example\r\n'
           b'Subject: gr\xc3\xbc\xc3\x9fe\r\n'
           b'MIME-Version: 1.0\r\n'
           b'Content-Type: text/plain; charset=utf-8\r\n'
           b'Content-Transfer-Encoding: 8bit\r\n'
           b'\r\n'
           b'.a dot first\r\n'
           b'..two dots\r\n'
           b'.\r\n'
           b'From here on\r\n'
           b'\xe2\x82\xac and a long line: ' + b'x' * 900 + b'\r\n'
           b'\r\n')


def run(p, args, text=b'', **more):
    env = dict(os.environ, HOME=p.dir, MAILRC='/dev/null', DEAD='/dev/null',
               LC_ALL='C.UTF-8', EMAIL='tester@here.example')
    r = subprocess.run(args, input=text, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=60, env=env,
                       cwd=p.dir, **more)
    assert r.returncode == 0, '%s: exit %d\n%s\n%s' % (
        args[0], r.returncode, r.stdout.decode(errors='replace'),
        p.logged()[-1000:])
    return r.stdout


def exactly(p, content=MESSAGE):
    """alice has this one message, bytes as they were but for line ends."""
    got = [split_trace(m) for m in p.take()]
    assert len(got) == 1, '%d messages\n%s' % (len(got), p.logged()[-1000:])
    want = content.replace(b'\r\n', b'\n')
    assert got[0][1] == want, 'got %r\nwanted %r' % (got[0][1], want)


def contains(p, *texts):
    got = p.take()
    assert len(got) == 1, '%d messages\n%s' % (len(got), p.logged()[-1000:])
    for text in texts:
        assert text in got[0], '%r is not in %r' % (text, got[0])


def file_of(p, text=MESSAGE):
    path = p.path('message.eml')
    with open(path, 'wb') as f:
        f.write(text)
    return path


def swaks(p, *more):
    run(p, [fronts.tool('swaks'), '--server', '127.0.0.1', '--port',
            str(p.port), '--helo', 'client.example', '--from',
            'tester@here.example', '--to', 'alice@here.example', '--header',
            'Subject: by swaks', '--body', 'line one\n.dot\nlast',
            '--suppress-data', *more])
    contains(p, b'Subject: by swaks\n', b'\nline one\n.dot\nlast\n')


def swaks_pipeline(p):
    swaks(p, '--pipeline')


def curl(p):
    run(p, [fronts.tool('curl'), '-sS', '--crlf', '--max-time', '30',
            'smtp://127.0.0.1:%d/client.example' % p.port, '--mail-from',
            'tester@here.example', '--mail-rcpt', 'alice@here.example',
            '--upload-file', file_of(p, MESSAGE.replace(b'\r\n', b'\n'))])
    exactly(p)


def msmtp(p):
    run(p, [fronts.tool('msmtp'), '--file=/dev/null', '--host=127.0.0.1',
            '--port=%d' % p.port, '--from=tester@here.example', '--tls=off',
            '--auth=off', '--domain=client.example', 'alice@here.example'],
        MESSAGE.replace(b'\r\n', b'\n'))
    exactly(p)


def need_name():
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise tap.Skip('it wants a user with a name')


def s_nail(p):
    need_name()
    run(p, [fronts.tool('s-nail'), '-:/', '-Sv15-compat',
            '-Smta=smtp://127.0.0.1:%d' % p.port, '-Ssmtp-auth=none',
            '-Sfrom=tester@here.example', '-Shostname=client.example',
            '-Ssendwait', '-s', 'by s-nail', 'alice@here.example'],
        b'line one\n.dot\nlast\n')
    contains(p, b'Subject: by s-nail\n', b'\nline one\n.dot\nlast\n')


def mutt(p):
    need_name()
    rc = p.write('muttrc', 'set smtp_url="smtp://127.0.0.1:%d/"\n'
                 'set ssl_starttls=no\nset ssl_force_tls=no\nset copy=no\n'
                 'set from="tester@here.example"\nset use_envelope_from\n'
                 'set envelope_from_address="tester@here.example"\n'
                 'set hostname="client.example"\n' % p.port)
    attachment = p.write('attachment.txt', 'an attachment\n')
    run(p, [fronts.tool('mutt'), '-n', '-F', rc, '-s', 'by mutt', '-a',
            attachment, '--', 'alice@here.example'], b'line one\n.dot\n')
    contains(p, b'Subject: by mutt\n', b'\nline one\n.dot\n',
             b'an attachment')


def python(p):
    with smtplib.SMTP('127.0.0.1', p.port, 'client.example',
                      timeout=30) as s:
        s.ehlo()
        for word in ('pipelining', 'size', '8bitmime', 'smtputf8',
                     'enhancedstatuscodes', 'chunking'):
            assert s.has_extn(word), word
        assert s.sendmail('tester@here.example', ['alice@here.example'],
                          MESSAGE, mail_options=['BODY=8BITMIME']) == {}
        exactly(p)
        # the same session serves again, one recipient good, one not
        bad = s.sendmail('tester@here.example',
                         ['alice@here.example', 'nobody@here.example'],
                         MESSAGE)
        assert list(bad) == ['nobody@here.example'], bad
        assert bad['nobody@here.example'][0] == 550, bad
        exactly(p)
        assert s.verify('alice')[0] == 252


CLIENTS = (swaks, swaks_pipeline, curl, msmtp, s_nail, mutt, python)

for front in fronts.FRONTS:
    name = front.__name__.replace('_', ' ')
    try:
        p = front()
        fronts.works(p)
    except tap.Skip as e:
        t.skip(name, str(e))
        continue
    except Exception:
        t.ok(False, name, traceback.format_exc())
        continue
    for client in CLIENTS:
        t.run('%s through %s' % (client.__name__.replace('_', ' '), name),
              client, p)
    p.clean()
t.done()
