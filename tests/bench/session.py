"""Single connections: how long they take, what they cost in memory."""
import socket
import statistics
import time

from postern import Client


SAMPLE_S = 8        # for all connections of a sample, some at least
LEAST = 20


def turns(n):
    """n times, less often when it takes too long."""
    end = time.monotonic() + SAMPLE_S
    for i in range(n):
        if i >= LEAST and time.monotonic() > end:
            return
        yield i


def summary(times):
    times = sorted(times)
    return {'median': statistics.median(times) * 1000,
            'p99': times[int(len(times) * 0.99)] * 1000}


def to_banner(server, n):
    """Milliseconds from connect to greeting."""
    times = []
    for _ in turns(n):
        s = socket.socket()
        s.settimeout(20)
        start = time.monotonic()
        s.connect(('127.0.0.1', server.port))
        s.recv(512)
        times.append(time.monotonic() - start)
        s.sendall(b'QUIT\r\n')
        while s.recv(512):
            pass
        s.close()
    return summary(times)


def to_quit(server, user, n):
    """Milliseconds from connect to the answer to QUIT, a message between."""
    text = b'Subject: x\r\n\r\n' + b'x' * 998 + b'\r\n'
    times = []
    for _ in turns(n):
        start = time.monotonic()
        c = Client(('127.0.0.1', server.port))
        c.hello()
        code, texts = c.mail(to=(user + '@here.example',), content=text)
        assert code == 250, (server.name, code, texts)
        c.want('221', 'QUIT')
        times.append(time.monotonic() - start)
        c.close()
    return summary(times)


def idle(server, n):
    """kB of PSS of each of n connections that were greeted and wait."""
    server.cpu()        # waits until nothing is on its way any more
    before = server.memory()
    held = []
    for _ in range(n):
        c = Client(('127.0.0.1', server.port))
        c.want('220')
        held.append(c)
    server.cpu()
    during = server.memory()
    for c in held:
        c.close()
    return {'idle': (during - before) / n}
