/*
 * The status.  Everything but the queue can be seen by anybody; for the queue
 * root becomes _postern-queue, last of all.
 */
#include "sys/status.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "mail/escape.h"
#include "mail/json.h"
#include "sys/asking.h"
#include "sys/beside.h"
#include "sys/listening.h"
#include "sys/log.h"
#include "sys/privilege.h"
#include "sys/tally.h"
#include "sys/version.h"
#include "sys/walls.h"

enum {
	ROOM = 16 * 1024,
	PATH_OCTETS = 4096,
	SMTP_PORT = 25,
	REASONS_SHOWN = 5,
	VERSION_S = 10
};

static struct {
	const struct conf *conf;
	bool json;
	bool hidden; /* the queue is not ours to read */
	int64_t now_s;
	struct tally tally;
	struct buf out;
	char room[ROOM];
} s;

static void text(const char *z)
{
	buf_putz(&s.out, z);
}

static void number(uint64_t n)
{
	buf_u64(&s.out, n);
}

static void key(const char *name)
{
	text(", \"");
	text(name);
	text("\": ");
}

static void key_number(const char *name, uint64_t n)
{
	key(name);
	number(n);
}

static void key_bool(const char *name, bool yes)
{
	key(name);
	text(yes ? "true" : "false");
}

/* 59s, 59m, 47h, 99d. */
static void age(int64_t seconds)
{
	static const struct {
		int64_t unit, below;
		char letter;
	} rows[] = { { 1, 60, 's' }, { 60, 3600, 'm' },
		{ 3600, 48 * 3600, 'h' }, { 86400, INT64_MAX, 'd' } };
	size_t i = 0;

	if (seconds < 0)
		seconds = 0;
	while (seconds >= rows[i].below)
		i++;
	number((uint64_t)(seconds / rows[i].unit));
	buf_putc(&s.out, rows[i].letter);
}

static void end_line(void)
{
	text("\n");
}

/* --- parts that anybody may see ------------------------------------------ */

static void put_room(void)
{
	struct statvfs v;

	if (statvfs(s.conf->spool, &v) != 0)
		return;
	if (s.json) {
		key_number("free_octets", (uint64_t)v.f_bavail * v.f_frsize);
		key_number("free_inodes", v.f_favail);
		return;
	}
	text("room: ");
	number(((uint64_t)v.f_bavail * v.f_frsize) >> 20);
	text(" MiB and ");
	number(v.f_favail);
	text(" files free for ");
	escape_put(&s.out, str_of(s.conf->spool), true);
	end_line();
}

static void put_walls(void)
{
	struct walls w;

	walls_look(&w);
	if (s.json) {
		key_number("landlock_abi", (uint64_t)w.landlock_abi);
		key_bool("seccomp", w.seccomp);
		return;
	}
	text("sandbox: ");
	if (w.landlock_abi > 0) {
		text("Landlock ");
		number((uint64_t)w.landlock_abi);
	} else {
		text("no Landlock");
	}
	text(w.seccomp ? ", seccomp\n" : ", no seccomp\n");
}

static void put_socket(const char *name, const char *place, bool listens)
{
	if (s.json) {
		text(s.out.p[s.out.n - 1] == '{' ? "\"" : ", \"");
		text(name);
		text(listens ? "\": true" : "\": false");
		return;
	}
	text("socket ");
	escape_put(&s.out, str_of(place), true);
	text(listens ? ": listening\n" : ": nobody listens\n");
}

static const char *under_run(char room[PATH_OCTETS], const char *name)
{
	struct buf b = { .p = room, .cap = PATH_OCTETS - 1 };

	buf_putz(&b, s.conf->run_directory);
	buf_putc(&b, '/');
	buf_putz(&b, name);
	room[b.n] = '\0';
	return room;
}

static void put_sockets(void)
{
	char smtp[PATH_OCTETS], deliver[PATH_OCTETS];

	(void)under_run(smtp, "smtp");
	(void)under_run(deliver, "deliver");
	if (s.json) {
		key("listening");
		text("{");
	}
	put_socket("local", smtp, listening_unix(smtp));
	put_socket("deliver", deliver, listening_unix(deliver));
	put_socket("smtp", "port 25", listening_tcp(SMTP_PORT));
	if (s.json)
		text("}");
}

static void take_version(void *arg, struct str line)
{
	struct buf *b = arg;
	struct str last = line, word;

	while (str_word(&line, &word))
		last = word;
	if (b->n == 0)
		escape_put(b, str_head(last, 20), false);
}

static void put_version(const char *name)
{
	char path[PATH_OCTETS], room[64];
	const char *argv[] = { path, "--version", NULL };
	struct buf b = BUF(room), program = BUF(path);

	if (beside_find(name, &program) < 0 ||
	    asking_run(path, argv, VERSION_S, take_version, &b) != 0) {
		buf_clear(&b);
		buf_putz(&b, "missing");
	}
	if (s.json) {
		key(name);
		json_put(&s.out, buf_str(&b));
	} else {
		text(", ");
		text(name);
		text(" ");
		buf_put(&s.out, buf_str(&b));
	}
}

static void put_versions(void)
{
	if (s.json) {
		key("version");
		text("{\"postern\": ");
		json_put(&s.out, str_of(version));
	} else {
		text("version: postern ");
		text(version);
	}
	put_version("smtpd");
	put_version("deliver");
	put_version("queue");
	text(s.json ? "}" : "\n");
}

/* --- the queue ----------------------------------------------------------- */

static bool ignore(struct str line)
{
	(void)line;
	return true;
}

/* 0, or EX_NOPERM: the rest can be told all the same. */
static int read_queue(void)
{
	static struct qdir dir;
	int rc;

	log_divert(ignore);
	s.hidden = !qdir_is_ours(s.conf->spool) ||
		   privilege_become("_postern-queue", "_postern") < 0;
	if (s.hidden)
		return EX_NOPERM;
	rc = qdir_open(&dir, s.conf->spool);
	if (rc == 0)
		rc = tally_queue(&s.tally, &dir);
	s.hidden = rc < 0;
	return rc < 0 ? EX_NOINPUT : EX_OK;
}

static void json_queue(void)
{
	const struct tally *t = &s.tally;

	key_number("messages", t->messages);
	key_number("recipients", t->recipients);
	key_number("octets", t->octets);
	key_number("held", t->held);
	key_number("unreadable", t->unreadable);
	if (t->oldest_s > 0)
		key_number("oldest", (uint64_t)t->oldest_s);
	if (t->next_s > 0)
		key_number("next_attempt", (uint64_t)t->next_s);
	key("errors");
	text("[");
	for (unsigned i = 0; i < t->nreasons && i < REASONS_SHOWN; i++) {
		text(i == 0 ? "{\"recipients\": " : ", {\"recipients\": ");
		number(t->reason[i].times);
		key("text");
		json_put(&s.out, str_at(t->reason[i].text, t->reason[i].n));
		text("}");
	}
	text("]");
}

static void plain_counts(void)
{
	const struct tally *t = &s.tally;

	number(t->messages);
	text(t->messages == 1 ? " message for " : " messages for ");
	number(t->recipients);
	text(t->recipients == 1 ? " recipient, " : " recipients, ");
	number((t->octets + 1023) / 1024);
	text(" KiB, oldest ");
	age(s.now_s - t->oldest_s);
	if (t->next_s > s.now_s) {
		text(", next attempt in ");
		age(t->next_s - s.now_s);
	} else if (t->next_s > 0) {
		text(", due now");
	}
	if (t->held > 0) {
		text(", held ");
		number(t->held);
	}
}

static void plain_queue(void)
{
	const struct tally *t = &s.tally;

	text("queue: ");
	if (s.hidden)
		text(geteuid() == getuid() && getuid() != 0
			 ? "cannot be read: root may ask"
			 : "cannot be read: see postern check");
	else if (t->messages == 0)
		text("empty");
	else
		plain_counts();
	end_line();
	for (unsigned i = 0; i < t->nreasons && i < REASONS_SHOWN; i++) {
		text("  ");
		number(t->reason[i].times);
		text(" times ");
		escape_put(
		    &s.out, str_at(t->reason[i].text, t->reason[i].n), true);
		end_line();
	}
	if (t->unreadable > 0) {
		text("  files that are no message: ");
		number(t->unreadable);
		end_line();
	}
}

int status_print(const struct conf *c, bool json)
{
	int rc;

	s.conf = c;
	s.json = json;
	s.now_s = (int64_t)time(NULL);
	s.out = BUF(s.room);
	if (json) {
		text("{\"time\": ");
		number((uint64_t)s.now_s);
	}
	put_versions();
	put_walls();
	put_sockets();
	put_room();
	rc = read_queue();
	if (json && !s.hidden)
		json_queue();
	else if (!json)
		plain_queue();
	text(json ? "}\n" : "");
	(void)fwrite(s.out.p, 1, s.out.n, stdout);
	return rc;
}
