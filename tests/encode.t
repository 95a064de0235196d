#!/usr/bin/python3
"""Mail with lines that SMTP does not carry, as Python's email package reads
it before and after: the same parts with the same content, and no line too
long.  Messages made here, and several hundred real ones made long."""
import email
import email.policy
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import tap
from corpus import collect

TOOL = os.path.join(os.environ.get('B', 'build'), 'tests/tools/encode')
LONG = b'word ' * 300
SOLID = b'x' * 2500

t = tap.Tap()


def encode(text):
    """What becomes of it, None when it stays as it is."""
    with tempfile.NamedTemporaryFile() as f:
        f.write(text)
        f.flush()
        done = subprocess.run([TOOL, f.name], timeout=60,
                              stdout=subprocess.PIPE)
    assert done.returncode in (0, 1), done.returncode
    assert done.returncode == 0 or done.stdout == b''
    return done.stdout if done.returncode == 0 else None


def longest(text):
    return max(map(len, text.split(b'\n')))


def parts(text):
    """Type and decoded content of each part, and what else is in it: there,
    where parts have one boundary, may be what others take for a header."""
    result = []
    for part in email.message_from_bytes(text).walk():
        one = [part.get_content_type(), part.get_boundary(),
               (part.preamble or '').split(), (part.epilogue or '').split()]
        if not part.is_multipart():
            one.append(part.get_payload(decode=True))
        result.append(one)
    return result


def fields(text):
    """The header without white space, and without what encoding may add."""
    header = email.message_from_bytes(text).items()
    return [(name.lower(), ''.join(str(value).split()))
            for name, value in header if name.lower() not in
            ('content-transfer-encoding', 'mime-version')]


def encoded(text):
    """It is needed, it arrives, and it says the same."""
    out = encode(text)
    assert out is not None
    assert longest(out) <= 998, longest(out)
    assert parts(out) == parts(text), (parts(out), parts(text))
    assert fields(out) == fields(text)
    assert encode(out) is None
    return out


def multipart(*bodies, kind='mixed', head='', end=b'--b--\n'):
    text = ('From: a@b\nMIME-Version: 1.0\n%sContent-Type: multipart/%s; '
            'boundary="b"\n\npreamble\n' % (head, kind)).encode()
    return text + b''.join(b'--b\n' + body + b'\n' for body in bodies) + end


def test_plain():
    out = encoded(b'From: a@b\nSubject: x\n\nshort\n' + LONG + b'\n-- \nend\n')
    header = out.split(b'\n\n')[0].split(b'\n')
    assert header[:2] == [b'From: a@b', b'Subject: x']
    assert sorted(header[2:]) == [
        b'Content-Transfer-Encoding: quoted-printable', b'MIME-Version: 1.0']


def test_8bit():
    out = encoded(b'MIME-Version: 1.0\nContent-Transfer-Encoding:\n 8bit\n'
                  b'Content-Type: text/plain; charset=utf-8\nX: y\n\n'
                  + 'gr\u00fc\u00dfe '.encode() * 400 + b'\n')
    header = out.split(b'\n\n')[0]
    assert b'8bit' not in header and header.count(b'MIME-Version') == 1
    assert max(out) < 0x80


def test_octets():
    """Whatever stands in a body comes back."""
    body = bytes(range(256)).replace(b'\n', b'') * 20 + b'\n \t\n=\n. \n'
    encoded(b'From: a@b\n\n' + body)


def test_no_header():
    encoded(b'\n' + LONG + b'\n')


def test_no_end():
    encoded(b'From: a@b\n\n' + LONG)
    encoded(b'From: a@b\n\n' + SOLID + b' \t')
    encoded(multipart(b'\n' + LONG, end=b'--b--'))


def test_limit(n, needed):
    out = encode(b'From: a@b\n\n' + b'x' * n + b'\nend\n')
    assert (out is not None) == needed


def test_multipart():
    """Only the parts that need it."""
    text = multipart(
        b'Content-Type: text/plain\n\nshort',
        b'Content-Type: text/html; charset=utf-8\n'
        b'Content-Transfer-Encoding: 8bit\n\n<p>' + LONG,
        b'Content-Type: application/octet-stream\n'
        b'Content-Transfer-Encoding: base64\n\nQUJD\n',
        b'\n' + SOLID + b'\n--c\n--bb\n --b\n')
    out = encoded(text)
    assert out.count(b'quoted-printable') == 2
    assert b'\nshort\n' in out and b'\nQUJD\n' in out
    assert b'8bit' not in out


def test_nested():
    inner = (b'Content-Type: multipart/alternative; boundary=b2\n\npre\n'
             b'--b2\n\n' + LONG + b'\n--b2\nContent-Type: text/html\n\n'
             b'short\n--b2--\n' + b'epilogue')
    out = encoded(multipart(inner, b'\n' + SOLID, b'\nshort'))
    assert out.count(b'quoted-printable') == 2


def test_boundary_in_a_break():
    """A soft break never makes a boundary of what was none."""
    for n in range(1040, 1060):
        for end in (b'--b--', b'--b', b'--b \t'):
            encoded(multipart(b'\n' + b'x' * n + end + b'\nmore', b'\n2nd'))


def kept(text, why):
    out = encode(text)
    assert out is None or parts(out) == parts(text), why
    assert out is None or LONG in out, why


def test_kept():
    """Signed, encrypted, or not ours to encode."""
    long = b'\n' + LONG + b'\n'
    for why, text in {
            'DKIM': b'DKIM-Signature: v=1\nFrom: a@b\n' + long,
            'DKIM, folded': b'dkim-signature :\n v=1\nFrom: a@b\n' + long,
            'signed': multipart(long, kind='signed'),
            'encrypted': multipart(long, kind='encrypted'),
            'S/MIME': b'Content-Type: application/pkcs7-mime\n' + long,
            'S/MIME, old':
                b'content-type:\n\tApplication/X-PKCS7-MIME; x=y\n' + long,
            'PGP': b'Content-Type: application/pgp-encrypted\n' + long,
            'inline PGP': b'From: a@b\n\n-----BEGIN PGP SIGNED MESSAGE-----\n'
                          + long,
            'message': b'Content-Type: message/rfc822\n' + long,
            'message in parts': multipart(
                b'Content-Type: message/rfc822\n\nA: b\n' + long),
            'digest': multipart(long, kind='digest'),
            'two types': b'Content-Type: text/plain\n'
                         b'Content-Type: text/html\n' + long,
            'no boundary': b'Content-Type: multipart/mixed\n' + long,
            'encoded already':
                b'Content-Transfer-Encoding: quoted-printable\n' + long,
    }.items():
        kept(text, why)
        assert encode(text) is None, why


def test_signed_inside():
    """A signed part stays, the one beside it does not."""
    signed = (b'Content-Type: multipart/signed; boundary=s\n\n--s\n\n'
              + LONG + b'\n--s--')
    text = multipart(signed, b'\n' + SOLID)
    out = encode(text)
    assert out.count(b'quoted-printable') == 1
    assert signed in out and parts(out) == parts(text)


def test_header():
    people = b', '.join(b'user%d@away.example' % i for i in range(200))
    text = b'From: a@b\nTo: ' + people + b'\nSubject: x\n\nshort\n'
    out = encoded(text)
    assert b'quoted-printable' not in out
    assert out.replace(b'\n ', b' ') == text


def test_header_solid():
    """No blank, no fold: it stays, and so does all else."""
    text = b'From: a@b\nX: ' + SOLID + b'\nY: ' + LONG + b'\n\nshort\n'
    out = encode(text)
    assert out.replace(b'\n ', b' ').replace(b' \n', b'\n') == text.replace(
        b' \n', b'\n'), out
    assert [len(line) > 998 for line in out.split(b'\n')].count(True) == 1


def test_corpus():
    """Real messages, some of their lines made long."""
    count = 0
    for name, text in sorted(collect().items()):
        text = text.replace(b'\r\n', b'\n').replace(b'\r', b'\n')
        lines = text.replace(b'\0', b'?').split(b'\n')
        chance = random.Random(name)
        for i, line in enumerate(lines):
            if chance.random() < 0.1 and b' ' in line and not \
                    line.startswith(b'--'):
                lines[i] = line + b' ' + line * (1000 // len(line) + 1)
        text = b'\n'.join(lines)
        out = encode(text)
        if out is None:
            continue
        count += 1
        assert parts(out) == parts(text), name
    assert count > 100, count


t.run('plain text', test_plain)
t.run('text beyond ASCII', test_8bit)
t.run('every octet', test_octets)
t.run('no header', test_no_header)
t.run('no line end at the end', test_no_end)
for length in (997, 998, 999, 1000):
    t.run('a line of %d octets' % length, test_limit, length, length > 998)
t.run('parts', test_multipart)
t.run('parts in parts', test_nested)
t.run('boundaries at soft breaks', test_boundary_in_a_break)
t.run('what is kept', test_kept)
t.run('a signed part among others', test_signed_inside)
t.run('a long line of a header', test_header)
t.run('one that cannot be folded', test_header_solid)
t.run('real messages', test_corpus)
t.done()
