/*
 * The next hops, each called up to RCPT by queue, and the passwords for them.
 */
#include "sys/check-part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "mail/addr.h"
#include "sys/asking.h"
#include "sys/beside.h"
#include "sys/credentials.h"
#include "sys/hearsay.h"
#include "sys/log.h"

#define CREDENTIALS "/etc/postern/credentials"

enum { CALL_S = 150, SYSTEMCTL_S = 20, HOST_MAX = 300 };

/* --- passwords ----------------------------------------------------------- */

static bool ignore(struct str line)
{
	(void)line;
	return true;
}

/* One user of one hop; true when his password is found. */
static bool has_password(const struct hop *h)
{
	struct sasl_secret secret;

	return h->user.n == 0 || credentials_find(h, &secret) == 0;
}

static void check_hop_password(const char *file, const struct hop *h)
{
	if (!has_password(h))
		finding(FINDING_FAULT, file,
		    "no line for user %.*s at host %.*s", (int)h->user.n,
		    h->user.p, (int)h->host.n, h->host.p);
}

/* systemd hands the file over, so that it may be root's alone. */
static void see_credential(void *arg, struct str line)
{
	bool *given = arg;

	if (str_starts(line, STR("LoadCredential=smarthost:")) ||
	    str_starts(line, STR("LoadCredentialEncrypted=smarthost:")))
		*given = true;
}

static bool systemd_gives_it(const struct site *s)
{
	static const char path[] = "/usr/bin/systemctl";
	static const char *const argv[] = { path, "show",
		"--property=LoadCredential",
		"--property=LoadCredentialEncrypted", "postern-queue.service",
		NULL };
	bool given = false;

	return s->systemd &&
	       asking_run(path, argv, SYSTEMCTL_S, see_credential, &given) ==
		   0 &&
	       given;
}

/* Root's, and readable for the group of the pass. */
static bool is_for_queue(const struct site *s, const struct stat *st)
{
	return st->st_uid == 0 && st->st_gid == s->accounts.queue_group &&
	       (st->st_mode & S_IRGRP) != 0;
}

/* Readable by _postern-queue, or handed over by systemd; by nobody else. */
static bool check_mode(const struct site *s, const char *file)
{
	struct stat st;

	if (stat(file, &st) != 0) {
		finding(errno == EACCES ? FINDING_WARNING : FINDING_FAULT, file,
		    "%s",
		    errno == EACCES ? "cannot be seen: ask again as root"
				    : strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode) ||
	    (st.st_mode & (is_for_queue(s, &st) ? 037 : 077)) != 0) {
		finding(FINDING_FAULT, file,
		    "has mode %04o: others can read passwords, and queue "
		    "refuses it; wanted is 0600, or 0640 for the group "
		    "_postern-queue",
		    st.st_mode & 07777);
		return false;
	}
	if (st.st_uid != s->accounts.queue && !is_for_queue(s, &st) &&
	    !systemd_gives_it(s)) {
		finding(FINDING_FAULT, file,
		    "does not belong to _postern-queue, who must read it");
		return false;
	}
	return true;
}

static unsigned count_users(const struct conf *c)
{
	unsigned count = 0;

	for (unsigned i = 0; i < c->smarthost.n; i++)
		count += c->smarthost.v[i].user.n > 0;
	for (unsigned i = 0; i < c->routes.n; i++)
		count += c->routes.v[i].hop.user.n > 0;
	for (unsigned i = 0; i < c->senders.n; i++)
		count += c->senders.v[i].hop.user.n > 0;
	return count;
}

/* As queue does it, with the eyes of whose the file is.  0 or -errno. */
static int load(const struct site *s, const char *file)
{
	bool is_root = geteuid() == 0;
	struct stat st;
	int rc;

	unsetenv("CREDENTIALS_DIRECTORY"); /* it is queue's, not ours */
	log_divert(ignore);
	if (is_root && stat(file, &st) == 0 &&
	    (st.st_uid == s->accounts.queue || is_for_queue(s, &st))) {
		(void)!setegid(s->accounts.queue_group);
		(void)!seteuid(s->accounts.queue);
	}
	rc = access(file, R_OK) != 0 && !is_root ? -errno
						 : credentials_load(file);
	if (is_root && (seteuid(0) != 0 || setegid(0) != 0))
		rc = -EPERM;
	log_divert(NULL);
	return rc;
}

void check_passwords(const struct site *s)
{
	const struct conf *c = s->conf;
	const char *file = c->credentials ? c->credentials : CREDENTIALS;
	unsigned before = finding_count(FINDING_FAULT);

	if (count_users(c) == 0 || !check_mode(s, file))
		return;
	if (load(s, file) < 0) {
		finding(
		    FINDING_WARNING, file, "cannot be read: ask again as root");
		return;
	}
	for (unsigned i = 0; i < c->smarthost.n; i++)
		check_hop_password(file, &c->smarthost.v[i]);
	for (unsigned i = 0; i < c->routes.n; i++)
		check_hop_password(file, &c->routes.v[i].hop);
	for (unsigned i = 0; i < c->senders.n; i++)
		check_hop_password(file, &c->senders.v[i].hop);
	if (finding_count(FINDING_FAULT) == before)
		finding(FINDING_OK, file, "a password for each user");
}

/* --- calls --------------------------------------------------------------- */

struct call {
	const char *where; /* the line of the configuration */
	unsigned ways;
	struct buf host, level;
	char host_text[HOST_MAX], level_text[HOST_MAX];
};

static void take_way(struct call *c, const struct hearsay *h)
{
	c->ways++;
	c->host = BUF(c->host_text);
	c->level = BUF(c->level_text);
	hearsay_put_host(&c->host, h);
	hearsay_put_level(&c->level, h);
}

/* "mail.example.net [192.0.2.1]:25: TEXT" */
static void tell(const struct call *c, enum finding f, struct str what,
    struct str status, struct str text)
{
	finding(f, c->where, "%.*s: %.*s%.*s%s%.*s", (int)c->host.n, c->host.p,
	    (int)what.n, what.p, (int)status.n, status.p,
	    status.n > 0 ? " " : "", (int)text.n, text.p);
}

static void hear(void *arg, struct str line)
{
	struct call *c = arg;
	struct hearsay h;

	if (!hearsay_parse(line, &h))
		return;
	if (str_eq(h.field[0], STR("way")))
		take_way(c, &h);
	else if (str_eq(h.field[0], STR("none")))
		finding(FINDING_UNREACHABLE, c->where, "%.*s %.*s",
		    (int)h.field[2].n, h.field[2].p, (int)h.field[3].n,
		    h.field[3].p);
	else if (str_eq(h.field[0], STR("call")) &&
		 str_eq(h.field[1], STR("failed")))
		tell(c, FINDING_UNREACHABLE, STR(""), h.field[3], h.field[4]);
	else if (str_eq(h.field[0], STR("call")))
		tell(c, FINDING_OK, STR("connected, TLS: "), STR(""),
		    h.field[2]);
	else if (str_eq(h.field[0], STR("rcpt")))
		tell(c,
		    str_eq(h.field[1], STR("taken")) ? FINDING_OK
						     : FINDING_UNREACHABLE,
		    str_eq(h.field[1], STR("taken"))
			? STR("takes our mail: ")
			: STR("does not take our mail: "),
		    h.field[2], h.field[3]);
}

/* `sender`: the reverse-path of a test, or NULL. */
static int ask_queue(const struct site *s, const char *verb, const char *what,
    const char *sender, unsigned seconds, void (*line)(void *, struct str),
    void *arg)
{
	const struct check *c = s->check;
	char path[PART_PATH_MAX];
	const char *argv[ASKING_ARGS] = { path };
	struct buf program = BUF(path);
	unsigned n = 1;
	int rc = beside_find("queue", &program);

	if (rc < 0)
		return rc;
	if (c->conf_path) {
		argv[n++] = "-C";
		argv[n++] = c->conf_path;
	}
	if (sender) {
		argv[n++] = "-f";
		argv[n++] = sender;
	}
	argv[n++] = verb;
	argv[n++] = what;
	return asking_run(path, argv, seconds, line, arg);
}

static void call(const struct site *s, const char *where, const char *what,
    const char *sender)
{
	struct call c = { .where = where };
	int rc = ask_queue(s, "-T", what, sender, CALL_S, hear, &c);

	if (rc == -ETIMEDOUT)
		finding(FINDING_UNREACHABLE, where, "%.*s%sno end in %u s",
		    (int)c.host.n, c.host.p, c.host.n > 0 ? ": " : "", CALL_S);
	else if (rc != 0)
		finding(FINDING_FAULT, where, "queue -T has failed (%d)", rc);
}

static void call_route(const struct site *s, unsigned i)
{
	const struct conf_routes *r = &s->conf->routes;
	char text[DOMAIN_MAX + 16], room[PART_PATH_MAX];
	struct buf b = BUF(text), where = BUF(room);

	for (unsigned j = 0; j < i; j++) /* domains may come again */
		if (str_eq(r->v[j].domain, r->v[i].domain))
			return;
	buf_putz(&b, "postmaster@");
	buf_put(&b, r->v[i].domain);
	buf_putc(&b, '\0');
	if (!b.full)
		call(s, part_key(s, "route", r->v[i].domain, &where), text,
		    s->check->sender);
}

/* The way of one sender, or of any of his domain. */
static void call_sender(const struct site *s, unsigned i)
{
	const struct conf_senders *all = &s->conf->senders;
	struct str sender = all->v[i].sender;
	char text[ADDR_TEXT_MAX + 16], room[PART_PATH_MAX];
	struct buf b = BUF(text), where = BUF(room);

	for (unsigned j = 0; j < i; j++) /* senders may come again */
		if (str_eq(all->v[j].sender, sender))
			return;
	if (str_starts(sender, STR("@")))
		buf_putz(&b, "postmaster");
	buf_put(&b, sender);
	buf_putc(&b, '\0');
	if (!b.full)
		call(s, part_key(s, "smarthost-for", sender, &where),
		    "smarthost", text);
}

/* --- the DNS ------------------------------------------------------------- */

static void hear_dns(void *arg, struct str line)
{
	const struct site *s = arg;
	struct hearsay h;

	if (!hearsay_parse(line, &h) || !str_eq(h.field[0], STR("dns")))
		return;
	if (str_eq(h.field[1], STR("validating")))
		finding(FINDING_OK, NULL,
		    "the DNS answers, and answers are validated (DNSSEC)");
	else if (!str_eq(h.field[1], STR("insecure")))
		finding(FINDING_UNREACHABLE, NULL,
		    s->conf->dnssec == DNS_REQUIRE
			? "the DNS does not answer, or not with signatures, "
			  "which dnssec demands"
			: "the DNS does not answer: mail for other hosts "
			  "waits");
	else if (s->conf->dnssec == DNS_OFF)
		finding(FINDING_OK, NULL, "the DNS answers");
	else
		finding(FINDING_WARNING, NULL,
		    "the DNS answers, but without DNSSEC: nobody's TLS is "
		    "verified by DANE");
}

/* A site whose hops are all addresses needs none. */
static bool needs_dns(const struct conf *c)
{
	struct netaddr a;

	for (unsigned i = 0; i < c->smarthost.n; i++)
		if (!c->smarthost.v[i].unix_socket &&
		    !hop_literal(&c->smarthost.v[i], &a))
			return true;
	return c->smarthost.n == 0;
}

void check_hops(const struct site *s)
{
	static struct site copy;
	char text[PART_PATH_MAX];
	struct buf where = BUF(text);

	copy = *s;
	if (needs_dns(s->conf) &&
	    ask_queue(s, "-t", "dns", NULL, CALL_S, hear_dns, &copy) != 0)
		finding(FINDING_FAULT, NULL,
		    "queue, which asks the DNS, has failed");
	if (s->conf->smarthost.n > 0)
		call(s, part_key(s, "smarthost", STR(""), &where), "smarthost",
		    s->check->sender);
	for (unsigned i = 0; i < s->conf->routes.n; i++)
		call_route(s, i);
	for (unsigned i = 0; i < s->conf->senders.n; i++)
		call_sender(s, i);
}
