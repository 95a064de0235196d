"""One table of a run: a column for each server, then what those of postern are
over the best of the others, and the target where there is one."""
from ours import Glibc, Musl

OURS = (Glibc.name, Musl.name)
LEFT, WIDE, NARROW = 49, 13, 8


def build(server):
    return server.split()[-1]


def digits(x):
    """Three of them, where there are not more before the point."""
    return '%.*f' % (0 if x >= 100 else 1 if x >= 10 else 2, x)


class Table:
    def __init__(self, record, servers, targets=True):
        self.record, self.servers, self.targets = record, servers, targets
        self.rivals = [s for s in servers if s not in OURS]
        self.ratios = ([s for s in servers if s in OURS]
                       if self.rivals else [])

    def head(self):
        top = low = ''
        for s in self.servers:
            words = s.rsplit(' ', 1)
            top += '%*s' % (WIDE, words[0] if len(words) > 1 else '')
            low += '%*s' % (WIDE, words[-1])
        if self.ratios:
            top += '%*s' % (NARROW * len(self.ratios),
                            'over ' + self.rivals[0]
                            if len(self.rivals) == 1 else 'over the best')
            low += ''.join('%*s' % (NARROW, build(s)) for s in self.ratios)
        print(' ' * LEFT + top)
        print(' ' * LEFT + low + ('  target' if self.targets else ''))

    def _line(self, about, cells, tail=''):
        print(('%-*s%s%s' % (LEFT, about, ''.join(
            '%*s' % (WIDE, c) for c in cells), tail)).rstrip())

    def ratio(self, case, point, server, row, rivals=None):
        ours = self.record.median(case.name, point, server, row.measure)
        theirs = [self.record.median(case.name, point, s, row.measure)
                  for s in rivals or self.rivals]
        theirs = [x for x in theirs if x]
        if ours is None or not theirs or not row.compared:
            return None
        return ours / (max(theirs) if row.more else min(theirs))

    def verdicts(self, case, point, row):
        """{build: whether it reaches the target}"""
        found = {}
        for s in OURS:
            figure = (self.ratio(case, point, s, row, ['Postfix'])
                      if row.target.ratio else self.record.median(case.name, point, s,
                                              row.measure))
            if figure is not None:
                found[build(s)] = row.target.reached(s, figure)
        return found

    def _target(self, case, point, row):
        if not row.target or not self.targets:
            return ''
        found = self.verdicts(case, point, row)
        words = {k: 'reached' if v else 'missed' for k, v in found.items()}
        if not found:
            return ''
        return '  %s: %s' % (row.target.text(), ', '.join(
            words.values() if len(words) == 1 else
            [words.popitem()[1]] if len(set(words.values())) == 1 else
            ['%s %s' % kv for kv in words.items()]))

    def _cell(self, case, point, server, row):
        figure = self.record.median(case.name, point, server, row.measure)
        if figure is not None:
            return digits(figure) + row.unit
        return self.record.mark(case.name, point, server)

    def _spread(self, case, point, row):
        cells = []
        for s in self.servers:
            v = self.record.values(case.name, point, s, row.measure)
            cells.append('%s-%s' % (digits(min(v)), digits(max(v)))
                         if len(v) > 1 else '')
        if any(cells):
            self._line('   least and most', cells)

    def row(self, case, point, row, label):
        self._line(label, [self._cell(case, point, s, row)
                           for s in self.servers],
                   ''.join('%*s' % (NARROW, self._over(case, point, s, row))
                           for s in self.ratios) +
                   self._target(case, point, row))

    def _over(self, case, point, server, row):
        x = self.ratio(case, point, server, row)
        return '-' if x is None else digits(x)

    def case(self, case, point=None):
        """Its rows; the spread below the first of them."""
        label = '%s: %s' % (case.name, case.about)
        if case.rows[0].about:
            print(label)
        for row in case.rows:
            self.row(case, point, row,
                     '   ' + row.about if row.about else label)
            if row is case.rows[0]:
                self._spread(case, point, row)

    def points(self, case, point):
        """One point of a case that has several: a line for each row."""
        if point == case.points[0]:
            print('%s: %s' % (case.name, case.about))
        for row in case.rows:
            if row.compared:
                self.row(case, point, row, '   %-14s %s' % (
                    '' if row.about else case.label(point), row.about))

    def notes(self):
        """Why figures are missing, the same reason said once."""
        reasons = {}
        for (case, point, server), (_, text) in self.record.notes.items():
            reasons.setdefault((server, text), []).append(
                case + (' ' + point if point else ''))
        for (server, text), where in reasons.items():
            print('%s (%s): %s' % (server, ', '.join(where), text))
