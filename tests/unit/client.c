/*
 * Conversations of the client, as tables: what the server says (<), what must
 * be said to it (>), TLS (!), the content (=), and who is told what.  Each is
 * run with the server's text whole and octet by octet.
 */
#include "tests/unit/tap.h"

#include "mail/client.h"

enum { NRCPT_MAX = 5 };

struct talk {
	const char *name;
	const char *bits; /* l: LMTP, t: TLS may, T: must, u: UTF-8 mail, 8:
			   * beyond ASCII, r: REQUIRETLS */
	unsigned nrcpt;
	const char *text; /* lines */
	const char *told; /* "0D2.0.0 1N5.1.1"; then "end STATUS" */
};

/* clang-format off */
#define GREETING \
	"<220 hi\n" ">EHLO here.example\n"
#define PIPELINING \
	GREETING "<250-hi\n" "<250 PIPELINING\n"
#define MAIL ">MAIL FROM:<s@here.example>\n"
#define R0 ">RCPT TO:<u0@away.example>\n"
#define R1 ">RCPT TO:<u1@away.example>\n"
#define R2 ">RCPT TO:<u2@away.example>\n"
#define QUIT ">QUIT\n" "<221 bye\n"

static const struct talk talks[] = {
	{ "pipelined", "", 2, PIPELINING MAIL R0 R1 ">DATA\n"
	    "<250 ok\n" "<250 ok\n" "<250 ok\n" "<354 go\n" "=\n"
	    "<250 2.0.0 taken\n" QUIT, "0W2.0.0 1W2.0.0" },
	{ "one by one", "", 2, GREETING "<250 hi\n" MAIL "<250 ok\n" R0
	    "<250 ok\n" R1 "<550 5.1.1 no\n" ">DATA\n" "<354 go\n" "=\n"
	    "<250 2.0.0 taken\n" QUIT, "1N5.1.1 0W2.0.0" },
	{ "DSN hop", "", 1, GREETING "<250-hi\n" "<250 DSN\n" MAIL
	    "<250 ok\n" R0 "<250 ok\n" ">DATA\n" "<354 go\n" "=\n"
	    "<250 ok\n" QUIT, "0D2.0.0" },
	{ "SIZE", "", 1, GREETING "<250-hi\n" "<250 SIZE\n"
	    ">MAIL FROM:<s@here.example> SIZE=1000\n" "<452 4.3.1 full\n"
	    QUIT, "0L4.3.1" },
	{ "LMTP", "l", 2, "<220 hi\n" ">LHLO here.example\n" "<250-hi\n"
	    "<250 PIPELINING\n" MAIL R0 R1 ">DATA\n" "<250 ok\n" "<250 ok\n"
	    "<250 ok\n" "<354 go\n" "=\n" "<250 ok\n" "<550 5.2.2 full\n"
	    QUIT, "0W2.0.0 1N5.2.2" },
	{ "LMTP, the second reply does not come", "l", 2, "<220 hi\n"
	    ">LHLO here.example\n" "<250-hi\n" "<250 PIPELINING\n" MAIL R0 R1
	    ">DATA\n" "<250 ok\n" "<250 ok\n" "<250 ok\n" "<354 go\n" "=\n"
	    "<250 ok\n" "x\n", "0W2.0.0 1L4.4.2 end 4.4.2" },
	{ "LMTP, nobody is taken but content is wanted", "l", 1, "<220 hi\n"
	    ">LHLO here.example\n" "<250-hi\n" "<250 PIPELINING\n" MAIL R0
	    ">DATA\n" "<250 ok\n" "<550 no\n" "<354 go\n",
	    "0N5.0.0 end 4.5.0" },
	{ "all are refused, one by one", "", 2, GREETING "<250 hi\n" MAIL
	    "<250 ok\n" R0 "<550 no\n" R1 "<450 no\n" ">RSET\n" "<250 ok\n"
	    QUIT, "0N5.0.0 1L4.0.0" },
	{ "MAIL is refused, pipelined", "", 2, PIPELINING MAIL R0 R1 ">DATA\n"
	    "<550 5.7.1 no\n" "<503 x\n" "<503 x\n" "<503 x\n" ">RSET\n"
	    "<250 ok\n" QUIT, "0N5.7.1 1N5.7.1" },
	{ "too many", "", 3, PIPELINING MAIL R0 R1 R2 ">DATA\n" "<250 ok\n"
	    "<250 ok\n" "<452 too many\n" "<452 4.5.3 too many\n" "<354 go\n"
	    "=\n" "<250 ok\n" MAIL R1 R2 ">DATA\n" "<250 ok\n" "<250 ok\n"
	    "<250 ok\n" "<354 go\n" "=\n" "<250 ok\n" QUIT,
	    "0W2.0.0 1W2.0.0 2W2.0.0" },
	{ "552 may mean too many", "", 2, PIPELINING MAIL R0 R1 ">DATA\n"
	    "<250 ok\n" "<250 ok\n" "<552 too many\n" "<354 go\n" "=\n"
	    "<250 ok\n" MAIL R1 ">DATA\n" "<250 ok\n" "<250 ok\n" "<354 go\n"
	    "=\n" "<250 ok\n" QUIT, "0W2.0.0 1W2.0.0" },
	{ "452 and 552 of one recipient", "", 3, PIPELINING MAIL R0 R1 R2
	    ">DATA\n" "<250 ok\n" "<250 ok\n" "<452 4.2.2 full\n"
	    "<552 5.2.2 full\n" "<354 go\n" "=\n" "<250 ok\n" QUIT,
	    "1L4.2.2 2N5.2.2 0W2.0.0" },
	{ "too many at the first", "", 1, PIPELINING MAIL R0 ">DATA\n"
	    "<250 ok\n" "<552 too many\n" "<503 x\n" ">RSET\n" "<250 ok\n"
	    QUIT, "0L4.5.3" },
	{ "RCPTMAX", "", 3, GREETING "<250-hi\n" "<250-PIPELINING\n"
	    "<250 LIMITS RCPTMAX=2\n" MAIL R0 R1 ">DATA\n" "<250 ok\n"
	    "<250 ok\n" "<250 ok\n" "<354 go\n" "=\n" "<250 ok\n" MAIL R2
	    ">DATA\n" "<250 ok\n" "<250 ok\n" "<354 go\n" "=\n" "<250 ok\n"
	    QUIT, "0W2.0.0 1W2.0.0 2W2.0.0" },
	{ "RCPTMAX, refused", "", 3, GREETING "<250-hi\n"
	    "<250 LIMITS RCPTMAX=2\n" MAIL "<250 ok\n" R0 "<550 no\n" R1
	    "<550 no\n" ">RSET\n" "<250 ok\n" MAIL "<250 ok\n" R2 "<250 ok\n"
	    ">DATA\n" "<354 go\n" "=\n" "<250 ok\n" QUIT,
	    "0N5.0.0 1N5.0.0 2W2.0.0" },
	{ "nonsense of limits", "", 1, GREETING "<250-hi\n"
	    "<250 LIMITS RCPTMAX=0 MAILMAX=x RCPTMAX=9999999 =\n" MAIL
	    "<250 ok\n" R0 "<250 ok\n" ">DATA\n" "<354 go\n" "=\n"
	    "<250 ok\n" QUIT, "0W2.0.0" },
	{ "MAILMAX", "", 2, GREETING "<250-hi\n"
	    "<250 LIMITS RCPTMAX=1 MAILMAX=1\n" MAIL "<250 ok\n" R0
	    "<250 ok\n" ">DATA\n" "<354 go\n" "=\n" "<250 ok\n" QUIT,
	    "0W2.0.0 end" },
	{ "HELO", "", 1, GREETING "<502 no\n" ">HELO here.example\n"
	    "<250 hi\n" MAIL "<250 ok\n" R0 "<250 ok\n" ">DATA\n" "<354 go\n"
	    "=\n" "<250\n" QUIT, "0W2.0.0" },
	{ "EHLO is refused for good", "", 1, GREETING "<550 5.7.1 no\n",
	    "end 4.7.1" },
	{ "greeting is refused for good", "", 1, "<554 5.7.1 no\n",
	    "end 4.7.1" },
	{ "no HELO for LMTP", "l", 1, "<220 hi\n" ">LHLO here.example\n"
	    "<500 what\n", "end 4.0.0" },
	{ "STARTTLS", "t", 1, GREETING "<250-hi\n" "<250-DSN\n"
	    "<250 STARTTLS\n" ">STARTTLS\n" "<220 go\n" "!\n"
	    ">EHLO here.example\n" "<250-hi\n" "<250 STARTTLS\n" MAIL
	    "<250 ok\n" R0 "<250 ok\n" ">DATA\n" "<354 go\n" "=\n"
	    "<250 ok\n" QUIT, "0W2.0.0" },
	{ "STARTTLS refused, in clear", "t", 1, GREETING "<250-hi\n"
	    "<250 STARTTLS\n" ">STARTTLS\n" "<454 no\n" MAIL "<250 ok\n" R0
	    "<250 ok\n" ">DATA\n" "<354 go\n" "=\n" "<250 ok\n" QUIT,
	    "0W2.0.0" },
	{ "STARTTLS refused, wanted", "T", 1, GREETING "<250-hi\n"
	    "<250 STARTTLS\n" ">STARTTLS\n" "<554 5.3.3 no\n", "end 4.3.3" },
	{ "STARTTLS not offered, wanted", "T", 1, GREETING "<250 hi\n",
	    "end 4.7.5" },
	{ "octets behind STARTTLS", "t", 1, GREETING "<250-hi\n"
	    "<250 STARTTLS\n" ">STARTTLS\n" "<220 go\n" "<250 x\n",
	    "end 4.7.5" },
	{ "SMTPUTF8", "u", 1, GREETING "<250-hi\n" "<250 SMTPUTF8\n"
	    ">MAIL FROM:<s@here.example> SMTPUTF8\n" "<250 ok\n" R0
	    "<250 ok\n" ">DATA\n" "<354 go\n" "=\n" "<250 ok\n" QUIT,
	    "0W2.0.0" },
	{ "no SMTPUTF8", "u", 2, GREETING "<250 hi\n" QUIT,
	    "0N5.6.7 1N5.6.7" },
	{ "no 8BITMIME", "8", 1, GREETING "<250 hi\n" QUIT, "0N5.6.3" },
	{ "8BITMIME", "8", 1, GREETING "<250-hi\n" "<250 8bitmime\n"
	    ">MAIL FROM:<s@here.example> BODY=8BITMIME\n" "<550 no\n" QUIT,
	    "0N5.0.0" },
	{ "too large", "", 1, GREETING "<250-hi\n" "<250 SIZE 999\n" QUIT,
	    "0N5.3.4" },
	{ "just so large", "", 1, GREETING "<250-hi\n" "<250 SIZE 1000\n"
	    ">MAIL FROM:<s@here.example> SIZE=1000\n" "<450 no\n" QUIT,
	    "0L4.0.0" },
	{ "no REQUIRETLS", "r", 1, GREETING "<250 hi\n" QUIT, "0N5.7.30" },
	{ "REQUIRETLS in clear", "r", 1, GREETING "<250-hi\n"
	    "<250 REQUIRETLS\n" QUIT, "0N5.7.30" },
	{ "a reply ahead of its question", "", 1, "<220 hi\n" "<250 hi\n",
	    "end 4.5.0" },
	{ "a reply ahead of the content", "", 1, PIPELINING MAIL R0 ">DATA\n"
	    "<250 ok\n" "<250 ok\n" "<354 go\n" "<250 taken\n",
	    "0L4.5.0 end 4.5.0" },
	{ "a refusal ahead of the content", "", 1, PIPELINING MAIL R0 ">DATA\n"
	    "<250 ok\n" "<250 ok\n" "<354 go\n" "<552 5.3.4 big\n",
	    "0N5.3.4 end 4.5.0" },
	{ "250 to DATA", "", 1, PIPELINING MAIL R0 ">DATA\n" "<250 ok\n"
	    "<250 ok\n" "<250 ok\n", "end 4.5.0" },
	{ "354 to the content", "", 1, PIPELINING MAIL R0 ">DATA\n" "<250 ok\n"
	    "<250 ok\n" "<354 go\n" "=\n" "<354 go\n", "0L4.5.0 end 4.5.0" },
	{ "421 to the content", "", 1, PIPELINING MAIL R0 ">DATA\n" "<250 ok\n"
	    "<250 ok\n" "<354 go\n" "=\n" "<421 4.3.2 down\n",
	    "0L4.3.2 end 4.3.2" },
	{ "421 to RCPT", "", 2, PIPELINING MAIL R0 R1 ">DATA\n" "<250 ok\n"
	    "<250 ok\n" "<421 4.3.2 down\n", "end 4.3.2" },
	{ "the connection is lost after the content", "", 1, PIPELINING MAIL R0
	    ">DATA\n" "<250 ok\n" "<250 ok\n" "<354 go\n" "=\n" "x\n",
	    "0L4.4.2 end 4.4.2" },
	{ "the connection is lost before the content", "", 1, PIPELINING MAIL R0
	    ">DATA\n" "<250 ok\n" "x\n", "end 4.4.2" },
	{ "RSET is refused", "", 1, PIPELINING MAIL R0 ">DATA\n" "<250 ok\n"
	    "<550 no\n" "<503 no\n" ">RSET\n" "<500 no\n",
	    "0N5.0.0 end 4.0.0" },
	{ "content for nobody", "", 1, PIPELINING MAIL R0 ">DATA\n" "<250 ok\n"
	    "<550 no\n" "<354 go\n" ">.\n" "<250 odd\n" ">RSET\n" "<250 ok\n"
	    QUIT, "0N5.0.0" },
};
/* clang-format on */

static struct {
	struct client c;
	struct buf told;
	char text[400];
} w;

static void tell(void *arg, unsigned index, enum client_fate fate,
    struct str status, struct str text, bool said)
{
	static const char letters[] = "DWLN";

	(void)arg;
	(void)text;
	(void)said;
	if (w.told.n > 0)
		buf_putc(&w.told, ' ');
	buf_u64(&w.told, index);
	buf_putc(&w.told, letters[fate]);
	buf_put(&w.told, status);
}

static void give(void)
{
	char text[32];
	struct buf b = BUF(text);
	struct qfile_rcpt r = { .status = QFILE_NEW };

	buf_putc(&b, 'u');
	buf_u64(&b, client_index(&w.c));
	buf_putz(&b, "@away.example");
	r.address = buf_str(&b);
	client_give_rcpt(&w.c, &r);
}

/* Everything that can be done without the server. */
static void advance(
    unsigned *nmessages, const struct client_mail *mail, unsigned nrcpt)
{
	static const bool all[NRCPT_MAX] = { true, true, true, true, true };

	for (;;) {
		switch (client_want(&w.c)) {
		case CLIENT_RCPT:
			give();
			break;
		case CLIENT_READY:
			if ((*nmessages)++ == 0)
				client_begin(&w.c, mail, nrcpt, all);
			else
				client_quit(&w.c);
			break;
		case CLIENT_REPLY:
		case CLIENT_TLS:
		case CLIENT_CONTENT:
		case CLIENT_END:
			return;
		}
	}
}

/* The next line that is sent. */
static bool expect(struct str line)
{
	struct str out = client_output(&w.c);
	size_t n = str_find(out, '\n');

	if (n == out.n || n == 0 || !str_eq(str_head(out, n - 1), line)) {
		tap_show("said", out);
		return false;
	}
	client_written(&w.c, n + 1);
	return true;
}

static void feed(struct str text, bool slowly)
{
	for (size_t i = 0; slowly && i < text.n; i++) {
		char *exact = tap_exact(str_at(text.p + i, 1));

		client_feed(&w.c, str_at(exact, 1));
		free(exact);
	}
	if (!slowly)
		client_feed(&w.c, text);
}

static bool has(const char *bits, char c)
{
	return strchr(bits, c) != NULL;
}

/* All that the server says until somebody else's turn. */
static struct str hear(struct str *script, struct buf *b)
{
	struct str line;

	while (script->n > 0 && script->p[0] == '<') {
		(void)str_cut(script, '\n', &line);
		buf_put(b, str_skip(line, 1));
		buf_putz(b, "\r\n");
	}
	return buf_str(b);
}

/* True when everything was as written. */
static bool act(const struct talk *t, const struct client_mail *mail, bool slow)
{
	struct str script = str_of(t->text), line;
	unsigned nmessages = 0;
	bool good = true;

	while (good && script.n > 0) {
		char text[1024];
		struct buf said = BUF(text);

		advance(&nmessages, mail, t->nrcpt);
		if (script.p[0] == '<') {
			good = client_output(&w.c).n == 0;
			feed(hear(&script, &said), slow);
			continue;
		}
		(void)str_cut(&script, '\n', &line);
		if (line.p[0] == '>') {
			good = expect(str_skip(line, 1));
		} else if (line.p[0] == '!') {
			good = client_want(&w.c) == CLIENT_TLS;
			client_secured(&w.c);
		} else if (line.p[0] == '=') {
			good = client_want(&w.c) == CLIENT_CONTENT;
			client_sent(&w.c);
		} else {
			client_lost(&w.c, STR("4.4.2"), STR("lost"));
		}
		if (!good)
			tap_show("at", line);
	}
	return good && client_want(&w.c) == CLIENT_END;
}

static void run(const struct talk *t, bool slow)
{
	struct qfile_head head = { .body = QFILE_7BIT,
		.sender = STR("s@here.example"),
		.utf8 = has(t->bits, 'u'),
		.requiretls = has(t->bits, 'r'),
		.nrcpt = t->nrcpt };
	struct client_mail mail = { &head, 1000, has(t->bits, '8') };
	struct client_setup setup = { .lmtp = has(t->bits, 'l'),
		.tls = has(t->bits, 'T')   ? CLIENT_TLS_MUST
		       : has(t->bits, 't') ? CLIENT_TLS_MAY
					   : CLIENT_TLS_NEVER,
		.hostname = STR("here.example"),
		.tell = tell };
	bool good;

	w.told = BUF(w.text);
	client_start(&w.c, &setup);
	good = act(t, &mail, slow);
	if (!w.c.end.quit || strstr(t->told, "end") != NULL) {
		if (w.told.n > 0)
			buf_putc(&w.told, ' ');
		buf_putz(&w.told, "end");
		if (w.c.end.nstatus > 0)
			buf_putc(&w.told, ' ');
		buf_put(&w.told, client_end_status(&w.c));
	}
	tap_ok(good, "%s%s", t->name, slow ? ", octet by octet" : "");
	tap_same(buf_str(&w.told), str_of(t->told), "%s: told", t->name);
}

/* RFC 5321 4.5.3.2. */
static void patience(void)
{
	/* clang-format off */
	static const struct {
		enum client_at at;
		bool data;
		unsigned s;
	} rows[] = {
		{ CLIENT_AT_GREETING, false, 300 },
		{ CLIENT_AT_EHLO, false, 300 },
		{ CLIENT_AT_ENVELOPE, false, 300 },
		{ CLIENT_AT_ENVELOPE, true, 120 },
		{ CLIENT_AT_CONTENT, true, 180 },
		{ CLIENT_AT_FINAL, true, 600 },
	};
	/* clang-format on */

	for (size_t i = 0; i < TAP_N(rows); i++) {
		w.c.at = rows[i].at;
		w.c.data_asked = rows[i].data;
		tap_ok(client_patience_s(&w.c) == rows[i].s, "patience %zu", i);
	}
}

int main(void)
{
	for (size_t i = 0; i < TAP_N(talks); i++) {
		run(&talks[i], false);
		run(&talks[i], true);
	}
	patience();
	return tap_done();
}
