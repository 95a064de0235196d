"""A machine whose programs find postern's sendmail in its place: the test's
own mounts over /usr and /etc, with the packages that are unpacked under
build/deps."""
import ctypes
import os
import shutil
import subprocess

import box
import tap
from mailer import Mailer
from postern import BUILD, ROOT, Postern

DEPS = os.path.join(ROOT, 'build', 'deps')
PACKAGES = ('cron', 'systemd-cron', 'anacron', 'at', 'bsd-mailx', 'mailutils',
            'mdadm', 'smartmontools', 'logwatch', 'unattended-upgrades',
            'sudo', 'logcheck', 'mime-construct')


def mount(*args):
    subprocess.run(['mount', *args], check=True)


def package(name):
    """Its tree, or this test is skipped."""
    path = os.path.join(DEPS, name)
    if not os.path.isdir(path):
        raise tap.Skip('Debian\'s %s is not unpacked in build/deps' % name)
    return path


class Machine(Postern):
    """smtpd listens on its unix socket; /usr/sbin/sendmail leads there."""

    def __init__(self):
        # users who send as somebody at their provider are a matter of
        # trusted-users and sender-map
        super().__init__({'trusted-users': '*'})
        if not box.isolated():
            tap.skip_all('it lays files of its own over /usr and /etc')
        self.room = self.path('room')
        os.mkdir(self.room)
        mount('-t', 'tmpfs', 'tmpfs', self.room)
        self._usr()
        self._etc()
        for name in ('spool', 'lib', 'log'):
            self._fresh('/var/' + name)
        self.mailer = Mailer(self)

    def _layer(self, *names):
        path = os.path.join(self.room, *names)
        os.makedirs(path, exist_ok=True)
        return path

    def _usr(self):
        """Ours first, then the packages, then the machine's."""
        ours = self._layer('usr')
        for name in ('sbin', 'lib', 'bin', 'libexec/postern'):
            self._layer('usr', name)
        shutil.copy(os.path.join(BUILD, 'sendmail'), ours + '/sbin/sendmail')
        os.symlink('../sbin/sendmail', ours + '/lib/sendmail')
        for name in ('smtpd', 'deliver'):
            shutil.copy(os.path.join(BUILD, name),
                        ours + '/libexec/postern/' + name)
        layers = [ours]
        for name in PACKAGES:
            tree = os.path.join(DEPS, name)
            if not os.path.isdir(tree):
                continue
            layers.append(tree + '/usr')
            for part in ('bin', 'sbin', 'lib'): # where /usr is merged
                if os.path.isdir(os.path.join(tree, part)):
                    shutil.copytree(os.path.join(tree, part),
                                    os.path.join(ours, part), symlinks=True,
                                    dirs_exist_ok=True)
        mount('-t', 'overlay', 'overlay', '-o',
              'lowerdir=%s:/usr' % ':'.join(
                  p for p in layers if os.path.isdir(p)), '/usr')

    def _etc(self):
        """Over it, and what box.py has mounted in it."""
        upper, work = self._layer('etc'), self._layer('etc-work')
        for name in ('passwd', 'group'):
            shutil.copy('/etc/' + name, upper)
        for name in PACKAGES:
            tree = os.path.join(DEPS, name, 'etc')
            if os.path.isdir(tree):
                shutil.copytree(tree, upper, dirs_exist_ok=True,
                                symlinks=True)
        os.makedirs(upper + '/postern')
        os.symlink(self.conf, upper + '/postern/postern.conf')
        mount('-t', 'overlay', 'overlay', '-o', 'lowerdir=/etc,upperdir=%s,'
              'workdir=%s' % (upper, work), '/etc')

    def _fresh(self, path):
        mount('-t', 'tmpfs', 'tmpfs', path)
        os.chmod(path, 0o755)

    def run(self, args, user='root', text=b'', env=None, good=(0,), **more):
        """A program as this user; what it says is in the failure."""
        account = {}
        uid, home = 0, '/root'
        if user != 'root':
            uid, home = self.uid(user), self.path('home', user)
            account = {'user': uid, 'group': uid, 'extra_groups': []}
        r = subprocess.run(
            args, input=text, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=120, cwd='/', **account, **more,
            env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': home,
                 'USER': user, 'LOGNAME': user, 'LC_ALL': 'C.UTF-8',
                 'SHELL': '/bin/sh', **(env or {})})
        assert r.returncode in good, '%s: exit %d\n%s\n%s' % (
            args, r.returncode, r.stdout.decode(errors='replace'),
            self.logged()[-800:])
        return r.stdout
