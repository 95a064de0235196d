/*
 * Next hops as the configuration writes them.  A name is taken in ASCII, and
 * an address with or without brackets: what is written is what is meant, and
 * what could be meant in two ways is refused.
 */
#include "mail/hop.h"

/* clang-format off */
static const struct scheme {
	struct str name;
	enum hop_kind kind;
	enum hop_tls tls;
	unsigned short port, port_with_user; /* 0: no user */
} schemes[] = {
	{ { "smtp://", 7 },	HOP_SMTP, HOP_TLS_MAY,	   25,	0 },
	{ { "smtp+tls://", 11 }, HOP_SMTP, HOP_TLS_MUST,    25,	587 },
	{ { "smtps://", 8 },	HOP_SMTP, HOP_TLS_AT_ONCE, 465,	465 },
	{ { "lmtp://", 7 },	HOP_LMTP, HOP_TLS_MAY,	   24,	0 },
};
static const struct {
	struct str name;
	enum hop_kind kind;
} sockets[] = {
	{ { "lmtp:unix:", 10 },	HOP_LMTP },
	{ { "smtp:unix:", 10 },	HOP_SMTP },
	{ { "lmtp:", 5 },	HOP_LMTP },
};
/* clang-format on */

enum {
	NSCHEMES = sizeof(schemes) / sizeof(schemes[0]),
	NSOCKETS = sizeof(sockets) / sizeof(sockets[0])
};

static int bad(const char **why, const char *text)
{
	*why = text;
	return HOP_BAD;
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

static int parse_path(struct str s, struct hop *h, const char **why)
{
	if (s.n == 0 || s.p[0] != '/')
		return bad(why, "the path of a socket begins with /");
	if (s.n > HOP_PATH_MAX)
		return bad(why, "the path of a socket is too long");
	if (!is_printable(s))
		return bad(why, "an odd octet in the path of a socket");
	h->unix_socket = true;
	h->host = s;
	return 0;
}

/* The last @ divides: a user may be a mail address. */
static int take_user(
    const struct scheme *scheme, struct str *s, struct hop *h, const char **why)
{
	size_t at = s->n;

	while (at > 0 && s->p[at - 1] != '@')
		at--;
	if (at == 0)
		return 0;
	h->user = str_head(*s, at - 1);
	*s = str_skip(*s, at);
	if (h->user.n == 0)
		return bad(why, "no user before @");
	if (h->user.n > HOP_USER_MAX)
		return bad(why, "the user is too long");
	if (!is_printable(h->user))
		return bad(why, "an odd octet in the user");
	if (scheme->port_with_user == 0)
		return bad(why, "a user needs smtp+tls:// or smtps://");
	h->port = scheme->port_with_user;
	return 0;
}

/* The number behind the last colon; a literal in brackets has its own. */
static int take_port(struct str *s, struct hop *h, const char **why)
{
	uint64_t port;
	size_t end = s->n > 0 && s->p[0] == '[' ? str_find(*s, ']') : 0;
	size_t colon = end + str_find(str_skip(*s, end), ':');

	if (colon >= s->n)
		return 0;
	if (str_u64(str_skip(*s, colon + 1), &port) != 0 || port == 0 ||
	    port > UINT16_MAX)
		return bad(why, "the port is no number from 1 to 65535");
	h->port = (unsigned short)port;
	*s = str_head(*s, colon);
	return 0;
}

static int take_host(struct str s, struct hop *h, const char **why)
{
	char name[DOMAIN_MAX];
	struct buf b = BUF(name);
	struct netaddr a;

	h->host = s;
	if (s.n == 0)
		return bad(why, "no host");
	if (hop_literal(h, &a))
		return 0;
	if (s.p[0] == '[')
		return bad(why, "no address in the brackets");
	/* Without brackets nobody knows where its port would begin. */
	if (domain_ascii(s, &b) != 0 || !str_eqcase(s, buf_str(&b)))
		return bad(why, "no host name or address (in A-labels, IPv6 "
				"in brackets)");
	return 0;
}

int hop_parse(struct str s, struct hop *h, const char **why)
{
	int rc;

	*h = (struct hop){ .kind = HOP_SMTP };
	for (unsigned i = 0; i < NSCHEMES; i++) {
		const struct scheme *scheme = &schemes[i];

		if (!str_startscase(s, scheme->name))
			continue;
		h->kind = scheme->kind;
		h->tls = scheme->tls;
		h->port = scheme->port;
		s = str_skip(s, scheme->name.n);
		rc = take_user(scheme, &s, h, why);
		if (rc == 0)
			rc = take_port(&s, h, why);
		return rc != 0 ? rc : take_host(s, h, why);
	}
	for (unsigned i = 0; i < NSOCKETS; i++) {
		if (!str_startscase(s, sockets[i].name))
			continue;
		h->kind = sockets[i].kind;
		return parse_path(str_skip(s, sockets[i].name.n), h, why);
	}
	return bad(why, "begins with none of smtp:// smtp+tls:// smtps:// "
			"lmtp:// lmtp:/ smtp:unix:/");
}

bool hop_literal(const struct hop *h, struct netaddr *a)
{
	struct str s = h->host;
	static const struct str tag = { "IPv6:", 5 };

	if (h->unix_socket || s.n == 0)
		return false;
	if (s.p[0] == '[') {
		if (s.p[s.n - 1] != ']')
			return false;
		s = str_head(str_skip(s, 1), s.n - 2);
		if (str_startscase(s, tag)) {
			s = str_skip(s, tag.n);
			return str_find(s, ':') < s.n &&
			       netaddr_parse(s, a) == 0;
		}
	}
	return netaddr_parse(s, a) == 0;
}

static const char *scheme_of(const struct hop *h)
{
	for (unsigned i = 0; i < NSCHEMES; i++)
		if (schemes[i].kind == h->kind && schemes[i].tls == h->tls)
			return schemes[i].name.p;
	return schemes[0].name.p;
}

void hop_put(struct buf *b, const struct hop *h)
{
	struct netaddr a;

	if (h->unix_socket) {
		buf_putz(b, h->kind == HOP_LMTP ? "lmtp:unix:" : "smtp:unix:");
		buf_put(b, h->host);
		return;
	}
	buf_putz(b, scheme_of(h));
	if (h->user.n > 0) {
		buf_put(b, h->user);
		buf_putc(b, '@');
	}
	if (hop_literal(h, &a))
		netaddr_literal(b, &a);
	else
		buf_lower(b, h->host);
	buf_putc(b, ':');
	buf_u64(b, h->port);
}
