"""The cases of make bench-peers: those of make bench with the other mail
systems that Debian has for the same purpose, and what only they do so far."""
import cases
import submit
from case import Case
from dma import Dma
from exim import Exim
from opensmtpd import OpenSmtpd

OTHERS = (OpenSmtpd, Exim, Dma)


def _with_others(case):
    return Case(case.name, case.about, case.kind, case.servers + OTHERS,
                case.run, case.rows, case.options, once=case.once,
                smtp=case.smtp)


CASES = tuple(_with_others(c) for c in cases.CASES
              if c.servers == cases.ALL) + (
    submit.case(cases.ALL + OTHERS),
)
