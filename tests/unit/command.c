/*
 * The command line's parts and the parameters of MAIL, RCPT and BDAT, as
 * tables.  What follows from them in a session is in the dialogues.
 */
#include "mail/command.h"
#include "tests/unit/tap.h"

static void splits(void)
{
	static const struct {
		struct str line, verb, arg;
		int rc;
	} rows[] = {
		{ S("NOOP"), S("NOOP"), S(""), 0 },
		{ S("NOOP "), S("NOOP"), S(""), 0 },
		{ S("NOOP  a b  "), S("NOOP"), S("a b"), 0 },
		{ S(" NOOP"), S(""), S("NOOP"), 0 },
		{ S("MAIL\tFROM:<>"), S("MAIL"), S("FROM:<>"), 0 },
		{ S(""), S(""), S(""), 0 },
		{ S("   "), S(""), S(""), 0 },
		{ S("NO\0OP"), S(""), S(""), COMMAND_OCTETS },
		{ S("NOOP\x7f"), S(""), S(""), COMMAND_OCTETS },
		{ S("NOOP \x1b[1m"), S(""), S(""), COMMAND_OCTETS },
		{ S("NOOP a\rb"), S(""), S(""), COMMAND_OCTETS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct command c;
		int rc = command_split(rows[i].line, &c);

		if (!tap_ok(rc == rows[i].rc, "split %zu answers %d", i, rc) ||
		    rc != 0)
			continue;
		tap_same(c.verb, rows[i].verb, "split %zu: verb", i);
		tap_same(c.arg, rows[i].arg, "split %zu: argument", i);
	}
}

static void mails(void)
{
	static const struct {
		struct str arg;
		bool bare;
		int rc;
	} rows[] = {
		{ S("FROM:<>"), false, 0 },
		{ S("from:<a@b>"), false, 0 },
		{ S("FROM: <a@b>"), false, 0 },
		{ S("FROM <a@b>"), false, COMMAND_BAD },
		{ S("TO:<a@b>"), false, COMMAND_BAD },
		{ S("FROM:a@b"), false, COMMAND_ADDRESS },
		{ S("FROM:<a@b>SIZE=1"), false, COMMAND_ADDRESS },
		{ S("FROM:<a>"), false, COMMAND_ADDRESS },
		{ S("FROM:<a>"), true, 0 },
		{ S("FROM:<a@b> SIZE=0"), false, 0 },
		{ S("FROM:<a@b> SIZE="), false, COMMAND_BAD },
		{ S("FROM:<a@b> SIZE"), false, COMMAND_BAD },
		{ S("FROM:<a@b> SIZE=-1"), false, COMMAND_BAD },
		{ S("FROM:<a@b> SIZE=18446744073709551615"), false, 0 },
		{ S("FROM:<a@b> SIZE=18446744073709551616"), false,
		    COMMAND_TOO_BIG },
		{ S("FROM:<a@b> SIZE=1 SIZE=1"), false, COMMAND_BAD },
		{ S("FROM:<a@b> BODY=7BIT"), false, 0 },
		{ S("FROM:<a@b> body=8bitmime"), false, 0 },
		{ S("FROM:<a@b> BODY=BINARYMIME"), false, COMMAND_BAD },
		{ S("FROM:<a@b> SMTPUTF8"), false, 0 },
		{ S("FROM:<a@b> SMTPUTF8=1"), false, COMMAND_BAD },
		{ S("FROM:<\xc3\xa9@b> SMTPUTF8"), false, 0 },
		{ S("FROM:<\xc3\xa9@b>"), false, COMMAND_UTF8 },
		{ S("FROM:<a@b> AUTH=<>"), false, 0 },
		{ S("FROM:<a@b> AUTH=a+0Ab"), false, COMMAND_BAD },
		{ S("FROM:<a@b> RET=FULL ENVID=x+20y"), false, 0 },
		{ S("FROM:<a@b> RET=HALF"), false, COMMAND_BAD },
		{ S("FROM:<a@b> RET=HDRS RET=HDRS"), false, COMMAND_BAD },
		{ S("FROM:<a@b> ENVID="), false, COMMAND_BAD },
		{ S("FROM:<a@b> ENVID=a+0D+0A"), false, COMMAND_BAD },
		{ S("FROM:<a@b> NOTIFY=NEVER"), false, COMMAND_UNKNOWN },
		{ S("FROM:<a@b> X"), false, COMMAND_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mail_command m;
		int rc = command_mail(rows[i].arg, rows[i].bare, &m);

		if (!tap_ok(rc == rows[i].rc, "mail %zu answers %d", i, rc))
			tap_show("argument", rows[i].arg);
	}
}

static void rcpts(void)
{
	static const struct {
		struct str arg;
		bool bare, utf8;
		int rc;
		unsigned notify;
	} rows[] = {
		{ S("TO:<a@b>"), false, false, 0, 0 },
		{ S("TO:<>"), true, false, COMMAND_ADDRESS, 0 },
		{ S("TO:<a>"), false, false, COMMAND_ADDRESS, 0 },
		{ S("TO:<a>"), true, false, 0, 0 },
		{ S("TO:<PostMaster>"), false, false, 0, 0 },
		{ S("TO:<\xc3\xa9@b>"), false, false, COMMAND_UTF8, 0 },
		{ S("TO:<\xc3\xa9@b>"), false, true, 0, 0 },
		{ S("TO:<a@b> NOTIFY=NEVER"), false, false, 0, NOTIFY_NEVER },
		{ S("TO:<a@b> NOTIFY=success,DELAY"), false, false, 0,
		    NOTIFY_SUCCESS | NOTIFY_DELAY },
		{ S("TO:<a@b> NOTIFY=NEVER,DELAY"), false, false, COMMAND_BAD,
		    0 },
		{ S("TO:<a@b> NOTIFY="), false, false, COMMAND_BAD, 0 },
		{ S("TO:<a@b> NOTIFY=DELAY,"), false, false, COMMAND_BAD, 0 },
		{ S("TO:<a@b> NOTIFY=,DELAY"), false, false, COMMAND_BAD, 0 },
		{ S("TO:<a@b> NOTIFY=DELAY,DELAY"), false, false, COMMAND_BAD,
		    0 },
		{ S("TO:<a@b> ORCPT=rfc822;a+40b"), false, false, 0, 0 },
		{ S("TO:<a@b> ORCPT=rfc822;a+0Ab"), false, false, COMMAND_BAD,
		    0 },
		{ S("TO:<a@b> ORCPT=;a"), false, false, COMMAND_BAD, 0 },
		{ S("TO:<a@b> ORCPT=rfc822;"), false, false, COMMAND_BAD, 0 },
		{ S("TO:<a@b> ORCPT=rfc822"), false, false, COMMAND_BAD, 0 },
		{ S("TO:<a@b> ORCPT=r_c;a"), false, false, COMMAND_BAD, 0 },
		{ S("TO:<a@b> SIZE=1"), false, false, COMMAND_UNKNOWN, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rcpt_command r;
		int rc =
		    command_rcpt(rows[i].arg, rows[i].bare, rows[i].utf8, &r);

		if (!tap_ok(rc == rows[i].rc, "rcpt %zu answers %d", i, rc))
			tap_show("argument", rows[i].arg);
		if (rc == 0)
			tap_ok(r.notify == rows[i].notify,
			    "rcpt %zu: notify %u", i, r.notify);
	}
}

static void bdats(void)
{
	static const struct {
		struct str arg;
		int rc;
		uint64_t size;
		bool last;
	} rows[] = {
		{ S("0"), 0, 0, false },
		{ S("10 LAST"), 0, 10, true },
		{ S("10  last"), 0, 10, true },
		{ S("18446744073709551615"), 0, UINT64_MAX, false },
		{ S("18446744073709551616"), COMMAND_BAD, 0, false },
		{ S("-1"), COMMAND_BAD, 0, false },
		{ S("+1"), COMMAND_BAD, 0, false },
		{ S("0x10"), COMMAND_BAD, 0, false },
		{ S(""), COMMAND_BAD, 0, false },
		{ S("LAST"), COMMAND_BAD, 0, false },
		{ S("1 FIRST"), COMMAND_BAD, 0, false },
		{ S("1 LAST LAST"), COMMAND_BAD, 0, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t size = 0;
		bool last = false;
		int rc = command_bdat(rows[i].arg, &size, &last);

		tap_ok(rc == rows[i].rc &&
			   (rc != 0 ||
			       (size == rows[i].size && last == rows[i].last)),
		    "bdat %zu answers %d", i, rc);
	}
}

static void foreigners(void)
{
	static const struct {
		struct str line;
		bool foreign;
	} rows[] = {
		{ S("GET / HTTP/1.1"), true },
		{ S("post /x"), true },
		{ S("PRI * HTTP/2.0"), true },
		{ S("\x16\x03\x01"), true },
		{ S("-x"), true },
		{ S("SSH-2.0-x"), false },
		{ S("GETS"), false },
		{ S("Host: a"), false },
		{ S(""), false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tap_ok(command_is_foreign(rows[i].line) == rows[i].foreign,
		    "foreign %zu", i);
}

int main(void)
{
	splits();
	mails();
	rcpts();
	bdats();
	foreigners();
	return tap_done();
}
