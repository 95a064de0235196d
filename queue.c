/*
 * queue: calls strangers.  One pass over the messages that smtpd has put into
 * the queue, or a look at them; then it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "sys/conf.h"
#include "sys/io.h"
#include "sys/journal.h"
#include "sys/log.h"
#include "sys/pass.h"
#include "sys/privilege.h"
#include "sys/probe.h"
#include "sys/qdir.h"
#include "sys/qlist.h"
#include "sys/queued.h"
#include "sys/sandbox.h"
#include "sys/bell.h"
#include "sys/version.h"

#define CREDENTIALS "/etc/postern/credentials"

enum { WINDOW_FDS = 2048, LOCK_TRIES = 50, LOCK_PAUSE_MS = 100 };

struct options {
	const char *conf_path, *id, *sender;
	char verb; /* a letter of the usage, 0: a pass */
	bool json;
};

static int usage(void)
{
	static const char text[] =
	    "usage: queue [-C conf] [-a]\n"
	    "       queue [-C conf] -l [--json]\n"
	    "       queue [-C conf] -r ID | -d ID | -h ID | -H ID\n"
	    "       queue [-C conf] -t DESTINATION\n"
	    "       queue [-C conf] [-f sender] -T DESTINATION\n";

	(void)!write(2, text, sizeof(text) - 1);
	return EX_USAGE;
}

static int say(int code, const char *id, const char *text)
{
	fprintf(stderr, "queue: %s%s%s\n", id ? id : "", id ? ": " : "", text);
	return code;
}

static bool is_probe(const struct options *o)
{
	return o->verb == 't' || o->verb == 'T';
}

static int read_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(
		    argc, argv, "C:alr:d:h:H:t:T:f:", longs, NULL)) != -1)
		switch (c) {
		case 'C':
			o->conf_path = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'f':
			o->sender = optarg;
			break;
		case 'a':
		case 'l':
		case 'r':
		case 'd':
		case 'h':
		case 'H':
		case 't':
		case 'T':
			if (o->verb != 0)
				return usage();
			o->verb = (char)c;
			o->id = optarg;
			break;
		default:
			return usage();
		}
	if (optind < argc || (o->json && o->verb != 'l') ||
	    (o->sender && o->verb != 'T'))
		return usage();
	if (o->id && !is_probe(o) && !qdir_is_name(str_of(o->id)))
		return say(EX_DATAERR, o->id, "no identifier of a message");
	return 0;
}

/* The passwords: what the service manager hands over, or the usual place. */
static const char *find_credentials(void)
{
	static char text[4096];
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	struct buf b = BUF(text);

	buf_putz(&b, directory ? directory : "");
	buf_putz(&b, "/smarthost");
	buf_putc(&b, '\0');
	if (directory && !b.full && access(text, F_OK) == 0)
		return text;
	return access(CREDENTIALS, F_OK) == 0 ? CREDENTIALS : NULL;
}

static const struct conf *configuration(const char *path)
{
	static struct conf conf;
	char text[512];
	struct buf why = BUF(text);
	struct log l;

	if (conf_read(&conf, path, &why) == 0) {
		if (!conf.credentials)
			conf.credentials = find_credentials();
		return &conf;
	}
	log_begin(&l, LOGL_ERR, "configuration");
	log_str(&l, "error", buf_str(&why));
	log_end(&l);
	return NULL;
}

/* Messages in hand are open files, and each carrier is a socket. */
static void raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < WINDOW_FDS) {
		r.rlim_cur = r.rlim_max < WINDOW_FDS ? r.rlim_max : WINDOW_FDS;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	(void)signal(SIGPIPE, SIG_IGN);
}

/*
 * A pass reads what smtpd wrote and what carriers tell, and outside a unit it
 * has no walls but its user.  It needs the spool, to read elsewhere (the files
 * of its carriers' libraries), and sockets; anything else ends here.
 */
static int lock_in(const char *spool)
{
	struct sandbox_level level;
	int ruleset = -1, rc;
	int dir = open(spool, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0) {
		rc = -errno;
		log_errno("sandbox", spool, -rc);
		return rc;
	}
	rc = sandbox_prepare(SANDBOX_PASS, dir, &ruleset, &level);
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_PASS, ruleset);
	if (ruleset >= 0)
		close(ruleset);
	close(dir);
	return rc;
}

static int run_pass(
    const struct options *o, const struct conf *conf, struct qdir *d, int wake)
{
	struct pass p = { .conf = conf,
		.dir = d,
		.all = o->verb == 'a',
		.only = o->verb == 'r' ? o->id : NULL,
		.wake_fd = wake,
		.progress = isatty(2) == 1 };
	struct pass_tally t;

	raise_limits();
	if (lock_in(conf->spool) < 0)
		return EX_OSERR;
	if (pass_run(&p, &t) < 0)
		return EX_TEMPFAIL;
	if (p.only && !t.found)
		return say(EX_NOINPUT, o->id, "not in the queue");
	if (p.only && t.busy)
		return say(EX_TEMPFAIL, o->id, "is being delivered now");
	return EX_OK;
}

/* Locked, and really a message; waits a little for a pass that has it. */
static int take(struct queued *q, const struct qdir *d, const char *id)
{
	struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
	struct queued_reader r;
	struct qfile_head h;
	int rc = queued_open(q, d, id);

	if (rc == QUEUED_GONE)
		return say(EX_NOINPUT, id, "not in the queue");
	if (rc != 0)
		return say(EX_NOINPUT, id, "cannot be opened");
	rc = queued_lock(q);
	for (int i = 0; rc == QUEUED_BUSY && i < LOCK_TRIES; i++) {
		nanosleep(&pause, NULL);
		rc = queued_lock(q);
	}
	if (rc == QUEUED_BUSY)
		return say(EX_TEMPFAIL, id, "is being delivered now");
	if (rc != 0)
		return say(EX_NOINPUT, id, "not in the queue");
	if (queued_head(&r, q, &h) != 0)
		return say(EX_DATAERR, id, "not a message of this version");
	return 0;
}

static int operate(const struct options *o, struct qdir *d)
{
	struct queued q;
	struct log l;
	int rc = take(&q, d, o->id);

	if (rc != 0)
		return rc;
	if (o->verb == 'd') {
		rc = qdir_remove(d, o->id);
		if (rc == 0)
			rc = qdir_sync(d);
	} else {
		rc = queued_set_held(&q, o->verb == 'h');
		if (rc == 0)
			rc = queued_sync(&q);
	}
	queued_close(&q);
	log_begin(&l, LOGL_NOTICE,
	    o->verb == 'd'   ? "deleted"
	    : o->verb == 'h' ? "held"
			     : "released");
	log_str(&l, "id", str_of(o->id));
	log_u64(&l, "by-uid", getuid());
	if (rc == 0)
		log_end(&l);
	return rc < 0 ? EX_IOERR : EX_OK;
}

static int work(
    const struct options *o, const struct conf *conf, struct qdir *d, int wake)
{
	switch (o->verb) {
	case 'l':
		return qlist_print(d, o->json) < 0 ? EX_IOERR : EX_OK;
	case 'd':
	case 'h':
	case 'H':
		return operate(o, d);
	default:
		return run_pass(o, conf, d, wake);
	}
}

/* Whoever asks: nothing of the queue is touched. */
static int probe(const struct options *o, const struct conf *conf)
{
	struct probe p = { .conf = conf,
		.what = o->id,
		.live = o->verb == 'T',
		.sender = o->sender };

	probe_prepare(&p);
	if (privilege_become("_postern-queue", "_postern") < 0)
		return EX_CONFIG;
	return probe_run(&p);
}

int main(int argc, char **argv)
{
	static struct options o;
	static struct qdir dir;
	const struct conf *conf;
	int wake = BELL_NONE, rc;

	tzset();
	if (version_asked(argc, argv, "queue"))
		return EX_OK;
	umask(0007);
	log_open("queue", SANDBOX_LOG_FD); /* by syslog, if 2 is closed */
	journal_start();
	io_fill_standard();
	rc = read_options(&o, argc, argv);
	if (rc != 0)
		return rc;
	conf = configuration(o.conf_path);
	/* first of all, whatever else is wrong: see sys/bell.h */
	if (o.verb == 0 || o.verb == 'a')
		wake = bell_open(conf ? conf->run_directory : "/run/postern");
	if (!conf)
		return EX_CONFIG;
	if (is_probe(&o))
		return probe(&o, conf);
	if (!qdir_is_ours(conf->spool))
		return say(EX_NOPERM, NULL,
		    "the queue belongs to _postern-queue: root may do this");
	qdir_make(conf->spool);
	if (privilege_become("_postern-queue", "_postern") < 0)
		return EX_CONFIG;
	rc = qdir_open(&dir, conf->spool);
	if (rc < 0)
		return rc == -EACCES ? EX_NOPERM : EX_CANTCREAT;
	return work(&o, conf, &dir, wake);
}
