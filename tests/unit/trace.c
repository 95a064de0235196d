/*
 * Trace fields: what they look like, that they parse whatever the client and
 * the user are called, and the date for every second there is.
 */
#include "tests/unit/tap.h"

#include "mail/trace.h"

enum { TIME = 1795468380 };

/* clang-format off */
static const struct {
	int64_t seconds;
	int offset;
	struct str text;
} dates[] = {
	{ 0, 0, S("Thu, 1 Jan 1970 00:00:00 +0000") },
	{ -1, 0, S("Wed, 31 Dec 1969 23:59:59 +0000") },
	{ TIME, 0, S("Mon, 23 Nov 2026 21:13:00 +0000") },
	{ TIME, 60, S("Mon, 23 Nov 2026 22:13:00 +0100") },
	{ TIME, 330, S("Tue, 24 Nov 2026 02:43:00 +0530") },
	{ TIME, -210, S("Mon, 23 Nov 2026 17:43:00 -0330") },
	{ TIME, -1, S("Mon, 23 Nov 2026 21:12:00 -0001") },
	{ TIME, 840, S("Tue, 24 Nov 2026 11:13:00 +1400") },
	{ TIME, 5999, S("Sat, 28 Nov 2026 01:12:00 +9959") },
	{ TIME, 6000, S("Mon, 23 Nov 2026 21:13:00 +0000") },
	{ TIME, -6000, S("Mon, 23 Nov 2026 21:13:00 +0000") },
	{ 951782399, 0, S("Mon, 28 Feb 2000 23:59:59 +0000") },
	{ 951782400, 0, S("Tue, 29 Feb 2000 00:00:00 +0000") },
	{ 951868800, 0, S("Wed, 1 Mar 2000 00:00:00 +0000") },
	{ 4107542399, 0, S("Sun, 28 Feb 2100 23:59:59 +0000") },
	{ 4107542400, 0, S("Mon, 1 Mar 2100 00:00:00 +0000") },
	{ 1709164800, 0, S("Thu, 29 Feb 2024 00:00:00 +0000") },
	{ 1735689599, 0, S("Tue, 31 Dec 2024 23:59:59 +0000") },
	{ 1735689600, 0, S("Wed, 1 Jan 2025 00:00:00 +0000") },
	{ 2147483648, 0, S("Tue, 19 Jan 2038 03:14:08 +0000") },
	{ -62135596800, 0, S("Mon, 1 Jan 0001 00:00:00 +0000") },
	{ -62135596801, 0, S("Sun, 31 Dec 0000 23:59:59 +0000") },
	{ -62167219201, 0, S("Fri, 31 Dec -0001 23:59:59 +0000") },
	{ INT64_MAX, 0, S("Sun, 4 Dec 292277026596 15:30:07 +0000") },
	{ INT64_MAX, 5999, S("Thu, 8 Dec 292277026596 19:29:07 +9959") },
	{ INT64_MIN, 0, S("Sun, 27 Jan -292277022657 08:29:52 +0000") },
	{ INT64_MIN, -5999, S("Wed, 23 Jan -292277022657 04:30:52 -9959") },
};

static const struct {
	bool esmtp, lmtp, utf8, tls, auth;
	struct str with;
} protocols[] = {
	{ false, false, false, false, false, S(" with SMTP id ") },
	{ false, false, false, true, false, S(" with SMTP id ") },
	{ true, false, false, false, false, S(" with ESMTP id ") },
	{ true, false, false, false, true, S(" with ESMTPA id ") },
	{ true, false, false, true, false, S(" with ESMTPS id ") },
	{ true, false, false, true, true, S(" with ESMTPSA id ") },
	{ true, false, true, false, false, S(" with UTF8SMTP id ") },
	{ true, false, true, false, true, S(" with UTF8SMTPA id ") },
	{ true, false, true, true, false, S(" with UTF8SMTPS id ") },
	{ true, false, true, true, true, S(" with UTF8SMTPSA id ") },
	{ false, true, false, false, false, S(" with LMTP id ") },
	{ false, true, false, false, true, S(" with LMTPA id ") },
	{ false, true, false, true, false, S(" with LMTPS id ") },
	{ true, true, false, true, true, S(" with LMTPSA id ") },
	{ true, true, true, false, false, S(" with UTF8LMTP id ") },
	{ true, true, true, false, true, S(" with UTF8LMTPA id ") },
	{ true, true, true, true, false, S(" with UTF8LMTPS id ") },
	{ true, true, true, true, true, S(" with UTF8LMTPSA id ") },
};

/* The first line or lines, from each kind of client. */
static const struct {
	struct str helo, peer, user; /* no peer: the unix socket */
	struct str from;
} clients[] = {
	{ S("mail.example.com"), S("192.0.2.1"), S(""),
	    S("Received: from mail.example.com ([192.0.2.1])\n\tby") },
	{ S("Mail.Example.Com"), S("2001:db8::1"), S(""),
	    S("Received: from Mail.Example.Com ([IPv6:2001:db8::1])\n\tby") },
	{ S("[192.0.2.9]"), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.9] ([192.0.2.1])\n\tby") },
	{ S("[IPv6:::1]"), S("::1"), S(""),
	    S("Received: from [IPv6:::1] ([IPv6:::1])\n\tby") },
	{ S("xn--bcher-kva.de"), S("192.0.2.1"), S(""),
	    S("Received: from xn--bcher-kva.de ([192.0.2.1])\n\tby") },
	{ S(""), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.1]\n\tby") },
	{ S("-"), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.1] (helo -)\n\tby") },
	{ S("a b"), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.1] (helo a b)\n\tby") },
	{ S("x) by evil (\\"), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.1] (helo x\\x29 by evil \\x28\\x5c)"
	      "\n\tby") },
	{ S("a\r\nX-Evil: b\0\x7f"), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.1] (helo a\\x0d\\x0aX-Evil: "
	      "b\\x00\\x7f)\n\tby") },
	{ S("b\xc3\xbc" "cher.de"), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.1] (helo b\\xc3\\xbccher.de)\n\tby") },
	{ S("[1.2.3]"), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.1] (helo [1.2.3])\n\tby") },
	{ S("[tag:a)b]"), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.1] (helo [tag:a\\x29b])\n\tby") },
	{ S("a..b"), S("192.0.2.1"), S(""),
	    S("Received: from [192.0.2.1] (helo a..b)\n\tby") },
	{ S("localhost"), S(""), S("alice"),
	    S("Received: from localhost (uid 1000, user alice)\n\tby") },
	{ S("localhost"), S(""), S(""),
	    S("Received: from localhost (uid 1000)\n\tby") },
	{ S("localhost"), S(""), S("a)\n(\xe4"),
	    S("Received: from localhost (uid 1000, user "
	      "a\\x29\\x0a\\x28\\xe4)\n\tby") },
	{ S(""), S(""), S("alice"),
	    S("Received: from localhost (uid 1000, user alice)\n\tby") },
	{ S("my host"), S(""), S("alice"),
	    S("Received: from localhost (uid 1000, user alice, helo my host)"
	      "\n\tby") },
	/* Folded before the word that would be too long. */
	{ S("a-rather-long-name-of-a-host-that-fills-most-of-a-line.example"),
	    S("192.0.2.1"), S(""),
	    S("Received: from\n\ta-rather-long-name-of-a-host-that-fills-most-"
	      "of-a-line.example\n\t([192.0.2.1])\n\tby") },
};

static const struct {
	struct str path;
	struct str clause; /* empty: there is none */
} rcpts[] = {
	{ S("<alice@example.net>"), S("\n\tfor <alice@example.net>; ") },
	{ S("<\"a b\"@[192.0.2.1]>"), S("\n\tfor <\"a b\"@[192.0.2.1]>; ") },
	{ S("<Postmaster>"), S("\n\tfor <Postmaster@mx.example.org>; ") },
	{ S("<\xc3\xa4@b>"), S("\n\tfor <\xc3\xa4@b>; ") },
	{ S("<>"), S("") },
	{ S(""), S("") },
};
/* clang-format on */

static struct trace sample(void)
{
	return (struct trace){ .helo = STR("client.example"),
		.uid = 1000,
		.by = STR("mx.example.org"),
		.esmtp = true,
		.id = STR("0123456789abcdef"),
		.time = TIME };
}

static bool contains(struct str s, struct str part)
{
	for (; s.n >= part.n; s = str_skip(s, 1))
		if (str_starts(s, part))
			return true;
	return false;
}

/* Comments closed, lines folded with a tab and of a length, no controls. */
static bool parses(struct str s)
{
	size_t column = 0;
	int depth = 0;

	if (s.n == 0 || s.p[s.n - 1] != '\n')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		column = c == '\n' ? 0 : column + 1;
		if (c == '\n' && i + 1 < s.n && s.p[i + 1] != '\t')
			return false;
		if (c == '\t' && column != 1)
			return false;
		if ((c < 0x20 && c != '\n' && c != '\t') || c >= 0x7f ||
		    column > 998)
			return false;
		if (c == '\\' && depth > 0)
			i++, column++;
		else if (c == '(' || c == ')')
			depth += c == '(' ? 1 : -1;
		if (depth < 0 || depth > 1)
			return false;
	}
	return depth == 0;
}

static void days(void)
{
	char room[64];

	for (size_t i = 0; i < TAP_N(dates); i++) {
		struct buf b = BUF(room);

		date_put(&b, dates[i].seconds, dates[i].offset);
		tap_same(buf_str(&b), dates[i].text, "date %zu", i);
	}
}

static void froms(void)
{
	char room[2000];

	for (size_t i = 0; i < TAP_N(clients); i++) {
		struct buf b = BUF(room);
		struct trace t = sample();

		t.helo = clients[i].helo;
		t.user = clients[i].user;
		t.local = clients[i].peer.n == 0;
		if (!t.local)
			netaddr_parse(clients[i].peer, &t.peer);
		trace_received(&b, &t);
		tap_same(str_head(buf_str(&b), clients[i].from.n),
		    clients[i].from, "client %zu", i);
		tap_ok(!b.full && parses(buf_str(&b)), "parses, %zu", i);
	}
}

static void withs(void)
{
	char room[2000];

	for (size_t i = 0; i < TAP_N(protocols); i++) {
		struct buf b = BUF(room);
		struct trace t = sample();

		t.esmtp = protocols[i].esmtp;
		t.lmtp = protocols[i].lmtp;
		t.utf8 = protocols[i].utf8;
		t.tls = protocols[i].tls;
		t.auth = protocols[i].auth;
		trace_received(&b, &t);
		if (!tap_ok(contains(buf_str(&b), protocols[i].with),
			"protocol %zu", i))
			tap_show("field", buf_str(&b));
	}
}

/* RFC 5321 4.4: behind the for-clause, RFC 8314 7.4. */
static void ciphers(void)
{
	char room[2000];
	struct buf b = BUF(room);
	struct trace t = sample();

	t.esmtp = t.tls = true;
	t.cipher = STR("TLS_AES_128_GCM_SHA256");
	trace_received(&b, &t);
	if (!tap_ok(
		contains(buf_str(&b), STR("\n\ttls TLS_AES_128_GCM_SHA256; ")),
		"the cipher suite ends the clauses"))
		tap_show("field", buf_str(&b));
	buf_clear(&b);
	t.cipher = STR("");
	trace_received(&b, &t);
	tap_ok(!contains(buf_str(&b), STR("tls ")), "none without one");
}

static void fors(void)
{
	char room[2000];

	for (size_t i = 0; i < TAP_N(rcpts); i++) {
		struct buf b = BUF(room);
		struct trace t = sample();
		struct str path = rcpts[i].path;
		struct addr a;

		if (path.n > 0 &&
		    tap_ok(addr_path(&path,
			       ADDR_BARE_OK | ADDR_NULL_OK | ADDR_UTF8_OK,
			       &a) == 0,
			"recipient %zu", i))
			t.rcpt = &a;
		trace_received(&b, &t);
		if (rcpts[i].clause.n > 0)
			tap_ok(contains(buf_str(&b), rcpts[i].clause),
			    "clause %zu", i);
		else
			tap_ok(!contains(buf_str(&b), STR("for")),
			    "no clause %zu", i);
	}
}

static void whole(void)
{
	char room[2000];
	struct buf b = BUF(room), small = { room, 0, 100, false };
	struct trace t = sample();
	struct str path = STR("<alice@example.org>");
	struct addr a;

	addr_path(&path, 0, &a);
	netaddr_parse(STR("192.0.2.1"), &t.peer);
	t.rcpt = &a;
	trace_received(&b, &t);
	tap_same(buf_str(&b),
	    STR("Received: from client.example ([192.0.2.1])\n"
		"\tby mx.example.org (postern) with ESMTP id 0123456789abcdef\n"
		"\tfor <alice@example.org>; "
		"Mon, 23 Nov 2026 21:13:00 +0000\n"),
	    "a whole field");
	trace_received(&small, &t);
	tap_ok(small.full, "a buffer too small is full");
	buf_clear(&b);
	t.rcpt = NULL;
	trace_received(&b, &t);
	tap_same(buf_str(&b),
	    STR("Received: from client.example ([192.0.2.1])\n"
		"\tby mx.example.org (postern) with ESMTP id 0123456789abcdef;"
		"\n\tMon, 23 Nov 2026 21:13:00 +0000\n"),
	    "without a recipient");
	buf_clear(&b);
	t.id = STR("a-very-long-identifier-that-no-line-has-room-for-any-more");
	trace_received(&b, &t);
	tap_ok(contains(buf_str(&b), STR("id\n\ta-very-long")),
	    "folded before a long id");
}

/* Each octet as the client's name, and many of them. */
static void hostile(void)
{
	size_t wrong = 0, local = 0;
	char room[4000];

	for (int c = 0; c < 256; c++) {
		static const size_t n[] = { 1, 63, 64, 255, 256, 500, 5000 };

		for (size_t i = 0; i < TAP_N(n); i++) {
			struct buf b = BUF(room);
			struct trace t = sample();

			t.helo = t.user = tap_run((char)c, n[i]);
			trace_received(&b, &t);
			wrong += b.full || !parses(buf_str(&b));
			t.local = true;
			buf_clear(&b);
			trace_received(&b, &t);
			local += b.full || !parses(buf_str(&b));
		}
	}
	tap_ok(wrong == 0, "every octet in every number from a peer");
	tap_ok(local == 0, "and as the name of a user");
}

/* A comment of n octets is cut where the limit is. */
static void comments(void)
{
	char room[2000];

	for (size_t n = 159; n <= 161; n++) {
		struct buf b = BUF(room);
		struct trace t = sample();

		t.helo = STR("a b");
		t.local = true;
		t.user = tap_run('u', n);
		trace_received(&b, &t);
		tap_ok(contains(buf_str(&b), STR("...")) == (n > 160),
		    "a name of %zu", n);
		tap_ok(contains(buf_str(&b), tap_run('u', n < 160 ? n : 160)),
		    "and its octets, %zu", n);
	}
}

static void delivery(void)
{
	char room[300];
	struct buf b = BUF(room);

	trace_return_path(&b, STR("a@b"));
	tap_same(buf_str(&b), STR("Return-Path: <a@b>\n"), "Return-Path");
	buf_clear(&b);
	trace_return_path(&b, STR(""));
	tap_same(buf_str(&b), STR("Return-Path: <>\n"), "of the null path");
	buf_clear(&b);
	trace_return_path(&b, STR("a\nX: b\r\0\x7f\xc3\xa4"));
	tap_same(buf_str(&b), STR("Return-Path: <a?X: b???\xc3\xa4>\n"),
	    "a line end in it does not come through");
	buf_clear(&b);
	trace_delivered_to(&b, STR("\"a b\"@c"));
	tap_same(buf_str(&b), STR("Delivered-To: \"a b\"@c\n"), "Delivered-To");
	buf_clear(&b);
	trace_delivered_to(&b, STR("a\n\nbody"));
	tap_same(buf_str(&b), STR("Delivered-To: a??body\n"),
	    "nor through this one");
}

int main(void)
{
	days();
	froms();
	withs();
	ciphers();
	fors();
	whole();
	hostile();
	comments();
	delivery();
	return tap_done();
}
