/* Reports: who hears of what, and whole reports octet by octet. */
#include "tests/unit/tap.h"

#include "mail/report.h"

static char room[64 * 1024];

/* --- who hears of what --------------------------------------------------- */

/* clang-format off */
static const struct {
	unsigned notify;
	bool failed, delayed, delivered; /* relayed is told as delivered is */
} wanted[] = {
	{ 0, true, true, false },
	{ NOTIFY_NEVER, false, false, false },
	{ NOTIFY_SUCCESS, false, false, true },
	{ NOTIFY_FAILURE, true, false, false },
	{ NOTIFY_DELAY, false, true, false },
	{ NOTIFY_FAILURE | NOTIFY_DELAY, true, true, false },
	{ NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, true, true, true },
	{ NOTIFY_NEVER | NOTIFY_FAILURE | NOTIFY_SUCCESS, false, false,
	    false },
};

static const struct {
	struct str sender;
	bool mute;
} senders[] = {
	{ S(""), true },
	{ S("<>"), true },
	{ S("#@[]"), true },
	{ S("MAILER-DAEMON"), true },
	{ S("mailer-daemon"), true },
	{ S("MAILER-DAEMON@away.example"), true },
	{ S("Mailer-Daemon@away.example"), true },
	{ S("MAILER-DAEMONS@away.example"), false },
	{ S("MAILER-DAEMO"), false },
	{ S("a@away.example"), false },
	{ S("postmaster@away.example"), false },
};

/* clang-format on */

static void test_rules(void)
{
	for (size_t i = 0; i < TAP_N(wanted); i++) {
		unsigned n = wanted[i].notify;

		tap_ok(report_is_wanted(n, REPORT_FAILED) == wanted[i].failed &&
			   report_is_wanted(n, REPORT_DELAYED) ==
			       wanted[i].delayed &&
			   report_is_wanted(n, REPORT_DELIVERED) ==
			       wanted[i].delivered &&
			   report_is_wanted(n, REPORT_RELAYED) ==
			       wanted[i].delivered,
		    "NOTIFY %u", n);
	}
	for (size_t i = 0; i < TAP_N(senders); i++)
		tap_ok(report_is_mute(senders[i].sender) == senders[i].mute,
		    "sender %zu is heard or not", i);
}

/* --- reports ------------------------------------------------------------- */

static const struct report plain = { .hostname = S("mx.here.example"),
	.id = S("0123456789abcdef"),
	.to = S("alice@here.example"),
	.envid = S("QQ+2B17"),
	.arrival_s = 1795468380,
	.now_s = 1795471980,
	.until_s = 1795900380,
	.plain = true };

static struct str build(const struct report *r, const struct report_rcpt *rcpt,
    size_t n, struct str original)
{
	static struct buf b;
	struct report_copy copy = { 0 };

	b = BUF(room);
	report_begin(&b, r, rcpt->action);
	for (size_t i = 0; i < n; i++)
		report_for_people(&b, r, &rcpt[i]);
	report_machine(&b, r);
	for (size_t i = 0; i < n; i++)
		report_for_machines(&b, r, &rcpt[i]);
	report_original(&b, r);
	report_copy(&copy, r, original, &b);
	report_copy_finish(&copy, r, &b);
	report_end(&b, r);
	return b.full ? STR("") : buf_str(&b);
}

#define HEAD(subject, cte)                                                   \
	"From: Mail Delivery System <MAILER-DAEMON@mx.here.example>\n"       \
	"To: <alice@here.example>\n"                                         \
	"Subject: " subject "\n"                                             \
	"Date: Mon, 23 Nov 2026 22:13:00 +0000\n"                            \
	"Message-ID: <0123456789abcdef-report-1795471980@mx.here.example>\n" \
	"Auto-Submitted: auto-replied\n"                                     \
	"MIME-Version: 1.0\n"                                                \
	"Content-Type: multipart/report; report-type=delivery-status;\n"     \
	"\tboundary=\"=_postern_0123456789abcdef\"\n"                        \
	"Content-Transfer-Encoding: " cte "\n"                               \
	"\n"                                                                 \
	"--=_postern_0123456789abcdef\n"
#define PART "\n--=_postern_0123456789abcdef\n"
#define TEXT                                           \
	"Content-Type: text/plain; charset=us-ascii\n" \
	"Content-Transfer-Encoding: 7bit\n\n"          \
	"This is the mail system of mx.here.example.\n\n"
#define ARRIVED "It was accepted here on Mon, 23 Nov 2026 21:13:00 +0000.\n"
#define STATUS                                         \
	PART "Content-Type: message/delivery-status\n" \
	     "Content-Transfer-Encoding: 7bit\n\n"     \
	     "Reporting-MTA: dns; mx.here.example\n"   \
	     "Original-Envelope-Id: QQ+17\n"           \
	     "Arrival-Date: Mon, 23 Nov 2026 21:13:00 +0000\n\n"
#define HEADERS                                     \
	"\nWhat follows is the same for programs, " \
	"and then the header of your\nmessage, to know it by.\n"
#define END "\n--=_postern_0123456789abcdef--\n"

/* A host refused one, and one was in vain for too long. */
static void test_failed(void)
{
	const struct report_rcpt rcpt[] = {
		{ .action = REPORT_FAILED,
		    .address = STR("bob@away.example"),
		    .orcpt = STR("rfc822;bob+2Bx@away.example"),
		    .code = STR("5.1.1"),
		    .text = STR("550 5.1.1 no such user"),
		    .remote = STR("mx.away.example"),
		    .last_attempt_s = 1795471980 },
		{ .action = REPORT_FAILED,
		    .address = STR("carol@far.example"),
		    .code = STR("4.4.1"),
		    .text = STR("no host of far.example could be reached") },
	};

	tap_same(build(&plain, rcpt, 2, STR("Subject: x\n\nbody\n")),
	    STR(HEAD("Your message could not be delivered", "7bit") TEXT
		"A message of yours could not be delivered to everyone it was "
		"for.  It will\nnot be tried again for those named "
		"here.\n" ARRIVED "\n  <bob@away.example>\n"
		"    (which you wrote to as <bob+x@away.example>)\n"
		"    was not delivered.\n"
		"    The mail system mx.away.example said:\n"
		"        550 5.1.1 no such user\n"
		"    There is no such mailbox. Check how the address is "
		"written, or ask\n    the recipient for the right one.\n"
		"\n  <carol@far.example>\n"
		"    was not delivered.\n"
		"    The reason:\n"
		"        no host of far.example could be reached\n"
		"    It was tried again and again until its time was over. "
		"Send it again\n    later, or reach the recipient in another "
		"way.\n" HEADERS STATUS
		"Original-Recipient: rfc822;bob+x@away.example\n"
		"Final-Recipient: rfc822;bob@away.example\n"
		"Action: failed\nStatus: 5.1.1\n"
		"Remote-MTA: dns; mx.away.example\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\n"
		"Last-Attempt-Date: Mon, 23 Nov 2026 22:13:00 +0000\n\n"
		"Final-Recipient: rfc822;carol@far.example\n"
		"Action: failed\nStatus: 4.4.1\n" PART
		"Content-Type: text/rfc822-headers\n"
		"Content-Transfer-Encoding: 7bit\n\n"
		"Subject: x\n" END),
	    "two failures, word for word");
}

static void test_delayed(void)
{
	const struct report_rcpt rcpt = { .action = REPORT_DELAYED,
		.address = STR("bob"),
		.code = STR("5.0.0"),
		.text = STR("451 later"),
		.remote = STR("/run/lmtp") };
	struct report r = plain;

	r.envid = STR("");
	r.full = true;
	tap_same(build(&r, &rcpt, 1, STR("Subject: x\n\nbody\n")),
	    STR(HEAD("Your message is delayed", "7bit") TEXT
		"A message of yours has not reached everyone it is for yet.  "
		"It is still\nbeing tried: there is no need to send it "
		"again.\n" ARRIVED "\n  <bob@mx.here.example>\n"
		"    has not been reached yet.\n"
		"    The mail system /run/lmtp said:\n        451 later\n"
		"    It is tried until Sat, 28 Nov 2026 21:13:00 +0000.\n"
		"\nWhat follows is the same for programs, and then your "
		"message.\n" PART "Content-Type: message/delivery-status\n"
		"Content-Transfer-Encoding: 7bit\n\n"
		"Reporting-MTA: dns; mx.here.example\n"
		"Arrival-Date: Mon, 23 Nov 2026 21:13:00 +0000\n\n"
		"Final-Recipient: rfc822;bob@mx.here.example\n"
		"Action: delayed\nStatus: 4.0.0\n"
		"Remote-MTA: x-local; /run/lmtp\n"
		"Diagnostic-Code: smtp; 451 later\n"
		"Will-Retry-Until: Sat, 28 Nov 2026 21:13:00 +0000\n" PART
		"Content-Type: message/rfc822\n"
		"Content-Transfer-Encoding: 7bit\n\n"
		"Subject: x\n\nbody\n" END),
	    "a delay, with the whole message");
}

/* What a report has, and has not, in few words. */
static bool has(struct str s, const char *text)
{
	struct str want = str_of(text);

	for (; s.n >= want.n; s = str_skip(s, 1))
		if (str_starts(s, want))
			return true;
	return false;
}

static void test_success(void)
{
	struct report_rcpt rcpt = { .action = REPORT_DELIVERED,
		.address = STR("bob@here.example"),
		.code = STR("5.1.1"),
		.text = STR("old words") };
	struct str s = build(&plain, &rcpt, 1, STR("a: b\n"));

	tap_ok(has(s, "Subject: Your message was delivered\n") &&
		   has(s, "Action: delivered\nStatus: 2.0.0\n") &&
		   has(s, "has it in the mailbox.\n") && !has(s, "old words"),
	    "delivered");
	rcpt.action = REPORT_RELAYED;
	rcpt.code = STR("2.1.5");
	rcpt.remote = STR("[192.0.2.1]");
	rcpt.text = STR("250 2.1.5 ok");
	s = build(&plain, &rcpt, 1, STR("a: b\n"));
	tap_ok(has(s, "Subject: Your message was passed on\n") &&
		   has(s, "Action: relayed\nStatus: 2.1.5\n") &&
		   has(s, "Remote-MTA: dns; [192.0.2.1]\n"),
	    "relayed");
}

/* clang-format off */
static const struct {
	enum report_action action;
	const char *code, *status, *advice;
} codes[] = {
	{ REPORT_FAILED, "5.1.1", "5.1.1", "no such mailbox" },
	{ REPORT_FAILED, "5.1.2", "5.1.2", "no such domain" },
	{ REPORT_FAILED, "5.1.10", "5.1.10", "takes no mail at all" },
	{ REPORT_FAILED, "5.1.11", "5.1.11", "was not accepted" },
	{ REPORT_FAILED, "5.2.2", "5.2.2", "is full" },
	{ REPORT_FAILED, "5.3.4", "5.3.4", "too large" },
	{ REPORT_FAILED, "5.4.6", "5.4.6", "circle" },
	{ REPORT_FAILED, "5.7.26", "5.7.26", "refused by rule" },
	{ REPORT_FAILED, "4.4.7", "4.4.7", "its time was over" },
	{ REPORT_FAILED, "5.0.0", "5.0.0", "do not tell what to do" },
	{ REPORT_FAILED, "", "5.0.0", "do not tell what to do" },
	{ REPORT_FAILED, "2.0.0", "5.0.0", "do not tell what to do" },
	{ REPORT_FAILED, "5.1", "5.0.0", "" },
	{ REPORT_FAILED, "5.1.1.", "5.0.0", "" },
	{ REPORT_FAILED, "5.1.1.1", "5.0.0", "" },
	{ REPORT_FAILED, "5.01.1", "5.0.0", "" },
	{ REPORT_FAILED, "5.1.1234", "5.0.0", "" },
	{ REPORT_FAILED, "5.1.x", "5.0.0", "" },
	{ REPORT_FAILED, "55.1.1", "5.0.0", "" },
	{ REPORT_DELAYED, "4.4.1", "4.4.1", "" },
	{ REPORT_DELAYED, "5.4.1", "4.0.0", "" },
	{ REPORT_DELIVERED, "2.1.5", "2.1.5", "" },
	{ REPORT_RELAYED, "", "2.0.0", "" },
};
/* clang-format on */

static void test_codes(void)
{
	for (size_t i = 0; i < TAP_N(codes); i++) {
		struct report_rcpt rcpt = { .action = codes[i].action,
			.address = STR("b@c"),
			.code = str_of(codes[i].code) };
		char text[32];
		struct str s = build(&plain, &rcpt, 1, STR("a: b\n"));

		snprintf(text, sizeof(text), "\nStatus: %s\n", codes[i].status);
		tap_ok(has(s, text) && has(s, codes[i].advice), "code \"%s\"",
		    codes[i].code);
	}
}

/* Limits of what goes back, and room for the longest fields. */
static void test_limits(void)
{
	static char big[70000], out[80000];
	struct report r = plain;
	struct report_copy c = { 0 };
	struct buf b = BUF(out);
	struct str longest = tap_run('a', 2000);
	struct report_rcpt rcpt = { REPORT_DELAYED, longest, longest, longest,
		longest, longest, 1 };

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = i % 70 == 69 ? '\n' : 'x';
	report_copy(&c, &r, str_at(big, sizeof(big)), &b);
	report_copy_finish(&c, &r, &b);
	tap_ok(b.n == REPORT_HEADER_MAX, "a header is cut");
	r.full = true;
	c = (struct report_copy){ 0 };
	buf_clear(&b);
	report_copy(&c, &r, str_at(big, sizeof(big)), &b);
	report_copy_finish(&c, &r, &b);
	tap_ok(b.n == REPORT_OCTETS_MAX, "a message is cut");
	r.hostname = r.id = r.to = r.envid = longest;
	for (unsigned i = 0; i < 6; i++) {
		b = (struct buf){ out, 0, REPORT_PIECE_MAX, false };
		if (i == 0)
			report_begin(&b, &r, REPORT_DELAYED);
		else if (i == 1)
			report_for_people(&b, &r, &rcpt);
		else if (i == 2)
			report_machine(&b, &r);
		else if (i == 3)
			report_for_machines(&b, &r, &rcpt);
		else if (i == 4)
			report_original(&b, &r);
		else
			report_end(&b, &r);
		tap_ok(!b.full && b.n > 0, "piece %u fits", i);
	}
}

int main(void)
{
	test_rules();
	test_failed();
	test_delayed();
	test_success();
	test_codes();
	test_limits();
	return tap_done();
}
