#!/usr/bin/python3
"""The programs that call sendmail on a Linux system, each as it is in Debian:
what they send arrives, from whom and for whom they mean it."""
import email
import email.policy
import os
import pwd
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import callers
import tap
from callers import package
from mailer import arrived, sender_of
from postern import until

t = tap.Tap()
p = callers.Machine()
p.start()
MINUTE = 150    # a cron wakes up once a minute


def one(*users, sender=None, subject=None, text=None, **fields):
    """They have one message that says this; its parsed form."""
    until(lambda: all(p.names(u) for u in users))
    raw = p.messages(users[0])
    trace, _, body = arrived(p, *users)
    m = email.message_from_bytes(raw[0], policy=email.policy.default)
    if sender is not None: # "name@" for one at the machine's own name
        assert sender_of(trace) == sender or (
            sender[-1] == '@' and sender_of(trace).startswith(sender)), trace
    if subject is not None:
        assert subject in str(m['Subject']), m['Subject']
    if text is not None:
        assert text in m.get_body().get_content(), body
    for name, value in fields.items():
        name = name.replace('_', '-')
        assert value in str(m[name]), (name, m[name])
    for name in ('Date', 'From', 'Message-ID'):
        assert len(m.get_all(name, [])) == 1, (name, m.items())
    return m


def tool(name):
    path = shutil.which(name, path='/usr/sbin:/usr/bin:/sbin:/bin')
    if not path:
        raise tap.Skip('no ' + name)
    return path


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as f:
        f.write(text)
    os.chmod(path, mode)
    return path


# --- schedulers; each runs a job that prints something ----------------------

def debian_cron():
    package('cron')
    for path in ('/var/spool/cron', '/var/spool/cron/crontabs'):
        os.makedirs(path, exist_ok=True)
    shutil.rmtree('/etc/cron.d', ignore_errors=True)
    write('/etc/pam.d/cron', 'account sufficient pam_permit.so\n'
          'session sufficient pam_permit.so\nauth sufficient '
          'pam_permit.so\n')  # alice has no entry in /etc/shadow
    write('/etc/crontab', 'SHELL=/bin/sh\nMAILTO=bob\n'
          '* * * * * alice test -e /tmp/once-%s || { echo jöb; '
          ': >/tmp/once-%s; }\n' % (os.getpid(), os.getpid()))
    cron = subprocess.Popen([tool('cron'), '-f'], start_new_session=True,
                            env={'LC_ALL': 'C.UTF-8', 'PATH': '/bin'})
    p.procs.append(cron)
    try:
        assert until(lambda: p.names('bob'), MINUTE, 0.2), p.logged()[-500:]
    finally:
        cron.terminate()
        cron.wait()
        if os.path.exists('/tmp/once-%d' % os.getpid()):
            os.unlink('/tmp/once-%d' % os.getpid())
    one('bob', sender='alice@here.example', From='root@here.example',
        Subject='Cron <alice@', text='jöb')


def systemd_cron():
    """Its program for jobs that fail, with a systemctl that knows one."""
    tree = package('systemd-cron')
    write(p.path('bin', 'systemctl'), '#!/bin/sh\ncase $* in\n'
          '*property=User*) echo User=alice ;;\n'
          '*Environment*) echo Environment=MAILTO=bob ;;\n'
          '*status*) echo "the job failed: ü"; exit 3 ;;\nesac\n', 0o755)
    p.run(['python3', tree + '/lib/systemd-cron/mail_on_failure',
           'cron-x.service'],
          env={'PATH': p.path('bin') + ':/usr/sbin:/usr/bin:/bin'})
    one('bob', sender='root@here.example', subject='cron-x.service failed',
        text='the job failed: ü', From='root@here.example',
        To='bob@here.example')


def anacron():
    package('anacron')
    spool = p.path('anacron-spool')
    os.makedirs(spool, exist_ok=True)
    tab = write(p.path('anacrontab'), 'SHELL=/bin/sh\nMAILTO=bob\n'
                '1 0 job.id echo from anacron\n')
    p.run([tool('anacron'), '-d', '-f', '-n', '-t', tab, '-S', spool])
    one('bob', sender='root@here.example', From='Anacron',
        subject='Anacron job', text='from anacron')


def at():
    package('at')
    daemon = pwd.getpwnam('daemon')
    for name in ('atjobs', 'atspool'):
        path = '/var/spool/cron/' + name
        os.makedirs(path, exist_ok=True)
        os.chown(path, daemon.pw_uid, daemon.pw_gid)
        os.chmod(path, 0o1770)
    write('/var/spool/cron/atjobs/.SEQ', '0\n', 0o600)
    os.chown('/var/spool/cron/atjobs/.SEQ', daemon.pw_uid, daemon.pw_gid)
    # at is set-uid, so root files the job for alice by owning it to her
    p.run([tool('at'), 'now'], text=b'echo from at\n')
    atd = subprocess.Popen([tool('atd'), '-f'], start_new_session=True)
    p.procs.append(atd)
    try:
        assert until(lambda: p.names('root'), MINUTE, 0.2), p.logged()[-500:]
    finally:
        atd.terminate()
        atd.wait()
    one('root', sender='root@here.example', subject='Output from your job',
        text='from at', To='root')


# --- mail(1) and mail user agents -------------------------------------------

def bsd_mailx():
    path = package('bsd-mailx') + '/usr/bin/bsd-mailx'
    p.run([path, '-s', 'by mailx', 'bob', 'carol'], user='alice',
          text=b'hello\n.dot\n')
    one('bob', 'carol', sender='alice@here.example', subject='by mailx',
        text='hello\n.dot\n')


def s_nail():
    p.run([tool('s-nail'), '-:/', '-Sv15-compat', '-Ssendwait', '-r',
           'alice@away.example', '-s', 'by s-nail: ü', 'bob'], user='alice',
          text='hellö\n'.encode(), env={'MAILRC': '/dev/null'})
    one('bob', sender='alice@away.example', subject='by s-nail: ü',
        text='hellö')


def s_nail_with_a_dash():
    """A recipient that begins with a dash is one: refused, not obeyed."""
    p.run([tool('s-nail'), '-:/', '-Sv15-compat', '-Ssendwait',
           '-Sexpandaddr', '-s', 'x', '--', '-oQ/tmp@here.example'],
          user='alice', text=b'x\n', env={'MAILRC': '/dev/null'},
          good=range(1, 256))
    for user in ('alice', 'bob', 'carol', 'root'):
        assert p.take(user) == [], user


def mailutils():
    path = package('mailutils') + '/usr/bin/mail.mailutils'
    p.run([path, '-s', 'by mailutils', 'bob'], user='alice', text=b'hello\n')
    one('bob', sender='alice@', subject='by mailutils',
        text='hello')


def mutt():
    rc = write(p.path('muttrc'), 'set sendmail="/usr/sbin/sendmail -oem -oi"\n'
               'set use_8bitmime\nset dsn_notify=never\nset dsn_return=hdrs\n'
               'set use_envelope_from\nset from="alice@away.example"\n'
               'set hostname="here.example"\n'
               'set copy=no\nset sendmail_wait=0\n')
    p.run([tool('mutt'), '-n', '-F', rc, '-s', 'by mutt ü', '-b', 'carol',
           '--', 'bob'], user='alice', text='hellö\n'.encode())
    m = one('bob', 'carol', sender='alice@away.example', subject='by mutt ü',
            text='hellö', To='bob')
    assert 'Bcc' not in m


def git_send_email():
    tool('git')
    if not os.path.exists('/usr/lib/git-core/git-send-email'):
        raise tap.Skip('no git send-email')
    repo = p.path('repo')
    os.makedirs(repo, exist_ok=True)
    shutil.chown(repo, p.uid('alice'), p.uid('alice'))
    for command in (
            'git init -q .', 'git config user.name Älice',
            'git config user.email alice@away.example',
            'git config sendemail.smtpserver /usr/sbin/sendmail',
            'git config sendemail.confirm never',
            'git config sendemail.envelopesender auto', 'touch a', 'git add a',
            'git commit -q -m "The first one: ü"',
            'git send-email -q --root -1 --to bob@here.example '
            '--cc carol@here.example'):
        p.run(['sh', '-ec', 'cd "$0" && ' + command, repo], user='alice')
    one('bob', 'carol', sender='alice@away.example', To='bob@here.example',
        subject='The first one: ü')


def php(mail, **wanted):
    p.run([tool('php'), '-r', mail], user='alice')
    one('bob', text='hello', **wanted)


def php_mail():
    php('exit(mail("bob", "by php", "hello\\r\\nworld") ? 0 : 1);',
        sender='alice@here.example', subject='by php', To='bob@here.example')


def php_mail_with_a_sender():
    php('exit(mail("bob", "by php", "hello", "From: A <a@away.example>\\r\\n'
        'Bcc: x@", "-fa@away.example") ? 0 : 1);' .replace('\\r\\nBcc: x@',
                                                           ''),
        sender='a@away.example', From='a@away.example')


def php_mail_injection():
    """CVE-2016-10033: what an address brings along is no option."""
    log = p.path('home', 'alice', 'log.php')
    out = p.run([tool('php'), '-r', r'''
        exit(mail("bob", "x", "hello", "",
        "-fattacker\"@example.org -oQ/tmp -X''' + log + r'''") ? 0 : 1);'''],
                user='alice', good=range(0, 256))
    assert not os.path.exists(log), out
    for user in ('alice', 'bob', 'carol', 'root'):
        p.take(user)


# --- those that watch over a machine ----------------------------------------

def mdadm():
    package('mdadm')
    arrays = ''
    if os.path.exists('/proc/mdstat'):
        with open('/proc/mdstat') as f:
            arrays = [line for line in f if line.startswith('md')]
    if not arrays:
        raise tap.Skip('mdadm sends its test for each array of disks, and '
                       'there is none; its command line is a row of '
                       'tests/sendmail.t')
    p.run([tool('mdadm'), '--monitor', '--scan', '--test', '--oneshot',
           '-m', 'bob'])
    assert until(lambda: len(p.names('bob')) == len(arrays))
    for text in p.take('bob'):
        assert b'\nSubject: TestMessage event on ' in text, text


def smartd():
    """As smartd runs it for a test, in its environment."""
    package('smartmontools')
    os.makedirs(p.path('bin'), exist_ok=True)
    p.run(['sh', '/usr/share/smartmontools/smartd_warning.sh'], env={
        'SMARTD_MAILER': '/usr/share/smartmontools/smartd-runner',
        'SMARTD_SUBJECT': 'SMART error (EmailTest) detected on host: here',
        'SMARTD_ADDRESS': 'bob', 'SMARTD_FAILTYPE': 'EmailTest',
        'SMARTD_MESSAGE': 'TEST EMAIL from smartd for device: /dev/sda',
        'SMARTD_DEVICE': '/dev/sda', 'SMARTD_DEVICETYPE': 'auto',
        'SMARTD_DEVICESTRING': '/dev/sda', 'SMARTD_DEVICEINFO': 'disk',
        'SMARTD_TFIRST': 'now', 'SMARTD_TFIRSTEPOCH': '1', 'SMARTD_PREVCNT':
        '0', 'SMARTD_NEXTDAYS': ''})
    one('bob', sender='root@here.example', subject='SMART error',
        text='TEST EMAIL from smartd')


def logwatch():
    package('logwatch')
    os.makedirs('/var/cache/logwatch', exist_ok=True)
    write('/var/log/syslog', 'x\n')
    p.run(['perl', '/usr/share/logwatch/scripts/logwatch.pl', '--output',
           'mail', '--mailto', 'bob', '--range', 'all', '--service',
           'zz-disk_space', '--format', 'text', '--detail', 'high'],
          env={'PERL5LIB': '/usr/share/logwatch/lib'})
    one('bob', sender='root@here.example', subject='Logwatch for',
        text='Logwatch End')


def unattended_upgrades():
    """Its own report, as it is written after an upgrade."""
    path = package('unattended-upgrades') + '/usr/bin/unattended-upgrade'
    p.run(['/usr/bin/python3', '-c', '''
import importlib.machinery, importlib.util, io, sys
loader = importlib.machinery.SourceFileLoader('uu', sys.argv[1])
uu = importlib.util.module_from_spec(
    importlib.util.spec_from_loader('uu', loader))
loader.exec_module(uu)
uu.apt_pkg.init_config()
uu.apt_pkg.config.set('Unattended-Upgrade::Mail', 'bob')
uu.send_summary_mail(['a', 'b'], True, 'all good: ü', {}, [], [],
                     io.StringIO('log'), 'dpkg')
''', path])
    one('bob', sender='root@here.example', subject='unattended-upgrades',
        text='all good: ü', From='root', To='bob@here.example')


def sudo(policy, command, good):
    """It writes in the background, of the beginning and, by its version, of
    the end."""
    package('sudo')
    write('/etc/sudoers', 'Defaults %s, !log_exit_status\n'
          'Defaults mailto=bob, mailerpath=/usr/sbin/sendmail\n'
          'root ALL=(ALL:ALL) NOPASSWD: /bin/true\n' % policy, 0o440)
    write('/etc/pam.d/sudo', 'auth sufficient pam_permit.so\n'
          'account sufficient pam_permit.so\n'
          'session sufficient pam_permit.so\n')
    write('/etc/sudo.conf', 'Path plugin_dir %s/\nPlugin sudoers_policy '
          'sudoers.so\nPlugin sudoers_io sudoers.so\n' % (
              package('sudo') + '/usr/libexec/sudo'))
    os.makedirs('/run/sudo', exist_ok=True)
    # Debian's, with the bit that we have taken away from the unpacked one
    program = p.path('sudo')
    if not os.path.exists(program):
        shutil.copy(tool('sudo'), program)
        os.chmod(program, 0o4755)
    p.run([program, '-n', command], good=good)
    assert until(lambda: p.names('bob')), p.logged()[-500:]
    assert until(lambda: not sending()), 'sendmail does not end'
    for text in p.take('bob'):
        assert text.startswith(b'Return-Path: <root@here.example>\n'), text
        assert b'\nTo: bob@here.example\n' in text, text
        assert b'\nSubject: *** SECURITY information' in text, text
        assert b'COMMAND=%s' % command.encode() in text, text


def sending():
    """Processes of ours: they see the same mounts."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/comm' % pid) as f:
                name = f.read().strip()
            if name in ('sudo', 'sendmail') and os.readlink(
                    '/proc/%s/ns/mnt' % pid) == os.readlink(
                        '/proc/self/ns/mnt'):
                found.append(pid)
        except OSError:
            pass
    return found


def sudo_mail_always():
    sudo('mail_always', '/bin/true', (0,))


def sudo_mail_no_perms():
    sudo('mail_no_perms', '/bin/false', (1,))


def logcheck():
    tree = package('logcheck')
    for path in ('/var/lib/logcheck', '/var/log', '/run/lock/logcheck'):
        os.makedirs(path, exist_ok=True)
        shutil.chown(path, p.uid('alice'), p.uid('alice'))
    log = write(p.path('a.log'), 'Nov 24 12:00:00 host x[1]: odd thing\n')
    shutil.chown(log, p.uid('alice'))
    for at_, dirs, files in os.walk('/etc/logcheck'):
        os.chmod(at_, 0o755)
        for name in files:
            os.chmod(os.path.join(at_, name), 0o644)
    conf = write(p.path('logcheck.conf'),
                 'SENDMAILTO="bob"\nMAILASATTACH=0\nREPORTLEVEL=server\n'
                 'FQDN=0\nMIMEENCODING="8bit"\nTMP="/tmp"\n'
                 'RULEDIR="/etc/logcheck"\n')
    p.run(['bash', tree + '/usr/sbin/logcheck', '-c', conf, '-l', log, '-S',
           '/var/lib/logcheck'], user='alice',
          env={'PERL5LIB': package('mime-construct') + '/usr/share/perl5'})
    one('bob', sender='alice@here.example', text='odd thing')


def busybox():
    """Debian's is built without crond; its sendmail is not asked."""
    applets = p.run([tool('busybox'), '--list']).decode().split()
    if 'crond' not in applets:
        raise tap.Skip('Debian\'s busybox has no crond; its command line is '
                       'a row of tests/sendmail.t')
    crontabs = p.path('crontabs')
    os.makedirs(crontabs, exist_ok=True)
    write(crontabs + '/root', 'MAILTO=bob\n* * * * * echo from busybox\n')
    cron = subprocess.Popen([tool('busybox'), 'crond', '-f', '-c', crontabs],
                            start_new_session=True)
    p.procs.append(cron)
    try:
        assert until(lambda: p.names('bob'), MINUTE, 0.2)
    finally:
        cron.terminate()
        cron.wait()
    one('bob', text='from busybox')


def cronie():
    raise tap.Skip('Debian 12 has no cronie; its command line is a row of '
                   'tests/sendmail.t')


TESTS = (debian_cron, cronie, systemd_cron, anacron, at, busybox,
         bsd_mailx, s_nail, s_nail_with_a_dash, mailutils, mutt,
             git_send_email, php_mail, php_mail_with_a_sender,
             php_mail_injection, mdadm, smartd, logwatch,
             unattended_upgrades, sudo_mail_always, sudo_mail_no_perms,
             logcheck)
for test in TESTS:
    if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
        t.run(test.__name__.replace('_', ' '), test)
p.stop()
t.done()
