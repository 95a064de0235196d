"""What 250 promises across a power cut: the workload of tests/power.t."""
import collections
import functools
import os
import random
import re
import threading

import crash
from postern import DEFAULTS, Postern, split_trace
from request import Deliver
from sabotage import Tracer

content = functools.lru_cache(None)(crash.content)

USERS = 'alice', 'bob', 'carol'
DOMAINS = ['d%d.here.example' % i for i in range(40)]
SIZES = (0,) * 7 + (6000, 6000, 150000)

Sent = collections.namedtuple('Sent', 'rcpts size')


class Receiving:
    """Clients in parallel, each with a connection for each message.

    plain: short messages to one Maildir that is there already; otherwise of
    several sizes, to several mailboxes, many of which are new.
    mbox: to mbox files.  beside: the spool is on another file system.
    lie: system calls that deliver's workers make in vain, each a name and
    perhaps strace's ":when=".
    pause_ms: before each fsync, so that at any time many messages are between
    their name and stable storage."""

    def __init__(self, clients, messages, plain=False, mbox=False,
                 beside=False, lie=(), pause_ms=0):
        self.clients, self.messages, self.plain = clients, messages, plain
        self.mbox, self.beside = mbox, beside
        self.lie, self.pause_ms = list(lie), pause_ms
        self.sent = {}          # ident: Sent
        self.wrong = []
        self.left = collections.Counter()       # of an interrupted delivery
        words = ['%d messages from %d' % (messages, clients)]
        words += ['plain'] if plain else []
        words += ['mbox'] if mbox else []
        words += ['spool elsewhere'] if beside else []
        words += ['%d ms before each fsync' % pause_ms] if pause_ms else []
        words += ['%s in vain' % ' and '.join(lie)] if lie else []
        self.name = ', '.join(words)

    def note(self):
        return ''.join('; %s left: %d' % (what, n)
                       for what, n in self.left.items())

    # work

    def _site(self, disk):
        p = Postern({
            'users': None,
            'local-domains': ' '.join([DEFAULTS['local-domains']] + DOMAINS),
            'mailbox': '%s:%s/home/%%u/%%d' % (
                'mbox' if self.mbox else 'maildir', disk.top),
            'source-limit': '1000',
        })
        p._mkdir(disk.top + '/home', 'alice', 0o755)
        os.chown(disk.top + '/home', 0, 0)
        for user in USERS:
            p._mkdir(disk.top + '/home/' + user, user, 0o755)
        if self.plain:
            for sub in '', '/new', '/cur', '/tmp':
                p._mkdir(disk.top + '/home/alice/here.example' + sub, 'alice',
                         0o700)
        if not self.beside:
            p._mkdir(disk.top + '/spool', '_postern', 0o755)
            p._mkdir(disk.top + '/spool/queue', '_postern', 0o3770)
            p.configure({'spool': disk.top + '/spool'})
        return p

    def run(self, disk):
        p = self._site(disk)
        tracer = None
        try:
            d = Deliver(p)
            if self.lie or self.pause_ms:
                # before there is a worker: with all of them
                assert not d.workers(True)
                tracer = Tracer(d.proc.pid, self._sabotage())
            p.start()
            self._clients(p, disk)
            assert not self.wrong, '%s\n%s' % (self.wrong[:5],
                                               p.logged()[-2000:])
        finally:
            if tracer:
                tracer.__exit__()
            p.clean()

    def _sabotage(self):
        """Options of strace, one injection for each call."""
        more = {'fsync': '', 'syncfs': ''}
        for call in self.lie + ['syncfs'] * ('fsync' in self.lie):
            call, _, when = call.partition(':')
            # a filter that meets another call than these would kill
            more[call] = ':retval=0:syscall=getpid' + (when and ':' + when)
        if self.pause_ms:
            for call in 'fsync', 'syncfs':
                more[call] += ':delay_enter=%d' % (self.pause_ms * 1000)
        args = ['-f', '-e', 'trace=' + ','.join(more)]
        for call, what in more.items():
            args += ['-e', 'inject=' + call + what] if what else []
        return args

    def _clients(self, p, disk):
        threads = [threading.Thread(target=self._client, args=(p, disk, i),
                                    daemon=True)
                   for i in range(self.clients)]
        for c in threads:
            c.start()
        for c in threads:
            c.join()

    def _choose(self, r):
        if self.plain:
            return Sent(['alice@here.example'], 0)
        rcpts = {'%s@%s' % (r.choice(USERS), r.choice(
            ['here.example', r.choice(DOMAINS)]))
            for _ in range(r.choice((1, 1, 1, 3, 9)))}
        return Sent(sorted(rcpts), r.choice(SIZES))

    def _client(self, p, disk, number):
        r = random.Random(number)
        for n in range(self.messages // self.clients):
            ident = 'c%dn%d' % (number, n)
            mail = self.sent[ident] = self._choose(r)
            try:
                heard = crash.attempt(p.client, ident, mail.rcpts, mail.size)
            except Exception as e:
                heard = repr(e)
            if heard != ('sent', 250):
                self.wrong.append('%s: %s' % (ident, heard))
                return
            disk.mark(ident)

    # look

    def check(self, top, marks):
        count, problems = self._mailboxes(top)
        yield from problems
        for ident in marks:
            for rcpt in self.sent[ident].rcpts:
                if count[ident, rcpt] == 0:
                    yield 'lost', '%s for %s' % (ident, rcpt)

    def _mailboxes(self, top):
        """({(ident, mailbox): copies}, [problem])"""
        count, problems = collections.Counter(), []
        look = self._mbox if self.mbox else self._maildir
        home = os.path.join(top, 'home')
        for user in sorted(os.listdir(home)) if os.path.isdir(home) else []:
            for domain in sorted(os.listdir(os.path.join(home, user))):
                for ident, problem in look(os.path.join(home, user, domain)):
                    if problem:
                        problems.append(problem)
                    else:
                        count[ident, '%s@%s' % (user, domain)] += 1
        for (ident, rcpt), n in count.items():
            if n > 1:
                problems.append(('twice', '%s for %s: %d' % (ident, rcpt, n)))
            if rcpt not in self.sent[ident].rcpts:
                problems.append(('foreign', '%s is in the mailbox of %s' % (
                    ident, rcpt)))
        return count, problems

    def _whole(self, text):
        """(its identifier, what follows its end), when it begins with a whole
        message; otherwise (None, b'')."""
        try:
            body = split_trace(text)[1]
            ident = body.split(b'\n', 1)[0].split(b' ')[-1].decode()
            wanted = content(ident, self.sent[ident].size)
        except (AssertionError, KeyError, UnicodeDecodeError):
            return None, b''
        if not body.startswith(wanted):
            return None, b''
        return ident, body[len(wanted):]

    def _maildir(self, path):
        """(identifier, None) for each whole message, (None, problem) for
        everything else under a final name."""
        new = os.path.join(path, 'new')
        names = os.listdir(new) if os.path.isdir(new) else []
        for name in names:
            try:
                with open(os.path.join(new, name), 'rb') as f:
                    text = f.read()
            except OSError as e:
                yield None, ('unreadable', str(e))
                continue
            ident, rest = self._whole(text)
            if ident is None or rest or not name.endswith(
                    ',S=%d' % len(text)):
                yield None, ('torn', '%s: %d octets, %r...' % (
                    os.path.join(new, name), len(text), text[:200]))
            else:
                yield ident, None
        tmp = os.path.join(path, 'tmp')
        if os.path.isdir(tmp):
            self.left['files in tmp/'] += len(os.listdir(tmp))

    FROM = re.compile(rb'\n\nFrom ' + re.escape(crash.SENDER.encode()) +
                      rb' [^\n]*\n')

    def _mbox(self, path):
        """As _maildir; behind the last message there may be the beginning of
        one that nobody was told is safe: the lock lets one at a time."""
        if path.endswith('.lock'):
            self.left['locks'] += 1
            return
        with open(path, 'rb') as f:
            text = b'\n\n' + f.read()
        found = list(self.FROM.finditer(text))
        ends = [m.start() + 2 for m in found[1:]] + [len(text)]
        for m, end in zip(found, ends):
            ident, rest = self._whole(text[m.end():end])
            if ident is not None:
                yield ident, None
            if ident is not None and rest == b'\n':
                continue
            if end == len(text):
                self.left['torn ends'] += 1
            else:
                yield None, ('torn', '%s: at %d of %d, %r...%r' % (
                    path, m.start(), len(text), text[m.end():][:200], rest))
        if not found:
            self.left['torn ends'] += len(text) > 2
        elif found[0].start() > 0:
            yield None, ('torn', '%s: begins with %r' % (path, text[:80]))
