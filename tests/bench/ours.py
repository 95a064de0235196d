"""postern in its two builds: smtpd with its own listener, or behind one of
the fronts of tests/lib/fronts.py; deliver started by it, or by a socket."""
import os
import shutil
import subprocess
import tempfile

import fronts
import postern
import settings
from postern import Postern, until
from servers import UID, Server

PROGRAMS = ('smtpd', 'deliver')


class Room:
    """What surrounds a program that sends: where it finds us."""

    def __init__(self, conf):
        self.conf = conf

    def command(self, argv):
        return ['env', 'POSTERN_CONF=' + self.conf] + argv


class Ours(Server):
    build = None        # below $B

    def __init__(self, under, **options):
        super().__init__(under, **options)
        # a limit per client would be the load's, which is one client
        self.conf = {'connection-limit': '4000', 'source-limit': '4000',
                     'message-size-limit': '64M'}
        if self.tls:
            self.conf.update({'tls-certificate': self.tls + '.pem',
                              'tls-key': self.tls + '.key'})
        postern.BUILD = os.path.join(settings.BUILD, self.build)
        if self.front:
            self.p = getattr(fronts, self.front)(
                conf=self.conf, users=('alice',), under=under)
            self._socket_of_deliver()
        else:
            self.p = Postern(self.conf, users=('alice',), under=under)
            self.p.port = self.port
        self.port = self.p.port or self.port
        shutil.copy(os.path.join(postern.BUILD, 'sendmail'),
                    self.p.path('libexec', 'sendmail'))
        self.room = Room(self.p.conf)
        self.make_maildirs()
        self.p.write('users', ''.join('%s %s\n' % (n, self.maildir(n))
                                      for n in self.users))
        if not self.front:
            self.p.start(preexec_fn=self.group.enter)

    def _socket_of_deliver(self):
        """As postern-deliver.socket; an inetd has nothing like it."""
        if 'inetd' in self.front:
            return
        at = self.p.path('run', 'deliver')
        fronts.activate(self.p, '--seqpacket', '-l', at, self.p.deliver,
                        '-C', self.p.conf)
        assert until(lambda: os.path.exists(at)), self.p.logged()
        self.p.own(at, '_postern')

    def maildir(self, user):
        return self.p.path('home', 'alice', user)

    def make_maildirs(self):
        super().make_maildirs()
        os.chown(self.p.path('home', 'alice'), UID, UID)

    def logged(self):
        return self.p.logged()

    def sendmail(self):
        return [self.p.path('libexec', 'sendmail'), '-t', '-i', '-f',
                'sender@away.example']

    def installed(self):
        return sum(stripped(os.path.join(settings.BUILD, self.build, name))
                   for name in PROGRAMS) / 1024

    def stop(self):
        self.group.end()
        self.p.clean()


def stripped(path):
    """Bytes of a program as a package would have it."""
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run(['strip', '-o', f.name, path], check=True)
        return os.path.getsize(f.name)


class Glibc(Ours):
    name = 'postern glibc'
    build = ''


class Musl(Ours):
    name = 'postern musl'
    build = 'static'
