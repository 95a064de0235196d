#!/usr/bin/python3
"""STARTTLS and TLS from the first octet: what is offered, what a client may
and may not do on the way into it and in it, and what is left of it."""
import concurrent.futures
import ctypes
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import fronts
import qfile
import tap
from postern import (ROOT, WAIT, Closed, Postern, descriptor, free_port,
                     split_trace, until)
from secured import (Site, TlsClient, certificate, context, descriptors,
                     running, serial, serial_of, settled, status)

t = tap.Tap()
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


# --- what is offered ---------------------------------------------------------

def message(p):
    for version, name in (V12, 'TLSv1.2'), (V13, 'TLSv1.3'):
        c = p.tls_client()
        c.starttls(ctx=context(version))
        c.hello_again()
        code, lines = c.mail()
        assert code == 250, lines
        c.quit()
        text, = p.take()
        trace, content = split_trace(text)
        assert b' with ESMTPS id' in trace, trace
        cipher, = re.findall(rb'\n\ttls (TLS_[A-Z0-9_]+);', trace)
        assert c.torn is False
        line = 'event=tls peer=127.0.0.1 version=%s cipher=%s\n' % (
            name, cipher.decode())
        assert line in p.logged(), p.logged()
        assert re.search(r'event=session .* tls=%s accepted=1' % name,
                         p.logged())


def offered(p):
    """Once, and never again; a new session begins."""
    c = p.tls_client()
    _, lines = c.hello()
    assert 'STARTTLS' in lines and 'REQUIRETLS' not in lines, lines
    c.want('501 5.5.4', 'STARTTLS now')
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<alice@here.example>')
    c.want('220', 'STARTTLS')
    c.tls()
    c.want('503 5.5.1', 'DATA')
    c.want('503 5.5.1', 'MAIL FROM:<a@away.example>')
    _, lines = c.hello_again()
    assert 'STARTTLS' not in lines and 'REQUIRETLS' in lines, lines
    c.want('503 5.5.1', 'STARTTLS')
    c.want('503 5.5.1', 'RCPT TO:<alice@here.example>')
    c.quit()


def s_client(p, *options):
    return subprocess.run(
        ['openssl', 's_client', '-starttls', 'smtp', '-connect',
         '127.0.0.1:%d' % p.port, '-ign_eof', *options],
        input='QUIT\r\n', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=WAIT)


def versions(p):
    weak = ['-cipher', 'ALL:@SECLEVEL=0']
    for option, good in (('-tls1_2', True), ('-tls1_3', True),
                         ('-tls1_1', False), ('-tls1', False)):
        r = s_client(p, option, *(weak if not good else []))
        assert ('\n221 2.0.0' in r.stdout) == good, (option, r.stdout)


def weak(p):
    """No cipher without forward secrecy, none without AEAD."""
    for ciphers in ('AES128-SHA', 'AES256-GCM-SHA384',
                    'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256',
                    'NULL', 'aNULL', '3DES', 'RC4'):
        r = s_client(p, '-tls1_2', '-cipher', ciphers + ':@SECLEVEL=0')
        assert '221 2.0.0' not in r.stdout, (ciphers, r.stdout)
    r = s_client(p, '-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256')
    assert '221 2.0.0' in r.stdout, r.stdout


def renegotiation(p):
    """Asked for by the client: refused, and nothing else is harmed."""
    r = subprocess.run(
        ['openssl', 's_client', '-tls1_2', '-starttls', 'smtp', '-connect',
         '127.0.0.1:%d' % p.port],
        input='R\n', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=WAIT)
    assert 'RENEGOTIATING' in r.stdout and (
        'no renegotiation' in r.stdout), r.stdout
    message(p)


def without(p):
    """Nothing is offered where nothing is configured."""
    plain = Postern()
    plain.start()
    c = plain.client()
    _, lines = c.hello()
    assert 'STARTTLS' not in lines
    c.want('502 5.5.1', 'STARTTLS')
    c.want('555 5.5.4', 'MAIL FROM:<a@away.example> REQUIRETLS')
    c.quit()
    assert not running(plain.tls)
    plain.clean()
    # nor on the unix socket, or to a program that has started us
    c = p.local_client()
    _, lines = c.hello()
    assert 'STARTTLS' not in lines
    c.want('502 5.5.1', 'STARTTLS')
    c.quit()


def requiretls(p):
    """It stays with the message, RFC 8689."""
    c = p.tls_client().starttls()
    c.hello_again()
    c.want('250', 'MAIL FROM:<a@here.example> REQUIRETLS')
    c.want('250', 'RCPT TO:<bob@away.example>')
    c.want('354', 'DATA')
    c.send(b'Subject: x\r\n\r\n.\r\n')
    c.want('250')
    c.want('501', 'MAIL FROM:<a@here.example> REQUIRETLS=1')
    c.quit()
    q, = qfile.take(p)
    assert 't' in q.flags, q.flags


# --- on the way into it -------------------------------------------------------

def injected(p):
    """CVE-2011-0411: nothing that came in clear is a command afterwards."""
    for text in (b'STARTTLS\r\nNOOP\r\n', b'STARTTLS\r\nN', b'STARTTLS\r\n\r\n',
                 b'STARTTLS\r\nEHLO x\r\nMAIL FROM:<a@b.example>\r\n',
                 b'STARTTLS\r\nSTARTTLS\r\n', b'STARTTLS\r\n\x16\x03\x01'):
        c = p.tls_client()
        c.hello()
        c.send(text)
        c.want('554 5.5.0')
        assert c.at_end(), text
        c.close()
    c = p.tls_client()
    c.want('220')
    c.send(b'EHLO client.example\r\nSTARTTLS\r\n')
    c.want('554 5.5.0')
    assert c.at_end()
    c.close()


def clear_text(p):
    """After 220 everything is TLS or nothing."""
    for text in (b'NOOP\r\n', b'EHLO client.example\r\nMAIL FROM:<>\r\n',
                 b'\r\n' * 2000, b'\x80\x2e\x01\x03\x01', b'\x16\x03\x01'):
        c = p.tls_client()
        c.hello()
        c.want('220', 'STARTTLS')
        c.send(text)
        c.sock.shutdown(socket.SHUT_WR)
        try:
            got = c.sock.recv(4096)
        except ConnectionResetError:
            got = b''
        assert not re.match(rb'[0-9]{3}', got), got     # no SMTP
        c.close()
    assert until(lambda: not p.sessions())
    assert p.logged().count('event=tls-failed peer=127.0.0.1 why=') >= 5
    message(p)


def waits():
    """A client that says nothing has his time, no more."""
    p = Site({'command-timeout': '2'})
    p.start()
    c = p.tls_client()
    c.hello()
    c.want('220', 'STARTTLS')
    assert c.at_end()
    c.close()
    want = 'event=tls-failed peer=127.0.0.1 why="it takes too long"'
    assert until(lambda: want in p.logged()), p.logged()
    p.clean()


def abandon(p, how):
    """One handshake that is begun and left."""
    c = p.tls_client()
    c.hello()
    if how == 0:
        c.send(b'STARTTLS\r\n')
    else:
        c.want('220', 'STARTTLS')
    if how > 1:
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        s = context().wrap_bio(into, out, server_hostname='x.example')
        try:
            s.do_handshake()
        except ssl.SSLWantReadError:
            pass
        hello = out.read()
        c.send(hello[:len(hello) // 2] if how == 2 else hello)
    if how > 3:
        c.sock.recv(100)
    if how > 4:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack('ii', 1, 0))
    c.close()


def memory(pid):
    return int(re.search(r'VmRSS:\s*([0-9]+)', status(pid))[1])


def abandoned(p):
    """Left at every point: no descriptor, process or memory stays."""
    n = int(os.environ.get('HANDSHAKES', 300))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: abandon(p, i % 6), range(60)))
        before = settled(p)
        workers = p.workers()
        kb = [memory(w) for w in workers]
        list(pool.map(lambda i: abandon(p, i % 6), range(n)))
    after = settled(p)
    assert set(after) == set(before), (before, after)
    grown = [memory(w) - k for w, k in zip(workers, kb)]
    assert max(grown) < 1000 + n // 20, grown
    message(p)


# --- in it --------------------------------------------------------------------

def beneath(c):
    """The socket under the TLS."""
    raw = socket.socket(fileno=os.dup(c.sock.fileno()))
    raw.settimeout(WAIT)
    return raw


def in_the_middle(p):
    """An end in the middle of content, said or not: nothing is kept, and
    what comes after it in clear is nobody's."""
    for begin in (b'DATA\r\n', b'BDAT 1000 LAST\r\n'):
        for said in True, False:
            c = p.tls_client().starttls()
            c.hello_again()
            c.want('250', 'MAIL FROM:<a@away.example>')
            c.want('250', 'RCPT TO:<alice@here.example>')
            c.send(begin)
            if begin.startswith(b'DATA'):
                c.want('354')
            c.send(b'Subject: half\r\n\r\nof it\r\n')
            raw = beneath(c)
            if said:
                try:
                    c.sock.settimeout(0)
                    c.sock.unwrap()
                except OSError:     # that he has not answered
                    pass
                raw.settimeout(WAIT)
                raw.sendall(b'.\r\nX' if begin[0] == 68 else b'x' * 900)
            try:
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
            except OSError:     # the server was faster
                pass
            raw.close()
            c.close()
    assert until(lambda: not p.sessions())
    assert p.take() == [] and until(lambda: not p.rubbish()), p.rubbish()


def close_without_word(p):
    """The connection ends without close_notify: dead, with a message or
    without; what was answered stays."""
    for text, accepted in ((b'QUIT\r\n', 0), (b'DATA\r\n', 0)):
        c = p.tls_client().starttls()
        c.hello_again()
        assert c.mail()[0] == 250
        c.send(b'MAIL FROM:<>\r\nRCPT TO:<alice@here.example>\r\n' + text)
        raw = beneath(c)
        raw.shutdown(socket.SHUT_WR)
        raw.close()
        try:
            while True:
                c.fill()
        except (Closed, OSError):
            pass
        c.close()
    assert until(lambda: not p.sessions())
    assert len(p.take()) == 2
    assert until(lambda: not p.rubbish())


def big(p):
    """10 MiB, as they were; and as many replies as there were commands."""
    line = bytes(range(33, 98)) + b'\r\n'
    text = b'Subject: big\r\n\r\n' + line * (10 * 1024 * 1024 // len(line))
    for version in V12, V13:
        c = p.tls_client().starttls(ctx=context(version))
        c.hello_again()
        assert c.mail(content=text)[0] == 250
        c.send(b'NOOP\r\n' * 50)
        for _ in range(50):
            c.want('250')
        c.quit()
        got, = p.take()
        assert split_trace(got)[1] == text.replace(b'\r\n', b'\n')


def slow_reader(p):
    """A client that does not read for a while misses nothing."""
    c = p.tls_client()
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.starttls()
    c.hello_again()
    c.want('250', 'MAIL FROM:<a@away.example>')
    n = 900
    c.send(b''.join(b'RCPT TO:<nobody-%d-%s@here.example>\r\n' % (
        i, b'x' * 40) if i % 60 == 0 and i < 600 else
        b'RCPT TO:<alice@here.example>\r\n' for i in range(n)))
    for i in range(n):
        code, _ = c.reply()
        assert code == (550 if i % 60 == 0 and i < 600 else 250), (i, code)
    c.want('250', 'RSET')
    c.quit()


def tickets(p):
    """Sessions resume, with other processes of smtpd and of tls."""
    for version in V12, V13:
        ctx = context(version)
        c = p.tls_client().starttls(ctx=ctx)
        c.hello_again()
        assert not c.sock.session_reused
        session = c.sock.session
        c.quit()
        for _ in range(3):
            c = p.tls_client().starttls(ctx=ctx, session=session)
            c.hello_again()
            assert c.sock.session_reused, version
            session = c.sock.session
            assert c.mail()[0] == 250
            c.quit()
    assert len(p.take()) == 6
    old = p.workers()
    certificate(p.cert, 'mx.here.example', owner=p.key_owner())
    assert until(lambda: p.workers() and not set(p.workers()) & set(old))
    c = p.tls_client().starttls(ctx=ctx, session=session)
    assert c.sock.session_reused, 'of the worker before'
    c.hello_again()
    c.quit()


# --- listeners ---------------------------------------------------------------

def implicit():
    p = Site({'proxy-networks': None})
    port = free_port()
    p.start('127.0.0.1:%d' % (p.port or 0) if p.port else
            '127.0.0.1:%d' % setattr_port(p), 'submissions=127.0.0.1:%d' %
            port, 'unix:' + p.path('run', 'smtp'))
    c = TlsClient(('127.0.0.1', port)).tls()
    _, lines = c.hello()
    assert 'STARTTLS' not in lines and 'REQUIRETLS' in lines
    c.want('503', 'STARTTLS')
    assert c.mail()[0] == 250
    c.quit()
    assert b' with ESMTPS id' in p.take()[0]
    # who speaks in clear there hears no SMTP
    c = TlsClient(('127.0.0.1', port))
    c.send(b'EHLO x\r\n')
    try:
        assert b'220' not in c.sock.recv(100)
    except ConnectionResetError:
        pass
    c.close()
    # a balancer's header comes first, in clear
    p.configure({'proxy-networks': '127.0.0.1', 'relay-networks': 'none'})
    c = TlsClient(('127.0.0.1', port))
    c.send(b'\r\n\r\n\0\r\nQUIT\n\x21\x11' + struct.pack(
        '>H4s4sHH', 12, socket.inet_aton('192.0.2.7'),
        socket.inet_aton('192.0.2.25'), 4711, 465))
    c.tls()
    c.hello()
    assert c.mail(to=['alice@[192.0.2.25]'])[0] == 250
    c.quit()
    assert b'([192.0.2.7])' in p.take()[0]
    assert 'event=tls peer=192.0.2.7' in p.logged()
    p.clean()


def setattr_port(p):
    p.port = free_port()
    return p.port


def required():
    p = Site({'require-tls': 'submission'})
    port = free_port()
    p.start('127.0.0.1:%d' % setattr_port(p),
            'submission=127.0.0.1:%d' % port, 'unix:' + p.path('run', 'smtp'))
    c = TlsClient(('127.0.0.1', port))
    c.hello()
    c.want('530 5.7.0', 'MAIL FROM:<a@away.example>')
    c.want('503', 'RCPT TO:<alice@here.example>')
    c.want('250', 'NOOP')
    c.want('220', 'STARTTLS')
    c.tls()
    c.hello_again()
    assert c.mail()[0] == 250
    c.quit()
    c = p.tls_client()
    c.hello()
    assert c.mail()[0] == 250, 'elsewhere it need not be'
    c.quit()
    c = p.local_client()
    c.hello()
    assert c.mail()[0] == 250
    c.quit()
    p.clean()


def one_session():
    """As inetd starts it: tls is executed by the first STARTTLS."""
    p = Site()
    for handshake in False, True:
        listener = socket.create_server(('127.0.0.1', 0))
        c = TlsClient(listener.getsockname())
        server, _ = listener.accept()
        listener.close()
        proc = p.session(server)
        server.close()
        c.hello()
        assert not running(p.tls)
        if handshake:
            c.want('220', 'STARTTLS')
            c.tls()
            c.hello_again()
            assert running(p.tls)
        assert c.mail()[0] == 250
        c.quit()
        assert proc.wait(WAIT) == 0
        assert until(lambda: not running(p.tls)), 'it ends with the session'
        got, = p.take()
        assert (b'ESMTPS' in got) == handshake
    p.clean()


def own_socket():
    """A tls that listens in the run directory, and is started again."""
    p = Site()
    at = p.path('run', 'tls')

    def start():
        proc = p.popen([p.tls, '-C', p.conf, '-l', 'unix:' + at])
        assert until(lambda: os.path.exists(at))
        return proc
    proc = start()
    assert os.stat(at).st_mode & 0o777 == 0o600
    if p.multi:
        assert until(lambda: os.stat(at).st_uid == p.uid('_postern'))
    p.start()
    message(p)
    assert [q for q in running(p.tls)
            if os.getpgid(q) != proc.pid] == [], 'no other one'
    c = p.tls_client().starttls()
    proc.send_signal(signal.SIGTERM)
    assert proc.wait(WAIT) == 0
    c.hello_again()     # goes on to its end
    assert c.mail()[0] == 250
    c.quit()
    p.take()
    start()

    def works():
        c = p.tls_client()
        c.hello()
        code, _ = c.cmd('STARTTLS')
        c.close()
        return code == 220
    assert until(works), p.logged()[-2500:]
    message(p)
    p.clean()


def activated():
    """Started by a datagram, with LISTEN_FDS."""
    p = Site()
    at = p.path('run', 'tls')
    fronts.activate(p, '--datagram', '-l', at, p.tls, '-C', p.conf)
    assert until(lambda: os.path.exists(at)), p.logged()
    p.own(at, '_postern')
    p.start()
    for _ in range(3):
        c = p.tls_client()
        c.hello()
        c.quit()
    assert not running(p.tls), 'nobody has asked yet'
    message(p)
    assert running(p.tls)
    p.clean()


def ordinary_user():
    p = Site(user='alice')
    p.start()
    message(p)
    p.clean()


# --- certificates ------------------------------------------------------------

def served(p, *options):
    r = s_client(p, *options)
    m = re.search(r'-----BEGIN CERTIFICATE-----.*?END CERTIFICATE-----',
                  r.stdout, re.S)
    assert m, r.stdout
    return serial(m[0])


def both_kinds():
    """RSA and ECDSA side by side; other names from a directory."""
    p = Site(kind='rsa')
    ec = certificate(p.path('ec'), 'mx.here.example')
    live = p.path('live')
    for name in 'one.example', 'two.example', 'broken.example':
        os.makedirs(os.path.join(live, name))
        base = certificate(os.path.join(live, name, 'x'), name,
                           'www.' + name)
        os.rename(base + '.pem', os.path.join(live, name, 'fullchain.pem'))
        os.rename(base + '.key', os.path.join(live, name, 'privkey.pem'))
    shutil.copy(ec + '.key', os.path.join(live, 'broken.example',
                                          'privkey.pem'))
    p.configure({'tls-certificate': '%s.pem %s.pem' % (p.cert, ec),
                 'tls-key': '%s.key %s.key' % (p.cert, ec),
                 'tls-directory': live})
    p.start()
    rsa, ecdsa = serial_of(p.cert + '.pem'), serial_of(ec + '.pem')
    for options, want in (
            (('-sigalgs', 'rsa_pss_rsae_sha256', '-tls1_3'), rsa),
            (('-sigalgs', 'ecdsa_secp256r1_sha256', '-tls1_3'), ecdsa),
            (('-cipher', 'ECDHE-RSA-AES128-GCM-SHA256', '-tls1_2'), rsa),
            (('-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256', '-tls1_2'), ecdsa)):
        assert served(p, *options) == want, options
    for name in 'one.example', 'two.example':
        want = serial_of(os.path.join(live, name, 'fullchain.pem'))
        for version in '-tls1_2', '-tls1_3':
            assert served(p, version, '-servername', name) == want
            assert served(p, version, '-servername', 'www.' + name) == want
    for name in 'broken.example', 'other.example', 'mx.here.example':
        assert served(p, '-servername', name) in (rsa, ecdsa)
    assert 'event=certificate what=%s' % os.path.join(
        live, 'broken.example') in p.logged()
    p.clean()


def broken():
    """Mail goes on in clear, and the log says why."""
    rows = (('absent', lambda p: os.unlink(p.cert + '.pem')),
            ('no PEM', lambda p: p.write('mx.pem', 'rubbish\n')),
            ('empty', lambda p: p.write('mx.key', '')),
            ("another's key", lambda p: os.rename(
                certificate(p.path('x'), 'x.example') + '.key',
                p.cert + '.key')))
    for title, spoil in rows:
        p = Site()
        spoil(p)
        p.start()
        c = p.tls_client()
        _, lines = c.hello()
        if title == 'absent':
            assert 'STARTTLS' not in lines
            assert 'event=tls-not-offered what=%s.pem' % p.cert in p.logged()
        else:
            c.want('454 4.7.0', 'STARTTLS')
            assert re.search('<3>event=certificate what=%s.pem error=' %
                             p.cert, p.logged()), p.logged()
        assert c.mail()[0] == 250, title
        c.quit()

        def silent():
            c = p.tls_client()
            _, lines = c.hello()
            c.quit()
            return 'STARTTLS' not in lines
        assert until(silent), title
        p.clean()


def mended(p):
    """A broken one keeps the one before; a good one is taken."""
    before = serial_of(p.cert + '.pem')
    assert served(p) == before
    p.write('mx.pem', 'rubbish\n')
    assert until(lambda: '<3>event=certificate what=%s.pem' % p.cert in
                 p.logged()), p.logged()
    assert served(p) == before
    certificate(p.cert, 'mx.here.example', owner=p.key_owner())
    after = serial_of(p.cert + '.pem')
    assert until(lambda: served(p) == after)


def renewal(p):
    """Under load: no session fails, those that are open go on."""
    stop, seen, failed = threading.Event(), set(), []
    held = p.tls_client().starttls()
    held.hello_again()
    held.want('250', 'MAIL FROM:<a@away.example>')

    def load():
        while not stop.is_set():
            try:
                c = p.tls_client().starttls()
                seen.add(serial(c.sock.getpeercert(True)))
                c.hello_again()
                assert c.mail()[0] == 250
                c.quit()
            except Exception as e:
                failed.append(repr(e))
                return
    threads = [threading.Thread(target=load) for _ in range(4)]
    for one in threads:
        one.start()
    for _ in range(3):
        certificate(p.cert, 'mx.here.example', owner=p.key_owner())
        new = serial_of(p.cert + '.pem')
        assert until(lambda: new in seen or failed, 60)
    stop.set()
    for one in threads:
        one.join()
    assert not failed, failed
    assert len(seen) >= 4, seen
    held.want('250', 'RCPT TO:<alice@here.example>')
    held.want('354', 'DATA')
    held.send(b'Subject: held\r\n\r\n.\r\n')
    held.want('250')
    held.quit()
    p.take()


def client_certificate():
    p = Site({'tls-ask-certificate': 'yes'})
    p.start()
    mine = certificate(p.path('client'), 'client.example')
    ctx = context()
    ctx.load_cert_chain(mine + '.pem', mine + '.key')
    c = p.tls_client().starttls(ctx=ctx)
    c.hello_again()
    c.quit()
    with open(mine + '.pem') as f:
        der = ssl.PEM_cert_to_DER_cert(f.read())
    want = subprocess.run(['openssl', 'dgst', '-sha256', '-r'], input=der,
                          stdout=subprocess.PIPE, check=True).stdout[:64]
    assert 'certificate=' + want.decode() in p.logged(), p.logged()
    message(p)      # nobody must have one
    p.clean()


# --- processes ---------------------------------------------------------------

def nobody_starts(p):
    """Who does not ask for TLS starts none of it."""
    fresh = Site()
    fresh.start()
    for _ in range(20):
        fresh.tls_client().close()
        c = fresh.tls_client()
        c.hello()
        c.close()
    c = fresh.tls_client()
    c.hello()
    assert c.mail()[0] == 250
    c.quit()
    assert not running(fresh.tls)
    message_before = fresh.take()
    assert len(message_before) == 1
    message(fresh)
    assert running(fresh.tls)
    fresh.clean()


def calls_of(conf):
    """The system calls of a plain session of a listener, by strace."""
    p = Site(conf)
    out = p.path('calls')
    p.listener = p.popen(['strace', '-f', '-qq', '-o', out, p.smtpd, '-C',
                          p.conf, '-l', '127.0.0.1:%d' % setattr_port(p)],
                         stdout=subprocess.DEVNULL)
    assert until(p.answers), p.logged()

    def session():
        c = p.client()
        c.hello()
        assert c.mail()[0] == 250
        c.quit()
    session()
    session()
    with open(out) as f:
        before = f.read().count('\n')
    session()
    assert until(lambda: open(out).read().count('Subject: x') == 3)
    p.stop()
    with open(out) as f:
        lines = f.read().split('\n')[:-1]
    # the session with the third message, from its birth to its end
    pid = [s.split()[0] for s in lines if 'Subject: x' in s][-1]
    names = [re.match(r'[0-9]+\s+(?:<... )?(\w+)', s)[1] for s in lines
             if s.split()[0] == pid and 'resumed>' not in s and
             re.match(r'[0-9]+\s+\w+\(', s)]
    p.clean()
    return [n for n in names if n not in ('poll', 'restart_syscall')], before


def no_call_more():
    if not shutil.which('strace'):
        raise tap.Skip('strace is not installed')
    none, _ = calls_of({'tls-certificate': None, 'tls-key': None})
    some, _ = calls_of({})
    assert len(none) > 20 and none == some, (none, some)


def secret(path):
    """The octets of an EC key's private number."""
    text = subprocess.run(['openssl', 'ec', '-in', path, '-noout', '-text'],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=True).stdout
    hexes = re.search(r'priv:\n([0-9a-f:\s]+)pub', text)[1]
    octets = bytes.fromhex(re.sub(r'[:\s]', '', hexes))
    return octets[-32:]


def in_memory(pid, *needles):
    with open('/proc/%d/maps' % pid) as f:
        ranges = [tuple(int(x, 16) for x in s.split()[0].split('-'))
                  for s in f if ' r' in s and '[v' not in s]
    with open('/proc/%d/mem' % pid, 'rb') as mem:
        for begin, end in ranges:
            try:
                mem.seek(begin)
                octets = mem.read(end - begin)
            except OSError:
                continue
            if any(n in octets for n in needles):
                return True
    return False


def key_is_nowhere(p):
    """It is in tls, and in no process of smtpd's."""
    if os.geteuid() != 0:
        raise tap.Skip('needs root to look into memory')
    key = secret(p.cert + '.key')
    with open(p.cert + '.key', 'rb') as f:
        pem = f.read().split(b'\n')[1]
    needles = key, key[::-1], pem
    c = p.tls_client().starttls()
    c.hello_again()
    assert in_memory(p.workers()[0], *needles), 'else it cannot be seen'
    others = [q for q in running(p.smtpd)] + running(p.deliver)
    assert len(others) > 3
    for pid in others:
        assert not in_memory(pid, *needles), pid
    c.quit()


def walls(p):
    """What the kernel says of a worker, and what it has open."""
    if os.geteuid() != 0:
        raise tap.Skip('needs root to look into a locked-in process')
    c = p.tls_client().starttls()
    for pid in p.workers():
        s = dict(line.split(':\t', 1) for line in status(pid).splitlines()
                 if ':\t' in line)
        if p.multi:
            uid = '\t'.join([str(p.uid('_postern-tls'))] * 4)
            assert s['Uid'] == s['Gid'] == uid and not s['Groups'].strip()
            for caps in 'CapInh', 'CapPrm', 'CapEff', 'CapAmb':
                assert int(s[caps], 16) == 0, s[caps]
        assert s['NoNewPrivs'] == '1' and s['Seccomp'] == '2', s
        for fd in descriptors(pid):
            leads = descriptor(pid, int(fd)) or ''
            assert re.match(r'socket:|pipe:|anon_inode:\[eventpoll\]|'
                            r'/dev/null', leads) or leads == p.log, leads
    c.hello_again()
    c.quit()


def killed(p):
    """A worker, and all of tls: sessions end, the next ones begin."""
    for victims in (p.workers, lambda: [p.main()] + p.workers()):
        c = p.tls_client().starttls()
        c.hello_again()
        for pid in victims():
            os.kill(pid, signal.SIGKILL)
        assert c.at_end()

        def works():
            c = p.tls_client()
            _, lines = c.hello()
            if 'STARTTLS' not in lines or c.cmd('STARTTLS')[0] != 220:
                return False
            c.close()
            return True
        assert until(works, 90)
        message(p)


def smtpd_killed(p):
    """... and its client is let go."""
    c = p.tls_client().starttls()
    c.hello_again()
    for pid in p.sessions():
        os.kill(pid, signal.SIGKILL)
    assert c.at_end()
    assert settled(p)


class Requests:
    """tls alone, and somebody who hands it connections."""

    def __init__(self, conf=None):
        self.p = Site(conf)
        self.at = self.p.path('run', 'tls')
        self.p.popen([self.p.tls, '-C', self.p.conf, '-l', 'unix:' + self.at])
        assert until(lambda: os.path.exists(self.at))
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.connect(self.at)

    def send(self, text, *fds):
        socket.send_fds(self.sock, [text], fds)

    def pair(self):
        """(client's end, plain end, tls's ends)"""
        a, b = socket.socketpair()
        c, d = socket.socketpair()
        for s in a, c:
            s.settimeout(WAIT)
        return a, c, (b.detach(), d.detach())

    def ask(self, keep=False):
        client, plain, fds = self.pair()
        self.send(b'1', *fds)
        if not keep:
            for fd in fds:
                os.close(fd)
        return client, plain


def full():
    """As many as there may be; a place that is left is another's."""
    r = Requests({'connection-limit': '3'})
    held = [r.ask() for _ in range(3)]
    assert all(plain.recv(1) == b'g' for _, plain in held)
    _, plain = r.ask()
    assert plain.recv(10) == b'n' and plain.recv(1) == b''
    held.pop()[1].close()

    def room():
        client, plain = r.ask()
        if plain.recv(1) == b'g':
            held.append((client, plain))
        return len(held) == 3
    assert until(room)
    assert r.ask()[1].recv(1) == b'n'
    r.p.clean()


def lingering():
    """Sessions that are over take nobody's place: smtpd counts them for their
    source no more."""
    p = Site({'connection-limit': '4', 'source-limit': '3'})
    p.start()
    p.tls_client().starttls().close()
    left = []
    for _ in range(12):
        c = p.tls_client().starttls()
        c.send(b'EHLO x\r\n')
        c.want('250')
        c.send(b'QUIT\r\n')
        left.append(c)      # who neither reads on nor closes
        assert until(lambda: not p.sessions())
    for c in left:
        c.want('221')
        c.close()
    p.clean()


def orphans():
    """Workers whose main process is killed take no more connections, with a
    certificate that nobody renews; those they have go on."""
    r = Requests()
    client, plain = r.ask()
    assert plain.recv(1) == b'g'
    workers = r.p.workers()
    os.kill(r.p.main(), signal.SIGKILL)

    def closed():
        try:
            r.send(b'1', r.sock.fileno(), r.sock.fileno())
        except ConnectionRefusedError:
            return True
    assert until(closed, 5), 'they go on without it'
    assert set(workers) <= set(running(r.p.tls)), workers
    client.close()
    plain.close()
    assert until(lambda: not running(r.p.tls))
    r.p.clean()


def empty_record():
    """A conquered session says nothing at all, in a record: not the end of
    TLS for the others, be tls there or not."""
    p = Site()
    p.start()
    for there in False, True:
        assert bool(running(p.tls)) == there
        end = of_smtpd(p)
        end.send(b'')
        end.close()
        message(p)
        message(p)
    p.clean()


def of_smtpd(p):
    """smtpd's socket to the tls that it starts."""
    number = int(re.search(r'SANDBOX_TLS_FD = ([0-9]+)', open(
        os.path.join(ROOT, 'sys/sandbox.h')).read())[1])
    pidfd = os.pidfd_open(p.listener.pid)
    fd = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, number, 0)
    os.close(pidfd)
    if fd < 0:
        raise tap.Skip('pidfd_getfd: ' + os.strerror(ctypes.get_errno()))
    return socket.socket(fileno=fd)


def hands_off():
    """Until it is told to begin it reads not one octet of the client."""
    r = Requests()
    client, plain = r.ask(keep=True)
    assert plain.recv(1) == b'g'
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    s = context().wrap_bio(into, out, server_hostname='x.example')
    try:
        s.do_handshake()
    except ssl.SSLWantReadError:
        client.sendall(out.read())
    again, other = r.ask()      # whatever was done for the first is done now
    assert other.recv(1) == b'g'
    client.settimeout(0.2)
    try:
        assert not client.recv(1)
        raise AssertionError('it has begun')
    except socket.timeout:
        pass
    client.settimeout(WAIT)
    plain.sendall(b's')
    while True:
        into.write(client.recv(65536))
        try:
            s.do_handshake()
            break
        except ssl.SSLWantReadError:
            pass
    client.sendall(out.read())
    record = b''
    while len(record) < 256:
        record += plain.recv(256 - len(record))
    assert record.startswith(b'TLSv1.3\0TLS_'), record
    s.write(b'hello')
    client.sendall(out.read())
    assert plain.recv(10) == b'hello'
    r.p.clean()


def hostile():
    """A conquered smtpd: requests that are none harm nobody else's."""
    r = Requests()
    assert until(r.p.workers)
    worker, = r.p.workers()
    assert r.ask()[1].recv(1) == b'g'
    before = until(lambda: len(descriptors(worker)) < 8 and
                   len(descriptors(worker)))
    null = os.open('/dev/null', os.O_RDWR)
    plan = os.open(r.p.conf, os.O_RDONLY)
    for text, fds in ((b'1', ()), (b'1', (null,)), (b'1', (null,) * 3),
                      (b'1', (plan, plan)), (b'1', (null, plan)),
                      (b'2', (null, null)), (b'11', (null, null)),
                      (b'', (null, null)), (b'x' * 4000, ()),
                      (b'1', (r.sock.fileno(),) * 2),
                      (b'1', (null,) * 100)):
        r.send(text, *fds)
    for word in b'', b'g', b'\0', b'ss', b's' + b'x' * 300, b'S':
        a, b, fds = r.pair()
        r.send(b'1', *fds)
        for fd in fds:
            os.close(fd)
        assert b.recv(1) == b'g'
        b.sendall(word)
        a.close()
        b.close()
    # both ends of one connection, and a client that is the plain side too
    a, b = socket.socketpair()
    r.send(b'1', a.fileno(), b.fileno())
    a.close()
    b.close()
    assert until(lambda: len(descriptors(worker)) == before), (
        descriptors(worker), before)
    assert worker in r.p.workers(), "it lives"
    assert r.ask()[1].recv(1) == b'g'
    r.p.clean()


main = Site()
main.start()
for test, about in (
        (message, 'a message over TLS 1.2 and 1.3'),
        (offered, 'STARTTLS is offered once, and begins anew'),
        (versions, 'no version before 1.2'),
        (weak, 'no weak cipher'),
        (renegotiation, 'no renegotiation'),
        (without, 'no STARTTLS where it cannot be'),
        (requiretls, 'REQUIRETLS'),
        (injected, 'commands behind STARTTLS'),
        (clear_text, 'clear text after 220'),
        (abandoned, 'handshakes that are abandoned'),
        (in_the_middle, 'an end in the middle of a message'),
        (close_without_word, 'an end without a word after QUIT'),
        (big, '10 MiB'),
        (slow_reader, 'a client that does not read'),
        (tickets, 'session tickets'),
        (mended, 'a broken certificate keeps the one before'),
        (renewal, 'certificates change under load'),
        (key_is_nowhere, 'the key is in tls alone'),
        (walls, 'the walls of a worker'),
        (killed, 'tls is killed'),
        (smtpd_killed, 'smtpd is killed')):
    if len(sys.argv) > 1 and test.__name__ not in sys.argv[1:]:
        continue
    failed = t.failed
    t.run(about, test, main)
    if t.failed > failed:
        t.note(main.logged()[-3000:])
for test, about in (
        (implicit, 'TLS first, and behind a balancer'),
        (required, 'require-tls'),
        (one_session, 'one session, as inetd starts it'),
        (own_socket, 'a socket in the run directory'),
        (activated, 'a socket of systemd'),
        (ordinary_user, 'all of it as an ordinary user'),
        (both_kinds, 'RSA, ECDSA and other names'),
        (broken, 'certificates that are of no use'),
        (client_certificate, "a client's certificate"),
        (lambda: nobody_starts(None), 'who does not ask starts no tls'),
        (no_call_more, 'a plain session makes the same system calls'),
        (waits, 'a handshake has its time'),
        (full, 'as many as there may be'),
        (lingering, 'connections whose session is over'),
        (orphans, 'the main process is killed'),
        (empty_record, 'a record without an octet'),
        (hands_off, 'not one octet before its time'),
        (hostile, 'requests that are none')):
    if len(sys.argv) > 1 and test.__name__ not in sys.argv[1:]:
        continue
    t.run(about, test)
t.done()
