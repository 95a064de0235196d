/*
 * Headers made complete: the same in pieces of any size; the body is the one
 * that came in; there is no Bcc in what comes out, and no recipient's line
 * that was none; a second time nothing is changed.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/compose.h"
#include "mail/envelope.h"

enum { INPUT_MAX = 32 * 1024, GROWTH = 32 };

static const struct compose_setup setup = {
	.origin = { "o.example", 9 },
	.from = { "From: me@o.example\n", 19 },
	.date = { "Date: now\n", 10 },
	.message_id = { "Message-ID: <1@o>\n", 18 },
};

static void put(void *arg, struct str s)
{
	buf_put(arg, s);
}

static void feed(struct compose *c, struct str in, size_t step)
{
	for (; in.n > 0; in = str_skip(in, step))
		compose_feed(c, str_head(in, step));
	compose_finish(c);
}

/* The room of *out, to be freed. */
static char *run(struct str in, size_t step, struct buf *out, unsigned *facts)
{
	static struct compose c;
	struct compose_setup set = setup;
	size_t cap = GROWTH * in.n + 1024;
	char *room = fuzz_room(cap);

	*out = (struct buf){ room, 0, cap, false };
	set.put = put;
	set.arg = out;
	compose_look(&c, &set);
	feed(&c, in, step);
	HOLDS(out->n == 0);
	*facts = c.facts;
	compose_put(&c, &set);
	feed(&c, in, step);
	HOLDS(!out->full);
	return room;
}

/* The lines of a header that begin a field of this name. */
static unsigned count(struct str s, struct str name)
{
	unsigned n = 0;
	struct str line;

	while (str_cut(&s, '\n', &line) && line.n > 0)
		n += str_startscase(line, name);
	return n;
}

static size_t body_at(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] == '\n'))
			return i + 1;
	return s.n;
}

/* A CR in a body is a line end. */
static bool ends_with_body(struct str out, struct str in)
{
	struct str body = str_skip(in, body_at(in));

	if (out.n < body.n)
		return false;
	out = str_skip(out, out.n - body.n);
	for (size_t i = 0; i < body.n; i++)
		if (out.p[i] != (body.p[i] == '\r' ? '\n' : body.p[i]))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	size_t step = 1u + fuzz_octet(&s);
	struct buf whole, pieces, again;
	char *room, *other, *third;
	unsigned facts, more;
	struct str out;

	s = str_head(s, INPUT_MAX);
	room = run(s, s.n + 1, &whole, &facts);
	other = run(s, step, &pieces, &more);
	out = buf_str(&whole);
	HOLDS(facts == more && str_eq(out, buf_str(&pieces)));
	HOLDS(count(out, STR("Bcc:")) == 0);
	HOLDS(count(out, STR("Resent-Bcc:")) == 0);
	HOLDS(str_find(str_head(out, body_at(out)), '\r') == body_at(out));
	HOLDS(ends_with_body(out, s));
	if ((facts & COMPOSE_SIGNED) == 0) {
		HOLDS(count(out, STR("Date")) > 0);
		HOLDS(count(out, STR("From")) > 0);
		HOLDS(count(out, STR("Message-ID")) > 0);
	}
	third = run(out, out.n + 1, &again, &more);
	HOLDS(str_eq(out, buf_str(&again)));
	free(third);
	free(other);
	free(room);
	return 0;
}
