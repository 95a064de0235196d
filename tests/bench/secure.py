"""TLS: handshakes, 10 MiB over it, and what an idle connection costs.  The
load is made by processes of Python, the same for every server; what they take
of the machine is the same for all of them too."""
import os
import ssl
import subprocess
import time

from arrivals import wait
from load import LIMIT_S, Unfinished, empty
from postern import Client

CLIENTS = 4
MIB = 1 << 20
MESSAGE = b'Subject: big\r\n\r\n' + (b'x' * 76 + b'\r\n') * (10 * MIB // 78)


def certificate(directory):
    """A key of the kind that authorities give, and its certificate."""
    base = os.path.join(directory, 'tls')
    if not os.path.exists(base + '.pem'):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
                        '-subj', '/CN=mx.here.example', '-keyout',
                        base + '.key', '-out', base + '.pem'], check=True,
                       stderr=subprocess.DEVNULL)
        os.chmod(base + '.key', 0o644)      # readable in every server's room
    return base


def context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    return c


def secured(server, ctx):
    c = Client(('127.0.0.1', server.port))
    c.hello()
    c.want('220', 'STARTTLS')
    c.sock = ctx.wrap_socket(c.sock)
    return c


def shake(server, n, user):
    ctx = context()
    for _ in range(n):
        c = secured(server, ctx)
        c.want('221', 'QUIT')
        c.close()


def send(server, n, user):
    ctx = context()
    for _ in range(n):
        c = secured(server, ctx)
        c.want('250', 'EHLO client.example')
        code, texts = c.mail(to=(user + '@here.example',), content=MESSAGE)
        assert code == 250, (server.name, code, texts)
        c.want('221', 'QUIT')
        c.close()


def in_processes(work, server, n, user):
    """work() in each of CLIENTS processes.  How long it took."""
    start = time.monotonic()
    pids = []
    for _ in range(CLIENTS):
        pid = os.fork()
        if pid == 0:
            end = 1
            try:
                work(server, n, user)
                end = 0
            finally:
                os._exit(end)
        pids.append(pid)
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    if any(ends):
        raise Unfinished('refused', 'a client of %s failed' % server.name)
    return time.monotonic() - start


def measured(work, server, n, user):
    cpu = server.cpu()
    took = in_processes(work, server, n, user)
    return took, server.cpu() - cpu


def handshakes(server, scale, point):
    n = max(5, int(200 * scale))
    took, cpu = measured(shake, server, n, None)
    return {'rate': n * CLIENTS / took, 'cpu': cpu * 1000 / (n * CLIENTS)}


def bulk(server, scale, point):
    n = max(1, int(5 * scale))
    user = server.fresh()
    arrivals = server.arrivals([user])
    took, cpu = measured(send, server, n, user)
    if not wait(arrivals, n * CLIENTS, LIMIT_S):
        raise Unfinished('stalled', '%d of %d messages' % (
            arrivals.count, n * CLIENTS))
    arrivals.close()
    empty([server.maildir(user)])
    mib = n * CLIENTS * len(MESSAGE) / MIB
    return {'rate': mib / took, 'cpu': cpu * 1000 / (n * CLIENTS)}


def idle(server, n):
    """kB of PSS of each of n connections that have made TLS and wait."""
    ctx = context()
    secured(server, ctx).close()
    server.cpu()
    before = server.memory()
    held = [secured(server, ctx) for _ in range(n)]
    server.cpu()
    during = server.memory()
    for c in held:
        c.close()
    return {'idle': (during - before) / n}
