/*
 * Conversations of the client, as tables: what the server says (<), what must
 * be said to it (>), TLS (!), the content (=), and who is told what.  Each is
 * run with the server's text whole and octet by octet.  Long because they are
 * one table.
 */
#include "tests/unit/tap.h"

#include "mail/client.h"

enum { NRCPT_MAX = 5 };

struct talk {
	const char *name;
	const char *bits; /* l: LMTP, t: TLS may, T: must, i: from the start,
			   * a: a password, A: a token, n: a nameless user,
			   * u: UTF-8 mail, 8: beyond ASCII, r: REQUIRETLS, v:
			   * the server is known for sure, d: what DSN knows,
			   * p: a test that sends nothing,
			   * w: the first recipient is not wanted; of the
			   * sender, 0: none, L: too long, c: a control; of the
			   * first recipient, k: a control, y: not ASCII */
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
	{ "a test, pipelined", "p", 2, PIPELINING MAIL R0 R1 "<250 ok\n"
	    "<250 2.1.5 good\n" "<550 5.1.1 no\n" ">RSET\n" "<250 ok\n"
	    QUIT, "0W2.1.5 1N5.1.1" },
	{ "a test, one by one", "p", 2, GREETING "<250 hi\n" MAIL "<250 ok\n"
	    R0 "<450 4.2.0 no\n" R1 "<250 ok\n" ">RSET\n" "<250 ok\n" QUIT,
	    "0L4.2.0 1W2.0.0" },
	{ "a test, MAIL is refused", "p", 1, PIPELINING MAIL R0
	    "<550 5.7.1 no\n" "<503 x\n" QUIT, "0N5.7.1" },
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
	{ "no REQUIRETLS", "irv", 1, GREETING "<250 hi\n" QUIT, "0N5.7.30" },
	{ "REQUIRETLS in clear", "rv", 1, GREETING "<250-hi\n"
	    "<250 REQUIRETLS\n" QUIT, "0N5.7.10" },
	{ "REQUIRETLS of a stranger", "ir", 1, GREETING "<250-hi\n"
	    "<250 REQUIRETLS\n" QUIT, "0N5.7.10" },
	{ "a report goes without the promise", "irv0", 1, GREETING
	    "<250 hi\n" ">MAIL FROM:<>\n" "<550 no\n" QUIT, "0N5.0.0" },
	{ "a report does not go to a stranger", "ir0", 1, GREETING
	    "<250 hi\n" QUIT, "0N5.7.10" },
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
	{ "AUTH PLAIN", "ia", 1, GREETING "<250-hi\n"
	    "<250 AUTH LOGIN plain X-NONE\n" ">AUTH PLAIN AHVzZXIAcGVuY2ls\n"
	    "<235 2.7.0 welcome\n" MAIL "<450 no\n" QUIT, "0L4.0.0" },
	{ "AUTH= of old servers, LOGIN", "ia", 1, GREETING "<250-hi\n"
	    "<250 AUTH=LOGIN\n" ">AUTH LOGIN\n" "<334 VXNlcm5hbWU6\n"
	    ">dXNlcg==\n" "<334 UGFzc3dvcmQ6\n" ">cGVuY2ls\n" "<235 ok\n"
	    MAIL "<450 no\n" QUIT, "0L4.0.0" },
	{ "AUTH XOAUTH2", "iA", 1, GREETING "<250-hi\n"
	    "<250 AUTH PLAIN XOAUTH2\n" ">AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHBlbmNpbAEB\n"
	    "<334 e30=\n" ">\n" "<535 5.7.8 no\n", "end 4.7.8" },
	{ "AUTH behind STARTTLS, what was offered before does not count",
	    "ta", 1, GREETING "<250-hi\n" "<250-AUTH PLAIN\n"
	    "<250 STARTTLS\n" ">STARTTLS\n" "<220 go\n" "!\n"
	    ">EHLO here.example\n" "<250-hi\n" "<250 AUTH LOGIN\n"
	    ">AUTH LOGIN\n" "<535 5.7.8 no\n", "end 4.7.8" },
	{ "no AUTH in clear", "a", 1, GREETING "<250-hi\n"
	    "<250 AUTH PLAIN LOGIN\n", "end 4.7.5" },
	{ "no AUTH in clear behind a refused STARTTLS", "ta", 1, GREETING
	    "<250-hi\n" "<250-AUTH PLAIN\n" "<250 STARTTLS\n"
	    ">STARTTLS\n" "<454 no\n", "end 4.7.5" },
	{ "AUTH is not offered", "ia", 1, GREETING "<250 hi\n", "end 4.7.4" },
	{ "no mechanism that we know", "ia", 1, GREETING "<250-hi\n"
	    "<250 AUTH CRAM-MD5 XOAUTH2\n", "end 4.7.4" },
	{ "AUTH, another mechanism", "ia", 1, GREETING "<250-hi\n"
	    "<250 AUTH PLAIN LOGIN\n" ">AUTH PLAIN AHVzZXIAcGVuY2ls\n"
	    "<504 5.5.4 no\n" ">AUTH LOGIN\n" "<504 5.5.4 no\n",
	    "end 4.5.4" },
	{ "AUTH is refused, no other is tried", "ia", 1, GREETING
	    "<250-hi\n" "<250 AUTH PLAIN LOGIN\n" ">AUTH PLAIN AHVzZXIAcGVuY2ls\n"
	    "<535 5.7.8 no\n", "end 4.7.8" },
	{ "AUTH LOGIN is done before its time", "ia", 1, GREETING
	    "<250-hi\n" "<250 AUTH LOGIN\n" ">AUTH LOGIN\n" "<235 ok\n",
	    "end 4.7.8" },
	{ "a challenge that is none", "ia", 1, GREETING "<250-hi\n"
	    "<250 AUTH LOGIN\n" ">AUTH LOGIN\n" "<334 VXN\n",
	    "end 4.5.0" },
	{ "a challenge too many", "ia", 1, GREETING "<250-hi\n"
	    "<250 AUTH PLAIN\n" ">AUTH PLAIN AHVzZXIAcGVuY2ls\n" "<334 \n",
	    "end 4.7.8" },
	{ "a user that AUTH cannot say", "ian", 1, GREETING "<250-hi\n"
	    "<250 AUTH PLAIN\n", "end 4.7.8" },
	{ "what DSN knows", "d", 2, GREETING "<250-hi\n" "<250 DSN\n"
	    ">MAIL FROM:<s@here.example> RET=HDRS ENVID=e+2B1\n" "<250 ok\n"
	    ">RCPT TO:<u0@away.example> NOTIFY=SUCCESS,DELAY"
	    " ORCPT=rfc822;o0\n" "<250 ok\n"
	    ">RCPT TO:<u1@away.example> NOTIFY=NEVER ORCPT=rfc822;o1\n"
	    "<250 ok\n" ">DATA\n" "<354 go\n" "=\n" "<250 ok\n" QUIT,
	    "0D2.0.0 1D2.0.0" },
	{ "... is not told to others", "d", 1, GREETING "<250 hi\n" MAIL
	    "<250 ok\n" R0 "<450 no\n" ">RSET\n" "<250 ok\n" QUIT,
	    "0L4.0.0" },
	{ "REQUIRETLS", "irv", 1, GREETING "<250-hi\n" "<250 REQUIRETLS\n"
	    ">MAIL FROM:<s@here.example> REQUIRETLS\n" "<550 no\n" QUIT,
	    "0N5.0.0" },
	{ "a recipient who is not wanted", "w", 2, PIPELINING MAIL R1
	    ">DATA\n" "<550 5.7.1 no\n" "<503 x\n" "<503 x\n" ">RSET\n"
	    "<250 ok\n" QUIT, "1N5.7.1" },
	{ "a reverse-path with a control", "c", 2, GREETING "<250 hi\n" QUIT,
	    "0L4.3.0 1L4.3.0" },
	{ "a reverse-path that is too long", "L", 1, GREETING "<250 hi\n",
	    "end 4.5.0" },
	{ "a recipient with a control", "k", 2, PIPELINING MAIL R1 ">DATA\n"
	    "<250 ok\n" "<250 ok\n" "<354 go\n" "=\n" "<250 ok\n" QUIT,
	    "0L4.3.0 1W2.0.0" },
	{ "a recipient beyond ASCII", "y", 2, GREETING "<250-hi\n"
	    "<250 SMTPUTF8\n" MAIL "<250 ok\n" R1 "<550 no\n" ">RSET\n"
	    "<250 ok\n" QUIT, "0N5.6.7 1N5.0.0" },
	{ "354 to MAIL", "", 1, PIPELINING MAIL R0 ">DATA\n" "<354 go\n",
	    "end 4.5.0" },
	{ "354 to RCPT", "", 1, PIPELINING MAIL R0 ">DATA\n" "<250 ok\n"
	    "<354 go\n", "end 4.5.0" },
	{ "another protocol", "", 1, "<HTTP/1.1 400 Bad Request\n",
	    "end 4.5.0" },
	{ "a line of EHLO with nothing in it", "", 1, GREETING "<250-hi\n"
	    "<250-   \n" "<250 SIZE 999\n" QUIT, "0N5.3.4" },
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

static bool has(const char *bits, char c)
{
	return strchr(bits, c) != NULL;
}

static void give(const char *bits)
{
	char text[32];
	struct buf b = BUF(text);
	struct qfile_rcpt r = { .status = QFILE_NEW };

	if (client_index(&w.c) == 0 && (has(bits, 'k') || has(bits, 'y')))
		buf_putz(&b, has(bits, 'k') ? "\r\n" : "\xc3\xbc");
	buf_putc(&b, 'u');
	buf_u64(&b, client_index(&w.c));
	buf_putz(&b, "@away.example");
	r.address = buf_str(&b);
	if (has(bits, 'd')) {
		r.notify = client_index(&w.c) == 0
			       ? NOTIFY_SUCCESS | NOTIFY_DELAY
			       : NOTIFY_NEVER;
		r.orcpt = client_index(&w.c) == 0 ? STR("rfc822;o0")
						  : STR("rfc822;o1");
	}
	client_give_rcpt(&w.c, &r);
}

/* Everything that can be done without the server. */
static void advance(
    unsigned *nmessages, const struct client_mail *mail, const struct talk *t)
{
	bool all[NRCPT_MAX] = { true, true, true, true, true };

	all[0] = !has(t->bits, 'w');

	for (;;) {
		switch (client_want(&w.c)) {
		case CLIENT_RCPT:
			give(t->bits);
			break;
		case CLIENT_READY:
			if ((*nmessages)++ == 0)
				client_begin(&w.c, mail, t->nrcpt, all);
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

		advance(&nmessages, mail, t);
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
	advance(&nmessages, mail, t);
	return good && client_want(&w.c) == CLIENT_END;
}

static void run(const struct talk *t, bool slow)
{
	struct qfile_head head = { .body = QFILE_7BIT,
		.sender = STR("s@here.example"),
		.utf8 = has(t->bits, 'u'),
		.requiretls = has(t->bits, 'r'),
		.ret = has(t->bits, 'd') ? 'H' : 0,
		.envid = has(t->bits, 'd') ? STR("e+2B1") : STR(""),
		.nrcpt = t->nrcpt };
	const struct sasl_secret secret = {
		.user = has(t->bits, 'n') ? STR("") : STR("user"),
		.password = STR("pencil"),
		.is_token = has(t->bits, 'A')
	};
	struct client_mail mail = { &head, 1000, has(t->bits, '8') };
	struct client_setup setup = { .lmtp = has(t->bits, 'l'),
		.tls = has(t->bits, 'T')   ? CLIENT_TLS_MUST
		       : has(t->bits, 't') ? CLIENT_TLS_MAY
		       : has(t->bits, 'i') ? CLIENT_TLS_IS
					   : CLIENT_TLS_NEVER,
		.hostname = STR("here.example"),
		.vouched = has(t->bits, 'v'),
		.probe = has(t->bits, 'p'),
		.secret =
		    has(t->bits, 'a') || has(t->bits, 'A') ? &secret : NULL,
		.tell = tell };
	bool good;

	if (has(t->bits, '0'))
		head.sender = STR("");
	if (has(t->bits, 'c'))
		head.sender = STR("s\r\nQUIT");
	if (has(t->bits, 'L'))
		head.sender = tap_run('s', CLIENT_LINE_MAX);

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
		{ CLIENT_AT_QUIT, true, 10 },
	};
	/* clang-format on */

	for (size_t i = 0; i < TAP_N(rows); i++) {
		w.c.at = rows[i].at;
		w.c.data_asked = rows[i].data;
		tap_ok(client_patience_s(&w.c) == rows[i].s, "patience %zu", i);
	}
}

/* What the caller does when it is not its turn changes nothing. */
static void out_of_turn(void)
{
	static const bool all[1] = { true };
	struct client_setup setup = { .hostname = STR("here.example"),
		.tell = tell };
	struct qfile_head head = { .sender = STR("s@here.example") };
	struct client_mail mail = { &head, 1000, false };
	struct qfile_rcpt r = { .address = STR("u@away.example") };

	w.told = BUF(w.text);
	client_start(&w.c, &setup);
	client_secured(&w.c);
	client_begin(&w.c, &mail, 1, all);
	client_give_rcpt(&w.c, &r);
	client_sent(&w.c);
	client_quit(&w.c);
	tap_ok(w.c.at == CLIENT_AT_GREETING && !w.c.secured &&
		   client_output(&w.c).n == 0 &&
		   client_want(&w.c) == CLIENT_REPLY,
	    "out of turn nothing happens");
	client_lost(&w.c, STR("4.4.2"), STR("the line\nis cut"));
	client_lost(&w.c, STR("4.4.1"), STR("again"));
	tap_same(client_end_status(&w.c), STR("4.4.2"), "the first end counts");
	tap_same(client_end_text(&w.c), STR("the line\\x0ais cut"),
	    "its text is printable");
	feed(STR("250 hi\r\n"), false);
	tap_ok(client_want(&w.c) == CLIENT_END && w.told.n == 0,
	    "and nothing follows");
}

/* A line of the reply to EHLO that is too long to be looked at. */
static void long_line(void)
{
	struct client_setup setup = { .hostname = STR("here.example"),
		.tell = tell };

	client_start(&w.c, &setup);
	feed(STR("220 hi\r\n"), false);
	client_written(&w.c, client_output(&w.c).n);
	feed(STR("250-hi\r\n250-SIZE "), false);
	feed(tap_run('9', CLIENT_HEARD_MAX), true);
	feed(STR("\r\n250 DSN\r\n"), false);
	tap_ok(client_want(&w.c) == CLIENT_READY &&
		   w.c.has.have == EXTENSION_DSN && w.c.has.size_bytes == 0,
	    "a line that was cut offers nothing, the next one does");
}

int main(void)
{
	for (size_t i = 0; i < TAP_N(talks); i++) {
		run(&talks[i], false);
		run(&talks[i], true);
	}
	out_of_turn();
	long_line();
	patience();
	return tap_done();
}
