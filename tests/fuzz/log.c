/*
 * Log lines: whatever is written into them, a line is printable and of
 * bounded size, and its fields are those that were given, in their order;
 * one that does not fit is missing whole.
 */
#include "tests/fuzz/fuzz.h"

#include "sys/log.h"

enum { FIELDS = 24 };

static const char *const keys[] = { "command", "helo", "reply", "from" };

/* The octet behind a value that begins `line`. */
static size_t value_end(struct str line)
{
	size_t n = 0;

	if (line.n == 0 || line.p[0] != '"') {
		n = str_find(line, ' ');
		HOLDS(n > 0 && str_find(str_head(line, n), '=') == n);
		return n;
	}
	for (n = 1; n < line.n && line.p[n] != '"'; n++)
		;
	HOLDS(n < line.n);
	return n + 1;
}

/* The text as it was written for a value, quotes or not. */
static bool stands_for(struct str text, struct str value)
{
	char room[4096];
	struct buf b = BUF(room);

	if (text.n >= 2 && text.p[0] == '"')
		text = str_at(text.p + 1, text.n - 2);
	buf_escape(&b, value, 300);
	HOLDS(!b.full);
	return str_eq(text, buf_str(&b));
}

static void parse(struct str line, const struct str *values, unsigned n)
{
	unsigned i = 0;

	HOLDS(str_starts(line, STR("<6>event=rejected")));
	line = str_skip(line, 17);
	while (line.n > 0) {
		size_t end;

		HOLDS(line.p[0] == ' ');
		line = str_skip(line, 1);
		for (;; i++) {
			struct str key = str_of(keys[i % 4]);

			HOLDS(i < n);
			if (!str_starts(line, key) || line.p[key.n] != '=')
				continue;
			end = value_end(str_skip(line, key.n + 1));
			if (stands_for(str_head(str_skip(line, key.n + 1), end),
				values[i]))
				break;
		}
		line = str_skip(line, str_of(keys[i++ % 4]).n + 1 + end);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size), values[FIELDS];
	char *room = fuzz_room(sizeof(struct log));
	struct log *l = (struct log *)(void *)room;
	unsigned n = 0;

	log_begin(l, LOGL_INFO, "rejected");
	while (n < FIELDS && str_cut(&s, '\n', &values[n])) {
		log_str(l, keys[n % 4], values[n]);
		n++;
	}
	HOLDS(!l->b.full && l->b.n < LOG_LINE_MAX);
	for (size_t i = 0; i < l->b.n; i++)
		HOLDS(l->text[i] >= ' ' && l->text[i] <= '~');
	parse(buf_str(&l->b), values, n);
	free(room);
	return 0;
}
