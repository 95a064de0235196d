#!/usr/bin/python3
"""A session of smtpd whose parser was taken over, in the real walls of a real
listener, with deliver beside it.  It can make a file of its own in the spool,
talk to its client and to deliver, and do nothing else; what is left to it where
the kernel has no Landlock is shown as what it is.  With both C libraries."""
import errno
import os
import signal
import stat
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import conquered
import postern
import tap
from conquered import (CREATE_RULESET, CWD, DELIVER, DONE, KILLED, NEW, OTHERS,
                       PARENT, RESTRICT_SELF, SPOOL, World, numbers, without)
from postern import Postern, until
from request import Deliver, record

t = tap.Tap()


# --- what it is for ----------------------------------------------------------

def own_file(w):
    c = w.conquer()
    fd = c.create('tmine', b'Subject: x\n')
    text = bytearray(11)
    c.must('lseek', fd, 0, os.SEEK_SET)
    assert c.must('read', fd, text, 11) == 11 and text == b'Subject: x\n'
    assert c.must('pwrite64', fd, b's', 1, 0) == 1
    c.must('fsync', fd)
    path = w.p.path('spool', 'queue', 'tmine')
    st = os.stat(path)
    assert st.st_uid == w.p.uid('_postern')
    assert stat.S_IMODE(st.st_mode) == 0o660, oct(st.st_mode)
    c.must('unlinkat', SPOOL, 'tmine', 0)
    assert not os.path.exists(path)
    # neither runs as somebody else nor is anybody else's to run
    c.must('openat', SPOOL, 'tsetid', NEW, 0o6777)
    path = w.p.path('spool', 'queue', 'tsetid')
    assert os.stat(path).st_mode & 0o007 == 0
    c.must('unlinkat', SPOOL, 'tsetid', 0)
    c.must('close', fd)
    c.close()


def letters(w):
    """deliver answers it as it does every session."""
    c = w.conquer()
    assert c.send(record('U', '0')) > 0 and c.receive() == b'uroot\0'
    c.send(record('L', '0', 'alice', 'here.example', 'a@b'))
    assert c.receive().startswith(b'lD\0')
    content = b'Subject: forged\n\nx\n'
    fd = c.create('tmail', content)
    c.must('unlinkat', SPOOL, 'tmail', 0)
    c.send(record('R', '0', 'alice', 'here.example', 'alice@here.example'))
    c.send(record('S', '0', str(len(content)), 'a@b'), fd)
    assert c.receive().startswith(b'sD\0'), 'as any mail'
    message, = w.p.take()
    assert message.endswith(content)
    c.close()


def numbers_open(w):
    """Only what a session needs is open, seen from inside."""
    c = w.conquer()
    # what a session is not asked about is POLLNVAL, 32
    polled = bytearray(b''.join(struct.pack('=ihh', n, 0, 0)
                                for n in range(1024)))
    c.must('poll', polled, 1024, 0)
    there = [n for n, events, revents in struct.iter_unpack('=ihh', polled)
             if revents & 32 == 0]
    assert there == [0, 1, 2, SPOOL, DELIVER], there
    c.close()


def status(pid):
    with open('/proc/%d/status' % pid) as f:
        return dict(s.rstrip('\n').split(':\t', 1) for s in f if ':\t' in s)


def state(w):
    """What the kernel says of the process that hears a stranger."""
    if os.geteuid() != 0:
        raise tap.Skip('needs root to look into a locked-in process')
    before = set(w.p.sessions())
    c = w.conquer()
    pid, = until(lambda: set(w.p.sessions()) - before)
    s = status(pid)
    if w.p.multi:
        uid = '\t'.join([str(w.p.uid('_postern'))] * 4)
        assert s['Uid'] == s['Gid'] == uid and not s['Groups'].strip(), s
    for caps in 'CapInh', 'CapPrm', 'CapEff', 'CapAmb':
        assert int(s[caps], 16) == 0 or not w.p.multi, (caps, s[caps])
    assert s['NoNewPrivs'] == '1' and s['Seccomp'] == '2', s
    with open('/proc/%d/limits' % pid) as f:
        limits = {s[:26].strip(): s[26:].split()[:2] for s in f}
    assert limits['Max core file size'] == ['0', '0'], limits
    assert limits['Max processes'] == ['0', '0'], limits
    assert limits['Max address space'] == [str(32 << 20)] * 2, limits
    c.close()


# --- calls that end the session ----------------------------------------------

# With no arguments, or none that matter: whatever they would be.
FORBIDDEN = '''
 fork vfork clone clone3 execve execveat ptrace kill tkill tgkill
 pidfd_open pidfd_getfd pidfd_send_signal process_vm_readv process_vm_writev
 process_madvise kcmp wait4 waitid
 socket bind listen accept accept4 connect sendto recvfrom sendmmsg
 recvmmsg setsockopt getsockopt getsockname getpeername
 dup dup2 dup3 fcntl pipe pipe2 eventfd2 epoll_create1 epoll_ctl signalfd4
 timerfd_create inotify_init1 fanotify_init memfd_create memfd_secret
 ftruncate splice tee vmsplice sendfile copy_file_range pread64 preadv pwritev
 mprotect pkey_mprotect mremap msync mlock shmget shmat semget msgget mq_open
 userfaultfd io_uring_setup io_uring_enter io_uring_register io_setup
 bpf perf_event_open keyctl add_key request_key
 unshare setns mount umount2 pivot_root chroot move_mount open_tree fsopen
 open_by_handle_at name_to_handle_at
 chdir fchdir getcwd mkdir mkdirat rmdir unlink rename renameat link symlink
 symlinkat mknod mknodat creat truncate getdents getdents64
 readlink readlinkat access faccessat faccessat2 openat2 statfs
 stat lstat fchmodat2 cachestat
 chmod fchmod fchmodat chown fchown lchown fchownat utimensat umask
 setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr flistxattr
 removexattr fallocate flock
 prctl arch_prctl seccomp landlock_create_ruleset landlock_add_rule
 landlock_restrict_self personality prlimit64 setrlimit getrlimit getrusage
 setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid
 setgroups capset capget setsid setpgid setpriority sched_setaffinity
 sched_setscheduler ioprio_set
 rt_sigaction sigaltstack setitimer alarm timer_create pause
 reboot sethostname setdomainname settimeofday clock_settime adjtimex
 init_module finit_module delete_module kexec_load syslog acct swapon quotactl
 iopl ioperm modify_ldt ustat uselib vhangup lookup_dcookie nanosleep
 clock_nanosleep uname getuid getppid times sysinfo
'''.split()


def bare(w, c, name):
    return c.call(name)


def of_another(w, c, call, *args):
    """... of the parent, of another session, of a bystander."""
    return c.call(call, *args)


def forbidden(w):
    there = [n for n in FORBIDDEN if n in numbers()]
    assert len(there) > 120, len(there)
    for name in there:
        assert w.tell(bare, name) == KILLED, name
    w.unharmed()


def processes(w):
    """Neither its parent nor another session, nor anybody of its user."""
    pids = [w.p.listener.pid, w.bystander.pid, w.deliver.proc.pid] + \
        w.deliver.children(w.p.listener.pid)
    for pid in pids + [-1, 0]:
        for name, args in (
                ('kill', (pid, signal.SIGKILL)), ('kill', (pid, 0)),
                ('tgkill', (pid, pid, signal.SIGKILL)),
                ('ptrace', (0x4206, pid, 0, 0)),
                ('process_vm_readv', (pid, b'', 1, b'', 1, 0)),
                ('prlimit64', (pid, 7, 0, b'\0' * 16)),
                ('pidfd_open', (pid, 0)),
                ('openat', (CWD, '/proc/%d/mem' % pid, os.O_RDWR))):
            got = w.tell(of_another, name, *args)
            assert got == ('EACCES' if name == 'openat' else KILLED), name
    w.unharmed()


def machine(w, c, letter, number, *args):
    return c.call(number, *args, letter=letter)


def other_gates(w):
    """The calls of i386 and x32."""
    if os.uname().machine != 'x86_64':
        raise tap.Skip('they are of x86_64')
    assert w.tell(machine, 'I', 20) == KILLED           # getpid
    assert w.tell(machine, 'I', 11, b'/bin/sh\0') == KILLED  # execve
    assert w.tell(machine, 'C', 0x40000000 + 39) == KILLED
    assert w.tell(machine, 'C', 0x40000000 + 520) == KILLED  # execve
    w.unharmed()


# (title, call, arguments) with %s for the outside; what comes of it with
# Landlock, and without.
PATHS = (
    ('open by path', 'openat', (CWD, '/etc/passwd', 0), 'EACCES', None),
    ('open outside', 'openat', (CWD, '%s/secret', os.O_RDWR), 'EACCES', None),
    ('stat', 'newfstatat', (CWD, '/etc/shadow', b' ' * 256, 0), 'EACCES',
     None),
    ('statx', 'statx', (CWD, '/etc/shadow', 0, 4095, b' ' * 256), 'ENOSYS',
     None),
    ("another's file", 'openat', (SPOOL, OTHERS, os.O_RDWR), KILLED, None),
    ("another's file, O_PATH", 'openat', (SPOOL, OTHERS, os.O_PATH), KILLED,
     None),
    ("another's file, O_PATH and created", 'openat',
     (SPOOL, OTHERS, os.O_PATH | NEW), KILLED, None),
    ("another's file, created", 'openat', (SPOOL, OTHERS, NEW, 0o600),
     'EEXIST', None),
    ("another's file, not exclusive", 'openat',
     (SPOOL, OTHERS, os.O_RDWR | os.O_CREAT, 0o600), KILLED, None),
    ("another's file, emptied", 'openat',
     (SPOOL, OTHERS, os.O_RDWR | os.O_TRUNC), KILLED, None),
    ('O_TMPFILE', 'openat', (SPOOL, '.', os.O_TMPFILE | os.O_RDWR, 0o600),
     KILLED, None),
    ('O_TMPFILE outside', 'openat',
     (SPOOL, '%s', os.O_TMPFILE | NEW, 0o600), KILLED, None),
    ('the spool as a file', 'openat', (SPOOL, '.', os.O_RDONLY), KILLED,
     None),
    ('the spool, listed', 'getdents64', (SPOOL, b' ' * 1024, 1024), KILLED,
     None),
    ('its descriptors', 'openat', (SPOOL, '/proc/self/fd/10', 0), KILLED,
     None),
    ('its descriptors, created', 'openat', (SPOOL, '/proc/self/fd/10', NEW),
     'EEXIST', None),
    ('its memory', 'openat', (SPOOL, '/proc/self/mem', NEW), 'EEXIST', None),
    ('an absolute path and the spool', 'openat', (SPOOL, '%s/secret', 0),
     KILLED, None),
    ('an absolute path, created', 'openat', (SPOOL, '%s/secret', NEW),
     'EEXIST', None),
    ('a new file elsewhere', 'openat', (SPOOL, '%s/new', NEW, 0o666),
     'EACCES', DONE),
    ('a new file by ..', 'openat',
     (SPOOL, '../../outside/new', NEW, 0o666), 'EACCES', DONE),
    ('a new file above the spool', 'openat', (SPOOL, '../new', NEW, 0o666),
     'EACCES', DONE),
    ('link elsewhere', 'linkat', (SPOOL, OTHERS, SPOOL, '%s/new', 0),
     'EACCES|EXDEV', DONE),
    ('link of a file elsewhere', 'linkat',
     (SPOOL, '%s/secret', SPOOL, 'tstolen', 0), 'EACCES|EXDEV', DONE),
    ('link by descriptor', 'linkat',
     (SPOOL, '/proc/self/fd/2', SPOOL, 'tstolen', os.O_NOFOLLOW), KILLED,
     None),
    ('link of an empty path', 'linkat', (SPOOL, '', SPOOL, 'tx', 0x1000),
     KILLED, None),
    ('rename elsewhere', 'renameat2', (SPOOL, OTHERS, SPOOL, '%s/new', 1),
     'EACCES|EXDEV', DONE),
    ('rename over a file', 'renameat2', (SPOOL, OTHERS, SPOOL, 'tx', 0),
     KILLED, None),
    ('exchange', 'renameat2', (SPOOL, OTHERS, SPOOL, 'tx', 2), KILLED, None),
    ('whiteout', 'renameat2', (SPOOL, OTHERS, SPOOL, 'tx', 4), KILLED, None),
    ('rename to the spool', 'renameat2',
     (SPOOL, '%s/secret', SPOOL, 'tstolen', 1), 'EACCES|EXDEV', DONE),
    ('unlink elsewhere', 'unlinkat', (SPOOL, '%s/secret', 0), 'EACCES',
     DONE),
    ('unlink by ..', 'unlinkat', (SPOOL, '../../outside/secret', 0),
     'EACCES', DONE),
    ('rmdir elsewhere', 'unlinkat', (SPOOL, '%s', 0x200), KILLED, None),
    ('empty a file elsewhere', 'truncate', ('%s/secret', 0), KILLED, None),
)


def step(w, c, call, args):
    """One of PATHS."""
    return c.call(call, *(a.replace('%s', w.p.path('outside'))
                          if isinstance(a, str) else a for a in args))


def restore(w):
    """After an attack that was let through."""
    queue, outside = w.p.path('spool', 'queue'), w.p.path('outside')
    for directory, keep in (queue, OTHERS), (outside, 'secret'):
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if name == keep:
                continue
            with open(path) as f:
                text = f.read()
            if text == 'secret\n' and not os.path.exists(w.secret):
                os.rename(path, w.secret)
            elif text.startswith('mail') and OTHERS not in os.listdir(queue):
                os.rename(path, os.path.join(queue, OTHERS))
            else:
                os.unlink(path)
    above = w.p.path('spool', 'new')
    if os.path.exists(above):
        os.unlink(above)
    if not os.path.exists(w.secret):
        w.p.write('outside/secret', 'secret\n')
        w.p.own(w.secret, '_postern')


def paths(w):
    """Files that it did not make: neither opened nor changed nor seen."""
    for title, call, args, walled, open_ in PATHS:
        if call not in numbers():
            continue
        want = walled if w.landlock or not open_ else open_
        got = w.tell(step, call, args)
        assert got in want.split('|'), '%s: %s, not %s' % (title, got, want)
        if got == DONE:
            restore(w)
    w.unharmed()


def what_is_left(w):
    """The limits that the design names: a name that is known lets go of a
    file in the spool, a path tells whether it exists."""
    mine = w.other.create('tknown', b'x')
    assert w.tell(step, 'unlinkat', (SPOOL, 'tknown', 0)) == DONE
    text = bytearray(4)
    w.other.must('lseek', mine, 0, 0)
    assert w.other.must('read', mine, text, 4) == 1, 'its owner has it yet'
    w.other.must('close', mine)
    there = w.tell(step, 'openat', (SPOOL, '/etc/passwd', NEW))
    absent = w.tell(step, 'openat', (SPOOL, '/etc/no-such-file', NEW))
    assert (there, absent) == ('EEXIST', 'EACCES')
    w.unharmed()


# --- memory, descriptors, deliver --------------------------------------------

def memory(w):
    READ, WRITE, EXEC = 1, 2, 4
    SHARED, PRIVATE, FIXED, ANON = 1, 2, 16, 32
    c = w.conquer()
    assert c.call('mmap', 0, 4096, READ | WRITE, PRIVATE | ANON, -1, 0) > 0
    assert c.call('mmap', 0, 64 << 20, READ | WRITE, PRIVATE | ANON, -1,
                  0) == -errno.ENOMEM
    c.close()
    for prot, flags, fd in ((READ | EXEC, PRIVATE | ANON, -1),
                            (WRITE | EXEC, PRIVATE | ANON, -1),
                            (EXEC, PRIVATE, 0), (READ, PRIVATE, SPOOL),
                            (READ, SHARED, 2), (READ | WRITE, SHARED | ANON,
                                                -1),
                            (READ, PRIVATE | ANON | FIXED, -1),
                            (READ | 1 << 33, PRIVATE | ANON, -1)):
        args = (0, 4096, prot, flags, fd, 0)
        assert w.tell(of_another, 'mmap', *args) == KILLED, args
    for advice in 3, 8, 14, 21:     # all but DONTNEED
        assert w.tell(of_another, 'madvise', 0, 4096, advice) == KILLED
    w.unharmed()


def sends(w, c, to, octets, *fds):
    return c.send(octets, *fds, to=to)


def log(w):
    """It can add to the log, and not take away from it."""
    with open(w.p.log, 'rb') as f:
        before = f.read()
    c = w.conquer()
    c.call('lseek', 2, 0, os.SEEK_SET)
    line = b'event=forged\n'
    assert c.must('write', 2, line, len(line)) == len(line)
    assert c.must('pwrite64', 2, line, len(line), 0) == len(line)
    c.close()
    assert w.tell(of_another, 'ftruncate', 2, 0) == KILLED
    with open(w.p.log, 'rb') as f:
        assert f.read().startswith(before + line + line)
    w.unharmed()


def descriptors(w):
    """They go to deliver, as far as it takes them, and nowhere else."""
    for to in 0, 1, 2, SPOOL:
        assert w.tell(sends, to, b'x', 0) == KILLED, to
        assert w.tell(sends, to, b'x') == KILLED, to
        assert w.tell(of_another, 'recvmsg', to, b'\0' * 56, 0) == KILLED
    assert w.tell(sends, PARENT, b'x', SPOOL) == 'EBADF'
    recipient = record('R', '0', 'alice', 'here.example', 'alice@here.example')
    log_size = os.stat(w.p.log).st_size
    for name, fd, size in (('the spool', SPOOL, 0), ('its client', 0, 0),
                           ('the log', 2, log_size),
                           ('deliver itself', DELIVER, 0)):
        c = w.conquer()
        c.send(recipient)
        c.send(record('S', '0', str(size), ''), fd)
        assert c.receive() in (b'', -errno.ECONNRESET), name
        c.close()
    assert w.p.take() == []
    w.unharmed()


# --- kernels -----------------------------------------------------------------

def told(w):
    """smtpd, and deliver, which has the kernel's Landlock in any case."""
    lines = [s for s in w.p.logged().splitlines()
             if 'event=sandbox' in s and 'landlock=' in s]
    line = lines[-1]
    assert ('landlock=0' in line) != w.landlock, line
    warning = '<4>' in line and 'by their names alone' in line
    assert warning != w.landlock, line


def ends(p, program, name, pretend):
    """The exit code of a listener in such a kernel."""
    return p.popen([program, '-C', p.conf, '-l', 'unix:' + p.path('run', name)],
                   preexec_fn=pretend).wait(20)


def refuses(build):
    """An error of Landlock that is there, or of seccomp: closed."""
    postern.BUILD = build
    p = Postern()
    Deliver(p)
    pretend = without(CREATE_RULESET, errno.EPERM, nonzero=True)
    assert ends(p, p.smtpd, 'smtp', pretend) == 73, p.logged()
    assert ends(p, p.deliver, 'another', pretend) == 71, p.logged()
    for number in RESTRICT_SELF, numbers()['seccomp']:
        pretend = without(number, errno.EPERM)
        assert ends(p, p.deliver, 'another', pretend) == 71, p.logged()
        p.start(preexec_fn=pretend)
        c = p.client()
        code, lines = c.reply()
        assert code == 421 and lines[0].startswith('4.3.0'), (code, lines)
        assert c.at_end()
        p.listener.kill()
        p.listener.wait()
    p.clean()


TESTS = (
    (told, 'the log says which walls stand'),
    (own_file, 'a file of its own in the spool'),
    (letters, 'deliver answers it as any session'),
    (numbers_open, 'nothing is open but what it needs'),
    (state, 'no right, no process, no core, little memory'),
    (forbidden, 'calls that end it'),
    (processes, 'no other process'),
    (other_gates, 'no other gate to the kernel'),
    (paths, 'no file that it did not make'),
    (what_is_left, 'what is left to it'),
    (memory, 'no code, no memory of others'),
    (log, 'the log stays as it is'),
    (descriptors, 'its descriptors reach nobody'),
)

if struct.calcsize('P') != 8:
    tap.skip_all('its orders are for 64 bits')
builds = conquered.build()
for libc in 'glibc', 'musl':
    if libc not in builds:
        t.skip('a conquered smtpd, ' + libc, 'no musl-gcc')
        continue
    for landlock in True, False:
        w = World(builds[libc], landlock)
        where = '%s, %s Landlock: ' % (libc, 'with' if landlock else 'without')
        for test, about in TESTS:
            t.run(where + about, test, w)
        w.close()
    t.run(libc + ': a wall that cannot be built, no service', refuses,
          builds[libc])
t.done()
