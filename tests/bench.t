#!/usr/bin/python3
"""The benchmark's own arithmetic: whose CPU time and memory is counted, which
messages are, what the table makes of it; and a small run of it.  Nothing here
depends on how fast the machine is."""
import contextlib
import io
import mailbox
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, 'bench'), os.path.join(HERE, 'lib')]
sys.dont_write_bytecode = True
import tap
from postern import BUILD

import arrivals
import dma
import record
import table
import unpacked
from case import Case, Row, most, part, times
from group import Group
from ours import Glibc, Musl
from postfix import Postfix

# Work of three generations, in user and kernel mode; each tells its own CPU
# time.  The last one has lost its parents and their session.
WORKERS = '''
import os, time
def work(kernel):
    zero = os.open('/dev/zero', os.O_RDONLY)
    while sum(os.times()[:2]) < 0.2:
        if kernel:
            os.read(zero, 1 << 20)
        else:
            sum(range(10000))
    os.write(1, b'%f\\n' % sum(os.times()[:2]))
if os.fork() == 0:
    work(True)
    if os.fork() == 0:
        os.setsid()
        work(True)
        os._exit(0)
    os._exit(0)
work(False)
os.wait()
'''
# 32 MiB of one's own, and a child that shares them
HOLDERS = '''
import os, time
held = bytearray(os.urandom(1 << 20)) * 32
os.fork()
os.write(1, b'.')
time.sleep(60)
'''
STUBBORN = '''
import signal, os, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b'.')
time.sleep(60)
'''


def started(group, program):
    return subprocess.Popen([sys.executable, '-c', program],
                            stdout=subprocess.PIPE,
                            preexec_fn=group.enter)


def cpu_of_all(group):
    p = started(group, WORKERS)
    told = [float(s) for s in p.stdout.read().split()]     # to the last one
    p.wait()
    assert len(told) == 3, told
    counted = group.settled()
    # starting the interpreter is in both; ending it is told by nobody
    assert 0.95 * sum(told) < counted < 1.1 * sum(told) + 0.2, (
        counted, told)


def cpu_of_nobody_else(group):
    before = group.settled()
    subprocess.run([sys.executable, '-c', WORKERS], check=True,
                   stdout=subprocess.DEVNULL)
    assert group.settled() - before < 0.05, 'counts strangers'


def memory_shared_once(group):
    p = started(group, HOLDERS)
    assert p.stdout.read(2) == b'..'
    kb = group.memory()
    assert 32 << 10 < kb < 60 << 10, kb
    group.end()
    p.wait()


def ends_all(group):
    p = started(group, STUBBORN)
    assert p.stdout.read(1) == b'.'
    group.end()
    assert p.wait() < 0
    assert group.pids() == []
    assert not os.path.exists(group.dir)


def box(top, name):
    path = os.path.join(top, name)
    mailbox.Maildir(path, create=True)
    return path


def touch(path):
    open(path, 'w').close()


def arrivals_counted(top):
    one, two = box(top, 'one'), box(top, 'two')
    touch(one + '/new/old')
    a = arrivals.Arrivals([one, two])
    touch(one + '/tmp/1')
    os.rename(one + '/tmp/1', one + '/new/1')           # as postern does
    touch(two + '/tmp/2')
    os.link(two + '/tmp/2', two + '/new/2')             # as Postfix does
    os.unlink(two + '/tmp/2')
    touch(two + '/new/3')
    os.unlink(one + '/new/1')
    touch(one + '/cur/4')
    assert a.look() == 3, a.count
    for i in range(5000):
        touch(one + '/new/many%d' % i)
    assert arrivals.wait(a, 5003, 10), a.count
    assert not arrivals.wait(a, 5004, 0.1)
    a.close()


def source_timed(top):
    a = arrivals.Arrivals([box(top, 'three')])
    p = subprocess.Popen([sys.executable, '-c', WORKERS],
                         stdout=subprocess.DEVNULL)
    usage = arrivals.finished(p, a, 60)
    assert p.returncode == 0
    # its own and those of the child it waited for
    assert 0.35 < usage.ru_utime + usage.ru_stime, usage
    p = subprocess.Popen(['sleep', '60'])
    assert arrivals.finished(p, a, 0.2) is None
    assert p.returncode < 0
    a.close()


def mbox_counted(top):
    path = os.path.join(top, 'mbox')
    with open(path, 'wb') as f:
        f.write(b'From old\n\nx\n\n')
    m = dma.Mbox(path)
    text = b'From a\nSubject: x\n\nFrom here\n\nFrom b\n\nx\n\n'
    for i in range(len(text)):
        with open(path, 'ab') as f:
            f.write(text[i:i + 1])
        count = m.look()
    # unquoted, as nobody writes it: every line that begins so is a mark
    assert count == 3, count


RATE = Row('rate', '', '/s', times(3), more=True)
CPU = Row('cpu', 'CPU', ' ms', part(1 / 3))
SIZE = Row('size', 'size', ' kB', most({Glibc.name: 64, Musl.name: 40}))
SERVERS = [Glibc.name, Musl.name, Postfix.name]


def example(rows, figures, servers=None):
    """What the table says of {server: [values]} of rows[0]."""
    case = Case('x', 'about', 'ext4', (), None, rows)
    got = record.Record({})
    for server, values in figures.items():
        for turn, value in enumerate(values):
            got.add(case, None, server, turn, {rows[0].measure: value})
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        table.Table(got, servers or SERVERS).case(case)
    return out.getvalue()


VERDICTS = (    # row, figures of glibc, musl, Postfix; what stands there
    (RATE, 300, 400, 100, '3.00    4.00  >= 3: reached'),
    (RATE, 299, 200, 100, '2.99    2.00  >= 3: missed'),
    (RATE, 200, 300, 100, 'glibc missed, musl reached'),
    (CPU, 1, 0.5, 3, '0.33    0.17  <= 0.333: reached'),
    (CPU, 1.1, 0.5, 3, 'glibc missed, musl reached'),
    (SIZE, 64, 40, 1000, '<= 64, 40: reached'),
    (SIZE, 64, 41, 1000, 'glibc reached, musl missed'),
)


def verdicts():
    for row, glibc, musl, postfix, wanted in VERDICTS:
        text = example([row], {Glibc.name: [glibc], Musl.name: [musl],
                               Postfix.name: [postfix]})
        assert wanted in text, (text, wanted)


def medians():
    text = example([RATE], {Glibc.name: [1, 900, 500], Musl.name: [5, 5, 5],
                            Postfix.name: [10, 100, 1000]})
    words = text.split()
    assert '500/s' in words and '100/s' in words and '5.00' in words, text
    assert '1.00-900' in words and '10.0-1000' in words, text
    # ratios are those of the medians
    assert ' 5.00    0.05 ' in text, text


def best_of_others():
    """Beside several others the ratio is over the best of them."""
    figures = {Glibc.name: [8], Postfix.name: [2], 'Exim': [4]}
    rate = Row('rate', '', '/s', more=True)
    assert '2.00' in example([rate], figures, list(figures)).split()
    cost = Row('cpu', '', ' ms')
    assert '4.00' in example([cost], figures, list(figures)).split()


def alone():
    """Without others there is neither ratio nor verdict over them."""
    text = example([RATE], {Glibc.name: [8]}, [Glibc.name])
    assert '8.00/s' in text and 'reached' not in text \
        and 'missed' not in text, text


def kept(top):
    case = Case('x', 'about', 'ext4', (), None, [RATE])
    got = record.Record({'rounds': '2'})
    got.add(case, 10, 'Exim', 1, {'rate': 1.5, 'cpu': 2})
    got.note(case, 20, 'Exim', 'stalled', 'after 3 of 4')
    path = os.path.join(top, 'sub', 'x.tsv')
    got.write(path)
    back = record.read(path)
    assert back.figures == got.figures, back.figures
    assert back.notes == got.notes, back.notes
    assert back.about == got.about, back.about
    assert back.mark('x', 20, 'Exim') == 'stalled'
    assert back.mark('x', 10, 'Exim') == '-'


def bench(*args, **env):
    """(exit code, what it says); killed when it hangs."""
    p = subprocess.run(
        [os.path.join(HERE, 'bench', 'run')] + list(args),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=300, env=dict(os.environ, **env))
    return p.returncode, p.stdout


def small_run(top):
    for name in ('smtpd', 'deliver'):
        if not os.path.exists(os.path.join(BUILD, 'static', name)):
            raise tap.Skip('the static build is not there')
    if not unpacked.present('postfix'):
        raise tap.Skip('postfix is not unpacked')
    out = os.path.join(top, 'out')
    only = ('a-tmpfs', 'banner', 'banner-accept', 'banner-inetd', 'size')
    code, said = bench('bench', BENCH_ONLY=','.join(only), BENCH_SCALE='0.02',
                       BENCH_ROUNDS='2', BENCH_OUT=out)
    if 'no name space of its own' in said:
        raise tap.Skip(said.splitlines()[-1])
    assert code == 0, said
    got = record.read(os.path.join(out, 'bench.tsv'))
    for case in only:
        all_ = ([Glibc.name, Musl.name] if case in only[2:4] else SERVERS)
        measure = {'a-tmpfs': 'rate', 'size': 'size'}.get(case, 'median')
        for server in all_:
            values = got.values(case, None, server, measure)
            assert len(values) == (1 if case == 'size' else 2), (
                case, server, said)
            assert min(values) > 0, (case, server, values)
    for server in SERVERS:
        assert min(got.values('a-tmpfs', None, server, 'cpu')) > 0
    assert 'a-tmpfs: ' in said and 'size: ' in said, said


def small_outbound(top):
    if not unpacked.present('postfix'):
        raise tap.Skip('postfix is not unpacked')
    out = os.path.join(top, 'outbound')
    code, said = bench('outbound', BENCH_ONLY='out-1000,long',
                       BENCH_SCALE='0.02', BENCH_ROUNDS='1', BENCH_OUT=out)
    if 'no name space of its own' in said:
        raise tap.Skip(said.splitlines()[-1])
    assert code == 0, said
    got = record.read(os.path.join(out, 'outbound.tsv'))
    for server in Glibc.name, Postfix.name:
        for measure in 'rate', 'cpu':
            value, = got.values('out-1000', None, server, measure)
            assert value > 0, (server, measure, said)
    for case, measure in (('out-1000', 'memory'), ('long', 'listing'),
                          ('long', 'pass')):
        value, = got.values(case, None, Glibc.name, measure)
        assert value > 0, (case, measure, said)


def strange_case():
    code, said = bench('bench', BENCH_ONLY='nonesuch')
    assert code != 0 and 'no case nonesuch' in said, said
    assert 'a-tmpfs' in said, 'the names are not told'


ON_GROUPS = (
    ('CPU time of all generations, user and kernel', cpu_of_all),
    ('CPU time of nobody else', cpu_of_nobody_else),
    ('shared memory counts once', memory_shared_once),
    ('all processes of a server are ended', ends_all),
)


def with_groups(t, top):
    """What needs root, and control groups."""
    names = [name for name, _ in ON_GROUPS] + [
        'a small run', 'a small run of outbound']
    try:
        Group().end()
    except (OSError, SystemExit) as e:
        for name in names:
            t.skip(name, 'no control group: %s' % e)
        return
    for name, test in ON_GROUPS:
        group = Group()
        t.run(name, test, group)
        group.end()
    t.run(names[-2], small_run, top)
    t.run(names[-1], small_outbound, top)


def main():
    t = tap.Tap()
    with tempfile.TemporaryDirectory() as top:
        t.run('messages are counted as they arrive', arrivals_counted, top)
        t.run('the load generator is waited for, and its CPU time told',
              source_timed, top)
        t.run('messages of an mbox are counted', mbox_counted, top)
        t.run('a target is reached or missed, for each build', verdicts)
        t.run('the table shows medians, and least and most', medians)
        t.run('ratios are over the best of several others', best_of_others)
        t.run('without others no ratio', alone)
        t.run('what was measured is kept', kept, top)
        t.run('an unknown case is named', strange_case)
        with_groups(t, top)
    t.done()


main()
