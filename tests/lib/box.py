"""A network and a user database of one's own for a test that runs as root.

After isolate() the process and its children have an empty network with a
loopback device that answers for 192.0.2.0/24, 198.51.100.0/24 and
2001:db8::/32, an /etc/passwd with the accounts of USERS, a /home with their
homes, an empty /run, and a /dev of their own with the few devices that a
program needs.  Nothing of it is
seen by the rest of the machine, and it goes away with the process.
"""
import ctypes
import os
import signal
import subprocess
import tempfile

NEWNS, NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_PDEATHSIG = 1

# name: (uid, shell); the group has the same number
USERS = {
    '_postern': (20100, '/usr/sbin/nologin'),
    '_postern-deliver': (20101, '/usr/sbin/nologin'),
    '_postern-queue': (20102, '/usr/sbin/nologin'),
    '_postern-tls': (20103, '/usr/sbin/nologin'),
    '_postern-command': (20104, '/usr/sbin/nologin'),
    'alice': (20001, '/bin/sh'),
    'bob': (20002, '/bin/sh'),
    'carol': (20003, '/bin/sh'),
    'daemonish': (20004, '/usr/sbin/nologin'),
    # of another mail system, for tests/lib/world.py
    'postfix': (20025, '/usr/sbin/nologin'),
    'postdrop': (20026, '/usr/sbin/nologin'),
}

MEMBERS = {'_postern': '_postern-queue'}

_libc = ctypes.CDLL(None, use_errno=True)
_done = None


def _check(rc, what):
    if rc != 0:
        e = ctypes.get_errno()
        raise OSError(e, '%s: %s' % (what, os.strerror(e)))


def _mount(source, target, flags, kind=None):
    _check(_libc.mount(source.encode(), target.encode(), kind, flags, None),
           'mount ' + target)


def _overlay(etc, name, lines, directory):
    """Binds a copy of /etc/NAME, without the lines' names, over it."""
    with open(etc) as f:
        old = [s for s in f if s.split(':')[0] not in USERS]
    path = os.path.join(directory, name)
    with open(path, 'w') as f:
        f.writelines(old + lines)
    os.chmod(path, 0o644)
    _mount(path, etc, MS_BIND)


def _accounts(directory):
    _mount('none', '/home', 0, b'tmpfs')
    os.chmod('/home', 0o755)
    for name, (uid, _) in USERS.items():
        os.mkdir('/home/' + name, 0o755)
        os.chown('/home/' + name, uid, uid)
    passwd = ['%s:x:%d:%d::/home/%s:%s\n' % (n, u, u, n, sh)
              for n, (u, sh) in USERS.items()]
    group = ['%s:x:%d:%s\n' % (n, u, MEMBERS.get(n, ''))
             for n, (u, _) in USERS.items()]
    _overlay('/etc/passwd', 'passwd', passwd, directory)
    _overlay('/etc/group', 'group', group, directory)


def _devices():
    """A new /dev in which a test may put a log socket of its own."""
    keep = ['null', 'zero', 'full', 'random', 'urandom', 'tty',
            'fd', 'stdin', 'stdout', 'stderr', 'shm']
    fresh = tempfile.mkdtemp(prefix='postern-dev-')
    _mount('none', fresh, 0, b'tmpfs')
    os.chmod(fresh, 0o755)
    for name in keep:
        old, new = '/dev/' + name, os.path.join(fresh, name)
        if os.path.islink(old):
            os.symlink(os.readlink(old), new)
        elif os.path.isdir(old):
            os.mkdir(new)
            _mount(old, new, MS_BIND)
        elif os.path.exists(old):
            open(new, 'w').close()
            _mount(old, new, MS_BIND)
    _mount(fresh, '/dev', MS_BIND | MS_REC)
    _check(_libc.umount2(fresh.encode(), 2), 'umount ' + fresh)
    os.rmdir(fresh)


def _network():
    for command in ('link set lo up',
                    'route add local 192.0.2.0/24 dev lo',
                    'route add local 198.51.100.0/24 dev lo',
                    '-6 route add local 2001:db8::/32 dev lo'):
        subprocess.run(['ip'] + command.split(), check=True)


def _root_is_a_mount():
    """Not so in a plain chroot, where mounts cannot be kept private."""
    with open('/proc/self/mountinfo') as f:
        return any(line.split()[4] == '/' for line in f)


def isolate(directory, devices=True):
    """True when done (a second time it only tells); False as an ordinary
    user, or where the machine does not allow it.  devices: a /dev of our
    own."""
    global _done
    if _done is not None:
        return _done
    _done = False
    if os.geteuid() != 0 or not _root_is_a_mount():
        return False
    try:
        _check(_libc.unshare(NEWNS | NEWNET), 'unshare')
    except OSError:
        return False
    _mount('none', '/', MS_REC | MS_PRIVATE)
    _accounts(directory)
    _mount('none', '/run', 0, b'tmpfs')
    if devices:
        _devices()
    _network()
    _done = True
    return True


def isolated():
    return bool(_done)


def homes(directory):
    """From here on /home is that directory, if it is ours alone."""
    if _done:
        _mount(directory, '/home', MS_BIND)


def die_with_parent():
    """This process does not outlive the one that forked it."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), 'prctl')
