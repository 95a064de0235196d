"""Power cuts, made up from what a disk was told.

A Disk is a file system on a loop device over tests/tools/logdisk, whose log
holds every write, every flush and the marks of the test in their order.  A
workload works on it and sets a mark whenever something was promised.  Then
images are made of what a machine may find that lost its power at some point
of the log: all writes before the last flush, and of the later ones none, some
or single sectors.  Each is mounted, as after a reboot, and the workload says
what is missing.

A workload is an object with
    run(disk)           works below disk.top and calls disk.mark(text)
    check(top, marks)   yields (kind, what) for each promise that the file
                        system at top breaks; marks are the texts of those
                        that had been set before the cut
    name, note()        what it is, and what else it has seen
A workload that prepares something first marks BEGIN (again) behind that.
"""
import atexit
import bisect
import collections
import ctypes
import os
import random
import re
import shutil
import struct
import subprocess
import tempfile
import time

import box
from postern import BUILD, until

SECTOR = 512
HEAD = struct.Struct('=QI4s')           # struct record of logdisk.c
WRITE, FLUSH, MARK = b'W', b'F', b'M'
BEGIN, END = 'begin', 'end'             # marks of our own

Kind = collections.namedtuple('Kind', 'size mkfs')
KINDS = {
    # 4 KiB is what a larger one has by itself
    'ext4': Kind(128 << 20, 'mkfs.ext4 -q -F -b 4096'),
    'xfs': Kind(320 << 20, 'mkfs.xfs -q -f'),
    'btrfs': Kind(256 << 20, 'mkfs.btrfs -q -f'),
}

# What is left of the writes behind the last flush.
KEEP = 'nothing', 'some writes', 'some sectors'
# Where the power goes: right behind a promise, before a flush that was about
# to make writes last, anywhere.
PLACES = 'promise', 'flush', 'anywhere'

libc = ctypes.CDLL(None, use_errno=True)
_work = None


def _opens(path):
    try:
        os.close(os.open(path, os.O_RDWR))
        return True
    except OSError:
        return False


def _free_loop():
    """Its name; a container may lack the device itself."""
    return subprocess.run(['losetup', '-f'], capture_output=True,
                          text=True).stdout.strip() or 'a loop device'


def _kernel_has(kind):
    with open('/proc/filesystems') as f:
        if kind in f.read().split():
            return True
    return subprocess.run(['modprobe', '-q', kind],
                          stderr=subprocess.DEVNULL).returncode == 0 \
        if shutil.which('modprobe') else False


def needs(kind):
    """Why there can be no such Disk here, or None.  The first call isolates
    the process, so that nothing that is mounted outlives it; it comes before
    any Postern."""
    if os.geteuid() != 0:
        return 'needs root'
    if not _work and not _prepare():
        return 'needs a mount namespace'
    for path in '/dev/fuse', '/dev/loop-control', _free_loop():
        if not _opens(path):
            return 'needs ' + path
    if not _kernel_has('fuse') or not _kernel_has(kind):
        return 'the kernel has no %s' % kind
    tool = KINDS[kind].mkfs.split()[0]
    return None if shutil.which(tool) else 'needs ' + tool


def _prepare():
    """A directory in memory for all images and logs."""
    global _work
    assert not box.isolated(), 'too late: /dev has no loop devices any more'
    work = tempfile.mkdtemp(prefix='postern-power-')
    atexit.register(_leave, work)
    if not box.isolate(work, devices=False):
        return False
    if libc.mount(b'none', work.encode(), b'tmpfs', 0, b'mode=755') != 0:
        raise OSError(ctypes.get_errno(), 'mount tmpfs')
    _work = work
    return True


def _leave(work):
    libc.umount2(work.encode(), 2)      # in nobody's way, if still busy
    shutil.rmtree(work, ignore_errors=True)


def _mount(kind, image, top):
    """None, or what mount(8) says."""
    p = subprocess.run(['mount', '-t', kind, '-o', 'loop', image, top],
                       capture_output=True, text=True)
    return None if p.returncode == 0 else ' '.join(p.stderr.split())


def _umount(top):
    """The loop device goes with it."""
    def done():
        return libc.umount2(top.encode(), 0) == 0
    assert until(done), 'umount %s: %s' % (
        top, os.strerror(ctypes.get_errno()))


def _copy(old, new):
    """With its holes."""
    with open(old, 'rb') as f, open(new, 'wb') as g:
        size = os.fstat(f.fileno()).st_size
        os.ftruncate(g.fileno(), size)
        at = 0
        while at < size:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:     # nothing but a hole
                break
            end = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            os.lseek(g.fileno(), at, os.SEEK_SET)
            while at < end:
                at += os.sendfile(g.fileno(), f.fileno(), at, end - at)


class Disk:
    """A fresh file system, mounted at self.top."""

    def __init__(self, kind):
        self.kind = kind
        self.dir = tempfile.mkdtemp(prefix=kind + '-', dir=_work)
        os.chmod(self.dir, 0o755)
        self.top = self._mkdir('top')
        self.base = self._make()
        self.server = self.marks = None
        self.mounted = []
        atexit.register(self.abandon)
        self._serve()

    def path(self, name):
        return os.path.join(self.dir, name)

    def _mkdir(self, name):
        os.mkdir(self.path(name), 0o755)
        return self.path(name)

    def _make(self):
        made, base = self.path('made'), self.path('base')
        with open(made, 'wb') as f:
            f.truncate(KINDS[self.kind].size)
        subprocess.run(KINDS[self.kind].mkfs.split() + [made], check=True,
                       stdout=subprocess.DEVNULL)
        # mkfs writes zeroes where holes will do
        subprocess.run(['cp', '--sparse=always', made, base], check=True)
        os.unlink(made)
        return base

    def _serve(self):
        _copy(self.base, self.path('live'))
        fuse = self._mkdir('fuse')
        self.server = subprocess.Popen(
            [os.path.join(BUILD, 'tests/tools/logdisk'), fuse,
             self.path('live'), self.path('log')],
            stdout=subprocess.PIPE, text=True)
        assert self.server.stdout.readline() == 'ready\n', 'no logdisk'
        self.mounted.append(fuse)
        why = _mount(self.kind, os.path.join(fuse, 'disk'), self.top)
        assert not why, why
        self.mounted.append(self.top)
        self.marks = os.open(os.path.join(fuse, 'mark'), os.O_WRONLY)

    def mark(self, text):
        """Behind everything that is done by now.  From any thread."""
        os.write(self.marks, text.encode())

    def close(self):
        """Nobody uses it any more; the log is complete."""
        os.close(self.marks)
        while self.mounted:
            _umount(self.mounted[-1])
            self.mounted.pop()
        code = self.server.wait(20)
        assert code == 0, 'logdisk ended with %d' % code
        self.server.stdout.close()
        os.unlink(self.path('live'))

    def abandon(self):
        """Whatever state it is in."""
        while self.mounted:
            libc.umount2(self.mounted.pop().encode(), 2)
        if self.server and self.server.poll() is None:
            self.server.kill()
            self.server.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Log:
    """What the disk was told between the marks BEGIN and END, and before."""

    def __init__(self, path):
        with open(path, 'rb') as f:
            whole = memoryview(f.read())
        self.records = []       # (what, offset, data)
        at = 0
        while at < len(whole):
            offset, size, what = HEAD.unpack_from(whole, at)
            at += HEAD.size
            self.records.append((what[:1], offset, whole[at:at + size]))
            at += size
        assert at == len(whole), 'half a record'
        self.flushes = self.places(FLUSH)
        self.marks = [(i, bytes(self.records[i][2]).decode())
                      for i in self.places(MARK)]
        where = {text: i for i, text in self.marks}
        self.begin, self.end = where[BEGIN], where[END]
        self.marks = [m for m in self.marks if m[1] not in (BEGIN, END)]

    def places(self, what):
        return [i for i, r in enumerate(self.records) if r[0] == what]

    def before(self, cut):
        """The texts of the marks set before it."""
        return [text for i, text in self.marks if i < cut]

    def stable(self, cut):
        """How many of the records a flush before the cut has made last."""
        n = bisect.bisect_left(self.flushes, cut)
        return self.flushes[n - 1] if n else 0

    def within(self, places):
        return [i for i in places if self.begin < i < self.end]

    def cut(self, r, place):
        """A cut at i: the records before i happened, i itself did not."""
        if place == 'promise' and self.marks:
            return r.choice(self.marks)[0] + 1
        full = [i for i in self.within(self.flushes)
                if self.records[i - 1][0] == WRITE]
        if place == 'flush' and full:
            return r.choice(full)
        return r.randint(self.begin, self.end)

    def cost(self):
        """(flushes, writes, KiB) between BEGIN and END."""
        writes = self.within(self.places(WRITE))
        return (len(self.within(self.flushes)), len(writes),
                sum(len(self.records[i][2]) for i in writes) // 1024)


class Replay:
    """Images of a disk at one cut after the other, in rising order."""

    def __init__(self, disk, log):
        self.disk, self.log = disk, log
        self.at = 0             # records up to here are in the stable image
        self.stable = disk.path('stable')
        _copy(disk.base, self.stable)

    @staticmethod
    def _write(f, offset, data):
        f.seek(offset)
        f.write(data)

    def _advance(self, to):
        with open(self.stable, 'r+b', buffering=0) as f:
            for what, offset, data in self.log.records[self.at:to]:
                if what == WRITE:
                    self._write(f, offset, data)
        self.at = max(self.at, to)

    @staticmethod
    def _sectors(r, share, offset, data):
        """Those of one write that arrived."""
        for i in range(0, len(data), SECTOR):
            if r.random() < share:
                yield offset + i, data[i:i + SECTOR]

    def image(self, cut, keep, r):
        """(path, how many writes had not been flushed)"""
        self._advance(self.log.stable(cut))
        path = self.disk.path('image')
        _copy(self.stable, path)
        late = [rec for rec in self.log.records[self.at:cut]
                if rec[0] == WRITE]
        share = r.choice((0.1, 0.5, 0.9))
        with open(path, 'r+b', buffering=0) as f:
            for _, offset, data in late:
                if keep == 'everything' or (
                        keep == 'some writes' and r.random() < share):
                    self._write(f, offset, data)
                elif keep == 'some sectors':
                    for part in self._sectors(r, share, offset, data):
                        self._write(f, *part)
        return path, len(late)


class Result:
    """Of some cuts."""

    def __init__(self, kind, log):
        self.kind = kind
        self.cuts = 0
        self.promised = 0       # marks before each cut, all together
        self.at_stake = 0       # cuts with writes that were not flushed
        self.broken = collections.Counter()     # kind: promises
        self.cuts_broken = 0
        self.examples = []
        self.unmounted = []     # torn so that the file system gives up
        self.cost = log.cost()
        self.marks = len(log.marks)

    def add(self, where, marks, late, broken):
        self.cuts += 1
        self.promised += len(marks)
        self.at_stake += late > 0
        self.cuts_broken += bool(broken)
        for kind, what in broken:
            self.broken[kind] += 1
            if len(self.examples) < 12:
                self.examples.append('%s: %s: %s' % (where, kind, what))

    def __str__(self):
        return '%d cuts, %d with writes at stake; %d promises, broken: %s' \
            '; not mounted: %d' % (
                self.cuts, self.at_stake, self.promised,
                self.cuts_broken and '%s in %d cuts' % (
                    dict(self.broken), self.cuts_broken),
                len(self.unmounted))

    def wrong(self):
        """What is wrong, or nothing.  A torn superblock is no fault of the
        workload's, but then it is rare."""
        if self.broken:
            return '\n'.join([str(self)] + self.examples)
        if len(self.unmounted) > 2 + self.cuts // 50:
            return '\n'.join([str(self)] + self.unmounted)
        return '' if self.promised and self.at_stake else \
            'it proves nothing: %s' % self

    def each(self):
        """What one promise cost the disk."""
        return '%.2f flushes, %.1f writes, %.0f KiB' % tuple(
            n / max(1, self.marks) for n in self.cost)


def _look(disk, image, workload, marks):
    """(why it cannot be mounted, broken promises)"""
    why = _mount(disk.kind, image, disk.top)
    if why:
        return why, []
    disk.mounted.append(disk.top)
    try:
        return None, list(workload.check(disk.top, marks))
    finally:
        _umount(disk.mounted.pop())


def _keep(image, name):
    """For a look at what went wrong, with KEEP in the environment."""
    saved = os.path.join(tempfile.gettempdir(), 'postern-power-%s.img' %
                         re.sub('[^a-z0-9]+', '-', name))
    _copy(image, saved)
    return saved


def _judge(disk, log, workload, plan, seed):
    r = random.Random(seed)
    replay, result = Replay(disk, log), Result(disk.kind, log)
    for cut, keep in plan:
        marks = log.before(cut)
        image, late = replay.image(cut, keep, r)
        where = '%s cut at %d of %d, %s' % (disk.kind, cut,
                                            len(log.records), keep)
        saved = os.environ.get('KEEP') and _keep(image, where)
        why, broken = _look(disk, image, workload, marks)
        if why and keep == 'some sectors':
            result.unmounted.append('%s: %s' % (where, why))
            marks = []
        elif why:
            broken = [('unmountable', why)]
        result.add(where, marks, late, broken)
        if saved and not broken:
            os.unlink(saved)
    return result


def trial(kind, workload, cuts, seed=0):
    """The workload on a new disk, and what is left of its promises after so
    many power cuts; one more comes at the end and loses nothing."""
    disk = Disk(kind)
    try:
        disk.mark(BEGIN)
        workload.run(disk)
        disk.mark(END)
        disk.close()
        log = Log(disk.path('log'))
        r = random.Random(seed)
        plan = sorted((log.cut(r, PLACES[i // len(KEEP) % len(PLACES)]),
                       KEEP[i % len(KEEP)]) for i in range(cuts))
        plan.append((log.end, 'everything'))
        return _judge(disk, log, workload, plan, seed)
    finally:
        disk.abandon()
        atexit.unregister(disk.abandon)


def _test(t, good, workload, result, started, wanted, why):
    t.ok(good, '%s, %s: %s' % (result.kind, workload.name, wanted), why)
    t.note('%s; %.1f s' % (result, time.monotonic() - started))
    t.note('each cost %s%s' % (result.each(), workload.note()))
    for line in result.unmounted:
        t.note('not mounted: ' + line)


def kept(t, kind, workload, cuts, seed=0):
    """One test: no power cut breaks a promise."""
    started = time.monotonic()
    result = trial(kind, workload, cuts, seed)
    wrong = result.wrong()
    _test(t, not wrong, workload, result, started,
          'kept in %d power cuts' % cuts, wrong)


def broken(t, kind, workload, cuts, how, seed=0):
    """One test: the checks see promises broken this way."""
    started = time.monotonic()
    result = trial(kind, workload, cuts, seed)
    _test(t, result.broken[how] > 0, workload, result, started,
          'seen to be %s' % how, str(result))
