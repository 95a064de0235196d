"""What the environment says of a run."""
import os

from postern import BUILD, ROOT

ROUNDS = int(os.environ.get('BENCH_ROUNDS', 3))
SCALE = float(os.environ.get('BENCH_SCALE', 1))
ONLY = os.environ.get('BENCH_ONLY', '').replace(',', ' ').split()
PEERS = os.environ.get('BENCH_PEERS', '1') != '0'
DIR = os.environ.get('BENCH_DIR', '/var/tmp')

DEPS = os.path.join(ROOT, 'build', 'deps')
# a run of some cases leaves the figures of the last whole run alone
OUT = os.environ.get('BENCH_OUT') or os.path.join(
    BUILD, 'bench', *(['only'] if ONLY else []))
