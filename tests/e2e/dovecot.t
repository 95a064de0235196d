#!/usr/bin/python3
"""Dovecot serves what deliver wrote, by IMAP and by POP3, and the bytes are
the same; and takes mail from deliver by LMTP."""
import imaplib
import os
import poplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import fronts
import tap
from postern import Client, Postern, free_port, split_trace, until

t = tap.Tap()

CONTENTS = (
    b'Subject: plain\r\n\r\nx\r\n',
    b'Subject: eight bits\r\n\r\n\xe9\xff\xe2\x82\xac\r\n',
    b'Subject: no body\r\n\r\n',
    b'Subject: a long line\r\n\r\n' + b'y' * 5000 + b'\r\n',
    b'Subject: From\r\n\r\nFrom here\r\n>From there\r\n\r\n',
    b'no header at all\r\n',
    b'Subject: no line end at the end\r\n\r\n' + b'z' * 70000 + b'\r\n',
)

CONF = '''
base_dir = %(base)s/run
state_dir = %(base)s/state
log_path = %(base)s/log
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = %(internal)s
default_internal_group = %(internal)s
default_login_user = %(login)s
first_valid_uid = 1
mail_location = maildir:%(home)s/%%n/Maildir
mailbox_list_index = no
# so that POP3 gives the stored octets, line ends apart
pop3_no_flag_updates = yes
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=%(uid)s gid=%(uid)s home=%(home)s/%%n allow_all_users=yes
}
service imap-login {
  chroot =
  inet_listener imap {
    port = %(imap)d
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = %(pop3)d
  }
  inet_listener pop3s {
    port = 0
  }
}
service anvil {
  chroot =
}
service lmtp {
  unix_listener %(base)s/lmtp {
    mode = 0666
  }
}
'''


class Dovecot:
    """One instance with a configuration and directories of its own; all of
    its mailboxes belong to alice."""

    def __init__(self, p):
        if not p.multi:
            raise tap.Skip('needs root and a name space of its own')
        self.base = p.path('dovecot')
        os.mkdir(self.base, 0o755)
        self.imap, self.pop3 = free_port(), free_port()
        self.lmtp = os.path.join(self.base, 'lmtp')
        conf = p.write('dovecot.conf', CONF % {
            'base': self.base, 'home': p.path('home'), 'uid': p.uid('alice'),
            'imap': self.imap, 'pop3': self.pop3, 'internal': 'dovecot',
            'login': 'dovenull'})
        self.p = p
        p.popen([fronts.tool('dovecot'), '-F', '-c', conf])
        assert until(self.answers), self.logged() + p.logged()

    def answers(self):
        try:
            with imaplib.IMAP4('127.0.0.1', self.imap, timeout=5) as m:
                return m.welcome.startswith(b'* OK')
        except (OSError, imaplib.IMAP4.abort):
            return False

    def logged(self):
        try:
            with open(os.path.join(self.base, 'log')) as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def by_imap(self):
        m = imaplib.IMAP4('127.0.0.1', self.imap, timeout=20)
        m.login('alice', 'secret')
        _, count = m.select('INBOX', readonly=True)
        texts = []
        for i in range(int(count[0])):
            _, data = m.fetch(str(i + 1), '(BODY.PEEK[])')
            texts.append(data[0][1])
        m.logout()
        return texts

    def by_pop3(self):
        m = poplib.POP3('127.0.0.1', self.pop3, timeout=20)
        poplib._MAXLINE = 200000
        m.user('alice')
        m.pass_('secret')
        texts = [b''.join(s + b'\r\n' for s in m.retr(i + 1)[1])
                 for i in range(m.stat()[0])]
        m.quit()
        return texts


def send(p):
    c = p.client()
    c.hello()
    for content in CONTENTS:
        code, lines = c.mail(content=content)
        assert code == 250, (code, lines, p.logged()[-1000:])
    c.quit()


def start():
    p = Postern()
    p.start()
    return p, Dovecot(p)


def compare(texts):
    got = sorted(split_trace(m.replace(b'\r\n', b'\n'))[1] for m in texts)
    assert got == sorted(s.replace(b'\r\n', b'\n') for s in CONTENTS), got


def imap(p, d):
    compare(d.by_imap())


def pop3(p, d):
    compare(d.by_pop3())


def sizes(p, d):
    """,S=size in the names is the size, and Dovecot believes it."""
    names = 0
    for folder in ('new', 'cur'):
        path = os.path.join(p.mailbox(), folder)
        for name in os.listdir(path):
            size = os.stat(os.path.join(path, name)).st_size
            assert ',S=%d' % size in name, (name, size)
            names += 1
    assert names == len(CONTENTS), names
    assert 'Corrupted' not in d.logged() and 'S=' not in d.logged()


def by_lmtp(p, socket):
    conf = {'mailbox': 'lmtp:' + socket}
    if p.isolated:
        conf['users'] = 'system'
    q = Postern(conf)
    q.start()
    return q


def lmtp(p, d):
    """mailbox lmtp: deliver speaks LMTP, Dovecot stores."""
    q = by_lmtp(p, d.lmtp)
    before = len(d.by_imap())
    send(q)
    got = d.by_imap()[before:]
    assert len(got) == len(CONTENTS), len(got)
    for content, text in zip(CONTENTS, got):
        assert lmtp_content(text) == content, (text[:600], content[:600])


def lmtp_content(text):
    """Without the trace fields of Dovecot and of ours."""
    lines = text.split(b'\r\n')
    at, seen = 0, 0
    while at < len(lines):
        name = lines[at].split(b':')[0]
        if name not in (b'Return-Path', b'Delivered-To', b'Received'):
            break
        seen += name == b'Received'
        at += 1
        while at < len(lines) and lines[at][:1] in (b' ', b'\t'):
            at += 1
    assert seen == 2, text[:600]
    return b'\r\n'.join(lines[at:])


def lmtp_down(p, d):
    """No LMTP server: temporary, and nothing is lost or stored."""
    q = by_lmtp(p, p.path('nobody-here'))
    c = q.client()
    c.hello()
    c.want('250', 'MAIL FROM:<a@away.example>')
    code, _ = c.cmd('RCPT TO:<alice@here.example>')
    if code == 250:
        c.want('354', 'DATA')
        c.want('451', 'x\r\n.')
    else:
        assert code == 451, code


try:
    p, d = start()
    send(p)
except tap.Skip as e:
    tap.skip_all(str(e))
for test, about in ((imap, 'IMAP gives the bytes that were sent'),
                    (pop3, 'POP3 gives the bytes that were sent'),
                    (sizes, 'names tell the size'),
                    (lmtp, 'LMTP into Dovecot, bytes the same'),
                    (lmtp_down, 'no LMTP server: 451')):
    t.run(about, test, p, d)
t.done()
