#!/usr/bin/python3
"""Killed at every system call, and every call that fails in every way: what
was acknowledged is there, once and whole, and the next mail goes through.
Arguments choose roles."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import crash
import sabotage
import tap
from postern import Postern

t = tap.Tap()
Postern().clean()       # the first one isolates this process
why = sabotage.needs()
if why:
    tap.skip_all(why)


STORE = 'store', 'session', 'poller'
PLANS = (
    ('one mailbox', dict(), STORE + ('listener', 'inetd', 'alone', 'mda')),
    ('two mailboxes', dict(rcpts=('alice+%s', 'bob+%s')), STORE),
    ('three mailboxes', dict(rcpts=('alice+%s', 'bob+%s', 'carol+%s')),
     ('store',)),
    ('600 kB', dict(size=600000), STORE + ('mda',)),
    ('a new Maildir', dict(rcpts=('carol+%s',), prepare=crash.unmake), STORE),
    ('new users', dict(prepare=crash.rewrite_users), ('lookup',)),
)
only = sys.argv[1:]
for name, plan, roles in PLANS:
    site = crash.Site(**plan)
    for role in roles:
        if only and role not in only:
            continue
        calls = site.trial(role)
        t.note('%s, %s: %s' % (role, name, calls))
        crash.campaign(t, '%s, %s: killed' % (role, name), site, role,
                       sabotage.kills(calls))
        crash.campaign(t, '%s, %s: errors' % (role, name), site, role,
                       sabotage.errors(calls))
    site.close()
t.done()
