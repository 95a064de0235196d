"""Servers measured in turns, so that what else the machine does meets all of
them alike."""
import os
import sys

import group
import settings
import stage
from load import Unfinished
from servers import Cannot

WARM = 0.1      # of a sample, before the first one


class Turns:
    """All rounds of one case at one point."""

    def __init__(self, record, case, point, under):
        self.record, self.case = record, case
        self.point, self.under = point, under
        self.servers = []

    def measure(self):
        try:
            for kind in self.case.servers:
                self._start(kind)
            if self.case.prepare:
                self.case.prepare(self.under, self.servers, self.point)
            if not self.case.once:
                for s in list(self.servers):
                    self._one(s, 0, WARM * settings.SCALE)
            for turn in range(1 if self.case.once else settings.ROUNDS):
                k = turn % max(1, len(self.servers))
                for s in self.servers[k:] + self.servers[:k]:
                    self._one(s, turn + 1, settings.SCALE)
        finally:
            for s in self.servers:
                s.stop()
            group.reap()

    def _start(self, kind):
        if self.case.smtp and kind.without_smtp:
            self._note(kind, '-', kind.without_smtp)
        else:
            self.servers.append(kind(self.under,
                                     **self.case.options(self.point)))

    def _note(self, server, mark, text):
        self.record.note(self.case, self.point, server.name, mark, text)

    def _give_up(self, server, mark, text):
        self._note(server, mark, text)
        self.servers.remove(server)
        server.stop()

    def _log(self, server):
        """Of one that does not go on, kept; what to say of it."""
        text = server.logged()
        if not text:
            return ''
        path = os.path.join(settings.OUT, '%s-%s.log' % (
            self.case.name, server.name.replace(' ', '-')))
        os.makedirs(settings.OUT, exist_ok=True)
        with open(path, 'w') as f:
            f.write(text)
        return '; its log: ' + path

    def _one(self, server, turn, scale):
        """Round 0 is the warm-up.  Who cannot is not asked again."""
        group.reap()
        stage.settle(self.under)
        try:
            values = self.case.run(server, scale, self.point)
        except Cannot as e:
            self._give_up(server, '-', str(e))
            return
        except Unfinished as e:
            self._give_up(server, e.mark, str(e) + self._log(server))
            return
        if turn > 0:
            self.record.add(self.case, self.point, server.name, turn, values)


def run(top, record, cases, show):
    """show(case, point) after each point."""
    for case in cases:
        for point in case.points:
            with stage.stage(top, case.kind) as under:
                Turns(record, case, point, under).measure()
            show(case, point)
            sys.stdout.flush()
