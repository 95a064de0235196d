/*
 * Command lines and their parameters.  Forward only, over slices; what a
 * parameter means for the session is the session's business.
 */
#include "mail/command.h"

int command_split(struct str line, struct command *c)
{
	for (size_t i = 0; i < line.n; i++) {
		unsigned char o = (unsigned char)line.p[i];

		if ((o < 0x20 && o != '\t') || o == 0x7f)
			return COMMAND_OCTETS;
	}
	c->arg = line;
	/* A command begins with its verb; indented text is another protocol's. */
	if (line.n == 0 || line.p[0] == ' ' || line.p[0] == '\t' ||
	    !str_word(&c->arg, &c->verb))
		c->verb = STR("");
	c->arg = str_trim(c->arg);
	return 0;
}

/* A parameter KEY or KEY=VALUE as it stands in a list of them. */
struct param {
	struct str key, value;
	bool has_value;
};

static struct param param_of(struct str word)
{
	struct param p = { .key = word, .value = STR(""), .has_value = false };
	size_t eq = str_find(word, '=');

	if (eq < word.n) {
		p.key = str_head(word, eq);
		p.value = str_skip(word, eq + 1);
		p.has_value = true;
	}
	return p;
}

static int mail_size(void *into, struct str v)
{
	struct mail_command *m = into;

	if (v.n == 0)
		return COMMAND_BAD;
	for (size_t i = 0; i < v.n; i++)
		if (!str_isdigit(v.p[i]))
			return COMMAND_BAD;
	return str_u64(v, &m->size_bytes) == 0 ? 0 : COMMAND_TOO_BIG;
}

static int mail_body(void *into, struct str v)
{
	struct mail_command *m = into;

	if (str_eqcase(v, STR("7BIT")))
		m->body = BODY_7BIT;
	else if (str_eqcase(v, STR("8BITMIME")))
		m->body = BODY_8BITMIME;
	else
		return COMMAND_BAD;
	return 0;
}

static int mail_smtputf8(void *into, struct str v)
{
	struct mail_command *m = into;

	(void)v;
	m->smtputf8 = true;
	return 0;
}

static int mail_requiretls(void *into, struct str v)
{
	struct mail_command *m = into;

	(void)v;
	m->requiretls = true;
	return 0;
}

/* RFC 4954 5: good from anybody; we trust none, so it is only checked. */
static int mail_auth(void *into, struct str v)
{
	(void)into;
	return v.n > 0 && v.n <= 500 && xtext_valid(v) ? 0 : COMMAND_BAD;
}

static int mail_ret(void *into, struct str v)
{
	struct mail_command *m = into;

	if (str_eqcase(v, STR("FULL")))
		m->ret = RET_FULL;
	else if (str_eqcase(v, STR("HDRS")))
		m->ret = RET_HDRS;
	else
		return COMMAND_BAD;
	return 0;
}

static int mail_envid(void *into, struct str v)
{
	struct mail_command *m = into;

	if (v.n == 0 || v.n > ENVID_MAX || !xtext_valid(v))
		return COMMAND_BAD;
	m->envid = v;
	return 0;
}

static int rcpt_notify(void *into, struct str v)
{
	static const struct {
		struct str name;
		unsigned bit;
	} names[] = {
		{ { "SUCCESS", 7 }, NOTIFY_SUCCESS },
		{ { "FAILURE", 7 }, NOTIFY_FAILURE },
		{ { "DELAY", 5 }, NOTIFY_DELAY },
	};
	struct rcpt_command *r = into;
	struct str one;

	if (str_eqcase(v, STR("NEVER"))) {
		r->notify = NOTIFY_NEVER;
		return 0;
	}
	if (v.n == 0 || v.p[v.n - 1] == ',')
		return COMMAND_BAD;
	while (str_cut(&v, ',', &one)) {
		size_t i = 0;

		while (i < 3 && !str_eqcase(one, names[i].name))
			i++;
		if (i == 3 || (r->notify & names[i].bit) != 0)
			return COMMAND_BAD;
		r->notify |= names[i].bit;
	}
	return 0;
}

static int rcpt_orcpt(void *into, struct str v)
{
	struct rcpt_command *r = into;
	size_t semi = str_find(v, ';');

	if (v.n > ORCPT_MAX || semi == 0 || semi + 1 >= v.n)
		return COMMAND_BAD;
	for (size_t i = 0; i < semi; i++)
		if (!str_isalpha(v.p[i]) && !str_isdigit(v.p[i]) &&
		    v.p[i] != '-')
			return COMMAND_BAD;
	if (!xtext_valid(str_skip(v, semi + 1)))
		return COMMAND_BAD;
	r->orcpt = v;
	return 0;
}

enum param_value { VALUE_NONE, VALUE_NEEDED };

struct param_rule {
	struct str key;
	enum param_value value;
	int (*take)(void *into, struct str value);
};

/* clang-format off */
static const struct param_rule mail_params[] = {
	{ { "SIZE", 4 },	VALUE_NEEDED,	mail_size },
	{ { "BODY", 4 },	VALUE_NEEDED,	mail_body },
	{ { "SMTPUTF8", 8 },	VALUE_NONE,	mail_smtputf8 },
	{ { "REQUIRETLS", 10 },	VALUE_NONE,	mail_requiretls },
	{ { "AUTH", 4 },	VALUE_NEEDED,	mail_auth },
	{ { "RET", 3 },		VALUE_NEEDED,	mail_ret },
	{ { "ENVID", 5 },	VALUE_NEEDED,	mail_envid },
	{ { NULL, 0 },		VALUE_NONE,	NULL }
};

static const struct param_rule rcpt_params[] = {
	{ { "NOTIFY", 6 },	VALUE_NEEDED,	rcpt_notify },
	{ { "ORCPT", 5 },	VALUE_NEEDED,	rcpt_orcpt },
	{ { NULL, 0 },		VALUE_NONE,	NULL }
};
/* clang-format on */

/* Each parameter by its rule, each at most once. */
static int params(struct str list, const struct param_rule *rules, void *into)
{
	unsigned seen = 0;
	struct str word;

	while (str_word(&list, &word)) {
		struct param p = param_of(word);
		unsigned i = 0;
		int rc;

		while (rules[i].take && !str_eqcase(p.key, rules[i].key))
			i++;
		if (!rules[i].take)
			return COMMAND_UNKNOWN;
		if ((seen & 1u << i) != 0 ||
		    p.has_value != (rules[i].value == VALUE_NEEDED))
			return COMMAND_BAD;
		seen |= 1u << i;
		rc = rules[i].take(into, p.value);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/*
 * "FROM:<path> parameters".  A space before the path is against the RFC and
 * yet common: harmless, so taken.
 */
static int path_of(
    struct str *arg, struct str head, unsigned flags, struct addr *a)
{
	if (!str_startscase(*arg, head))
		return COMMAND_BAD;
	*arg = str_trim(str_skip(*arg, head.n));
	switch (addr_path(arg, flags, a)) {
	case 0:
		break;
	case ADDR_UTF8:
		return COMMAND_UTF8;
	default:
		return COMMAND_ADDRESS;
	}
	if (arg->n > 0 && arg->p[0] != ' ' && arg->p[0] != '\t')
		return COMMAND_ADDRESS;
	return 0;
}

int command_mail(struct str arg, bool bare_ok, struct mail_command *m)
{
	unsigned flags = ADDR_NULL_OK | ADDR_UTF8_OK;
	int rc;

	*m = (struct mail_command){ .body = BODY_7BIT };
	if (bare_ok)
		flags |= ADDR_BARE_OK;
	rc = path_of(&arg, STR("FROM:"), flags, &m->from);
	if (rc == 0)
		rc = params(arg, mail_params, m);
	if (rc == 0 && m->from.utf8 && !m->smtputf8)
		rc = COMMAND_UTF8;
	return rc;
}

int command_rcpt(
    struct str arg, bool bare_ok, bool utf8_ok, struct rcpt_command *r)
{
	unsigned flags = ADDR_BARE_OK;
	int rc;

	*r = (struct rcpt_command){ .notify = 0 };
	if (utf8_ok)
		flags |= ADDR_UTF8_OK;
	rc = path_of(&arg, STR("TO:"), flags, &r->to);
	if (rc == 0 && r->to.host == HOST_NONE && !bare_ok &&
	    !str_eqcase(addr_local(&r->to), STR("postmaster")))
		rc = COMMAND_ADDRESS;
	if (rc == 0)
		rc = params(arg, rcpt_params, r);
	return rc;
}

int command_bdat(struct str arg, uint64_t *size_bytes, bool *last)
{
	struct str size, word;

	*last = false;
	if (!str_word(&arg, &size) || str_u64(size, size_bytes) != 0)
		return COMMAND_BAD;
	if (str_word(&arg, &word)) {
		if (!str_eqcase(word, STR("LAST")))
			return COMMAND_BAD;
		*last = true;
	}
	return str_word(&arg, &word) ? COMMAND_BAD : 0;
}

bool command_is_foreign(struct str line)
{
	static const struct str methods[] = {
		{ "GET", 3 },
		{ "POST", 4 },
		{ "HEAD", 4 },
		{ "PUT", 3 },
		{ "DELETE", 6 },
		{ "OPTIONS", 7 },
		{ "CONNECT", 7 },
		{ "PATCH", 5 },
		{ "TRACE", 5 },
		{ "PRI", 3 },
	};
	struct str verb = str_head(line, str_find(line, ' '));

	if (line.n > 0 && !str_isalpha(line.p[0]))
		return true;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (str_eqcase(verb, methods[i]))
			return true;
	return false;
}
