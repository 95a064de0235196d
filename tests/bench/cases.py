"""The cases of make bench."""
import secure
import session
import submit
from case import Case, Row, most, part, times
from dma import Dma
from load import Load
from ours import Glibc, Musl
from postfix import Postfix

OURS = (Glibc, Musl)
ALL = OURS + (Postfix,)
IDLE = 1000         # connections that wait
IDLE_TLS = 200      # ... over TLS
WORK = Load(sessions=20, messages=200)


def load(**what):
    one = Load(**what)

    def run(server, scale, point):
        user = server.fresh()
        return one.sample(server, scale, user, [user])
    return run


def throughput(rate=None, cpu=part(1 / 3)):
    return (Row('rate', '', '/s', rate, more=True),
            Row('cpu', 'CPU of the server, per message', ' ms', cpu),
            Row('source', 'load generator, of one CPU', ' %',
                compared=False))


def latency(target=None):
    return (Row('median', 'median', ' ms', target),
            Row('p99', '99th percentile', ' ms'))


def banner(server, scale, point):
    return session.to_banner(server, max(20, int(400 * scale)))


def quit_(server, scale, point):
    return session.to_quit(server, server.fresh(), max(20, int(200 * scale)))


def idle(server, scale, point):
    return session.idle(server, IDLE)


def rest(server, scale, point):
    """kB of PSS of all processes before and after some work."""
    user = server.fresh()
    before = server.memory()
    WORK.sample(server, 1, user, [user])
    return {'rest': before, 'used': server.memory()}


def size(server, scale, point):
    return {'size': server.installed()}


def front(name):
    return lambda point: {'front': name}


A = '20 sessions, one message each'
B = '20 sessions, many messages each'
a = load(sessions=20, messages=1500)
b = load(sessions=20, messages=2500, each=True)
CASES = (
    Case('a', A + ', ext4', 'ext4', ALL, a, throughput(times(3))),
    Case('b', B + ', ext4', 'ext4', ALL, b, throughput(times(5))),
    Case('c', 'one session after another, ext4', 'ext4', ALL,
         load(messages=500), throughput(times(1.5))),
    Case('d', '10 MiB messages, 4 at once, ext4', 'ext4', ALL,
         load(sessions=4, messages=40, size=10 << 20), throughput(times(4))),
    Case('a-tmpfs', A + ', tmpfs', 'tmpfs', ALL, a, throughput(cpu=None)),
    Case('b-tmpfs', B + ', tmpfs', 'tmpfs', ALL, b, throughput(cpu=None)),
    Case('banner', 'connect to greeting, listener', 'tmpfs', ALL, banner,
         latency(most(0.5))),
    Case('banner-accept', 'connect to greeting, Accept=yes', 'tmpfs', OURS,
         banner, latency(), front('systemd_accept_yes')),
    Case('banner-inetd', 'connect to greeting, openbsd-inetd', 'tmpfs', OURS,
         banner, latency(), front('openbsd_inetd')),
    Case('quit', 'connect to QUIT, one message, ext4', 'ext4', ALL, quit_,
         latency()),
    submit.case(ALL + (Dma,)),
    Case('idle', '%d idle connections, PSS of each' % IDLE, 'tmpfs', ALL, idle,
         (Row('idle', '', ' kB', most({Glibc.name: 64, Musl.name: 40})),),
         lambda point: {'processes': IDLE + 100}, once=True),
    Case('tls', 'handshakes, STARTTLS, P-256', 'tmpfs', (Glibc, Postfix),
         secure.handshakes,
         (Row('rate', '', '/s', times(1), more=True),
          Row('cpu', 'CPU of the server, per handshake', ' ms')),
         lambda point: {'tls': True}),
    Case('tls-bulk', '10 MiB over TLS, 4 at once', 'tmpfs', (Glibc, Postfix),
         secure.bulk,
         (Row('rate', '', ' MiB/s', times(0.9), more=True),
          Row('cpu', 'CPU of the server, per message', ' ms')),
         lambda point: {'tls': True}),
    Case('tls-idle', '%d idle TLS connections, PSS of each' % IDLE_TLS,
         'tmpfs', (Glibc, Postfix),
         lambda server, scale, point: secure.idle(server, IDLE_TLS),
         (Row('idle', '', ' kB', part(0.25)),),
         lambda point: {'processes': IDLE_TLS + 100, 'tls': True}, once=True),
    Case('rest', 'all processes, PSS', 'tmpfs', ALL, rest, (
        Row('rest', 'just started', ' kB'),
        Row('used', 'at rest after 20 sessions at once', ' kB')), once=True),
    Case('size', 'programs, stripped', 'tmpfs', ALL, size, (
        Row('size', '', ' kB', most(160)),), once=True, smtp=False),
)
