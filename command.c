/*
 * command: runs the programs that users name in |command.
 *
 * Off unless the administrator enables it.  It is the one program of postern
 * that executes anything, and has no other right than to become the user
 * first: deliver asks it (mail/errand.h) and nobody else may.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "sys/foreman.h"
#include "sys/log.h"
#include "sys/sandbox.h"

enum { WHY_MAX = 256 };

static int usage(void)
{
	fputs("usage: command [-C conf] [-l unix:PATH]\n", stderr);
	return EX_USAGE;
}

/* The unprivileged deliver connects, and nobody else but root. */
static void give_to_deliver(const char *path)
{
	const struct passwd *pw =
	    geteuid() == 0 ? getpwnam("_postern-deliver") : NULL;

	if (pw && lchown(path, pw->pw_uid, (gid_t)-1) != 0)
		log_errno("listen", path, errno);
}

static int add_listener(struct listeners *l, const char *address)
{
	char text[WHY_MAX];
	struct buf why = BUF(text);

	if (!str_starts(str_of(address), STR("unix:/"))) {
		fprintf(
		    stderr, "command: -l %s: unix:/PATH is needed\n", address);
		return EX_USAGE;
	}
	if (listen_add(l, address, SOCK_SEQPACKET, 0600, &why) < 0) {
		fprintf(stderr, "command: -l %s: %.*s\n", address, (int)why.n,
		    why.p);
		return EX_OSERR;
	}
	give_to_deliver(address + 5);
	return 0;
}

static int read_options(
    struct reload *conf, struct listeners *l, int argc, char **argv)
{
	int c, rc = 0;

	while (rc == 0 && (c = getopt(argc, argv, "C:l:")) != -1)
		switch (c) {
		case 'C':
			conf->path = optarg;
			break;
		case 'l':
			rc = add_listener(l, optarg);
			break;
		default:
			rc = usage();
		}
	return rc == 0 && (optind < argc || l->n == 0) ? usage() : rc;
}

static uid_t uid_of_deliver(void)
{
	const struct passwd *pw = getpwnam("_postern-deliver");

	return pw ? pw->pw_uid : (uid_t)-1;
}

/* 0, 1 and 2 are never a file that we open. */
static void fill_standard_fds(void)
{
	while (fcntl(2, F_GETFD) < 0 || fcntl(1, F_GETFD) < 0 ||
	       fcntl(0, F_GETFD) < 0)
		if (open("/dev/null", O_RDWR) < 0)
			_exit(EX_OSERR);
}

int main(int argc, char **argv)
{
	static struct reload conf;
	static struct listeners listeners;
	static struct identity self;
	struct foreman f = { &conf, &self, &listeners, (uid_t)-1 };
	int rc;

	fill_standard_fds();
	umask(077);
	log_open("command", SANDBOX_LOG_FD);
	rc = listen_inherit(&listeners) < 0 ? EX_OSERR : 0;
	if (rc == 0)
		rc = read_options(&conf, &listeners, argc, argv);
	if (rc != 0)
		return rc;
	if (identity_start(&self, "_postern-command") < 0)
		return EX_CONFIG;
	f.deliver_uid = uid_of_deliver();
	(void)reload_check(&conf);
	return foreman_run(&f) < 0 ? EX_OSERR : EX_OK;
}
