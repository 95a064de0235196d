/*
 * sendmail, mailq, newaliases: how the programs of a machine send mail.
 *
 * It has no right that its caller has not, and no spool: it reads a message,
 * completes its header, and hands it to smtpd over a unix socket.  Success is
 * a 250 for the whole message; what nobody takes is in ~/dead.letter.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "mail/alias.h"
#include "mail/cmdline.h"
#include "sys/beside.h"
#include "sys/caller.h"
#include "sys/conf.h"
#include "sys/deadletter.h"
#include "sys/heading.h"
#include "sys/io.h"
#include "sys/joint.h"
#include "sys/letter.h"
#include "sys/submit.h"
#include "sys/text.h"

enum { LINE_ROOM = 4096, ALIASES_MAX = 1024 * 1024, SOCKET_ROOM = 256 };

static struct {
	struct cmdline line;
	struct conf conf;
	struct caller caller;
	bool has_caller;
	struct letter letter;
	struct submit submit;
	unsigned nargs; /* recipients of the command line */
	bool resent, full;
	int code; /* of addresses that are none */
} k;

__attribute__((format(printf, 2, 3))) static int complain(
    int code, const char *format, ...)
{
	va_list args;

	fputs("sendmail: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

/* Of what others wrote; the text lives until the next call. */
static const char *shown(struct str s)
{
	static char text[LINE_ROOM];
	struct buf b = BUF(text);

	buf_escape(&b, s, LINE_ROOM - 1);
	buf_putc(&b, '\0');
	return text;
}

static struct caller *caller(void)
{
	if (!k.has_caller)
		caller_find(&k.caller, getuid());
	k.has_caller = true;
	return &k.caller;
}

/* --- the configuration --------------------------------------------------- */

/* One that is broken is smtpd's to complain of; mail must go on. */
static void configure(void)
{
	static char name[CONF_HOST_MAX];
	char why_text[512], text[CONF_HOST_MAX];
	struct buf why = BUF(why_text), kept = BUF(name);

	if (conf_read(&k.conf, NULL, &why) != 0) {
		k.conf.hostname = k.conf.origin = STR("");
		(void)complain(0, "%s", shown(buf_str(&why)));
	}
	if (k.conf.hostname.n == 0) {
		text[sizeof(text) - 1] = '\0';
		if (gethostname(text, sizeof(text) - 1) != 0 ||
		    domain_ascii(str_of(text), &kept) != 0)
			buf_putz(&kept, "localhost");
		k.conf.hostname = buf_str(&kept);
	}
	if (k.conf.origin.n == 0)
		k.conf.origin = k.conf.hostname;
}

static const char *socket_path(void)
{
	static char text[SOCKET_ROOM];
	struct buf b = BUF(text);

	buf_putz(&b, k.conf.run_directory);
	buf_putz(&b, "/smtp");
	buf_putc(&b, '\0');
	return b.full ? "/run/postern/smtp" : text;
}

/* Somebody of whom the run directory is may start what listens there. */
static bool is_ours(const char *path)
{
	struct stat st;

	return geteuid() == 0 ||
	       (stat(path, &st) == 0 && st.st_uid == geteuid());
}

static void prepare_submit(void)
{
	struct submit *s = &k.submit;

	s->letter = &k.letter;
	s->hostname = k.conf.hostname;
	s->path[0] = socket_path();
	s->may_start = is_ours(k.conf.run_directory);
	s->verbose = k.line.verbose;
	s->notify = k.line.notify;
}

/* --- programs beside ----------------------------------------------------- */

static int become(const char *name, const char *const *argv)
{
	int rc = beside_become(name, argv);

	return complain(EX_UNAVAILABLE, "%s: %s", name, strerror(-rc));
}

static int queue(const char *option)
{
	const char *const argv[] = { "queue", option, NULL };

	configure();
	if (!is_ours(k.conf.spool))
		return complain(EX_NOPERM,
		    "only root may see the queue, and have it tried");
	return become("queue", argv);
}

/* At least one argument stood before the addresses: there is room for two. */
static int route(int argc, const char **argv)
{
	const char **args = argv + k.line.first - 2;

	if (k.line.first >= argc || k.line.first < 2)
		return complain(EX_USAGE, "-bv: an address is needed");
	args[0] = "postern";
	args[1] = "route";
	return become("postern", args);
}

/* --- newaliases ---------------------------------------------------------- */

static int check_aliases(void)
{
	static char room[ALIASES_MAX];
	struct text file = { .b = BUF(room) };
	struct alias_entry e;
	unsigned line = 1, n = 0, bad = 0;
	struct str rest;
	int rc;

	configure();
	rc = text_refresh(&file, k.conf.aliases);
	if (rc < 0 && rc != -ENOENT)
		return complain(
		    EX_NOINPUT, "%s: %s", k.conf.aliases, strerror(-rc));
	rest = buf_str(&file.b);
	while (
	    rc != -ENOENT && (rc = alias_next(&rest, &line, &e)) != ALIAS_END)
		if (rc == ALIAS_BAD) {
			bad++;
			(void)complain(
			    0, "%s:%u: not an alias", k.conf.aliases, e.line);
		} else {
			n++;
		}
	printf("%s: %u aliases; they are read as they are, there is nothing "
	       "to build\n",
	    k.conf.aliases, n);
	return bad > 0 ? EX_DATAERR : EX_OK;
}

/* --- SMTP on standard input and output ----------------------------------- */

static int join(void)
{
	int fd, rc;

	configure();
	prepare_submit();
	fd = submit_connect(&k.submit);
	if (fd < 0) {
		printf("421 4.3.0 no mail service here, try later\r\n");
		return complain(
		    EX_TEMPFAIL, "%.*s", (int)k.submit.why.n, k.submit.why.p);
	}
	rc = joint_run(fd);
	close(fd);
	submit_reap();
	return rc < 0 ? complain(EX_IOERR, "%s", strerror(-rc)) : EX_OK;
}

/* --- the envelope -------------------------------------------------------- */

static int add_arguments(int argc, char **argv)
{
	for (int i = k.line.first; i < argc; i++) {
		struct str arg = str_of(argv[i]);
		int rc =
		    str_find(arg, '\n') < arg.n || str_find(arg, '\r') < arg.n
			? ENVELOPE_BAD
			: envelope_add(&k.letter.envelope, arg, NULL);

		if (rc == ENVELOPE_BAD)
			return complain(
			    EX_USAGE, "%s: not an address", shown(arg));
		if (rc == ENVELOPE_FULL)
			return complain(EX_USAGE,
			    "more than %d recipients; nothing was sent",
			    QFILE_RCPT_MAX);
	}
	k.nargs = k.letter.envelope.nrcpt;
	if (k.nargs == 0 && !k.line.header_rcpts)
		return complain(EX_USAGE, "no recipients, and no -t");
	return 0;
}

static int set_sender(void)
{
	struct str text = k.line.has_sender ? k.line.sender : STR("");
	struct addr self = { .host = HOST_NAME };
	struct buf local = BUF(self.local), domain = BUF(self.domain);
	char room[ADDR_TEXT_MAX];
	struct buf b = BUF(room);

	if (!k.line.has_sender) {
		buf_put(&local, caller()->name);
		buf_put(&domain, k.conf.origin);
		self.nlocal = (unsigned char)local.n;
		self.ndomain = (unsigned char)domain.n;
		addr_put(&b, &self);
		text = buf_str(&b);
	}
	if (envelope_set_sender(&k.letter.envelope, text, k.conf.origin) == 0)
		return 0;
	return complain(EX_USAGE, "%s: not a sender", shown(text));
}

/* A list in the header, with -t.  Resent ones stand for all others. */
static void add_list(void *arg, struct str list, bool resent)
{
	struct str bad;
	int rc;

	(void)arg;
	if (k.resent && !resent)
		return;
	if (resent && !k.resent) {
		envelope_cut(&k.letter.envelope, k.nargs);
		k.resent = true;
		k.full = false;
		k.code = 0;
	}
	rc = envelope_add(&k.letter.envelope, list, &bad);
	if (rc == ENVELOPE_FULL)
		k.full = true;
	if (rc == ENVELOPE_BAD)
		k.code = complain(
		    EX_DATAERR, "%s: not an address", shown(str_trim(bad)));
}

/* --- the message --------------------------------------------------------- */

static struct str from_line(struct buf *b)
{
	struct str name = k.line.name, address = k.letter.envelope.sender;
	char room[2 * ADDR_TEXT_MAX];
	struct buf a = BUF(room);

	if (!k.line.has_name && !k.line.has_sender)
		name = caller()->full;
	if (address.n == 0) { /* the null reverse-path is nobody to write to */
		buf_put(&a, caller()->name);
		buf_putc(&a, '@');
		buf_put(&a, k.conf.origin);
		address = buf_str(&a);
	}
	heading_from(b, name, address);
	return buf_str(b);
}

static int read_message(void)
{
	int rc = letter_read(&k.letter, k.line.keep_dots);

	if (rc == LETTER_NUL)
		return complain(EX_DATAERR,
		    "there is a NUL in the message; nothing was sent");
	if (rc == 0) {
		k.letter.set = (struct compose_setup){ .origin = k.conf.origin,
			.recipients = k.line.header_rcpts ? add_list : NULL };
		rc = letter_look(&k.letter);
	}
	if (rc < 0)
		return complain(EX_IOERR,
		    "reading the message: %s; nothing was sent", strerror(-rc));
	if (!k.line.header_rcpts)
		return 0;
	if (k.full || (k.letter.compose.facts & COMPOSE_TOO_LONG) != 0)
		return complain(EX_DATAERR,
		    "more than %d recipients; nothing was sent",
		    QFILE_RCPT_MAX);
	if (k.letter.envelope.nrcpt == 0)
		return complain(EX_DATAERR,
		    "no recipients in the header; nothing was sent");
	return 0;
}

static int complete_message(void)
{
	static char from[LINE_ROOM], date[64], id[CONF_HOST_MAX + 64];
	struct buf f = BUF(from), d = BUF(date), m = BUF(id);
	time_t now = time(NULL);
	int rc;

	k.letter.set.from = from_line(&f);
	heading_date(&d, now);
	heading_message_id(&m, now, k.conf.hostname);
	k.letter.set.date = buf_str(&d);
	k.letter.set.message_id = buf_str(&m);
	if (f.full || m.full)
		return complain(EX_USAGE, "a full name that is too long");
	rc = letter_measure(&k.letter);
	if (rc < 0)
		return complain(EX_IOERR,
		    "reading the message: %s; nothing was sent", strerror(-rc));
	return 0;
}

/* --- the end ------------------------------------------------------------- */

static bool save(const bool *wanted)
{
	char room[LINE_ROOM];
	struct buf path = BUF(room);
	int rc = deadletter_save(&k.letter, caller()->home, wanted, &path);

	if (rc == 0)
		(void)complain(
		    0, "the message is in %s", shown(buf_str(&path)));
	else
		(void)complain(0, "the message could not be saved in %s: %s",
		    path.n > 0 ? shown(buf_str(&path)) : "~/dead.letter",
		    strerror(-rc));
	return rc == 0;
}

/* Returns the exit code.  EX_TEMPFAIL is "queued" to some callers, who go on
 * in peace: it takes a copy that somebody can send again. */
static int finish(void)
{
	static bool everybody[QFILE_RCPT_MAX];
	const struct submit *s = &k.submit;

	if (s->nleft > 0) {
		(void)complain(0, "%u of %u recipients not served: %.*s",
		    s->nleft, k.letter.envelope.nrcpt, (int)s->why.n, s->why.p);
		return save(s->is_open) ? EX_TEMPFAIL : EX_OSERR;
	}
	if (s->ndone == 0 && s->nrefused > 0) {
		memset(everybody, true, sizeof(everybody));
		(void)save(everybody);
	}
	return s->code != 0 ? s->code : k.code;
}

static int put_envid(struct buf *b)
{
	struct str s = k.line.envid;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ' ' || s.p[i] == '+' || s.p[i] == '=') {
			buf_putz(b, s.p[i] == ' '   ? "+20"
				    : s.p[i] == '+' ? "+2B"
						    : "+3D");
		} else {
			buf_putc(b, s.p[i]);
		}
	}
	k.submit.head.envid = buf_str(b);
	return b->full ? EX_USAGE : 0;
}

static int send_message(int argc, char **argv)
{
	char envid[CMDLINE_ENVID_MAX];
	struct buf id = BUF(envid);
	int rc;

	configure();
	envelope_init(&k.letter.envelope);
	rc = set_sender();
	if (rc == 0)
		rc = add_arguments(argc, argv);
	if (rc == 0)
		rc = put_envid(&id);
	if (rc == 0)
		rc = read_message();
	if (rc == 0)
		rc = complete_message();
	if (rc != 0)
		return rc;
	k.submit.head.ret = k.line.ret == RET_FULL   ? 'F'
			    : k.line.ret == RET_HDRS ? 'H'
						     : 0;
	prepare_submit();
	submit_run(&k.submit);
	return finish();
}

static int run(int argc, char **argv)
{
	switch (k.line.mode) {
	case CMDLINE_SEND:
		return send_message(argc, argv);
	case CMDLINE_SMTP:
		return join();
	case CMDLINE_QUEUE:
		return queue("-l");
	case CMDLINE_FLUSH:
		return queue("-a");
	case CMDLINE_ALIASES:
		return check_aliases();
	case CMDLINE_ROUTE:
		return route(argc, (const char **)(uintptr_t)argv);
	}
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	const char *why = NULL;
	struct str option = STR("");
	int rc;

	io_fill_standard();
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (cmdline_parse(
		&k.line, argc, (const char *const *)argv, &why, &option) != 0)
		return complain(EX_USAGE, "%s: %s", shown(option), why);
	rc = run(argc, argv);
	if (fflush(stdout) != 0 && rc == EX_OK && k.line.verbose)
		return EX_IOERR;
	return rc;
}
