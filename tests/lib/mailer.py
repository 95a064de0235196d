"""sendmail of a private installation, run as its users."""
import os
import shutil
import subprocess

import box
from postern import BUILD, split_trace

OK, USAGE, DATAERR, NOUSER, NOHOST = 0, 64, 65, 67, 68
UNAVAILABLE, OSERR, IOERR, TEMPFAIL, NOPERM = 69, 71, 74, 75, 77


class Mailer:
    """sendmail beside p's smtpd, which it may start, and mailq and newaliases
    beside that."""

    def __init__(self, p):
        self.p = p
        self.program = p.path('libexec', 'sendmail')
        shutil.copy(os.path.join(BUILD, 'sendmail'), self.program)
        box.homes(p.path('home'))
        for name in ('mailq', 'newaliases'):
            os.symlink('sendmail', p.path('libexec', name))

    def identity(self, user):
        if not box.isolated():
            return self.p.identity()
        if user == 'root':
            return {}
        uid = box.USERS[user][0]
        return {'user': uid, 'group': uid, 'extra_groups': []}

    def environment(self, more=None):
        env = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8',
               'POSTERN_CONF': self.p.conf}
        env.update(more or {})
        return env

    def __call__(self, *args, text=b'Subject: x\n\nx\n', user='alice',
                 name=None, env=None, before=(), **more):
        """Runs it to its end; `before` are words in front of the command."""
        program = self.p.path('libexec', name) if name else self.program
        return subprocess.run([*before, program, *args], input=text,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment(env), cwd='/',
                              timeout=120, **self.identity(user), **more)

    def sends(self, *args, **more):
        """It must succeed, in silence."""
        r = self(*args, **more)
        assert (r.returncode, r.stdout, r.stderr) == (OK, b'', b''), (
            args, r, self.p.logged()[-1000:])
        return r

    def fails(self, code, *args, say=None, **more):
        r = self(*args, **more)
        assert r.returncode == code, (args, r, self.p.logged()[-1000:])
        assert r.stderr, (args, 'in silence')
        if say is not None:
            assert say.encode() in r.stderr, (args, r.stderr)
        return r

    def home(self, user='alice'):
        if box.isolated():
            return '/home/' + user
        return self.p.path('home', user)

    def dead(self, user='alice'):
        return os.path.join(self.home(user), 'dead.letter')


def arrived(p, *users):
    """The one message that each of them, and nobody else, has: (trace,
    header fields as [(name, value)], body)."""
    texts = {u: p.take(u) for u in ('alice', 'bob', 'carol', 'root')}
    for u, t in texts.items():
        assert len(t) == (1 if u in users else 0), (
            '%s has %d' % (u, len(t)), p.logged()[-1500:])
    trace, content = split_trace(texts[users[0]][0])
    header, _, body = content.partition(b'\n\n')
    fields = []
    for line in header.split(b'\n'):
        if line[:1] in b' \t' and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + b'\n' + line)
        elif line:
            name, _, value = line.partition(b':')
            fields.append((name.decode(), value[1:]))
    return trace, fields, body


def sender_of(trace):
    return trace.split(b'<', 1)[1].split(b'>', 1)[0].decode()
