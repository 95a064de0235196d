"""Where servers are measured: a fresh file system for each case, in name
spaces that go away with us."""
import contextlib
import ctypes
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time

import box
import settings

IMAGE_BYTES = 4 << 30
CLONE_NEWPID, PR_SET_PDEATHSIG = 0x20000000, 1
# users of the servers, as their packages would have made them
USERS = ('postfix', 'postdrop', 'opensmtpd', 'opensmtpq', 'Debian-exim')

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def _fork():
    """Goes on in the first process of a name space of its own: whatever was
    started there ends with it, and it ends with us."""
    sys.stdout.flush()
    if _libc.unshare(CLONE_NEWPID) != 0:
        raise SystemExit('bench: no name space of its own allowed')
    child = os.fork()
    if child == 0:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # is for the child
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status = os.waitpid(child, 0)
    os._exit(abs(os.waitstatus_to_exitcode(status)))


@contextlib.contextmanager
def alone():
    """A directory in name spaces of our own."""
    if os.geteuid() != 0:
        raise SystemExit('bench: needs root, for file systems of its own')
    _fork()
    for i, name in enumerate(USERS):
        box.USERS[name] = (20110 + i, '/usr/sbin/nologin')
    with tempfile.TemporaryDirectory(prefix='postern-bench-',
                                     dir=settings.DIR) as top:
        os.chmod(top, 0o755)
        if not box.isolate(top, devices=False):
            raise SystemExit('bench: no name space of its own allowed')
        try:
            _mount(['-t', 'proc', 'proc', '/proc'])
        except subprocess.CalledProcessError:
            raise SystemExit('bench: no name space of its own allowed')
        yield top


def _mount(args):
    subprocess.run(['mount'] + args, check=True)


def _ext4(top, at):
    """A journalled ext4 in a file that takes room as it is filled."""
    image = at + '.image'
    with open(image, 'wb') as f:
        f.truncate(IMAGE_BYTES)
    subprocess.run(['mkfs.ext4', '-q', '-F', '-E',
                    'lazy_itable_init=0,lazy_journal_init=0', image],
                   check=True)
    _mount(['-o', 'loop', image, at])
    os.unlink(image)


def _tmpfs(top, at):
    _mount(['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', at])


def _unmount(at):
    """A process that was just killed may still hold it for a moment."""
    for _ in range(50):
        if subprocess.run(['umount', at], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(['umount', '-l', at], check=False)


KINDS = {'ext4': _ext4, 'tmpfs': _tmpfs}


@contextlib.contextmanager
def stage(top, kind):
    """The mount point of a new file system of this kind."""
    at = os.path.join(top, 'stage%d' % next(_numbers))
    os.mkdir(at)
    KINDS[kind](top, at)
    try:
        yield at
    finally:
        _unmount(at)
        os.rmdir(at)


def settle(at):
    """What one server left to be written is not the next one's to pay."""
    fd = os.open(at, os.O_RDONLY)
    _libc.syncfs(fd)
    os.close(fd)
