#!/usr/bin/python3
"""The listening smtpd: limits, families of addresses, PROXY headers, signals,
configurations that change or are broken, inherited sockets, inetd."""
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from postern import (WAIT, Client, Closed, Postern, children, free_port,
                     is_spare, split_trace, until)
from request import Deliver


# What a session holds (sys/sandbox.h): the client, the log, the spool and
# deliver; before its header is there, the listener too.
SESSION_FDS = {0, 1, 2, 10, 11}
PARENT_FD = 13

t = tap.Tap()


def listening(**conf):
    """A running smtpd; keys of its configuration with _ for -."""
    p = Postern({k.replace('_', '-'): v for k, v in conf.items()})
    p.start()
    settle(p)
    return p


def settle(p):
    """The connections that waited for smtpd to come up are over."""
    until(lambda: not p.sessions())


def need_network():
    if not box.isolated():
        raise tap.Skip('needs root and a network namespace')


def need_root():
    if os.geteuid() != 0:
        raise tap.Skip('needs root to look into a locked-in process')


def turned_away(client, status):
    """The only reply is a 421 with this status; then the end."""
    code, lines = client.reply()
    assert code == 421 and lines[0].startswith(status), (code, lines)
    assert client.at_end(), 'the connection stays'


def greeted(client):
    client.want('220')
    return client


# ------------------------------------------------------------------ limits

def source_limit():
    p = listening(source_limit=3)
    held = [greeted(p.client()) for _ in range(3)]
    turned_away(p.client(), '4.7.0')
    greeted(p.client(source='127.0.0.2')).quit()
    greeted(p.local_client()).quit()
    held.pop().quit()
    assert until(lambda: admitted(p)), 'no room after one has left'
    for c in held:
        c.quit()


def admitted(p, **how):
    """A new client is greeted (and leaves)."""
    c = p.client(**how)
    try:
        return c.reply()[0] == 220
    finally:
        c.close()


def connection_limit():
    p = listening(connection_limit=4)
    held = [greeted(p.client(source='127.0.1.%d' % i)) for i in range(1, 5)]
    turned_away(p.client(source='127.0.1.9'), '4.3.2')
    greeted(p.local_client()).quit()
    held.pop().close()
    assert until(lambda: admitted(p)), 'no room after one has left'


def local_limit():
    p = listening(local_connection_limit=2)
    held = [greeted(p.local_client()) for _ in range(2)]
    turned_away(p.local_client(), '4.3.2')
    greeted(p.client()).quit()
    held.pop().quit()
    assert until(lambda: local_admitted(p)), 'no room after one has left'


def local_share():
    """One user leaves room for another one, and for root."""
    p = Postern({'local-connection-limit': '8'})
    if not p.multi:
        raise tap.Skip('needs root and a mount namespace')
    p.start()
    settle(p)
    held = [greeted(client_of(p, 'bob')) for _ in range(6)]
    turned_away(client_of(p, 'bob'), '4.3.2')
    held += [greeted(client_of(p, 'carol')), greeted(p.local_client())]
    turned_away(p.local_client(), '4.3.2')


def client_of(p, user):
    """Connected to the unix socket by this user."""
    os.seteuid(p.uid(user))
    try:
        return p.local_client()
    finally:
        os.seteuid(0)


def local_admitted(p):
    c = p.local_client()
    try:
        return c.reply()[0] == 220
    finally:
        c.close()


def starved():
    """Silent strangers in all places leave the unix socket alone."""
    p = listening(connection_limit=10)
    held = [greeted(p.client()) for _ in range(10)]
    c = p.local_client()
    c.hello()
    assert c.mail()[0] == 250
    assert len(p.take()) == 1
    assert len(held) == 10


def v6_by_64():
    p = Postern({'source-limit': '2'})
    need_network()
    p.port = free_port()
    p.start('127.0.0.1:%d' % p.port, '[::]:%d' % p.port)
    here = ('2001:db8:ffff::25', p.port)
    held = [greeted(Client(here, source='2001:db8:0:1::%d' % i))
            for i in (1, 2)]
    turned_away(Client(here, source='2001:db8:0:1:ffff::3'), '4.7.0')
    greeted(Client(here, source='2001:db8:0:2::1')).quit()
    assert len(held) == 2


def v6_received():
    p = Postern({'relay-networks': '2001:db8:0:1::/64'})
    need_network()
    p.port = free_port()
    p.start('127.0.0.1:%d' % p.port, '[::]:%d' % p.port)
    c = Client(('2001:db8:ffff::25', p.port), source='2001:db8:0:1::77')
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250 2.1.5', 'RCPT TO:<user@away.example>')
    c.want('250', 'RCPT TO:<alice@[IPv6:2001:db8:ffff::25]>')
    c.want('354', 'DATA')
    c.want('250', 'x\r\n.')
    trace, _ = split_trace(p.take()[0])
    assert b'([IPv6:2001:db8:0:1::77])' in trace, trace


def activated(p, sockets, names=None, program=None, **more):
    """The program with these sockets by LISTEN_FDS."""
    env = dict(os.environ, LISTEN_FDS=str(len(sockets)))
    if names:
        env['LISTEN_FDNAMES'] = names
    high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
    script = ''.join('exec %d<&%d %d<&-; ' % (3 + i, fd, fd)
                     for i, fd in enumerate(high))
    # numbers above 9 need bash; LISTEN_PID is the program's own
    proc = p.popen(['bash', '-c', script + 'export LISTEN_PID=$$; exec "$@"',
                    'activate', program or p.smtpd, '-C', p.conf],
                   pass_fds=high, env=env, **more)
    for fd in high:
        os.close(fd)
    return proc


def seqpacket(path, p):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.bind(path)
    os.chmod(path, 0o600)
    p.own(path, '_postern')
    s.listen(64)
    return s


def dual_stack():
    """A v6 socket that takes v4 as well, as ListenStream=25 makes it."""
    s = socket.create_server(('::', 0), family=socket.AF_INET6,
                             dualstack_ipv6=True)
    return s, s.getsockname()[1]


def mapped():
    p = Postern({'source-limit': '2'})
    try:
        s, port = dual_stack()
    except OSError:
        raise tap.Skip('no IPv6 here')
    activated(p, [seqpacket(p.path('run', 'deliver'), p)], program=p.deliver)
    activated(p, [s])
    c = Client(('127.0.0.1', port))
    c.hello()
    assert c.mail()[0] == 250
    trace, _ = split_trace(p.take()[0])
    assert b'([127.0.0.1])' in trace, trace
    held = [c, greeted(Client(('127.0.0.1', port)))]
    turned_away(Client(('127.0.0.1', port)), '4.7.0')
    held.append(greeted(Client(('127.0.0.1', port), source='127.0.0.2')))
    # and relay-networks know the v4 client behind the v6 form
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250 2.1.5', 'RCPT TO:<user@away.example>')


# ------------------------------------------------------------- PROXY header

SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'


def proxy(source='192.0.2.7', dest='192.0.2.25', tlvs=b'', command=0x21,
          family=None):
    v6 = ':' in source
    af = socket.AF_INET6 if v6 else socket.AF_INET
    body = (socket.inet_pton(af, source) + socket.inet_pton(af, dest) +
            struct.pack('!HH', 40000, 25) + tlvs)
    if family is None:
        family = 0x21 if v6 else 0x11
    return SIGNATURE + struct.pack('!BBH', command, family,
                                   len(body)) + body


def proxied(p, header, pieces=None):
    c = p.client()
    if pieces:
        for i in range(0, len(header), pieces):
            c.send(header[i:i + pieces])
            time.sleep(0.002)
    else:
        c.send(header)
    return c


def proxy_plain():
    p = balancer()
    c = proxied(p, proxy())
    c.hello()
    assert c.mail()[0] == 250
    trace, _ = split_trace(p.take()[0])
    assert b'([192.0.2.7])' in trace, trace
    c.quit()


_balancer = []


def balancer():
    """One smtpd behind a balancer for the tests that leave it as it is."""
    if not _balancer:
        p = Postern({'proxy-networks': '127.0.0.1', 'source-limit': '5'})
        # 127.0.0.1 must send a header: the test of readiness has none
        p.port = free_port()
        p.start()
        _balancer.append(p)
    settle(_balancer[0])
    return _balancer[0]


def proxy_pieces():
    for pieces in (1, 5, 15, 17, 27):
        c = proxied(balancer(), proxy(), pieces)
        c.hello()
        c.quit()


def proxy_v6():
    p = balancer()
    c = proxied(p, proxy('2001:db8::7', '2001:db8::25'))
    c.hello()
    assert c.mail()[0] == 250
    trace, _ = split_trace(p.take()[0])
    assert b'([IPv6:2001:db8::7])' in trace, trace


def proxy_tlvs():
    """What follows the addresses is read and passed over."""
    tlvs = b'\x04' + struct.pack('!H', 200) + b'n' * 200
    tlvs += b'\x01' + struct.pack('!H', 2) + b'h2'
    c = proxied(balancer(), proxy(tlvs=tlvs), 100)
    c.hello()
    c.quit()


def proxy_local():
    """LOCAL is the balancer itself, to see whether we live."""
    c = proxied(balancer(), SIGNATURE + b'\x20\x00\x00\x00')
    greeted(c).quit()
    c = proxied(balancer(), proxy(command=0x20))
    greeted(c).quit()


def proxy_unspec():
    c = proxied(balancer(), SIGNATURE + b'\x21\x00\x00\x00')
    greeted(c).quit()


def proxy_exact():
    """Exactly the header's length is read: what was sent behind it was sent
    ahead of the greeting."""
    c = proxied(balancer(), proxy() + b'EHLO client.example\r\n')
    c.want('554 5.5.0')
    assert c.at_end()
    c = proxied(balancer(), proxy(tlvs=b'\x04\0\x01x'))
    greeted(c)


def proxy_refused(octets, half=False):
    c = balancer().client()
    c.send(octets)
    if half:
        c.sock.shutdown(socket.SHUT_WR)
    try:
        code = c.reply()[0]
    except Closed:
        return
    assert code in (421, 554), code
    assert c.at_end()


def proxy_none():
    proxy_refused(b'EHLO client.example\r\nMAIL FROM:<a@away.example>\r\n')


def proxy_bad():
    good = proxy()
    proxy_refused(b'PROXY TCP4 192.0.2.7 192.0.2.25 40000 25\r\n')
    proxy_refused(good[:12] + b'\x31' + good[13:])       # version 3
    proxy_refused(good[:12] + b'\x2f' + good[13:])       # no such command
    proxy_refused(good[:14] + b'\xff\xff' + b'x' * 70000)  # far too long
    proxy_refused(good[:14] + b'\0\x04' + good[16:20])    # too short for v4
    proxy_refused(good[:-1], half=True)
    proxy_refused(good[:13], half=True)
    proxy_refused(good[:11] + b'\0' + good[12:])


def proxy_stranger():
    """From a network that is no balancer's it is talk before the greeting."""
    p = listening(proxy_networks='192.0.2.0/24')
    os.kill(p.listener.pid, 19)
    c = p.client(early=proxy())
    os.kill(p.listener.pid, 18)
    c.want('554 5.5.0')
    assert c.at_end()
    greeted(p.client()).quit()


def proxy_source_limit():
    """The real source is counted, the balancer is not."""
    p = Postern({'proxy-networks': '127.0.0.1', 'source-limit': '2'})
    p.port = free_port()
    p.start()
    settle(p)
    held = [greeted(proxied(p, proxy('198.51.100.1'))) for _ in range(2)]
    turned_away(proxied(p, proxy('198.51.100.1')), '4.7.0')
    held += [greeted(proxied(p, proxy('198.51.100.%d' % i)))
             for i in range(2, 8)]
    held.pop(0).close()
    assert until(lambda: proxied(p, proxy('198.51.100.1')).reply()[0] == 220)


def proxy_many():
    """Whoever has not sent his header yet has a session of his own: nothing
    of the others is in it, and none of them is lost."""
    p = balancer()
    held = [p.client() for _ in range(24)]
    assert until(lambda: len(p.sessions()) == 24), p.sessions()
    for pid in p.sessions():
        assert descriptors(pid) <= SESSION_FDS | {PARENT_FD}, descriptors(pid)
    for i, c in enumerate(held):
        c.send(proxy('198.51.100.%d' % (i + 1)))
        greeted(c)
    for pid in p.sessions():
        assert descriptors(pid) <= SESSION_FDS, descriptors(pid)
    for c in held:
        c.quit()


def descriptors(pid):
    return {int(n) for n in os.listdir('/proc/%d/fd' % pid)}


def proxy_relay():
    """The real source decides who may relay."""
    p = balancer()
    c = proxied(p, proxy('198.51.100.1'))
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('550 5.7.1', 'RCPT TO:<user@away.example>')


def proxy_many():
    """Numbers of descriptors that mean something are not used up."""
    need_network()
    p = Postern({'proxy-networks': '127.0.0.1', 'source-limit': '50'})
    p.port = free_port()
    p.start()
    settle(p)
    held = [p.client() for _ in range(30)]
    assert until(lambda: len(p.sessions()) == len(held)), p.sessions()
    for n, c in enumerate(held):
        c.send(proxy('198.51.100.%d' % n))
    for c in held:
        greeted(c).quit()


# -------------------------------------------------------------- descriptors

def descriptors(pid):
    """{number: what is open there}"""
    path = '/proc/%d/fd' % pid
    return {int(n): os.readlink(os.path.join(path, n))
            for n in os.listdir(path)}


def of_its_own():
    """Of many clients, some not yet known, each session has its own alone."""
    p = Postern({'proxy-networks': '127.0.0.2', 'source-limit': '50'})
    need_network()
    p.start()
    settle(p)
    unknown = [p.client(source='127.0.0.2') for _ in range(10)]
    assert until(lambda: len(p.sessions()) == 10)
    early = p.sessions()
    known = [greeted(c) for c in (p.client(), p.local_client(), p.client())]
    sockets = set()
    for pid in p.sessions():
        have = descriptors(pid)
        more = {13} if pid in early else set()
        assert set(have) == {0, 1, 2, 10, 11} | more, have
        assert have[1] == '/dev/null' and have[2] == p.log, have
        assert have[10] == p.path('spool', 'queue'), have
        mine = {have[n] for n in (0, 11, *more)}
        assert not mine & sockets and len(mine) == 2 + len(more), have
        sockets |= mine
    assert until(lambda: len(waiting(p)) == 1 and
                 11 in descriptors(waiting(p)[0]))
    have = descriptors(waiting(p)[0])
    assert set(have) == {1, 2, 10, 11, 13}, have
    assert not {have[11], have[13]} & sockets, have
    for n, c in enumerate(unknown):
        c.send(proxy('198.51.100.%d' % n))
    for c in unknown:
        greeted(c).quit()
    for c in known:
        c.quit()


def inherited():
    """What whoever starts us has left open is not for a stranger's session."""
    p = Postern()
    need_network()
    with socket.create_server(('127.0.0.1', 0)) as s, \
            open(p.write('secret', 'x')) as f:
        c = Client(s.getsockname())
        server, _ = s.accept()
        proc = p.popen([p.smtpd, '-C', p.conf], stdin=server, stdout=server,
                       pass_fds=(f.fileno(),))
        server.close()
        greeted(c)
        assert set(descriptors(proc.pid)) == {0, 1, 2, 10, 11}, descriptors(
            proc.pid)
        c.quit()


# ----------------------------------------------------------------- signals

def no_room():
    """A spool that is nearly full: MAIL says so, and nothing is begun."""
    p = Postern()
    need_network()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=2m,mode=3777', 'none',
                    p.path('spool', 'queue')], check=True)
    p.start()
    c = p.client()
    c.hello()
    c.want('452 4.3.1', 'MAIL FROM:<a@away.example> SIZE=1500000')
    assert c.mail()[0] == 250, 'a small one fits'
    with open(p.path('spool', 'queue', 'filler'), 'wb') as f:
        f.write(b'x' * 1500000)
    c.want('452 4.3.1', 'MAIL FROM:<a@away.example>')
    c.want('503', 'RCPT TO:<alice@here.example>')
    subprocess.run(['mount', '-o', 'remount,size=64m,nr_inodes=500',
                    p.path('spool', 'queue')], check=True)
    c.want('452 4.3.1', 'MAIL FROM:<a@away.example>')
    subprocess.run(['mount', '-o', 'remount,size=64m,nr_inodes=5000',
                    p.path('spool', 'queue')], check=True)
    assert c.mail()[0] == 250, 'room again'


def sigterm():
    p = listening()
    idle, busy, begun = p.client(), p.client(), p.client()
    for c in (idle, busy, begun):
        c.hello()
    busy.want('250', 'MAIL FROM:<a@away.example>')
    busy.want('250', 'RCPT TO:<alice@here.example>')
    busy.want('354', 'DATA')
    busy.send(b'Subject: late\r\n\r\nhalf')
    begun.want('250', 'MAIL FROM:<a@away.example>')
    p.listener.terminate()
    turned_away(idle, '4.3.2')
    assert until(lambda: refused(p)), 'still listening'
    time.sleep(0.1)
    busy.send(b' and half\r\n.\r\n')
    assert busy.reply()[0] == 250
    turned_away(busy, '4.3.2')
    # where no message is half read, the transaction may end
    turned_away(begun, '4.3.2')
    assert p.listener.wait(20) == 0
    assert [split_trace(m)[1] for m in p.take()] == [
        b'Subject: late\n\nhalf and half\n']


def refused(p):
    try:
        p.client().close()
    except ConnectionRefusedError:
        return True
    return False


def nothing_left():
    """With the listener its deliver goes."""
    p = listening()
    c = p.client()
    c.hello()
    assert c.mail()[0] == 250
    c.quit()
    group = p.listener.pid
    p.listener.terminate()
    assert p.listener.wait(20) == 0
    assert until(lambda: not in_group(group)), in_group(group)


def in_group(group):
    out = subprocess.run(['ps', '-e', '-o', 'pgid=,pid=,args='],
                         stdout=subprocess.PIPE, text=True).stdout
    return [s for s in out.splitlines() if int(s.split()[0]) == group]


def deliver_dies():
    """A deliver that is killed comes back, and no session hangs."""
    p = listening()
    first = p.client()
    first.hello()
    assert first.mail()[0] == 250
    kill_deliver(p)
    until(lambda: delivers(p), 20, 0.1)
    assert len(p.take()) in (1, 2)
    first.close()


def kill_deliver(p):
    for line in in_group(p.listener.pid):
        if 'deliver -C' in line or '/deliver' in line:
            try:
                os.kill(int(line.split()[1]), 9)
            except ProcessLookupError:
                pass


def delivers(p):
    """A message is stored again."""
    c = p.client()
    try:
        c.hello()
        c.cmd('MAIL FROM:<a@away.example>')
        if c.cmd('RCPT TO:<alice@here.example>')[0] != 250:
            return False
        c.want('354', 'DATA')
        return c.cmd('x\r\n.')[0] == 250
    finally:
        c.close()


def child_dies():
    """A session that is killed takes nobody with it."""
    need_root()
    p = listening()
    a = greeted(p.client())
    first = p.sessions()
    b = greeted(p.client())
    second, = set(p.sessions()) - set(first)
    os.kill(second, 9)
    assert b.at_end()
    a.want('250', 'EHLO client.example')
    greeted(p.client()).quit()
    a.quit()


def waiting(p):
    """Sessions without a client."""
    return [c for c in children(p.listener.pid) if is_spare(c)]


def spare():
    """The one that waits for the next client ends when the configuration
    changes; one that is killed is not missed."""
    need_root()
    p = listening()
    greeted(p.client()).quit()
    assert until(lambda: len(waiting(p)) == 1), waiting(p)
    first, = waiting(p)
    p.configure({'hostname': 'other.here.example'})
    assert 'other.here.example' in p.client().want('220')[1][0]
    assert until(lambda: first not in waiting(p)), 'it waits on'
    assert until(lambda: len(waiting(p)) == 1)
    first, = waiting(p)
    os.kill(first, signal.SIGKILL)
    assert until(lambda: first not in children(p.listener.pid))
    for _ in range(3):
        c = p.client()
        c.hello()
        assert c.mail()[0] == 250
        c.quit()
    assert until(lambda: len(waiting(p)) == 1)


def spare_and_deliver():
    """It does not wait on for a deliver that has gone."""
    need_root()
    p = Postern()
    d = Deliver(p)
    p.start()
    for _ in range(2):
        c = p.client()
        c.hello()
        assert c.mail()[0] == 250
        c.quit()
        assert until(lambda: len(waiting(p)) == 1), waiting(p)
        d.proc.terminate()
        d.proc.wait(WAIT)
        assert until(lambda: not waiting(p)), 'it waits on'
        c = p.client()
        c.hello()
        c.want('250', 'MAIL FROM:<a@away.example>')
        c.want('451', 'RCPT TO:<alice@here.example>')
        c.quit()
        d = Deliver(p)


def silent():
    """A client that says nothing costs a deadline."""
    p = listening(command_timeout='1s')
    c = greeted(p.client())
    start = time.monotonic()
    turned_away(c, '4.4.2')
    assert 0.5 < time.monotonic() - start < 5
    c = p.client()
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<alice@here.example>')
    c.want('354', 'DATA')
    c.send(b'half a line')
    turned_away(c, '4.4.2')
    assert p.take() == []


def slow_command():
    """Octet by octet does not stretch the deadline of a command."""
    p = listening(command_timeout='1s')
    c = greeted(p.client())
    start = time.monotonic()
    try:
        while time.monotonic() - start < 5:
            c.send(b'x')
            time.sleep(0.1)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert time.monotonic() - start < 4
    assert b'421 4.4.2' in drained(c)


def drained(c):
    try:
        while True:
            c.fill()
    except Closed:
        return c.raw


# ----------------------------------------------------------- configuration

def change():
    p = listening()
    before = greeted(p.client())
    p.configure({'hostname': 'new.here.example'})
    c = p.client()
    assert c.reply()[1][0].startswith('new.here.example ')
    assert before.cmd('HELO x.example') == (250, ['mx.here.example'])


def bad_change():
    p = listening()
    p.configure({'message-size-limit': 'plenty'})
    c = p.client()
    assert c.reply()[1][0].startswith('mx.here.example ')
    c.want('250', 'EHLO client.example')
    assert 'postern.conf:' in p.logged() and 'plenty' in p.logged()
    p.configure({'message-size-limit': '3M'})
    c = p.client()
    greeted(c)
    assert 'SIZE 3145728' in c.cmd('EHLO client.example')[1]
    p.configure({'no-such-key': '1'})
    os.unlink(p.conf)
    assert c.cmd('NOOP')[0] == 250
    greeted(p.client()).quit()


def bad_start():
    """Without activation a broken configuration is an exit of 78."""
    p = Postern({'recipient-limit': '7'})
    p.port = free_port()
    r = subprocess.run([p.smtpd, '-C', p.conf, '-l',
                        '127.0.0.1:%d' % p.port], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=20)
    assert r.returncode == 78, r
    line = 1 + list(p.settings).index('recipient-limit')
    assert ('postern.conf:%d' % line).encode() in r.stdout, r.stdout


def broken_activated():
    """With activation everybody hears 421 4.3.5 until it is mended."""
    p = Postern({'nonsense': '1'})
    with socket.create_server(('127.0.0.1', 0)) as s:
        p.port = s.getsockname()[1]
        proc = activated(p, [s])
        for _ in range(3):
            turned_away(p.client(), '4.3.5')
        assert proc.poll() is None, 'smtpd has ended'
        assert 'nonsense' in p.logged()
        p.configure({'nonsense': None})
        greeted(p.client()).quit()
        p.configure({'nonsense': '1'})
        greeted(p.client()).quit()
        assert proc.poll() is None, 'smtpd has ended'


def broken_one_session():
    p = Postern({'nonsense': '1'})
    with socket.create_server(('127.0.0.1', 0)) as s:
        c = Client(s.getsockname())
        server, _ = s.accept()
        proc = p.session(server)
        server.close()
        turned_away(c, '4.3.5')
        assert proc.wait(20) == 78


def spool_missing():
    """A spool that cannot be had when activated: later, and then mended."""
    p = Postern()
    os.rename(p.path('spool'), p.path('spool.away'))
    p.write('spool', 'in the way')
    with socket.create_server(('127.0.0.1', 0)) as s:
        p.port = s.getsockname()[1]
        activated(p, [seqpacket(p.path('run', 'deliver'), p)],
                  program=p.deliver)
        proc = activated(p, [s])
        turned_away(p.client(), '4.3')
        os.unlink(p.path('spool'))
        os.rename(p.path('spool.away'), p.path('spool'))
        assert until(lambda: admitted(p)), 'not mended'
        assert proc.poll() is None
        assert delivers(p)


# ------------------------------------------------------- inherited sockets

def listen_fds():
    """TCP and unix sockets by LISTEN_FDS, deliver by its own."""
    p = Postern()
    activated(p, [seqpacket(p.path('run', 'deliver'), p)], program=p.deliver)
    a = socket.create_server(('127.0.0.1', 0))
    b = socket.socket(socket.AF_UNIX)
    b.bind(p.path('run', 'smtp'))
    os.chmod(p.path('run', 'smtp'), 0o666)
    b.listen()
    p.port, p.local = a.getsockname()[1], p.path('run', 'smtp')
    activated(p, [b, a], 'local:smtp')
    for c in (p.client(), p.local_client()):
        c.hello()
        assert c.mail()[0] == 250
        c.quit()
    traces = [split_trace(m)[0] for m in p.take()]
    assert b'[127.0.0.1]' in traces[0], traces
    assert b'(uid ' in traces[1], traces


def foreign_pid():
    """LISTEN_FDS for another process is not ours."""
    p = Postern()
    env = dict(os.environ, LISTEN_FDS='1', LISTEN_PID='1')
    proc = p.popen([p.smtpd, '-C', p.conf], env=env, stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE)
    out, _ = proc.communicate(b'QUIT\r\n', timeout=20)
    assert out.startswith(b'220 ') and b'\r\n221 ' in out, out


def stale_socket():
    """A socket file that a killed smtpd left is replaced, another file not."""
    p = listening()
    p.listener.kill()
    p.listener.wait()
    until(lambda: not in_group(p.listener.pid))
    assert os.path.exists(p.local)
    p.start()
    greeted(p.local_client()).quit()
    assert os.stat(p.local).st_mode & 0o777 == 0o666
    path = p.write('file', 'precious')
    r = subprocess.run([p.smtpd, '-C', p.conf, '-l', 'unix:' + path],
                       stderr=subprocess.PIPE, timeout=20)
    assert r.returncode != 0
    with open(path) as f:
        assert f.read() == 'precious'


def peer_user():
    """On the unix socket Received names who submits."""
    p = listening()
    if not box.isolated():
        raise tap.Skip('needs root for other users')
    code = ('import socket,sys\n'
            's=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1])\n'
            'f=s.makefile("rwb",0)\n'
            'for line in ("EHLO c.example","MAIL FROM:<carol>",'
            '"RCPT TO:<alice>","DATA","hi\\r\\n.","QUIT"):\n'
            '    f.write(line.encode()+b"\\r\\n")\n'
            'sys.stdout.write(f.read().decode())\n')
    code = code.replace('f.write(line.encode()+b"\\r\\n")',
                        'f.readline() if line[0]=="E" else None;'
                        'f.write(line.encode()+b"\\r\\n");'
                        'import time;time.sleep(.05)')
    subprocess.run([sys.executable, '-c', code, p.local], user=20003,
                   group=20003, extra_groups=[], check=True, timeout=20,
                   stdout=subprocess.DEVNULL)
    trace, content = split_trace(p.take()[0])
    assert b'(uid 20003, user carol)' in trace, trace
    assert content == b'hi\n'


# ------------------------------------------------------------------- inetd

def inetd_log():
    """With the client on fd 2 as well, nothing of the log is on the wire."""
    p = Postern()
    with socket.create_server(('127.0.0.1', 0)) as s:
        c = Client(s.getsockname())
        server, _ = s.accept()
        proc = p.popen([p.smtpd, '-C', p.conf], stdin=server, stdout=server,
                       stderr=server)
        server.close()
        c.hello()
        for line in ('XYZZY', 'MAIL FROM:<>', 'RCPT TO:<nobody@here.example>',
                     'RCPT TO:<user@away.example>'):
            c.cmd(line)
        c.want('250', 'RCPT TO:<alice@here.example>')
        c.want('354', 'DATA')
        c.want('250', 'x\r\n.')
        c.quit()
        proc.wait(20)
    for line in c.raw.split(b'\r\n')[:-1]:
        assert line[:3].isdigit() and line[3:4] in (b' ', b'-'), line
    assert len(p.take()) == 1


def inetd_syslog():
    """... but in syslog, of smtpd and of the deliver that it starts."""
    p = Postern()
    if not box.isolated():
        raise tap.Skip('needs root for a /dev/log of its own')
    syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    syslog.bind('/dev/log')
    os.chmod('/dev/log', 0o666)
    syslog.settimeout(20)
    try:
        with socket.create_server(('127.0.0.1', 0)) as s:
            c = Client(s.getsockname())
            server, _ = s.accept()
            p.popen([p.smtpd, '-C', p.conf], stdin=server, stdout=server,
                    stderr=server)
            server.close()
            c.hello()
            assert c.mail()[0] == 250
            c.want('500', 'XYZZY <13>forged')
            c.quit()
        lines = []
        while not any('event=session' in s for s in lines):
            lines.append(syslog.recv(4096).decode())
    finally:
        os.unlink('/dev/log')
        syslog.close()
    assert any('event=stored' in s and 'alice@here.example' in s
               for s in lines), lines
    assert any('event=rejected' in s and 'XYZZY' in s for s in lines), lines
    for s in lines:
        assert re.match('<(1[6-9]|2[0-3])>', s), s      # facility mail
        assert '\n' not in s.strip(), s


def inetd_broken():
    """... nor of a configuration's fault."""
    p = Postern({'nonsense': '1'})
    with socket.create_server(('127.0.0.1', 0)) as s:
        c = Client(s.getsockname())
        server, _ = s.accept()
        p.popen([p.smtpd, '-C', p.conf], stdin=server, stdout=server,
                stderr=server)
        server.close()
        turned_away(c, '4.3.5')
    assert c.raw.count(b'\n') == 1, c.raw


def pipes():
    """One session over pipes, as sendmail -bs has it: all sent at once."""
    p = Postern()
    proc = p.popen([p.smtpd, '-C', p.conf], stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE)
    out, _ = proc.communicate(
        b'EHLO localhost\r\nMAIL FROM:<bob>\r\nRCPT TO:<alice>\r\nDATA\r\n'
        b'Subject: piped\r\n\r\nx\r\n.\r\nQUIT\r\n', timeout=20)
    codes = [s[:3] for s in out.split(b'\r\n')[:-1] if s[3:4] == b' ']
    assert codes == [b'220', b'250', b'250', b'250', b'354', b'250',
                     b'221'], out
    assert proc.returncode == 0
    assert split_trace(p.take()[0])[1] == b'Subject: piped\n\nx\n'


# ------------------------------------------------------------- many at once

def crowd():
    """Fifty clients at once, five messages each: every one arrives once."""
    p = listening()
    faults = []

    def one(n):
        try:
            c = p.client()
            c.hello()
            for i in range(5):
                code, _ = c.mail(content=b'Subject: %d-%d\r\n\r\n' % (n, i))
                assert code == 250, code
            c.quit()
        except Exception as e:
            faults.append(repr(e))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(50)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    assert not faults, faults[:3]
    got = sorted(split_trace(m)[1] for m in p.take())
    assert got == sorted(b'Subject: %d-%d\n\n' % (n, i)
                         for n in range(50) for i in range(5))
    assert until(lambda: not p.rubbish()), p.rubbish()


def flood():
    """Three hundred connections that come and go at once leave no trace."""
    p = listening(source_limit=1000)
    for _ in range(3):
        held = [p.client() for _ in range(100)]
        for c in held:
            c.close()
    assert until(lambda: not p.sessions()), p.sessions()
    greeted(p.client()).quit()


for test, about in (
        (source_limit, 'source-limit: 421 4.7.0, others are served'),
        (connection_limit, 'connection-limit: 421 4.3.2'),
        (local_limit, 'local-connection-limit: 421, TCP is served'),
        (local_share, 'local-connection-limit: a share of it for one user'),
        (starved, 'strangers in all places do not starve the unix socket'),
        (v6_by_64, 'source-limit counts a /64'),
        (v6_received, 'IPv6: Received, relay-networks, our own literal'),
        (mapped, 'a mapped address is the IPv4 host it is'),
        (proxy_plain, 'PROXY: the real source stands in Received'),
        (proxy_pieces, 'PROXY: a header in pieces'),
        (proxy_v6, 'PROXY: TCP over IPv6'),
        (proxy_tlvs, 'PROXY: TLVs'),
        (proxy_local, 'PROXY: LOCAL'),
        (proxy_unspec, 'PROXY: no addresses'),
        (proxy_exact, 'PROXY: exactly its length is read'),
        (proxy_none, 'PROXY: no header, no session'),
        (proxy_bad, 'PROXY: bad headers, no session'),
        (proxy_stranger, 'PROXY: not from others'),
        (proxy_source_limit, 'PROXY: source-limit by the real source'),
        (proxy_many, 'PROXY: many without a header yet, each on its own'),
        (proxy_relay, 'PROXY: relay by the real source'),
        (proxy_many, 'PROXY: many headers that come late'),
        (of_its_own, 'a session holds its own client and no other'),
        (inherited, 'one session: closes what it did not ask for'),
        (no_room, 'a spool without room: 452 at MAIL'),
        (sigterm, 'SIGTERM: the message at hand ends, then 421'),
        (nothing_left, 'SIGTERM: no process is left'),
        (deliver_dies, 'a killed deliver comes back'),
        (child_dies, 'a killed session takes nobody with it'),
        (spare, 'the next session is there before its client'),
        (spare_and_deliver, 'and has a deliver that is there'),
        (silent, 'a silent client: 421 4.4.2, nothing stored'),
        (slow_command, 'a command octet by octet: the same deadline'),
        (change, 'a changed configuration holds from the next connection on'),
        (bad_change, 'a bad change keeps the old one, and is logged'),
        (bad_start, 'a broken configuration at start: exit 78, file and line'),
        (broken_activated, 'broken when activated: 421 4.3.5, then mended'),
        (broken_one_session, 'broken with one session: 421 4.3.5, exit 78'),
        (spool_missing, 'no spool when activated: 421, then mended'),
        (listen_fds, 'LISTEN_FDS: TCP and unix'),
        (foreign_pid, 'LISTEN_FDS for another process: one session'),
        (stale_socket, 'a stale socket file is replaced'),
        (peer_user, 'the unix socket knows its user'),
        (inetd_log, 'inetd: nothing of the log on the wire'),
        (inetd_syslog, 'inetd: the log is in syslog'),
        (inetd_broken, 'inetd: nor of a broken configuration'),
        (pipes, 'one session over pipes'),
        (crowd, 'fifty clients at once'),
        (flood, 'three hundred connections that say nothing')):
    if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
        t.run(about, test)
t.done()
