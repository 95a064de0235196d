"""The Test Anything Protocol, as scripts/tap reads it."""
import sys
import traceback


class Tap:
    """Counts tests; the plan is printed by done()."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, good, name, why=''):
        self.count += 1
        print('%s %d - %s' % ('ok' if good else 'not ok', self.count,
                              name.replace('#', '')), flush=True)
        if not good:
            self.failed += 1
            self.note(why)
        return bool(good)

    def equal(self, got, wanted, name):
        return self.ok(got == wanted, name,
                       'got    %r\nwanted %r' % (got, wanted))

    def skip(self, name, why):
        self.count += 1
        print('ok %d - %s # SKIP %s' % (self.count, name, why), flush=True)

    def note(self, text):
        for line in str(text).splitlines()[-40:]:
            print('# ' + line[:600], flush=True)

    def run(self, name, test, *args):
        """test(*args) is one test: it returns nothing, or raises."""
        try:
            test(*args)
        except Skip as e:
            self.skip(name, str(e))
        except AssertionError as e:
            self.ok(False, name, str(e) or traceback.format_exc())
        except Exception:
            self.ok(False, name, traceback.format_exc())
        else:
            self.ok(True, name)

    def done(self):
        print('1..%d' % self.count, flush=True)
        sys.exit(1 if self.failed else 0)


class Skip(Exception):
    """This test cannot run here; the text says why."""


def skip_all(why):
    print('1..0 # SKIP ' + why, flush=True)
    sys.exit(0)
