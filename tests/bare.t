#!/usr/bin/env python3
"""A queue that was built without libunbound, OpenSSL and libsystemd: it hands
mail to a smarthost, and says what is not built in when that is needed."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from postern import BUILD                                   # noqa: E402
from qsite import Site                                      # noqa: E402
from sink import Sink                                       # noqa: E402
from tap import Tap                                         # noqa: E402

t = Tap()
AWAY = 'bob@away.example'
BARE = os.path.abspath(os.path.join(BUILD, 'bare'))


def build():
    """From the same source, by what is there of it."""
    made = subprocess.run(
        ['make', '-s', 'B=' + BARE, 'UNBOUND=', 'OPENSSL=', 'SYSTEMD=',
         BARE + '/queue'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert made.returncode == 0, made.stdout.decode()[-3000:]
    needs = subprocess.check_output(['readelf', '-d', BARE + '/queue'])
    for name in (b'unbound', b'ssl', b'crypto', b'systemd'):
        assert b'NEEDED' in needs and name not in needs, needs.decode()


def site(conf):
    p = Site(conf)
    with open(os.path.join(BARE, 'queue'), 'rb') as f:
        octets = f.read()
    os.unlink(p.queue)
    with open(p.queue, 'wb') as f:
        f.write(octets)
    os.chmod(p.queue, 0o755)
    return p


def smarthost():
    p = site({})
    sink = Sink()       # in the network of the site
    p.configure({'smarthost': sink.url})
    p.put('alice@here.example', [AWAY])
    p.pass_()
    assert p.files() == [] and sink.rcpts() == [AWAY], p.logged()
    p.clean()


def by_name():
    """Nothing is known of a domain: its mail waits, and never comes back."""
    p = site({})
    name = p.put('alice@here.example', [AWAY])
    p.pass_()
    assert p.files() == [name], p.files()
    assert 'libunbound is not built in' in p.logged(), p.logged()
    assert 'event=deferred' in p.logged(), p.logged()
    p.clean()


def with_tls():
    """A hop that must be verified gets nothing, in clear least of all."""
    p = site({})
    sink = Sink(keywords=('PIPELINING', 'STARTTLS'))
    p.configure({'smarthost': sink.url.replace('smtp:', 'smtp+tls:')})
    name = p.put('alice@here.example', [AWAY])
    p.pass_()
    assert p.files() == [name] and sink.messages == [], p.logged()
    assert 'TLS is not built in' in p.pass_('-l') + p.logged(), p.logged()
    p.clean()


t.run('it is built', build)
if not t.failed:
    t.run('a smarthost', smarthost)
    t.run('by name', by_name)
    t.run('TLS', with_tls)
t.done()
