/*
 * tls: the only holder of the keys of our certificates.  smtpd hands it a
 * client's connection and gets back what he says in clear (mail/secured.h):
 * so what parses mail never holds a key, and what holds it knows no mail.
 *
 * This process reads the certificates and hears no stranger; its workers
 * (sys/relay.h) hear them and can open nothing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "sys/hands.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/sandbox.h"
#include "sys/tls-look.h"

enum { WHY_MAX = 256 };

static int usage(void)
{
	fputs("usage: tls [-C conf] [-l unix:PATH]\n"
	      "       tls [-C conf] -t\n",
	    stderr);
	return EX_USAGE;
}

/* -t: what the certificates are worth, for postern check. */
static int look(const char *path)
{
	static struct conf conf;
	char text[WHY_MAX];
	struct buf why = BUF(text);

	if (conf_read(&conf, path, &why) == 0)
		return tls_look(&conf) > 0 ? EX_CONFIG : EX_OK;
	fprintf(stderr, "tls: %.*s\n", (int)why.n, why.p);
	return EX_CONFIG;
}

/* What starter_tls has made: our work comes on standard input. */
static bool take_standard_input(struct listeners *l)
{
	struct sockaddr_storage ss;
	socklen_t size = sizeof(ss), n = sizeof(int);
	int type = 0;

	if (getsockopt(0, SOL_SOCKET, SO_TYPE, &type, &n) != 0 ||
	    type != SOCK_SEQPACKET ||
	    getsockname(0, (struct sockaddr *)&ss, &size) != 0 ||
	    ss.ss_family != AF_UNIX)
		return false;
	l->v[0].fd = fcntl(0, F_DUPFD_CLOEXEC, SANDBOX_FREE_FD);
	l->type = type;
	l->n = 1;
	return l->v[0].fd >= 0;
}

/* A socket at 0, 1 or 2 would keep it from ending. */
static void leave_standard_fds(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;

	for (int i = 0; i <= 2 && null >= 0; i++)
		if (i == 0 || (fstat(i, &st) == 0 && S_ISSOCK(st.st_mode) &&
				  log_fd() != i))
			(void)dup2(null, i);
	if (null > 2)
		close(null);
}

/* Nobody looks into a process that has keys. */
static void keep_secrets(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int main(int argc, char **argv)
{
	static struct listeners listeners = { .type = SOCK_DGRAM };
	static struct reload conf;
	struct hands h = { .conf = &conf, .from = &listeners };
	bool test = false;
	int c, rc;

	io_fill_standard();
	umask(077);
	keep_secrets();
	log_open("tls", SANDBOX_LOG_FD);
	rc = listen_inherit(&listeners) < 0 ? EX_OSERR : 0;
	while (rc == 0 && (c = getopt(argc, argv, "C:l:t")) != -1)
		if (c == 'C')
			conf.path = optarg;
		else if (c == 't')
			test = true;
		else
			rc = c == 'l' ? listen_private(&listeners, "tls",
					    optarg, SOCK_DGRAM, "_postern")
				      : usage();
	if (rc != 0)
		return rc;
	if (test)
		return optind < argc || listeners.n > 0 ? usage()
							: look(conf.path);
	h.transient = listeners.activated || listeners.n == 0;
	if (optind < argc ||
	    (listeners.n == 0 && !take_standard_input(&listeners)))
		return usage();
	leave_standard_fds();
	return hands_run(&h) < 0 ? EX_OSERR : EX_OK;
}
