"""Debian's Exim (light)."""
from servers import SIZE_LIMIT, UID, Peer

CONF = '''
primary_hostname = mx.here.example
domainlist local_domains = here.example
spool_directory = %(dir)s/spool
log_file_path = %(dir)s/log/%%slog
message_size_limit = %(size)d
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
recipients_max = 0
rfc1413_query_timeout = 0s
tls_advertise_hosts =
acl_smtp_rcpt = accept_rcpt
never_users =
begin acl
accept_rcpt:
  accept domains = +local_domains
begin routers
boxes:
  driver = accept
  domains = +local_domains
  local_parts = lsearch;%(dir)s/users
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = %(dir)s/mail/$local_part_data
  maildir_format
  user = %(uid)d
  group = %(uid)d
  delivery_date_add
  envelope_to_add
  return_path_add
begin retry
* * F,2h,15m
'''


class Exim(Peer):
    name = 'Exim'
    packages = ('exim4-daemon-light', 'exim4-base')
    known = ('of itself serves 20 connections at once, leaves the eleventh '
             'message of a session to\nthe next queue run and ends a session '
             'after 1000: with one client these are limits\nof a client, and '
             'lifted; waits 0.2 s after QUIT')

    def prepare(self):
        self.etc = {'exim4/exim4.conf': CONF % {
            'dir': self.dir, 'size': SIZE_LIMIT, 'uid': UID}}
        self.bound = {'/var/spool': 'varspool'}
        self.directory('varspool', None, 0o755)
        self.directory('spool', 'Debian-exim', 0o750)
        self.directory('log', 'Debian-exim', 0o750)
        self.write('users', ''.join('%s: %s\n' % (n, n) for n in self.users))

    def start(self):
        self.log = self.dir + '/log/mainlog'
        self.run(['/usr/sbin/exim4', '-bdf', '-q30m', '-oX',
                  '127.0.0.1.%d' % self.port, '-oP', self.dir + '/log/pid'])

    def sendmail(self):
        return ['/usr/sbin/sendmail', '-t', '-i', '-f',
                'sender@away.example']
