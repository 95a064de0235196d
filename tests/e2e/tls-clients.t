#!/usr/bin/python3
"""Programs that send mail over TLS, by STARTTLS and from the first octet; and
testssl.sh, which looks for what is weak."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import fronts
import tap
from postern import free_port, until
from secured import Site

t = tap.Tap()
TEXT = (b'From: tester@here.example\r\nTo: alice@here.example\r\n'
        b'Subject: over TLS\r\n\r\n.a dot\r\nlast\r\n')


def run(p, args, text=b'', good=(0,), env=None):
    r = subprocess.run(args, input=text, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=300, cwd=p.dir,
                       env=dict(os.environ, HOME=p.dir, LC_ALL='C.UTF-8',
                                **(env or {})))
    out = r.stdout.decode(errors='replace')
    assert r.returncode in good, '%s: exit %d\n%s\n%s' % (
        args[0], r.returncode, out[-2000:], p.logged()[-1000:])
    return out


def arrived(p, *texts):
    got, = p.take()
    for text in (b' with ESMTPS id',) + texts:
        assert text in got, '%r is not in %r' % (text, got)


def swaks(p):
    for port, *how in ((p.port, '--tls'), (p.smtps, '--tls-on-connect'),
                       (p.port, '--tls', '--tls-protocol', 'tlsv1_2'),
                       (p.port, '--tls', '--pipeline')):
        run(p, [fronts.tool('swaks'), '--server', '127.0.0.1', '--port',
                str(port), '--helo', 'client.example', '--from',
                'tester@here.example', '--to', 'alice@here.example',
                '--header', 'Subject: by swaks', '--body', 'one\n.dot', *how])
        arrived(p, b'Subject: by swaks\n', b'\none\n.dot\n')


def curl(p):
    p.write('message.eml', TEXT.decode())
    for url in 'smtp://127.0.0.1:%d' % p.port, 'smtps://127.0.0.1:%d' % p.smtps:
        run(p, [fronts.tool('curl'), '-sS', '--ssl-reqd', '--insecure',
                '--url', url + '/client.example', '--mail-from',
                'tester@here.example', '--mail-rcpt', 'alice@here.example',
                '--upload-file', p.path('message.eml')])
        arrived(p, b'Subject: over TLS\n', b'\n.a dot\nlast\n')


def msmtp(p):
    for port, how in (p.port, 'on'), (p.smtps, 'off'):
        run(p, [fronts.tool('msmtp'), '--host=127.0.0.1', '--port=%d' % port,
                '--tls=on', '--tls-starttls=' + how,
                '--tls-trust-file=' + p.cert + '.pem',
                '--tls-host-override=mx.here.example',
                '--from=tester@here.example', 'alice@here.example'],
            TEXT.replace(b'\r\n', b'\n'))
        arrived(p, b'Subject: over TLS\n', b'\n.a dot\nlast\n')


def postfix(p):
    """Its client's library; it says how much it trusts us."""
    at = os.path.join(fronts.DEPS, 'postfix')
    program = os.path.join(at, 'usr/sbin/posttls-finger')
    if not os.path.exists(program):
        raise tap.Skip('postfix is not unpacked')
    os.makedirs(p.path('postfix'), exist_ok=True)
    p.write('postfix/main.cf', 'compatibility_level = 3.6\nmyhostname = '
            'client.example\nmail_owner = man\n'
            'setgid_group = games\n')
    out = run(p, [program, '-c', '-l', 'verify', '-F', p.cert + '.pem', '-P',
                  '/nowhere', '[127.0.0.1]:%d' % p.port, 'mx.here.example'],
              env={'MAIL_CONFIG': p.path('postfix'), 'LD_LIBRARY_PATH':
                   os.path.join(at, 'usr/lib/postfix')})
    assert 'Verified TLS connection established' in out and \
        'TLSv1.3 with cipher TLS_AES_256_GCM_SHA384' in out, out


# What its severities are called, from harmless on.
HARMLESS = 'OK', 'INFO', 'DEBUG', 'LOW'


def testssl(p):
    """Neither weak protocols nor ciphers nor what has a name of its own."""
    program = shutil.which('testssl') or shutil.which('testssl.sh')
    if not program:
        raise tap.Skip('testssl.sh is not installed')
    for where, how in ((p.port, ['--starttls', 'smtp']), (p.smtps, [])):
        at = p.path('scan.json')
        if os.path.exists(at):
            os.unlink(at)
        # those that need no certificate of a known authority: protocols,
        # kinds of ciphers, forward secrecy, and the holes with a name
        said = run(p, [program, '--quiet', '--color', '0', '--warnings',
                       'off', '--nodns', 'none', '--jsonfile', at, '-p', '-s',
                       '-f', '-H', '-I', '-T', '-R', '-C', '-Z', '-W', '-A',
                       '-F', '-J', '-D', '-4', *how, '127.0.0.1:%d' % where],
                   good=range(0, 240))
        assert os.path.exists(at), said
        with open(at) as f:
            found = json.load(f)
        bad = [(f['id'], f['finding']) for f in found
               if f['severity'] not in HARMLESS and
               f['id'] != 'engine_problem']     # of its own openssl
        ids = {f['id']: f['finding'] for f in found}
        assert not bad, bad
        assert ids['TLS1_2'].startswith('offered'), ids
        assert ids['TLS1_3'].startswith('offered'), ids
        assert ids['TLS1'] == ids['TLS1_1'] == 'not offered', ids


p = Site()
p.smtps, p.port = free_port(), free_port()
p.start('127.0.0.1:%d' % p.port, 'submissions=127.0.0.1:%d' % p.smtps,
        'unix:' + p.path('run', 'smtp'))
for client in swaks, curl, msmtp, postfix, testssl:
    if len(sys.argv) < 2 or client.__name__ in sys.argv[1:]:
        t.run(client.__name__, client, p)
assert until(lambda: not p.sessions())
p.clean()
t.done()
