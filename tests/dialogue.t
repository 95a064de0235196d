#!/usr/bin/python3
"""Every dialogue of tests/dialogue against the built smtpd: over its own
listener, as one session started on a connected socket, and with the client's
octets coming in pieces."""
import glob
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import tap
import qfile
from dialogue import Dialogue, Player, check_mail, check_queue
from postern import Client, Postern, until

ALIASES = '''
chain: Chain2
chain2: alice
both: alice, bob
ring1: ring2
ring2: ring1
list: alice
owner-list: bob
gone: someone@away.example
'''
BOXES = ('alice', 'bob', 'carol', 'root')
PIECES = 16     # every n-th dialogue goes octet by octet

t = tap.Tap()


def wait_for_mail(d, p):
    """An answered message is in its mailbox; only a connection that the
    client gave up needs a moment, to be sure that nothing comes."""
    if any(kind in ('close', 'reset') for kind, _ in d.steps):
        want = sum(low for low, _ in d.mail.values())
        until(lambda: not p.rubbish() and
              sum(len(p.names(b)) for b in BOXES) >= want, 2)
    check_mail(d, BOXES, p.take)
    check_queue(d, qfile.take(p))


class Listener:
    """One running smtpd per configuration."""

    def __init__(self):
        self.running = {}

    def of(self, d):
        key = d.settings()
        if key not in self.running:
            if len(self.running) >= 4:
                self.running.pop(next(iter(self.running))).clean()
            p = Postern(conf=dict(key), aliases=ALIASES)
            p.start()
            self.running[key] = p
        return self.running[key]

    def connect(self, d, p):
        where = p.local if d.peer == 'unix' else ('127.0.0.1', p.port)
        if not d.talks_first():
            return Client(where).sock
        # stopped, so that the client is certainly faster than the greeting
        p.listener.send_signal(signal.SIGSTOP)
        try:
            return Client(where, early=d.early()).sock
        finally:
            p.listener.send_signal(signal.SIGCONT)

    def play(self, d, step=None):
        p = self.of(d)
        Player(d, self.connect(d, p), step, d.early()).play()
        wait_for_mail(d, p)


class OneSession:
    """smtpd started for one connection, as inetd does it."""

    def __init__(self):
        self.p = Postern(aliases=ALIASES)
        self.base = dict(self.p.settings)

    def pair(self, d):
        """(client's end, server's end) of a real connection."""
        if d.peer == 'unix':
            listener = socket.socket(socket.AF_UNIX)
            path = self.p.path('run', 's')
            if os.path.exists(path):
                os.unlink(path)
            listener.bind(path)
            listener.listen()
            client = Client(path)
        else:
            listener = socket.create_server(('127.0.0.1', 0))
            client = Client(listener.getsockname())
        if d.talks_first():
            client.send(d.early())
        server, _ = listener.accept()
        listener.close()
        return client.sock, server

    def play(self, d, step=None):
        self.p.settings = dict(self.base)
        self.p.configure(dict(d.settings()))
        client, server = self.pair(d)
        proc = self.p.session(server)
        server.close()
        Player(d, client, step, d.early()).play()
        proc.wait(20)
        assert proc.returncode == 0, 'exit code %d\n%s' % (
            proc.returncode, self.p.logged()[-500:])
        self.p.procs.remove(proc)
        check_mail(d, BOXES, self.p.take)
        check_queue(d, qfile.take(self.p))
        assert not self.p.rubbish(), self.p.rubbish()


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    only = os.environ.get('DIALOGUE', '*')
    paths = sorted(glob.glob(os.path.join(here, 'dialogue', only + '.smtp')))
    dialogues = [Dialogue(path) for path in paths]
    # those of one configuration together: fewer programs to start
    dialogues.sort(key=lambda d: (d.settings(), d.path))
    listener, one = Listener(), OneSession()
    for d in dialogues:
        name = os.path.basename(d.path)[:-5]
        t.run(name + ': ' + d.about, listener.play, d)
    for d in dialogues:
        name = os.path.basename(d.path)[:-5]
        t.run('one session: ' + name, one.play, d)
    for i, d in enumerate(dialogues):
        name = os.path.basename(d.path)[:-5]
        size = sum(len(v) for k, v in d.steps if k == 'send')
        if d.whole or size > 100000:
            continue
        step = 1 if i % PIECES == 0 and size < 20000 else 2 + i * 7 % 61
        t.run('in pieces of %d: %s' % (step, name), listener.play, d, step)
    t.done()


main()
