"""postern with certificates: making them, clients that speak TLS, and a look
at the processes of tls."""
import os
import ssl
import subprocess

import tap
from postern import (BUILD, Client, Closed, Postern, children, descriptor,
                     is_locked_in, until)

if not os.path.exists(os.path.join(BUILD, 'tls')):
    tap.skip_all('built without OpenSSL')


def openssl(*args):
    subprocess.run(('openssl',) + args, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def certificate(base, *names, kind='ec', owner=None):
    """BASE.pem and BASE.key, made anew and put there at once."""
    key = (['-newkey', 'rsa:2048'] if kind == 'rsa' else
           ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'])
    openssl('req', '-x509', '-nodes', '-days', '30', '-subj',
            '/CN=' + names[0], '-addext', 'subjectAltName=' +
            ','.join('DNS:' + n for n in names), '-keyout', base + '.key.new',
            '-out', base + '.pem.new', *key)
    for end in '.key', '.pem':
        if owner is not None:
            os.chown(base + end + '.new', owner, owner)
        os.rename(base + end + '.new', base + end)
    return base


def serial(pem):
    """Of a certificate, in PEM or DER."""
    if isinstance(pem, bytes):
        pem = ssl.DER_cert_to_PEM_cert(pem)
    out = subprocess.run(['openssl', 'x509', '-noout', '-serial'], input=pem,
                         text=True, stdout=subprocess.PIPE, check=True)
    return out.stdout.strip()


def serial_of(path):
    with open(path) as f:
        return serial(f.read())


def context(version=None, ciphers=None):
    """A client's that takes any certificate."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if version:
        c.minimum_version = c.maximum_version = version
    if ciphers:
        c.set_ciphers(ciphers)
    return c


class TlsClient(Client):
    """... over TLS once tls() was called; an end without close_notify is
    self.torn."""
    torn = False

    def tls(self, ctx=None, name='mx.here.example', session=None):
        self.sock = (ctx or context()).wrap_socket(
            self.sock, server_hostname=name, session=session)
        return self

    def starttls(self, **more):
        self.hello()
        self.want('220 2.0.0', 'STARTTLS')
        assert not self.input
        self.tls(**more)
        return self

    def fill(self):
        try:
            super().fill()
        except ssl.SSLEOFError:
            self.torn = True
            raise Closed('no close_notify')

    def hello_again(self):
        return self.want('250', 'EHLO client.example')


class Site(Postern):
    """postern with a certificate for mx.here.example, `other` settings."""

    def __init__(self, other=None, kind='ec', **more):
        super().__init__(None, **more)
        self.cert = self.path('mx')
        certificate(self.cert, 'mx.here.example', kind=kind,
                    owner=self.key_owner())
        self.configure({'tls-certificate': self.cert + '.pem',
                        'tls-key': self.cert + '.key'})
        self.configure(other or {})

    def key_owner(self):
        """Of a key of root's none but root reads."""
        return None if self.multi or not self.user else self.uid(self.user)

    def tls_client(self, **more):
        return TlsClient(('127.0.0.1', self.port), **more)

    def sessions(self):
        """With TLS the client's own connection is no longer there."""
        plain = [pid for pid in children(self.listener.pid)
                 if is_locked_in(pid) and descriptor(pid, 0) is None and
                 (descriptor(pid, 3) or '').startswith('socket:')]
        return super().sessions() + plain

    def main(self):
        found = running(self.tls)
        mains = [p for p in found if parent(p) not in found]
        return mains[0] if mains else None

    def workers(self):
        main = self.main()
        return children(main) if main else []


def status(pid):
    try:
        with open('/proc/%d/status' % pid) as f:
            return f.read()
    except OSError:
        return ''


def parent(pid):
    line = [s for s in status(pid).splitlines() if s.startswith('PPid')]
    return int(line[0].split()[1]) if line else 0


def running(program):
    """pids of a program's processes."""
    found = []
    for pid in os.listdir('/proc'):
        try:
            if pid.isdigit() and os.readlink('/proc/%s/exe' % pid) == program:
                found.append(int(pid))
        except OSError:
            pass
    return sorted(found)


def descriptors(pid):
    return os.listdir('/proc/%d/fd' % pid)


def settled(p):
    """No connection is left in any worker; how many descriptors each has."""
    def quiet():
        counts = [len(descriptors(w)) for w in p.workers()]
        return counts if counts and len(set(counts)) == 1 and \
            not p.sessions() else None
    return until(quiet)
