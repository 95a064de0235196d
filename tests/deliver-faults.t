#!/usr/bin/python3
"""Every system call of a delivery fails once, and is once the last one before
deliver is killed.  A success means that both copies are there, whole, and
their owners'; a failure that none is, unless deliver was killed: then what is
there is whole.

A filter takes an injected error for a forbidden call, so this is the sanitizer
build, which has none, and which looks for mistakes of memory on these ways.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import crash
import sanitized
import tap
from postern import Postern

t = tap.Tap()
TEXT = b'Subject: x\n\n' + b'y' * 300000 + b'\n'

# system call: the errors it is given
CALLS = {
    'openat': ('EMFILE', 'ENOSPC'), 'mkdirat': ('ENOSPC',),
    'write': ('ENOSPC', 'EDQUOT', 'EINTR'), 'pread64': ('EIO', 'EINTR'),
    'sync_file_range': ('EIO', 'ENOSYS'),
    'renameat2': ('ENOSPC', 'EDQUOT', 'EINVAL'),
    'fsync': ('EIO', 'ENOSPC'), 'setfsuid': ('EPERM',),
    'setfsgid': ('EPERM',), 'newfstatat': ('EIO',), 'close': ('EIO',),
    'sendmsg': ('ENOBUFS',), 'recvmsg': ('ENOMEM',), 'clone': ('EAGAIN',),
    'setresuid': ('EAGAIN',), 'setresgid': ('EPERM',),
    'setgroups': ('EPERM',), 'capset': ('EPERM',), 'prctl': ('EPERM',),
    'memfd_create': ('EMFILE',), 'socketpair': ('EMFILE',),
}


class Bench:
    """A private installation that one delivery at a time is tried on."""

    def __init__(self, program):
        self.p = Postern(aliases='both: alice, bob\n')
        self.program = self.p.path('deliver-asan')
        shutil.copy(program, self.program)
        self.trace = self.p.path('trace')

    def files(self):
        """(mailbox, directory, whole, owner) of all that is there."""
        found = []
        for user in 'alice', 'bob':
            for sub in 'new', 'tmp':
                path = os.path.join(self.p.mailbox(user), sub)
                if not os.path.isdir(path):
                    continue
                for name in os.listdir(path):
                    with open(os.path.join(path, name), 'rb') as f:
                        text = f.read()
                    owner = os.stat(os.path.join(path, name)).st_uid
                    found.append((user, sub, text.endswith(TEXT) and
                                  text.startswith(b'Return-Path: <a@b>\n'),
                                  owner == self.p.uid(user)))
        return found

    def clear(self):
        for user in 'alice', 'bob':
            shutil.rmtree(self.p.mailbox(user))
            self.p._mkdir('home/%s/Maildir' % user, user, 0o700)

    def run(self, call, what, k):
        """(was it injected, exit code, files, what it said)"""
        self.clear()
        r = subprocess.run(
            ['strace', '-f', '-qq', '-o', self.trace, '-e', 'trace=' + call,
             '-e', 'signal=none', '-e', 'inject=%s:%s:when=%d' % (
                 call, what, k), self.program, '-C', self.p.conf, '-f', 'a@b',
             'both'], input=TEXT, stderr=subprocess.PIPE,
            env=dict(os.environ, ASAN_OPTIONS='detect_leaks=0'))
        with open(self.trace, errors='replace') as f:
            trace = f.read()
        # a kill leaves no mark in the trace but an end before success
        injected = 'INJECTED' in trace or \
            ('KILL' in what and r.returncode != 0)
        return injected, r.returncode, self.files(), r.stderr


def verdict(what, code, files, said):
    """What is wrong, or nothing."""
    whole = sorted(f[0] for f in files if f[1] == 'new')
    if b'Sanitizer' in said or b'runtime error' in said:
        return 'a mistake of memory'
    if not all(f[3] for f in files):
        return 'a file of the wrong owner'
    if not all(f[2] for f in files if f[1] == 'new'):
        return 'a torn message'
    if code == 0 and whole != ['alice', 'bob']:
        return 'success without the messages'
    if code != 0 and files and 'KILL' not in what:
        return 'a failure that left something'
    if len(whole) > 2:
        return 'a message twice'
    return None


benches = {}
program = None


def campaign(call, what):
    """All k until the call is not made so often."""
    bench = benches.setdefault(threading.get_ident(), None) or Bench(program)
    benches[threading.get_ident()] = bench
    runs, wrong, codes = 0, [], set()
    for k in range(1, 80):
        injected, code, files, said = bench.run(call, what, k)
        if not injected:
            break
        runs += 1
        codes.add(code)
        bad = verdict(what, code, files, said)
        if bad:
            wrong.append('%s %s when=%d: %s (exit %d, %s)\n%s' % (
                call, what, k, bad, code, files, said.decode()[-600:]))
    return call, what, runs, wrong, codes


if subprocess.run(['strace', '-V'], stdout=subprocess.DEVNULL,
                  stderr=subprocess.DEVNULL).returncode:
    tap.skip_all('no strace')
with tempfile.TemporaryDirectory() as directory:
    program = sanitized.build('deliver', directory)
    bench = Bench(program)
    injected, code, files, said = bench.run('fsync', 'error=EIO', 99)
    t.ok(not injected and code == 0 and len(files) == 2,
         'without a fault both are delivered', (code, files, said))
    if not crash.pushes_out(directory):
        del CALLS['sync_file_range']
    work = [(call, 'error=' + e) for call, errors in CALLS.items()
            for e in errors] + [(call, 'signal=KILL') for call in CALLS]
    total = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for call, what, runs, wrong, codes in pool.map(
                lambda w: campaign(*w), work):
            total += runs
            if os.geteuid() == 0 or runs:
                t.ok(runs and not wrong, '%s %s: %d runs, exit codes %s' % (
                    call, what, runs, sorted(codes)), '\n'.join(wrong[:3]))
    t.ok(total > 100, '%d faults were injected' % total)
t.done()
