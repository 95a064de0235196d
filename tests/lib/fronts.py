"""What may start smtpd: its own listener, two inetds, systemd's activation.
Each is a started installation with a TCP port."""
import os
import pwd
import shutil
import socket

import tap
from postern import ROOT, Client, Postern, free_port, until

DEPS = os.path.join(ROOT, 'build', 'deps')


def tool(name, package=None):
    """A program of the system, or one unpacked by scripts/deps.sh."""
    unpacked = os.path.join(DEPS, package or name, 'usr', 'sbin', name)
    found = unpacked if os.path.exists(unpacked) else shutil.which(
        name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
    if not found:
        raise tap.Skip(name + ' is not installed')
    return found


def ready(p):
    """Somebody listens; nothing is said to him, for inetds count."""
    def there():
        try:
            socket.create_connection(('127.0.0.1', p.port), 1).close()
            return True
        except OSError:
            return False
    assert until(there), 'nobody listens\n' + p.logged()
    return p


def owner(p):
    """The name of who runs it, as inetds want it."""
    uid = 0 if p.multi else p.uid('_postern')
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise tap.Skip('uid %d has no name' % uid)


def listener(**more):
    p = Postern(**more)
    p.start()
    return p


def openbsd_inetd(**more):
    p = Postern(**more)
    p.port = free_port()
    conf = p.write('inetd.conf', '127.0.0.1:%d stream tcp nowait.10000 %s '
                   '%s smtpd -C %s\n' % (p.port, owner(p), p.smtpd, p.conf))
    p.popen([tool('inetd', 'openbsd-inetd'), '-i', conf])
    return ready(p)


def xinetd(**more):
    p = Postern(**more)
    p.port = free_port()
    conf = p.write('xinetd.conf', '''
defaults
{
        cps = 10000 1
        instances = UNLIMITED
        log_type = FILE %s
}
service smtp
{
        type = UNLISTED
        socket_type = stream
        protocol = tcp
        wait = no
        bind = 127.0.0.1
        port = %d
        user = %s
        server = %s
        server_args = -C %s
}
''' % (p.path('xinetd.log'), p.port, owner(p), p.smtpd, p.conf))
    p.popen([tool('xinetd'), '-dontfork', '-f', conf, '-pidfile',
             p.path('xinetd.pid')])
    return ready(p)


def activate(p, *args):
    return p.popen([tool('systemd-socket-activate')] + list(args))


def systemd_accept_no(**more):
    """smtpd with LISTEN_FDS; deliver by a socket of its own."""
    p = Postern(**more)
    p.port = free_port()
    deliver = p.path('run', 'deliver')
    activate(p, '--seqpacket', '-l', deliver, p.deliver, '-C', p.conf)
    assert until(lambda: os.path.exists(deliver)), p.logged()
    p.own(deliver, '_postern')
    activate(p, '-l', '127.0.0.1:%d' % p.port, p.smtpd, '-C', p.conf)
    return ready(p)


def systemd_accept_yes(**more):
    """A process for each connection, as an Accept=yes unit has it."""
    p = Postern(**more)
    p.port = free_port()
    activate(p, '--accept', '--inetd', '-l', '127.0.0.1:%d' % p.port,
             p.smtpd, '-C', p.conf)
    return ready(p)


FRONTS = (listener, openbsd_inetd, xinetd, systemd_accept_no,
          systemd_accept_yes)


def works(p):
    """A first message by our own client, to tell a dead front from a client
    that cannot speak."""
    c = Client(('127.0.0.1', p.port))
    c.hello()
    code, lines = c.mail()
    assert code == 250, (code, lines, p.logged()[-2000:])
    c.quit()
    assert len(p.take()) == 1
