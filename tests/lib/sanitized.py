"""The programs with address and undefined-behaviour sanitizers.  They have no
filters: the sanitizers need what those forbid."""
import os
import subprocess

from postern import ROOT


def build(name, directory):
    """Its path; make knows its objects already."""
    env = {k: v for k, v in os.environ.items() if not k.startswith('MAKE')}
    rel = os.environ.get('B', 'build')
    parts = [os.path.join(rel, 'asan', n)
             for n in (name + '.o', 'libsys.a', 'libmail.a')]
    subprocess.run(['make', '-s', 'B=' + rel] + parts, cwd=ROOT, env=env,
                   check=True)
    program = os.path.join(directory, name + '-asan')
    subprocess.run(['gcc', '-fsanitize=address,undefined',
                    '-Wl,--gc-sections', '-o', program] + parts, cwd=ROOT,
                   check=True)
    return program
