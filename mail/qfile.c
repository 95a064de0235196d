/*
 * The octets of a queue file, see mail/qfile.h.  Writer and reader share one
 * table of what changes, so that neither sums up what the other leaves out;
 * the reader takes nothing that the writer would have written otherwise.
 * Long because both are here, with the tables and rules they share.
 */
#include "mail/qfile.h"

enum {
	DIGITS_ATTEMPTS = 6,
	DIGITS_TIME = 15,
	DIGITS_NRCPT = 5,
	DIGITS_OCTETS = 20,
	DIGITS_CRC = 8,
	ATTEMPTS_MAX = 999999
};

#define TIME_MAX 999999999999999

/* --- the sum ------------------------------------------------------------- */

struct slot {
	unsigned at, n;
};

/* clang-format off */
static const struct slot head_slots[] = {
	{ QFILE_AT_ATTEMPTS,	DIGITS_ATTEMPTS },
	{ QFILE_AT_NEXT,	DIGITS_TIME },
	{ QFILE_AT_HELD,	1 },
	{ QFILE_AT_WARNED,	1 },
	{ 0,			0 }
};
static const struct slot rcpt_slots[] = {
	{ QFILE_AT_STATUS,	1 },
	{ QFILE_AT_CODE,	QFILE_STATUS_MAX },
	{ QFILE_AT_TEXT,	QFILE_TEXT_MAX },
	{ 0,			0 }
};
/* clang-format on */

/* A whole head or recipient: all of it counts, its slots are not summed up. */
static void sum_add(
    struct qfile_sum *sum, struct str s, const struct slot *slot)
{
	size_t at = 0;

	for (; slot->n > 0; slot++) {
		sum->crc = qfile_crc(sum->crc, str_at(s.p + at, slot->at - at));
		at = slot->at + slot->n;
	}
	sum->crc = qfile_crc(sum->crc, str_skip(s, at));
	sum->octets += s.n;
}

void qfile_add_content(struct qfile_sum *sum, struct str content)
{
	sum->crc = qfile_crc(sum->crc, content);
	sum->octets += content.n;
}

/* --- what a value may be ------------------------------------------------- */

/* Nothing that ends a line, here or in SMTP. */
static bool is_address(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n <= ADDR_TEXT_MAX;
}

static bool is_envid(struct str s)
{
	return s.n <= ENVID_MAX && xtext_valid(s);
}

static bool is_orcpt(struct str s)
{
	size_t semi = str_find(s, ';');

	if (s.n == 0)
		return true;
	for (size_t i = 0; i < semi; i++)
		if (!str_isalpha(s.p[i]) && !str_isdigit(s.p[i]) &&
		    s.p[i] != '-')
			return false;
	return s.n <= QFILE_ORCPT_MAX && semi > 0 && semi + 1 < s.n &&
	       xtext_valid(str_skip(s, semi + 1));
}

/* "5.1.10", or empty. */
static bool is_code(struct str s)
{
	struct str part;

	if (s.n == 0)
		return true;
	if (s.n > QFILE_STATUS_MAX || s.p[s.n - 1] == '.')
		return false;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t n;

		if (!str_cut(&s, '.', &part) || part.n > 3 ||
		    str_u64(part, &n) != 0)
			return false;
		if (i == 0 && (part.n > 1 || (n != 2 && n != 4 && n != 5)))
			return false;
	}
	return s.n == 0;
}

static bool is_printable(char c)
{
	return c >= ' ' && c <= '~';
}

static bool is_notify(unsigned notify)
{
	return notify < 16 &&
	       ((notify & NOTIFY_NEVER) == 0 || notify == NOTIFY_NEVER);
}

static bool is_status(char c)
{
	return c != '\0' && str_find(STR("NTDSRFB"), c) < 7;
}

/* What a recipient may become; the order in which a status goes forward. */
bool qfile_may_become(enum qfile_status from, enum qfile_status to)
{
	switch (from) {
	case QFILE_NEW:
		return to != QFILE_NEW;
	case QFILE_TRIED:
		return to != QFILE_TRIED;
	case QFILE_STORED:
	case QFILE_RELAYED:
	case QFILE_FAILED:
		return to == QFILE_REPORTED;
	case QFILE_DONE:
	case QFILE_REPORTED:
		return false;
	}
	return false;
}

/* --- writing ------------------------------------------------------------- */

static const char *const bodies[] = { [QFILE_7BIT] = "7BIT",
	[QFILE_8BIT] = "8BITMIME",
	[QFILE_BINARY] = "BINARYMIME" };

enum { NBODIES = sizeof(bodies) / sizeof(bodies[0]) };

static struct str ret_text(char ret)
{
	if (ret == 'F')
		return STR("FULL");
	return ret == 'H' ? STR("HDRS") : STR("");
}

static const struct {
	char letter;
	size_t at;
} flags[] = {
	{ 's', offsetof(struct qfile_head, submitted) },
	{ 'u', offsetof(struct qfile_head, utf8) },
	{ 't', offsetof(struct qfile_head, requiretls) },
	{ 'b', offsetof(struct qfile_head, report) },
};

enum { NFLAGS = sizeof(flags) / sizeof(flags[0]) };

/* What would not be read again is not written. */
static void demand(struct buf *b, bool good)
{
	if (!good)
		b->full = true;
}

static void put_number(
    struct buf *b, int64_t v, int64_t least, int64_t most, unsigned width)
{
	demand(b, v >= least && v <= most);
	buf_u64w(b, (uint64_t)v, width);
}

static void put_line(struct buf *b, char c)
{
	buf_putc(b, c);
	buf_putc(b, '\n');
}

static void put_value(struct buf *b, struct str s, bool good)
{
	demand(b, good);
	buf_u64(b, s.n);
	buf_putc(b, ':');
	buf_put(b, s);
	buf_putc(b, '\n');
}

void qfile_put_attempts(struct buf *b, unsigned attempts)
{
	put_number(b, attempts, 0, ATTEMPTS_MAX, DIGITS_ATTEMPTS);
}

void qfile_put_next(struct buf *b, int64_t next_s)
{
	put_number(b, next_s, 0, TIME_MAX, DIGITS_TIME);
}

static void put_blanks(struct buf *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_putc(b, ' ');
}

void qfile_put_code(struct buf *b, struct str code)
{
	demand(b, is_code(code));
	buf_put(b, code);
	put_blanks(
	    b, code.n < QFILE_STATUS_MAX ? QFILE_STATUS_MAX - code.n : 0);
}

void qfile_put_text(struct buf *b, struct str text)
{
	size_t kept = 0;

	for (size_t i = 0; i < text.n && kept < QFILE_TEXT_MAX; i++)
		if (is_printable(text.p[i])) {
			buf_putc(b, text.p[i]);
			kept++;
		}
	put_blanks(b, QFILE_TEXT_MAX - kept);
}

void qfile_put_head(
    struct qfile_sum *sum, struct buf *b, const struct qfile_head *h)
{
	size_t from = b->n;
	char text[NFLAGS];
	struct buf set = BUF(text);

	for (unsigned i = 0; i < NFLAGS; i++)
		if (*(const bool *)((const char *)h + flags[i].at))
			buf_putc(&set, flags[i].letter);
	buf_putz(b, "PQ1\n");
	put_number(b, h->arrival_s, 0, TIME_MAX, DIGITS_TIME);
	buf_putc(b, '\n');
	qfile_put_attempts(b, h->attempts);
	buf_putc(b, '\n');
	qfile_put_next(b, h->next_s);
	buf_putc(b, '\n');
	put_line(b, h->held ? 'H' : '-');
	put_line(b, h->warned ? 'W' : '-');
	put_value(b, h->sender, is_address(h->sender));
	put_value(b, h->envid, is_envid(h->envid));
	put_value(b, ret_text(h->ret), true);
	put_value(b, str_of(bodies[h->body]), true);
	put_value(b, buf_str(&set), true);
	put_number(b, h->nrcpt, 1, QFILE_RCPT_MAX, DIGITS_NRCPT);
	buf_putc(b, '\n');
	if (!b->full)
		sum_add(sum, str_at(b->p + from, b->n - from), head_slots);
}

void qfile_put_rcpt(
    struct qfile_sum *sum, struct buf *b, const struct qfile_rcpt *r)
{
	size_t from = b->n;

	demand(b, is_notify(r->notify));
	put_line(b, (char)r->status);
	buf_hex(b, r->notify, 1);
	buf_putc(b, '\n');
	qfile_put_code(b, r->code);
	buf_putc(b, '\n');
	qfile_put_text(b, r->text);
	buf_putc(b, '\n');
	put_value(b, r->address, r->address.n > 0 && is_address(r->address));
	put_value(b, r->orcpt, is_orcpt(r->orcpt));
	if (!b->full)
		sum_add(sum, str_at(b->p + from, b->n - from), rcpt_slots);
}

void qfile_put_end(const struct qfile_sum *sum, struct buf *b)
{
	buf_putz(b, "END ");
	buf_u64w(b, sum->octets, DIGITS_OCTETS);
	buf_putc(b, ' ');
	buf_hex(b, sum->crc, DIGITS_CRC);
	buf_putc(b, '\n');
}

/* --- reading ------------------------------------------------------------- */

/* What is left, and what was wrong first: 0 or an enum qfile_answer. */
struct reader {
	struct str in;
	int rc;
};

static struct str take(struct reader *r, size_t n)
{
	struct str s = str_head(r->in, n);

	if (r->rc == 0 && s.n < n)
		r->rc = QFILE_MORE;
	if (r->rc != 0)
		return STR("");
	r->in = str_skip(r->in, n);
	return s;
}

static void want(struct reader *r, bool good)
{
	if (r->rc == 0 && !good)
		r->rc = QFILE_BAD;
}

static char take_char(struct reader *r)
{
	struct str s = take(r, 1);

	return s.n > 0 ? s.p[0] : '\0';
}

static void take_lf(struct reader *r)
{
	want(r, take_char(r) == '\n');
}

static uint64_t take_digits(struct reader *r, size_t width)
{
	struct str s = take(r, width);
	uint64_t v = 0;

	want(r, str_u64(s, &v) == 0);
	return v;
}

static bool take_mark(struct reader *r, char set)
{
	char c = take_char(r);

	want(r, c == set || c == '-');
	take_lf(r);
	return c == set;
}

/* Its length without a zero in front, and no more than `max` octets. */
static struct str take_value(struct reader *r, size_t max)
{
	size_t n = 0, digits = 0;
	struct str s;
	char c;

	while (r->rc == 0 && (c = take_char(r)) != ':') {
		want(r, str_isdigit(c) && (digits == 0 || n > 0));
		n = n * 10 + (size_t)(unsigned char)(c - '0');
		want(r, n <= max);
		digits++;
	}
	want(r, digits > 0);
	s = take(r, n);
	take_lf(r);
	return s;
}

/* Blank-filled; without the blanks. */
static struct str take_slot(struct reader *r, size_t width)
{
	struct str s = take(r, width);

	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

static void take_version(struct reader *r)
{
	struct str s = take(r, 2);

	want(r, s.n == 2 && str_eq(s, STR("PQ")));
	s = take(r, 2);
	if (r->rc == 0 && !str_eq(s, STR("1\n")))
		r->rc = QFILE_VERSION;
}

static void take_flags(struct reader *r, struct qfile_head *h)
{
	struct str s = take_value(r, NFLAGS);

	for (unsigned i = 0; i < NFLAGS; i++)
		if (s.n > 0 && s.p[0] == flags[i].letter) {
			*(bool *)((char *)h + flags[i].at) = true;
			s = str_skip(s, 1);
		}
	want(r, s.n == 0);
}

static enum qfile_body take_body(struct reader *r)
{
	struct str s = take_value(r, sizeof("BINARYMIME") - 1);
	unsigned i = 0;

	while (i + 1 < NBODIES && !str_eq(s, str_of(bodies[i])))
		i++;
	want(r, str_eq(s, str_of(bodies[i])));
	return (enum qfile_body)i;
}

static char take_ret(struct reader *r)
{
	struct str s = take_value(r, 4);
	char c = s.n > 0 ? s.p[0] : '\0';

	want(r, str_eq(s, ret_text(c)));
	return c;
}

static int finish(const struct reader *r, struct str in, size_t *used,
    struct qfile_sum *sum, const struct slot *slots)
{
	if (r->rc != 0)
		return r->rc;
	*used = in.n - r->in.n;
	if (sum != NULL)
		sum_add(sum, str_head(in, *used), slots);
	return 0;
}

int qfile_get_head(
    struct str in, struct qfile_head *h, size_t *used, struct qfile_sum *sum)
{
	struct reader r = { in, 0 };

	*h = (struct qfile_head){ 0 };
	take_version(&r);
	h->arrival_s = (int64_t)take_digits(&r, DIGITS_TIME);
	take_lf(&r);
	h->attempts = (unsigned)take_digits(&r, DIGITS_ATTEMPTS);
	take_lf(&r);
	h->next_s = (int64_t)take_digits(&r, DIGITS_TIME);
	take_lf(&r);
	h->held = take_mark(&r, 'H');
	h->warned = take_mark(&r, 'W');
	h->sender = take_value(&r, ADDR_TEXT_MAX);
	want(&r, is_address(h->sender));
	h->envid = take_value(&r, ENVID_MAX);
	want(&r, is_envid(h->envid));
	h->ret = take_ret(&r);
	h->body = take_body(&r);
	take_flags(&r, h);
	h->nrcpt = (unsigned)take_digits(&r, DIGITS_NRCPT);
	want(&r, h->nrcpt >= 1 && h->nrcpt <= QFILE_RCPT_MAX);
	take_lf(&r);
	return finish(&r, in, used, sum, head_slots);
}

static unsigned take_notify(struct reader *r)
{
	static const struct str hex = { "0123456789abcdef", 16 };
	char c = take_char(r);
	unsigned notify = (unsigned)str_find(hex, c);

	want(r, is_notify(notify));
	take_lf(r);
	return notify;
}

int qfile_get_rcpt(
    struct str in, struct qfile_rcpt *rcpt, size_t *used, struct qfile_sum *sum)
{
	struct reader r = { in, 0 };
	char status;

	*rcpt = (struct qfile_rcpt){ .status = QFILE_NEW };
	status = take_char(&r);
	want(&r, is_status(status));
	take_lf(&r);
	rcpt->notify = take_notify(&r);
	rcpt->code = take_slot(&r, QFILE_STATUS_MAX);
	want(&r, is_code(rcpt->code));
	take_lf(&r);
	rcpt->text = take_slot(&r, QFILE_TEXT_MAX);
	for (size_t i = 0; i < rcpt->text.n; i++)
		want(&r, is_printable(rcpt->text.p[i]));
	take_lf(&r);
	rcpt->address = take_value(&r, ADDR_TEXT_MAX);
	want(&r, rcpt->address.n > 0 && is_address(rcpt->address));
	rcpt->orcpt = take_value(&r, QFILE_ORCPT_MAX);
	want(&r, is_orcpt(rcpt->orcpt));
	if (r.rc == 0)
		rcpt->status = (enum qfile_status)status;
	return finish(&r, in, used, sum, rcpt_slots);
}

static int hex_value(char c)
{
	if (str_isdigit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int qfile_get_end(struct str in, uint64_t *octets, uint32_t *crc)
{
	struct reader r = { in, 0 };
	struct str s;

	want(&r, in.n == QFILE_END_OCTETS && str_eq(take(&r, 4), STR("END ")));
	*octets = take_digits(&r, DIGITS_OCTETS);
	want(&r, take_char(&r) == ' ');
	s = take(&r, DIGITS_CRC);
	*crc = 0;
	for (size_t i = 0; i < s.n; i++) {
		int v = hex_value(s.p[i]);

		want(&r, v >= 0);
		*crc = *crc << 4 | (uint32_t)(v & 15);
	}
	take_lf(&r);
	return r.rc == 0 ? 0 : QFILE_BAD;
}
