/*
 * The header: counts, flags and end are the same however the text is cut,
 * and the counts are those of a search for field names at line starts.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/header.h"

struct seen {
	unsigned n, hash;
};

/* Every value, in order. */
static bool note(void *self, struct str value)
{
	struct seen *seen = self;

	seen->n++;
	for (size_t i = 0; i < value.n; i++)
		seen->hash = seen->hash * 31 + (unsigned char)value.p[i];
	return value.n > 0 && value.p[0] == '!';
}

static void run(struct header *h, struct seen *seen, struct str s, size_t piece)
{
	memset(seen, 0, sizeof(*seen));
	header_init(h, note, seen);
	while (s.n > 0) {
		header_feed(h, str_head(s, piece));
		s = str_skip(s, piece);
	}
	header_finish(h);
}

/* Lines at whose start the name stands, in the whole text. */
static unsigned occurrences(struct str s, struct str name)
{
	unsigned n = 0;

	while (s.n > 0) {
		n += str_startscase(s, name);
		s = str_skip(s, str_find(s, '\n') + 1);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	size_t piece = 1u + fuzz_octet(&s);
	struct header a, b;
	struct seen seen_a, seen_b;

	run(&a, &seen_a, s, s.n + 1);
	run(&b, &seen_b, s, piece);
	HOLDS(a.over && b.over);
	HOLDS(a.nreceived == b.nreceived && a.ndelivered == b.ndelivered);
	HOLDS(a.loop == b.loop && a.date == b.date && a.from == b.from &&
	      a.message_id == b.message_id);
	HOLDS(seen_a.n == seen_b.n && seen_a.hash == seen_b.hash);
	HOLDS(a.nreceived <= occurrences(s, STR("received")));
	HOLDS(a.ndelivered <= occurrences(s, STR("delivered-to")));
	HOLDS(!a.from || occurrences(s, STR("from")) > 0);
	HOLDS(seen_a.n <= HEADER_DELIVERED_MAX && seen_a.n <= a.ndelivered);
	HOLDS(a.nreceived < HEADER_RECEIVED_MAX || a.loop);
	return 0;
}
