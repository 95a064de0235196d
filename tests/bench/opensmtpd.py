"""Debian's OpenSMTPD."""
import os
import shutil

import box
import unpacked
from servers import SIZE_LIMIT, UID, Peer

CONF = '''
smtp max-message-size "%(size)d"
smtp limit max-mails 1000000
smtp limit max-rcpt 1000000
table users file:%(dir)s/users
listen on 127.0.0.1 port %(port)d hostname mx.here.example
action "in" maildir userbase <users>
match from any for domain "here.example" action "in"
'''


class OpenSmtpd(Peer):
    name = 'OpenSMTPD'
    packages = ('opensmtpd',)
    known = ('listens with a backlog of 5, which cannot be configured, so '
             'that of many clients\nat once most have to knock again after a '
             'second; answers 250 before anything is on\nstable storage; '
             'limits of messages and recipients of a session lifted')

    def prepare(self):
        self.write('smtpd.conf', CONF % {
            'dir': self.dir, 'port': self.port, 'size': SIZE_LIMIT})
        self.write('users', ''.join('%s %d:%d:%s/mail/%s\n' % (
            n, UID, UID, self.dir, n) for n in self.users))
        self.etc = {'mailname': 'mx.here.example\n'}
        self.bound = {'/var/spool': 'spool', '/var/lib': 'lib'}
        self.directory('spool', None, 0o755)
        self.directory('spool/smtpd', None, 0o711)
        self.directory('lib/opensmtpd/empty', None, 0o755)
        # as the package makes it when it is installed
        own = self.directory('usr/sbin', None, 0o755) + '/smtpctl'
        shutil.copy(unpacked.path('opensmtpd', 'usr', 'sbin', 'smtpctl'), own)
        os.chown(own, 0, box.USERS['opensmtpq'][0])
        os.chmod(own, 0o2755)

    def maildir(self, user):
        return super().maildir(user) + '/Maildir'

    def start(self):
        self.run(['/usr/sbin/smtpd', '-F', '-f', self.dir + '/smtpd.conf'])

    def sendmail(self):
        return ['/usr/sbin/sendmail', '-t', '-i', '-f',
                'sender@away.example']
