"""A server as the cases see it.  Each has its own defaults but for limits per
client, and as many empty Maildirs as the case has use for."""
import os
import subprocess

import box
import secure
import settings
import unpacked
from arrivals import Arrivals
from group import Group
from postern import Client, Closed, free_port, until

UID = box.USERS['alice'][0]     # of all mailboxes
SIZE_LIMIT = 64 << 20           # bytes of a message, with all servers
BOXES = 128


class Cannot(Exception):
    """The text tells what this server does not do."""


class Server:
    """under: where its files are.  users: names of its mailboxes; processes:
    how many connections at once it should be ready for, where that is a
    matter of processes; tls: it has a certificate."""
    name = None
    packages = ()
    without_smtp = None     # why it cannot be sent anything over TCP
    known = ''              # what a reader of its figures should know

    def __init__(self, under, users=None, processes=None, front=None,
                 tls=False):
        self.dir = os.path.join(under, self.name.replace(' ', '-'))
        self.users = users or ['u%d' % i for i in range(BOXES)]
        self.processes, self.front = processes, front
        # a certificate and its key: .pem and .key
        self.tls = secure.certificate(under) if tls else None
        self.unused = list(self.users)
        self.group = Group()
        self.port = free_port()
        self.pace = None        # messages per second, as far as is known

    def fresh(self):
        """A user whose Maildir nothing was delivered to yet."""
        return self.unused.pop(0)

    def arrivals(self, users):
        return Arrivals([self.maildir(u) for u in users])

    def maildir(self, user):
        return os.path.join(self.dir, 'mail', user)

    def make_maildirs(self):
        for name in self.users:
            for part in ('', 'tmp', 'new', 'cur'):
                path = os.path.join(self.maildir(name), part)
                os.makedirs(path, 0o700)
                os.chown(path, UID, UID)

    def answers(self):
        try:
            c = Client(('127.0.0.1', self.port))
            c.want('220')
            c.quit()
            return True
        except (OSError, AssertionError, Closed):
            return False

    def cpu(self):
        return self.group.settled()

    def memory(self):
        return self.group.memory()

    def logged(self):
        return ''

    def installed(self):
        """kB of its files."""
        return unpacked.size(self.packages)

    def mailbox_of(self, user):
        """The address in To:."""
        return user + '@here.example'

    def sendmail(self):
        """How a local program hands in a message."""
        raise Cannot('no sendmail')

    def stop(self):
        self.group.end()


class Peer(Server):
    """One that is not ours: unpacked, in a room of its own."""

    def __init__(self, under, **options):
        super().__init__(under, **options)
        for p in self.packages:
            if not unpacked.present(p):
                raise SystemExit('bench: %s is not unpacked in %s' % (
                    p, settings.DEPS))
        self.log = os.path.join(self.dir, 'log', 'log')
        self.proc = None
        self.etc = {}       # files to be seen in /etc
        self.bound = {}     # places in the system: directories of ours
        os.makedirs(self.dir)
        for name in ('etc', 'log', 'mail'):
            os.mkdir(os.path.join(self.dir, name), 0o755)
        os.chown(self.dir + '/mail', UID, UID)
        self.make_maildirs()
        self.prepare()
        for name, text in self.etc.items():
            self.write('layer/' + name, text)
        usr = self.dir + '/usr'     # files that prepare() left for it
        self.room = unpacked.Room(
            self.packages, etc=self.dir + '/layer' if self.etc else None,
            usr=usr if os.path.isdir(usr) else None,
            bound={k: os.path.join(self.dir, v)
                   for k, v in self.bound.items()})
        self.start()

    def prepare(self):
        """Directories and files before it starts."""

    def start(self):
        """A daemon by self.run(...), waited for."""

    def directory(self, name, owner, mode, group=None):
        at = os.path.join(self.dir, name)
        os.makedirs(at, exist_ok=True)
        os.chmod(at, mode)
        uid = box.USERS[owner][0] if owner else 0
        os.chown(at, uid, box.USERS[group][0] if group else uid)
        return at

    def write(self, name, text):
        at = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        with open(at, 'w') as f:
            f.write(text)
        return at

    def run(self, argv):
        with open(self.log + '.start', 'w') as log:
            self.proc = subprocess.Popen(
                self.room.command(argv), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=self.group.enter)
        if not until(self.answers):
            raise SystemExit('bench: %s does not answer\n%s' % (
                self.name, self.logged()[-3000:]))

    def logged(self):
        text = ''
        for name in (self.log, self.log + '.start'):
            try:
                with open(name, errors='replace') as f:
                    text += f.read()
            except FileNotFoundError:
                pass
        return text

    def stop(self):
        self.group.end()
        if self.proc:
            self.proc.wait()
