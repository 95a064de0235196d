#!/usr/bin/python3
"""inject N RECIPIENT COMMAND...: runs COMMAND N times, one after another, each
with a message to RECIPIENT on standard input; prints how many seconds each
took, and at last the CPU seconds of its own that are in nobody's else."""
import os
import resource
import subprocess
import sys
import tempfile
import time


def main():
    n, rcpt, argv = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryFile() as f:
        f.write(b'To: %s\nSubject: x\n\n' % rcpt.encode() + b'x' * 77 +
                b'\n')
        f.flush()
        for _ in range(n):
            os.lseek(f.fileno(), 0, os.SEEK_SET)
            start = time.monotonic()
            subprocess.run(argv, stdin=f, check=True)
            print('%.6f' % (time.monotonic() - start))
    own = resource.getrusage(resource.RUSAGE_SELF)
    print('%.6f' % (own.ru_utime + own.ru_stime))


main()
