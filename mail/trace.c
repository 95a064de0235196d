/*
 * Trace fields, RFC 5321 4.4.  What the client said is written as what it
 * is: a domain or an address literal where the grammar wants one, everything
 * else as a comment, bounded and escaped, so that the field always parses.
 */
#include "mail/trace.h"

#include <string.h>

enum {
	WIDTH = 78,       /* RFC 5322 2.1.1 */
	COMMENT_MAX = 160 /* octets that a client's text may take */
};

/* A line being written, folded before a word that would reach WIDTH. */
struct fold {
	struct buf *b;
	size_t start; /* of the line, in b */
};

static void newline(struct fold *f)
{
	buf_putz(f->b, "\n\t");
	f->start = f->b->n;
}

/* A word behind a blank or a fold; a tab counts as eight columns. */
static void word(struct fold *f, struct str s)
{
	if (f->b->n - f->start + 1 + s.n + 8 >= WIDTH)
		newline(f);
	else
		buf_putc(f->b, ' ');
	buf_put(f->b, s);
}

/* ctext of RFC 5322 3.2.2 and blanks as they are, others as \xHH. */
static void put_comment(struct buf *b, struct str s)
{
	size_t n = 0, i;

	for (i = 0; i < s.n && n < COMMENT_MAX; i++) {
		char c = s.p[i];

		if (c >= 0x20 && c <= 0x7e && c != '(' && c != ')' &&
		    c != '\\') {
			buf_putc(b, c);
			n++;
		} else {
			buf_putz(b, "\\x");
			buf_hex(b, (unsigned char)c, 2);
			n += 4;
		}
	}
	if (i < s.n)
		buf_putz(b, "...");
}

/*
 * What RFC 5321 4.4 calls a From-domain; names are A-labels even in RFC 6531
 * 3.7.1.  Of literals the general ones may hold what a careless reader of the
 * field takes for a comment: those are none here.
 */
static bool helo_valid(struct str helo)
{
	static const char marks[] = "[:].-_";
	char room[DOMAIN_MAX];
	struct buf b = BUF(room);
	bool literal = str_starts(helo, STR("["));

	if (literal && (helo.n > DOMAIN_MAX || !literal_valid(helo)))
		return false;
	for (size_t i = 0; i < helo.n; i++) {
		char c = helo.p[i];

		if (!str_isalpha(c) && !str_isdigit(c) &&
		    (c == '\0' || memchr(marks, c, sizeof(marks) - 1) == NULL))
			return false;
	}
	return literal || domain_ascii(helo, &b) == 0;
}

static void put_peer(struct buf *b, const struct trace *t)
{
	if (!t->local) {
		netaddr_literal(b, &t->peer);
		return;
	}
	buf_putz(b, "uid ");
	buf_u64(b, t->uid);
	if (t->user.n > 0) {
		buf_putz(b, ", user ");
		put_comment(b, t->user);
	}
}

static void put_from(struct fold *f, const struct trace *t)
{
	char name[DOMAIN_MAX], comment[2 * COMMENT_MAX + 64];
	struct buf n = BUF(name), c = BUF(comment);
	bool good = helo_valid(t->helo);

	if (good)
		buf_put(&n, t->helo);
	else if (t->local)
		buf_putz(&n, "localhost");
	else
		netaddr_literal(&n, &t->peer);
	buf_putc(&c, '(');
	if (good || t->local)
		put_peer(&c, t);
	if (!good && t->helo.n > 0) {
		buf_putz(&c, c.n > 1 ? ", helo " : "helo ");
		put_comment(&c, t->helo);
	}
	buf_putc(&c, ')');
	word(f, STR("from"));
	word(f, buf_str(&n));
	if (c.n > 2)
		word(f, buf_str(&c));
}

/* RFC 3848 and RFC 6531 4.3: columns plain, auth, tls, tls and auth. */
static const char *const protocols[2][2][4] = {
	{ { "ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA" },
	    { "UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA" } },
	{ { "LMTP", "LMTPA", "LMTPS", "LMTPSA" },
	    { "UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA" } },
};

static const char *protocol(const struct trace *t)
{
	if (!t->esmtp && !t->lmtp)
		return "SMTP";
	return protocols[t->lmtp][t->utf8][2 * t->tls + t->auth];
}

/* A bare name is a user here, and a path needs a domain. */
static void put_for(struct fold *f, const struct trace *t)
{
	char room[ADDR_TEXT_MAX + DOMAIN_MAX + 4];
	struct buf b = BUF(room);

	if (t->rcpt == NULL || t->rcpt->nlocal + t->rcpt->ndomain == 0)
		return;
	buf_putc(&b, '<');
	addr_put(&b, t->rcpt);
	if (t->rcpt->host == HOST_NONE) {
		buf_putc(&b, '@');
		buf_put(&b, str_head(t->by, DOMAIN_MAX));
	}
	buf_putc(&b, '>');
	newline(f);
	buf_putz(f->b, "for ");
	buf_put(f->b, buf_str(&b));
}

/* RFC 8314 7.4: the name in the registry of cipher suites. */
static void put_tls(struct fold *f, const struct trace *t)
{
	if (t->cipher.n == 0)
		return;
	newline(f);
	buf_putz(f->b, "tls ");
	buf_put(f->b, t->cipher);
}

void trace_received(struct buf *b, const struct trace *t)
{
	struct fold f = { b, b->n };
	char room[64];
	struct buf date = BUF(room);

	buf_putz(b, "Received:");
	put_from(&f, t);
	newline(&f);
	buf_putz(b, "by ");
	buf_put(b, t->by);
	word(&f, STR("(postern)"));
	word(&f, STR("with"));
	word(&f, str_of(protocol(t)));
	word(&f, STR("id"));
	word(&f, t->id);
	put_for(&f, t);
	put_tls(&f, t);
	buf_putc(b, ';');
	date_put(&date, t->time, t->offset_minutes);
	word(&f, buf_str(&date));
	buf_putc(b, '\n');
}

/* No octet of an address may end the line that it stands in. */
static void put_printable(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_putc(b, c < 0x20 || c == 0x7f ? '?' : s.p[i]);
	}
}

void trace_return_path(struct buf *b, struct str reverse_path)
{
	buf_putz(b, "Return-Path: <");
	put_printable(b, reverse_path);
	buf_putz(b, ">\n");
}

void trace_delivered_to(struct buf *b, struct str address)
{
	buf_putz(b, "Delivered-To: ");
	put_printable(b, address);
	buf_putc(b, '\n');
}
