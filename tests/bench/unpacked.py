"""Debian packages that are unpacked under build/deps and seen only by their
own processes: laid over /usr in a mount name space of theirs, with files of
their own in /etc and with directories of the file system under test in the
places that are compiled in."""
import os
import shlex

import settings


def path(package, *names):
    return os.path.join(settings.DEPS, package, *names)


def present(package):
    return os.path.isdir(path(package, 'usr'))


def size(packages):
    """kB of the files that are not only to be read by people."""
    total = 0
    for package in packages:
        for at, dirs, files in os.walk(path(package)):
            if at == path(package, 'usr'):
                dirs[:] = [d for d in dirs if d != 'share']
            for name in files:
                file = os.path.join(at, name)
                if not os.path.islink(file):
                    total += os.path.getsize(file)
    return total / 1024


class Room:
    """What surrounds the processes of one server: `etc` and `usr` are
    directories laid over those of the system, `bound` is what stands in which
    place."""

    def __init__(self, packages, etc=None, usr=None, bound=None):
        lay = 'mount -t overlay overlay -o lowerdir=%s:%s %s'
        lines = []
        if etc:
            # ours are mounted over theirs, and a layer has no mounts
            for name in ('passwd', 'group'):
                with open('/etc/' + name) as f, open(
                        os.path.join(etc, name), 'w') as to:
                    to.write(f.read())
            lines.append(lay % (shlex.quote(etc), '/etc', '/etc'))
        layers = ([usr] if usr else []) + [path(p, 'usr') for p in packages]
        lines.append(lay % (':'.join(shlex.quote(s) for s in layers), '/usr',
                            '/usr'))
        lines += ['mount --bind %s %s' % (shlex.quote(own), shlex.quote(place))
                  for place, own in (bound or {}).items()]
        self.script = '\n'.join(lines + ['exec "$@"'])

    def command(self, argv):
        """This command, run in it."""
        return ['unshare', '-m', '--propagation', 'private', '--',
                'sh', '-ec', self.script, 'sh'] + argv
