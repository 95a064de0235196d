/*
 * Mailboxes and paths, RFC 5321 4.1.2 with the UTF-8 of RFC 6531 3.3.
 *
 * One cursor that only moves forward over a slice; nothing is decoded in
 * place.  The grammar is taken as it stands: control characters are refused
 * in quotes too, and no character has a meaning that the RFC does not give
 * it.
 */
#include "mail/addr.h"

#include "mail/net.h"

#include <string.h>

static bool take(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static bool is_utf8(char c)
{
	return ((unsigned char)c & 0x80) != 0;
}

/* atext of RFC 5322 3.2.3. */
static bool is_atext(char c)
{
	static const char marks[] = "!#$%&'*+-/=?^_`{|}~";

	return str_isalpha(c) || str_isdigit(c) ||
	       (c != '\0' && memchr(marks, c, sizeof(marks) - 1) != NULL);
}

static bool is_printable(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/*
 * The octets of one code point above ASCII, as a local part may hold: no C1
 * control, no line or paragraph separator.  0 or an answer.
 */
static int take_utf8(struct str *s, unsigned flags, struct str *octets)
{
	struct str rest = *s;
	uint32_t code;

	if (utf8_next(&rest, &code) != 0)
		return ADDR_BAD;
	if (code < 0xa0 || code == 0x2028 || code == 0x2029)
		return ADDR_BAD;
	if ((flags & ADDR_UTF8_OK) == 0)
		return ADDR_UTF8;
	*octets = str_head(*s, s->n - rest.n);
	*s = rest;
	return 0;
}

/* A code point above ASCII, or the one octet at the front, into `local`. */
static int take_char(
    struct str *s, unsigned flags, struct addr *a, struct buf *local)
{
	struct str octets = str_head(*s, 1);
	int rc;

	if (is_utf8(s->p[0])) {
		rc = take_utf8(s, flags, &octets);
		if (rc != 0)
			return rc;
		a->utf8 = true;
	} else
		*s = str_skip(*s, 1);
	buf_put(local, octets);
	return 0;
}

static int quoted(
    struct str *s, unsigned flags, struct addr *a, struct buf *local)
{
	while (!take(s, '"')) {
		bool pair = take(s, '\\');
		int rc;

		if (s->n == 0)
			return ADDR_BAD;
		if (!is_printable(s->p[0]) && (pair || !is_utf8(s->p[0])))
			return ADDR_BAD;
		rc = take_char(s, flags, a, local);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static bool at_atext(struct str s)
{
	return s.n > 0 && (is_atext(s.p[0]) || is_utf8(s.p[0]));
}

/* Atoms joined by single dots. */
static int dot_string(
    struct str *s, unsigned flags, struct addr *a, struct buf *local)
{
	do {
		if (local->n > 0)
			buf_putc(local, '.');
		if (!at_atext(*s))
			return ADDR_BAD;
		while (at_atext(*s)) {
			int rc = take_char(s, flags, a, local);

			if (rc != 0)
				return rc;
		}
	} while (take(s, '.'));
	return 0;
}

/* A local part of whatever length; what is too long sets local->full. */
static int local_part(
    struct str *s, unsigned flags, struct addr *a, struct buf *local)
{
	if (take(s, '"'))
		return quoted(s, flags, a, local);
	return dot_string(s, flags, a, local);
}

/* dcontent of RFC 5321 4.1.3. */
static bool is_dcontent(char c)
{
	return c > 0x20 && c <= 0x7e && c != '[' && c != '\\' && c != ']';
}

/* Standardized-tag of RFC 5321 4.1.3. */
static bool tag_valid(struct str tag)
{
	if (tag.n == 0 || tag.p[tag.n - 1] == '-')
		return false;
	for (size_t i = 0; i < tag.n; i++)
		if (!str_isalpha(tag.p[i]) && !str_isdigit(tag.p[i]) &&
		    tag.p[i] != '-')
			return false;
	return true;
}

bool literal_valid(struct str s)
{
	struct str tag, text;
	struct netaddr ip;
	size_t colon;

	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	text = str_at(s.p + 1, s.n - 2);
	colon = str_find(text, ':');
	if (colon == text.n)
		return netaddr_parse(text, &ip) == 0;
	tag = str_head(text, colon);
	text = str_skip(text, colon + 1);
	if (str_eqcase(tag, STR("IPv6")))
		return str_find(text, ':') < text.n &&
		       netaddr_parse(text, &ip) == 0;
	for (size_t i = 0; i < text.n; i++)
		if (!is_dcontent(text.p[i]))
			return false;
	return tag_valid(tag) && text.n > 0;
}

/* The octets at the front of s that may stand in a domain name. */
static struct str take_name(struct str *s, bool *utf8)
{
	struct str name = *s;
	size_t n = 0;

	for (; n < s->n; n++) {
		char c = s->p[n];

		if (is_utf8(c))
			*utf8 = true;
		else if (!str_isalpha(c) && !str_isdigit(c) && c != '-' &&
			 c != '.' && c != '_')
			break;
	}
	*s = str_skip(*s, n);
	return str_head(name, n);
}

static int domain_name(
    struct str *s, unsigned flags, bool *utf8, struct buf *out)
{
	bool high = false;
	struct str name = take_name(s, &high);

	if (high && (flags & ADDR_UTF8_OK) == 0)
		return utf8_valid(name) ? ADDR_UTF8 : ADDR_BAD;
	if (name.n > DOMAIN_MAX)
		return ADDR_LONG;
	if (domain_ascii(name, out) != 0)
		return ADDR_BAD;
	*utf8 |= high;
	return 0;
}

static int literal(struct str *s, struct buf *out)
{
	size_t n = str_find(*s, ']') + 1;

	if (n > s->n || !literal_valid(str_head(*s, n)))
		return ADDR_BAD;
	if (n > DOMAIN_MAX)
		return ADDR_LONG;
	buf_lower(out, str_head(*s, n));
	*s = str_skip(*s, n);
	return 0;
}

/* What follows the @ of a mailbox. */
static int host(struct str *s, unsigned flags, struct addr *a)
{
	struct buf out = BUF(a->domain);
	int rc;

	if (s->n > 0 && s->p[0] == '[') {
		a->host = HOST_LITERAL;
		rc = literal(s, &out);
	} else {
		a->host = HOST_NAME;
		rc = domain_name(s, flags, &a->utf8, &out);
	}
	a->ndomain = (unsigned char)out.n;
	return rc;
}

/* A mailbox off the front of *s. */
static int mailbox(struct str *s, unsigned flags, struct addr *a)
{
	struct buf local = BUF(a->local);
	int rc;

	a->host = HOST_NONE;
	a->utf8 = false;
	a->ndomain = 0;
	rc = local_part(s, flags, a, &local);
	if (rc != 0)
		return rc;
	a->nlocal = (unsigned char)local.n;
	if (take(s, '@')) {
		rc = host(s, flags, a);
		if (rc != 0)
			return rc;
	} else if ((flags & ADDR_BARE_OK) == 0 || (local.n == 0 && !local.full))
		return ADDR_BAD;
	return local.full ? ADDR_LONG : 0;
}

/* A source route, RFC 5321 4.1.2 A-d-l: checked and forgotten. */
static int route(struct str *s, unsigned flags)
{
	bool utf8 = false;

	do {
		char room[DOMAIN_MAX];
		struct buf out = BUF(room);
		int rc;

		if (!take(s, '@'))
			return ADDR_BAD;
		rc = domain_name(s, flags, &utf8, &out);
		if (rc != 0)
			return rc;
	} while (take(s, ','));
	return take(s, ':') ? 0 : ADDR_BAD;
}

int addr_path(struct str *s, unsigned flags, struct addr *a)
{
	struct addr m = { .host = HOST_NONE };
	struct str in = *s;
	int rc;

	if (!take(&in, '<'))
		return ADDR_BAD;
	if (take(&in, '>')) {
		if ((flags & ADDR_NULL_OK) == 0)
			return ADDR_BAD;
		*s = in;
		*a = m;
		return 0;
	}
	if (in.n > 0 && in.p[0] == '@') {
		rc = route(&in, flags);
		if (rc != 0)
			return rc;
	}
	rc = mailbox(&in, flags, &m);
	if (rc != 0)
		return rc;
	if (!take(&in, '>'))
		return ADDR_BAD;
	if (s->n - in.n > PATH_MAX_LEN)
		return ADDR_LONG;
	*s = in;
	*a = m;
	return 0;
}

int addr_mailbox(struct str s, unsigned flags, struct addr *a)
{
	struct addr m = { .host = HOST_NONE };
	size_t length = s.n;
	int rc;

	if (length == 0 && (flags & ADDR_NULL_OK) != 0) {
		*a = m;
		return 0;
	}
	rc = mailbox(&s, flags, &m);
	if (rc != 0)
		return rc;
	if (s.n > 0)
		return ADDR_BAD;
	if (length > PATH_MAX_LEN - 2)
		return ADDR_LONG;
	*a = m;
	return 0;
}

struct str addr_local(const struct addr *a)
{
	return str_at(a->local, a->nlocal);
}

struct str addr_domain(const struct addr *a)
{
	return str_at(a->domain, a->ndomain);
}

static bool is_dot_string(struct str s)
{
	bool dot = true;

	for (size_t i = 0; i < s.n; i++) {
		bool was_dot = dot;

		dot = s.p[i] == '.';
		if (dot ? was_dot : !at_atext(str_skip(s, i)))
			return false;
	}
	return !dot;
}

static void put_quoted(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, s.p[i]);
	}
	buf_putc(b, '"');
}

void addr_put(struct buf *b, const struct addr *a)
{
	struct str local = addr_local(a);

	if (a->host == HOST_NONE && local.n == 0)
		return;
	if (is_dot_string(local))
		buf_put(b, local);
	else
		put_quoted(b, local);
	if (a->host != HOST_NONE) {
		buf_putc(b, '@');
		buf_put(b, addr_domain(a));
	}
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->host == b->host && str_eq(addr_local(a), addr_local(b)) &&
	       str_eq(addr_domain(a), addr_domain(b));
}

static bool is_hexdigit(char c)
{
	return str_isdigit(c) || (c >= 'A' && c <= 'F');
}

bool xtext_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= 0x20 || s.p[i] > 0x7e || s.p[i] == '=')
			return false;
		if (s.p[i] != '+')
			continue;
		if (s.n - i < 3 || !is_hexdigit(s.p[i + 1]) ||
		    !is_hexdigit(s.p[i + 2]))
			return false;
		/* Printable: 20 to 7E. */
		if (s.p[i + 1] < '2' || s.p[i + 1] > '7' ||
		    (s.p[i + 1] == '7' && s.p[i + 2] == 'F'))
			return false;
		i += 2;
	}
	return true;
}
