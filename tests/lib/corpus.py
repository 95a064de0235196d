"""Sample messages, real and malformed, of Python's and spamassassin's tests
and of flufl.bounce."""
import glob
import os

from fronts import DEPS

PLACES = (
    'libpython3.11-testsuite/usr/lib/python3.*/test/test_email/data/*',
    'python3-flufl.bounce/usr/lib/python3/dist-packages/flufl/bounce/tests/'
    'data/*',
    'spamassassin/usr/share/doc/spamassassin/examples/sample-*',
)


def collect():
    """Name and octets of each; none when they are not unpacked."""
    texts = {}
    for place in PLACES:
        for path in sorted(glob.glob(os.path.join(DEPS, place))):
            if path.endswith(('.py', '.gif', '.au', '.tiff')):
                continue
            with open(path, 'rb') as f:
                text = f.read()
            texts[os.path.basename(path)] = text
    return texts
