#!/usr/bin/python3
"""An ordinary user of the machine, and what is none of his business: the mail
of others on its way, the processes that carry it, the sockets between them.
And smtpd started by root, which works as _postern or not at all."""
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import box
import tap
from postern import Client, Postern, children, free_port, until
from request import Deliver

t = tap.Tap()


class As:
    """What is done within is done by this user."""

    def __init__(self, p, name):
        self.uid = p.uid(name)

    def __enter__(self):
        os.setegid(self.uid)
        os.seteuid(self.uid)

    def __exit__(self, *_):
        os.seteuid(0)
        os.setegid(0)


def denied(action, *args):
    try:
        action(*args)
    except PermissionError:
        return True
    return False


def sending(p):
    """(a client in the middle of a message, the pid of its session)"""
    before = set(p.sessions())
    c = p.client()
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<bob@here.example>')
    c.want('354', 'DATA')
    c.send(b'Subject: for bob alone\r\n\r\n' + b'x' * 200000)
    pid, = set(p.sessions()) - before
    return c, pid


def spool(p):
    """Neither listed nor written, nor is anything in it that has a name."""
    queue = p.path('spool', 'queue')
    c, _ = sending(p)
    with As(p, 'alice'):
        for action, *args in ((os.listdir, queue), (open, queue + '/x', 'w'),
                              (os.mkdir, queue + '/x'),
                              (os.symlink, 'x', queue + '/x'),
                              (os.link, p.conf, queue + '/x'),
                              (os.rename, queue, queue + '2'),
                              (os.chmod, queue, 0o777)):
            assert denied(action, *args), (action, args)
    assert os.listdir(queue) == [], 'a message has a name'
    c.send(b'\r\n.\r\n')
    c.want('250')
    c.quit()
    assert len(p.take('bob')) == 1


def made(p):
    """The directory that smtpd makes when it is missing: nobody else's."""
    fresh = Postern()
    shutil.rmtree(fresh.path('spool'))
    Deliver(fresh)
    fresh.start()
    st = os.stat(fresh.path('spool', 'queue'))
    assert stat.S_IMODE(st.st_mode) == 0o3770, oct(st.st_mode)
    assert st.st_gid == fresh.uid('_postern')
    with As(fresh, 'alice'):
        assert denied(os.listdir, fresh.path('spool', 'queue'))
    fresh.clean()


def processes(p):
    """Neither a stranger to them nor another session may look into them."""
    c, pid = sending(p)
    for who in 'alice', '_postern':
        with As(p, who):
            for name in 'fd', 'mem', 'environ', 'maps', 'root', 'cwd':
                path = '/proc/%d/%s' % (pid, name)
                action = os.listdir if name == 'fd' else os.readlink if \
                    name in ('root', 'cwd') else open
                assert denied(action, path), (who, path)
    for who in 'alice', 'bob':
        for other in [pid, p.listener.pid] + p.deliver_pids:
            with As(p, who):
                assert denied(os.kill, other, signal.SIGTERM), (who, other)
    c.send(b'\r\n.\r\n')
    c.want('250')
    c.quit()
    p.take('bob')


def sockets(p):
    """smtpd's is for everybody, deliver's for smtpd alone."""
    with As(p, 'alice'):
        c = p.local_client()
        c.hello()
        c.quit()
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        assert denied(s.connect, p.path('run', 'deliver'))
        s.close()
        for name in 'smtp', 'deliver':
            path = p.path('run', name)
            assert denied(os.unlink, path) and denied(
                os.rename, path, path + '2')
            assert denied(os.chmod, path, 0o666)


def mailboxes(p):
    """What is delivered is its owner's alone."""
    c = p.client()
    c.hello()
    assert c.mail(to=('bob@here.example', 'root@here.example'))[0] == 250
    c.quit()
    for name in 'bob', 'root':
        path, = p.names(name)
        with As(p, 'alice'):
            assert denied(open, path)
            assert denied(os.listdir, os.path.dirname(path))
        p.take(name)


def started(p):
    """What waits in front of a deliver, and that deliver, hold nothing that
    is not theirs."""
    q = Postern()
    q.start('127.0.0.1:%d' % free_port(), wait=False)
    assert until(lambda: os.path.exists(q.path('run', 'deliver')))
    keeper, = children(q.listener.pid)

    def fds(pid):
        return {int(n): os.readlink('/proc/%d/fd/%s' % (pid, n))
                for n in os.listdir('/proc/%d/fd' % pid)}
    deliver, = until(lambda: children(keeper))
    assert until(lambda: len(children(deliver)) == 4)
    have = fds(keeper)
    assert set(have) == {0, 1, 2} and have[0].startswith('pipe:'), have
    have = fds(deliver)
    kinds = sorted(v.split(':')[0] for n, v in have.items() if n > 2)
    # the listener, and four workers
    assert kinds == ['anon_inode'] + ['socket'] * 5, have
    assert have[0] == '/dev/null', have
    q.clean()


def faults(p):
    """Identity: a step that fails is the end, as root nobody is heard."""
    if not shutil.which('strace'):
        raise tap.Skip('no strace')
    q = Postern()
    Deliver(q)
    for call, error in (('setgroups', 'EPERM'), ('setresgid', 'EPERM'),
                        ('setresuid', 'EAGAIN'), ('setresuid', 'EPERM')):
        inject = ['strace', '-qq', '-o', '/dev/null', '-e', 'inject=%s:error='
                  '%s' % (call, error), '-e', 'trace=' + call]
        port = free_port()
        r = q.popen(inject + [q.smtpd, '-C', q.conf, '-l',
                              '127.0.0.1:%d' % port])
        assert r.wait(20) == 78, (call, error)
        with socket.create_server(('127.0.0.1', 0)) as s:
            c = Client(s.getsockname())
            server, _ = s.accept()
            r = q.popen(inject + [q.smtpd, '-C', q.conf], stdin=server,
                        stdout=server)
            server.close()
            code, lines = c.reply()
            assert code == 421 and lines[0].startswith('4.3.5'), (code, lines)
            assert c.at_end()
            c.close()
            assert r.wait(20) == 78, (call, error)
    assert q.logged().count('event=privilege') >= 8
    assert q.take() == []
    q.clean()


p = Postern()
if not p.multi:
    tap.skip_all('needs root and a mount namespace')
d = Deliver(p)
p.start()
p.deliver_pids = [d.proc.pid] + children(d.proc.pid)
for test, about in (
        (spool, 'the spool is closed to a user'),
        (made, 'a spool that smtpd makes is, too'),
        (processes, 'so are the processes'),
        (sockets, 'and the socket of deliver'),
        (mailboxes, "and the others' mailboxes"),
        (started, 'a deliver that smtpd starts inherits nothing'),
        (faults, 'rights that cannot be given up: no service')):
    t.run(about, test, p)
t.done()
