"""The other end of a carrier: servers that say what a test wants, and the
tool that plays the pass (tests/tools/carry.c)."""
import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

BUILD = os.environ.get('B', 'build')
CARRY = os.path.join(BUILD, 'tests/tools/carry')
EHLO = (b'250-hop.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n'
        b'250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n')


class Conn:
    """One connection, as a talk sees it."""

    def __init__(self, hop, sock):
        self.hop, self.sock, self.lines = hop, sock, sock.makefile('rb')
        self.heard = []
        hop.heard.append(self.heard)

    def say(self, text):
        self.sock.sendall(text)

    def line(self):
        line = self.lines.readline()
        self.heard.append(line)
        return line

    def content(self):
        """Up to the dot, as it came."""
        text = b''
        while True:
            line = self.lines.readline()
            if line in (b'.\r\n', b''):
                break
            text += line
        self.hop.contents.append(text)
        return text

    def tls(self, context):
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.lines = self.sock.makefile('rb')

    def ask(self, reply, verb=b''):
        """A command, which must begin so, and its reply."""
        line = self.line()
        assert line.startswith(verb), (line, verb)
        self.say(reply)
        return line

    def group(self, *replies):
        """So many commands, then all replies at once."""
        for _ in replies:
            self.line()
        self.say(b''.join(replies))

    def opening(self, ehlo=EHLO + b'250 END\r\n'):
        self.say(b'220 hop.example ready\r\n')
        return self.ask(ehlo)

    def end(self):
        """What else comes, until the end."""
        while self.line():
            if self.heard[-1].upper().startswith(b'QUIT'):
                self.say(b'221 bye\r\n')
                break


OK = b'250 2.0.0 ok\r\n'
GO = b'354 go\r\n'
PLAIN = b'250-hop.example\r\n250 8BITMIME\r\n'


def accepting(n=1, messages=1, ehlo=EHLO + b'250 END\r\n'):
    """A talk that takes everything, with n recipients a message."""
    def talk(c):
        c.opening(ehlo)
        for _ in range(messages):
            c.group(*[OK] * (n + 1) + [GO])
            c.content()
            c.say(b'250 2.6.0 taken\r\n')
        c.end()
    return talk


def polite(c):
    """Takes everything, whoever asks and in which order."""
    c.opening()
    while True:
        line = c.line().upper()
        if line in (b'', b'QUIT\r\n'):
            c.say(b'221 bye\r\n')
            return
        c.say(GO if line == b'DATA\r\n' else OK)
        if line == b'DATA\r\n':
            c.content()
            c.say(OK)


def lockstep(n=1, ehlo=PLAIN):
    def talk(c):
        c.opening(ehlo)
        for _ in range(n + 1):
            c.ask(OK)
        c.ask(GO, b'DATA')
        c.content()
        c.say(OK)
        c.end()
    return talk


class Hop:
    """Listens, and has the n-th connection served by the n-th talk (the last
    one serves all others too).  unix: on a socket in the file system; at:
    an address and port of its own."""

    def __init__(self, *talks, unix=False, at=('127.0.0.1', 0)):
        self.talks, self.heard, self.contents = talks, [], []
        self.wrong = []
        self.dir = None
        if unix:
            self.dir = tempfile.mkdtemp(prefix='postern-hop-')
            self.sock = socket.socket(socket.AF_UNIX)
            self.where = self.dir + '/s'
            self.sock.bind(self.where)
        else:
            six = ':' in at[0]
            self.sock = socket.socket(socket.AF_INET6 if six else
                                      socket.AF_INET)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if six:
                self.sock.setsockopt(41, 26, 1)     # not for IPv4 as well
            self.sock.bind(at)
            self.where = '[%s]:%d' % self.sock.getsockname()[:2]
        self.sock.listen(16)
        self.threads = []
        self.acceptor = threading.Thread(target=self.accept, daemon=True)
        self.acceptor.start()

    def accept(self):
        n = 0
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            talk = self.talks[min(n, len(self.talks) - 1)]
            n += 1
            t = threading.Thread(target=self.serve, args=(talk, sock),
                                 daemon=True)
            t.start()
            self.threads.append(t)

    def serve(self, talk, sock):
        sock.settimeout(30)
        conn = Conn(self, sock)
        try:
            talk(conn)
        except (OSError, ssl.SSLError):
            pass
        except AssertionError as e:
            self.wrong.append(repr(e))
        finally:
            try:
                conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            conn.sock.close()

    def close(self):
        # wakes the accept
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.acceptor.join(30)
        for t in self.threads:
            t.join(30)
        if self.dir:
            shutil.rmtree(self.dir)
        assert not self.wrong, self.wrong

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


FIELD = re.compile(r'"([^"]*)"')


class Carried:
    """What carry printed: records as lists, its log, how it ended."""

    def __init__(self, out, log, status):
        self.log, self.status = log, status
        self.records = [[s[:1]] + FIELD.findall(s) for s in
                        out.splitlines() if not s.startswith('end ')]
        self.letters = ''.join(r[0] for r in self.records)
        end = re.findall(r'^end (\d+)$', out, re.M)
        assert end == ['0'], (out, log[-3000:])

    def fates(self):
        """[(index, fate, status)], in order of index, for one message."""
        return sorted((int(r[1]), r[2], r[3]) for r in self.records
                      if r[0] == 'V')

    def of(self, index):
        return [r for r in self.records
                if r[0] == 'V' and r[1] == str(index)][0]

    def unreachable(self):
        """(status, text) of X."""
        got = [r for r in self.records if r[0] == 'X']
        assert len(got) == 1, (self.records, self.log[-3000:])
        return tuple(got[0][1:])


def arguments(hops, messages, options):
    args = ['hop=%s' % h for h in hops]
    args += ['%s=%s' % o for o in options.items()]
    for m in messages:
        more = dict(m)
        content = more.pop('content')
        rcpts = more.pop('rcpts')
        args += ['%s=%s' % (k.replace('_', '-'), v) for k, v in more.items()]
        args += ['rcpt=' + r for r in rcpts]
        args.append(('content', content))
    return args


def message(content=b'Subject: x\n\nbody\n', rcpts=('bob@away.example',),
            sender='alice@here.example', **more):
    return dict(content=content, rcpts=rcpts, sender=sender, **more)


def carry(hops, *messages, env=None, timeout=60, prefix=(), **options):
    """Carries messages over the first hop that serves."""
    with tempfile.TemporaryDirectory(prefix='postern-carry-') as d:
        args = []
        for a in arguments([hops] if isinstance(hops, str) else hops,
                           messages or [message()], options):
            if isinstance(a, tuple):
                name = os.path.join(d, 'm%d' % len(args))
                with open(name, 'wb') as f:
                    f.write(a[1])
                a = 'content=' + name
            args.append(a)
        e = dict(os.environ, **(env or {}))
        p = subprocess.run(list(prefix) + [CARRY] + args, timeout=timeout,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=e)
    return Carried(p.stdout.decode(), p.stderr.decode('latin-1'),
                   p.returncode)


# certificates

def openssl(*args, **more):
    subprocess.run(('openssl',) + args, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)


def hashed(pem, what):
    """SHA-256 of a certificate, or of its public key, in DER."""
    if what == 'key':
        key = subprocess.run(['openssl', 'x509', '-in', pem, '-noout',
                              '-pubkey'], check=True,
                             stdout=subprocess.PIPE).stdout
        der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'],
                             input=key, check=True,
                             stdout=subprocess.PIPE).stdout
    else:
        der = subprocess.run(['openssl', 'x509', '-in', pem, '-outform',
                              'DER'], check=True,
                             stdout=subprocess.PIPE).stdout
    return hashlib.sha256(der).hexdigest()


class Authority:
    """An authority of our own and the certificates it issues."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='postern-ca-')
        self.ca = self.dir + '/ca.pem'
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt',
                'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=test CA',
                '-days', '30', '-keyout', self.dir + '/ca.key', '-out',
                self.ca)

    def issue(self, name, *dates):
        """A server's context for a certificate of this subjectAltName; dates:
        notBefore and notAfter, as YYYYMMDDHHMMSSZ."""
        base = os.path.join(self.dir, re.sub('[^a-z0-9]', '-', name[:40]) +
                            str(len(os.listdir(self.dir))))
        with open(base + '.cnf', 'w') as f:
            f.write('subjectAltName=%s\n' % name)
            f.write('[ca]\ndefault_ca=d\n[d]\ndatabase=%s.db\n'
                    'new_certs_dir=%s\nrand_serial=yes\ndefault_md=sha256\n'
                    'policy=p\nunique_subject=no\n[p]\n'
                    'commonName=supplied\n' % (base, self.dir))
        open(base + '.db', 'w').close()
        openssl('req', '-newkey', 'ec', '-pkeyopt',
                'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=server',
                '-keyout', base + '.key', '-out', base + '.csr')
        start, end = dates or ('20200101000000Z', '20991231235959Z')
        openssl('ca', '-batch', '-notext', '-config', base + '.cnf',
                '-extfile', base + '.cnf', '-startdate', start, '-enddate',
                end, '-cert', self.ca, '-keyfile', self.dir + '/ca.key',
                '-in', base + '.csr', '-out', base + '.pem')
        self.last = base        # .pem and .key
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(base + '.pem', base + '.key')
        return context

    def clean(self):
        shutil.rmtree(self.dir)
