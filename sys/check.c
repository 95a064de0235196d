/*
 * The check, in the order in which things depend on each other: a
 * configuration that cannot be read ends it, everything else goes on.
 */
#include "sys/check-part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/asking.h"
#include "sys/beside.h"
#include "sys/conf-file.h"
#include "sys/enquiry.h"
#include "sys/version.h"
#include "sys/walls.h"

enum { VERSION_S = 10, DAY_S = 86400 };

const char *part_path(
    char room[PART_PATH_MAX], const char *directory, const char *name)
{
	struct buf b = { .p = room, .cap = PART_PATH_MAX - 1 };

	buf_putz(&b, directory);
	buf_putc(&b, '/');
	buf_putz(&b, name);
	room[b.n] = '\0';
	return room;
}

const char *part_key(
    const struct site *s, const char *key, struct str first, struct buf *room)
{
	static char file[CONF_TEXT_MAX];
	const char *path = conf_path(s->check->conf_path);
	struct buf b = BUF(file);
	struct str rest, line, word;
	unsigned at = 0;

	buf_clear(room);
	buf_putz(room, path);
	rest = conf_slurp(path, &b) == 0 ? buf_str(&b) : STR("");
	while (str_cut(&rest, '\n', &line)) {
		at++;
		line = str_trim(line);
		if (!str_word(&line, &word) || !str_eq(word, str_of(key)))
			continue;
		if (first.n > 0 &&
		    (!str_word(&line, &word) || !str_eqcase(word, first)))
			continue;
		buf_putc(room, ':');
		buf_u64(room, at);
		break;
	}
	buf_putc(room, '\0');
	return room->p;
}

/* --- the configuration --------------------------------------------------- */

static void fault(void *arg, struct str text)
{
	(void)arg;
	finding(FINDING_FAULT, NULL, "%.*s", (int)text.n, text.p);
}

static int read_configuration(const struct check *c, struct conf *conf)
{
	const char *path = conf_path(c->conf_path);
	int rc = conf_read_all(conf, c->conf_path, fault, NULL);

	if (rc == 0 && access(path, F_OK) == 0)
		finding(FINDING_OK, path, "no fault in it");
	else if (rc == 0)
		finding(FINDING_OK, path, "is not there, so defaults hold");
	return rc;
}

static bool has_dot(struct str s)
{
	return str_find(s, '.') < s.n;
}

/* Addresses of the Internet, not of a site: RFC 1918, RFC 4193, loopback. */
static bool is_public(const struct netaddr *a)
{
	static const struct {
		struct str text;
	} own[] = {
		{ { "127.0.0.0/8", 11 } },
		{ { "10.0.0.0/8", 10 } },
		{ { "172.16.0.0/12", 13 } },
		{ { "192.168.0.0/16", 14 } },
		{ { "169.254.0.0/16", 14 } },
		{ { "100.64.0.0/10", 13 } },
		{ { "fc00::/7", 8 } },
		{ { "fe80::/10", 9 } },
		{ { "::1", 3 } },
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		struct net n;

		if (net_parse(own[i].text, &n) == 0 && net_has(&n, a))
			return false;
	}
	return true;
}

static void check_relaying(const struct site *s)
{
	const struct conf *c = s->conf;
	char text[PART_PATH_MAX];
	struct buf where = BUF(text);
	unsigned wide = 0;

	for (unsigned i = 0; i < c->relay_networks.n; i++) {
		const struct net *n = &c->relay_networks.v[i];
		unsigned site = netaddr_is4(&n->a) ? 96 + 16 : 32;

		wide += is_public(&n->a) && n->bits < site;
	}
	if (wide > 0)
		finding(FINDING_WARNING,
		    part_key(s, "relay-networks", STR(""), &where),
		    "a network of more than 65536 public addresses may send "
		    "to anybody by us");
	if (c->relay_domains.n > 0 && !c->relay_recipients)
		finding(FINDING_WARNING,
		    part_key(s, "relay-domains", STR(""), &where),
		    "without relay-recipients mail to nobody is taken, and "
		    "returned to senders who often are forged");
	if (wide == 0)
		finding(FINDING_OK, NULL, "no open relay");
}

/* Who sends what: files that are asked, and limits that nobody counts. */
static void check_submission(const struct site *s)
{
	const struct conf *c = s->conf;
	const struct conf_rate *r = &c->submission_rate;
	char text[PART_PATH_MAX];
	struct buf where = BUF(text);

	if (c->sender_map && access(c->sender_map, R_OK) != 0)
		finding(FINDING_FAULT,
		    part_key(s, "sender-map", STR(""), &where), "%s: %s",
		    c->sender_map, strerror(errno));
	if ((r->messages > 0 || r->octets > 0) && !s->systemd && !s->private)
		finding(FINDING_WARNING,
		    part_key(s, "submission-rate", STR(""), &where),
		    "is counted by a smtpd that listens (-l), not by one that "
		    "is started for each connection");
}

void check_settings(const struct site *s)
{
	const struct conf *c = s->conf;
	char text[PART_PATH_MAX];
	struct buf where = BUF(text);

	check_relaying(s);
	check_submission(s);
	if (!has_dot(c->hostname))
		finding(FINDING_WARNING,
		    part_key(s, "hostname", STR(""), &where),
		    "the name '%.*s' has no dot: other hosts may refuse it",
		    (int)c->hostname.n, c->hostname.p);
	if (!has_dot(c->origin))
		finding(FINDING_WARNING, part_key(s, "origin", STR(""), &where),
		    "senders are user@%.*s, which nobody can answer",
		    (int)c->origin.n, c->origin.p);
	if (!conf_has_domain(&c->local_domains, c->origin) &&
	    c->smarthost.n == 0)
		finding(FINDING_WARNING, part_key(s, "origin", STR(""), &where),
		    "is not of local-domains: answers do not come back here");
	if (c->dnssec == DNS_OFF)
		finding(FINDING_WARNING, part_key(s, "dnssec", STR(""), &where),
		    "without DNSSEC nobody's TLS is verified by DANE");
}

/* --- the machine --------------------------------------------------------- */

static void see_version(void *arg, struct str line)
{
	struct buf *b = arg;
	struct str last = line, word;

	while (str_word(&line, &word))
		last = word;
	if (b->n == 0)
		buf_put(b, last);
}

static void check_version(const char *name)
{
	char path[PART_PATH_MAX], text[64];
	const char *argv[] = { path, "--version", NULL };
	struct buf b = BUF(text), program = BUF(path);

	if (beside_find(name, &program) < 0) {
		finding(FINDING_FAULT, name,
		    "the program is not where it should be");
		return;
	}
	if (asking_run(path, argv, VERSION_S, see_version, &b) != 0)
		finding(FINDING_FAULT, path, "cannot be run");
	else if (!str_eq(buf_str(&b), str_of(version)))
		finding(FINDING_WARNING, path, "is of another version than %s",
		    version);
	else
		finding(FINDING_OK, path, "version %s", version);
}

static void check_clock(void)
{
	struct stat st;
	time_t now = time(NULL);

	if (stat("/proc/self/exe", &st) != 0 || st.st_mtime <= now + DAY_S)
		finding(FINDING_OK, NULL, "the clock is plausible");
	else
		finding(FINDING_FAULT, NULL,
		    "the clock is wrong: it is before this program was made");
}

void check_machine(const struct site *s)
{
	struct walls w;

	(void)s;
	check_version("smtpd");
	check_version("deliver");
	check_version("queue");
	check_clock();
	walls_look(&w);
	if (w.landlock_abi == 0)
		finding(FINDING_WARNING, NULL,
		    "this kernel has no Landlock: one wall less");
	else
		finding(FINDING_OK, NULL, "Landlock %d", w.landlock_abi);
	if (w.seccomp)
		finding(FINDING_OK, NULL, "seccomp filters");
	else
		finding(FINDING_FAULT, NULL,
		    "this kernel has no seccomp filters, and so nothing runs");
}

/* --- the whole ----------------------------------------------------------- */

int check_all(const struct check *c)
{
	static struct conf conf;
	struct site s = { .check = c, .conf = &conf };

	if (c->quiet)
		finding_be_quiet();
	if (read_configuration(c, &conf) != 0)
		return finding_exit_code();
	s.private = enquiry_is_private(&conf);
	s.systemd = access("/run/systemd/system", F_OK) == 0;
	check_settings(&s);
	check_machine(&s);
	check_accounts(&s);
	check_places(&s);
	check_units(&s);
	check_sockets(&s);
	check_certificates(&s);
	check_names(&s);
	check_passwords(&s);
	if (c->offline) {
		finding(FINDING_OK, NULL, "offline: nobody was called");
		return finding_exit_code();
	}
	check_hops(&s);
	return finding_exit_code();
}
