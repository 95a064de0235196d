#!/usr/bin/env python3
"""Log lines of the queue in a real journal, with fields to look for; and as
text wherever standard error is anything else."""
import json
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from postern import BUILD, until                            # noqa: E402
from qsite import PASS_S, Site                              # noqa: E402
from sink import Sink                                       # noqa: E402
from tap import Tap                                         # noqa: E402

t = Tap()
JOURNALD = '/lib/systemd/systemd-journald'
RUN = '/run/systemd/journal'
AWAY = 'bob@away.example'


def may_run():
    if os.geteuid() != 0:
        return 'only root can start a journal'
    if not os.path.exists(JOURNALD):
        return 'no systemd-journald'
    if 'libsystemd' not in subprocess.run(
            ['ldd', os.path.join(BUILD, 'queue')],
            capture_output=True).stdout.decode():
        return 'built without libsystemd'
    return None


def start_journal():
    """In the empty /run of tests/lib/box.py, which has no /dev/kmsg."""
    os.makedirs(RUN)
    os.makedirs('/run/log/journal')
    daemon = subprocess.Popen([JOURNALD], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    assert until(lambda: os.path.exists(RUN + '/socket') and
                 os.path.exists(RUN + '/stdout')), 'no journal'
    return daemon


def entries(*match):
    subprocess.run(['journalctl', '--sync'], check=True, timeout=PASS_S)
    out = subprocess.run(['journalctl', '-o', 'json', '--no-pager', *match],
                         check=True, timeout=PASS_S,
                         stdout=subprocess.PIPE).stdout
    return [json.loads(line) for line in out.splitlines()]


def stream():
    """(a stream into the journal as a service gets it, JOURNAL_STREAM)"""
    s = socket.socket(socket.AF_UNIX)
    s.connect(RUN + '/stdout')
    s.sendall(b'queue\n\n6\n1\n0\n0\n0\n')
    st = os.fstat(s.fileno())
    return s, '%d:%d' % (st.st_dev, st.st_ino)


def run_pass(p, journal=None):
    s, name = stream()
    env = dict(os.environ, JOURNAL_STREAM=journal or name)
    with s:
        subprocess.run([p.queue, '-C', p.conf], stdin=subprocess.DEVNULL,
                       stderr=s.fileno(), env=env, timeout=PASS_S, check=True,
                       **p.identity())


def site():
    p = Site()
    sink = Sink({'RCPT': lambda line: '450 4.2.1 "not" now id=x = \\'
                 if 'busy' in line else '250 2.1.5 ok'})
    p.configure({'smarthost': sink.url})
    return p, sink


def life():
    """Of a message: what the next hop said of each recipient, and its end."""
    p, sink = site()
    one = p.put('a@here.example', [AWAY, 'busy@away.example'])
    two = p.put('a@here.example', [AWAY])
    run_pass(p)
    found = {(e['POSTERN_EVENT'], e.get('POSTERN_TO', '')): e
             for e in entries('POSTERN_ID=' + one)}
    assert sorted(found) == [('put-off', ''), ('relay', AWAY),
                             ('relay', 'busy@away.example')], found
    good, busy = found['relay', AWAY], found['relay', 'busy@away.example']
    assert good['POSTERN_STATUS'].startswith('2.') and \
        busy['POSTERN_STATUS'] == '4.2.1'
    assert good['POSTERN_RELAY'].endswith(':%d' % sink.port), good
    assert good['MESSAGE'].startswith('event=relay id=%s to=%s ' % (
        one, AWAY)), good
    assert (good['PRIORITY'], busy['PRIORITY']) == ('6', '5')
    assert 'id=x' in busy['POSTERN_REPLY'], busy
    assert '"' not in busy['POSTERN_REPLY'], busy
    # whatever the carrier said went through the pass
    pids = {e['_PID'] for e in found.values()}
    assert len(pids) == 1, pids
    ends = [e['POSTERN_EVENT'] for e in entries('POSTERN_ID=' + two)]
    assert sorted(ends) == ['relay', 'removed'], ends
    assert all(e['_UID'] == str(p.uid('_postern-queue'))
               for e in entries('POSTERN_ID=' + two))
    p.clean()


def nobody():
    """No host said anything: the line is the pass's own."""
    p, sink = site()
    p.configure({'smarthost': 'smtp://127.0.0.1:1'})
    one = p.put('a@here.example', [AWAY])
    run_pass(p)
    e, = entries('POSTERN_ID=' + one, 'POSTERN_EVENT=deferred')
    assert e['POSTERN_TO'] == AWAY and e['POSTERN_STATUS'][0] == '4', e
    p.clean()


def elsewhere():
    """JOURNAL_STREAM of somebody else: lines are text on standard error."""
    p, sink = site()
    one = p.put('a@here.example', [AWAY])
    run_pass(p, journal='1:2')
    assert entries('POSTERN_ID=' + one) == []
    mine = [e['MESSAGE'] for e in entries('SYSLOG_IDENTIFIER=queue')
            if one in e['MESSAGE']]
    assert len(mine) == 2 and mine[0].startswith('event='), mine
    two = p.put('a@here.example', [AWAY])
    os.environ['JOURNAL_STREAM'] = '1:2'
    p.pass_()
    del os.environ['JOURNAL_STREAM']
    assert '<6>event=relay id=' + two in p.logged()
    p.clean()


def gone():
    """There is no journal to be reached: lines are text, too."""
    p, sink = site()
    p.put('a@here.example', [AWAY])
    daemon.kill()
    daemon.wait()
    os.unlink(RUN + '/socket')
    log = open(p.log, 'ab')
    st = os.fstat(log.fileno())
    p.pass_(env=dict(os.environ, JOURNAL_STREAM='%d:%d' % (
        st.st_dev, st.st_ino)))
    assert p.files() == [] and sink.rcpts() == [AWAY]
    assert 'event=relay' in p.logged() and 'event=removed' in p.logged()
    p.clean()


why_not = may_run()
if why_not:
    print('1..0 # SKIP ' + why_not)
    sys.exit(0)
Site().clean()          # into the box
daemon = start_journal()
try:
    for test in (life, nobody, elsewhere, gone):
        t.run(test.__name__, test)
finally:
    daemon.kill()
    daemon.wait()
t.done()
