"""The figures of a run, and their file: a line for each, tab separated."""
import os
import statistics
from collections import namedtuple

Figure = namedtuple('Figure', 'case point kind server round measure value')


class Record:
    def __init__(self, about):
        self.about = about      # {what: text} of the whole run
        self.figures = []
        self.notes = {}         # (case, point, server): (mark, why)

    def add(self, case, point, server, turn, values):
        for measure, value in values.items():
            self.figures.append(Figure(
                case.name, '' if point is None else str(point), case.kind,
                server, turn, measure, value))

    def values(self, case, point, server, measure):
        return [f.value for f in self.figures
                if (f.case, f.point, f.server, f.measure) == (
                    case, '' if point is None else str(point), server,
                    measure)]

    def median(self, *key):
        values = self.values(*key)
        return statistics.median(values) if values else None

    def note(self, case, point, server, mark, text):
        """Why there is no figure, and what stands in its place."""
        key = case.name, '' if point is None else str(point), server
        self.notes[key] = mark, text

    def mark(self, case, point, server):
        return self.notes.get((case, '' if point is None else str(point),
                               server), ('-', ''))[0]

    def has(self, case, measure):
        return any((f.case, f.measure) == (case, measure)
                   for f in self.figures)

    def seen(self, field):
        """The different values of one field, in the order of the run."""
        return list(dict.fromkeys(getattr(f, field) for f in self.figures))

    def write(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            for key, text in self.about.items():
                f.write('# %s\t%s\n' % (key, text))
            for key, text in self.notes.items():
                f.write('# note\t%s\n' % '\t'.join(key + text))
            f.write('\t'.join(Figure._fields) + '\n')
            for figure in self.figures:
                f.write('\t'.join('%.6g' % v if isinstance(v, float)
                                  else str(v) for v in figure) + '\n')


def read(path):
    record = Record({})
    with open(path) as f:
        for line in f:
            fields = line.rstrip('\n').split('\t')
            if fields[0] == '# note':
                record.notes[tuple(fields[1:4])] = tuple(fields[4:6])
            elif fields[0].startswith('# '):
                record.about[fields[0][2:]] = fields[1]
            elif fields[0] != 'case':
                record.figures.append(Figure(
                    *fields[:4], int(fields[4]), fields[5],
                    float(fields[6])))
    return record
