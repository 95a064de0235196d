/*
 * The configuration file: a table of keys, each with the function that takes
 * its value.  Everything is checked when it is read; nothing is guessed.
 */
#include "sys/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mail/domain.h"
#include "sys/conf-file.h"
#include "sys/conf-key.h"

#define CONF_DEFAULT "/etc/postern/postern.conf"

enum { FAULT_MAX = 512 };

bool conf_keep(struct conf *c, struct str s, struct str *kept)
{
	const char *at = c->room.p + c->room.n;

	buf_put(&c->room, s);
	buf_putc(&c->room, '\0');
	if (c->room.full)
		return false;
	*kept = str_at(at, s.n);
	return true;
}

void *conf_field(struct conf *c, const struct key *k)
{
	return (char *)c + k->at;
}

static const char *take_domain(
    struct conf *c, const struct key *k, struct str v)
{
	char text[DOMAIN_MAX];
	struct buf b = BUF(text);

	if (domain_ascii(v, &b) != 0)
		return "not a domain name";
	if (!conf_keep(c, buf_str(&b), conf_field(c, k)))
		return "no room";
	return NULL;
}

static const char *take_domains(
    struct conf *c, const struct key *k, struct str v)
{
	struct conf_domains *d = conf_field(c, k);
	char text[DOMAIN_MAX];
	struct str word;

	if (str_eq(v, STR("none")))
		return NULL;
	while (str_word(&v, &word)) {
		struct buf b = BUF(text);

		if (domain_ascii(word, &b) != 0)
			return "not a domain name";
		if (d->n == CONF_LIST_MAX ||
		    !conf_keep(c, buf_str(&b), &d->v[d->n]))
			return "too many domains";
		d->n++;
	}
	return NULL;
}

static const char *take_path(struct conf *c, const struct key *k, struct str v)
{
	const char **path = conf_field(c, k);
	struct str kept;

	if (v.n == 0 || v.p[0] != '/')
		return "an absolute path is needed";
	if (!conf_keep(c, v, &kept))
		return "no room";
	*path = kept.p;
	return NULL;
}

/* What a number's suffix multiplies by; 0 for none that we know. */
static uint64_t suffix(char c, bool duration)
{
	static const struct {
		char c;
		bool duration;
		uint64_t times;
	} rows[] = {
		{ 'K', false, 1024 },
		{ 'M', false, 1024 * 1024 },
		{ 'G', false, 1024 * 1024 * 1024 },
		{ 's', true, 1 },
		{ 'm', true, 60 },
		{ 'h', true, 3600 },
		{ 'd', true, 86400 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].c == c && rows[i].duration == duration)
			return rows[i].times;
	return 0;
}

const char *conf_number(
    struct str v, bool duration, const struct key *k, uint64_t *out)
{
	uint64_t times = 1, n;

	if (v.n > 0 && !str_isdigit(v.p[v.n - 1])) {
		times = suffix(v.p[v.n - 1], duration);
		v.n--;
	}
	if (times == 0 || str_u64(v, &n) != 0)
		return duration ? "not a duration (30s, 5m, 4h, 5d)"
				: "not a number (K, M, G may follow)";
	if (n > k->max / times || n * times < k->min)
		return "out of range";
	*out = n * times;
	return NULL;
}

static const char *take_size(struct conf *c, const struct key *k, struct str v)
{
	return conf_number(v, false, k, conf_field(c, k));
}

static const char *take_count(struct conf *c, const struct key *k, struct str v)
{
	uint64_t n;
	unsigned *count = conf_field(c, k);
	const char *wrong = conf_number(v, false, k, &n);

	if (!wrong)
		*count = (unsigned)n;
	return wrong;
}

static const char *take_duration(
    struct conf *c, const struct key *k, struct str v)
{
	uint64_t n;
	unsigned *seconds = conf_field(c, k);
	const char *wrong = conf_number(v, true, k, &n);

	if (!wrong)
		*seconds = (unsigned)n;
	return wrong;
}

static const char *take_mailbox(
    struct conf *c, const struct key *k, struct str v)
{
	static const struct {
		struct str scheme;
		enum conf_mailbox kind;
	} kinds[] = {
		{ { "maildir:", 8 }, MAILBOX_MAILDIR },
		{ { "mbox:", 5 }, MAILBOX_MBOX },
		{ { "lmtp:unix:", 10 }, MAILBOX_LMTP },
		{ { "lmtp:", 5 }, MAILBOX_LMTP },
	};
	struct str kept;

	(void)k;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!str_starts(v, kinds[i].scheme))
			continue;
		v = str_skip(v, kinds[i].scheme.n);
		if (v.n == 0 ||
		    (v.p[0] != '/' &&
			(v.p[0] != '~' || kinds[i].kind == MAILBOX_LMTP)))
			return "an absolute path, or one that begins with ~/";
		if (!conf_keep(c, v, &kept))
			return "no room";
		c->mailbox = kinds[i].kind;
		c->mailbox_path = kept.p;
		return NULL;
	}
	return "maildir:PATH, mbox:PATH or lmtp:PATH is needed";
}

static const char *take_users(struct conf *c, const struct key *k, struct str v)
{
	if (str_eq(v, STR("system"))) {
		c->users_file = NULL;
		return NULL;
	}
	if (!str_starts(v, STR("file:")))
		return "system or file:PATH is needed";
	return take_path(c, k, str_skip(v, 5));
}

static const char *take_bare_newline(
    struct conf *c, const struct key *k, struct str v)
{
	struct str word;

	if (str_eq(v, STR("reject")))
		return NULL;
	if (!str_word(&v, &word) || !str_eq(word, STR("normalize")) ||
	    str_trim(v).n == 0)
		return "reject, or normalize NETWORKS, is needed";
	return conf_take_nets(c, k, v);
}

#define AT(member) offsetof(struct conf, member)

/* clang-format off */
static const struct key keys[] = {
	/* name, taker, offset, least, most, list */
	{ "hostname",		take_domain,	AT(hostname), 0, 0, false },
	{ "origin",		take_domain,	AT(origin), 0, 0, false },
	{ "local-domains",	take_domains,	AT(local_domains), 0, 0, true },
	{ "relay-domains",	take_domains,	AT(relay_domains), 0, 0, true },
	{ "relay-recipients",	take_path,	AT(relay_recipients), 0, 0, false },
	{ "relay-networks",	conf_take_trusted_nets, AT(relay_networks), 0, 0, true },
	{ "proxy-networks",	conf_take_trusted_nets, AT(proxy_networks), 0, 0, true },
	{ "bare-newline",	take_bare_newline, AT(normalize_networks), 0, 0, false },
	{ "mailbox",		take_mailbox,	AT(mailbox), 0, 0, false },
	{ "users",		take_users,	AT(users_file), 0, 0, false },
	{ "root-mailbox",	take_path,	AT(root_mailbox), 0, 0, false },
	{ "aliases",		take_path,	AT(aliases), 0, 0, false },
	{ "srs",		conf_take_switch, AT(srs), 0, 0, false },
	{ "srs-secret",		take_path,	AT(srs_secret), 0, 0, false },
	{ "spool",		take_path,	AT(spool), 0, 0, false },
	{ "run-directory",	take_path,	AT(run_directory), 0, 0, false },
	{ "message-size-limit",	take_size,	AT(message_size_limit), 1024, 1ull << 40, false },
	{ "recipient-limit",	take_count,	AT(recipient_limit), 100, 4096, false },
	{ "connection-limit",	take_count,	AT(connection_limit), 1, 16384, false },
	{ "source-limit",	take_count,	AT(source_limit), 1, 16384, false },
	{ "local-connection-limit", take_count,	AT(local_connection_limit), 1, 16384, false },
	{ "command-timeout",	take_duration,	AT(command_timeout_s), 1, 86400, false },
	{ "minimum-uid",	take_count,	AT(minimum_uid), 1, 1u << 30, false },
	{ "forward",		conf_take_switch, AT(forward), 0, 0, false },
	{ "commands",		conf_take_switch, AT(commands), 0, 0, false },
	{ "command-user",	conf_take_user,	AT(command_user), 0, 0, false },
	{ "smarthost",		conf_take_hops,	AT(smarthost), 0, 0, false },
	{ "route",		conf_take_route, AT(routes), 0, 0, true },
	{ "masquerade",		conf_take_masquerade, AT(masquerades), 0, 0, true },
	{ "smarthost-for",	conf_take_sender, AT(senders), 0, 0, true },
	{ "trusted-users",	conf_take_trust, AT(trusted_users), 0, 0, true },
	{ "sender-map",		take_path,	AT(sender_map), 0, 0, false },
	{ "submission-rate",	conf_take_rate,	AT(submission_rate), 1, 8640000, false },
	{ "credentials",	take_path,	AT(credentials), 0, 0, false },
	{ "retry",		conf_take_retry, AT(retry), 1, 604800, false },
	{ "queue-lifetime",	take_duration,	AT(retry.lifetime_s), 0, 8640000, false },
	{ "delay-warning",	take_duration,	AT(retry.warning_s), 0, 8640000, false },
	{ "concurrency",	take_count,	AT(concurrency), 1, 500, false },
	{ "destination-concurrency", take_count, AT(destination_concurrency), 1, 500, false },
	{ "dnssec",		conf_take_dnssec, AT(dnssec), 0, 0, false },
	{ "resolver",		conf_take_server, AT(resolver), 0, 0, false },
	{ "trust-anchor",	take_path,	AT(trust_anchor), 0, 0, false },
	{ "tls-certificate",	conf_take_files, AT(tls_certificates), 0, 0, false },
	{ "tls-key",		conf_take_files, AT(tls_keys), 0, 0, false },
	{ "tls-directory",	take_path,	AT(tls_directory), 0, 0, false },
	{ "tls-ask-certificate", conf_take_yes,	AT(tls_ask_certificate), 0, 0, false },
	{ "require-tls",	conf_take_services, AT(require_tls), 0, 0, false },
	{ NULL,			NULL,		0, 0, 0, false }
};
/* clang-format on */

enum { NKEYS = sizeof(keys) / sizeof(keys[0]) };

/* One line, comment and all.  NULL or what is wrong. */
static const char *take_line(struct conf *c, struct str line, bool seen[NKEYS])
{
	struct str name, value;
	size_t i = 0;

	line = str_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return NULL;
	for (size_t j = 1; j < line.n; j++)
		if (line.p[j] == '#' &&
		    (line.p[j - 1] == ' ' || line.p[j - 1] == '\t'))
			line.n = j;
	value = line;
	str_word(&value, &name);
	value = str_trim(value);
	while (keys[i].name && !str_eq(name, str_of(keys[i].name)))
		i++;
	if (!keys[i].name)
		return "unknown key";
	if (seen[i] && !keys[i].list)
		return "given twice";
	seen[i] = true;
	if (value.n == 0 && !keys[i].list)
		return "a value is needed";
	return keys[i].take(c, &keys[i], value);
}

static bool was_given(const bool seen[NKEYS], const char *name)
{
	for (size_t i = 0; keys[i].name; i++)
		if (strcmp(keys[i].name, name) == 0)
			return seen[i];
	return false;
}

/* Our name when none is configured; a name that is no domain is no name. */
static void default_hostname(struct conf *c)
{
	static const struct key k = { .at = AT(hostname) };
	char name[CONF_HOST_MAX] = "";

	if (gethostname(name, sizeof(name) - 1) != 0 ||
	    take_domain(c, &k, str_of(name)) != NULL)
		c->hostname = STR("localhost");
}

static void default_origin(struct conf *c)
{
	static const struct key k = { .at = AT(origin) };
	char name[CONF_HOST_MAX];
	struct buf b = BUF(name);

	if (!conf_first_line("/etc/mailname", &b) ||
	    take_domain(c, &k, buf_str(&b)) != NULL)
		c->origin = c->hostname;
}

static void defaults(struct conf *c)
{
	c->room = BUF(c->text);
	c->mailbox = MAILBOX_MAILDIR;
	c->mailbox_path = "~/Maildir";
	c->root_mailbox = "/var/mail/root";
	c->aliases = "/etc/aliases";
	c->srs = true;
	c->srs_secret = "/var/lib/postern/deliver/srs-secret";
	c->spool = "/var/spool/postern";
	c->run_directory = "/run/postern";
	c->message_size_limit = 50 * 1024 * 1024;
	c->recipient_limit = 1000;
	c->connection_limit = 1000;
	c->source_limit = 50;
	c->local_connection_limit = 1000;
	c->command_timeout_s = 300;
	c->minimum_uid = 1000;
	c->forward = true;
	c->retry = (struct retry){ 300, 4 * 3600, 5 * 86400, 4 * 3600 };
	c->concurrency = 20;
	c->destination_concurrency = 5;
	c->dnssec = DNS_AUTO;
}

/* What depends on other keys, or on the machine, when it was not given. */
static void defaults_after(struct conf *c, const bool seen[NKEYS])
{
	if (!was_given(seen, "hostname"))
		default_hostname(c);
	if (!was_given(seen, "origin"))
		default_origin(c);
	if (!was_given(seen, "local-domains")) {
		c->local_domains.n = 2;
		c->local_domains.v[0] = c->hostname;
		c->local_domains.v[1] = STR("localhost");
	}
	c->trusted_users.system |= !was_given(seen, "trusted-users");
	if (!was_given(seen, "relay-networks")) {
		c->relay_networks.n = 2;
		(void)net_parse(STR("127.0.0.0/8"), &c->relay_networks.v[0]);
		(void)net_parse(STR("::1"), &c->relay_networks.v[1]);
	}
}

const char *conf_path(const char *path)
{
	const char *env = getenv("POSTERN_CONF");

	if (path)
		return path;
	return env && *env ? env : CONF_DEFAULT;
}

struct faults {
	const char *path;
	void (*each)(void *arg, struct str text);
	void *arg;
	unsigned n;
};

static void complain(
    struct faults *f, unsigned line, struct str text, const char *wrong)
{
	char room[FAULT_MAX];
	struct buf why = BUF(room);

	buf_putz(&why, f->path);
	if (line > 0) {
		buf_putc(&why, ':');
		buf_u64(&why, line);
	}
	buf_putz(&why, ": ");
	if (text.n > 0) {
		buf_putc(&why, '\'');
		buf_escape(&why, text, 80);
		buf_putz(&why, "': ");
	}
	buf_putz(&why, wrong);
	f->n++;
	f->each(f->arg, buf_str(&why));
}

int conf_read_all(struct conf *c, const char *path,
    void (*each)(void *arg, struct str text), void *arg)
{
	static char file[CONF_TEXT_MAX];
	struct buf text = BUF(file);
	bool seen[NKEYS] = { false };
	struct faults f = { conf_path(path), each, arg, 0 };
	struct str rest, line;
	unsigned at = 0;
	int rc = conf_slurp(f.path, &text);

	memset(c, 0, offsetof(struct conf, text));
	defaults(c);
	if (rc < 0 && (rc != -ENOENT || strcmp(f.path, CONF_DEFAULT) != 0)) {
		complain(&f, 0, STR(""), strerror(-rc));
		return rc;
	}
	rest = buf_str(&text);
	while (str_cut(&rest, '\n', &line)) {
		const char *wrong = take_line(c, line, seen);

		at++;
		if (wrong)
			complain(&f, at, str_trim(line), wrong);
	}
	defaults_after(c, seen);
	return f.n > 0 ? CONF_FAULT : 0;
}

/* The first fault says what to mend first. */
static void keep_first(void *arg, struct str text)
{
	struct buf *why = arg;

	if (why->n == 0)
		buf_put(why, str_head(text, why->cap));
}

int conf_read(struct conf *c, const char *path, struct buf *why)
{
	return conf_read_all(c, path, keep_first, why);
}

bool conf_has_domain(const struct conf_domains *d, struct str domain)
{
	for (unsigned i = 0; i < d->n; i++)
		if (str_eq(d->v[i], domain))
			return true;
	return false;
}

bool conf_has_net(const struct conf_nets *n, const struct netaddr *a)
{
	for (unsigned i = 0; i < n->n; i++)
		if (net_has(&n->v[i], a))
			return true;
	return false;
}
