#!/usr/bin/python3
"""postern(8): route, check and status, on installations that are as they
should be and on such that are not."""
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import tap
from hop import EHLO, OK, Authority, Hop
from installed import RUN_S, Installed, has
from postern import BUILD

t = tap.Tap()

# --- the command line -------------------------------------------------------

def command_line():
    p = Installed()
    for args in ((), ('bogus',), ('route',), ('route', 'a', 'b'),
                 ('check', 'x'), ('status', '-q'), ('check', '--json')):
        has(p.postern(*args, code=64), '^usage: postern')
    p.configure({'no-such-key': '1'})
    has(p.postern('route', 'alice', code=78), r'postern\.conf:\d+: .*unknown')
    has(p.postern('status', code=78), r'postern\.conf:\d+: .*unknown')
    for name in ('usr/bin/postern', 'usr/libexec/postern/smtpd',
                 'usr/libexec/postern/deliver', 'usr/libexec/postern/queue'):
        out = subprocess.run([p.path(name), '--version'], check=True,
                             stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE).stdout.decode()
        has(out, r'^%s \(postern\) [0-9.]+\n$' % os.path.basename(name))
    p.clean()


# --- route ------------------------------------------------------------------

ALIASES = '''# who is who
team: alice, bob,
  carol@away.example
postmaster: alice
loop: pool
pool: loop
gone: alice, nobody-here
list: :include:%s
owner-list: bob
sales: far@elsewhere.example, far@away.example
'''


def route_local():
    p = Installed()
    p.write('aliases', ALIASES % p.write('members', 'alice\nx@away.example\n'))
    box_ = re.escape(p.mailbox())
    has(p.postern('route', 'alice', code=0),
        r'^  alice: maildir %s, as uid %d$' % (box_, p.uid('alice')),
        '^from local programs: accepted$',
        '^from other hosts: refused, a domain is needed$')
    has(p.postern('route', 'alice+tag@here.example', code=0),
        r'^  alice: maildir %s' % box_, '^from other hosts: accepted$')
    has(p.postern('route', 'nobody-here@here.example', code=67),
        '^from local programs: refused: 5.1.1 no such user here$',
        '^from other hosts: refused: 5.1.1')
    has(p.postern('route', '-n', 'team@here.example', code=0),
        r'^  alias team \(%s:2\) leads to$' % re.escape(p.path('aliases')),
        r'^    alice: maildir %s' % box_, r'^    bob: maildir ',
        '^    carol@away.example: of another host, a foreign sender is rew',
        '^carol@away.example goes to the hosts of away.example$')
    has(p.postern('route', 'loop', code=75), 'leads to itself|not now',
        '^from local programs: put off: 4.4.6')
    has(p.postern('route', 'gone', code=0), 'nobody-here: nobody, left out')
    has(p.postern('route', '-n', 'list', code=0), r'the list .*/members',
        r'^ +alice: maildir .*, reverse-path owner-list@')
    has(p.postern('route', 'postmaster@here.example', code=0), 'alias post')
    has(p.postern('route', 'a b', code=65), '^not an address$')
    p.clean()


def route_users():
    """Accounts of the system, which local programs may write to."""
    if not box.isolated():
        raise tap.Skip('needs a user database of its own')
    p = Installed({'users': 'system', 'minimum-uid': '1000'})
    out = p.postern('route', 'daemon@here.example', code=0)
    has(out, '^  daemon: an account of the system', '^  root: maildir ',
        '^from other hosts: refused: 5.1.1')
    os.rename(p.mailbox('bob'), p.mailbox('bob') + '.x')
    p.configure({'users': 'file:' + p.path('users')})
    has(p.postern('route', 'bob', code=75), '^  bob: not now: ',
        '^    log: event=.*No such file', '^from local programs: put off')
    p.clean()


def route_hops():
    p = Installed({'smarthost': 'smtps://me@mail.example.net '
                                'smtp+tls://other.example',
                   'route': 'lists.example lmtp:/run/x',
                   'relay-domains': 'lists.example gate.example',
                   'resolver': '127.0.0.1:1'})
    p.write('known', 'bob@lists.example\n')
    has(p.postern('route', '-n', 'a@away.example', code=0),
        '^a@away.example goes to the smarthost$',
        '^  first smtps://me@mail.example.net:465$',
        r'^  else smtp\+tls://other.example:25$',
        '^from other hosts: refused: 5.7.1')
    has(p.postern('route', 'a@away.example', code=75),
        '^  not now: 4.4.3 the configured next hop could not be looked up')
    has(p.postern('route', 'a@LISTS.example', code=0),
        'goes by the route of lists.example', 'lmtp:unix:/run/x',
        '^  /run/x, LMTP: a unix socket, no TLS$',
        '^from other hosts: accepted$')
    p.configure({'relay-recipients': p.path('known')})
    has(p.postern('route', '-n', 'bob@lists.example', code=0),
        '^from other hosts: accepted$')
    has(p.postern('route', '-n', 'eve@lists.example', code=0),
        '^from other hosts: refused: 5.1.1')
    p.configure({'smarthost': 'smtp+tls://me@192.0.2.1:587'})
    has(p.postern('route', 'a@away.example', code=0),
        r'^  \[192.0.2.1\]:587: TLS by STARTTLS or not at all, '
        r'certificate verified, AUTH as me$')
    p.clean()


def route_forward():
    """~/.forward: of whoever asks, and of everybody when root does."""
    if not box.isolated():
        raise tap.Skip('needs users of its own')
    p = Installed({'users': None, 'mailbox': 'maildir:~/Maildir'})
    homes = {}
    for name in 'alice', 'bob':
        homes[name] = home = pwd.getpwnam(name).pw_dir
        shutil.rmtree(home, ignore_errors=True)
        os.makedirs(home, 0o700)
        p.own(home, name)
    path = os.path.join(homes['alice'], '.forward')

    def forward(text, mode=0o600):
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, mode)
        p.own(path, 'alice')

    def asked_by(name, code=0):
        who = {} if name == 'root' else {
            'user': p.uid(name), 'group': p.uid(name), 'extra_groups': []}
        return p.postern('route', '-n', 'alice@here.example', code=code,
                         **who)

    forward('\\alice, bob\ncarol@away.example\n')
    for name in 'root', 'alice':
        out = asked_by(name)
        has(out, '^  alice: %s leads to$' % re.escape(path),
            '^    alice: maildir ', '^    bob: maildir ',
            '^    carol@away.example: of another host',
            '^carol@away.example goes to the hosts of away.example$')
        own = [s for s in out.splitlines() if s.startswith('    alice: ')]
        assert len(own) == 1 and 'unless' not in own[0], out
    # bob's own is unknown to alice, and may say otherwise
    has(out, '^    bob: .*, unless .*/.forward says otherwise$')
    out = asked_by('bob')
    has(out, '^  alice: maildir .*, unless %s says otherwise$' %
        re.escape(path))
    assert 'carol' not in out, out
    forward('bob\n', 0o666)
    for name in 'root', 'alice':
        has(asked_by(name, 75), '^ +log: event=forward .*error=.*others can '
            'write to the file', '^from local programs: put off: 4.3.5')
    os.unlink(path)
    for name in 'root', 'alice':
        assert 'unless' not in asked_by(name)
    p.clean()


def sendmail_verifies():
    """sendmail -bv finds postern(8) from where `make install` puts it, and by
    its other name."""
    p = Installed()
    for name in 'sbin', 'lib':
        os.makedirs(p.path('usr', name))
    shutil.copy(os.path.join(BUILD, 'sendmail'), p.path('usr', 'sbin'))
    os.symlink('../sbin/sendmail', p.path('usr', 'lib', 'sendmail'))
    env = dict(os.environ, POSTERN_CONF=p.conf)
    for name in 'sbin', 'lib':
        for address, code in (('alice', 0), ('nobody-here', 67), ('a b', 65)):
            r = subprocess.run(
                [p.path('usr', name, 'sendmail'), '-bv', address], env=env,
                timeout=RUN_S, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                **p.identity())
            out = r.stdout.decode()
            assert r.returncode == code, (name, address, r)
            assert out == p.postern('route', address, code=code), (name, r)
        has(p.postern('route', 'alice'), '^  alice: maildir ')
    p.clean()


# --- status -----------------------------------------------------------------

def status():
    p = Installed()
    out = p.postern('status', code=0)
    has(out, '^queue: empty$', r'^version: postern [0-9.]+, smtpd [0-9.]+,',
        '^sandbox: ', 'socket .*/run/smtp: nobody listens$',
        '^room: [0-9]+ MiB')
    now = int(time.time())
    late = {'code': '4.4.1', 'text': 'mx.away.example[192.0.2.9]:25: '
                                     'Connection refused'}
    p.put('a@here.example', [('x@away.example', late), 'y@away.example'],
          arrival=now - 7200, next=now + 600, attempts=1)
    p.put('a@here.example', [('z@away.example', late),
                             ('w@away.example', {'status': 'D'})],
          arrival=now - 60, next=now + 6000, attempts=1)
    p.put('a@here.example', [('h@away.example', {
        'code': '4.7.0', 'text': 'not today'})], arrival=now, held=True)
    p.put_octets('q1700000000', b'this is no message\n')
    p.start()
    out = p.postern('status', code=0)
    has(out, '^queue: 3 messages for 4 recipients, 1 KiB, oldest 2h, next '
             'attempt in [0-9]+m, held 1$',
        r'^  2 times 4\.4\.1 mx\.away\.example\[192\.0\.2\.9\]:25: Conn.*\n'
        '  1 times 4.7.0 not today$', '^  files that are no message: 1$',
        'socket .*/run/smtp: listening$', 'socket .*/deliver: listening$')
    one = json.loads(p.postern('status', '--json', code=0))
    assert (one['messages'], one['recipients'], one['held'], one['oldest'],
            one['next_attempt'], one['unreadable']) == (
                3, 4, 1, now - 7200, now + 600, 1), one
    assert one['errors'][0] == {'recipients': 2, 'text': '4.4.1 ' +
                                late['text']}, one
    assert one['listening']['local'] and one['listening']['deliver'], one
    assert one['version']['queue'] == one['version']['postern'], one
    p.clean()


def status_of_others():
    if not box.isolated():
        raise tap.Skip('needs users of its own')
    p = Installed()
    p.put('a@here.example', ['secret@away.example'])
    who = {'user': p.uid('bob'), 'group': p.uid('bob'), 'extra_groups': []}
    out = p.postern('status', code=77, **who)
    has(out, '^queue: cannot be read: root may ask$', '^sandbox: ')
    assert 'secret' not in out
    assert 'messages' not in json.loads(
        p.postern('status', '--json', code=77, **who))
    p.clean()


# --- check ------------------------------------------------------------------

def good(conf=None, **more):
    p = Installed(conf, **more)
    if p.multi:
        os.chown(p.path('spool'), 0, 0)
        os.chown(p.path('run'), 0, 0)
    p.start()
    return p


def check_good():
    p = good({'resolver': '127.0.0.1:1'})
    out = p.postern('check', '-n')
    t.ok(p.code == 0 and 'fault:' not in out, 'a good installation', out)
    for what in (r'ok: .*postern\.conf: no fault', 'ok: no open relay',
                 'ok: .*/libexec/postern/smtpd: version',
                 'ok: .*run/smtp: smtpd answers',
                 'ok: .*run/deliver: deliver listens',
                 'ok: postmaster: ', 'ok: root: ', 'ok: .*users: 3 users',
                 'ok: offline: '):
        t.ok(re.search('^' + what, out, re.M), '... ' + what, out)
    quiet = p.postern('check', '-nq', code=0)
    t.ok('ok:' not in quiet and 'warning: ' in quiet,
         '-q: warnings and faults only', quiet)
    p.clean()


def conf_faults(p):
    p.configure({'no-such-key': '1', 'smarthost': 'mail.example.net',
                 'relay-networks': '0.0.0.0/0'})
    out = p.postern('check', '-n', code=78)
    lines = [s for s in out.splitlines() if s.startswith('fault: ')]
    assert len(lines) == 3, out
    has(out, r"^fault: .*postern\.conf:\d+: 'no-such-key 1': unknown key$",
        r"^fault: .*postern\.conf:\d+: 'smarthost mail",
        r"^fault: .*postern\.conf:\d+: 'relay-networks 0.0.0.0/0': an open "
        'relay')


def relay_warnings(p):
    p.configure({'relay-networks': '8.0.0.0/8', 'dnssec': 'off',
                 'relay-domains': 'gate.example', 'hostname': 'short'})
    out = p.postern('check', '-n')
    has(out, r'^warning: .*postern\.conf:\d+: a network of more than 65536',
        r'^warning: .*postern\.conf:\d+: without relay-recipients',
        r"^warning: .*postern\.conf:\d+: the name 'short' has no dot",
        r'^warning: .*postern\.conf:\d+: without DNSSEC')


def submission(p):
    p.configure({'sender-map': '/nonexistent/m', 'submission-rate': '10/1h'})
    out = p.postern('check', '-n', code=78)
    has(out, r'^fault: .*postern\.conf:\d+: /nonexistent/m: No such file')
    if p.multi:
        has(out, r'^warning: .*conf:\d+: is counted by a smtpd that listens')


def alias_faults(p):
    p.write('aliases', 'team: alice, nobody-here\nthis is nothing\n'
                       'run: |/bin/true\nloop: pool\npool: loop\n'
                       'more: :include:/nonexistent\n')
    out = p.postern('check', '-n', code=78)
    has(out, r"^fault: .*/aliases:1: 'nobody-here' is nobody$",
        r'^fault: .*/aliases:2: not understood',
        r"^fault: .*/aliases:3: '/bin/true': commands are not enabled",
        r"^fault: .*/aliases:4: '.*': .*leads to itself",
        r"^fault: .*/aliases:6: '/nonexistent': cannot be included.*No such")


def users_faults(p):
    p.write('users', 'alice %s\nbob relative\ncarol /nonexistent/x\n'
            % p.mailbox())
    out = p.postern('check', '-n', code=78)
    has(out, r"^fault: .*/users:2: 'bob' has no absolute mailbox path$",
        r"^fault: .*/users:3: 'carol': No such file")
    os.unlink(p.path('users'))
    has(p.postern('check', '-n', code=78), '^fault: .*/users: cannot be read')


def no_listener(p):
    p.stop()
    has(p.postern('check', '-n', code=69),
        '^fault: .*run/smtp: nobody listens')
    # what is there and says nothing good
    with socket.socket(socket.AF_UNIX) as s:
        os.unlink(p.path('run', 'smtp'))
        s.bind(p.path('run', 'smtp'))
        os.chmod(p.path('run', 'smtp'), 0o666)
        s.listen(4)
        s.settimeout(RUN_S)
        child = os.fork()
        if child == 0:
            c, _ = s.accept()
            c.sendall(b'421 4.3.5 configuration error here\r\n')
            os._exit(0)
        has(p.postern('check', '-n', code=69),
            '^fault: .*run/smtp: smtpd does not serve: 421 4.3.5')
        os.waitpid(child, 0)


def recipients_missing(p):
    p.configure({'relay-domains': 'gate.example',
                 'relay-recipients': '/nonexistent/r'})
    has(p.postern('check', '-n', code=78),
        '^fault: /nonexistent/r: cannot be read: No such file')


def programs_missing(p):
    os.unlink(p.path('usr', 'libexec', 'postern', 'queue'))
    has(p.postern('check', '-n', code=78), '^fault: queue: the program is')
    p.write('usr/libexec/postern/deliver',
            '#!/bin/sh\necho "deliver (postern) 9.9"\n')
    os.chmod(p.path('usr/libexec/postern/deliver'), 0o755)
    has(p.postern('check', '-n'), '^warning: .*/deliver: is of another ver')


def password_file(p):
    path = p.write('credentials', 'other.example me x\n')
    p.configure({'smarthost': 'smtp+tls://me@192.0.2.1',
                 'credentials': path})
    has(p.postern('check', '-n', code=78),
        '^fault: .*/credentials: has mode 0644: others can read passwords')
    os.chmod(path, 0o600)
    p.own(path, '_postern-queue' if p.multi else 'alice')
    has(p.postern('check', '-n', code=78),
        '^fault: .*/credentials: no line for user me at host 192.0.2.1$')
    with open(path, 'a') as f:
        f.write('192.0.2.1 me hidden\n')
    out = p.postern('check', '-n')
    has(out, '^ok: .*/credentials: a password for each user$')
    assert 'hidden' not in out
    if p.multi:
        os.chown(path, p.uid('bob'), p.uid('bob'))
        has(p.postern('check', '-n', code=78),
            '^fault: .*/credentials: does not belong to _postern-queue')


def pair_of(p, ca, name, *dates):
    """A chain and its key, which belong to whom tls reads them as."""
    ca.issue('DNS:' + name, *dates)
    for end in '.pem', '.key':
        shutil.copy(ca.last + end, p.path(name + end))
        os.chmod(p.path(name + end), 0o600)
        p.own(p.path(name + end), '_postern-tls' if p.multi else 'alice')
    return p.path(name + '.pem'), p.path(name + '.key')


def ends_in(days):
    return time.strftime('%Y%m%d%H%M%SZ', time.gmtime(
        time.time() + days * 86400))


def certificates(p):
    if not os.path.exists(p.path('usr', 'libexec', 'postern', 'tls')):
        raise tap.Skip('built without OpenSSL')
    ca = Authority()
    old = '20200101000000Z'
    good_, key = pair_of(p, ca, 'good.example', old, ends_in(40.5))

    def told(code, *patterns, cert=good_, key=key):
        p.configure({'tls-certificate': cert, 'tls-key': key})
        out = p.postern('check', '-n')
        has(out, *patterns)
        assert p.code == code, (p.code, out)
        return out

    out = told(0, '^ok: .*/good.example.pem: ends in 40 days$')
    assert 'cannot read' not in out and 'everybody' not in out, out
    has(out, '^warning: .*run/tls: is not there: no TLS is offered unless')
    soon = pair_of(p, ca, 'soon.example', old, ends_in(13.5))
    told(0, '^warning: .*/soon.example.pem: ends in 13 days$',
         cert=soon[0], key=soon[1])
    for name, dates, text in (
            ('expired.example', (old, ends_in(-0.1)), 'has expired'),
            ('future.example', (ends_in(2), ends_in(90)), 'is not valid yet')):
        pair = pair_of(p, ca, name, *dates)
        told(78, '^fault: .*/%s.pem: %s$' % (name, text),
             cert=pair[0], key=pair[1])
    told(78, '^fault: .*/good.example.pem: .*mismatch', key=soon[1])
    told(78, '^fault: /nonexistent/k: No such file', key='/nonexistent/k')
    told(78, '^fault: .*/users: ', cert=p.path('users'))
    told(0, '^ok: credential:cert: only the service sees it$',
         cert='credential:cert', key='credential:key')
    os.chmod(key, 0o644)
    told(0, '^warning: .*/good.example.key: everybody can use this key$')
    os.chmod(key, 0)
    if p.multi:
        p.own(key, 'bob')
        told(0, '^warning: .*example.key: _postern-tls cannot read it$')
        who = {'user': p.uid('bob'), 'group': p.uid('bob'),
               'extra_groups': []}
        has(p.postern('check', '-n', **who), '^warning: .*good.example.pem: '
            'Permission denied: ask again as root$')
    elif os.geteuid() != 0:
        told(78, '^fault: .*/good.example.key: Permission denied$')
    directory_of_certificates(p, soon)
    os.unlink(p.path('usr', 'libexec', 'postern', 'tls'))
    told(78, '^fault: tls: the program is not where it should be$')
    ca.clean()


def directory_of_certificates(p, pair):
    os.makedirs(p.path('live', 'soon.example'))
    p.configure({'tls-certificate': None, 'tls-key': None,
                 'tls-directory': p.path('live')})
    has(p.postern('check', '-n', code=78),
        '^fault: .*/live: there is no certificate$')
    for old, new in zip(pair, ('fullchain.pem', 'privkey.pem')):
        shutil.move(old, p.path('live', 'soon.example', new))
    has(p.postern('check', '-n', code=0),
        '^warning: .*/live/soon.example/fullchain.pem: ends in 13 days$')


def other_sockets(p):
    """Of tls and command: whose they are, and that others cannot connect."""
    p.configure({'commands': 'on', 'tls-certificate': 'credential:c',
                 'tls-key': 'credential:k'})
    has(p.postern('check', '-n', code=0),
        r'^warning: .*run/command: is not there: mail for \|command waits$')
    for name, owner_ in (('tls', '_postern'), ('command', '_postern-deliver')):
        path = p.path('run', name)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.bind(path)
            p.own(path, owner_ if p.multi else 'alice')
            os.chmod(path, 0o666)
            has(p.postern('check', '-n', code=78),
                '^fault: .*run/%s: has mode 0666, not 0600' % name)
            os.chmod(path, 0o600)
            has(p.postern('check', '-n', code=0),
                '^ok: .*run/%s: owner and mode$' % name)
            if p.multi:
                p.own(path, 'bob')
                has(p.postern('check', '-n', code=78),
                    '^fault: .*run/%s: does not belong to who' % name)
        os.unlink(path)
        p.write('run/' + name, '')
        has(p.postern('check', '-n', code=78),
            '^fault: .*run/%s: is no socket$' % name)
        os.unlink(path)


ALONE = (conf_faults, relay_warnings, submission, alias_faults, users_faults,
         no_listener, recipients_missing, programs_missing, password_file,
         certificates, other_sockets)


# --- ... of owners and modes, as root ---------------------------------------

def mode(name, value, pattern):
    def spoil(p):
        old = os.stat(p.path(name)).st_mode & 0o7777
        os.chmod(p.path(name), value)
        has(p.postern('check', '-n', code=78), pattern)
        os.chmod(p.path(name), old)
        p.postern('check', '-n', code=0)
    return spoil


def owner(name, who, pattern):
    def spoil(p):
        st = os.stat(p.path(name))
        uid = p.uid(who)
        os.chown(p.path(name), uid, st.st_gid)
        os.chmod(p.path(name), st.st_mode & 0o7777)
        has(p.postern('check', '-n', code=78), pattern)
        os.chown(p.path(name), st.st_uid, st.st_gid)
        os.chmod(p.path(name), st.st_mode & 0o7777)
        p.postern('check', '-n', code=0)
    return spoil


def group_of_queue(p):
    path = p.path('spool', 'queue')
    os.chown(path, p.uid('_postern-queue'), p.uid('bob'))
    os.chmod(path, 0o3770)
    has(p.postern('check', '-n', code=78),
        '^fault: .*spool/queue: is not of the group _postern')


def root_mailbox_is_mbox(p):
    os.rmdir(p.path('root-mailbox'))
    has(p.postern('check', '-n', code=78),
        '^fault: .*root-mailbox: No such file')
    p.write('root-mailbox', 'From x\n')
    has(p.postern('check', '-n', code=78),
        '^fault: .*root-mailbox: is no Maildir: set root-mailbox')
    p.write('aliases', 'root: alice\n')
    assert 'root-mailbox' not in p.postern('check', '-n', code=0)


def accounts(pattern, passwd=None, group=None, conf=None):
    """With another user database: the files are copies of our own."""
    def spoil(p):
        kept = []
        if conf:
            p.configure(conf)
            p.postern('check', '-n', code=0)
        try:
            for name, change in (('passwd', passwd), ('group', group)):
                with open('/etc/' + name) as f:
                    kept.append((name, f.read()))
                with open('/etc/' + name, 'w') as f:
                    f.write(change(kept[-1][1]) if change else kept[-1][1])
            has(p.postern('check', '-n', code=78), pattern)
        finally:
            for name, text in kept:
                with open('/etc/' + name, 'w') as f:
                    f.write(text)
    return spoil


def without(name):
    return lambda s: re.sub('^%s:.*\n' % name, '', s, flags=re.M)


def secret(p):
    path = p.write('state/srs-secret', 'x' * 32 + '\n')
    os.chown(path, p.uid('_postern-deliver'), p.uid('_postern-deliver'))
    has(p.postern('check', '-n', code=78),
        "^fault: .*srs-secret: is not _postern-deliver's alone")
    os.chmod(path, 0o600)
    has(p.postern('check', '-n', code=0), '^ok: .*srs-secret: owner and mode')
    shutil.rmtree(p.path('state'))
    has(p.postern('check', '-n', code=78), '^fault: .*/state/: No such file')


SHARED = (
    ('the secret of sender rewriting', secret),
    ('others may write into the spool', mode(
        'spool', 0o777, '^fault: .*/spool: has mode 0777: others can write')),
    ('smtpd cannot enter the spool', mode(
        'spool', 0o700, '^fault: .*/spool: smtpd .* has no way into it')),
    ('the mode of the queue', mode(
        'spool/queue', 0o777,
        '^fault: .*spool/queue: has mode 0777, not 3770')),
    ('the owner of the queue', owner(
        'spool/queue', '_postern',
        '^fault: .*spool/queue: belongs to _postern, not to _postern-queue')),
    ('the group of the queue', group_of_queue),
    ('others may write into run', mode(
        'run', 0o777, '^fault: .*/run: has mode 0777: others could listen')),
    ('the owner of run', owner(
        'run', 'bob', '^fault: .*/run: belongs to bob')),
    ('the mode of the request socket', mode(
        'run/deliver', 0o666,
        '^fault: .*run/deliver: has mode 0666, not 0600')),
    ('the owner of the request socket', owner(
        'run/deliver', 'bob',
        '^fault: .*run/deliver: does not belong to _postern')),
    ('the mode of the local socket', mode(
        'run/smtp', 0o600, '^fault: .*run/smtp: has mode 0600: not every')),
    ('the owner of root-mailbox', owner(
        'root-mailbox', 'bob', '^fault: .*root-mailbox: does not belong to')),
    ('root-mailbox is an mbox', root_mailbox_is_mbox),
    ('no user _postern-queue', accounts(
        '^fault: _postern-queue: no such user',
        passwd=without('_postern-queue'))),
    ('no user _postern-tls', accounts(
        '^fault: _postern-tls: no such user',
        passwd=without('_postern-tls'),
        conf={'tls-certificate': 'credential:c', 'tls-key': 'credential:k'})),
    ('_postern-command is deliver', accounts(
        '^fault: _postern-command: is another account, too',
        passwd=lambda s: re.sub(
            r'^(_postern-command:x):\d+',
            r'\1:%d' % box.USERS['_postern-deliver'][0], s, flags=re.M),
        conf={'commands': 'on'})),
    ('two users are one', accounts(
        '^fault: .*are not three users', passwd=lambda s: re.sub(
            r'^(_postern-deliver:x):\d+', r'\1:%d' % box.USERS['_postern'][0],
            s, flags=re.M))),
    ('_postern is root', accounts(
        '^fault: _postern: is root', passwd=lambda s: re.sub(
            r'^(_postern:x):\d+', r'\1:0', s, flags=re.M))),
    ('_postern-queue is not in the group', accounts(
        '^fault: _postern-queue: is not in the group _postern',
        group=lambda s: re.sub(r'^(_postern:x:\d+:).*', r'\1', s,
                               flags=re.M))),
    ('too many are in the group', accounts(
        '^fault: _postern: has members that need not',
        group=lambda s: re.sub(r'^(_postern:x:\d+:.*)', r'\1,_postern-deliver',
                               s, flags=re.M))),
)


def seen_by_others():
    """An ordinary user gets what he may see, and no fault from the rest."""
    p = good()
    os.chmod(p.path('spool'), 0o750)
    os.chown(p.path('spool'), 0, p.uid('_postern'))
    out = p.postern('check', '-n', user=p.uid('bob'), group=p.uid('bob'),
                    extra_groups=[])
    has(out, '^warning: .*spool/queue: cannot be seen: ask again as root$',
        '^ok: .*run/deliver: is closed to us', '^ok: mail for bob goes to ')
    assert p.code == 0, out
    p.clean()


# --- next hops, live --------------------------------------------------------

EMPTY = EHLO + b'250 END\r\n'


def tester(context, *steps, rcpt=OK):
    """Takes the envelope of a test, and must see no content."""
    def talk(c):
        c.opening(EHLO + b'250 STARTTLS\r\n')
        c.ask(b'220 go\r\n', b'STARTTLS\r\n')
        c.tls(context)
        c.opening_again = c.ask(EHLO + b'250 AUTH PLAIN\r\n', b'EHLO')
        for step in steps:
            step(c)
        c.group(OK, rcpt)
        c.ask(OK, b'RSET\r\n')
        c.end()
    return talk


def turn_away(c):
    c.ask(b'535 5.7.8 go away\r\n')
    c.end()
    raise OSError


def live(p, ca, *talks, url='smtp+tls://me@'):
    with Hop(*talks) as h:
        p.configure({'smarthost': url + h.where})
        out = p.postern('check', '-q', env=dict(
            os.environ, SSL_CERT_FILE=p.ca, PATH='/nonexistent'))
    return h, out


def hops():
    from base64 import b64encode as b64
    ca = Authority()
    p = good({'dnssec': 'off'})
    p.ca = p.path('ca.pem')
    shutil.copy(ca.ca, p.ca)
    os.chmod(p.ca, 0o644)
    path = p.write('credentials', '[127.0.0.1] me secret\n')
    os.chmod(path, 0o600)
    p.own(path, '_postern-queue' if p.multi else 'alice')
    p.configure({'credentials': path})
    good_one = ca.issue('IP:127.0.0.1')
    welcome = (lambda c: c.ask(b'235 2.7.0 welcome\r\n', b'AUTH PLAIN ' +
                               b64(b'\0me\0secret') + b'\r\n'))
    h, out = live(p, ca, tester(good_one, welcome))
    t.ok(p.code == 0 and not h.contents, 'a hop that takes our mail', out)
    verbs = [s.split(b' ')[0].strip() for s in h.heard[0] if s]
    t.ok(verbs[-4:] == [b'MAIL', b'RCPT', b'RSET', b'QUIT'],
         'MAIL, RCPT, RSET, QUIT, and no DATA', h.heard)
    h, out = live(p, ca, tester(good_one, turn_away))
    t.ok(p.code == 69 and re.search(
        r'^fault: .*postern\.conf:\d+: \[127.0.0.1\]:\d+: 4\.7\.8 535 5\.7\.8 '
        'go away$', out, re.M),
         'a wrong password: what was said, by whom, for which line', out)
    t.ok('secret' not in out, '... and not the password')
    h, out = live(p, ca, tester(good_one, welcome,
                                rcpt=b'550 5.7.1 who are you\r\n'))
    t.ok(p.code == 69 and 'does not take our mail: 5.7.1 550 5.7.1 who are '
         'you' in out, 'a refused recipient', out)
    h, out = live(p, ca, tester(ca.issue('IP:127.0.0.2'), welcome))
    t.ok(p.code == 69 and 'not who it must be' in out,
         "somebody else's certificate", out)
    h, out = live(p, ca, lambda c: (c.opening(EMPTY), c.end()))
    t.ok(p.code == 69 and 'STARTTLS is not offered' in out,
         'no STARTTLS where it must be', out)
    p.configure({'smarthost': 'smtp://127.0.0.1:1'})
    out = p.postern('check', '-q')
    t.ok(p.code == 69 and re.search('127.0.0.1.*4.4.1 Connection refused',
                                    out), 'nobody there', out)
    routes(p)
    ca.clean()
    p.clean()


def routes(p):
    """Each domain's hops, all of them, for a recipient there."""
    def talk(c):
        c.opening(EMPTY)
        c.group(OK, OK)
        c.ask(OK, b'RSET')
        c.end()
    with Hop(talk) as one, Hop(talk) as two:
        p.configure({'smarthost': None, 'resolver': '127.0.0.1:1',
                     'route': 'lists.example smtp://%s smtp://%s' % (
                         one.where, two.where)})
        out = p.postern('check', '-f', 'me@here.example')
        heard = one.heard[0] + two.heard[0]
    t.ok(heard.count(b'RCPT TO:<postmaster@lists.example>\r\n') == 2 and
         sum(s.startswith(b'MAIL FROM:<me@here.example>')
             for s in heard) == 2,
         'a route: every hop of it', (heard, out))
    t.ok(p.code == 69 and 'the DNS does not answer' in out,
         'no DNS, which other domains need', out)


def main():
    t.run('command line', command_line)
    for test in (route_local, route_users, route_hops, route_forward,
                 sendmail_verifies, status, status_of_others):
        t.run(test.__name__.replace('_', ' '), test)
    check_good()
    for test in ALONE:
        p = good()
        t.run('check: ' + test.__name__.replace('_', ' '), test, p)
        p.clean()
    for name, test in SHARED:
        if not box.isolated():
            t.skip('check: ' + name, 'needs users of its own')
            continue
        p = good()
        t.run('check: ' + name, test, p)
        p.clean()
    if box.isolated():
        t.run('an ordinary user', seen_by_others)
    hops()
    t.done()


main()
