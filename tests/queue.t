#!/usr/bin/env python3
"""The queue from end to end: what smtpd accepts for elsewhere reaches its next
hop, is tried again, or comes back to its sender."""
import email
import email.policy
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from postern import Client, until                                   # noqa: E402
from qsite import Site                                      # noqa: E402
from sink import Sink                                       # noqa: E402
from tap import Tap                                         # noqa: E402

t = Tap()
AWAY = 'bob@away.example'


def site(conf=None, **more):
    """A site whose smarthost is a sink of ours."""
    p = Site(conf, **more)
    sink = Sink()
    p.configure({'smarthost': sink.url})
    return p, sink


def report_of(message):
    """(the report as Python reads it, {address: its fields})"""
    m = email.message_from_bytes(message, policy=email.policy.default)
    assert m.get_content_type() == 'multipart/report', m.get_content_type()
    parts = list(m.iter_parts())
    assert [x.get_content_type() for x in parts][:2] == [
        'text/plain', 'message/delivery-status'], parts
    blocks = parts[1].get_payload()
    return m, {b['Final-Recipient'].split(';', 1)[1].strip(): b
               for b in blocks[1:]}


def equal(got, wanted, what=''):
    assert got == wanted, '%s\ngot    %r\nwanted %r' % (what, got, wanted)


# --- the way there --------------------------------------------------------

def delivered():
    p, sink = site()
    p.start()
    c = p.local_client()
    c.hello()
    body = b'Date: x\r\nMessage-ID: <x>\r\nSubject: x\r\n\r\nline\r\n..dots\r\nend\r\n'
    equal(c.mail(to=(AWAY, 'eve@far.example'), sender='alice@here.example',
                 content=body)[0], 250)
    p.pass_()
    equal(p.files(), [])
    equal(sink.rcpts(), [AWAY, 'eve@far.example'])
    equal(len(sink.messages), 1, 'one copy for one hop')
    content = sink.messages[0].content
    assert content.endswith(b'Subject: x\r\n\r\nline\r\n.dots\r\nend\r\n'), \
        content
    equal(sink.messages[0].sender, 'alice@here.example')
    p.clean()


def by_curl():
    p, sink = site({'relay-networks': '127.0.0.0/8'})
    p.start()
    subprocess.run(
        ['curl', '-sS', '--crlf', '--mail-from', 'alice@here.example',
         '--mail-rcpt', AWAY, '--upload-file', '-',
         'smtp://127.0.0.1:%d' % p.port], input=b'Subject: c\n\nx\n',
        check=True, timeout=30)
    p.pass_()
    equal(sink.rcpts(), [AWAY])
    equal(p.files(), [])
    p.clean()


def routes():
    p, hub = site()
    one, two = Sink(), Sink(lmtp=True, keywords=('PIPELINING',))
    p.configure({'route': 'one.example %s\nroute two.example %s' % (
        one.url, two.url)})
    p.put('a@here.example', ['x@one.example', 'y@two.example',
                             'z@sub.one.example', 'w@ONE.example'])
    p.pass_()
    equal(one.rcpts(), ['w@ONE.example', 'x@one.example'])
    equal(two.rcpts(), ['y@two.example'])
    equal(hub.rcpts(), ['z@sub.one.example'])
    equal(p.files(), [])
    p.clean()


def failover():
    p, good = site()
    dead = Sink({'': '421 4.3.2 not today'})
    p.configure({'smarthost': '%s %s' % (dead.url, good.url)})
    p.put('a@here.example', [AWAY])
    p.pass_()
    equal(good.rcpts(), [AWAY])
    assert dead.connections > 0, 'the first was not asked first'
    p.clean()


def local_recipients():
    """What smtpd could not settle: bare names and our domains."""
    p, sink = site()
    p.start()
    p.put('a@away.example', ['alice', ('bob@here.example', {'status': 'T'}),
                             AWAY])
    p.pass_()
    equal(len(p.messages('alice')), 1)
    equal(len(p.messages('bob')), 1)
    equal(sink.rcpts(), [AWAY])
    equal(p.files(), [])
    p.clean()


def local_later():
    """A local recipient that smtpd still cannot serve stays where it is: it
    is not queued anew, with a new arrival and for ever."""
    p, sink = site()
    p.start()
    closed = p.path('home', 'alice', 'Maildir', 'tmp')
    os.makedirs(closed, exist_ok=True)
    os.chmod(closed, 0o500)
    p.own(closed, 'alice')
    p.put('a@away.example', ['alice'])
    before = p.files()
    p.pass_()
    equal(p.files(), before, 'the same file')
    equal(p.messages('alice'), [])
    os.chmod(closed, 0o700)
    p.pass_('-a')
    equal(len(p.messages('alice')), 1)
    equal(p.files(), [])
    p.clean()


def many_over_one_connection():
    p, sink = site({'destination-concurrency': '1'})
    for _ in range(50):
        p.put('a@here.example', [AWAY])
    p.pass_()
    equal((len(sink.messages), sink.connections), (50, 1))
    p.clean()


# --- refusals -------------------------------------------------------------

def refusals():
    """4yz is tried again, 5yz comes back, whichever command it is."""
    p, sink = site()
    p.start()
    cases = [(verb, code) for verb in ('MAIL', 'RCPT', 'DATA', '.')
             for code in (450, 550)]
    cases += [('', 421), ('', 554), ('EHLO', 421), ('EHLO', 550)]
    for verb, code in cases:
        sink.replies = {verb: '%d %d.7.9 because of %s' % (
            code, code // 100, verb)}
        if verb == 'EHLO':
            sink.replies['HELO'] = sink.replies['EHLO']
        name = p.put('alice@here.example', [AWAY])
        p.pass_()
        bounces = p.take('alice')
        # a host that says 554 or refuses us at once is no answer about the
        # recipient: another one may take it
        if code >= 500 and verb not in ('', 'EHLO'):
            equal((len(bounces), p.files()), (1, []), (verb, code))
            _, rcpts = report_of(bounces[0])
            equal(rcpts[AWAY]['Status'], '5.7.9', (verb, code))
        elif bounces:
            assert code >= 500, (verb, code, 'came back')
        else:
            q = p.read(name)
            equal((q.status(), q.attempts, bounces), ('N', 1, []),
                  (verb, code))
            assert q.rcpts[0].text, (verb, code, q)
        for f in p.files():
            os.unlink(os.path.join(p.queue_dir, f))
    p.clean()


def one_of_three():
    """Each recipient has a fate of his own."""
    p, sink = site()
    p.start()

    def rcpt(line):
        if 'bad@' in line:
            return '550 5.1.1 no'
        return '450 4.2.2 full' if 'late@' in line else '250 2.1.5 ok'
    sink.replies['RCPT'] = rcpt
    name = p.put('alice@here.example', ['good@x.example', 'bad@x.example',
                                        'late@x.example'])
    p.pass_()
    equal(sink.rcpts(), ['good@x.example'])
    q = p.read(name)
    equal(q.status(), 'DBN')
    equal(q.rcpts[2].code, '4.2.2')
    assert '450 4.2.2 full' in q.rcpts[2].text, q.rcpts[2].text
    _, rcpts = report_of(p.take('alice')[0])
    equal(list(rcpts), ['bad@x.example'])
    p.pass_('-a')
    equal(p.read(name).attempts, 2)
    sink.replies.clear()
    p.pass_('-a')
    equal(p.files(), [])
    equal(sink.rcpts(), ['good@x.example', 'late@x.example'])
    equal(p.take('alice'), [])
    p.clean()


def hangs_up():
    """Ends at each stage without a word."""
    p, sink = site()
    for verb in ('', 'EHLO', 'MAIL', 'RCPT', 'DATA', '.'):
        sink.replies = {verb: lambda _: None}
        if verb == 'EHLO':
            sink.replies['HELO'] = sink.replies['EHLO']
        name = p.put('alice@here.example', [AWAY])
        p.pass_()
        q = p.read(name)
        equal((q.status(), q.attempts), ('N', 1), verb)
        os.unlink(os.path.join(p.queue_dir, name))
    p.clean()


def dead_is_remembered():
    """One attempt for a destination that is out of reach, not one for each
    message."""
    p = Site()
    sink = Sink({'': '421 4.3.2 not today'})
    p.configure({'smarthost': sink.url, 'destination-concurrency': '1'})
    names = [p.put('a@here.example', [AWAY]) for _ in range(40)]
    p.pass_()
    equal({p.read(n).attempts for n in names}, {1})
    equal(sink.connections, 1)
    p.clean()


# --- time -----------------------------------------------------------------

def retries():
    p, sink = site({'retry': '100s 1000s'})
    sink.replies['RCPT'] = '450 4.2.1 later'
    name = p.put('a@here.example', [AWAY])
    for attempt, interval in enumerate((100, 200, 400, 800, 1000, 1000), 1):
        before = int(time.time())
        p.pass_()
        q = p.read(name)
        equal(q.attempts, attempt)
        low, high = before + interval * 3 // 4, time.time() + interval * 5 / 4
        assert low <= q.next <= high + 1, (attempt, q.next - before)
        p.pass_()
        equal(p.read(name).attempts, attempt, 'it was not due')
        p.make_due()
    p.pass_('-a')
    p.pass_('-a')
    equal(p.read(name).attempts, 8, 'with -a it is always due')
    p.clean()


def given_up():
    p, sink = site({'queue-lifetime': '1h'})
    p.start()
    sink.replies['RCPT'] = '450 4.2.1 later'
    old = {'arrival': int(time.time()) - 4000, 'warned': True}
    few = p.put('alice@here.example', [AWAY], attempts=3, **old)
    young = p.put('alice@here.example', [AWAY], attempts=30)
    p.put('alice@here.example', [AWAY], attempts=7, **old)
    p.pass_()
    equal(p.files(), sorted([few, young]), 'old, and tried eight times')
    m, rcpts = report_of(p.take('alice')[0])
    equal(rcpts[AWAY]['Action'], 'failed')
    assert re.fullmatch('[45]\\.2\\.1', rcpts[AWAY]['Status']), rcpts
    p.clean()


def warned_once():
    p, sink = site({'delay-warning': '1h'})
    p.start()
    sink.replies['RCPT'] = '450 4.2.1 later'
    name = p.put('alice@here.example',
                 [AWAY, ('never@away.example', {'notify': 1}),
                  ('failure@away.example', {'notify': 4}),
                  ('delay@away.example', {'notify': 8})],
                 arrival=int(time.time()) - 4000)
    p.pass_()
    m, rcpts = report_of(p.take('alice')[0])
    equal(sorted(rcpts), [AWAY, 'delay@away.example'])
    equal({r['Action'] for r in rcpts.values()}, {'delayed'})
    assert p.read(name).warned
    equal(p.read(name).status(), 'NNNN')
    p.pass_('-a')
    equal(p.take('alice'), [], 'warned twice')
    p.clean()


# --- reports --------------------------------------------------------------

def bounce():
    p, sink = site()
    p.start()
    sink.replies['RCPT'] = '550 5.1.1 no such user here'
    c = p.local_client()
    c.hello()
    c.want(250, 'MAIL FROM:<alice@here.example> RET=HDRS ENVID=abc+2B1')
    c.want(250, 'RCPT TO:<%s> ORCPT=rfc822;robert@x.example' % AWAY)
    c.want(250, 'RCPT TO:<eve@away.example> NOTIFY=NEVER')
    c.want(354, 'DATA')
    c.send(b'Subject: hello\r\n\r\nsecret body\r\n.\r\n')
    c.want(250)
    p.pass_()
    equal(p.files(), [])
    got = p.take('alice')
    equal(len(got), 1)
    m, rcpts = report_of(got[0])
    equal(list(rcpts), [AWAY])
    equal(rcpts[AWAY]['Diagnostic-Code'],
          'smtp; 550 5.1.1 no such user here')
    equal(rcpts[AWAY]['Original-Recipient'], 'rfc822;robert@x.example')
    assert b'Original-Envelope-Id: abc+1' in got[0], got[0]
    assert b'Subject: hello' in got[0] and b'secret' not in got[0], got[0]
    assert got[0].startswith(b'Return-Path: <>\n'), got[0][:200]
    p.clean()


def bounce_of_a_bounce():
    """Nobody is told but our postmaster, once."""
    p, sink = site()
    p.start()
    sink.replies['RCPT'] = '550 5.1.1 no'
    p.put('', [AWAY])
    p.put('MAILER-DAEMON@far.example', [AWAY])
    p.pass_()
    equal(p.files(), [])
    equal(sink.messages, [])
    got = p.messages('root')
    equal(len(got), 2)
    for message in got:
        equal(list(report_of(message)[1]), [AWAY])
    p.clean()


def end_of_all_reports():
    """The bounce bounces, the postmaster's copy bounces: that is the end."""
    p, sink = site({'local-domains': 'nowhere.example'})
    sink.replies['RCPT'] = '550 5.1.1 no'
    local = Sink({'RCPT': '550 5.1.1 no'}, path=p.path('run', 'smtp'))
    p.put('a@away.example', [AWAY])
    p.pass_()
    equal(p.files(), [])
    equal(len(sink.messages) + len(local.messages), 0)
    assert 'event=report-lost' in p.logged(), p.logged()
    p.clean()


def success_reports():
    """A hop that knows DSN tells itself; for one that does not, we do."""
    p, sink = site()
    p.start()
    rcpts = [(AWAY, {'notify': 2}), ('quiet@away.example', {})]
    p.put('alice@here.example', rcpts)
    p.pass_()
    equal(p.take('alice'), [])
    assert 'NOTIFY=SUCCESS' in sink.messages[0].rcpt_lines[0]
    sink.keywords = ('PIPELINING',)
    p.put('alice@here.example', rcpts)
    p.pass_()
    m, told = report_of(p.take('alice')[0])
    equal({a: r['Action'] for a, r in told.items()}, {AWAY: 'relayed'})
    p.put('alice@here.example', [('bob@here.example',
                                  {'status': 'S', 'notify': 2})])
    p.pass_()
    m, told = report_of(p.take('alice')[0])
    equal({a: r['Action'] for a, r in told.items()},
          {'bob@here.example': 'delivered'})
    equal(p.files(), [])
    p.clean()


# --- operating ------------------------------------------------------------

def operating():
    p, sink = site()
    one = p.put('a@here.example', [AWAY])
    two = p.put('b@here.example', [AWAY], next=int(time.time()) + 600,
                attempts=2)
    p.pass_('-h', one)
    assert p.read(one).held
    p.pass_()
    p.pass_('-a')
    equal(p.files(), [one], 'held')
    equal(len(sink.messages), 1, 'the other one went with -a')
    p.pass_('-H', one)
    assert not p.read(one).held
    two = p.put('b@here.example', [AWAY], next=int(time.time()) + 600)
    p.pass_('-r', two)
    equal(p.files(), [one])
    p.pass_('-d', one)
    equal(p.files(), [])
    equal(len(sink.messages), 2)
    for option in '-r', '-d', '-h', '-H':
        p.pass_(option, one, code=66)
        p.pass_(option, '../' + one, code=65)
    p.pass_('-x', code=64)
    p.pass_('-l', '-a', code=64)
    p.pass_('more', code=64)
    p.write('broken.conf', 'smarthost smtp//x\n')
    p.pass_('-C', p.path('broken.conf'), code=78)
    p.clean()


def listing():
    p, sink = site()
    assert p.pass_('-l') == 'The queue is empty.\n'
    equal(p.pass_('-l', '--json'), '')
    sink.replies['RCPT'] = '450 4.2.2 "full" \\ here'
    one = p.put('a@here.example', ['x@away.example', 'y@away.example'],
                b'Subject: x\n\n' + b'z' * 1000 + b'\n')
    p.pass_()
    two = p.put('', ['"odd \\" one"@away.example'], held=True)
    rows = {r['queue_id']: r for r in map(
        json.loads, p.pass_('-l', '--json').splitlines())}
    equal(sorted(rows), sorted([one, two]))
    row = rows[one]
    equal((row['queue_name'], row['sender'], row['message_size']),
          ('deferred', 'a@here.example', 1013))
    equal([r['address'] for r in row['recipients']],
          ['x@away.example', 'y@away.example'])
    assert '450 4.2.2 "full" \\ here' in row['recipients'][0][
        'delay_reason'], row
    equal(rows[two]['queue_name'], 'hold')
    equal(rows[two]['recipients'][0]['address'],
          '"odd \\" one"@away.example')
    text = p.pass_('-l')
    assert one in text and 'x@away.example' in text and 'held' in text, text
    assert '-- 2 messages' in text, text
    with open(os.path.join(p.queue_dir, two), 'rb') as f:
        fcntl.flock(f, fcntl.LOCK_EX)       # as a pass has it
        rows = [json.loads(line)
                for line in p.pass_('-l', '--json').splitlines()]
        equal({r['queue_id']: r['queue_name'] for r in rows},
              {one: 'deferred', two: 'active'})
        text = p.pass_('-l')
        assert 'active <>' in text and 'held' not in text, text
    assert 'active' not in p.pass_('-l')
    p.clean()


def not_for_others():
    p = Site()
    if not p.multi:
        return
    done = subprocess.run([p.queue, '-C', p.conf, '-l'], user=p.uid('alice'),
                          group=p.uid('alice'), extra_groups=[],
                          capture_output=True, text=True, timeout=30)
    equal((done.returncode, done.stdout), (77, ''))
    assert '_postern-queue' in done.stderr, done.stderr
    p.clean()


def synced_together():
    """What is done is removed without a sync of each file, and the removals
    are on stable storage when the pass ends; a file that stays is synced."""
    p, sink = site()
    for _ in range(100):
        p.put('a@here.example', [AWAY, 'eve@away.example'])
    late = p.put('a@here.example', [AWAY, 'late@away.example'])
    sink.replies['RCPT'] = lambda line: ('450 4.2.2 later' if 'late@' in line
                                         else '250 2.1.5 ok')
    trace = p.path('trace')
    run = p.popen(['strace', '-y', '-o', trace, '-e',
                   'trace=fsync,fdatasync,unlinkat,pwrite64', p.queue, '-C',
                   p.conf])
    assert until(lambda: run.poll() is not None, 60), 'the pass does not end'
    equal(p.files(), [late])
    with open(trace) as f:
        calls = re.findall(r'^(\w+)\((.*)', f.read(), re.M)
    equal(sum(name == 'unlinkat' for name, _ in calls), 100)
    datas = [rest for name, rest in calls if name == 'fdatasync']
    assert len(datas) == 1 and late in datas[0], datas
    writes = [rest for name, rest in calls if name == 'pwrite64' and
              late not in rest]
    equal(len(writes), 100, 'marks: one for two who were done')
    order = [name for name, _ in calls if name in ('fsync', 'unlinkat')]
    equal(order[-1], 'fsync', 'after the last removal')
    p.clean()


# --- what must not disturb it ---------------------------------------------

def rubbish():
    p, sink = site()
    good = p.put('a@here.example', [AWAY])
    whole = open(os.path.join(p.queue_dir, good), 'rb').read()
    middle = len(whole) // 2
    bad = {
        'q1garbage': b'no message at all\n',
        'q2empty': b'',
        'q3cut': whole[:-1],
        'q4half': whole[:middle],
        'q5more': whole + b'x',
        'q6flip': whole.replace(b'bob@', b'bnb@'),
        'q7head': b'PQ1\n' + b'9' * 5000,
        'q8zero': b'\0' * 4096,
        'q9body': whole.replace(b'\nx\nEND', b'\ny\nEND'),
    }
    for name, octets in bad.items():
        p.put_octets(name, octets)
    for name, head in ('qasparse', b''), ('qbsparse', whole):
        p.put_octets(name, head)
        os.truncate(os.path.join(p.queue_dir, name), 10 << 30)
        bad[name] = None
    p.put_octets('qcversion', whole.replace(b'PQ1', b'PQ2'))
    os.mkdir(os.path.join(p.queue_dir, 'qddirectory'))
    os.mkfifo(os.path.join(p.queue_dir, 'qefifo'))
    os.symlink('/etc/passwd', os.path.join(p.queue_dir, 'qfsymlink'))
    p.put_octets('README (what?)', b'not ours')
    p.pass_()
    equal(sink.rcpts(), [AWAY], 'the good one went')
    left = p.files()
    assert 'qcversion' in left and 'README (what?)' in left, left
    moved = sorted(os.listdir(p.path('spool', 'bad')))
    for name, octets in bad.items():
        assert name in moved and name not in left, (name, moved, left)
        if octets is not None:
            with open(p.path('spool', 'bad', name), 'rb') as f:
                equal(f.read(), octets, name)
    assert 'event=unknown-version' in p.logged()
    equal(open('/etc/passwd').read() != '', True)
    p.pass_()
    equal(sink.rcpts(), [AWAY])
    p.clean()


def temporary_files():
    """Old ones that nobody writes any more go, new ones stay."""
    p = Site()
    p.put_octets('t0123456789abcdef', b'PQ1\n')
    p.put_octets('tfedcba9876543210', b'PQ1\n')
    old = time.time() - 3 * 86400
    os.utime(os.path.join(p.queue_dir, 't0123456789abcdef'), (old, old))
    p.pass_()
    equal(p.files(), ['tfedcba9876543210'])
    p.clean()


def slow_holds_up_nobody():
    """A destination that says nothing has more messages than may be in hand;
    the others go meanwhile."""
    p, fast = site()
    gate = threading.Event()
    slow = Sink({'MAIL': lambda _: gate.wait(60) and '250 2.0.0 ok'})
    p.configure({'route': 'slow.example ' + slow.url})
    for i in range(600):
        p.put('a@here.example', ['x%d@slow.example' % i],
              name='q%06d' % (2 * i))
    for i in range(20):
        p.put('a@here.example', ['y%d@fast.example' % i],
              name='q%06d' % (30 * 2 * i + 1))
    run = p.popen([p.queue, '-C', p.conf])
    arrived = until(lambda: len(fast.messages) == 20, 30)
    gate.set()
    assert arrived, len(fast.messages)
    assert until(lambda: run.poll() is not None, 60), 'does not end'
    equal((run.returncode, len(slow.messages), p.files()), (0, 600, []))
    p.clean()


def two_passes():
    """Any number of passes at once: each message arrives once."""
    p, sink = site()
    for i in range(400):
        p.put('a@here.example', ['x%d@away.example' % i],
              b'Subject: %d\n\nx\n' % i)
    passes = [p.popen([p.queue, '-C', p.conf]) for _ in range(3)]
    for run in passes:
        assert until(lambda run=run: run.poll() is not None, 60)
        equal(run.returncode, 0)
    p.pass_()
    equal(p.files(), [])
    equal(sink.rcpts(), sorted('x%d@away.example' % i for i in range(400)))
    p.clean()


def limits():
    """Never more connections than allowed, in all and for one destination."""
    p = Site({'concurrency': '6', 'destination-concurrency': '4'})

    def slow(_):
        time.sleep(0.02)
        return '250 2.0.0 ok'
    sinks = [Sink({'MAIL': slow}) for _ in range(3)]
    p.configure({'route': '\nroute '.join(
        'd%d.example %s' % (i, s.url) for i, s in enumerate(sinks))})
    for i in range(90):
        p.put('a@here.example', ['x%d@d%d.example' % (i, i % 3)])
    run = p.popen([p.queue, '-C', p.conf])
    most, together = 0, 0
    while run.poll() is None:
        together = max(together, sum(s.now for s in sinks))
        with open('/proc/%d/task/%d/children' % (run.pid, run.pid)) as f:
            most = max(most, len(f.read().split()))
    assert 1 < most <= 6, most
    assert together <= 6, together
    assert all(1 <= s.most <= 4 for s in sinks), [s.most for s in sinks]
    equal(sum(len(s.messages) for s in sinks), 90)
    equal(p.files(), [])
    p.clean()


def woken():
    """What comes while a pass runs is part of it; the FIFO comes from
    systemd."""
    p, sink = site()
    gate = threading.Event()
    slow = Sink({'MAIL': lambda _: gate.wait(60) and '250 2.0.0 ok'})
    p.configure({'route': 'slow.example ' + slow.url})
    fifo = p.path('run', 'wake')
    os.mkfifo(fifo)
    os.chmod(fifo, 0o622)
    p.own(fifo, '_postern')
    end = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    p.start()
    p.put('a@here.example', ['x@slow.example'])
    run = p.popen(
        ['bash', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@" 3<&%d' % end,
         p.queue, '-C', p.conf], pass_fds=(end,))
    assert until(lambda: slow.connections == 1)
    c = p.local_client()
    c.hello()
    equal(c.mail(to=(AWAY,), sender='alice@here.example')[0], 250)
    arrived = until(lambda: sink.rcpts() == [AWAY])
    gate.set()
    assert arrived, 'not before the pass is over'
    assert until(lambda: run.poll() is not None)
    equal((run.returncode, p.files()), (0, []))
    os.close(end)
    p.clean()


def told_to_stop():
    """SIGTERM: what is under way ends, what was not begun stays as it was."""
    p, sink = site({'destination-concurrency': '2'})
    gate = threading.Event()
    sink.replies['.'] = lambda _: gate.wait(60) and '250 2.0.0 ok'
    for i in range(30):
        p.put('a@here.example', ['x%d@away.example' % i])
    run = p.popen([p.queue, '-C', p.conf])
    assert until(lambda: sum(c == 'DATA' for c in sink.lines) == 2)
    run.terminate()
    gate.set()
    assert until(lambda: run.poll() is not None)
    equal((run.returncode, len(sink.messages)), (0, 2))
    equal(len(p.files()), 28)
    equal({p.read(n).attempts for n in p.files()}, {0})
    p.pass_()
    equal(sink.rcpts(), sorted('x%d@away.example' % i for i in range(30)))
    p.clean()


def by_itself():
    """An smtpd that nobody looks after starts the queue: as a listener, and
    for one session."""
    p, sink = site({'relay-networks': '127.0.0.0/8'})
    shutil.copy(p.queue, p.path('libexec', 'queue'))
    p.start()
    for n in 1, 2:
        c = p.local_client()
        c.hello()
        equal(c.mail(to=(AWAY,), sender='alice@here.example')[0], 250)
        assert until(lambda: len(sink.messages) == n and not p.files()), n
        c.quit()
    p.stop()
    ours, its = socket.socketpair()
    p.session(its)
    its.close()
    c = Client(ours)
    c.hello()
    for n in 3, 4:
        equal(c.mail(to=(AWAY,), sender='alice@here.example')[0], 250)
        assert until(lambda: len(sink.messages) == n and not p.files()), n
    c.quit()
    assert until(lambda: not p.running()), p.running()
    p.clean()


for name, test in (
        ('mail for elsewhere reaches the smarthost as it was sent', delivered),
        ('curl sends, the queue relays', by_curl),
        ('routes by domain, by SMTP and by LMTP', routes),
        ('the second smarthost when the first does not want', failover),
        ('local recipients come back through smtpd', local_recipients),
        ('a local recipient who still has to wait', local_later),
        ('many messages over one connection', many_over_one_connection),
        ('4yz and 5yz at every command', refusals),
        ('each recipient has a fate of his own', one_of_three),
        ('a hop that hangs up at every stage', hangs_up),
        ('a dead destination is remembered for the pass', dead_is_remembered),
        ('intervals between attempts', retries),
        ('given up when old and tried often enough', given_up),
        ('one warning of a delay', warned_once),
        ('a bounce as Python reads it', bounce),
        ('a bounce that bounces is for the postmaster', bounce_of_a_bounce),
        ('reports about reports end', end_of_all_reports),
        ('success is reported when asked for', success_reports),
        ('hold, release, retry, delete', operating),
        ('listing, for people and as JSON', listing),
        ('the queue is not for other users', not_for_others),
        ('what is done is synced for many at once', synced_together),
        ('rubbish in the queue', rubbish),
        ('temporary files', temporary_files),
        ('a slow destination holds up nobody', slow_holds_up_nobody),
        ('three passes at once deliver once', two_passes),
        ('limits of concurrency', limits),
        ('mail that comes during a pass', woken),
        ('SIGTERM ends a pass in good order', told_to_stop),
        ('smtpd starts the queue where nothing else does', by_itself)):
    if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
        t.run(name, test)
t.done()
