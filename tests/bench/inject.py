#!/usr/bin/python3
"""inject N COMMAND...: runs COMMAND N times, one after another, each with a
message on standard input; prints how many seconds each took."""
import os
import subprocess
import sys
import tempfile
import time


def main():
    n, argv = int(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryFile() as f:
        f.write(b'Subject: x\n\n' + b'x' * 77 + b'\n')
        f.flush()
        for _ in range(n):
            os.lseek(f.fileno(), 0, os.SEEK_SET)
            start = time.monotonic()
            subprocess.run(argv, stdin=f, check=True)
            print('%.6f' % (time.monotonic() - start))


main()
