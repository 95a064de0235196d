/*
 * command: runs the programs that users name in |command.
 *
 * Off unless the administrator enables it.  It is the one program of postern
 * that executes anything, and has no other right than to become the user
 * first: deliver asks it (mail/errand.h) and nobody else may.
 */
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "sys/foreman.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/sandbox.h"

static int usage(void)
{
	fputs("usage: command [-C conf] [-l unix:PATH]\n", stderr);
	return EX_USAGE;
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
			rc = listen_private(l, "command", optarg,
			    SOCK_SEQPACKET, "_postern-deliver");
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

int main(int argc, char **argv)
{
	static struct reload conf;
	static struct listeners listeners;
	static struct identity self;
	struct foreman f = { &conf, &self, &listeners, (uid_t)-1 };
	int rc;

	io_fill_standard();
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
