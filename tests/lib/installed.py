"""An installation with postern(8), which looks for the others where `make
install` puts them."""
import os
import re
import shutil
import subprocess

from postern import BUILD
from qsite import Site

RUN_S = 240     # a call of everybody, on a busy machine


class Installed(Site):
    """With the programs where `make install` puts them."""

    def __init__(self, conf=None, **more):
        super().__init__(conf, **more)
        os.makedirs(self.path('usr', 'bin'))
        os.makedirs(self.path('usr', 'libexec', 'postern'))
        shutil.copy(os.path.join(BUILD, 'postern'), self.path('usr', 'bin'))
        for name in 'smtpd', 'deliver', 'queue', 'tls':
            if name != 'tls' or os.path.exists(os.path.join(BUILD, name)):
                shutil.copy(os.path.join(BUILD, name),
                            self.path('usr', 'libexec', 'postern'))

    def postern(self, *args, code=None, **more):
        """Its output; stderr is the end of it."""
        more = dict(self.identity(), **more)
        p = subprocess.run([self.path('usr', 'bin', 'postern'), '-C',
                            self.conf, *args], timeout=RUN_S,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, **more)
        out = p.stdout.decode()
        assert code is None or p.returncode == code, (args, p.returncode, out)
        self.code = p.returncode
        return out


def has(out, *patterns):
    for pattern in patterns:
        assert re.search(pattern, out, re.M), (pattern, out)
