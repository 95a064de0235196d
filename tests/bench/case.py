"""What a case is: one row of a table, which says what is run against which
servers, what comes out of it, and what it should be."""

class Target:
    """sign '>=' or '<=', and the bound: of postern's figure over Postfix's
    (ratio), or of the figure itself; one bound, or one for each build."""

    def __init__(self, sign, bound, ratio=False):
        self.sign, self.bound, self.ratio = sign, bound, ratio

    def of(self, server):
        return (self.bound[server] if isinstance(self.bound, dict)
                else self.bound)

    def reached(self, server, figure):
        return (figure >= self.of(server) if self.sign == '>='
                else figure <= self.of(server))

    def _bounds(self):
        """As text; of several builds in their order."""
        all_ = (self.bound.values() if isinstance(self.bound, dict)
                else [self.bound])
        return ', '.join('%.3g' % b for b in all_)

    def text(self):
        return '%s %s' % (self.sign, self._bounds())

    def words(self, unit):
        if not self.ratio:
            return '%s %s' % (self._bounds(), unit)
        return ('%g times Postfix' % self.bound if self.bound >= 1
                else '1/%.0f of Postfix' % (1 / self.bound))


def times(n):
    """At least n times Postfix."""
    return Target('>=', n, ratio=True)


def part(n):
    """At most this part of Postfix."""
    return Target('<=', n, ratio=True)


def most(bound):
    return Target('<=', bound)


class Row:
    """One figure of a case.  measure: its key in what run() returns; about:
    '' for that of the case itself.  more: a higher one is better; compared:
    with the others at all."""

    def __init__(self, measure, about, unit, target=None, more=False,
                 compared=True):
        self.measure, self.about, self.unit = measure, about, unit
        self.target, self.more, self.compared = target, more, compared


class Case:
    """run(server, scale, point) measures once and returns a figure for each
    measure of rows.  kind: of file system.  servers: the classes that take
    part; smtp: by SMTP over TCP.  points: what is varied, and label(point)
    what it is called; prepare(under, servers, point) is called once for each.
    options(point): how the servers are made.  once: neither warmed up nor
    repeated."""

    def __init__(self, name, about, kind, servers, run, rows, options=None,
                 points=(None,), label=None, prepare=None, once=False,
                 smtp=True):
        self.name, self.about, self.kind = name, about, kind
        self.servers, self.run, self.rows = servers, run, rows
        self.options = options or (lambda point: {})
        self.points, self.label = points, label
        self.prepare, self.once, self.smtp = prepare, once, smtp
