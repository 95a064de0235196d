"""When messages arrive in mailboxes: the kernel tells of each (inotify), so
that nobody reads a directory again and again while a server is measured."""
import ctypes
import os
import select
import struct
import time

CREATE, MOVED_TO, OVERFLOW = 0x100, 0x80, 0x4000
STEP_S = 0.001

_libc = ctypes.CDLL(None, use_errno=True)


class Arrivals:
    """Of names in new/ of these Maildirs from now on."""

    def __init__(self, boxes):
        self.count = 0
        self.fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), 'inotify_init1')
        for box in boxes:
            new = os.path.join(box, 'new')
            if _libc.inotify_add_watch(self.fd, new.encode(),
                                       CREATE | MOVED_TO) < 0:
                raise OSError(ctypes.get_errno(), 'inotify: ' + new)

    def look(self):
        """How many came so far."""
        while True:
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                return self.count
            at = 0
            while at < len(data):
                _, mask, _, n = struct.unpack_from('iIII', data, at)
                assert not mask & OVERFLOW, 'more arrivals than can be told'
                self.count += 1
                at += 16 + n

    def close(self):
        os.close(self.fd)


def finished(process, arrivals, seconds):
    """Waits for a process while it takes note of arrivals.  Its resource
    usage, or None when it had to be killed."""
    end = time.monotonic() + seconds
    poll = select.poll()
    pidfd = os.pidfd_open(process.pid)
    poll.register(pidfd, select.POLLIN)
    while not poll.poll(50) and time.monotonic() < end:
        arrivals.look()
    ended = bool(poll.poll(0))
    os.close(pidfd)
    if not ended:
        process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage if ended else None


def wait(arrivals, n, seconds):
    """True when n have come."""
    end = time.monotonic() + seconds
    while arrivals.look() < n:
        if time.monotonic() > end:
            return False
        time.sleep(STEP_S)
    return True
