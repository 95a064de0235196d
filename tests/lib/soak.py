"""A long time under full load, with clients of every kind, and then a
reckoning: what was stored, what the log says and what the clients heard agree
to the last message, and no process, descriptor, file or memory is left over.
"""
import collections
import os
import re
import sys
import threading
import time

import box
import customers
from flood import memory
from postern import Postern, children, is_locked_in, is_spare, until

CONF = {
    'trusted-users': '*',
    'message-size-limit': str(customers.LIMIT),
    'command-timeout': '5s',
    'source-limit': '1000',
    'proxy-networks': '127.0.100.0/24',
}
USERS = 'alice', 'bob', 'carol'
THREADS = 6             # in each process of clients
# Of a process that has been warm; in a short time it does not get warm, and
# may still touch the tables that it has.
GROWTH_KB, SHORT_S, SHORT_GROWTH_KB = 256, 600, 2048
DISTURB_S = 5           # from change to change of the files that are read
SPARE_S = 70            # store workers without work leave after a minute


def descendants(pid):
    found = []
    for c in children(pid):
        found += [c] + descendants(c)
    return found


def descriptors(pid):
    """How many; 0 where they are nobody's business but root's."""
    try:
        return len(os.listdir('/proc/%d/fd' % pid))
    except PermissionError:
        return 0


class Collector(threading.Thread):
    """Takes whatever arrives out of the mailboxes and counts it."""

    def __init__(self, p):
        super().__init__(daemon=True)
        self.p, self.over = p, threading.Event()
        self.copies = collections.Counter()     # (identifier, user)
        self.wrong = []
        self.start()

    def run(self):
        while not self.over.wait(0.5):
            self.sweep()

    def sweep(self):
        for user in USERS:
            new = os.path.join(self.p.mailbox(user), 'new')
            for name in os.listdir(new) if os.path.isdir(new) else ():
                path = os.path.join(new, name)
                with open(path, 'rb') as f:
                    ident = customers.whole(f.read())
                if ident is None:
                    self.wrong.append(path)
                    continue
                self.copies[ident, user] += 1
                os.unlink(path)

    def finish(self):
        self.over.set()
        self.join()
        self.sweep()


class Soak:
    def __init__(self, seconds, processes, seed):
        self.seconds, self.processes, self.seed = seconds, processes, seed
        self.p = Postern(CONF, aliases=customers.ALIASES)
        self.p.start()
        self.reports = []
        self.wrong = []
        c = self.p.client()
        c.hello()
        assert c.mail()[0] == 250
        c.quit()
        self.p.take()
        until(lambda: not self.p.sessions())
        os.truncate(self.p.log, 0)
        self.keeper, = [c for c in children(self.p.listener.pid)
                        if children(c)]
        self.poller, = children(self.keeper)
        self.lookers = [w for w in children(self.poller) if not is_locked_in(w)]
        # the last of them has the fewest to close
        assert until(lambda: len({descriptors(w) for w in self.lookers}) == 1)

    def lasting(self):
        """{name: pid} of those that live as long as we look."""
        found = {'listener': self.p.listener.pid, 'keeper': self.keeper,
                 'poller': self.poller}
        for i, pid in enumerate(self.lookers):
            found['lookup worker %d' % i] = pid
        return found

    def storers(self):
        return len(children(self.poller)) - len(self.lookers)

    def state(self):
        """Descriptors of the lasting; a store worker costs the poller one,
        and a process that waits for the next client the listener."""
        count = {n: descriptors(pid) for n, pid in self.lasting().items()}
        if count['poller']:
            count['poller'] -= self.storers()
            count['listener'] -= sum(map(is_spare, children(
                self.p.listener.pid)))
        return count

    def settled(self):
        """The state, once nothing moves any more."""
        last = None
        while last != self.state():
            last = self.state()
            time.sleep(0.3)
        return last

    def memory(self):
        return {n: memory(pid)['now'] for n, pid in self.lasting().items()}

    # the clients

    def start(self, number, until_when):
        """A process of clients: some on the unix socket, as users of their
        own, some behind a balancer."""
        path = self.p.path('report-%d' % number)
        self.reports.append(path)
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            code = self.customers(number, path, until_when)
        finally:
            sys.stdout.flush()
            os._exit(code)

    def customers(self, number, path, until_when):
        local = number % 2 == 1
        report = customers.Report(path)
        if local and self.p.multi:
            uid = box.USERS[USERS[number // 2 % len(USERS)]][0]
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        box.die_with_parent()
        where = self.p.local if local else ('127.0.0.1', self.p.port)
        net = 100 if number % 4 == 2 else number + 1
        threads = [customers.Customer(
            'p%dt%d' % (number, i), where, '127.0.%d.%d' % (net, i + 1),
            report, until_when, self.seed, net == 100)
            for i in range(THREADS)]
        for c in threads:
            c.start()
        for c in threads:
            c.join()
            if c.fault:
                report.write('F', c.fault)
        report.close()
        return 1 if any(c.fault for c in threads) else 0

    def disturb(self):
        """Files that are read while it runs are written anew."""
        self.p.configure({})
        self.p.write('aliases', customers.ALIASES)
        with open(self.p.path('users')) as f:
            users = f.read()
        self.p.write('users', users)

    def run(self):
        before = self.settled()
        begin = time.monotonic()
        warm_at = begin + max(3, min(60, self.seconds / 4))
        collector = Collector(self.p)
        pids = [self.start(i, begin + self.seconds)
                for i in range(self.processes)]
        warm, disturb_at = None, begin
        while pids:
            pids = [pid for pid in pids
                    if os.waitpid(pid, os.WNOHANG) == (0, 0)]
            if not warm and time.monotonic() >= warm_at:
                warm = self.memory()
            if time.monotonic() >= disturb_at:
                self.disturb()
                disturb_at += DISTURB_S
            time.sleep(0.2)
        self.took = time.monotonic() - begin
        if not until(lambda: not self.p.sessions(), 30):
            self.wrong.append('sessions are left: %s' % self.p.sessions())
        self.memories = warm, self.memory()
        self.states = before, self.settled()
        collector.finish()
        self.copies = collector.copies
        self.wrong += ['torn or foreign: ' + p for p in collector.wrong]

    # the reckoning

    def heard(self):
        """({ident: (verdict, users)}, {helo: (accepted, refused)})"""
        messages, sessions = {}, {}
        for path in self.reports:
            with open(path) as f:
                for line in f:
                    kind, _, rest = line.rstrip('\n').partition(' ')
                    if kind == 'F':
                        self.wrong.append('a client: ' + rest)
                        continue
                    key, a, b = rest.split(' ')
                    if kind == 'M':
                        messages[key] = a, set(filter(None, b.split(',')))
                    else:
                        sessions[key] = int(a), int(b)
        return messages, sessions

    def logged(self):
        """What the log says: copies, recipients by message, sessions, and
        how many commands were refused."""
        said = {'delivered': 0, 'rejected': 0, 'told': 0,
                'stored': collections.Counter(), 'sessions': {},
                'odd': collections.Counter()}
        fields = re.compile(r'(\w+)=("[^"]*"|\S*)')
        with open(self.p.log, errors='replace') as f:
            for line in f:
                l = dict(fields.findall(line))
                event = l.get('event')
                if event == 'stored':
                    said['stored'][l['from'].split('@')[0]] += 1
                elif event in ('delivered', 'rejected'):
                    said[event] += 1
                elif event == 'session':
                    said['told'] += int(l['rejected'])
                    said['sessions'][l['helo'].split('.')[0]] = (
                        int(l['accepted']), int(l['rejected']))
                elif line.startswith(('<3>', '<4>')):
                    said['odd'][line.strip()[:100]] += 1
        return said

    def messages_agree(self, messages):
        """A copy for each recipient of what was answered 250, none of what
        was not; where the answer was lost, all or none."""
        by_ident = collections.defaultdict(dict)
        for (ident, user), n in self.copies.items():
            by_ident[ident][user] = n
        for ident in set(messages) | set(by_ident):
            verdict, users = messages.get(ident, ('unheard of', set()))
            got = by_ident.get(ident, {})
            good = [dict.fromkeys(users, 1)] if verdict == 'yes' else \
                [{}] if verdict == 'no' else [{}, dict.fromkeys(users, 1)]
            if got not in good:
                self.wrong.append('%s, %s for %s: %s' % (
                    ident, verdict, sorted(users), got))
        return by_ident

    def log_agrees(self, messages, sessions, by_ident):
        said = self.logged()
        copies = sum(self.copies.values())
        if said['delivered'] != copies:
            self.wrong.append('%d copies, the log has %d' % (
                copies, said['delivered']))
        if set(said['stored']) != set(by_ident):
            self.wrong.append('stored by the log alone, or in a mailbox '
                              'alone: %s' % sorted(
                                  set(said['stored']) ^ set(by_ident))[:10])
        if said['told'] != said['rejected']:
            self.wrong.append('%d refusals in sessions, %d alone' % (
                said['told'], said['rejected']))
        for helo, heard in sessions.items():
            there = said['sessions'].get(helo.split('.')[0])
            if there != heard:
                self.wrong.append('%s heard %s, the log has %s' % (
                    helo, heard, there))
        return said

    def reckon(self, t):
        messages, sessions = self.heard()
        by_ident = self.messages_agree(messages)
        said = self.log_agrees(messages, sessions, by_ident)
        verdicts = collections.Counter(v for v, _ in messages.values())
        t.note('%d s, seed %s: %d sessions of which %d heard everything; '
               'messages: %s; %d copies, %d refused commands' % (
                   self.took, self.seed, len(said['sessions']),
                   len(sessions), dict(verdicts), sum(self.copies.values()),
                   said['rejected']))
        for line, n in said['odd'].most_common(5):
            t.note('%d times %s' % (n, line))
        t.ok(not self.wrong, 'mailboxes, log and clients agree',
             '%d\n' % len(self.wrong) + '\n'.join(self.wrong[:20]))
        t.ok(all(verdicts[v] > 0 for v in ('yes', 'no', 'maybe')),
             'of every fate there were some', verdicts)
        died = [s for s in said['odd'] if 'session-killed' in s or
                'worker-' in s]
        t.ok(not died, 'no process died', died)

    def leftovers(self, t):
        before, after = self.states
        if before['poller']:
            t.equal(after, before, 'no descriptor more than before')
        else:
            t.skip('no descriptor more than before', 'needs root')
        warm, end = self.memories
        t.note('kB when warm %s, at the end %s' % (warm, end))
        most = GROWTH_KB if self.seconds >= SHORT_S else SHORT_GROWTH_KB
        t.ok(all(end[n] - warm[n] <= most for n in warm),
             'no memory more than when warm', '%s, %s' % (warm, end))
        t.ok(until(lambda: not self.p.rubbish(), 5),
             'no file in the spool or in tmp', self.p.rubbish())
        t.equal(self.p.sessions(), [], 'no session')
        zombies = [pid for pid in descendants(self.p.listener.pid)
                   if self.stat(pid) == 'Z']
        t.equal(zombies, [], 'nobody unburied')

    @staticmethod
    def stat(pid):
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0]

    def come_to_rest(self, t):
        """Store workers leave when there is nothing to do, and so does the
        process that waits for a client."""
        lasting = 2 + len(self.lookers)
        t.ok(until(lambda: len(descendants(self.p.listener.pid)) == lasting,
                   SPARE_S), 'children as at the start',
             descendants(self.p.listener.pid))
        # fewer than when a session waited, for it had a way to deliver
        got, first = self.settled(), self.states[0]
        t.ok(all(got[name] <= first[name] for name in first),
             'descriptors, too', (got, first))

    def close(self):
        self.p.clean()


def soak(t, seconds, processes, seed, rest):
    s = Soak(seconds, processes, seed)
    s.run()
    s.reckon(t)
    s.leftovers(t)
    if rest:
        s.come_to_rest(t)
    s.close()
