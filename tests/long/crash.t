#!/usr/bin/python3
"""Killed at every system call, and every call that fails in every way: what
was acknowledged is there, once and whole, and the next mail goes through."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import crash
import tap
from postern import Postern

t = tap.Tap()
Postern().clean()       # the first one isolates this process
why = crash.needs()
if why:
    tap.skip_all(why)


def fresh(site):
    """carol has no Maildir yet; the users file has just changed."""
    for sub in 'new', 'tmp', 'cur':
        shutil.rmtree(os.path.join(site.p.mailbox('carol'), sub),
                      ignore_errors=True)


SCENARIOS = {
    'one mailbox': dict(),
    'two mailboxes': dict(rcpts=('alice+%s', 'bob+%s')),
    '600 kB': dict(size=600000),
    'a new Maildir': dict(rcpts=('carol+%s',), prepare=fresh),
}
only = sys.argv[1:]
for name, scenario in SCENARIOS.items():
    site = crash.Site(**scenario)
    for role in 'store', 'session', 'poller', 'lookup', 'listener':
        if only and role not in only:
            continue
        if role in ('lookup', 'listener') and name != 'one mailbox':
            continue
        if role == 'lookup':
            site.prepare = crash.rewrite_users
        calls = site.trial(role)
        t.note('%s, %s: %s' % (role, name, calls))
        crash.campaign(t, '%s, %s: killed' % (role, name), site, role,
                       crash.kills(calls))
        crash.campaign(t, '%s, %s: errors' % (role, name), site, role,
                       crash.errors(calls))
    site.close()
t.done()
