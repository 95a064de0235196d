"""The queue across a power cut: the workloads of tests/queue-power.t."""
import collections
import os
import random
import re
import threading

import crash
import power
import qfile
from postern import DEFAULTS, Postern
from qsite import Site
from receiving import DOMAINS, USERS, Receiving, Sent, content
from request import Deliver
from sink import OK, Sink

AWAY = ['x%d@away.example' % i for i in range(40)]
# His Maildir cannot be written into: what he gets from a local program waits.
CLOSED = 'carol@here.example'


def under_strace(p, sabotage):
    """What p starts from now on runs under strace, with those it forks.
    sabotage: {system call: what is injected}"""
    args = ['strace', '-f', '-qq', '-o', '/dev/null', '-e',
            'trace=' + ','.join(sabotage)]
    for call, what in sabotage.items():
        args += ['-e', 'inject=%s%s' % (call, what)]
    plain = p.popen
    p.popen = lambda program, **more: plain(args + program, **more)


def in_vain(calls):
    # a filter that meets another call than this one would kill
    return {call: ':retval=0:syscall=getpid' for call in calls}


def spool_on(p, disk):
    """Its spool is on the disk."""
    p._mkdir(disk.top + '/spool', '_postern', 0o755)
    queue = p._mkdir(disk.top + '/spool/queue', '_postern-queue', 0o3770)
    os.chown(queue, p.uid('_postern-queue'), p.uid('_postern'))
    os.chmod(queue, 0o3770)
    p.configure({'spool': disk.top + '/spool'})
    return queue


ADDED = re.compile(rb'^(Date|Message-ID): [^\n]*\n', re.M | re.I)


def as_sent(text):
    """Without the fields that a submission is completed by."""
    head, body = text.split(b'\n\n', 1)
    return ADDED.sub(b'', head + b'\n') + b'\n' + body


def final(queue):
    """Names of messages in this directory."""
    return [n for n in sorted(os.listdir(queue)) if not n.startswith('t')]


class Queueing(Receiving):
    """As Receiving, but the sessions are sabotaged, and the messages are for
    others, for local users, and for both.
    Half of the clients are of the unix socket."""

    def __init__(self, clients, messages, lie=(), pause_ms=0):
        super().__init__(clients, messages, lie=lie, pause_ms=pause_ms)
        self.name = 'into the queue, ' + self.name

    def _site(self, disk):
        p = Postern({
            'users': None,
            'local-domains': ' '.join([DEFAULTS['local-domains']] + DOMAINS),
            'mailbox': 'maildir:%s/home/%%u/%%d' % disk.top,
            'smarthost': 'smtp://127.0.0.1:9',
            'relay-networks': '127.0.0.0/8',
            'source-limit': '1000',
        })
        home = p._mkdir(disk.top + '/home', 'alice', 0o755)
        os.chown(home, 0, 0)
        for user in USERS:
            p._mkdir(disk.top + '/home/' + user, user,
                     0o500 if CLOSED.startswith(user) else 0o755)
        spool_on(p, disk)
        return p

    def run(self, disk):
        p = self._site(disk)
        try:
            if not self.lie:
                Deliver(p)
            self._spoil(p)
            if self.lie:        # deliver, too, or its flushes help
                Deliver(p)
            p.start()
            self._clients(p, disk)
            assert not self.wrong, '%s\n%s' % (self.wrong[:5],
                                               p.logged()[-2000:])
        finally:
            p.clean()

    def _spoil(self, p):
        calls = in_vain(self.lie)
        if self.pause_ms:
            calls['fsync'] = calls.get('fsync', '') + \
                ':delay_enter=%d' % (self.pause_ms * 1000)
        if calls:
            under_strace(p, calls)

    def _client(self, p, disk, number):
        local = number % 2 == 0
        if local:
            # what this thread calls a client
            p = collections.namedtuple('P', 'client')(p.local_client)
        super()._client(p, disk, number)

    def _choose(self, r):
        rcpts = set(r.sample(AWAY, r.choice((0, 1, 1, 1, 5))))
        for _ in range(r.choice((0, 1, 2))):
            rcpts.add('%s@%s' % (r.choice(('alice', 'bob')), r.choice(
                ['here.example'] + DOMAINS)))
        return Sent(sorted(rcpts) or [AWAY[0]], r.choice((0, 0, 0, 6000,
                                                          100000)))

    def _whole(self, text):
        return super()._whole(as_sent(text) if b'\n\n' in text else text)

    def check(self, top, marks):
        count, problems = self._mailboxes(top)
        yield from problems
        waiting, problems = self._queue(os.path.join(top, 'spool', 'queue'))
        yield from problems
        for ident in marks:
            for rcpt in self.sent[ident].rcpts:
                status = waiting.get((ident, rcpt), '-')
                if count[ident, rcpt] and status in 'NT':
                    yield 'twice', '%s for %s is stored and %s' % (
                        ident, rcpt, status)
                elif not count[ident, rcpt] and status not in 'NT':
                    yield 'lost', '%s for %s: %s' % (ident, rcpt, status)

    def _queue(self, queue):
        """({(ident, recipient): status}, [problem])"""
        waiting, problems = {}, []
        names = final(queue) if os.path.isdir(queue) else []
        for name in names:
            try:
                q = qfile.read(os.path.join(queue, name))
                at = q.content.index(b'Subject: ')
                ident = q.content[at + 9:].split(b'\n', 1)[0].decode()
                sent = self.sent[ident]
                whole = as_sent(q.content[at:]) == content(ident, sent.size)
            except (qfile.Bad, ValueError, KeyError) as e:
                problems.append(('torn', '%s: %s' % (name, e)))
                continue
            if not whole or not set(q.addresses()) <= set(sent.rcpts):
                problems.append(('torn', '%s: %r' % (name, q)))
            for r in q.rcpts:
                if (ident, r.address) in waiting:
                    problems.append(('twice', '%s is queued again' % ident))
                waiting[ident, r.address] = r.status
        if os.path.isdir(queue):
            self.left['temporary files'] += len(os.listdir(queue)) - len(names)
        return waiting, problems


class Leftover(Queueing):
    """Local programs only, and what they send to him who cannot have it."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.name = self.name + ', after deliver was asked'

    def _client(self, p, disk, number):
        super()._client(p, disk, 2 * number)

    def _choose(self, r):
        rcpts = {CLOSED} | {'%s@%s' % (r.choice(('alice', 'bob')), r.choice(
            DOMAINS)) for _ in range(r.choice((0, 0, 1, 3)))}
        return Sent(sorted(rcpts), r.choice((0, 0, 6000)))


# --- a pass -----------------------------------------------------------------

# What each recipient of a message comes to: taken, refused, put off at first.
FATES = ('g',), ('g', 'g'), ('g', 'b'), ('g', 'l'), ('b',), ('g', 'b', 'l')
IDENT = re.compile(rb'\bb[0-9]+-(m[0-9]+)@')


class Hops:
    """A next hop, and what local recipients come back through, which is where
    reports go.  Each 250 is told before it is given."""

    def __init__(self, p, tell):
        self.tell, self.later = tell, True
        self.mine = threading.local()
        self.away = Sink({'MAIL': self._mail, 'RCPT': self._rcpt,
                          '.': self._taken})
        here = p.path('run', 'smtp')
        if os.path.exists(here):
            os.unlink(here)
        self.home = Sink({'.': self._told}, path=here)

    def close(self):
        self.away.close()
        self.home.close()

    def _mail(self, _):
        self.mine.rcpts = []
        return OK

    def _rcpt(self, line):
        rcpt = line.split('<', 1)[1].split('>', 1)[0]
        if rcpt.startswith('b'):
            return '550 5.1.1 no'
        if rcpt.startswith('l') and self.later:
            return '450 4.2.2 later'
        self.mine.rcpts.append(rcpt)
        return OK

    def _taken(self, _):
        for rcpt in self.mine.rcpts:
            self.tell('got ' + rcpt)
        return OK

    def _told(self, text):
        # the same in the text, in the fields, and maybe in the original
        for ident in {m.decode() for m in IDENT.findall(text.encode(
                'latin1'))}:
            self.tell('told ' + ident)
        return OK


class Passing:
    """Two passes over a queue: they deliver, put off, report and remove.
    After a cut, the next passes bring everything to its end, and nothing that
    had been settled is done again: what was put off, what was reported, and
    all of a pass that is over.  Removals of what was delivered as a whole are
    made to last for many at once (sys/shift.c); of these some come again.
    lie: calls of the pass that are in vain."""

    END = re.compile('event=(removed|put-off) id="?([^ "]+)')
    UNSYNCED = 64       # removals
    OVER = 'pass over'

    def __init__(self, messages, lie=()):
        self.messages, self.lie = messages, list(lie)
        self.left = collections.Counter()
        self.fates = {}         # name of the file: its recipients
        self.ident = {}
        self.name = 'passes over %d messages' % messages + (
            ', %s in vain' % ' and '.join(lie) if lie else '')

    def note(self):
        return ''.join('; %s: %d' % x for x in self.left.items())

    # work

    def _site(self, disk):
        p = Site({'retry': '1 1', 'source-limit': '1000'})
        p.queue_dir = spool_on(p, disk)
        r = random.Random(0)
        for i in range(self.messages):
            fates, ident = r.choice(FATES), 'm%d' % i
            rcpts = ['%s%d-%s@away.example' % (f, k, ident)
                     for k, f in enumerate(fates)]
            name = p.put('' if i % 10 == 9 else 'alice@here.example', rcpts,
                         b'Subject: %s\n\n' % ident.encode() +
                         b'x' * 70 * r.choice((1, 1, 50)) + b'\n')
            self.fates[name], self.ident[name] = rcpts, ident
        return p

    def run(self, disk):
        p = self.p = self._site(disk)
        hops = Hops(p, disk.mark)
        p.configure({'smarthost': hops.away.url})
        fd = os.open(disk.top, os.O_RDONLY)
        assert power.libc.syncfs(fd) == 0
        os.close(fd)
        disk.mark(power.BEGIN)          # what comes before is no part of it
        self._pass(disk)
        hops.later = False
        self._pass(disk, '-a')
        hops.close()
        assert not final(p.queue_dir), final(p.queue_dir)

    def _pass(self, disk, *args):
        """Marks what the pass says is settled, after it has said so."""
        plain = self.p.popen
        if self.lie:
            under_strace(self.p, in_vain(self.lie))
        run = self.p.popen([self.p.queue, '-C', self.p.conf, *args],
                           stderr=-1, text=True)
        self.p.popen = plain
        for line in run.stderr:
            m = self.END.search(line)
            if m and (m[1] == 'put-off' or self._reports(m[2])):
                disk.mark('settled ' + m[2])
        assert run.wait() == 0, run.returncode
        disk.mark(self.OVER)

    def _reports(self, name):
        """It goes with its report: its marks are on stable storage then."""
        letters = {r[0] for r in self.fates.get(name, ())}
        return 'b' in letters and 'l' not in letters

    # look

    def check(self, top, marks):
        """Statically, and then by the passes that would come next."""
        queue = os.path.join(top, 'spool', 'queue')
        yield from self._whole(queue, marks)
        after = []
        hops = Hops(self.p, after.append)
        hops.later = False
        self.p.configure({'smarthost': hops.away.url})
        for _ in range(5):
            self.p.pass_('-a')
            if not final(queue):
                break
        hops.close()
        if final(queue):
            yield 'stuck', str(final(queue))
        if os.listdir(os.path.join(top, 'spool', 'bad')):
            yield 'bad', str(os.listdir(os.path.join(top, 'spool', 'bad')))
        yield from self._judge(marks, after)

    def _whole(self, queue, marks):
        causes = collections.Counter()
        for name in final(queue):
            try:
                qfile.read(os.path.join(queue, name))
            except qfile.Bad as e:
                yield 'torn', '%s: %s' % (name, e)
            if name[0] in 'rp':
                causes[name[1:].rsplit('.', 1)[0]] += 1
            elif name not in self.fates:
                yield 'foreign', name
        for cause, n in causes.items():
            if n > 1:
                yield 'twice', '%d reports of %s' % (n, cause)

    def _judge(self, marks, after):
        """Each at least once; again only what was not settled."""
        settled, repeated = {}, 0
        over = max([i for i, m in enumerate(marks) if m == self.OVER],
                   default=-1)
        for i, mark in enumerate(marks):
            if mark.startswith('settled '):
                settled[mark[8:]] = i
        for name, rcpts in self.fates.items():
            wanted = [('got ' + r, name) for r in rcpts if r[0] != 'b']
            if any(r[0] == 'b' for r in rcpts):
                wanted.append(('told ' + self.ident[name], None))
            for what, file in wanted:
                before, again = marks.count(what), after.count(what)
                if before + again == 0:
                    yield 'lost', '%s of %s' % (what, name)
                elif before > 1 or again > 1:
                    yield 'twice', '%s of %s' % (what, name)
                elif before and again:
                    repeated += 1
                    if max(settled.get(file, -1), over) > marks.index(what):
                        yield 'twice', '%s, though it was settled' % what
                    self.left['again after a cut'] += 1
        # and as many that are on their way meanwhile
        if repeated > 2 * self.UNSYNCED:
            yield 'twice', '%d at once' % repeated
