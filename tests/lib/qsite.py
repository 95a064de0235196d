"""A private installation with a queue, and files put into that queue as
mail/qfile.h says they look."""
import os
import subprocess
import time

import qfile
from postern import Postern

PASS_S = 60     # for a pass that should take a second


def value(text):
    octets = text.encode('utf-8', 'surrogateescape')
    return b'%d:%s\n' % (len(octets), octets)


def build(sender, rcpts, content=b'Subject: x\n\nx\n', **more):
    """The octets of a queue file.  rcpts: addresses, or (address, {status,
    notify, code, text, orcpt})."""
    at = more.get
    head = b'PQ1\n%015d\n%06d\n%015d\n%s\n%s\n' % (
        at('arrival', int(time.time())), at('attempts', 0), at('next', 0),
        b'H' if at('held') else b'-', b'W' if at('warned') else b'-')
    head += value(sender) + value(at('envid', '')) + value(at('ret', ''))
    head += value(at('body', '7BIT')) + value(at('flags', 's'))
    text = head + b'%05d\n' % len(rcpts)
    for r in rcpts:
        address, d = (r, {}) if isinstance(r, str) else r
        text += b'%s\n%x\n%-9s\n%-160s\n' % (
            d.get('status', 'N').encode(), d.get('notify', 0),
            d.get('code', '').encode(), d.get('text', '').encode())
        text += value(address) + value(d.get('orcpt', ''))
    text += content
    return text + end_of(text, rcpts)


def end_of(text, rcpts):
    """What never changes goes into the sum."""
    reader = qfile.QFile.__new__(qfile.QFile)
    reader.octets, reader.at, reader.fixed = text, 0, []
    reader._head()
    for _ in rcpts:
        reader._rcpt()
    reader.fixed.append(text[reader.at:])
    return b'END %020d %08x\n' % (len(text),
                                  qfile.crc32c(b''.join(reader.fixed)))


class Site(Postern):
    """hops: {domain: URL}; everything else goes to `smarthost`."""
    count = 0

    def __init__(self, conf=None, **more):
        super().__init__(dict({'dnssec': 'off'}, **(conf or {})), **more)
        self.queue_dir = self.path('spool', 'queue')

    def pass_(self, *args, code=0, **more):
        """One run of queue(8); its standard output."""
        with open(self.log, 'ab') as log:
            p = subprocess.run(
                [self.queue, '-C', self.conf, *args], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, timeout=PASS_S,
                **self.identity(), **more)
        assert p.returncode == code, 'queue %s: %d\n%s' % (
            args, p.returncode, self.logged()[-3000:])
        return p.stdout.decode()

    def put(self, sender, rcpts, *args, name=None, **more):
        """A message of the queue; its id."""
        Site.count += 1
        name = name or 'q%012d%016x' % (1700000000, Site.count)
        self.put_octets(name, build(sender, rcpts, *args, **more))
        return name

    def put_octets(self, name, octets):
        path = os.path.join(self.queue_dir, name)
        with open(path + '.new', 'wb') as f:
            f.write(octets)
        os.chmod(path + '.new', 0o660)
        if self.multi:
            os.chown(path + '.new', self.uid('_postern'),
                     self.uid('_postern'))
        else:
            self.own(path + '.new', 'alice')
        os.rename(path + '.new', path)

    def files(self):
        return sorted(os.listdir(self.queue_dir))

    def read(self, name):
        return qfile.read(os.path.join(self.queue_dir, name))

    def running(self):
        """pids of processes that execute one of our programs."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                exe = os.readlink('/proc/%s/exe' % pid)
            except OSError:
                continue
            if exe.startswith(self.dir + '/'):
                found.append(int(pid))
        return found

    def make_due(self):
        """As if every next attempt had come."""
        for name in self.files():
            with open(os.path.join(self.queue_dir, name), 'r+b') as f:
                f.seek(27)
                f.write(b'%015d' % 0)
