#!/usr/bin/python3
"""What smtpd takes into the queue: the files it commits there, before which
250, and what becomes of a message for both kinds of recipients when deliver
stops, hangs or dies."""
import contextlib
import ctypes
import fcntl
import os
import re
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import box
import crash
import qfile
import sabotage
import tap
from lmtp import BEGIN, DATA, MAIL, RCPT, Server
from postern import (Closed, Postern, free_port, split_trace, uncompleted,
                     until)
from request import Deliver

t = tap.Tap()
libc = ctypes.CDLL(None, use_errno=True)

AWAY, HERE = 'bob@away.example', 'alice@here.example'
SMALL = b'Subject: x\r\n\r\nx\r\n'
BIG = b'Subject: x\r\n\r\n' + (b'y' * 70 + b'\r\n') * 3000


def start(conf=None, **more):
    p = Postern(conf, **more)
    d = Deliver(p)
    p.start()
    return p, d


def hello(p, local=False, name='client.example'):
    c = p.local_client() if local else p.client()
    c.hello(name)
    return c


def end(d):
    """deliver is gone, and its workers are."""
    os.killpg(d.proc.pid, signal.SIGKILL)
    d.proc.wait()
    os.unlink(d.path)


def stored(p, content=SMALL, name='alice'):
    """How often it is in the mailbox, whole."""
    found = [split_trace(m)[1] for m in p.messages(name)]
    assert all(f == content.replace(b'\r\n', b'\n') for f in found), found
    return len(found)


def whole(q, content=SMALL):
    """It holds this message, under our Received, which names the file."""
    assert qfile.NAME.fullmatch(q.name), q.name
    m = re.match(rb'(Delivered-To: [^\n]*\n)?Received: .*?\n(?![ \t])',
                 q.content, re.S)
    assert m and q.name.encode() in m[0], q.content[:300]
    got = uncompleted(m[0], q.content[m.end():])
    assert got == content.replace(b'\r\n', b'\n'), (
        q.content[:300])


def one(p, content=SMALL):
    """The only file of the queue, which is then removed."""
    found = qfile.take(p)
    assert len(found) == 1, found
    whole(found[0], content)
    return found[0]


def nothing(p):
    assert os.listdir(p.path('spool', 'queue')) == []


def is_locked(p, name):
    fd = os.open(p.path('spool', 'queue', name), os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def ready(c, to, content=SMALL):
    """Everything of a transaction but the reply to its end."""
    c.want('250', 'MAIL FROM:<a@away.example>')
    for rcpt in to:
        c.want('250', 'RCPT TO:<%s>' % rcpt)
    c.want('354', 'DATA')
    return content + b'.\r\n'


# --- taken ------------------------------------------------------------------

def remote():
    p, d = start()
    c = hello(p)
    for content in SMALL, BIG, b'':
        before = int(os.stat(p.dir).st_atime)
        code, text = c.mail([AWAY], content=content)
        assert code == 250, text
        name = os.listdir(p.path('spool', 'queue'))[0]
        assert not is_locked(p, name)
        st = os.stat(p.path('spool', 'queue', name))
        assert st.st_mode & 0o7777 == 0o660, oct(st.st_mode)
        q = one(p, content)
        assert text == ['2.0.0 ' + q.name]
        assert q.arrival == q.next and q.attempts == 0
        assert int(q.name[1:13]) == q.arrival >= before - 60
        assert (q.sender, q.flags, q.body, q.held, q.warned) == (
            'a@away.example', 's', '7BIT', False, False)
        assert q.status() == 'N' and not p.messages()
    assert 'event=queued id=%s from=a@away.example to=%s ' % (
        q.name, AWAY) in p.logged(), p.logged()


def many():
    """As many as there may be, with all that can be said of each."""
    p, d = start({'recipient-limit': '4096'})
    c = hello(p)
    c.want('250', 'MAIL FROM:<>')
    want = []
    for i in range(700):
        local = '%04d%s' % (i, 'x' * 60)
        orcpt = 'rfc822;' + '+2B' * (i % 100) + 'o'
        c.want('250', 'RCPT TO:<%s@away.example> NOTIFY=DELAY ORCPT=%s' % (
            local, orcpt))
        want.append((local + '@away.example', orcpt, {'DELAY'}, 'N'))
    c.want('354', 'DATA')
    c.send(BIG + b'.\r\n')
    c.want('250')
    q = one(p, BIG)
    assert q.sender == ''
    assert [(r.address, r.orcpt, r.notify, r.status)
            for r in q.rcpts] == want


def too_many_words():
    """ORCPT fills the room of a session before the recipients' limit."""
    p, d = start({'recipient-limit': '4096'})
    c = hello(p)
    c.want('250', 'MAIL FROM:<a@away.example>')
    n = 0
    while n < 1000:
        code, text = c.cmd('RCPT TO:<r%d@away.example> ORCPT=rfc822;%s' % (
            n, 'o' * 490))
        if code != 250:
            break
        n += 1
    assert (code, text[0][:5]) == (452, '4.5.3') and n > 400, (n, code, text)
    c.want('354', 'DATA')
    c.send(SMALL + b'.\r\n')
    c.want('250')
    assert len(one(p).rcpts) == n


def mixed():
    p, d = start()
    c = hello(p)
    for content in SMALL, BIG:
        for to in [AWAY, HERE], [HERE, AWAY], [HERE, AWAY, 'bob', 'x@y.z']:
            assert c.mail(to, content=content)[0] == 250
            q = one(p, content)
            assert q.status() == ''.join(
                'N' if '.' in r[-8:] and 'here' not in r else 'D'
                for r in to), (to, q)
            assert stored(p, content) == 1
            assert stored(p, content, 'bob') == ('bob' in to)
            p.take()
            p.take('bob')
    assert not p.rubbish(), p.rubbish()


def wakes():
    """One octet for each message that is queued, for no other; a pipe that is
    full and a reader who has gone are no matter."""
    p, d = start()
    path = p.path('run', 'wake')
    os.mkfifo(path, 0o622)
    os.chmod(path, 0o622)
    p.own(path, 'alice')
    end_of_it = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    # the spare was there before the FIFO
    p.client().close()
    c = hello(p)
    assert c.mail([HERE])[0] == 250
    assert c.mail([AWAY])[0] == 250
    assert c.mail([AWAY, HERE])[0] == 250
    assert os.read(end_of_it, 100) == b'ww'
    filler = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(filler, b'f' * 4096)
    assert c.mail([AWAY])[0] == 250
    os.close(filler)
    os.close(end_of_it)
    assert c.mail([AWAY])[0] == 250
    assert len(qfile.take(p)) == 4
    # no FIFO: not written to
    os.unlink(path)
    p.write('run/wake', 'plain')
    os.chmod(path, 0o666)
    p.client().close()
    assert hello(p).mail([AWAY])[0] == 250
    with open(path) as f:
        assert f.read() == 'plain'


def reported():
    """NOTIFY=SUCCESS of a local recipient: the report is owed before 250."""
    p, d = start({'relay-networks': 'none'})
    c = hello(p)
    c.want('250', 'MAIL FROM:<a@away.example> RET=FULL ENVID=e1')
    c.want('250', 'RCPT TO:<alice@here.example> NOTIFY=SUCCESS,FAILURE '
           'ORCPT=rfc822;a+2Bb@c.example')
    c.want('250', 'RCPT TO:<bob@here.example> NOTIFY=NEVER')
    c.want('354', 'DATA')
    c.send(SMALL + b'.\r\n')
    c.want('250')
    q = one(p)
    assert q.status() == 'SD' and q.flags == ''
    assert (q.ret, q.envid) == ('FULL', 'e1')
    assert q.rcpts[0].orcpt == 'rfc822;a+2Bb@c.example'
    assert stored(p) == 1 and stored(p, name='bob') == 1


def literal():
    """Our own address, which means nothing to others, is kept as a name."""
    p, d = start()
    end(d)
    c = hello(p, True)
    assert c.mail(['alice', 'postmaster'])[0] == 250
    assert one(p).addresses() == ['alice', 'postmaster']
    d = Deliver(p)
    c = hello(p)
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<alice@[127.0.0.1]> NOTIFY=SUCCESS')
    c.want('354', 'DATA')
    c.send(SMALL + b'.\r\n')
    c.want('250')
    q = one(p)
    assert (q.addresses(), q.status()) == (['alice'], 'S')


def relay_recipients():
    p = Postern()
    p.write('valid', '# these\nBob@Backup.Example\n  carol@backup.example # c\n'
            '"d d"@backup.example\n@all.example\nnonsense\n@\n')
    p.configure({'relay-networks': 'none',
                 'relay-domains': 'backup.example all.example',
                 'relay-recipients': p.path('valid')})
    d = Deliver(p)
    p.start()
    c = hello(p)
    c.want('250', 'MAIL FROM:<a@away.example>')
    for rcpt, code in (
            ('bob@backup.example', '250 2.1.5'),
            ('CAROL@backup.example', '250 2.1.5'),
            ('"d d"@backup.example', '250 2.1.5'),
            ('anyone@all.example', '250 2.1.5'),
            ('dora@backup.example', '550 5.1.1'),
            ('c@backup.example', '550 5.1.1'),
            ('bob@other.example', '550 5.7.1')):
        c.want(code, 'RCPT TO:<%s>' % rcpt)
    p.write('valid', 'dora@backup.example\n')
    c.want('250', 'RCPT TO:<dora@backup.example>')
    c.want('550', 'RCPT TO:<bob@backup.example>')
    os.unlink(p.path('valid'))
    c.want('451 4.3.5', 'RCPT TO:<dora@backup.example>')
    c.want('354', 'DATA')
    c.send(SMALL + b'.\r\n')
    c.want('250')
    q = one(p)
    assert q.status() == 'NNNNN' and q.flags == '', q
    end(d)
    c = hello(p)
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('451', 'RCPT TO:<dora@backup.example>')
    # a program of ours is not kept waiting
    assert hello(p, True).mail(['dora@backup.example'])[0] == 250
    assert one(p).status() == 'N'


def forwards():
    """An alias that leads to other hosts: they are queued for, each list with
    its owner as the reverse-path, and mailboxes among them are served."""
    p = Postern({'srs': 'off'}, aliases='gone: x@away.example\n'
                'both: alice, x@away.example, y@away.example\n'
                'list: bob, l@away.example\nowner-list: carol\n'
                'other: m@away.example, n@away.example\nowner-other: carol\n')
    d = Deliver(p)
    p.start()

    def queued():
        """Statuses by reverse-path and address."""
        found = {}
        for q in qfile.take(p):
            body = uncompleted(q.content, q.content)
            assert body.endswith(want) and q.sender not in found
            found[q.sender] = {r.address: r.status for r in q.rcpts}
        return found
    for content in SMALL, BIG:
        want = content.replace(b'\r\n', b'\n')
        c = hello(p)
        assert c.mail(['gone@here.example'], content=content)[0] == 250
        assert queued() == {'a@away.example': {'x@away.example': 'N'}}
        assert c.mail(['both@here.example'], content=content)[0] == 250
        assert queued() == {'a@away.example': {
            'both@here.example': 'D', 'x@away.example': 'N',
            'y@away.example': 'N'}}
        assert stored(p, content) == len(p.take())
        c.want('250', 'MAIL FROM:<a@away.example> RET=FULL ENVID=e')
        for to in 'list', 'other', AWAY, 'alice', 'gone':
            c.want('250', 'RCPT TO:<%s> NOTIFY=SUCCESS' % (
                to if '@' in to else to + '@here.example'))
        c.want('354', 'DATA')
        c.send(content + b'.\r\n')
        c.want('250')
        files = {q.sender: q for q in qfile.of(p)}
        assert files['owner-list@here.example'].rcpts[0].notify == set()
        assert files['owner-list@here.example'].envid == ''
        assert files['a@away.example'].rcpts[-1].notify == {'SUCCESS'}
        assert files['a@away.example'].envid == 'e'
        assert queued() == {
            'a@away.example': {'list@here.example': 'S', AWAY: 'N',
                               'alice@here.example': 'S',
                               'x@away.example': 'N'},
            'owner-list@here.example': {'l@away.example': 'N'},
            'owner-other@here.example': {'m@away.example': 'N',
                                         'n@away.example': 'N'}}
        assert stored(p, content) == len(p.take()) == 1
        assert stored(p, content, 'bob') == len(p.take('bob')) == 1
        # nothing but lists, and a report that must never be answered
        assert c.mail(['other@here.example'], content=content)[0] == 250
        assert list(queued()) == ['owner-other@here.example']
        assert c.mail(['other@here.example'], '', content=content)[0] == 250
        assert list(queued()) == ['']
    assert not p.rubbish(), p.rubbish()


def alias_changes():
    """Between RCPT and DATA: whoever is new on it is not forgotten."""
    p, d = start({'srs': 'off'}, aliases='both: alice, x@away.example\n')
    for local in False, True:
        p.write('aliases', 'both: alice, x@away.example\n')
        c = hello(p, local)
        rest = ready(c, ['both@here.example'])
        p.write('aliases', 'both: alice, x@away.example, new@away.example\n')
        c.send(rest)
        c.want('250' if local else '451')
        if local:   # the queue asks again
            assert one(p).status() == 'NN'
        nothing(p)
    assert not p.messages()


def many_owners():
    """As many lists as one message may have; the next is for another."""
    p, d = start(aliases=''.join(
        'l%d: x%d@away.example\nowner-l%d: carol\n' % (i, i, i)
        for i in range(16)))
    c = hello(p)
    c.want('250', 'MAIL FROM:<a@away.example>')
    for i in range(15):
        c.want('250', 'RCPT TO:<l%d@here.example>' % i)
    c.want('452 4.5.3', 'RCPT TO:<l15@here.example>')
    c.want('250', 'RCPT TO:<l0@here.example>')
    c.want('354', 'DATA')
    c.send(SMALL + b'.\r\n')
    c.want('250')
    found = qfile.take(p)
    assert len(found) == 15
    assert sorted(len(q.rcpts) for q in found) == [1] * 14 + [2]


# --- deliver cannot now -----------------------------------------------------

def nobody_to_ask():
    """deliver is gone before RCPT."""
    p, d = start()
    end(d)
    c = hello(p)
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('250', 'RCPT TO:<%s>' % AWAY)
    c.want('451', 'RCPT TO:<%s>' % HERE)
    c.want('354', 'DATA')
    c.send(SMALL + b'.\r\n')
    c.want('250')
    assert one(p).addresses() == [AWAY]
    c = hello(p, True)
    for content in SMALL, BIG:
        assert c.mail([AWAY, HERE, 'bob'], content=content)[0] == 250
        q = one(p, content)
        assert q.status() == 'NNN' and q.addresses() == [AWAY, HERE, 'bob']
    # what is wrong, is wrong
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('501', 'RCPT TO:<a b@here.example>')


def gone_at_the_end():
    """deliver is gone after RCPT: certainly nothing has been stored."""
    for content in SMALL, BIG:
        for local, to, code, status in (
                (False, [HERE], 451, None), (False, [AWAY, HERE], 451, None),
                (True, [HERE], 250, 'N'), (True, [AWAY, HERE], 250, 'NN'),
                (True, ['bob', HERE], 250, 'NN')):
            p, d = start()
            c = hello(p, local)
            rest = ready(c, to, content)
            end(d)
            c.send(rest)
            c.want(code)
            if status:
                q = one(p, content)
                assert q.status() == status, (to, q)
                assert all(r.code[:2] == '4.' for r in q.rcpts
                           if r.address != AWAY), q
            nothing(p)
            p.clean()


def hangs_and_dies():
    """deliver has the message and does not answer: it may have stored it.
    Meanwhile the file is there, and locked; nobody else works on it."""
    if os.geteuid() != 0:
        raise tap.Skip('needs root, to see what a session waits for')
    for content in SMALL, BIG:
        for local, to, status in ((False, [AWAY, HERE], 'NT'),
                                  (True, [AWAY, HERE], 'NT'),
                                  (True, [HERE], 'T')):
            p, d = start()
            c = hello(p, local)
            rest = ready(c, to, content)
            os.kill(d.proc.pid, signal.SIGSTOP)
            c.send(rest)
            pid, = p.sessions()
            assert until(lambda: waits(pid))
            if AWAY in to:  # otherwise it is deliver's turn first
                q, = qfile.of(p)
                whole(q, content)
                assert q.status() == status and is_locked(p, q.name)
            end(d)
            c.want(250)
            name, = os.listdir(p.path('spool', 'queue'))
            assert until(lambda: not is_locked(p, name))
            assert one(p, content).status() == status
            p.clean()


def waits(pid):
    """The session has sent the message to deliver, and polls for an answer on
    its descriptor for that, 11: what the call points to begins with it."""
    with open('/proc/%d/syscall' % pid) as f:
        words = f.read().split()
    if len(words) < 7:
        return False
    try:
        with open('/proc/%d/mem' % pid, 'rb', 0) as f:
            f.seek(int(words[1], 16))
            return int.from_bytes(f.read(4), sys.byteorder) == 11
    except (OSError, ValueError, OverflowError):
        return False


def session_dies():
    """smtpd is killed while deliver has the message: it is tried again."""
    if os.geteuid() != 0:
        raise tap.Skip('needs root, to see what a session waits for')
    p, d = start()
    c = hello(p)
    rest = ready(c, [AWAY, HERE])
    pid, = p.sessions()
    os.kill(d.proc.pid, signal.SIGSTOP)
    c.send(rest)
    assert until(lambda: waits(pid))
    q, = qfile.of(p)
    os.kill(pid, signal.SIGKILL)
    try:
        c.reply()
        raise AssertionError('a reply')
    except Closed:
        pass
    os.kill(d.proc.pid, signal.SIGCONT)
    assert until(lambda: stored(p) == 1)
    assert until(lambda: not is_locked(p, q.name))
    assert one(p).status() == 'NT'


def closed(p):
    """Whoever looks finds alice's Maildir, and nobody can write there."""
    path = p.path('home', 'alice', 'Maildir', 'tmp')
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o500)
    p.own(path, 'alice')


def mailbox_is_closed():
    """Later, as deliver says: a stranger keeps his message, a program gives
    it away."""
    p, d = start()
    closed(p)
    for content in SMALL, BIG:
        c = hello(p)
        for to in [HERE], [AWAY, HERE], [AWAY, 'bob', HERE]:
            code, text = c.mail(to, content=content)
            assert code == 451, text
            nothing(p)
        c = hello(p, True)
        for to, status in ([HERE], 'N'), ([AWAY, HERE], 'NN'):
            assert c.mail(to, content=content)[0] == 250
            q = one(p, content)
            assert q.status() == status, q
            assert q.rcpts[-1].code == '4.2.0' and q.rcpts[-1].text, q
        # the others of it wait for him
        assert c.mail(['bob', HERE], content=content)[0] == 250
        q = one(p, content)
        assert q.status() == 'NN' and not p.messages('bob'), q
    assert not p.messages('bob')


def home_is_gone():
    """It is known at RCPT already."""
    p, d = start()
    os.rename(p.path('home', 'alice'), p.path('home', 'away'))
    c = hello(p)
    c.want('250', 'MAIL FROM:<a@away.example>')
    c.want('451 4.2.0', 'RCPT TO:<%s>' % HERE)
    c = hello(p, True)
    assert c.mail(['bob', HERE, AWAY])[0] == 250
    q = one(p)
    assert q.status() == 'DNN' and stored(p, name='bob') == 1, q


def of_the_queue():
    """The queue pass is refused what cannot be had now: it has it already."""
    p, d = start()
    closed(p)
    c = hello(p, True, 'queue.localhost')
    assert c.mail(['alice'])[0] == 451
    nothing(p)
    rest = ready(c, ['bob'])
    end(d)
    c.send(rest)
    c.want('451')
    nothing(p)
    c = hello(p, True, 'queue.localhost')
    c.want('250', 'MAIL FROM:<>')
    c.want('451', 'RCPT TO:<bob>')
    # nor does it matter that it has grown by our trace since
    p, d = start({'message-size-limit': '100K'})
    text = b'x' * 72 + b'\r\n'
    small, large = (text * (n // len(text)) for n in (100 << 10, 110 << 10))
    c = hello(p)
    assert c.mail([AWAY], content=small)[0] == 250
    assert c.mail([AWAY], content=large)[0] == 552
    qfile.take(p)
    c = hello(p, True, 'queue.localhost')
    c.want('250', 'MAIL FROM:<a@b.example> SIZE=%d' % len(large))
    c.want('250', 'RSET')
    assert c.mail(['bob'], content=large)[0] == 250
    assert stored(p, large, 'bob') == 1
    assert c.mail(['bob'], content=large * 2)[0] == 552


# --- deliver says something else to each ------------------------------------

def talk(p, replies):
    """An LMTP server with these replies to the message."""
    return Server(p, BEGIN + MAIL + RCPT * len(replies) + DATA +
                  [(None, r) for r in replies])


GOOD, FULL, BAD = (b'250 2.0.0 stored\r\n', b'452 4.2.2 full\r\n',
                   b'552 5.2.2 too big for him\r\n')


def each_his_own():
    """Replies of an LMTP server: what can be undone no more."""
    names = 'alice', 'bob', 'carol'
    cases = (
        # local, remote too, replies; reply, statuses, of the remote last
        (False, False, [GOOD, GOOD, GOOD], 250, ''),
        (False, False, [GOOD, FULL, BAD], 452, ''),
        (False, True, [GOOD, FULL, BAD], 250, 'DNFN'),
        (False, True, [BAD, BAD, BAD], 250, 'FFFN'),
        (False, True, [FULL, BAD, BAD], 452, ''),
        (False, True, [FULL, FULL, FULL], 452, ''),
        (True, False, [GOOD, GOOD, GOOD], 250, ''),
        (True, False, [GOOD, FULL, BAD], 250, 'DNF'),
        (True, False, [FULL, FULL, FULL], 250, 'NNN'),
        (True, False, [BAD, BAD, BAD], 552, ''),
        (True, False, [GOOD, GOOD, BAD], 250, 'DDF'),
        (True, False, [FULL, BAD, BAD], 250, 'NFF'),
        (True, True, [FULL, BAD, BAD], 250, 'NFFN'),
    )
    p = Postern()
    p.configure({'mailbox': 'lmtp:' + p.path('lmtp')})
    d = Deliver(p)
    p.start()
    for content in SMALL, BIG:
        for local, remote_too, replies, code, status in cases:
            s = talk(p, replies)
            c = hello(p, local)
            to = [n + '@here.example' for n in names]
            got = c.mail(to + [AWAY] * remote_too, content=content)
            s.thread.join(20)
            what = local, remote_too, replies, got
            assert got[0] == code, what
            if not status:
                nothing(p)
                continue
            q = one(p, content)
            assert q.status() == status, (what, q)
            for r, reply in zip(q.rcpts, replies):
                said = reply.decode().strip().split(' ', 2)[1:]
                assert [r.code, r.text] == (
                    ['', ''] if reply == GOOD else said), (what, q.rcpts)


def success_refused():
    """A report of success was asked for, and there is none: nothing stays."""
    p = Postern()
    p.configure({'mailbox': 'lmtp:' + p.path('lmtp')})
    d = Deliver(p)
    p.start()
    for local, reply, code in ((False, FULL, 452), (False, BAD, 552),
                               (True, BAD, 552)):
        s = talk(p, [reply])
        c = hello(p, local)
        c.want('250', 'MAIL FROM:<a@away.example>')
        c.want('250', 'RCPT TO:<%s> NOTIFY=SUCCESS' % HERE)
        c.want('354', 'DATA')
        c.send(SMALL + b'.\r\n')
        c.want(code)
        s.thread.join(20)
        nothing(p)


# --- the disk ---------------------------------------------------------------

def tmpfs(p, options):
    if not box.isolated():
        raise tap.Skip('needs root and a mount namespace')
    path = p.path('spool', 'queue')
    if libc.mount(b'none', path.encode(), b'tmpfs', 0,
                  (options + ',mode=3770').encode()):
        raise tap.Skip('no tmpfs: ' + os.strerror(ctypes.get_errno()))
    p.own(path, '_postern')


def full():
    """There is room at MAIL, and none for the content."""
    p = Postern()
    tmpfs(p, 'size=1200k')
    Deliver(p)
    p.start()
    line = b'z' * 70 + b'\r\n'
    big = line * (2000000 // len(line))
    for local in False, True:
        c = hello(p, local)
        for to in [AWAY], [HERE, AWAY]:
            code, text = c.mail(to, content=big)
            assert (code, text[0][:5]) == (452, '4.3.1'), text
            nothing(p)
        assert not p.messages()
        assert c.mail([HERE, AWAY])[0] == 250
        assert one(p).status() == 'DN' and stored(p) == 1
        p.take()


def full_at_last():
    """What deliver cannot have now has no room here either."""
    p = Postern()
    tmpfs(p, 'size=1200k')
    d = Deliver(p)
    p.start()
    c = hello(p, True)
    line = b'z' * 70 + b'\r\n'
    rest = ready(c, [HERE], line * 800)
    filler = os.open(p.path('spool', 'queue', 'x'), os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(filler, b'x' * 4096)
    os.close(filler)
    end(d)
    c.send(rest)
    c.want('452 4.3.1')
    assert os.listdir(p.path('spool', 'queue')) == ['x']


# --- killed, and calls that fail --------------------------------------------

class Site(crash.Site):
    """As crash.Site, with a remote recipient beside the local ones."""

    def to(self, ident):
        return super().to(ident) + [AWAY]

    def collect(self):
        super().collect()
        for path in self.left_in('spool', 'queue'):
            os.unlink(path)

    def queued(self, ident):
        """Statuses of the file that holds this message, None without one;
        every file with a final name is whole."""
        found = []
        for path in self.left_in('spool', 'queue'):
            if os.path.basename(path).startswith('t'):
                continue
            try:
                q = qfile.read(path)
            except qfile.Bad as e:
                self.bad('not whole: %s, %s' % (path, e))
                continue
            whole = uncompleted(q.content, q.content)
            if not whole.endswith(crash.content(ident, self.size)):
                self.bad('foreign or torn content: %s' % path)
            if q.addresses() != self.to(ident):
                self.bad('other recipients: %s' % q)
            found.append(q.status())
        if len(found) > 1:
            self.bad('twice in the queue: %s' % found)
        return found[0] if found else None

    def verify(self, role, point, ident, stage, code):
        killed = point.what == sabotage.KILL
        self.renew()
        if not until(self.at_rest, crash.PATIENCE):
            self.bad('a worker does not come to rest')
        copies, status = self.copies(ident), self.queued(ident)
        spool, tmp = self.left()
        temporary = [f for f in spool if '/t' in f[-30:]]
        if 'signal=31' in self.p.logged() or 'Bad system call' in \
                self.p.logged():
            self.bad('killed by its filter')
            os.truncate(self.p.log, 0)
        if isinstance(code, str) or code not in (250, 421, 451, 452, None):
            self.bad('answered %s at %s' % (code, stage))
        elif code == 250:
            self.promised(role, point, copies, status)
        elif code is not None and status is not None:
            self.bad('%s %s, and yet queued' % (stage, code))
        elif code is not None and any(copies.values()) and \
                point.call not in crash.TALK and role == 'session':
            self.bad('%s %s, and yet copies: %s' % (stage, code, copies))
        if temporary and not killed and point.call not in (
                'unlinkat', 'renameat2'):
            self.bad('left under a temporary name: %s' % temporary)
        if any(n > 1 for n in copies.values()):
            self.bad('twice: %s' % copies)
        if code != 250:
            self.again(ident, copies)
        self.collect()

    def promised(self, role, point, copies, status):
        if status is None or status[-1] != 'N':
            self.bad('250, and not queued: %s' % status)
            return
        for user, fate in zip(self.users, status):
            # tried and not heard of, or put off
            if copies[user] != 1 and fate not in 'TN':
                self.bad('250, and neither stored nor queued: %s %s' % (
                    copies, status))
        safe = crash.SAFETY - {'fdatasync'}
        if role == 'session' and point.call in safe and \
                point.what != sabotage.KILL:
            self.bad('250, though it is not on stable storage')

    def again(self, ident, first):
        got = self.send(ident)
        if got[1] != 250:
            self.bad('the next mail: %s %s' % got)
        copies, status = self.copies(ident), self.queued(ident)
        if status != 'D' * len(self.rcpts) + 'N' or any(
                copies[u] != first[u] + 1 for u in self.users):
            self.bad('the next try: %s, %s, %s' % (first, copies, status))


class Leftover(Site):
    """For a local user alone, from a local program, and deliver cannot now."""

    def to(self, ident):
        return crash.Site.to(self, ident)

    def promised(self, role, point, copies, status):
        if status not in ('N', 'T'):
            self.bad('250, and not queued: %s' % status)

    def again(self, ident, first):
        pass


def traced():
    why = sabotage.needs()
    roles = (('session', 0), ('session', 150000), ('store', 0), ('poller', 0))
    if why:
        for role, _ in roles + (('inetd', 0),):
            t.skip(role + ': killed, and calls that fail', why)
        return
    for role, size in roles:
        site = Site(size=size)
        calls = site.trial(role)
        name = '%s, %d octets' % (role, size)
        crash.campaign(t, name + ': killed', site, role,
                       sabotage.kills(calls))
        crash.campaign(t, name + ': errors', site, role,
                       sabotage.some_errors(calls))
        site.close()
    site = Leftover()
    closed(site.p)
    crash.campaign(t, 'inetd, later: killed', site, 'inetd',
                   sabotage.kills(site.trial('inetd')))
    site.close()


def order():
    """Data, lock, name, both on stable storage, then deliver, then 250."""
    why = sabotage.needs()
    if why:
        raise tap.Skip(why)
    site = Site()
    site.trial('session')
    names = ('sync_file_range', 'flock', 'renameat2', 'fsync', 'sendmsg',
             'pwrite64', 'fdatasync')
    got = sabotage.Trace(site.trace).order(names)
    got = got[got.index('flock') - 1:]
    pushed = ['sync_file_range', 'flock', 'renameat2', 'fsync', 'fsync']
    synced = ['fsync', 'flock', 'renameat2', 'fsync']
    begin = pushed if crash.pushes_out(site.p.dir) else synced
    # R and M, then the verdict
    assert got == begin + ['sendmsg', 'sendmsg', 'pwrite64', 'fdatasync'], got
    site.close()


Postern().clean()       # the first one isolates this process
for test in (remote, many, too_many_words, mixed, wakes, reported, literal,
             relay_recipients, forwards, alias_changes, many_owners, nobody_to_ask, gone_at_the_end,
             hangs_and_dies, session_dies, mailbox_is_closed,
             home_is_gone, of_the_queue,
             each_his_own, success_refused, full, full_at_last, order):
    t.run(test.__name__.replace('_', ' '), test)
traced()
t.done()
