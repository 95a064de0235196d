#!/usr/bin/python3
"""Signals at any moment: a storm of them at the listener, at sessions, at
deliver and its workers, while mail flows.  Handlers set a flag and nothing
else, so that no mail is lost or torn, nobody dies and no memory is touched
wrongly: the programs have sanitizers in them."""
import collections
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import sanitized
import tap
from postern import Closed, Postern, split_trace, until
from request import Deliver

SIGNALS = int(os.environ.get('STORM_SIGNALS', 30000))
CLIENTS, PATIENCE = 4, 120

t = tap.Tap()

# What each has a handler for or ignores; TERM ends a session between two
# messages, and the others when all is over.
ANY = (signal.SIGCHLD, signal.SIGPIPE)
MORE = {'listener': (signal.SIGHUP,),
        'session': (signal.SIGTERM, signal.SIGINT),
        'poller': (signal.SIGXFSZ,),
        'worker': (signal.SIGTERM, signal.SIGINT, signal.SIGXFSZ)}


class Storm:
    def __init__(self, directory):
        self.p = p = Postern({'source-limit': '1000'})
        for name in 'smtpd', 'deliver':
            shutil.copy(os.path.join(directory, name + '-asan'),
                        p.path('libexec', name))
        self.env = dict(os.environ, ASAN_OPTIONS='detect_leaks=0')
        self.d = Deliver(p, env=self.env)
        p.start(env=self.env)
        self.heard = collections.Counter()
        self.stored = set()
        self.sent = collections.Counter()
        self.faults = []
        self.over = False

    def client(self, number):
        """Messages until all is over; a session that is told to end says so,
        between two of them."""
        n = 0
        while not self.over:
            n += 1
            ident = b'c%dn%d' % (number, n)
            try:
                code = self.message(ident, n)
            except Exception as e:
                self.faults.append('%s: %r' % (ident, e))
                return
            self.heard[code] += 1
            if code == 250:
                self.stored.add(ident)

    def message(self, ident, n):
        """The first reply that is not as it would be without signals, or
        250 of the last one."""
        c = self.p.client() if n % 2 else self.p.local_client()
        text = b'Subject: ' + ident + b'\r\n\r\n'
        text += b'x' * 70 + b'\r\n'
        steps = [b'EHLO c.example\r\n', b'MAIL FROM:<a@away.example>\r\n',
                 b'RCPT TO:<alice@here.example>\r\n', b'DATA\r\n']
        try:
            if c.reply()[0] != 220:
                return 421
            for line in steps:
                c.send(line)
                code = c.reply()[0]
                if code == 421:
                    return code
                assert code in (250, 354), (line, code)
            for octet in (text[:9], text[9:40], text[40:] + b'.\r\n'):
                c.send(octet)
            return c.reply()[0]
        except (Closed, BrokenPipeError, ConnectionResetError):
            return None
        finally:
            c.close()

    def victims(self):
        """(pid, role) of about everybody; it has to be quick."""
        listener, poller = self.p.listener.pid, self.d.proc.pid
        found = [(listener, 'listener'), (poller, 'poller')]
        for parent, role in (listener, 'session'), (poller, 'worker'):
            with open('/proc/%d/task/%d/children' % (parent, parent)) as f:
                found += [(int(pid), role) for pid in f.read().split()]
        return found

    def enough(self):
        return (sum(self.sent.values()) >= SIGNALS and
                self.heard[250] >= 20 and self.heard[421] > 0)

    def run(self):
        threads = [threading.Thread(target=self.client, args=(n,))
                   for n in range(CLIENTS)]
        for th in threads:
            th.start()
        r, end = random.Random(1), time.monotonic() + PATIENCE
        while not self.enough() and time.monotonic() < end:
            for pid, role in self.victims():
                what = r.choice(ANY + MORE[role])
                # most sessions shall come to their end
                if what == signal.SIGTERM and role == 'session' and \
                        r.random() < 0.9:
                    continue
                try:
                    os.kill(pid, what)
                except ProcessLookupError:
                    continue
                self.sent[role] += 1
        self.over = True
        for th in threads:
            th.join()

    def the_end(self):
        """All leave when they are told to, of their own accord."""
        self.p.listener.terminate()
        self.d.proc.terminate()
        assert self.p.listener.wait(20) == 0, self.p.logged()[-900:]
        assert self.d.proc.wait(40) == 0, self.p.logged()[-900:]


def storm(directory):
    s = Storm(directory)
    s.run()
    p = s.p
    t.note('signals %s, replies %s' % (dict(s.sent), dict(s.heard)))
    assert not s.faults, s.faults[:3]
    assert set(s.heard) <= {250, 421}, (s.heard, p.logged()[-1500:])
    assert s.enough(), (s.sent, s.heard)
    s.the_end()
    log = p.logged()
    for sign in ('Sanitizer', 'runtime error', 'session-killed',
                 'worker-died', 'worker-lost'):
        assert sign not in log, log[log.index(sign) - 200:][:1500]
    got = [split_trace(m)[1] for m in p.take()]
    count = collections.Counter(m.split(b'\n')[0][9:] for m in got)
    assert all(m.endswith(b'\n\n' + b'x' * 70 + b'\n') for m in got)
    assert set(count) == s.stored and set(count.values()) == {1}, (
        set(count) ^ s.stored)
    assert not p.rubbish(), p.rubbish()


Postern().clean()       # the first one isolates this process
with tempfile.TemporaryDirectory() as directory:
    for name in 'smtpd', 'deliver':
        sanitized.build(name, directory)
    t.run('a storm of signals', storm, directory)
t.done()
