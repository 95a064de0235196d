/* Next hops: what may be written, what is refused and why, and that the text
 * for grouping reads back as the same hop. */
#include "tests/unit/tap.h"

#include "mail/hop.h"

/* clang-format off */
static const struct {
	struct str in;
	struct str put;
	enum hop_kind kind;
	enum hop_tls tls;
	unsigned port;
	bool unix_socket;
	struct str user, host;
} rows[] = {
	{ S("smtp://mx.away.example"), S("smtp://mx.away.example:25"),
	    HOP_SMTP, HOP_TLS_MAY, 25, false, S(""), S("mx.away.example") },
	{ S("SMTP://MX.Away.Example:2525"), S("smtp://mx.away.example:2525"),
	    HOP_SMTP, HOP_TLS_MAY, 2525, false, S(""), S("MX.Away.Example") },
	{ S("smtp+tls://mx.away.example"), S("smtp+tls://mx.away.example:25"),
	    HOP_SMTP, HOP_TLS_MUST, 25, false, S(""), S("mx.away.example") },
	{ S("smtp+tls://me@mx.away.example"),
	    S("smtp+tls://me@mx.away.example:587"),
	    HOP_SMTP, HOP_TLS_MUST, 587, false, S("me"), S("mx.away.example") },
	{ S("smtp+tls://me@mx.away.example:25"),
	    S("smtp+tls://me@mx.away.example:25"),
	    HOP_SMTP, HOP_TLS_MUST, 25, false, S("me"), S("mx.away.example") },
	{ S("smtps://me@here.example@mx"), S("smtps://me@here.example@mx:465"),
	    HOP_SMTP, HOP_TLS_AT_ONCE, 465, false, S("me@here.example"),
	    S("mx") },
	{ S("smtps://mx:1"), S("smtps://mx:1"),
	    HOP_SMTP, HOP_TLS_AT_ONCE, 1, false, S(""), S("mx") },
	{ S("lmtp://store:65535"), S("lmtp://store:65535"),
	    HOP_LMTP, HOP_TLS_MAY, 65535, false, S(""), S("store") },
	{ S("lmtp://store"), S("lmtp://store:24"),
	    HOP_LMTP, HOP_TLS_MAY, 24, false, S(""), S("store") },
	{ S("smtp://192.0.2.1"), S("smtp://[192.0.2.1]:25"),
	    HOP_SMTP, HOP_TLS_MAY, 25, false, S(""), S("192.0.2.1") },
	{ S("smtp://[192.0.2.1]:26"), S("smtp://[192.0.2.1]:26"),
	    HOP_SMTP, HOP_TLS_MAY, 26, false, S(""), S("[192.0.2.1]") },
	{ S("smtp://[::1]:26"), S("smtp://[IPv6:::1]:26"),
	    HOP_SMTP, HOP_TLS_MAY, 26, false, S(""), S("[::1]") },
	{ S("smtp://[IPv6:2001:db8::1]"), S("smtp://[IPv6:2001:db8::1]:25"),
	    HOP_SMTP, HOP_TLS_MAY, 25, false, S(""),
	    S("[IPv6:2001:db8::1]") },
	{ S("lmtp:/run/dovecot/lmtp"), S("lmtp:unix:/run/dovecot/lmtp"),
	    HOP_LMTP, HOP_TLS_MAY, 0, true, S(""), S("/run/dovecot/lmtp") },
	{ S("lmtp:unix:/a"), S("lmtp:unix:/a"),
	    HOP_LMTP, HOP_TLS_MAY, 0, true, S(""), S("/a") },
	{ S("smtp:unix:/run/postern/smtp"), S("smtp:unix:/run/postern/smtp"),
	    HOP_SMTP, HOP_TLS_MAY, 0, true, S(""), S("/run/postern/smtp") },
};
static const struct str refused[] = {
	S(""), S("mx.away.example"), S("smtp:"), S("smtp://"),
	S("http://mx"), S("smtp:/a"), S("smtp:unix:a"),
	S("lmtp:"), S("lmtp:a"), S("lmtp:unix:"),
	S("lmtp:/a b"), S("lmtp:/a\0b"),
	S("smtp://me@mx"),		/* a password in clear */
	S("lmtp://me@mx"), S("smtps://@mx"), S("smtps://a b@mx"),
	S("smtps://a\n@mx"),
	S("smtp://:25"), S("smtp://mx:"), S("smtp://mx:0"),
	S("smtp://mx:65536"), S("smtp://mx:-1"), S("smtp://mx:25x"),
	S("smtp://mx:25:25"), S("smtp://mx/"), S("smtp://m x"),
	S("smtp://mx."), S("smtp://.mx"), S("smtp://mx..y"),
	S("smtp://[192.0.2.1"), S("smtp://[192.0.2]"),
	S("smtp://[]"), S("smtp://["), S("smtp://[::1]x"),
	S("smtp://[::1]x:25"), S("smtp://2001:db8::1"),
	S("smtp://[IPv6:192.0.2.1]"), S("smtp://b\xc3\xbc""cher"),
	S("smtp://mx\0"),
};
/* clang-format on */

static void good(size_t i)
{
	char text[HOP_TEXT_MAX], again[HOP_TEXT_MAX];
	struct buf b = BUF(text), c = BUF(again);
	const char *why = NULL;
	char *octets = tap_exact(rows[i].in);
	struct hop h, g;
	int rc = hop_parse(str_at(octets, rows[i].in.n), &h, &why);

	tap_ok(rc == 0, "hop %zu: %d %s", i, rc, why ? why : "");
	hop_put(&b, &h);
	tap_same(buf_str(&b), rows[i].put, "hop %zu as text", i);
	tap_ok(h.kind == rows[i].kind && h.tls == rows[i].tls &&
		   h.port == rows[i].port &&
		   h.unix_socket == rows[i].unix_socket,
	    "hop %zu: its kind", i);
	tap_same(h.user, rows[i].user, "hop %zu: user", i);
	tap_same(h.host, rows[i].host, "hop %zu: host", i);
	rc = hop_parse(buf_str(&b), &g, &why);
	hop_put(&c, &g);
	tap_ok(rc == 0 && str_eq(buf_str(&b), buf_str(&c)),
	    "hop %zu reads back", i);
	free(octets);
}

static void bad(size_t i)
{
	const char *why = NULL;
	char *octets = tap_exact(refused[i]);
	struct hop h;
	int rc = hop_parse(str_at(octets, refused[i].n), &h, &why);

	tap_ok(rc == HOP_BAD && why != NULL, "refused %zu: %s", i,
	    why ? why : "no");
	free(octets);
}

/* The longest of everything fits its text, and one octet more is refused. */
static void limits(void)
{
	static char in[1024];
	char text[HOP_TEXT_MAX];
	const char *why;
	struct hop h;

	for (size_t more = 0; more < 2; more++) {
		struct buf b = BUF(in), put = BUF(text);

		buf_putz(&b, "smtp+tls://");
		buf_put(&b, tap_run('u', HOP_USER_MAX + more));
		buf_putc(&b, '@');
		for (unsigned i = 0; i < 3; i++) {
			buf_put(&b, tap_run('a', LABEL_MAX));
			buf_putc(&b, '.');
		}
		buf_put(&b, tap_run('a', LABEL_MAX));
		buf_putz(&b, ":65535");
		tap_ok(hop_parse(buf_str(&b), &h, &why) == (int)more,
		    "a user of %zu octets", HOP_USER_MAX + more);
		if (more == 0)
			hop_put(&put, &h);
		tap_ok(!put.full, "has room");
		buf_clear(&b);
		buf_putz(&b, "lmtp:/");
		buf_put(&b, tap_run('p', HOP_PATH_MAX - 1 + more));
		tap_ok(hop_parse(buf_str(&b), &h, &why) == (int)more,
		    "a path of %zu octets", HOP_PATH_MAX + more);
	}
}

int main(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++)
		good(i);
	for (size_t i = 0; i < TAP_N(refused); i++)
		bad(i);
	limits();
	return tap_done();
}
