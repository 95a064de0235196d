/* Records between smtpd and deliver: every rule, and what breaks each. */
#include "tests/unit/tap.h"

#include "mail/request.h"

/* clang-format off */
static const struct {
	struct str in;
	int rc;
	struct str field[REQUEST_FIELDS];
	struct str content;
} rows[] = {
	{ S("U1000\0"), 0, { S("1000") }, S("") },
	{ S("U\0"), 0, { S("") }, S("") },
	{ S("L0\0alice\0here.example\0a@b\0"), 0,
	    { S("0"), S("alice"), S("here.example"), S("a@b") }, S("") },
	{ S("L1\0a b\r\n\xff\0\0\0"), 0, { S("1"), S("a b\r\n\xff"), S("") }, S("") },
	{ S("R0\0a\0b\0a@b\0"), 0, { S("0"), S("a"), S("b"), S("a@b") }, S("") },
	{ S("S0\0" "12\0a@b\0"), 0, { S("0"), S("12"), S("a@b") }, S("") },
	{ S("S0\0" "12\0\0"), 0, { S("0"), S("12"), S("") }, S("") },
	{ S("Ma@b\0x\n"), 0, { S("a@b") }, S("x\n") },
	{ S("M\0a\0\0b"), 0, { S("") }, S("a\0\0b") },
	{ S("M\0"), 0, { S("") }, S("") },
	{ S("M"), REQUEST_BAD, { S("") }, S("") },
	{ S("Ma@b"), REQUEST_BAD, { S("") }, S("") },
	/* No letter, or another. */
	{ S(""), REQUEST_BAD, { S("") }, S("") },
	{ S("\0"), REQUEST_BAD, { S("") }, S("") },
	{ S("u1\0"), REQUEST_BAD, { S("") }, S("") },
	{ S("X"), REQUEST_BAD, { S("") }, S("") },
	{ S("s\0\0\0"), REQUEST_BAD, { S("") }, S("") },
	/* Fields too few, too many, or not ended. */
	{ S("U"), REQUEST_BAD, { S("") }, S("") },
	{ S("U1"), REQUEST_BAD, { S("") }, S("") },
	{ S("U1\0" "2\0"), REQUEST_BAD, { S("") }, S("") },
	{ S("U1\0" "2"), REQUEST_BAD, { S("") }, S("") },
	{ S("U1\0\0"), REQUEST_BAD, { S("") }, S("") },
	{ S("L0\0alice\0"), REQUEST_BAD, { S("") }, S("") },
	{ S("L0\0alice\0here\0"), REQUEST_BAD, { S("") }, S("") },
	{ S("R0\0a\0b\0"), REQUEST_BAD, { S("") }, S("") },
	{ S("R0\0a\0b\0c\0d\0"), REQUEST_BAD, { S("") }, S("") },
	{ S("S0\0" "12\0"), REQUEST_BAD, { S("") }, S("") },
};

static const struct {
	const char *kind;
	struct str status, text;
	int rc;
	enum verdict_kind verdict;
} verdicts[] = {
	{ "D", S("2.0.0"), S("ok"), 0, VERDICT_DONE },
	{ "L", S("4.3.0"), S(""), 0, VERDICT_LATER },
	{ "N", S("5.1.1"), S("no such user"), 0, VERDICT_NEVER },
	{ "F", S("4.3.0"), S("~ !\"\\"), 0, VERDICT_FORWARD },
	{ "L", S("4.123.999"), S("x"), 0, VERDICT_LATER },
	/* The class is that of the fate. */
	{ "D", S("5.1.1"), S("ok"), REQUEST_BAD, VERDICT_DONE },
	{ "N", S("4.1.1"), S("ok"), REQUEST_BAD, VERDICT_DONE },
	{ "F", S("2.1.5"), S("ok"), REQUEST_BAD, VERDICT_DONE },
	/* Not a text. */
	{ "D", S("2.0.0"), S("a\nb"), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0.0"), S("caf\xc3\xa9"), REQUEST_BAD, VERDICT_DONE },
	{ "L", S("4.3.0"), S("\x7f"), REQUEST_BAD, VERDICT_DONE },
	/* Not a kind. */
	{ "", S("2.0.0"), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "DD", S("2.0.0"), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "d", S("2.0.0"), S(""), REQUEST_BAD, VERDICT_DONE },
	/* Not a status. */
	{ "D", S(""), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2"), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0"), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0."), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2..0."), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0.0.0"), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0.0."), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.1234.0"), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0.1234"), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0.x"), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2 0.0.0"), S(""), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0.0 "), S(""), REQUEST_BAD, VERDICT_DONE },
	/* What must not get into a reply. */
	{ "D", S("2.0.0"), S("a\r\nb"), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0.0"), S("\x7f"), REQUEST_BAD, VERDICT_DONE },
	{ "D", S("2.0.0"), S("\xc3\xa4"), REQUEST_BAD, VERDICT_DONE },
};
/* clang-format on */

static void parse_rows(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++) {
		char *octets = tap_exact(rows[i].in);
		struct str in = str_at(octets, rows[i].in.n);
		struct request r;
		int rc = request_parse(in, &r);

		tap_ok(rc == rows[i].rc, "request %zu: %d", i, rc);
		for (unsigned f = 0; rc == 0 && f < r.rule->nfields; f++)
			tap_same(r.field[f], rows[i].field[f],
			    "request %zu, field %u", i, f);
		if (rc == 0)
			tap_same(r.content, rows[i].content,
			    "request %zu, content", i);
		free(octets);
	}
}

/* Cut anywhere in its fields a record is none. */
static void parse_pieces(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++) {
		struct request r;
		bool all = true;

		size_t fields = rows[i].in.n - rows[i].content.n;

		for (size_t n = 0; n < fields && rows[i].rc == 0; n++) {
			char *octets = tap_exact(str_head(rows[i].in, n));

			all = all && request_parse(str_at(octets, n), &r) != 0;
			free(octets);
		}
		tap_ok(all, "request %zu, cut", i);
	}
}

static void rules(void)
{
	static const char letters[] = "UALRSM";

	for (unsigned c = 0; c < 256; c++) {
		const struct request_rule *r = request_rule((char)c);
		bool known = c != 0 && strchr(letters, (int)c) != NULL;

		if ((r != NULL) != known)
			tap_ok(false, "rule for %u", c);
		if (r == NULL)
			continue;
		tap_ok(r->letter == (char)c && r->nfields <= REQUEST_FIELDS &&
			   (r->idle || r->open),
		    "rule for %c", c);
	}
	tap_ok(request_rule('S')->fd && !request_rule('S')->idle &&
		   request_rule('S')->open,
	    "S has a descriptor, and recipients before it");
	tap_ok(!request_rule('M')->fd && !request_rule('M')->idle &&
		   request_rule('M')->open && request_rule('M')->content,
	    "M has content, and recipients before it");
	tap_ok(request_rule('R')->idle && request_rule('R')->open &&
		   !request_rule('R')->answered,
	    "R comes once or often, without an answer");
	tap_ok(!request_rule('L')->open && !request_rule('U')->open,
	    "questions do not come between recipients and message");
}

static void write_and_read(void)
{
	char text[64];
	struct buf b = BUF(text);
	struct request r;

	buf_putz(&b, "what was there");
	request_begin(&b, 'R');
	request_field(&b, STR("0"));
	request_field(&b, STR("a b"));
	request_field(&b, STR(""));
	request_field(&b, STR("a@b"));
	tap_ok(!b.full && request_parse(buf_str(&b), &r) == 0, "R fits");
	tap_same(r.field[1], STR("a b"), "its local part");
	tap_same(r.field[3], STR("a@b"), "its address");

	request_begin(&b, 'U');
	request_field(&b, STR("1\0"
			      "2"));
	tap_ok(b.full, "no NUL in a field");
	request_begin(&b, 'U');
	tap_ok(!b.full, "a new record begins empty");
	request_field(&b, tap_run('x', 62));
	tap_ok(!b.full && b.n == 64, "64 octets fit");
	request_begin(&b, 'U');
	request_field(&b, tap_run('x', 63));
	tap_ok(b.full, "65 do not");
}

static void limits(void)
{
	char text[REQUEST_MAX + 2];
	struct buf b = BUF(text);
	struct request r;

	for (size_t n = REQUEST_MAX - 1; n <= REQUEST_MAX + 1; n++) {
		request_begin(&b, 'U');
		request_field(&b, tap_run('1', n - 2));
		tap_ok(
		    (request_parse(buf_str(&b), &r) == 0) == (n <= REQUEST_MAX),
		    "a record of %zu octets", n);
		b.p[0] = 'u';
		tap_ok((request_answer(buf_str(&b), 'u', 1, &r) == 0) ==
			   (n <= REQUEST_MAX),
		    "an answer of %zu octets", n);
	}
}

static void answers(void)
{
	struct request r;

	tap_ok(request_answer(STR("ualice\0"), 'u', 1, &r) == 0 &&
		   r.rule == NULL && str_eq(r.field[0], STR("alice")),
	    "a name");
	tap_ok(request_answer(STR("u\0"), 'u', 1, &r) == 0 && r.field[0].n == 0,
	    "no name");
	tap_ok(request_answer(STR("l\0"), 'u', 1, &r) != 0, "other letter");
	tap_ok(request_answer(STR(""), 'u', 1, &r) != 0, "nothing");
	tap_ok(request_answer(STR("u"), 'u', 1, &r) != 0, "no field");
	tap_ok(request_answer(STR("ua\0b\0"), 'u', 1, &r) != 0, "two fields");
	tap_ok(request_answer(STR("ua\0"), 'u', REQUEST_FIELDS + 1, &r) != 0,
	    "more fields than there can be");
}

static void verdict_rows(void)
{
	for (size_t i = 0; i < TAP_N(verdicts); i++) {
		struct request r = { .field = { str_of(verdicts[i].kind),
					 verdicts[i].status,
					 verdicts[i].text } };
		struct verdict v;
		int rc = verdict_get(&r, &v);

		tap_ok(rc == verdicts[i].rc &&
			   (rc != 0 || v.kind == verdicts[i].verdict),
		    "verdict %zu", i);
	}
}

static void verdict_text(void)
{
	for (size_t n = REQUEST_TEXT_MAX; n <= REQUEST_TEXT_MAX + 1; n++) {
		struct request r = { .field = { STR("D"), STR("2.0.0"),
					 tap_run('t', n) } };
		struct verdict v;

		tap_ok((verdict_get(&r, &v) == 0) == (n <= REQUEST_TEXT_MAX),
		    "a text of %zu", n);
	}
}

static void verdict_and_back(void)
{
	static const enum verdict_kind kinds[] = { VERDICT_DONE, VERDICT_LATER,
		VERDICT_NEVER, VERDICT_FORWARD };
	static const struct str status[] = { S("2.1.5"), S("4.2.2"), S("5.7.1"),
		S("4.3.0") };
	char text[REQUEST_MAX];

	for (size_t n = 158; n <= 162; n++)
		for (unsigned i = 0; i < TAP_N(kinds); i++) {
			struct buf b = BUF(text);
			struct verdict in = { kinds[i], status[i],
				tap_run('t', n) };
			struct verdict out;
			struct request r;

			request_begin(&b, 'l');
			verdict_put(&b, &in);
			tap_ok(request_answer(buf_str(&b), 'l', 3, &r) == 0 &&
				   verdict_get(&r, &out) == 0 &&
				   out.kind == in.kind &&
				   str_eq(out.status, in.status) &&
				   out.text.n == (n < REQUEST_TEXT_MAX
							 ? n
							 : REQUEST_TEXT_MAX),
			    "verdict %u with a text of %zu", i, n);
		}
}

/* clang-format off */
static const struct {
	struct str in;
	int rc;
	bool mailboxes;
	unsigned n; /* addresses */
} lists[] = {
	{ S("g0\0\0a@b\0\0"), 0, false, 1 },
	{ S("g1\0s@b\0a@b\0o@b\0c@d\0\0"), 0, true, 2 },
	{ S("g1\0\0\0\0"), 0, true, 1 },
	{ S("g2\0\0a@b\0\0"), REQUEST_BAD, false, 0 },
	{ S("g\0\0a@b\0\0"), REQUEST_BAD, false, 0 },
	{ S("g1\0"), REQUEST_BAD, false, 0 },
	{ S("g1\0\0"), REQUEST_BAD, false, 0 },
	{ S("g1\0s"), REQUEST_BAD, false, 0 },
	{ S("g1"), REQUEST_BAD, false, 0 },
	{ S("g1\0\0a@b\0"), REQUEST_BAD, false, 0 },
	{ S("g1\0\0a@b"), REQUEST_BAD, false, 0 },
	{ S("g1\0\0a@b\0o"), REQUEST_BAD, false, 0 },
	{ S("g1\0\0a@b\0o\0c\0"), REQUEST_BAD, false, 0 },
	{ S("l1\0\0a@b\0\0"), REQUEST_BAD, false, 0 },
	{ S(""), REQUEST_BAD, false, 0 },
};
/* clang-format on */

static void forwards_rows(void)
{
	static char text[REQUEST_FORWARDS_MAX + 8];
	struct forwards f;

	for (size_t i = 0; i < TAP_N(lists); i++) {
		char *octets = tap_exact(lists[i].in);
		int rc = request_forwards(str_at(octets, lists[i].in.n), &f);
		struct str address, owner;
		unsigned n = 0;

		tap_ok(rc == lists[i].rc, "forwards %zu: %d", i, rc);
		while (
		    rc == 0 && request_forward(&f.list, &address, &owner) == 0)
			n++;
		if (rc == 0)
			tap_ok(n == lists[i].n && f.list.n == 0 &&
				   f.mailboxes == lists[i].mailboxes,
			    "forwards %zu: %u addresses", i, n);
		free(octets);
	}
	memset(text, 'x', sizeof(text));
	memcpy(text, "g0\0", 4);
	text[4 + REQUEST_FORWARDS_MAX - 2] = '\0';
	text[4 + REQUEST_FORWARDS_MAX - 1] = '\0';
	text[4 + REQUEST_FORWARDS_MAX] = '\0';
	tap_ok(
	    request_forwards(str_at(text, 4 + REQUEST_FORWARDS_MAX), &f) == 0,
	    "the longest list");
	text[4 + REQUEST_FORWARDS_MAX - 2] = 'x';
	tap_ok(
	    request_forwards(str_at(text, 5 + REQUEST_FORWARDS_MAX), &f) != 0,
	    "a longer one");
	tap_ok(request_sum(STR("a\0\0")) != request_sum(STR("b\0\0")) &&
		   request_sum(STR("")) <= REQUEST_SUM_MASK,
	    "lists are told from each other");
}

static void longest(void)
{
	static char text[REQUEST_WHOLE_MAX + 1];
	struct request r;

	memset(text, 'x', sizeof(text));
	text[0] = 'M';
	text[REQUEST_MAX - 1] = '\0';
	tap_ok(request_parse(str_at(text, REQUEST_WHOLE_MAX), &r) == 0 &&
		   r.content.n == REQUEST_CONTENT_MAX,
	    "the longest field and the longest content");
	tap_ok(request_parse(str_at(text, REQUEST_WHOLE_MAX + 1), &r) != 0,
	    "more content");
	text[REQUEST_MAX - 1] = 'x';
	text[REQUEST_MAX] = '\0';
	tap_ok(request_parse(str_at(text, REQUEST_MAX + 1), &r) != 0,
	    "a longer field");
	text[0] = 'U';
	text[2] = '\0';
	tap_ok(request_parse(str_at(text, REQUEST_MAX), &r) != 0,
	    "content where none may be");
}

int main(void)
{
	longest();
	forwards_rows();
	parse_rows();
	parse_pieces();
	rules();
	write_and_read();
	limits();
	answers();
	verdict_rows();
	verdict_text();
	verdict_and_back();
	return tap_done();
}
