/*
 * deliver: puts mail into the mailboxes of local users.
 *
 * It is the one program that can become a user, and so it listens only to
 * smtpd, runs nothing, and reads no word of a message.  A poller takes
 * requests (mail/request.h); lookup workers without any right ask NSS and
 * read the aliases; store workers take the file-system identity of the user
 * whose mail they write.  From the command line it delivers one message.
 */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/mda.h"
#include "sys/poller.h"
#include "sys/sandbox.h"
#include "sys/share.h"
#include "sys/version.h"

struct options {
	const char *conf, *sender, *user;
	struct listeners listeners;
};

static int usage(void)
{
	fputs("usage: deliver [-C conf] [-l unix:PATH]\n"
	      "       deliver [-C conf] [-f sender] user\n",
	    stderr);
	return EX_USAGE;
}

static int read_options(struct options *o, int argc, char **argv)
{
	int c, rc = 0;

	while (rc == 0 && (c = getopt(argc, argv, "C:f:l:")) != -1)
		switch (c) {
		case 'C':
			o->conf = optarg;
			break;
		case 'f':
			o->sender = optarg;
			break;
		case 'l':
			rc = listen_private(&o->listeners, "deliver", optarg,
			    SOCK_SEQPACKET, "_postern");
			break;
		default:
			rc = usage();
		}
	if (rc == 0 && optind < argc)
		o->user = argv[optind++];
	if (rc == 0 && (optind < argc || (o->sender && !o->user) ||
			   (o->user && o->listeners.n > 0)))
		rc = usage();
	return rc;
}

static bool is_request_socket(int fd)
{
	struct sockaddr_storage ss;
	socklen_t size = sizeof(ss), n = sizeof(int);
	int type = 0, accepts = 1;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
	       type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &n) == 0 &&
	       !accepts &&
	       getsockname(fd, (struct sockaddr *)&ss, &size) == 0 &&
	       ss.ss_family == AF_UNIX;
}

/*
 * A connection on standard input goes to a number of its own, and nothing
 * else keeps it open.  The descriptor, or -1.
 */
static int take_connection(void)
{
	int null, fd = -1;

	if (is_request_socket(0))
		fd = fcntl(0, F_DUPFD_CLOEXEC, SANDBOX_FREE_FD);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i <= 2 && fd >= 0 && null >= 0; i++)
		if (is_request_socket(i))
			(void)dup2(null, i);
	if (null > 2)
		close(null);
	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void find_ids(struct store *s)
{
	const struct passwd *pw = getpwnam("_postern");
	const struct group *gr = getgrnam("mail");

	s->slot = SHARE_NONE;
	s->smtpd_uid = pw ? pw->pw_uid : (uid_t)-1;
	s->mail_gid = gr ? gr->gr_gid : s->self->gid;
}

int main(int argc, char **argv)
{
	static struct poller poller;
	static struct reload conf;
	static struct options o;
	static struct identity self;
	uid_t caller = getuid();
	int rc, connection = -1;

	io_fill_standard();
	if (version_asked(argc, argv, "deliver"))
		return EX_OK;
	umask(077);
	log_open("deliver", SANDBOX_LOG_FD);
	rc = listen_inherit(&o.listeners) < 0 ? EX_OSERR : 0;
	if (rc == 0)
		rc = read_options(&o, argc, argv);
	if (rc != 0)
		return rc;
	if (!o.user && o.listeners.n == 0) {
		connection = take_connection();
		if (connection < 0)
			return usage();
	}
	rc = identity_start(&self, "_postern-deliver");
	if (rc < 0)
		return o.user ? EX_TEMPFAIL : EX_CONFIG;
	conf.path = o.conf;
	poller.store.self = &self;
	find_ids(&poller.store);
	if (o.user)
		return mda_deliver(
		    &conf, &poller.store, o.sender, caller, o.user);
	poller.conf = &conf;
	poller.listeners = &o.listeners;
	rc = poller_prepare(&poller, connection);
	if (rc == 0)
		rc = poller_run(&poller);
	return rc < 0 ? EX_OSERR : EX_OK;
}
