/*
 * mail/mailboxes and mail/masquerade: where addresses stand in a field, what
 * becomes of a header, and what has to stay.
 */
#include "mail/masquerade.h"

#include <stdlib.h>
#include <string.h>

#include "mail/mailboxes.h"
#include "tests/unit/tap.h"

#define S(literal)                              \
	{                                       \
		"" literal, sizeof(literal) - 1 \
	}

static bool is_local(void *self, struct str domain)
{
	(void)self;
	return str_eq(domain, STR("here.example")) ||
	       str_eq(domain, STR("localhost"));
}

static struct masquerade to_address = { S("me@isp.example"),
	S("mx.here.example"), S("here.example"), is_local, NULL };
static struct masquerade to_domain = { S("@isp.example"), S("mx.here.example"),
	S("here.example"), is_local, NULL };
static struct masquerade nameless = { S("me@isp.example"), S("box"), S("box"),
	is_local, NULL };

/* --- lists --------------------------------------------------------------- */

/* What is found, in brackets when it was, with * when it is named. */
static const struct {
	struct str text, found;
} lists[] = {
	{ S(""), S("") },
	{ S(" "), S("") },
	{ S("root"), S("root|") },
	{ S(" a@b "), S("a@b|") },
	{ S("a,b"), S("a|b|") },
	{ S(",,a,,"), S("a|") },
	{ S("<a@b>"), S("<a@b>|") },
	{ S("< a@b\n >"), S("<a@b>|") },
	{ S("A B <a@b>"), S("*<a@b>|") },
	{ S("\"A, B\" <a@b>, c"), S("*<a@b>|c|") },
	{ S("\"A \\\" <x>, \" <a@b>"), S("*<a@b>|") },
	{ S("root (Cron, Daemon)"), S("root|") },
	{ S("(a (b) \\) <x>,) root"), S("root|") },
	{ S("(Cron) <root>"), S("<root>|") },
	{ S("=?utf-8?q?A,_B?= <a@b>"), S("*<a@b>|") },
	{ S("=?utf-8?q?A, B?= <a@b>"), S("*<a@b>|") },
	{ S("=?utf-8?q?A=3F?= <a@b>"), S("*<a@b>|") },
	{ S("=?x <a@b>, c"), S("*<a@b>|c|") },
	{ S("People: a, B <b>; c"), S("a|*<b>|c|") },
	{ S("undisclosed-recipients:;"), S("") },
	{ S("\"a:b\": c;"), S("c|") },
	{ S("a@[IPv6:::1], b"), S("a@[IPv6:::1]|b|") },
	{ S("\"a,b\"@c"), S("\"a,b\"@c|") },
	{ S("<@a,@b:c@d>, e"), S("<@a,@b:c@d>|e|") },
	{ S("<\"a>b\"@c>"), S("<\"a>b\"@c>|") },
	{ S("Two Words"), S("Two Words|") },
	{ S("a <b> c <d>"), S("*<b>|") },
	{ S("a <b"), S("BAD") },
	{ S("a, \"b"), S("a|BAD") },
	{ S("a, (b"), S("a|BAD") },
	{ S("a, x@[b"), S("a|BAD") },
	{ S("a\\"), S("a\\|") },
	{ S("\"\\"), S("BAD") },
	{ S("<>"), S("<>|") },
};

static void list_mailboxes(void)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct mailboxes m = { lists[i].text, 0 };
		struct mailbox b;
		char text[256];
		struct buf out = BUF(text);
		int rc;

		while ((rc = mailboxes_next(&m, &b)) == 0) {
			if (b.named)
				buf_putc(&out, '*');
			if (b.outer < b.at)
				buf_putc(&out, '<');
			buf_put(&out, str_at(m.text.p + b.at, b.end - b.at));
			if (b.outer < b.at)
				buf_putc(&out, '>');
			buf_putc(&out, '|');
		}
		if (rc == MAILBOXES_BAD)
			buf_putz(&out, "BAD");
		tap_same(buf_str(&out), lists[i].found, "list");
	}
}

/* --- senders ------------------------------------------------------------- */

static const struct {
	const struct masquerade *m;
	struct str sender, want;
} senders[] = {
	{ &to_address, S(""), S("") },
	{ &to_address, S("root"), S("me@isp.example") },
	{ &to_address, S("root@here.example"), S("me@isp.example") },
	{ &to_address, S("stranger@away.example"), S("me@isp.example") },
	{ &to_address, S("me@isp.example"), S("me@isp.example") },
	{ &to_domain, S(""), S("") },
	{ &to_domain, S("root"), S("root@isp.example") },
	{ &to_domain, S("root@localhost"), S("root@isp.example") },
	{ &to_domain, S("\"a b\"@mx.here.example"), S("\"a b\"@isp.example") },
	{ &to_domain, S("stranger@away.example"), S("stranger@away.example") },
	{ &to_domain, S("x@[192.0.2.1]"), S("x@[192.0.2.1]") },
};

static void change_senders(void)
{
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		char text[ADDR_TEXT_MAX];
		struct buf b = BUF(text);

		masquerade_sender(senders[i].m, senders[i].sender, &b);
		tap_same(buf_str(&b), senders[i].want, "sender");
	}
}

/* --- headers ------------------------------------------------------------- */

#define TOP "Received: by x;\n y\n"
#define REPLY "Reply-To: root@here.example\n"

static const struct {
	const struct masquerade *m;
	struct str in, want; /* empty: it stays */
} headers[] = {
	/* authors */
	{ &to_address, S(TOP "From: root\n\n"),
	    S(TOP "From: \"root at mx.here.example\" <me@isp.example>\n" REPLY
		  "\n") },
	{ &to_address, S("From: root@localhost\n\n"),
	    S("From: \"root at localhost\" <me@isp.example>\n"
	      "X-Original-From: root@localhost\n\n") },
	{ &to_address, S("From: \"Ann\" <root@here.example>\n\n"),
	    S("From: \"Ann\" <me@isp.example>\n" REPLY "\n") },
	{ &to_address, S("From: =?utf-8?q?B=C3=B6b,_X?= <root>\n\n"),
	    S("From: =?utf-8?q?B=C3=B6b,_X?= <me@isp.example>\n" REPLY "\n") },
	{ &to_address, S("From: root (Cron Daemon)\n\n"),
	    S("From: \"root at mx.here.example\" <me@isp.example> "
	      "(Cron Daemon)\n" REPLY "\n") },
	{ &to_address, S("From: \"(Cron Daemon)\" <root>\n\n"),
	    S("From: \"(Cron Daemon)\" <me@isp.example>\n" REPLY "\n") },
	{ &to_address, S("From:root\n\n"),
	    S("From:\"root at mx.here.example\" <me@isp.example>\n" REPLY
	      "\n") },
	{ &to_address, S("FROM : root\n\n"),
	    S("FROM : \"root at mx.here.example\" <me@isp.example>\n" REPLY
	      "\n") },
	{ &to_address, S("From:\n root\n\n"),
	    S("From:\n \"root at mx.here.example\" <me@isp.example>\n" REPLY
	      "\n") },
	{ &to_address, S("From: <\"a b\"@here.example>\n\n"),
	    S("From: \"a b at here.example\" <me@isp.example>\n"
	      "Reply-To: \"a b\"@here.example\n\n") },
	{ &to_address, S("From: root, bob@here.example, x@away.example\n\n"),
	    S("From: \"root at mx.here.example\" <me@isp.example>, "
	      "\"bob at here.example\"\n <me@isp.example>, x@away.example\n"
	      "Reply-To: root@here.example,\n bob@here.example\n\n") },
	/* a Reply-To is there, or would lead nowhere */
	{ &to_address, S("From: root\nReply-To: x@y.example\n\n"),
	    S("From: \"root at mx.here.example\" <me@isp.example>\n"
	      "Reply-To: x@y.example\n"
	      "X-Original-From: root@here.example\n\n") },
	{ &nameless, S("From: root\n\n"),
	    S("From: \"root at box\" <me@isp.example>\n"
	      "X-Original-From: root@box\n\n") },
	{ &nameless, S("From: root\nX-Original-From: x\n\n"),
	    S("From: \"root at box\" <me@isp.example>\n"
	      "X-Original-From: x\n\n") },
	/* local parts stay */
	{ &to_domain, S("From: root\n\n"),
	    S("From: \"root at mx.here.example\" <root@isp.example>\n"
	      "X-Original-From: root@here.example\n\n") },
	{ &to_domain, S("From: Ann <ann@here.example>\n\n"),
	    S("From: Ann <ann@isp.example>\n"
	      "X-Original-From: ann@here.example\n\n") },
	/* others */
	{ &to_address, S("From: x@y\nSender: root\n\n"),
	    S("From: x@y\nSender: me@isp.example\n\n") },
	{ &to_address, S("From: x@y\nResent-From: R <root@localhost>\n\n"),
	    S("From: x@y\nResent-From: R <me@isp.example>\n\n") },
	{ &to_address, S("From: x@y\nTo: root, Bob <bob>, a@b\n\n"),
	    S("From: x@y\nTo: root@here.example, Bob <bob@here.example>, "
	      "a@b\n\n") },
	{ &to_address, S("From: x@y\nCc: a\nBcc: b\nReply-To: c\n\n"),
	    S("From: x@y\nCc: a@here.example\nBcc: b@here.example\n"
	      "Reply-To: c@here.example\n\n") },
	{ &to_address, S("From: x@y\nTo: G: root;\n\n"),
	    S("From: x@y\nTo: G: root@here.example;\n\n") },
	/* no author at all: the sender of the envelope */
	{ &to_address, S("Subject: x\n\n"),
	    S("Subject: x\nFrom: \"alice at here.example\" "
	      "<me@isp.example>\nReply-To: alice@here.example\n\n") },
	{ &to_address, S("\n"),
	    S("From: \"alice at here.example\" <me@isp.example>\n"
	      "Reply-To: alice@here.example\n\n") },
	/* what stays */
	{ &to_address, S("From: x@away.example\n\n"), S("") },
	{ &to_address, S("From: me@isp.example\n\n"), S("") },
	{ &to_address, S("From: A B\n\n"), S("") },
	{ &to_address, S("From: root <\nTo: a@b\n\n"), S("") },
	{ &to_address, S("From: x@y\nTo: undisclosed-recipients:;\n\n"),
	    S("") },
	{ &to_address, S("From: x@y\nTo: \"the list\"\n\n"), S("") },
	{ &to_address, S("From: x@y\nTo: root@here.example\n\n"), S("") },
	{ &to_address, S("From: x@y\nX-To: root\n\n"), S("") },
	{ &to_address, S("From: root\n"), S("") },
	{ &to_address, S("From: root"), S("") },
	{ &to_address, S(""), S("") },
	{ &to_address, S("From: root\nno field\n\n"), S("") },
	{ &to_address, S(" From: root\n\n"), S("") },
	{ &to_address, S("From: root\nDKIM-Signature: v=1\n\n"), S("") },
	{ &to_address, S("dkim-signature : v=1\nFrom: root\n\n"), S("") },
	{ &to_address, S("From: root\nDomainKey-Signature: a\n\n"), S("") },
	{ &to_address, S("From: root\nARC-Message-Signature: a\n\n"), S("") },
	{ &to_address, S("From: root\nContent-Type: multipart/signed; x=y\n\n"),
	    S("") },
	{ &to_address,
	    S("From: root\nContent-Type:\n\t(a (b)) Multipart / (c)Encrypted"
	      ";\n x=y\n\n"),
	    S("") },
	{ &to_address,
	    S("From: root\ncontent-type: application/pkcs7-mime\n\n"), S("") },
	{ &to_address,
	    S("From: root\ncontent-type: application/x-pkcs7-mime\n\n"),
	    S("") },
};

static void check_header(size_t i, struct str body)
{
	char text[8192], room[8192];
	struct buf in = BUF(text), out = BUF(room);
	struct str before = headers[i].in;
	char *exact = malloc(before.n + body.n + 1);
	size_t used = 0;
	int rc;

	if (exact == NULL)
		abort();
	buf_put(&in, before);
	buf_put(&in, body);
	memcpy(exact, in.p, in.n);
	rc = masquerade_header(headers[i].m, STR("alice@here.example"),
	    str_at(exact, in.n), &used, &out);
	if (headers[i].want.n == 0) {
		tap_ok(rc == MASQUERADE_KEEP, "header %zu stays", i);
	} else {
		tap_same(buf_str(&out), headers[i].want, "header");
		tap_ok(rc == 0 && used == before.n, "all of it was used");
	}
	free(exact);
}

static void change_headers(void)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		check_header(i, STR(""));
		if (headers[i].want.n > 0)
			check_header(i, STR("From: root\n\nbody"));
	}
}

/* However long a line is, what is put into it makes it no longer than what
 * it could not fold. */
static void fold_lines(void)
{
	char text[1200], room[4096];

	for (size_t n = 1; n < 120; n++) {
		struct buf in = BUF(text), out = BUF(room);
		size_t used, longest = 0;
		struct str rest, line;

		buf_putz(&in, "From: \"");
		buf_put(&in, tap_run('x', n));
		buf_putz(&in, "\" <root@here.example>, bob\nTo: ");
		for (unsigned i = 0; i < 60; i++)
			buf_putz(&in, i > 0 ? ", u" : "u");
		buf_putz(&in, "\n\n");
		tap_ok(masquerade_header(&to_address, STR(""), buf_str(&in),
			   &used, &out) == 0,
		    "a name of %zu octets", n);
		rest = buf_str(&out);
		while (str_cut(&rest, '\n', &line)) {
			longest = line.n > longest ? line.n : longest;
			if (line.n > 0 && str_trim(line).n == 0)
				tap_ok(false, "a line of blanks");
		}
		tap_ok(longest <= (n < 60 ? 78 : n + 20),
		    "lines of at most %zu octets", longest);
	}
}

/* --- PGP ----------------------------------------------------------------- */

static const struct {
	struct str text;
	bool found;
} texts[] = {
	{ S(""), false },
	{ S("-----BEGIN PGP MESSAGE-----\n"), true },
	{ S("x\n-----BEGIN PGP SIGNED MESSAGE-----\n"), true },
	{ S("x -----BEGIN PGP MESSAGE-----\n"), false },
	{ S("------BEGIN PGP MESSAGE-----\n"), false },
	{ S("-----BEGIN PGP\n"), false },
	{ S("-----BEGIN\n PGP \n"), false },
	{ S("-----\n-----BEGIN PGP x"), true },
	{ S("-----BEGIN CERTIFICATE-----\n"), false },
};

static void find_pgp(void)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t cut = 0; cut <= texts[i].text.n; cut++) {
			struct masquerade_look l = { 0 };

			masquerade_look(&l, str_head(texts[i].text, cut));
			masquerade_look(&l, str_skip(texts[i].text, cut));
			tap_ok(l.found == texts[i].found,
			    "text %zu, cut at %zu", i, cut);
		}
}

int main(void)
{
	list_mailboxes();
	change_senders();
	change_headers();
	fold_lines();
	find_pgp();
	return tap_done();
}
