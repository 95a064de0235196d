#!/usr/bin/python3
"""The tests that tests/threats names are there.  A name counts when it stands
in its file as it is, or as a function with _ for each blank."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import tap
from postern import ROOT

LAST = 48
NOT_YET = 'not yet: '
# What a receiver is threatened with: "not yet" alone is no answer.
RECEIVING = {1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 22, 23, 24,
             25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
             42, 43, 44, 45, 46, 47, 48}
t = tap.Tap()


def rows(text):
    """(number, title, [what stands below it])"""
    found = []
    for line in text.split('\n'):
        if line.startswith('\t'):
            found[-1][2].append(line[1:])
        elif line and not line.startswith('#'):
            number, _, title = line.partition(' ')
            found.append((int(number), title, []))
    return found


def has_name(path, name):
    with open(path, errors='replace') as f:
        text = re.sub(r'\s+', ' ', f.read())
    function = re.escape(re.sub(r'\W+', '_', name.strip()))
    return name.strip() in text or bool(
        re.search(r'\b(def|static \w+) ' + function + r'\(', text))


def fault(test):
    """What is wrong with one line, or None."""
    m = re.fullmatch(r'(\S*\*\S*) (\d+)', test)
    if m:
        n = len(glob.glob(os.path.join(ROOT, m[1])))
        return None if n >= int(m[2]) else '%d of %s' % (n, test)
    path, _, name = test.partition(': ')
    if not re.fullmatch(r'tests/[\w./-]+', path):
        return 'not understood: ' + test
    full = os.path.join(ROOT, path)
    if not os.path.isfile(full):
        return 'no file ' + path
    if path.endswith('.t') and not os.access(full, os.X_OK):
        return path + ' is not run'
    if name and not has_name(full, name):
        return 'no test "%s" in %s' % (name, path)
    return None


def judge(number, tests):
    real = [s for s in tests if not s.startswith(NOT_YET)]
    if not tests or (number in RECEIVING and not real):
        return ['no test']
    return [f for f in map(fault, real) if f]


with open(os.path.join(ROOT, 'tests', 'threats')) as f:
    table = rows(f.read())
t.equal([number for number, _, _ in table], list(range(1, LAST + 1)),
        'every threat has its row')
for number, title, tests in table:
    wrong = judge(number, tests)
    t.ok(not wrong, '%d, %s: %d tests' % (number, title, sum(
        not s.startswith(NOT_YET) for s in tests)), '\n'.join(wrong))
for bad in ('tests/threats.t: this name is ' + 'nowhere', 'tests/no-such.t',
            'tests/dialogue/no-such-*.smtp 1', '/etc/passwd', 'x'):
    t.ok(fault(bad), 'seen when it is missing: ' + bad)
t.ok(judge(1, [NOT_YET + 'x']) and judge(1, []), 'and when there is none')
t.done()
