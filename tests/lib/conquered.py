"""A session of smtpd that somebody has taken over (tests/tools/conquered.c):
system calls of his choice, made inside the real walls; and kernels that have
fewer walls."""
import ctypes
import errno
import functools
import os
import re
import shutil
import struct
import subprocess

import box
import postern
from postern import ROOT, Closed, Postern, until
from request import Deliver

ROOM = 256 * 1024
KEPT = 128 * 1024       # from there on: what a call refers to by address
UNCHANGED = 2 ** 64 - 1

# What smtpd calls its descriptors, sys/sandbox.h.
SPOOL, DELIVER, LOG, PARENT, RULESET = range(10, 15)


class Killed(Exception):
    """The session ended instead of answering."""


def build():
    """The program and its musl twin; those that could be made."""
    env = {k: v for k, v in os.environ.items() if not k.startswith('MAKE')}
    rel = os.environ.get('B', 'build')
    make = ['make', '-s', '--no-print-directory', 'B=' + rel]
    subprocess.run(make + ['all', 'conquered'], cwd=ROOT, env=env, check=True)
    found = {'glibc': postern.BUILD}
    if shutil.which('musl-gcc'):
        subprocess.run(make + ['static', 'GOAL=all conquered'], cwd=ROOT,
                       env=env, check=True)
        found['musl'] = os.path.join(postern.BUILD, 'static')
    return found


@functools.cache
def numbers():
    """{name: number} of this machine's system calls."""
    out = subprocess.run(['gcc', '-E', '-dM', '-x', 'c', '-'], text=True,
                         input='#include <sys/syscall.h>\n', check=True,
                         stdout=subprocess.PIPE).stdout
    return {m[1]: int(m[2]) for m in re.finditer(
        r'^#define __NR_(\w+) (\d+)$', out, re.M)}


def install(p):
    """Its smtpd is the one that can be conquered."""
    shutil.copy(os.path.join(postern.BUILD, 'tests', 'tools', 'conquered'),
                p.smtpd)


class Conquered:
    """Takes over the session at the other end of a client's connection."""

    def __init__(self, client):
        self.c = client
        self.c.want('220')
        self.c.send(b'CONQUER\r\n')
        self.room, = struct.unpack('=Q', self.read(8))
        self.kept = KEPT

    def read(self, n):
        try:
            while len(self.c.input) < n:
                self.c.fill()
        except Closed:
            raise Killed()
        out, self.c.input = self.c.input[:n], self.c.input[n:]
        return out

    def order(self, letter, *args):
        args += (0,) * (7 - len(args))
        try:
            self.c.send(struct.pack('=8Q', ord(letter), *(
                a & UNCHANGED for a in args)))
        except (BrokenPipeError, ConnectionResetError):
            raise Killed()

    def write(self, offset, octets):
        self.order('W', offset, len(octets))
        self.c.send(octets)

    def fetch(self, address, n):
        self.order('R', address - self.room, n)
        return self.read(n)

    def keep(self, octets):
        """Their address, good until the next record."""
        assert self.kept + len(octets) <= ROOM
        at, self.kept = self.kept, self.kept + (len(octets) + 15) // 16 * 16
        self.write(at, octets)
        return self.room + at

    def number(self, call):
        return call if isinstance(call, int) else numbers()[call]

    def call(self, call, *args, letter='C'):
        """The result, -errno when it failed.  Numbers are passed on; text
        and octets by their address, a bytearray comes back changed."""
        at, plain, back = 0, [], []
        for a in args:
            if isinstance(a, str):
                a = a.encode() + b'\0'
            if isinstance(a, (bytes, bytearray)):
                if isinstance(a, bytearray):
                    back.append((a, at))
                self.write(at, a)
                plain.append(self.room + at)
                at += (len(a) + 15) // 16 * 16
                assert at <= KEPT
            else:
                plain.append(a)
        self.order(letter, self.number(call), *plain)
        result, = struct.unpack('=q', self.read(8))
        for a, offset in back:
            a[:] = self.fetch(self.room + offset, len(a))
        return result

    def must(self, call, *args):
        r = self.call(call, *args)
        assert r >= 0, '%s: %s' % (call, os.strerror(-r))
        return r

    def close(self):
        self.c.close()

    # what it is for

    def create(self, name, octets=b'', where=SPOOL):
        """A file of its own."""
        fd = self.must('openat', where, name,
                       os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o660)
        if octets:
            assert self.must('write', fd, octets, len(octets)) == len(octets)
        return fd

    def _message(self, octets, fds):
        """The address of a struct msghdr."""
        vector = struct.pack('=QQ', self.keep(octets), len(octets))
        control = b''
        if fds:
            data = struct.pack('=%di' % len(fds), *fds)
            control = struct.pack('=Qii', 16 + len(data), 1, 1) + data
            control += bytes(-len(control) % 8)
        return self.keep(struct.pack(
            '=QQQQQQQ', 0, 0, self.keep(vector), 1,
            self.keep(control) if control else 0, len(control), 0))

    def send(self, octets, *fds, to=DELIVER):
        self.kept = KEPT
        return self.call('sendmsg', to, self._message(octets, fds), 0)

    def receive(self, room=4096, at=DELIVER):
        """A record, or an errno."""
        poll = bytearray(struct.pack('=ihh', at, 1, 0))
        self.must('poll', poll, 1, 10000)
        self.kept = KEPT
        header = self._message(bytes(room), ())
        n = self.call('recvmsg', at, header, 0)
        if n < 0:
            return n
        vector, = struct.unpack('=Q', self.fetch(header + 16, 8))
        base, = struct.unpack('=Q', self.fetch(vector, 8))
        return self.fetch(base, n)


# --- kernels with fewer walls -----------------------------------------------

CREATE_RULESET, RESTRICT_SELF = 444, 446


def without(number, error=errno.ENOSYS, nonzero=False):
    """For popen's preexec_fn: this call fails, with `nonzero` only when its
    first argument is not zero."""
    filt = struct.pack(
        '=' + 'HBBI' * 6,
        0x20, 0, 0, 0,                  # its number
        0x15, 0, 3, number,
        0x20, 0, 0, 16,                 # its first argument
        0x15, int(nonzero), 0, 0,
        0x06, 0, 0, 0x00050000 | error,
        0x06, 0, 0, 0x7fff0000)
    libc = ctypes.CDLL(None, use_errno=True)
    text = ctypes.create_string_buffer(filt)

    def pretend():
        prog = ctypes.create_string_buffer(struct.pack(
            'HP', 6, ctypes.addressof(text)))
        libc.prctl(38, 1, 0, 0, 0)      # no new privileges
        if libc.prctl(22, 2, prog, 0, 0) != 0:
            os._exit(99)
    return pretend


# --- a place to be conquered ------------------------------------------------

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
CWD = UNCHANGED - 99        # AT_FDCWD
OTHERS = 't0123456789abcdef'
KILLED, DONE = 'killed', 'done'


class World:
    """An installation with things in it that are none of smtpd's business,
    though its user could reach them."""

    def __init__(self, build, landlock):
        postern.BUILD = build
        self.p = p = Postern({'source-limit': '1000'})
        install(p)
        self.landlock = landlock
        self.deliver = Deliver(p)
        p.start(preexec_fn=None if landlock else without(CREATE_RULESET))
        p._mkdir('outside', '_postern', 0o777)
        self.secret = p.write('outside/secret', 'secret\n')
        p.own(self.secret, '_postern')
        who = {}
        if p.multi:
            uid = box.USERS['_postern'][0]
            who = {'user': uid, 'group': uid, 'extra_groups': []}
        self.bystander = p.popen(['sleep', '600'], **who)
        self.other = self.conquer()
        self.others_fd = self.other.create(OTHERS, b'mail of another\n')
        self.killed = 0

    def conquer(self):
        return Conquered(self.p.client())

    def nkilled(self):
        return self.p.logged().count('Bad system call')

    def queue(self):
        return sorted(os.listdir(self.p.path('spool', 'queue')))

    def tell(self, attack, *args):
        """What came of attack(world, session) in a session of its own."""
        c = self.conquer()
        try:
            r = attack(self, c, *args)
        except Killed:
            self.killed += 1
            return KILLED
        finally:
            c.close()
        return DONE if r >= 0 else errno.errorcode[-r]

    def unharmed(self, counted=True):
        """Everybody else and everything else is as it was.  counted: so many
        sessions were killed as was told."""
        p = self.p
        with open(self.secret) as f:
            assert f.read() == 'secret\n'
        assert os.listdir(p.path('outside')) == ['secret']
        assert self.bystander.poll() is None, 'the bystander is dead'
        assert self.queue() == [OTHERS], self.queue()
        assert os.listdir(p.path('spool')) == ['queue']
        self.other.must('lseek', self.others_fd, 0, os.SEEK_SET)
        text = bytearray(64)
        n = self.other.must('read', self.others_fd, text, 64)
        assert text[:n] == b'mail of another\n', text
        assert p.listener.poll() is None and self.deliver.proc.poll() is None
        if counted:
            until(lambda: self.nkilled() >= self.killed)
            assert self.nkilled() == self.killed, (
                'not all of the %d died of a forbidden call' % self.killed)
        assert 'worker-died' not in p.logged(), p.logged()[-500:]
        assert p.take() == []
        c = p.client()
        c.hello()
        assert c.mail()[0] == 250, 'mail does not flow'
        c.quit()
        assert len(p.take()) == 1

    def close(self):
        self.other.close()
        self.p.clean()
