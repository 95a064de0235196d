/*
 * Queue files: what is written is read again, and nothing else is read.
 * Long because of its tables.
 */
#include "tests/unit/tap.h"

#include <errno.h>

#include "mail/qfile.h"

/* The second octets of slots as the header counts them. */
static const char *const example =
    "PQ1\n000001700000000\n000003\n000001700000300\nH\nW\n"
    "14:a@here.example\n3:abc\n4:FULL\n8:8BITMIME\n2:su\n00002\n";

static struct qfile_head head(void)
{
	return (struct qfile_head){ .arrival_s = 1700000000,
		.next_s = 1700000300,
		.attempts = 3,
		.held = true,
		.warned = true,
		.submitted = true,
		.utf8 = true,
		.body = QFILE_8BIT,
		.ret = 'F',
		.sender = STR("a@here.example"),
		.envid = STR("abc"),
		.nrcpt = 2 };
}

static struct qfile_rcpt rcpt(void)
{
	return (struct qfile_rcpt){ .status = QFILE_FAILED,
		.notify = NOTIFY_FAILURE | NOTIFY_DELAY,
		.code = STR("5.1.1"),
		.text = STR("no such user"),
		.address = STR("bob@away.example"),
		.orcpt = STR("rfc822;bob@away.example") };
}

static bool same_head(const struct qfile_head *a, const struct qfile_head *b)
{
	return a->arrival_s == b->arrival_s && a->next_s == b->next_s &&
	       a->attempts == b->attempts && a->held == b->held &&
	       a->warned == b->warned && a->submitted == b->submitted &&
	       a->utf8 == b->utf8 && a->requiretls == b->requiretls &&
	       a->report == b->report && a->body == b->body &&
	       a->ret == b->ret && str_eq(a->sender, b->sender) &&
	       str_eq(a->envid, b->envid) && a->nrcpt == b->nrcpt;
}

static bool same_rcpt(const struct qfile_rcpt *a, const struct qfile_rcpt *b)
{
	return a->status == b->status && a->notify == b->notify &&
	       str_eq(a->code, b->code) && str_eq(a->text, b->text) &&
	       str_eq(a->address, b->address) && str_eq(a->orcpt, b->orcpt);
}

/* RFC 3720 B.4, and the sum of the digits. */
static void crc(void)
{
	char up[32];

	for (unsigned i = 0; i < sizeof(up); i++)
		up[i] = (char)i;
	tap_ok(qfile_crc(0, STR("123456789")) == 0xe3069283, "crc of digits");
	tap_ok(qfile_crc(0, tap_run('\0', 32)) == 0x8a9136aa, "crc of zeros");
	tap_ok(qfile_crc(0, tap_run('\xff', 32)) == 0x62a8ab43, "crc of ones");
	tap_ok(qfile_crc(0, str_at(up, 32)) == 0x46dd794e, "crc of 0 to 31");
	for (size_t i = 0; i <= 9; i++)
		if (qfile_crc(qfile_crc(0, str_head(STR("123456789"), i)),
			str_skip(STR("123456789"), i)) != 0xe3069283)
			tap_ok(false, "crc cut at %zu", i);
	tap_ok(qfile_crc(7, STR("")) == 7, "crc of nothing");
}

static void layout(void)
{
	char text[QFILE_HEAD_MAX + QFILE_RCPT_OCTETS];
	struct buf b = BUF(text);
	struct qfile_sum sum = { 0 };
	struct qfile_head h = head();
	struct qfile_rcpt r = rcpt();
	size_t at;

	qfile_put_head(&sum, &b, &h);
	tap_same(buf_str(&b), str_of(example), "a head");
	tap_same(
	    str_at(text + QFILE_AT_ATTEMPTS, 6), STR("000003"), "its attempts");
	tap_same(str_at(text + QFILE_AT_NEXT, 15), STR("000001700000300"),
	    "its next attempt");
	tap_ok(text[QFILE_AT_HELD] == 'H' && text[QFILE_AT_WARNED] == 'W',
	    "its marks");
	at = b.n;
	qfile_put_rcpt(&sum, &b, &r);
	tap_ok(text[at + QFILE_AT_STATUS] == 'F', "a recipient's status");
	tap_same(str_at(text + at + QFILE_AT_CODE, 10), STR("5.1.1    \n"),
	    "his code");
	tap_same(str_at(text + at + QFILE_AT_TEXT, 16), STR("no such user    "),
	    "his text");
	tap_same(str_at(text + at + QFILE_AT_TEXT + QFILE_TEXT_MAX, b.n),
	    str_at(text + at + 174, b.n), "where the text ends");
	tap_ok(sum.octets == b.n, "all octets count");
	qfile_add_content(&sum, STR("Subject: x\n\nbody\n"));
	tap_ok(sum.octets == b.n + 17, "content counts");
	buf_clear(&b);
	sum = (struct qfile_sum){ 0x89abcdef, 1234 };
	qfile_put_end(&sum, &b);
	tap_same(
	    buf_str(&b), STR("END 00000000000000001234 89abcdef\n"), "an end");
	tap_ok(b.n == QFILE_END_OCTETS, "its size");
}

/* Cut at every octet it asks for more; whole, with anything behind, it does
 * not look further. */
static void pieces(void)
{
	char text[QFILE_HEAD_MAX + QFILE_RCPT_OCTETS];
	struct buf b = BUF(text);
	struct qfile_sum sum = { 0 }, read = { 0 };
	struct qfile_head h = head(), g;
	struct qfile_rcpt r = rcpt(), q;
	size_t used = 0, n, at;
	bool more = true;

	qfile_put_head(&sum, &b, &h);
	n = b.n;
	qfile_put_rcpt(&sum, &b, &r);
	for (size_t i = 0; i < n; i++) {
		char *p = tap_exact(str_at(text, i));

		more = more && qfile_get_head(str_at(p, i), &g, &used, &read) ==
				   QFILE_MORE;
		free(p);
	}
	tap_ok(more && used == 0 && read.octets == 0, "a head cut anywhere");
	tap_ok(qfile_get_head(buf_str(&b), &g, &used, &read) == 0 &&
		   used == n && same_head(&h, &g),
	    "a head");
	at = used;
	used = 0;
	for (size_t i = 0; i < b.n - at; i++) {
		char *p = tap_exact(str_at(text + at, i));

		more = more && qfile_get_rcpt(str_at(p, i), &q, &used, &read) ==
				   QFILE_MORE;
		free(p);
	}
	tap_ok(more && used == 0, "a recipient cut anywhere");
	tap_ok(
	    qfile_get_rcpt(str_skip(buf_str(&b), at), &q, &used, &read) == 0 &&
		used == b.n - at && same_rcpt(&r, &q),
	    "a recipient");
	tap_ok(read.crc == sum.crc && read.octets == sum.octets,
	    "read as it was summed up");
}

/* Every octet that is not of a slot changes the sum, or is no file; every
 * octet of a slot leaves it. */
static void damage(void)
{
	char text[QFILE_HEAD_MAX + QFILE_RCPT_OCTETS];
	struct buf b = BUF(text);
	struct qfile_sum sum = { 0 };
	struct qfile_head h = head();
	struct qfile_rcpt r = rcpt();
	size_t n, missed = 0, slots = 0;

	qfile_put_head(&sum, &b, &h);
	n = b.n;
	qfile_put_rcpt(&sum, &b, &r);
	for (size_t i = 0; i < b.n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct qfile_sum read = { 0 };
			size_t used = 0, more = 0;
			int rc;

			text[i] ^= (char)(1u << bit);
			rc = qfile_get_head(buf_str(&b), &h, &used, &read);
			if (rc == 0)
				rc = qfile_get_rcpt(str_skip(buf_str(&b), used),
				    &r, &more, &read);
			if (rc == 0 && used + more == b.n &&
			    read.crc == sum.crc) {
				size_t at = i < n ? i : i - n;
				bool slot =
				    i < n ? at >= QFILE_AT_ATTEMPTS &&
						at <= QFILE_AT_WARNED
					  : at == QFILE_AT_STATUS ||
						(at >= QFILE_AT_CODE &&
						    at < QFILE_AT_TEXT +
							     QFILE_TEXT_MAX);
				slots++;
				missed += !slot;
			}
			text[i] ^= (char)(1u << bit);
		}
	tap_ok(missed == 0, "every damaged octet is seen (%zu not)", missed);
	tap_ok(slots > 100, "what changes may change (%zu times)", slots);
}

/* clang-format off */
static const struct {
	const char *from, *to; /* in the example */
	int rc;
} heads[] = {
	{ "PQ1", "PQ2", QFILE_VERSION },
	{ "PQ1\n", "PQ10", QFILE_VERSION },
	{ "PQ1", "pq1", QFILE_BAD },
	{ "PQ1", "QP1", QFILE_BAD },
	{ "000003\n", " 00003\n", QFILE_BAD },
	{ "000003\n", "000003 ", QFILE_BAD },
	{ "000003\n", "-00003\n", QFILE_BAD },
	{ "H\n", "h\n", QFILE_BAD },
	{ "H\n", "-\n", 0 },
	{ "H\n", "W\n", QFILE_BAD },
	{ "W\n", "-\n", 0 },
	{ "W\n", "H\n", QFILE_BAD },
	{ "14:a@", "014:a@", QFILE_BAD },
	{ "14:a@", "13:a@", QFILE_BAD },
	{ "14:a@", "15:a@", QFILE_BAD },
	{ "14:a@", ":a@", QFILE_BAD },
	{ "14:a@", "+14:a@", QFILE_BAD },
	{ "14:a@", "14 :a@", QFILE_BAD },
	{ "14:a@", "99999999999999999999:a@", QFILE_BAD },
	{ "14:a@", "14:a\n", QFILE_BAD },
	{ "14:a@", "14:\ra", QFILE_BAD },
	{ "14:a@", "14:a\x7f", QFILE_BAD },
	{ "14:a@", "14:\xc3\xa4", 0 },
	{ "14:a@here.example", "0:", 0 },
	{ "3:abc", "0:", 0 },
	{ "3:abc", "3:a c", QFILE_BAD },
	{ "3:abc", "3:a=c", QFILE_BAD },
	{ "3:abc", "3:+2B", 0 },
	{ "3:abc", "3:+2b", QFILE_BAD },
	{ "4:FULL", "4:HDRS", 0 },
	{ "4:FULL", "0:", 0 },
	{ "4:FULL", "4:full", QFILE_BAD },
	{ "4:FULL", "3:FUL", QFILE_BAD },
	{ "4:FULL", "1:F", QFILE_BAD },
	{ "8:8BITMIME", "4:7BIT", 0 },
	{ "8:8BITMIME", "10:BINARYMIME", 0 },
	{ "8:8BITMIME", "4:8BIT", QFILE_BAD },
	{ "8:8BITMIME", "0:", QFILE_BAD },
	{ "2:su", "4:sutb", 0 },
	{ "2:su", "0:", 0 },
	{ "2:su", "1:b", 0 },
	{ "2:su", "2:us", QFILE_BAD },
	{ "2:su", "2:ss", QFILE_BAD },
	{ "2:su", "2:sx", QFILE_BAD },
	{ "2:su", "5:sutbs", QFILE_BAD },
	{ "00002", "00000", QFILE_BAD },
	{ "00002", "00001", 0 },
	{ "00002", "04096", 0 },
	{ "00002", "04097", QFILE_BAD },
};

static const struct {
	const char *in; /* the text's slot stands as a single % */
	int rc;
} rcpts[] = {
	{ "N\n0\n         \n%\n1:a\n0:\n", 0 },
	{ "T\n1\n4.123.999\n%\n1:a\n3:a;b\n", 0 },
	{ "D\n2\n2.0.0    \n%\n1:a\n3:a;b\n", 0 },
	{ "S\ne\n2.0.0    \n%\n1:a\n3:a;b\n", 0 },
	{ "R\n8\n5.0.0    \n%\n1:a\n3:a;b\n", 0 },
	{ "B\n8\n5.0.0    \n%\n1:a\n3:a;b\n", 0 },
	{ "X\n0\n         \n%\n1:a\n0:\n", QFILE_BAD },
	{ "n\n0\n         \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n3\n         \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\nf\n         \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\nA\n         \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\ng\n         \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n 5.0.0   \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n3.0.0    \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n55.0.0   \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n5.0      \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n5.0.0.0  \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n5.0.0.   \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n5..0     \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n5.1000.0 \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n5.0.0\n   \n%\n1:a\n0:\n", QFILE_BAD },
	{ "N\n0\n         \n%\n0:\n0:\n", QFILE_BAD },
	{ "N\n0\n         \n%\n2:a\n\n0:\n", QFILE_BAD },
	{ "N\n0\n         \n%\n1:a\n1:a\n", QFILE_BAD },
	{ "N\n0\n         \n%\n1:a\n2:a;\n", QFILE_BAD },
	{ "N\n0\n         \n%\n1:a\n2:;a\n", QFILE_BAD },
	{ "N\n0\n         \n%\n1:a\n3:.;a\n", QFILE_BAD },
	{ "N\n0\n         \n%\n1:a\n3:a; \n", QFILE_BAD },
};

static const struct {
	const char *in;
	int rc;
} ends[] = {
	{ "END 00000000000000001234 89abcdef\n", 0 },
	{ "END 18446744073709551615 ffffffff\n", 0 },
	{ "END 18446744073709551616 ffffffff\n", QFILE_BAD },
	{ "END 00000000000000001234 89ABCDEF\n", QFILE_BAD },
	{ "END 00000000000000001234 89abcdeg\n", QFILE_BAD },
	{ "END 0000000000000000123x 89abcdef\n", QFILE_BAD },
	{ "END 00000000000000001234 89abcdef ", QFILE_BAD },
	{ "END 00000000000000001234\n89abcdef\n", QFILE_BAD },
	{ "end 00000000000000001234 89abcdef\n", QFILE_BAD },
	{ "END 00000000000000001234 89abcdef\n\n", QFILE_BAD },
	{ "END 00000000000000001234 89abcdef", QFILE_BAD },
	{ "", QFILE_BAD },
};
/* clang-format on */

/* `in` with the first `from` in it become `to`, behind which comes more. */
static struct str change(
    char *room, size_t cap, const char *in, const char *from, const char *to)
{
	struct buf b = { .p = room, .cap = cap };
	const char *at = strstr(in, from);

	if (at == NULL)
		abort();
	buf_put(&b, str_at(in, (size_t)(at - in)));
	buf_putz(&b, to);
	buf_putz(&b, at + strlen(from));
	return buf_str(&b);
}

static void head_rows(void)
{
	char room[QFILE_HEAD_MAX], again[QFILE_HEAD_MAX];

	for (size_t i = 0; i < TAP_N(heads); i++) {
		struct str in = change(
		    room, sizeof(room), example, heads[i].from, heads[i].to);
		struct buf b = BUF(again);
		struct qfile_sum sum = { 0 };
		struct qfile_head h;
		size_t used;
		int rc = qfile_get_head(in, &h, &used, NULL);

		if (rc == QFILE_MORE && heads[i].rc == QFILE_BAD)
			rc = QFILE_BAD; /* a length beyond the end */
		tap_ok(rc == heads[i].rc, "head %zu: %d", i, rc);
		if (rc != 0)
			continue;
		qfile_put_head(&sum, &b, &h);
		tap_same(buf_str(&b), in, "written again");
	}
}

static void rcpt_rows(void)
{
	char room[QFILE_RCPT_OCTETS], again[QFILE_RCPT_OCTETS];
	char text[QFILE_TEXT_MAX + 1];

	memset(text, ' ', QFILE_TEXT_MAX);
	text[QFILE_TEXT_MAX] = '\0';
	for (size_t i = 0; i < TAP_N(rcpts); i++) {
		struct str in =
		    change(room, sizeof(room), rcpts[i].in, "%", text);
		struct buf b = BUF(again);
		struct qfile_sum sum = { 0 };
		struct qfile_rcpt r;
		size_t used;
		int rc = qfile_get_rcpt(in, &r, &used, NULL);

		tap_ok(rc == rcpts[i].rc, "recipient %zu: %d", i, rc);
		if (rc != 0)
			continue;
		qfile_put_rcpt(&sum, &b, &r);
		tap_same(buf_str(&b), in, "written again");
	}
	for (unsigned c = 0; c < 256; c++) {
		struct qfile_rcpt r;
		size_t used;
		struct str in;

		text[7] = (char)(c ? c : 1);
		in = change(room, sizeof(room), rcpts[0].in, "%", text);
		if ((qfile_get_rcpt(in, &r, &used, NULL) == 0) !=
		    (c >= ' ' && c <= '~'))
			tap_ok(false, "octet %u in a text", c);
	}
}

static void end_rows(void)
{
	for (size_t i = 0; i < TAP_N(ends); i++) {
		uint64_t octets;
		uint32_t sum;
		char *p = tap_exact(str_of(ends[i].in));
		int rc =
		    qfile_get_end(str_at(p, strlen(ends[i].in)), &octets, &sum);

		tap_ok(rc == ends[i].rc, "end %zu: %d", i, rc);
		if (i == 0)
			tap_ok(octets == 1234 && sum == 0x89abcdef,
			    "what it says");
		free(p);
	}
}

/* The longest of everything fits; one octet more is not written. */
static void head_limits(void)
{
	char text[QFILE_HEAD_MAX];
	struct qfile_head most = { .arrival_s = 999999999999999,
		.next_s = 999999999999999,
		.attempts = 999999,
		.held = true,
		.warned = true,
		.submitted = true,
		.utf8 = true,
		.requiretls = true,
		.report = true,
		.body = QFILE_BINARY,
		.ret = 'H',
		.sender = tap_run('a', ADDR_TEXT_MAX),
		.envid = tap_run('e', ENVID_MAX),
		.nrcpt = QFILE_RCPT_MAX };
	struct qfile_head over[] = { most, most, most, most, most, most, most,
		most };
	struct buf b = BUF(text);
	struct qfile_sum sum = { 0 };
	struct qfile_head h;
	size_t used;

	qfile_put_head(&sum, &b, &most);
	tap_ok(!b.full, "the longest head, %zu octets", b.n);
	tap_ok(qfile_get_head(buf_str(&b), &h, &used, NULL) == 0 &&
		   same_head(&h, &most),
	    "is read again");
	over[0].arrival_s++;
	over[1].next_s++;
	over[2].attempts++;
	over[3].sender.n++;
	over[4].envid.n++;
	over[5].nrcpt++;
	over[6].nrcpt = 0;
	over[7].arrival_s = -1;
	for (size_t i = 0; i < TAP_N(over); i++) {
		struct qfile_sum none = { 0 };

		buf_clear(&b);
		qfile_put_head(&none, &b, &over[i]);
		tap_ok(b.full && none.octets == 0, "head over limit %zu", i);
	}
}

static void rcpt_limits(void)
{
	char text[QFILE_RCPT_OCTETS];
	char orcpt[QFILE_ORCPT_MAX + 2];
	struct qfile_rcpt most = { .status = QFILE_REPORTED,
		.notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY,
		.code = STR("5.123.456"),
		.text = tap_run('t', QFILE_TEXT_MAX),
		.address = tap_run('\xfe', ADDR_TEXT_MAX),
		.orcpt = str_at(orcpt, QFILE_ORCPT_MAX) };
	struct qfile_rcpt over[] = { most, most, most, most, most };
	struct buf b = BUF(text);
	struct qfile_sum sum = { 0 };
	struct qfile_rcpt r;
	size_t used;

	memset(orcpt, 'o', sizeof(orcpt));
	orcpt[1] = ';';
	qfile_put_rcpt(&sum, &b, &most);
	tap_ok(!b.full, "the longest recipient, %zu octets", b.n);
	tap_ok(qfile_get_rcpt(buf_str(&b), &r, &used, NULL) == 0 &&
		   same_rcpt(&r, &most),
	    "is read again");
	over[0].notify = 16;
	over[1].code = STR("5.123.4567");
	over[2].address.n++;
	over[3].address.n = 0;
	over[4].orcpt.n++;
	for (size_t i = 0; i < TAP_N(over); i++) {
		buf_clear(&b);
		qfile_put_rcpt(&sum, &b, &over[i]);
		tap_ok(b.full, "recipient over limit %zu", i);
	}
	b = (struct buf){ text, 0, 100, false };
	sum = (struct qfile_sum){ 0 };
	qfile_put_rcpt(&sum, &b, &most);
	tap_ok(b.full && sum.octets == 0, "no room: nothing is summed up");
}

static void slots(void)
{
	char text[QFILE_TEXT_MAX];
	struct buf b = BUF(text);

	qfile_put_text(&b, STR("a\r\nb\tc\x80 d"));
	tap_same(str_head(buf_str(&b), 8), STR("abc d   "), "printable only");
	tap_ok(b.n == QFILE_TEXT_MAX && !b.full, "as wide as its slot");
	buf_clear(&b);
	qfile_put_text(&b, tap_run('x', QFILE_TEXT_MAX + 1));
	tap_ok(b.n == QFILE_TEXT_MAX && !b.full, "a text of 161");
	buf_clear(&b);
	qfile_put_attempts(&b, 7);
	tap_same(buf_str(&b), STR("000007"), "attempts");
	buf_clear(&b);
	qfile_put_next(&b, 1700000000);
	tap_same(buf_str(&b), STR("000001700000000"), "next attempt");
	buf_clear(&b);
	qfile_put_code(&b, STR("4.4.1"));
	tap_same(buf_str(&b), STR("4.4.1    "), "code");
	buf_clear(&b);
	qfile_put_code(&b, STR("later"));
	tap_ok(b.full, "no code");
}

/* Rows: from; columns: to; in the order NTDSRFB. */
static void becoming(void)
{
	static const char letters[] = "NTDSRFB";
	static const char *const may[] = { "-yyyyyy", "y-yyyyy", "-------",
		"------y", "------y", "------y", "-------" };

	for (unsigned i = 0; i < 7; i++)
		for (unsigned k = 0; k < 7; k++)
			tap_ok(qfile_may_become((enum qfile_status)letters[i],
				   (enum qfile_status)letters[k]) ==
				   (may[i][k] == 'y'),
			    "%c to %c", letters[i], letters[k]);
}

int main(void)
{
	crc();
	layout();
	pieces();
	damage();
	head_rows();
	rcpt_rows();
	end_rows();
	head_limits();
	rcpt_limits();
	slots();
	becoming();
	return tap_done();
}
