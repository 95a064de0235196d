/*
 * smtpd: listens to strangers.  One session on its standard input and output,
 * or a sandboxed child for each connection.  RFC 5321 is in mail/session; here
 * is the order in which rights are used and given up.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "sys/acceptor.h"
#include "sys/conf.h"
#include "sys/conversation.h"
#include "sys/courier.h"
#include "sys/io.h"
#include "sys/listen.h"
#include "sys/log.h"
#include "sys/privilege.h"
#include "sys/quota.h"
#include "sys/runner.h"
#include "sys/sandbox.h"
#include "sys/spare.h"
#include "sys/spool.h"
#include "sys/staff.h"
#include "sys/starter.h"
#include "sys/version.h"
#include "sys/wake.h"

static const char usage[] =
    "usage: smtpd [-C conf] [-l [name=]host:port | -l unix:/path]...\n";

struct options {
	const char *conf_path;
	struct listeners listeners;
};

enum { COURIER_PAUSE_MS = 1000 }; /* until deliver is looked for again */

static int ruleset_fd = -1;

static int fail(const char *text)
{
	log_note(LOGL_ERR, "usage", text);
	(void)!write(2, usage, sizeof(usage) - 1);
	return EX_USAGE;
}

/* 0 or an exit code. */
static int parse(struct options *o, int argc, char **argv)
{
	char text[256];
	int c;

	while ((c = getopt(argc, argv, "C:l:")) != -1) {
		struct buf why = BUF(text);

		if (c == 'C')
			o->conf_path = optarg;
		else if (c != 'l')
			return fail("unknown option");
		else if (listen_add(&o->listeners, optarg, SOCK_STREAM, 0666,
			     &why) < 0) {
			struct log l;

			log_begin(&l, LOGL_ERR, "listen");
			log_str(&l, "address", str_of(optarg));
			log_str(&l, "error", buf_str(&why));
			log_end(&l);
			return EX_UNAVAILABLE;
		}
	}
	return optind < argc ? fail("no argument is expected") : 0;
}

/* NULL and a log line with file and line when it cannot be used. */
static const struct conf *configuration(const char *path)
{
	static struct conf conf;
	char text[512];
	struct buf why = BUF(text);
	struct log l;

	if (conf_read(&conf, path, &why) == 0)
		return &conf;
	log_begin(&l, LOGL_ERR, "configuration");
	log_str(&l, "error", buf_str(&why));
	log_end(&l);
	return NULL;
}

/* The spool and the walls around it: what every session needs. */
static int build_walls(const struct conf *c, struct sandbox_level *level)
{
	int fd = -1, rc = spool_open(c->spool, SANDBOX_SPOOL_FD);

	if (rc == 0)
		rc = sandbox_prepare(
		    SANDBOX_SMTPD, SANDBOX_SPOOL_FD, &fd, level);
	if (rc < 0) {
		log_errno("sandbox", "prepare", -rc);
		return rc;
	}
	if (fd >= 0)
		fd = io_move_fd(fd, SANDBOX_RULESET_FD);
	ruleset_fd = fd;
	return 0;
}

static int prepare(const struct conf *c)
{
	struct sandbox_level level;
	int rc = build_walls(c, &level);

	if (rc == 0) {
		sandbox_log(&level);
		handoff_prepare(c);
	}
	return rc;
}

/* A line for every connection of inetd would be noise, but for a warning. */
static int prepare_one(const struct conf *c)
{
	struct sandbox_level level;
	int rc = build_walls(c, &level);

	if (rc == 0 && level.landlock_abi == 0)
		sandbox_log(&level);
	if (rc == 0)
		handoff_prepare(c);
	return rc;
}

static int lock_in(const struct conf *c)
{
	int rc;

	wake_open(c->run_directory);
	conversation_prepare();
	rc = sandbox_enter(SANDBOX_SMTPD, ruleset_fd);
	if (rc < 0)
		log_errno("sandbox", "enter", -rc);
	if (ruleset_fd >= 0)
		close(ruleset_fd);
	return rc;
}

/* From here on a stranger is heard. */
static void session(struct conversation *c, bool locked)
{
	if (locked)
		conversation_run(c);
	else
		conversation_deny(c, "4.3.0", "cannot lock down, try later");
}

/* In the child of a listener, which may be there before its client. */
static void serve(struct conversation *c)
{
	bool locked, called = false;
	int rc;

	while ((rc = courier_connect(c->conf->run_directory)) < 0 && !called)
		called = spare_is_called(COURIER_PAUSE_MS);
	if (rc < 0)
		log_errno("deliver-connection", c->conf->run_directory, -rc);
	locked = lock_in(c->conf) == 0;
	if (spare_await(c) == 0)
		session(c, locked);
}

/* The way to tls: the socket of a unit, or of one that we start. */
static void find_tls(const struct options *o, const struct conf *conf)
{
	int fd;

	if (!conf_offers_tls(conf) || handoff_find(conf->run_directory) == 0)
		return;
	fd = starter_tls(o->conf_path);
	if (fd >= 0)
		handoff_use(fd);
}

static int run_listener(struct options *o)
{
	const struct conf *conf = configuration(o->conf_path);
	struct acceptor a = { .listeners = &o->listeners,
		.conf_path = o->conf_path,
		.prepare = prepare,
		.serve = serve };
	int rc;

	listen_raise(&o->listeners, SANDBOX_FREE_FD);
	if (!conf && !o->listeners.activated)
		return EX_CONFIG;
	if (conf && !o->listeners.activated) {
		rc = courier_connect(conf->run_directory);
		if (rc == 0)
			close(SANDBOX_DELIVER_FD);
		else
			(void)starter_keep(o->conf_path, conf->run_directory);
		find_tls(o, conf);
		(void)runner_start(
		    o->conf_path, conf->run_directory, RUNNER_PERIOD_S);
	}
	if (conf && prepare(conf) < 0) {
		if (!o->listeners.activated)
			return EX_CANTCREAT;
		conf = NULL;
	}
	if (privilege_drop("_postern") < 0)
		return EX_CONFIG;
	staff_learn();
	return acceptor_run(&a, conf) < 0 ? EX_OSERR : 0;
}

/* The request socket: deliver's, or that of one started when needed. */
static void find_deliver(const struct options *o, const struct conf *conf)
{
	int fd;

	if (courier_connect(conf->run_directory) == 0)
		return;
	fd = starter_on_demand(o->conf_path);
	if (fd >= 0)
		courier_use(fd);
}

static int run_one(const struct options *o)
{
	const struct conf *conf = configuration(o->conf_path);
	struct conversation c = { .conf = conf, .in = 0, .out = 1 };

	if (peer_of(0, &c.peer) < 0)
		return fail("standard input is a socket nobody is at");
	if (conf) {
		find_deliver(o, conf);
		if (c.peer.kind == PEER_INET)
			find_tls(o, conf);
		(void)runner_start(o->conf_path, conf->run_directory, 0);
	}
	if (!conf || prepare_one(conf) < 0 || privilege_drop("_postern") < 0) {
		(void)privilege_drop("nobody");
		conversation_deny(&c, "4.3.5",
		    "configuration error here, "
		    "try later");
		return EX_CONFIG;
	}
	c.proxied = c.peer.kind == PEER_INET &&
		    conf_has_net(&conf->proxy_networks, &c.peer.addr);
	if (c.peer.kind != PEER_INET)
		staff_learn();
	if (c.peer.kind != PEER_INET && quota_gap(&conf->submission_rate))
		log_note(LOGL_WARNING, "configuration",
		    quota_gap(&conf->submission_rate));
	c.service = conf_service_of_port(c.peer.here_port);
	conversation_attach(&c);
	session(&c, lock_in(conf) == 0);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .conf_path = NULL };
	int rc;

	tzset();
	if (version_asked(argc, argv, "smtpd"))
		return EX_OK;
	umask(0007); /* the queue pass, of our group, reads what we write */
	log_open("smtpd", SANDBOX_LOG_FD);
	if (listen_inherit(&o.listeners) < 0)
		return fail("LISTEN_FDS: not a listening socket");
	rc = parse(&o, argc, argv);
	if (rc != 0)
		return rc;
	if (o.listeners.n > 0)
		return run_listener(&o);
	return run_one(&o);
}
