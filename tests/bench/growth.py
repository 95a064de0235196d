"""The cases of make bench-growth: how it goes on with more clients, larger
messages, more recipients, fuller mailboxes."""
import os

from case import Case, Row
from cases import ALL
from load import Load
from servers import UID

KB = 1024
MUCH = 128 << 20        # bytes of one sample
PER_INODE = 60000       # ext4 allows 65000 links
MARK = 'old.'           # names of messages that were there before

ROWS = (Row('rate', '', '/s', more=True),
        Row('cpu', 'CPU', ' ms'),
        Row('source', '', ' %', compared=False))


def many(what):
    return lambda n: '%d %s%s' % (n, what, '' if n == 1 else 's')


def octets(n):
    return '%d MiB' % (n >> 20) if n >= 1 << 20 else '%d KiB' % (n >> 10)


def clients(server, scale, point):
    user = server.fresh()
    load = Load(sessions=point, messages=max(300, 2 * point))
    return load.sample(server, scale, user, [user])


def size(server, scale, point):
    user = server.fresh()
    load = Load(sessions=4, size=point,
                messages=max(4, min(400, MUCH // point)))
    return load.sample(server, scale, user, [user])


def names(n):
    """The recipients that smtp-source makes of the user r."""
    return ['r'] + ['%dr' % i for i in range(2, n + 1)]


def recipients(server, scale, point):
    load = Load(messages=max(2, min(200, 2000 // point)), recipients=point)
    return load.sample(server, scale, 'r', names(point))


class Full:
    """A new/ with many messages, lent to one server after the other: links to
    a few empty files, for there are not that many inodes."""

    def __init__(self):
        self.path = None

    def prepare(self, under, servers, point):
        self.path = os.path.join(under, 'full')
        os.mkdir(self.path, 0o700)
        os.chown(self.path, UID, UID)
        for i in range(point):
            name = os.path.join(self.path, '%s%d.M%dP%d.mx.here.example' % (
                MARK, 1700000000 + i, i % 1000000, i))
            if i % PER_INODE == 0:
                first = name
                os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600))
                os.chown(name, UID, UID)
            else:
                os.link(first, name)

    def sample(self, server, scale, point):
        user = server.fresh()
        new = os.path.join(server.maildir(user), 'new')
        os.rename(self.path, new)
        try:
            return Load(sessions=20, messages=600).sample(
                server, scale, user, [user])
        finally:
            os.rename(new, self.path)
            os.mkdir(new)
            self._clean()

    def _clean(self):
        with os.scandir(self.path) as files:
            late = [f.path for f in files if not f.name.startswith(MARK)]
        for path in late:
            os.unlink(path)


full = Full()
CASES = (
    Case('clients', 'more clients at once, one message each, ext4', 'ext4',
         ALL, clients, ROWS, points=(1, 10, 100, 1000), label=many('client')),
    Case('sizes', 'messages of growing size, 4 clients at once, ext4', 'ext4',
         ALL, size, ROWS, points=tuple(4 ** i * KB for i in range(8)) +
         (50 << 20,), label=octets),
    Case('recipients', 'more recipients of a message, one client, ext4; '
         'each delivery counts', 'ext4', ALL, recipients, ROWS,
         lambda point: {'users': names(point)},
         points=(1, 10, 100, 1000), label=many('recipient')),
    Case('maildir', 'into a fuller Maildir, 20 clients at once, ext4', 'ext4',
         ALL, full.sample, ROWS, points=(10, 10 ** 4, 10 ** 6),
         label=many('message'), prepare=full.prepare),
)
