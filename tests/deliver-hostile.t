#!/usr/bin/python3
"""deliver and a peer that is smtpd no longer: whatever it says it gets what
any mail could do.  After each attack nothing is left of it: no file but
messages, no process, no descriptor; and an ordinary message is delivered."""
import fcntl
import os
import select
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import sabotage
import tap
from hostile import ALICE, GOOD, USERS, Target, deaf, heard
from postern import HOST, Postern, until
from request import LOCAL, WORKERS, Deliver, Ended, record

t = tap.Tap()


# --- records -----------------------------------------------------------------

def accepted(letter, nfields, nfds, open_):
    """What mail/request.h allows.  Behind the field of M is the content,
    whatever it looks like."""
    return (letter in GOOD and (nfields == len(GOOD[letter]) or
                                letter == 'M' and nfields > 1) and
            nfds == (letter == 'S') and
            (letter in 'RSM' if open_ else letter not in 'SM'))


def every_record(w):
    """Every letter, with every number of fields and of descriptors, with and
    without recipients before it."""
    fd = w.mine()
    first = (record('R', *ALICE),)
    mail = 0

    def tell(letter, fields, nfds, open_):
        sends = ([first] if open_ else []) + [
            (record(letter, *fields), *(fd,) * nfds)]
        got, ended = w.tell(*sends)
        want = accepted(letter, len(fields), nfds, open_)
        # with R open, U is the end of the connection, too
        assert ended == (not want or letter == 'R'), (letter, fields, nfds,
                                                      open_, got)
        return letter in 'SM' and want

    for open_ in False, True:
        for letter, good in GOOD.items():
            for n in range(7):
                fields = (good + ('x',) * 7)[:n]
                for nfds in 0, 1, 2:
                    mail += tell(letter, fields, nfds, open_)
        for code in range(256):
            if chr(code) not in GOOD:
                octets = bytes([code]) + record('x', *ALICE[:3])[1:]
                assert w.tell(*([first] if open_ else []),
                              (octets,))[1], code
    os.close(fd)
    assert mail == 1 + 6
    w.unharmed(mail)


def sequences(w):
    """All orders of up to four requests."""
    fd = w.mine()
    says = {letter: (record(letter, *GOOD[letter]),) + (
        (fd,) if letter == 'S' else ()) for letter in GOOD}
    mail = 0
    for n in range(1, 5):
        for i in range(5 ** n):
            letters = ['ULRSM'[i // 5 ** k % 5] for k in range(n)]
            good, open_, stored = True, 0, 0
            for letter in letters:
                if good and accepted(letter, len(GOOD[letter]),
                                     letter == 'S', open_ > 0):
                    stored += letter in 'SM'
                    open_ = open_ + 1 if letter == 'R' else 0
                else:
                    good = False
            _, ended = w.tell(*(says[letter] for letter in letters))
            assert ended == (not good or open_ > 0), letters
            mail += stored
    os.close(fd)
    w.unharmed(mail)


def contents(w):
    """What comes without a file has its limit, and none but that."""
    first, most, mail = (record('R', *ALICE),), 64 * 1024, 0
    for sender in '', 'a@b', 'x' * 386:
        for n in 0, 1, 2048, most - 1, most, most + 1, most + 2048, 140000:
            got = w.tell(first, (record('M', sender) + b'\0' * n,))
            assert got == (('D', False) if n <= most else ('', True)), n
            mail += n <= most
            for m in w.p.take():
                assert len(m.split(b'\n', 2)[2]) == n
    for text in ('a\nb', 'x' * 387, '\x7f', 'a\rb'):
        assert w.tell(first, (record('M', text) + b'x\n',))[1], text
    for n in range(0, 256, 16):
        content = bytes(range(n, n + 16)) * 3
        assert w.tell(first, (record('M', '') + content,)) == ('D', False)
        message, = w.p.take()
        assert message.split(b'\n', 2)[2] == content
    w.unharmed()


def lengths(w):
    """Records of every odd length, and one field that never ends."""
    for n in (1, 2, 2046, 2047, 2048, 2049, 4096, 65536, 150000):
        for octets in b'\0' * n, b'x' * n, b'L' + b'x' * (n - 1), \
                record('L', '0', 'x' * (n + 64), '', 'a@b'), \
                record('U', '1' * (n + 10)), \
                record('R', '0', 'a', '', 'x' * (n + 386)):
            got, ended = w.tell((octets,))
            assert ended and not got, (n, octets[:20])
    fd = w.mine()
    for fds in (), (fd,), (fd, fd):
        got = w.tell((b'', *fds))
        assert got == ('', True), 'an empty record is the end'
    os.close(fd)
    w.unharmed()


def fields(w):
    """What no local part, domain, address or reverse-path may hold."""
    fd = w.mine()
    bad = ('\n', '\r', 'a\nb', 'x\r\nX: y', 'x' * 2000)
    for text in bad:
        for sends in ((record('L', '0', text, '', 'a@b'),),), \
                ((record('L', '0', 'a', text, 'a@b'),),), \
                ((record('R', '0', text, '', 'a'),),), \
                ((record('R', '0', 'a', text, 'a'),),), \
                ((record('R', '0', 'a', '', text),),), \
                ((record('R', *ALICE),), (record('S', '0', '2', text), fd)):
            assert w.tell(*sends)[1], (text[:20], sends)
    for text in '../x', 'a/b', '/', 'x\0', '\0', 'x' * 256, '\x7f', '\t':
        assert w.tell((record('L', '0', 'a', text, 'a@b'),))[1], text
    for number in '', '-1', '64', '+1', ' 1', '1 ', '0x1', '1e0', '9' * 30:
        assert w.tell((record('L', number, 'alice', '', 'a@b'),))[1], number
    for number in '-1', '4294967296', '1 ', '', '9' * 2000:
        assert w.tell((record('U', number),))[1], number
    os.close(fd)
    w.unharmed()


# --- names -------------------------------------------------------------------

# None of them is anybody's, or else it is root, whose mail is never root's.
NAMES = ('0', '1', '20001', '#20001', '-1', '4294967295', '~alice', '~root',
         '../alice', '/etc/passwd', 'alice/', './alice', 'alice/../bob',
         'a/b', '..', '.', '|/bin/sh', '"|/bin/sh"', ':include:/etc/passwd',
         '\\alice', '/home/alice', '%u', '%d', '%s%n', '$(id)', '`id`',
         ';id', '-f', '--', '-C/etc/passwd', '*', '@', 'alice@here.example',
         'alice,bob', 'alice bob', 'alice\t', ' alice', 'alice\x7f', '\x01',
         'alice:', 'alice:x:0:0', 'nobody', 'daemon', '_postern',
         '_postern-deliver', 'mail', 'bin', '\u202ealice', 'ALiCE\u0130',
         'x' * 64, '+', '+alice', '+@')


def names(w):
    asked = [n for n in NAMES if not (w.system and n[:8] == '_postern')]
    for flags in 0, LOCAL:
        c = w.peer()
        for name in asked:
            fate, status, _ = c.lookup(name, flags=flags)
            root = flags == LOCAL and fate == 'D'
            assert fate == 'N' and status.startswith('5.') or root, (
                name, fate, status)
            c.rcpt(name, flags=flags, address='x@here.example')
            got = c.store(b'x\n')[0][0]
            assert got == fate, (name, got)
            boxes = [u for u in USERS if w.p.take(u)]
            assert boxes == (['root'] if root else []), (name, boxes)
            assert not root or name in (
                'nobody', 'daemon', '_postern', '_postern-deliver', 'mail',
                'bin'), name
        c.close()
    w.unharmed()


def names_of_the_system(w):
    system = Target('maildir:{}/%u/Maildir', workers=1)
    names(system)
    system.p.clean()


def domains(w):
    """A domain that a mailbox is named for is one of ours."""
    p = Postern({'users': None})
    os.chmod(p._mkdir('vmail', 'alice', 0o777), 0o777)
    for name in ('here.example', HOST, 'localhost'):
        p._mkdir('vmail/' + name, 'alice', 0o755)
    p.configure({'mailbox': 'maildir:%s/%%d/%%u' % p.path('vmail')})
    d = Deliver(p)
    r = d.requests()
    for domain in ('', '.', '..', 'x', '%d', '%u', 'away.example', '~',
                   'HERE.EXAMPLE', '\\', '..\\..', 'here.example.'):
        r.rcpt('alice', domain)
        assert r.store(b'x\n')[0][0] == 'D', domain
    assert set(os.listdir(p.path('vmail'))) == {'here.example', HOST,
                                                'localhost'}
    for name in os.listdir(p.path('vmail')):
        assert set(os.listdir(p.path('vmail', name))) <= {'alice'}


def senders(w):
    """A reverse-path becomes one field of the message and nothing else."""
    c = w.peer()
    for text in ('', 'a@b', '../x', '|/bin/sh', '$(id)', 'x' * 380, '%n%s',
                 '<>', 'a> b <c', '\u202e', 'a\\'):
        assert c.deliver(['alice'], sender=text) == 'D', text
        message, = w.take()
        assert message.startswith(b'Return-Path: <%s>\nDelivered-To: '
                                  % text.encode()), message
    assert w.tell((record('R', *ALICE),),
                  (record('S', '0', '2', 'x' * 387), 0))[1]
    c.close()
    w.unharmed()


# --- what comes as a message -------------------------------------------------

def as_user(w, make):
    """What smtpd itself could make."""
    os.seteuid(w.uid)
    try:
        return make()
    finally:
        os.seteuid(0)


def opened(path, flags=os.O_RDONLY):
    return os.open(path, flags)


def things(w):
    """{name: (descriptor, the size that fits, whether it is a message)}"""
    def memory(content, seals=0, make=os.memfd_create):
        fd = make('x', os.MFD_ALLOW_SEALING)
        os.write(fd, content)
        if seals:
            fcntl.fcntl(fd, 1033, seals)    # F_ADD_SEALS
        return fd
    sparse = w.mine(b'')
    os.ftruncate(sparse, 1 << 40)
    huge = w.mine(b'')
    os.ftruncate(huge, 51 * 1024 * 1024)
    pair = socket.socketpair()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(b'\0postern-hostile-%d' % os.getpid())
    listener.listen()
    own = w.peer()
    poll = select.epoll()
    kept = [pair, listener, own, poll]
    shadow = opened('/etc/shadow')
    found = {
        'an honest one': (w.mine(), 2, True),
        'read-only': (w.mine(flags=os.O_RDONLY), 2, True),
        'append-only': (w.mine(flags=os.O_RDWR | os.O_APPEND), 2, True),
        'memory': (as_user(w, lambda: memory(b'x\n')), 2, True),
        'sealed memory': (as_user(w, lambda: memory(b'x\n', 15)), 2, True),
        'write-only': (w.mine(flags=os.O_WRONLY), 2, False),
        'a place alone': (w.mine(flags=os.O_PATH), 2, False),
        'a terabyte of nothing': (sparse, 1 << 40, False),
        'more than the limit': (huge, 51 * 1024 * 1024, False),
        'a directory': (opened('/'), 4096, False),
        'the spool': (opened(w.p.path('spool', 'queue')),
                      os.stat(w.p.path('spool', 'queue')).st_size, False),
        'a pipe': (os.pipe()[0], 0, False),
        'a socket': (pair[0].fileno(), 0, False),
        'a listener': (listener.fileno(), 0, False),
        'its own connection': (own.sock.fileno(), 0, False),
        'an epoll': (poll.fileno(), 0, False),
        'a device': (opened('/dev/zero'), 0, False),
        'an image': (opened('/proc/self/exe'),
                     os.stat('/proc/self/exe').st_size, False),
        'a file of /proc': (opened('/proc/version'), 0, False),
        'memory of a process': (opened('/proc/self/maps'), 0, False),
        'the passwords': (shadow, os.fstat(shadow).st_size, False),
        "a user's": (w.mine(), 2, False),
    }
    os.fchown(found["a user's"][0], 20001, 20001)
    return found, kept


def descriptors(w):
    """Only a file that smtpd's user made is a message, and only whole."""
    found, kept = things(w)
    mail = 0
    for name, (fd, size, good) in found.items():
        got, ended = w.tell((record('R', *ALICE),),
                            (record('S', '0', str(size), ''), fd))
        if name == 'a place alone':     # is one, but cannot be read
            assert (got, ended) == ('L', False), name
            continue
        assert (got, ended) == (('D', False) if good else ('', True)), (
            name, got, ended, w.p.logged()[-300:])
        mail += good
    for name, (fd, _, _) in found.items():
        if name not in ('a socket', 'a listener', 'its own connection',
                        'an epoll'):
            os.close(fd)
    kept[2].close()
    kept[3].close()
    w.unharmed(mail)


def sizes(w):
    fd = w.mine(b'12345\n')
    for size in ('0', '1', '5', '7', '-6', '6 ', ' 6', '+6', '0x6', '6.0', '',
                 '4294967302', '18446744073709551622', '9223372036854775807',
                 '9223372036854775808', '1' * 1000, '6\n'):
        got, ended = w.tell((record('R', *ALICE),),
                            (record('S', '0', size, ''), fd))
        assert ended and not got, (size, got)
    assert w.tell((record('R', *ALICE),),
                  (record('S', '0', '6', ''), fd)) == ('D', False)
    os.close(fd)
    w.unharmed(1)


def many_descriptors(w):
    """All that fit into one record, in every kind of it."""
    fds = [w.mine() for _ in range(253)]
    for n in 2, 3, 4, 5, 64, 253:
        for sends in ([(record('R', *ALICE),), (record('S', '0', '2', ''),)],
                      [(record('L', *ALICE),)], [(b'x',)], [(b'\0',)]):
            last = sends.pop()
            assert w.tell(*sends, last + tuple(fds[:n]))[1], n
    # and unread behind what ends the connection
    for _ in range(20):
        c = w.peer()
        try:
            for _ in range(8):
                c.send(b'Z', *fds[:100])
        except (Ended, OSError):
            pass
        c.close()
    for fd in fds:
        os.close(fd)
    w.unharmed()


def changes(w):
    """A file that grows and shrinks under the eyes of its reader: a message
    of the size that was told, or none."""
    size, mail = 3 << 20, 0
    fates = set()
    for i in range(12):
        fd = w.mine(bytes(size))
        over = threading.Event()

        def shake():
            while not over.is_set():
                os.ftruncate(fd, size // 2 if i % 2 else 2 * size)
                os.ftruncate(fd, size)
        shaker = threading.Thread(target=shake)
        c = w.peer()
        shaker.start()
        c.rcpt('alice')
        c.send(record('S', '0', str(size), ''), fd)
        got, _ = heard(c)
        over.set()
        shaker.join()
        c.close()
        os.close(fd)
        fates.add(got)
        messages = w.p.take()
        assert len(messages) == (got == 'D'), (got, len(messages))
        for m in messages:
            assert len(m.split(b'\n', 2)[2]) == size
    assert fates <= {'', 'D', 'L'}, fates
    w.unharmed()


class Server:
    """An LMTP server that takes all there is."""

    def __init__(self, path):
        self.heard = b''
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen()
        self.listener.settimeout(20)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        conn, _ = self.listener.accept()
        with conn, conn.makefile('rb') as lines:
            conn.sendall(b'220 x\r\n')
            for reply in (b'250', b'250', b'250', b'354'):
                lines.readline()
                conn.sendall(reply + b' x\r\n')
            self.heard = lines.read()


def cut_short(w, new_size, stored):
    """Stops the worker in the middle of the copy, and changes the file."""
    size = 3 << 20
    pid, = w.d.workers(True)
    fd = w.mine(b'x' * 62 + b'\n' + bytes(size - 63))
    c = w.peer()
    tracer = sabotage.Tracer(pid, [
        '-f', '-e', 'trace=pread64', '-e',
        'inject=pread64:signal=STOP:when=2'], w.p.path('trace'))
    with tracer:
        c.rcpt('alice')
        c.send(record('S', '0', str(size), ''), fd)
        assert until(lambda: 'stopped by SIGSTOP' in ''.join(
            tracer.lines())), 'it did not stop'
        os.ftruncate(fd, new_size)
        assert w.good.lookup('bob')[0] == 'D', 'nobody else waits'
        for n in [pid] + w.d.children(pid):
            os.kill(n, signal.SIGCONT)
        got = heard(c)
        assert got == (stored, False), (got, w.p.logged()[-400:])
    c.close()
    os.close(fd)


def cut_in_maildir(w):
    why = sabotage.needs()
    if why:
        raise tap.Skip(why)
    one = Target(workers=1)
    one.files.add(one.p.path('trace'))
    cut_short(one, 1 << 20, 'L')
    cut_short(one, 0, 'L')
    one.unharmed()
    cut_short(one, 4 << 20, 'D')    # it is as long as it was said to be
    message, = one.p.take()
    assert len(message.split(b'\n', 2)[2]) == 3 << 20
    one.unharmed()
    one.p.clean()


def cut_in_mbox(w):
    why = sabotage.needs()
    if why:
        raise tap.Skip(why)
    one = Target('mbox:{}/%u/mbox', workers=1)
    path = one.p.path('home', 'alice', 'mbox')
    with open(path, 'rb') as f:
        before = f.read()
    cut_short(one, 1 << 20, 'L')
    cut_short(one, 0, 'L')
    with open(path, 'rb') as f:
        assert f.read() == before
    assert sorted(os.listdir(one.p.path('home', 'alice'))) == ['Maildir',
                                                               'mbox']
    one.p.clean()


def cut_in_lmtp(w):
    """Whoever is on the other side sees no end of the message."""
    why = sabotage.needs()
    if why:
        raise tap.Skip(why)
    one = Target(workers=1)
    one.p.configure({'mailbox': 'lmtp:' + one.p.path('lmtp')})
    assert one.good.deliver(['alice']) == 'L', 'nobody is there'
    server = Server(one.p.path('lmtp'))
    cut_short(one, 1 << 20, 'L')
    server.thread.join(20)
    assert len(server.heard) > 100000
    assert b'\r\n.\r\n' not in server.heard
    one.p.clean()


# --- floods ------------------------------------------------------------------

def recipients_alone(w):
    """Recipients without end, and no message."""
    c = w.peer()
    try:
        for i in range(5000):
            c.rcpt('alice+%d' % i if i % 2 else 'nobody-%d' % i)
        ended = c.at_end()
    except Ended:
        ended = True
    assert ended and i >= 4096, i
    c.close()
    w.unharmed()


def lookups(w):
    """Questions that nobody has asked before, from many sides."""
    peers = [w.peer() for _ in range(200)]
    asked = 0
    for round_ in range(20):
        for n, c in enumerate(peers):
            c.send(record('L', '0', 'nobody-%d-%d' % (n, round_), '', 'a@b'))
            asked += 1
        if round_ % 5 == 0:
            assert w.good.deliver(['alice']) == 'D', 'nobody else waits'
        for c in peers:
            assert c.receive('l')[0] in 'NL'
    # all at once, and nobody listens
    for c in peers:
        try:
            for i in range(100):
                c.sock.setblocking(False)
                c.sock.send(record('L', '0', 'alice+%d' % i, '', 'a@b'))
        except OSError:
            pass
    assert w.good.deliver(['alice']) == 'D', 'nobody else waits'
    for c in peers:
        c.close()
    w.unharmed(5)


def gone(w):
    """The peer hangs up after each thing it can say, and after each that it
    can hear."""
    content = bytes(300000)
    fd = w.mine(content)
    says = [(record('U', '0'),), (record('L', *ALICE),),
            (record('L', '0', 'no-%d' % os.getpid(), '', 'a@b'),),
            (record('R', *ALICE),),
            (record('R', '0', 'bob', '', 'bob'),),
            (record('S', '0', str(len(content)), ''), fd)]
    answers = [1, 2, 3, 3, 3, 5]
    stored = 0
    for how in 'close', 'half', 'hear':
        for n in range(1, len(says) + 1):
            for hears in range(answers[n - 1] + 1 if how == 'hear' else 1):
                c = w.peer()
                for s in says[:n]:
                    c.send(*s)
                for _ in range(hears):
                    assert c.sock.recv(4096)
                if how == 'half':
                    c.sock.shutdown(socket.SHUT_WR)
                c.close()
                stored += hears == 5
    os.close(fd)
    assert until(w.at_rest, 15)
    n = w.count()
    assert n[0] == n[1] and stored <= n[0], n       # all or none
    w.take()
    w.unharmed()


# --- deaf peers --------------------------------------------------------------

def deaf_and_gone(w):
    """What is not heard holds nobody up."""
    for c in deaf(w):
        c.close()
    assert until(lambda: w.good.deliver(['bob']) == 'D', 5), 'still busy'
    w.unharmed(WORKERS + 1)


class Siege:
    """Peers that do not go, and take no answers either."""

    def __init__(self):
        self.w = Target()
        self.peers = deaf(self.w)

    def ends(self):
        """Ten seconds, and their places are others'."""
        w = self.w
        assert until(lambda: w.good.deliver(['bob']) == 'D', 20, 0.2)
        assert until(lambda: w.p.logged().count(
            'does not take its answers') == WORKERS)
        for c in self.peers:
            c.close()
        w.unharmed(WORKERS + 1)


Postern()       # the first one isolates this process
if not box.isolated():
    tap.skip_all('needs root and a mount namespace')
siege = Siege()
target = Target()
for test, about in (
        (every_record, 'every letter, number of fields and of descriptors'),
        (sequences, 'every order of four requests'),
        (contents, 'messages without a file'),
        (lengths, 'records of every length'),
        (fields, 'fields that smtpd would not send'),
        (names, 'names that are nobody'),
        (names_of_the_system, 'names that are nobody on a system'),
        (domains, 'a domain is one of ours'),
        (senders, 'a reverse-path stays one field'),
        (descriptors, 'what is a message, and what is not'),
        (sizes, 'sizes that lie'),
        (many_descriptors, 'many descriptors'),
        (changes, 'a file that grows and shrinks'),
        (cut_in_maildir, 'cut short: nothing is left in a Maildir'),
        (cut_in_mbox, 'cut short: nothing is left in an mbox'),
        (cut_in_lmtp, 'cut short: no end of the message for LMTP'),
        (recipients_alone, 'recipients without end'),
        (lookups, 'floods of questions'),
        (gone, 'a peer that hangs up at every point'),
        (deaf_and_gone, 'peers that hang up without having listened')):
    if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
        t.run(about, test, target)
t.run('deaf peers in all workers hold them for ten seconds', siege.ends)
t.done()
