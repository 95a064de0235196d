#!/usr/bin/python3
"""A machine as it is installed: users of the system with their homes, root's
mail, system accounts; and the whole of it as one ordinary user."""
import os
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import box
import tap
from postern import Postern

t = tap.Tap()


def machine():
    """users system; Maildirs are not there yet."""
    p = Postern({'users': 'system', 'mailbox': None}, users=())
    for name in ('alice', 'bob'):
        p._mkdir('home/' + name, name, 0o700)
    box.homes(p.path('home'))
    p.start()
    return p


def sent(p, to, client=None):
    c = client or p.client()
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    reply = c.cmd('RCPT TO:<%s>' % to)
    if reply[0] == 250:
        c.want('354', 'DATA')
        reply = c.cmd('Subject: x\r\n\r\nx\r\n.')
    c.quit()
    return '%d %s' % (reply[0], reply[1][0])


def homes(p):
    """Maildirs are made in the homes, for their owners alone."""
    for name in ('alice', 'bob'):
        assert sent(p, name + '@here.example').startswith('250')
        path, = p.names(name)
        uid = box.USERS[name][0]
        while path != p.path('home', name):
            st = os.stat(path)
            assert (st.st_uid, st.st_gid) == (uid, uid), path
            assert stat.S_IMODE(st.st_mode) & 0o077 == 0, path
            path = os.path.dirname(path)


def no_home(p):
    """A user whose home is not there: later, nothing is made."""
    assert sent(p, 'carol@here.example').startswith('45')
    assert not os.path.exists(p.path('home', 'carol'))


def root(p):
    """root's mail is in root-mailbox, and root was nobody's uid."""
    assert sent(p, 'root@here.example').startswith('250')
    path, = p.names('root')
    assert os.stat(path).st_uid == box.USERS['_postern-deliver'][0]
    p.take('root')


def system_account(p):
    """Accounts of the system: 550 for strangers; from the unix socket their
    mail is root's."""
    assert sent(p, 'daemon@here.example').startswith('550')
    assert p.take('root') == []
    assert sent(p, 'daemon', p.local_client()).startswith('250')
    assert len(p.take('root')) == 1


def without_root(p):
    """Everything as one ordinary user."""
    q = Postern(user='alice')
    q.start()
    for client in (q.client(), q.local_client()):
        assert sent(q, 'bob@here.example', client).startswith('250')
    assert len(q.take('bob')) == 2
    out = subprocess.run(['ps', '-e', '-o', 'pgid=,uid='],
                         stdout=subprocess.PIPE, text=True).stdout
    uids = {s.split()[1] for s in out.splitlines()
            if int(s.split()[0]) == q.listener.pid}
    assert uids == {str(box.USERS['alice'][0])}, uids


def identities(p):
    """While it works nothing is root but what waits in front of deliver."""
    c = p.client()
    c.hello()
    out = subprocess.run(['ps', '-e', '-o', 'pgid=,uid=,args='],
                         stdout=subprocess.PIPE, text=True).stdout
    who = {}
    for s in out.splitlines():
        group, uid, args = s.split(None, 2)
        if int(group) == p.listener.pid:
            name = 'deliver' if args.split()[0].endswith('deliver') else \
                'smtpd'
            who.setdefault(name, []).append(int(uid))
    assert sorted(set(who['smtpd'])) == [0, box.USERS['_postern'][0]], who
    assert who['smtpd'].count(0) == 1, who
    assert set(who['deliver']) == {box.USERS['_postern-deliver'][0]}, who
    c.quit()


def long_line(p):
    """100 MB without a line end cost no memory."""
    c = p.client()
    c.want('220')
    for _ in range(100):
        c.send(b'x' * 1000000)
    peak = max(peaks(p))
    c.send(b'\r\n')
    c.want('500')
    c.quit()
    assert 0 < peak < 6000, '%d kB' % peak


def peaks(p):
    """Peak resident kB of each process of the listener's group."""
    out = subprocess.run(['ps', '-e', '-o', 'pgid=,pid=,args='],
                         stdout=subprocess.PIPE, text=True).stdout
    for s in out.splitlines():
        group, pid, args = s.split(None, 2)
        if int(group) != p.listener.pid or 'smtpd' not in args:
            continue
        with open('/proc/%s/status' % pid) as f:
            for line in f:
                if line.startswith('VmHWM'):
                    yield int(line.split()[1])


p = machine()
if not box.isolated():
    tap.skip_all('needs root and a name space of its own')
for test in (homes, no_home, root, system_account, identities, long_line,
             without_root):
    t.run((test.__doc__ or '').split('\n')[0], test, p)
t.done()
