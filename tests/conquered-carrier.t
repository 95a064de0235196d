#!/usr/bin/python3
"""A carrier whose parser of replies was taken over by the server that it
called, in its real walls, in a real pass.  It can read the message at hand,
use sockets, and tell the pass what became of that message; it can do nothing
else, and whatever it tells, the rest of the queue goes its way."""
import errno
import os
import re
import shutil
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import conquered
import postern
import tap
from conquered import CWD, Conquered, Killed, numbers
from postern import Client, until
from qsite import Site
from sink import Sink

t = tap.Tap()
PROGRAM = os.path.join(postern.BUILD, 'tests/tools/conquered-carrier')
with open(os.path.join(postern.ROOT, 'sys/sandbox.h')) as header:
    # its socket to the pass
    PASS = int(re.search(r'SANDBOX_FREE_FD = (\d+)', header.read())[1])
SECRET = b'Subject: secret\n\nfor eve alone\n'
ABSTRACT = '\0postern-conquered-%d' % os.getpid()


class Carrier(Conquered):
    """Over the connection that it made."""

    def __init__(self, sock):
        self.c = Client(sock)
        self.kept = conquered.KEPT
        self.c.send(b'CONQUER\r\n')
        self.room, = struct.unpack('=Q', self.read(8))

    def refused(self, call, *args):
        """Its errno, by name."""
        r = self.call(call, *args)
        assert r < 0, '%s%r: %d' % (call, args, r)
        return errno.errorcode[-r]

    def find(self, good):
        """The first of its descriptors for which good(fd) holds."""
        return next(fd for fd in range(64) if good(fd))

    def message(self):
        """Its descriptor of the message at hand."""
        def is_it(fd):
            head = bytearray(4)
            return self.call('pread64', fd, head, 4, 0) == 4 and \
                head == b'PQ1\n'
        return self.find(is_it)


class World:
    """A queue with a message for the server that conquers, one for another
    server, and one that nobody may have now; around it what is none of a
    carrier's business, though its user could reach it."""

    def __init__(self, conf=None):
        self.p = p = Site(conf)
        shutil.copy(PROGRAM, p.queue)
        self.trap = socket.socket()
        self.trap.bind(('127.0.0.1', 0))
        self.trap.listen(5)
        self.trap.settimeout(postern.WAIT)
        self.hop = Sink()
        p.configure({
            'smarthost': self.hop.url,
            'route': 'trap.example smtp://127.0.0.1:%d'
                     % self.trap.getsockname()[1]})
        p._mkdir('outside', '_postern-queue', 0o777)
        self.secret = p.write('outside/secret', 'secret\n')
        p.own(self.secret, '_postern-queue')
        who = {}
        if p.multi:
            uid = p.uid('_postern-queue')
            who = {'user': uid, 'group': uid, 'extra_groups': []}
        self.bystander = p.popen(['sleep', '600'], **who)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(ABSTRACT)
        self.listener.listen(5)
        self.held = p.put('a@here.example', ['eve@away.example'], SECRET,
                          held=True)
        with open(os.path.join(p.queue_dir, self.held), 'rb') as f:
            self.held_octets = f.read()

    def conquer(self):
        """In the midst of a message, behind MAIL."""
        self.hop.messages.clear()
        self.mine = self.p.put(
            'a@here.example', ['x@trap.example', 'y@trap.example'])
        self.other = self.p.put('a@here.example', ['z@away.example'])
        self.run = self.p.popen([self.p.queue, '-C', self.p.conf])
        sock, _ = self.trap.accept()
        lines = sock.makefile('rb')
        for reply in b'220 trap.example', b'250 trap.example':
            sock.sendall(reply + b'\r\n')
            lines.readline()
        c = Carrier(sock)
        self.carrier = c.must('getpid')
        return c

    def ended(self, status='NN'):
        """The pass ends well; the other message arrived, the one at hand has
        these statuses (None: it is gone), nothing else has changed."""
        p = self.p
        assert until(lambda: self.run.poll() is not None), 'it hangs'
        assert self.run.returncode == 0, p.logged()[-1000:]
        assert self.hop.rcpts() == ['z@away.example'], self.hop.rcpts()
        left = [self.held] + ([self.mine] if status else [])
        assert p.files() == sorted(left), p.files()
        with open(os.path.join(p.queue_dir, self.held), 'rb') as f:
            assert f.read() == self.held_octets
        found = None
        if status:
            found = p.read(self.mine)       # whole
            assert found.status() == status, found
            os.unlink(os.path.join(p.queue_dir, self.mine))
        with open(self.secret) as f:
            assert f.read() == 'secret\n'
        assert os.listdir(p.path('outside')) == ['secret']
        assert os.listdir(p.path('spool', 'bad')) == []
        assert self.bystander.poll() is None, 'the bystander is dead'
        return found

    def close(self):
        self.listener.close()
        self.p.clean()


# --- what it is for, and what it holds --------------------------------------

def its_message(w):
    """It can read the one at hand, and not change it."""
    c = w.conquer()
    fd = c.message()
    text = bytearray(4096)
    n = c.must('pread64', fd, text, len(text), 0)
    with open(os.path.join(w.p.queue_dir, w.mine), 'rb') as f:
        assert text[:n] == f.read()
    c.must('lseek', fd, 0, os.SEEK_SET)
    assert c.refused('write', fd, b'PQ9\n', 4) == 'EBADF'
    assert c.refused('writev', fd, b'', 0) == 'EBADF'
    for call, args in (('pwrite64', (fd, b'x', 1, 0)), ('ftruncate', (fd, 0)),
                       ('fallocate', (fd, 0, 0, 100)), ('flock', (fd, 8)),
                       ('fchmod', (fd, 0o666)), ('fchown', (fd, 1, 1)),
                       ('linkat', (fd, '', CWD, w.p.path('outside', 'x'),
                                   0x1000))):
        assert c.refused(call, *args) == 'EPERM', call
    path = '/proc/self/fd/%d' % fd
    assert c.refused('openat', CWD, path, os.O_RDWR) == 'EACCES'
    c.close()
    w.ended()


def holds_nothing_else(w):
    """Descriptors: standard ones, the pass, the connection, the message."""
    c = w.conquer()
    links = {}
    for fd in os.listdir('/proc/%d/fd' % w.carrier):
        links[int(fd)] = os.readlink('/proc/%d/fd/%s' % (w.carrier, fd))
    kinds = {fd: to.split(':')[0] for fd, to in links.items() if fd > 2}
    assert links[0] == links[1] == '/dev/null', links
    # its own files and sockets only
    message = w.p.queue_dir + '/' + w.mine
    assert sorted(kinds.values()) == sorted(
        ['socket', 'socket', message]), links
    assert kinds[PASS] == 'socket', links
    c.close()
    w.ended()


def its_state(w):
    c = w.conquer()
    with open('/proc/%d/status' % w.carrier) as f:
        s = dict(x.rstrip('\n').split(':\t', 1) for x in f if ':\t' in x)
    if w.p.multi:
        uid = '\t'.join([str(w.p.uid('_postern-queue'))] * 4)
        assert s['Uid'] == uid, s['Uid']
        for caps in 'CapInh', 'CapPrm', 'CapEff', 'CapAmb':
            assert int(s[caps], 16) == 0, (caps, s[caps])
    assert s['NoNewPrivs'] == '1' and s['Seccomp'] == '2', s
    with open('/proc/%d/limits' % w.carrier) as f:
        core, = [x.split() for x in f if x.startswith('Max core file size')]
    assert core[4:6] == ['0', '0'], core
    c.close()
    w.ended()


# --- what it would like -----------------------------------------------------

# Whatever their arguments would be.
FORBIDDEN = '''
 fork vfork execve execveat ptrace kill tkill tgkill
 pidfd_open pidfd_getfd pidfd_send_signal process_vm_readv process_vm_writev
 process_madvise kcmp wait4 waitid listen accept accept4
 dup dup2 dup3 pipe inotify_init1 fanotify_init memfd_create memfd_secret
 ftruncate splice tee vmsplice sendfile copy_file_range preadv pwrite64 pwritev
 pkey_mprotect mlock shmget shmat semget msgget mq_open
 userfaultfd io_uring_setup io_uring_enter io_uring_register io_setup
 bpf perf_event_open keyctl add_key request_key
 unshare setns mount umount2 pivot_root chroot move_mount open_tree fsopen
 open_by_handle_at name_to_handle_at
 chdir fchdir getcwd mkdir mkdirat rmdir unlink unlinkat rename renameat
 renameat2 link linkat symlink symlinkat mknod mknodat creat truncate
 getdents getdents64 faccessat faccessat2 openat2 statfs fstatfs
 chmod fchmod fchmodat chown fchown lchown fchownat utimensat umask
 setxattr fsetxattr getxattr listxattr removexattr fallocate flock
 fsync fdatasync sync_file_range
 arch_prctl seccomp landlock_create_ruleset landlock_add_rule
 landlock_restrict_self personality prlimit64 setrlimit
 setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid
 setgroups capset capget setsid setpgid setpriority sched_setaffinity
 sched_setscheduler setitimer timer_create
 reboot sethostname setdomainname settimeofday clock_settime adjtimex
 init_module finit_module delete_module kexec_load syslog acct swapon quotactl
 iopl ioperm modify_ldt
'''.split()


def forbidden(w):
    c = w.conquer()
    there = [n for n in FORBIDDEN if n in numbers()]
    assert len(there) > 120, len(there)
    for name in there:
        assert c.refused(name) == 'EPERM', name
    c.close()
    w.ended()


def files(w):
    """By whatever name, and whoever they belong to."""
    c = w.conquer()
    held = os.path.join(w.p.queue_dir, w.held)
    for path in (held, w.p.queue_dir, w.secret, '/etc/passwd', '/etc/shadow',
                 w.p.conf, '/proc/self/mem', '/proc/self/environ',
                 '/proc/%d/mem' % w.run.pid, '/dev/null',
                 '/proc/%d/fd/0' % w.run.pid):
        for flags in os.O_RDONLY, os.O_RDWR, os.O_PATH:
            got = c.refused('openat', CWD, path, flags)
            assert got == 'EACCES', (path, flags, got)
    new = os.O_RDWR | os.O_CREAT
    for path in w.p.queue_dir + '/q1new', w.p.path('outside', 'new'), '/tmp/x':
        assert c.refused('openat', CWD, path, new, 0o600) == 'EACCES', path
    tmp = os.O_TMPFILE | os.O_RDWR
    assert c.refused('openat', CWD, '/tmp', tmp, 0o600) == 'EACCES'
    c.close()
    w.ended()


def processes(w):
    """The pass, a bystander of the same user, everybody."""
    c = w.conquer()
    for pid in w.run.pid, w.bystander.pid, -1, 0:
        for call, args in (('kill', (pid, signal.SIGKILL)),
                           ('tgkill', (pid, pid, signal.SIGKILL)),
                           ('ptrace', (0x4206, pid, 0, 0)),
                           ('process_vm_readv', (pid, b'', 1, b'', 1, 0)),
                           ('pidfd_open', (pid, 0))):
            assert c.refused(call, *args) == 'EPERM', call
    # what is no thread; and it dies with its pass
    assert c.refused('clone', signal.SIGCHLD, 0, 0, 0, 0) == 'EPERM'
    assert c.refused('clone3', b'\0' * 88, 88) == 'ENOSYS'
    assert c.refused('prctl', 1, 0) == 'EPERM'      # PR_SET_PDEATHSIG
    assert c.refused('prctl', 4, 1) == 'EPERM'      # PR_SET_DUMPABLE
    c.close()
    w.ended()


def memory(w):
    READ, WRITE, EXEC, PRIVATE, ANON = 1, 2, 4, 2, 32
    c = w.conquer()
    at = c.must('mmap', 0, 4096, READ | WRITE, PRIVATE | ANON, -1, 0)
    fd = c.message()
    for prot, flags, f in ((READ | EXEC, PRIVATE | ANON, -1),
                           (WRITE | EXEC, PRIVATE | ANON, -1),
                           (READ | EXEC, PRIVATE, fd)):
        assert c.refused('mmap', 0, 4096, prot, flags, f, 0) == 'EPERM'
    assert c.refused('mprotect', at, 4096, READ | EXEC) == 'EPERM'
    # its message is not written by way of memory
    assert c.refused('mmap', 0, 4096, READ | WRITE, 1, fd, 0) == 'EACCES'
    c.close()
    w.ended()


def address(family, where):
    if family == socket.AF_UNIX:
        return struct.pack('=H', family) + where.encode()
    return struct.pack('=H', family) + struct.pack('!H4s8x', *where)


def sockets(w):
    """Strangers, as a carrier must; no server, no raw packets."""
    c = w.conquer()
    stream, unix, inet = socket.SOCK_STREAM, socket.AF_UNIX, socket.AF_INET
    for family in 10, 2, 1:
        c.must('close', c.must('socket', family, stream, 0))
    for family in 16, 17, 38, 40, 44:   # netlink, packets, crypto, vsock, xdp
        for kind in 1, 2, 3:
            assert c.refused('socket', family, kind, 0) == 'EPERM', family
    assert c.refused('socket', inet, 3, 1) == 'EPERM'       # raw
    fd = c.must('socket', inet, stream, 0)
    any_port = address(inet, (0, b'\0' * 4))
    if w.abi >= 4:
        assert c.refused('bind', fd, any_port, len(any_port)) == 'EACCES'
    assert c.refused('listen', fd, 1) == 'EPERM'
    there = address(inet, (w.hop.port, bytes([127, 0, 0, 1])))
    assert c.must('connect', fd, there, len(there)) == 0
    fd = c.must('socket', unix, stream, 0)
    here = address(unix, ABSTRACT)
    if w.abi >= 6:
        assert c.refused('connect', fd, here, len(here)) == 'EPERM'
    c.close()
    w.ended()


# --- what it tells the pass -------------------------------------------------

def record(*fields):
    return fields[0].encode() + b''.join(
        (f.encode('latin1') if isinstance(f, str) else f) + b'\0'
        for f in fields[1:])


def verdict(index, letter='D', status='2.0.0', text='ok', *more):
    return record('V', str(index), letter, status, text,
                  *(more or ('hop.example', 'none')))


# (what, the records; the message's statuses then)
TOLD = (
    ('nothing', (), 'NN'),
    ('no record', (b'nonsense',), 'NN'),
    ('an empty one', (b'', ), 'NN'),
    ('a letter alone', (b'V',), 'NN'),
    ('an endless one', (b'V' + b'0\0' * 40000,), 'NN'),
    ('fields without end', (b'V' + b'0' * 500,), 'NN'),
    ('a recipient beyond', (verdict(2),), 'NN'),
    ('a recipient far beyond', (verdict(2 ** 64 - 1), verdict(2 ** 31)),
     'NN'),
    ('a negative one', (verdict('-1'),), 'NN'),
    ('no such fate', (verdict(0, 'Z'),), 'NN'),
    ('two letters', (verdict(0, 'DD'),), 'NN'),
    ('one twice', (verdict(0), verdict(0, 'N', '5.0.0')), 'DN'),
    ('the end, and more', (record('E'), verdict(0)), 'NN'),
    ('done, and a call for more, again and again',
     (record('E'), record('A'), record('A'), record('E')), 'NN'),
    ('it calls in the midst', (record('A'),), 'NN'),
    ('the hop is lost', (record('X', '5.0.0', 'nobody\nthere\x1b[0m'),), 'NN'),
    ('lies about its own message', (verdict(0), verdict(1), record('E')),
     None),
    ('lines, and more than there is room for',
     (verdict(0, 'L', '9.9.9\nF', 'a\nD\n\x1b[0m' + 'x' * 400),
      verdict(1, 'L', '4.0.0\nD\n4', '\xff' * 400)), 'NN'),
)


def told(w, records, status):
    """Nonsense is the end of whoever tells it."""
    c = w.conquer()
    try:
        for r in records:
            c.kept = conquered.KEPT
            n = c.call('sendto', PASS, c.keep(r or b'x'), len(r), 0x4000, 0, 0)
            assert n in (len(r), -errno.EMSGSIZE), n
    except (Killed, ConnectionError):
        pass
    c.close()
    found = w.ended(status)
    for r in found.rcpts if found else ():
        assert r.code == '' or r.code[0] in '245', r.code
        assert r.text.isprintable(), r.text


def lost_again(w):
    """The hop is lost but once: who goes on saying so keeps the pass
    listening to nobody else."""
    c = w.conquer()

    what = record('X', '4.4.1', 'nobody there')

    def is_dead():
        c.kept = conquered.KEPT
        try:
            c.call('sendto', PASS, c.keep(what), len(what), 0x4000, 0, 0)
        except (Killed, ConnectionError):
            return True
    dead = until(is_dead, 5)
    c.close()
    w.ended()
    assert dead, 'it is listened to for ever'


def descriptors(w):
    """What comes with a record is closed by the pass."""
    c = w.conquer()
    fd, fds = c.message(), '/proc/%d/fd' % w.run.pid
    before = sorted(os.listdir(fds))
    for i in range(2):
        assert c.send(verdict(i, 'L', '4.0.0'), fd, to=PASS) > 0
    assert until(lambda: 'NN' not in w.p.read(w.mine).status() or
                 w.p.read(w.mine).rcpts[1].code == '4.0.0')
    # settled, so one less is open
    assert set(os.listdir(fds)) <= set(before), (before, os.listdir(fds))
    c.close()
    w.ended()


# --- the rest ---------------------------------------------------------------

def landlock_abi():
    libc = conquered.ctypes.CDLL(None, use_errno=True)
    return libc.syscall(conquered.CREATE_RULESET, None, 0, 1)


def killed_with_its_pass(w):
    """A pass that dies takes it along."""
    c = w.conquer()
    w.run.kill()
    w.run.wait()
    assert until(lambda: not os.path.exists('/proc/%d' % w.carrier) or
                 'zombie' in open('/proc/%d/status' % w.carrier).read())
    try:
        c.call('getpid')
    except (Killed, ConnectionError):
        return
    raise AssertionError('it lives on')


if not os.path.exists(PROGRAM):
    conquered.build()
world = World()
world.abi = landlock_abi()
t.note('Landlock ABI %d' % world.abi)
for test in (its_message, holds_nothing_else, its_state, forbidden, files,
             processes, memory, sockets, descriptors, lost_again):
    t.run(test.__name__.replace('_', ' '), test, world)
for what, records, status in TOLD:
    t.run('it tells: ' + what, told, world, records, status)
t.run('killed with its pass', killed_with_its_pass, world)
world.close()
t.done()
