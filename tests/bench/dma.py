"""Debian's dma.  Nobody can send SMTP to it: it has a sendmail, and delivers
to the mbox files of users of the system."""
import os
import pwd

import box
from servers import Peer

USER = 'alice'      # only who is in /etc/passwd has a mailbox


class Mbox:
    """Messages that come into an mbox file from now on."""

    def __init__(self, path):
        self.path, self.at, self.count = path, os.path.getsize(path), 0
        self.tail = b'\n'

    def look(self):
        with open(self.path, 'rb') as f:
            f.seek(self.at)
            new = f.read()
        self.at += len(new)
        # with the end of what was read before, for a mark that was cut
        text = self.tail + new
        self.count += text.count(b'\nFrom ')
        self.tail = text[-5:]
        return self.count

    def close(self):
        pass


class Dma(Peer):
    name = 'dma'
    packages = ('dma',)
    known = 'delivers into an mbox, and does not sync it'
    without_smtp = 'takes no mail by SMTP'

    def prepare(self):
        self.etc = {'dma/dma.conf': 'MAILNAME mx.here.example\n',
                    'aliases': ''}
        self.bound = {'/var/spool': 'spool', '/var/mail': 'mbox'}
        self.directory('spool', None, 0o755)
        self.directory('spool/dma', None, 0o2775)
        self.directory('mbox', None, 0o2775)
        self.box = self.write('mbox/' + USER, '')
        mail = pwd.getpwnam('mail')
        for path in ('spool/dma', 'mbox'):
            os.chown(os.path.join(self.dir, path), 0, mail.pw_gid)
            os.chmod(os.path.join(self.dir, path), 0o2775)
        os.chown(self.box, box.USERS[USER][0], mail.pw_gid)
        os.chmod(self.box, 0o660)

    def fresh(self):
        return USER

    def arrivals(self, users):
        return Mbox(self.box)

    def mailbox_of(self, user):
        return user

    def sendmail(self):
        return ['/usr/sbin/sendmail', '-t', '-i', '-f', 'sender@away.example']
