"""Which charts are drawn of a run, each from what there is of it."""
import os
import shutil
import statistics

from chart import Sheet, bars, curves
from growth import octets
from postfix import Postfix
from table import OURS

AXES = {'clients': 'clients at once', 'sizes': 'size of a message',
        'recipients': 'recipients of a message',
        'maildir': 'messages in the Maildir before'}


def spread(record):
    n = record.about['rounds']
    return ('median of %s rounds, line: least to most' % n if n != '1'
            else 'one round')


def figures(record, case, point, measure):
    """{server: [figures]} of the servers that have some."""
    found = {s: record.values(case, point, s, measure)
             for s in record.seen('server')}
    return {s: v for s, v in found.items() if v}


def bound(values, target, server):
    """What this server's figure should be, or None."""
    if not target.ratio:
        return target.of(server)
    if Postfix.name not in values:
        return None
    return statistics.median(values[Postfix.name]) * target.of(server)


def marks(values, target):
    """At the height where each build of postern should be."""
    found = []
    for i, server in enumerate(values):
        if server in OURS and bound(values, target, server):
            found.append((i - 0.5, i + 0.5, bound(values, target, server)))
    return found


def add(sheet, record, case, measure, unit, about='', targets=True,
        log=False):
    for row in case.rows:
        values = figures(record, case.name, None, measure)
        if row.measure != measure or not values:
            continue
        title = about or '%s: %s' % (case.name, case.about)
        lines = marks(values, row.target) if targets and row.target else []
        if lines:
            title += '\\n{/*0.85 dashed: the target, %s}' % (
                row.target.words(unit))
        sheet.panels.append(bars(title, unit, values, lines, log))


def comparing(record, cases, targets):
    """Of make bench and make bench-peers."""
    how = spread(record)
    rate = Sheet('Messages stored per second (%s)' % how)
    cpu = Sheet('CPU time of the server per message (%s)' % how)
    # a column for each case
    latency = Sheet('Time of a connection, one client: above the median, '
                    'below the 99th percentile (%s)' % how,
                    len([c for c in cases if c.name != 'sendmail' and
                         record.has(c.name, 'p99')]),
                    max(320, 130 + 70 * len(record.seen('server'))))
    memory = Sheet('Memory (PSS of all processes, logarithmic)')
    local = Sheet('sendmail, one message after another, ext4 (%s)' % how, 2,
                  500)
    for case in cases:
        if case.name == 'sendmail':
            add(local, record, case, 'median', 'ms', 'returns after')
            add(local, record, case, 'rate', 'messages/s',
                'until the last is delivered')
            continue
        add(rate, record, case, 'rate', 'messages/s', targets=targets)
        add(cpu, record, case, 'cpu', 'ms', targets=targets)
        add(latency, record, case, 'median', 'ms', case.about, targets)
        add(memory, record, case, 'idle', 'kB', 'each of 1000 idle '
            'connections', targets, log=True)
        add(memory, record, case, 'rest', 'kB', 'all processes, just started',
            log=True)
        add(memory, record, case, 'used', 'kB', 'all processes, at rest after '
            '20 sessions', log=True)
    for case in cases:
        if case.name != 'sendmail':
            add(latency, record, case, 'p99', 'ms', case.about)
    return {'throughput': rate, 'cpu': cpu, 'latency': latency,
            'memory': memory, 'sendmail': local}


def growing(record, cases):
    """Of make bench-growth."""
    made = {}
    for case in cases:
        sheet = Sheet('%s (%s)' % (case.about[0].upper() + case.about[1:],
                                   spread(record)), 2, 560, 100)
        ticks = {str(p): tick(case.name, i, p)
                 for i, p in enumerate(case.points)}
        for measure, unit, title in (
                ('rate', 'messages/s', 'stored per second'),
                ('cpu', 'ms', 'CPU time of the server for each')):
            values = {}
            for point in case.points:
                for s, v in figures(record, case.name, point,
                                    measure).items():
                    values.setdefault(s, {})[str(point)] = v
            if values:
                sheet.panels.append(curves(title, unit, AXES[case.name],
                                           values, ticks))
        made['growth-' + case.name] = sheet
    return made


def tick(name, i, point):
    if name != 'sizes':
        return '%d' % point if point <= 10000 else '10^%d' % len(
            str(point // 10))
    return octets(point) if i % 2 == 0 else ''


def draw(record, plan, cases, out):
    """The paths of what was drawn."""
    if not shutil.which('gnuplot'):
        return ['no charts: gnuplot is not installed']
    made = (growing(record, cases) if plan == 'growth' else
            comparing(record, cases, plan == 'bench'))
    prefix = 'peers-' if plan == 'peers' else ''
    return [sheet.write(os.path.join(out, prefix + name + '.svg'))
            for name, sheet in made.items() if sheet.panels]
