#!/usr/bin/python3
"""Reports to senders as programs read them: Python's email package, which
minds every defect, and flufl.bounce, which mailing lists use.  Fields that
came from strangers are as hostile as they can be."""
import email
import email.policy
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
import tap
from fronts import DEPS

TOOL = os.path.join(os.environ.get('B', 'build'), 'tests/tools/report')
FAILED, DELAYED, DELIVERED, RELAYED = range(4)
ACTIONS = ['failed', 'delayed', 'delivered', 'relayed']
STRICT = email.policy.default.clone(raise_on_defect=True)
ORIGINAL = b'From: alice@here.example\nSubject: x\n\nbody\n'

t = tap.Tap()


def build(recipients, original=ORIGINAL, **fields):
    """What the tool prints; a recipient is a dict with an action."""
    pairs = dict({'hostname': 'mx.here.example', 'id': '0123456789abcdef',
                  'to': 'alice@here.example', 'arrival': 1795468380,
                  'now': 1795471980}, **fields)
    text = b''
    for pair in [pairs] + recipients:
        for name in sorted(pair, key=lambda name: name != 'action'):
            value = pair[name]
            if not isinstance(value, bytes):
                value = str(value).encode()
            text += name.encode() + b'\0' + value + b'\0'
    with tempfile.NamedTemporaryFile() as f, \
            tempfile.NamedTemporaryFile() as o:
        f.write(text)
        f.flush()
        o.write(original)
        o.flush()
        done = subprocess.run([TOOL, f.name, o.name], timeout=60,
                              stdout=subprocess.PIPE, check=True)
    return done.stdout


def who(action=FAILED, **fields):
    return dict({'action': action, 'address': 'bob@away.example'}, **fields)


def parse(text, policy=STRICT):
    """The message; that it has the shape of a report is checked."""
    message = email.message_from_bytes(text, policy=policy)
    assert message.get_content_type() == 'multipart/report', message
    assert message.get_param('report-type') == 'delivery-status'
    parts = message.get_payload()
    assert len(parts) == 3, [p.get_content_type() for p in parts]
    assert not message.preamble and not message.epilogue
    names = [name.lower() for name in message.keys()]
    assert names == ['from', 'to', 'subject', 'date', 'message-id',
                     'auto-submitted', 'mime-version', 'content-type',
                     'content-transfer-encoding'], names
    assert max(map(len, text.split(b'\n'))) <= 998
    assert b'\r' not in text and b'\0' not in text
    return message


def raw(text, index):
    """The octets of a part; Python would fold its lines anew."""
    boundary = email.message_from_bytes(text).get_boundary()
    return text.split(b'\n--' + boundary.encode())[index + 1].split(
        b'\n\n', 1)[1]


def groups(text):
    """The fields of message/delivery-status, a dict for each group; what
    RFC 6533 makes of it Python does not know."""
    part = email.message_from_bytes(
        text, policy=email.policy.default).get_payload()[1]
    if part.get_content_type() == 'message/delivery-status':
        blocks = part.get_payload()
        assert not any(block.get_payload() for block in blocks), blocks
        return [{k.lower(): str(v) for k, v in b.items()} for b in blocks]
    text = raw(text, 1).decode()
    return [dict((line.split(': ', 1)[0].lower(), line.split(': ', 1)[1])
                 for line in block.split('\n') if line)
            for block in text.strip('\n').split('\n\n')]


def words(message):
    return message.get_payload()[0].get_content()


def test_header():
    message = parse(build([who()]))
    sender = message['from'].addresses[0]
    assert sender.addr_spec == 'MAILER-DAEMON@mx.here.example', sender
    assert sender.display_name == 'Mail Delivery System'
    assert [a.addr_spec for a in message['to'].addresses] == [
        'alice@here.example']
    assert message['date'].datetime.timestamp() == 1795471980
    assert message['message-id'] == (
        '<0123456789abcdef-report-1795471980@mx.here.example>')
    assert message['auto-submitted'] == 'auto-replied'
    assert message['subject'] == 'Your message could not be delivered'


def test_action(action):
    text = build(
        [who(action, code='5.1.1' if action == FAILED else '',
             last=1795470000, remote='mx.away.example',
             text='550 5.1.1 no', orcpt='rfc822;bob+2Bx@away.example')],
        envid='QQ+2B1', until=1795900380)
    message = parse(text)
    top, one = groups(text)
    assert top == {'reporting-mta': 'dns; mx.here.example',
                   'original-envelope-id': 'QQ+1',
                   'arrival-date': 'Mon, 23 Nov 2026 21:13:00 +0000'}, top
    wanted = {'original-recipient': 'rfc822;bob+x@away.example',
              'final-recipient': 'rfc822;bob@away.example',
              'action': ACTIONS[action],
              'status': ['5.1.1', '4.0.0', '2.0.0', '2.0.0'][action],
              'remote-mta': 'dns; mx.away.example',
              'diagnostic-code': 'smtp; 550 5.1.1 no',
              'last-attempt-date': 'Mon, 23 Nov 2026 21:40:00 +0000'}
    if action == DELAYED:
        wanted['will-retry-until'] = 'Sat, 28 Nov 2026 21:13:00 +0000'
    assert one == wanted, one
    assert '<bob@away.example>' in words(message)


def test_ours():
    """No hop answered: then none is named (RFC 3464 2.3.5, 2.3.6)."""
    text = build([who(code='5.4.6', text='it goes in a circle')])
    message = parse(text)
    one = groups(text)[1]
    assert 'remote-mta' not in one and 'diagnostic-code' not in one, one
    assert 'original-recipient' not in one, one
    assert 'it goes in a circle' in words(message)


def test_header_only():
    message = parse(build([who()], ORIGINAL))
    third = message.get_payload()[2]
    assert third.get_content_type() == 'text/rfc822-headers'
    assert third.get_content() == ORIGINAL.decode().split('\n\n')[0] + '\n'


def test_full():
    message = parse(build([who()], ORIGINAL, full=1))
    third = message.get_payload()[2]
    assert third.get_content_type() == 'message/rfc822'
    assert third.get_payload()[0].as_bytes() == ORIGINAL


def test_8bit_header():
    """A header beyond ASCII does not make the report need 8BITMIME."""
    header = 'Subject: gr\u00fc\u00dfe = \nX: %s\n' % ('long' * 400)
    text = build([who()], header.encode() + b'\nbody\n')
    assert max(text) < 0x80
    third = parse(text).get_payload()[2]
    assert third['content-transfer-encoding'] == 'quoted-printable'
    assert third.get_content() == header, third.get_content()


def test_8bit_full():
    original = b'Subject: x\n\ngr\xc3\xbc\xc3\x9fe\n' + b'y' * 3000 + b'\n'
    message = parse(build([who()], original, full=1))
    assert message['content-transfer-encoding'] == '8bit'
    third = message.get_payload()[2]
    assert third['content-transfer-encoding'] == '8bit'
    body = third.as_bytes().split(b'\n\n', 2)[2]
    assert body.startswith(b'gr\xc3\xbc\xc3\x9fe\n')
    assert body.count(b'y') == 3000


def test_utf8(full):
    original = 'Subject: gr\u00fc\u00dfe\n\nb\u00f6dy\n'.encode()
    text = build(
        [who(address='b\u00f6b@away.example', text='550 5.1.1 n\u00f6')],
        original, utf8=1, full=full, to='\u00e4lice@here.example')
    message = parse(text)
    assert '\nTo: <\u00e4lice@here.example>\n'.encode() in text
    kinds = [part.get_content_type() for part in message.get_payload()]
    assert kinds == ['text/plain', 'message/global-delivery-status',
                     'message/global' if full
                     else 'message/global-headers'], kinds
    one = groups(text)[1]
    assert one['final-recipient'] == 'utf-8;b\u00f6b@away.example', one
    assert '<b\u00f6b@away.example>' in words(message)
    copy = raw(text, 2)
    header, _, body = original.partition(b'\n\n')
    assert copy == header + (b'\n\n' + body if full else b'\n'), copy


def test_utf8_elsewhere():
    """An address beyond ASCII in a report that is ASCII: RFC 6533 3."""
    text = build([who(address='b\u00f6b@away.example')])
    assert max(text) < 0x80
    one = groups(text)[1]
    assert one['final-recipient'] == 'utf-8;b\\x{F6}b@away.example', one


HOSTILE = [
    b'a\r\nBcc: victim@far.example',
    b'a\n\nFinal-Recipient: rfc822;victim@far.example\nAction: failed',
    b'a\n--=_postern_0123456789abcdef--\n',
    b'\n--=_postern_0123456789abcdef\nContent-Type: text/html\n\n<b>',
    b'--=_postern_0123456789abcdef',
    b' \t \n.\n',
    b'"\\"\r\n\r\n',
    b'=?utf-8?q?=0ABcc:_x?=',
    b'+0D+0ABcc: x',
    b'a' * 5000,
    b'\xff\xfe\xc3(\xe2\x80\xa8\xc2\x85',
    b';' * 50,
    b'<' * 20 + b'>' * 20,
    b'%s%n%d',
]


def test_hostile(value, utf8):
    """One in each field, and the same everywhere."""
    names = ['address', 'orcpt', 'code', 'text', 'remote']
    cases = [({}, {name: value}) for name in names]
    cases += [({name: value}, {}) for name in ('envid', 'id', 'to')]
    cases += [({name: value for name in ('envid', 'id', 'to', 'hostname')},
               {name: value for name in names})]
    for fields, rcpt in cases:
        one = dict(who(text='550 no', remote='mx.away.example'), **rcpt)
        text = build([one, who(DELAYED)], utf8=utf8, **fields)
        # Addresses that are none are defects to Python; lines are not.
        message = parse(text, email.policy.default)
        top = email.message_from_bytes(text, policy=email.policy.compat32)
        assert not top.defects, top.defects
        assert message['bcc'] is None
        blocks = groups(text)
        assert len(blocks) == 3, blocks
        assert [b['action'] for b in blocks[1:]] == ['failed', 'delayed']
        assert set(blocks[1]) <= {
            'original-recipient', 'final-recipient', 'action', 'status',
            'remote-mta', 'diagnostic-code'}, blocks[1]
        assert set(blocks[2]) == {'final-recipient', 'action', 'status'}
        assert 'final-recipient' in blocks[1]
        if not utf8:
            assert max(text) < 0x80


def test_hostile_original():
    """An original that holds the end of the report it will be in."""
    mine = build([who()])
    for original in (mine, b'A: b\n\n' + mine, mine.replace(b'\n\n', b'\n')):
        for full in (0, 1):
            third = parse(build([who()], original, full=full),
                          email.policy.default).get_payload()[2]
            assert third.get_content_type() == (
                'message/rfc822' if full else 'text/rfc822-headers')


def test_thousands():
    people = [who(FAILED if i % 2 else DELAYED, code='5.1.1' if i % 2
                  else '4.4.1', address='user%d@away.example' % i,
                  remote='mx%d.away.example' % (i % 7), text='%d no' % i)
              for i in range(4096)]
    text = build(people)
    message = parse(text)
    blocks = groups(text)
    assert [b['final-recipient'] for b in blocks[1:]] == [
        'rfc822;' + p['address'] for p in people]
    text = words(message)
    assert all('<%s>' % p['address'] in text for p in people)


def test_flufl():
    """What a mailing list learns: who failed, who is late, and no one of
    those whose mail arrived."""
    sys.path.insert(0, os.path.join(
        DEPS, 'python3-flufl.bounce/usr/lib/python3/dist-packages'))
    try:
        from flufl.bounce import all_failures
    except ImportError as e:
        raise tap.Skip(str(e))
    people = [who(action, address='%s%d@away.example' % (name, i),
                  orcpt='rfc822;list+2B%s%d@lists.example' % (name, i)
                  if i % 2 else '')
              for action, name in enumerate(ACTIONS) for i in range(6)]
    for full in (0, 1):
        text = build(people, full=full)
        late, dead = all_failures(email.message_from_bytes(text))
        names = {name: {('list+%s%d@lists.example' if i % 2 else
                         '%s%d@away.example') % (name, i)
                        for i in range(6)} for name in ACTIONS}
        assert {a.decode() for a in dead} == names['failed'], dead
        assert {a.decode() for a in late} == names['delayed'], late


t.run('header', test_header)
for a, name in enumerate(ACTIONS):
    t.run(name, test_action, a)
t.run('no hop answered', test_ours)
t.run('the header goes back', test_header_only)
t.run('the whole message goes back', test_full)
t.run('a header beyond ASCII', test_8bit_header)
t.run('a whole message beyond ASCII', test_8bit_full)
t.run('SMTPUTF8, the header goes back', test_utf8, 0)
t.run('SMTPUTF8, the whole message goes back', test_utf8, 1)
t.run('an address beyond ASCII in an ASCII report', test_utf8_elsewhere)
for value in HOSTILE:
    t.run('hostile: %r' % value[:30], test_hostile, value, 0)
    t.run('hostile, SMTPUTF8: %r' % value[:30], test_hostile, value, 1)
t.run('an original that holds our boundary', test_hostile_original)
t.run('4096 recipients', test_thousands)
t.run('flufl.bounce', test_flufl)
t.done()
