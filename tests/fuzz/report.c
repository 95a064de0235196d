/*
 * Reports: whatever the fields and the original hold, there are exactly three
 * parts, in a header of exactly our fields; no line is over 998 octets, there
 * is no CR and no NUL, and octets beyond ASCII only where the encoding that
 * is declared allows them; the fields of each group are counted.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/domain.h"
#include "mail/report.h"

enum { RCPTS = 3, ROOM = 512 * 1024 };

static struct str field(struct str *s)
{
	struct str v;

	str_cut(s, '\xff', &v);
	return v;
}

static struct str line(struct str *s)
{
	struct str v;

	str_cut(s, '\n', &v);
	return v;
}

static void piece(struct buf *all, const struct buf *b)
{
	HOLDS(!b->full);
	buf_put(all, buf_str(b));
}

/* Every piece in the room that is promised to be enough. */
static void build(struct buf *all, const struct report *r,
    const struct report_rcpt *rcpt, struct str original, size_t step)
{
	char room[REPORT_PIECE_MAX];
	struct buf b = BUF(room);
	struct report_copy copy = { 0 };

	report_begin(&b, r, rcpt->action);
	piece(all, &b);
	for (unsigned i = 0; i < RCPTS; i++) {
		buf_clear(&b);
		report_for_people(&b, r, &rcpt[i]);
		piece(all, &b);
	}
	buf_clear(&b);
	report_machine(&b, r);
	piece(all, &b);
	for (unsigned i = 0; i < RCPTS; i++) {
		buf_clear(&b);
		report_for_machines(&b, r, &rcpt[i]);
		piece(all, &b);
	}
	buf_clear(&b);
	report_original(&b, r);
	piece(all, &b);
	while (original.n > 0) {
		buf_clear(&b);
		original = str_skip(original,
		    report_copy(&copy, r, str_head(original, step), &b));
		piece(all, &b);
	}
	buf_clear(&b);
	report_copy_finish(&copy, r, &b);
	report_end(&b, r);
	piece(all, &b);
	HOLDS(!all->full);
}

static void check_octets(const struct report *r, struct str s)
{
	bool high = false;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		HOLDS(c != '\r' && c != '\0');
		high = high || c > 0x7f;
	}
	HOLDS(!high || report_is_8bit(r));
	while (s.n > 0)
		HOLDS(line(&s).n <= 998);
}

/* The lines of *s up to a blank one: so many fields, folds apart. */
static unsigned fields(struct str *s)
{
	unsigned n = 0;

	while (s->n > 0) {
		struct str l = line(s);

		if (l.n == 0)
			return n;
		if (l.p[0] != '\t') {
			HOLDS(l.p[0] >= 'A' && l.p[0] <= 'Z');
			HOLDS(str_find(l, ':') < l.n);
			n++;
		}
	}
	return n;
}

/* The text up to the next boundary line, of which there must be one. */
static struct str part(struct str *s, struct str boundary, bool last)
{
	struct str from = *s;

	while (s->n > 0) {
		size_t at = from.n - s->n;
		struct str l = line(s), tail = str_skip(l, boundary.n);

		if (!str_starts(l, boundary))
			continue;
		HOLDS(str_eq(tail, last ? STR("--") : STR("")));
		return str_head(from, at);
	}
	HOLDS(false);
	return from;
}

static unsigned of_machine(const struct report *r, const struct report_rcpt *c)
{
	return 3u + (c->orcpt.n > 0) + (c->remote.n > 0) +
	       (c->remote.n > 0 && c->text.n > 0) + (c->last_attempt_s > 0) +
	       (c->action == REPORT_DELAYED && r->until_s > 0);
}

static void check(
    const struct report *r, const struct report_rcpt *rcpt, struct str s)
{
	struct str boundary, p, all = s;

	check_octets(r, s);
	for (boundary = s; !str_starts(boundary, STR("\n--"));)
		boundary = str_skip(boundary, 1);
	boundary = str_skip(boundary, 1);
	boundary = str_head(boundary, str_find(boundary, '\n'));
	HOLDS(str_starts(boundary, STR("--" REPORT_MARK)));
	p = part(&s, boundary, false);
	HOLDS(fields(&p) == 9 && p.n == 0);
	p = part(&s, boundary, false);
	HOLDS(fields(&p) == 2 && p.n > 0);
	p = part(&s, boundary, false);
	HOLDS(fields(&p) == 2);
	HOLDS(fields(&p) == 2u + (r->envid.n > 0));
	for (unsigned i = 0; i < RCPTS; i++)
		HOLDS(fields(&p) == of_machine(r, &rcpt[i]));
	HOLDS(p.n == 0);
	p = part(&s, boundary, true);
	HOLDS(fields(&p) == 2);
	HOLDS(s.n == 0 && all.n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	unsigned bits = fuzz_octet(&s);
	size_t step = 1 + fuzz_octet(&s), column = 0;
	char *room = fuzz_room(ROOM);
	struct buf b = { room, 0, ROOM, false };
	struct report_rcpt rcpt[RCPTS];
	struct report r = { .hostname = field(&s),
		.id = field(&s),
		.to = field(&s),
		.envid = field(&s),
		.arrival_s = bits,
		.now_s = bits * 1000,
		.until_s = bits & 8 ? 1 : 0,
		.utf8 = (bits & 1) != 0,
		.full = (bits & 2) != 0 };

	for (unsigned i = 0; i < RCPTS; i++)
		rcpt[i] = (struct report_rcpt){
			.action = (enum report_action)((bits >> 4) + i) % 4,
			.address = field(&s),
			.orcpt = field(&s),
			.code = field(&s),
			.text = field(&s),
			.remote = field(&s),
			.last_attempt_s = bits & 4 ? 1 : 0
		};
	s = str_head(s, 100000);
	r.plain = report_is_plain(&column, s);
	build(&b, &r, rcpt, s, step);
	check(&r, rcpt, buf_str(&b));
	free(room);
	return 0;
}
