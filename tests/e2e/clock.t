#!/usr/bin/python3
"""A wall clock that is ten years off, or jumps by twenty between any two
looks at it: mail is taken all the same, at once, with a date that is one."""
import os
import re
import subprocess
import sys
import time
from email.utils import parsedate_to_datetime

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import tap
from postern import ROOT, Postern, split_trace
from request import Deliver

YEARS = 10 * 365 * 86400
t = tap.Tap()


def mail(offset, wild):
    p = Postern({'command-timeout': '5s'})
    library = p.path('clock.so')
    subprocess.run(['gcc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', library,
                    os.path.join(ROOT, 'tests', 'lib', 'clock.c')],
                   check=True)
    env = dict(os.environ, LD_PRELOAD=library, CLOCK_OFFSET=str(offset))
    if wild:
        env['CLOCK_WILD'] = '1'
    Deliver(p, env=env)
    p.start(env=env)
    for client in p.client, p.local_client:
        c = client()
        c.hello()
        for _ in range(10):
            assert c.mail(to=('alice@here.example', 'bob@here.example'))[
                0] == 250, p.logged()[-500:]
        c.quit()
    now = time.time()
    for user in 'alice', 'bob':
        names = p.names(user)
        assert len(names) == 20
        stamps = [int(os.path.basename(n).split('.')[0]) for n in names]
        for text in p.take(user):
            date = re.search(rb';\s+(.*)\n', split_trace(text)[0])[1]
            stamps.append(parsedate_to_datetime(date.decode()).timestamp())
        off = {round((s - now) / YEARS) for s in stamps}
        if wild:    # which of the two it shows depends on who asks it when
            assert off and off <= {-1, 1}, off
        else:
            assert off == {offset // YEARS}, off
    assert not p.rubbish()
    p.clean()


for title, offset, wild in (('ten years ahead', YEARS, False),
                            ('ten years behind', -YEARS, False),
                            ('wild', YEARS, True)):
    t.run('a clock that is ' + title, mail, offset, wild)
t.done()
