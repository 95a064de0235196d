/*
 * The sockets: who listens, and as whom.
 */
#include "sys/check-part.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/asking.h"
#include "sys/greet.h"

enum { SMTP_PORT = 25, SYSTEMCTL_S = 20 };

/* --- sockets ------------------------------------------------------------- */

static void report(const char *where, const struct greet *g)
{
	switch (g->found) {
	case GREET_GOOD:
		finding(FINDING_OK, where, "smtpd answers");
		break;
	case GREET_NOBODY:
		finding(FINDING_UNREACHABLE, where, "nobody listens: %s",
		    strerror(g->error));
		break;
	case GREET_SILENT:
		finding(FINDING_UNREACHABLE, where, "no reply in time");
		break;
	case GREET_BAD:
		finding(FINDING_UNREACHABLE, where,
		    "smtpd does not serve: %.*s", (int)g->n, g->text);
		break;
	}
}

/* Without it no local program can send. */
static void check_local(const struct site *s)
{
	char room[PART_PATH_MAX];
	const char *path = part_path(room, s->conf->run_directory, "smtp");
	struct greet g;
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 0666) != 0666 && !s->private)
		finding(FINDING_FAULT, path,
		    "has mode %04o: not every local program can send",
		    st.st_mode & 07777);
	greet_unix(&g, path);
	report(path, &g);
}

static void check_request(const struct site *s)
{
	char room[PART_PATH_MAX];
	const char *path = part_path(room, s->conf->run_directory, "deliver");
	struct stat st;
	int rc;

	if (lstat(path, &st) != 0) {
		finding(FINDING_UNREACHABLE, path,
		    "is not there: nothing is delivered unless root starts "
		    "smtpd, which then starts deliver");
		return;
	}
	if (!S_ISSOCK(st.st_mode))
		finding(FINDING_FAULT, path, "is no socket");
	else if (st.st_uid != s->accounts.smtpd)
		finding(FINDING_FAULT, path,
		    "does not belong to _postern, and smtpd cannot reach "
		    "deliver");
	else if ((st.st_mode & 0777) != 0600)
		finding(FINDING_FAULT, path,
		    "has mode %04o, not 0600: others could ask deliver",
		    st.st_mode & 07777);
	else
		finding(FINDING_OK, path, "owner and mode");
	rc = greet_request(path);
	if (rc == -EACCES)
		finding(FINDING_OK, path, "is closed to us, as it should be");
	else if (rc < 0)
		finding(FINDING_UNREACHABLE, path,
		    "deliver does not listen: %s", strerror(-rc));
	else
		finding(FINDING_OK, path, "deliver listens");
}

/* Without it what is queued waits for the timer. */
static void check_wake(const struct site *s)
{
	char room[PART_PATH_MAX];
	const char *path = part_path(room, s->conf->run_directory, "wake");
	struct stat st;

	if (lstat(path, &st) != 0)
		finding(FINDING_WARNING, path,
		    "is not there: queued mail waits for the next pass");
	else if (!S_ISFIFO(st.st_mode))
		finding(FINDING_FAULT, path, "is no FIFO");
	else if (!s->private && st.st_uid != s->accounts.smtpd &&
		 (st.st_mode & S_IWOTH) == 0)
		finding(FINDING_FAULT, path, "smtpd cannot write there");
	else
		finding(FINDING_OK, path, "wakes the queue");
}

/* Of a program that is asked by one other, `owner`, and only when the
 * configuration says so. */
static void check_other(
    const struct site *s, const char *name, uid_t owner, const char *without)
{
	char room[PART_PATH_MAX];
	const char *path = part_path(room, s->conf->run_directory, name);
	struct stat st;

	if (lstat(path, &st) != 0)
		finding(FINDING_WARNING, path, "is not there: %s", without);
	else if (!S_ISSOCK(st.st_mode))
		finding(FINDING_FAULT, path, "is no socket");
	else if (st.st_uid != owner)
		finding(FINDING_FAULT, path,
		    "does not belong to who connects to it");
	else if ((st.st_mode & 0777) != 0600)
		finding(FINDING_FAULT, path,
		    "has mode %04o, not 0600: others could connect",
		    st.st_mode & 07777);
	else
		finding(FINDING_OK, path, "owner and mode");
}

void check_sockets(const struct site *s)
{
	char text[64];
	struct buf b = BUF(text);
	struct greet g;

	check_local(s);
	check_request(s);
	check_wake(s);
	if (conf_offers_tls(s->conf))
		check_other(s, "tls", s->accounts.smtpd,
		    "no TLS is offered unless root starts smtpd, which then "
		    "starts tls");
	if (s->conf->commands)
		check_other(s, "command", s->accounts.deliver,
		    "mail for |command waits");
	if (s->private)
		return;
	buf_putz(&b, "127.0.0.1:25");
	buf_putc(&b, '\0');
	greet_loopback(&g, false, SMTP_PORT);
	if (g.found == GREET_NOBODY)
		finding(FINDING_WARNING, text,
		    "nobody listens: mail by TCP is not taken");
	else
		report(text, &g);
}

/* --- units --------------------------------------------------------------- */

struct unit {
	const char *name;
	bool must; /* be there, enabled and active */
};

/* Of what only some configurations need. */
static const struct unit tls_units[] = {
	{ "postern-tls.socket", true },
	{ "postern-tls.service", false },
	{ "postern-submission.socket", false },
	{ "postern-submissions.socket", false },
};
static const struct unit command_units[] = {
	{ "postern-command.socket", true },
	{ "postern-command.service", false },
};

struct state {
	bool loaded, enabled, active, failed;
	bool any; /* systemctl said something */
};

static void hear(void *arg, struct str line)
{
	static const struct {
		struct str line;
		size_t at;
	} rows[] = {
		{ { "LoadState=loaded", 16 }, offsetof(struct state, loaded) },
		{ { "UnitFileState=enabled", 21 },
		    offsetof(struct state, enabled) },
		{ { "UnitFileState=enabled-runtime", 29 },
		    offsetof(struct state, enabled) },
		{ { "UnitFileState=static", 20 },
		    offsetof(struct state, enabled) },
		{ { "ActiveState=active", 18 },
		    offsetof(struct state, active) },
		{ { "ActiveState=failed", 18 },
		    offsetof(struct state, failed) },
	};
	struct state *s = arg;

	if (str_starts(line, STR("LoadState=")))
		s->any = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_eq(line, rows[i].line))
			*(bool *)((char *)s + rows[i].at) = true;
}

static const char *systemctl(void)
{
	static const char *const places[] = { "/usr/bin/systemctl",
		"/bin/systemctl" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static struct state ask(const char *path, const char *unit)
{
	const char *argv[] = { path, "show", "--property=LoadState",
		"--property=UnitFileState", "--property=ActiveState", unit,
		NULL };
	struct state s = { .any = false };

	if (asking_run(path, argv, SYSTEMCTL_S, hear, &s) != 0)
		s.any = false;
	return s;
}

static void check_unit(const char *path, const struct unit *u)
{
	struct state s = ask(path, u->name);

	if (!s.any)
		finding(
		    FINDING_WARNING, u->name, "systemctl says nothing of it");
	else if (s.failed)
		finding(FINDING_FAULT, u->name,
		    "has failed: systemctl status %s", u->name);
	else if (!s.loaded && u->must)
		finding(FINDING_FAULT, u->name, "is not installed");
	else if (u->must && !s.active)
		finding(FINDING_FAULT, u->name,
		    "is not active: systemctl enable --now %s", u->name);
	else if (u->must && !s.enabled)
		finding(FINDING_WARNING, u->name,
		    "is not enabled: gone with the next boot");
	else if (s.loaded)
		finding(FINDING_OK, u->name, s.active ? "active" : "inactive");
}

void check_units(const struct site *s)
{
	static const struct unit units[] = {
		{ "postern-local.socket", true },
		{ "postern-deliver.socket", true },
		{ "postern-queue.socket", true },
		{ "postern-queue.timer", true },
		{ "postern-smtpd.socket", false },
		{ "postern-smtpd.service", false },
		{ "postern-deliver.service", false },
		{ "postern-queue.service", false },
	};
	const char *path = systemctl();

	if (s->private || !s->systemd)
		return;
	if (!path) {
		finding(FINDING_WARNING, NULL, "there is no systemctl");
		return;
	}
	if (!ask(path, units[0].name).loaded) {
		finding(FINDING_WARNING, units[0].name,
		    "is not installed: something else has to start smtpd");
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		check_unit(path, &units[i]);
	for (size_t i = 0; i < sizeof(tls_units) / sizeof(tls_units[0]); i++)
		if (conf_offers_tls(s->conf))
			check_unit(path, &tls_units[i]);
	for (size_t i = 0; i < 2 && s->conf->commands; i++)
		check_unit(path, &command_units[i]);
}
