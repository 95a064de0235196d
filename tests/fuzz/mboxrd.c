/*
 * mbox: without one ">" from every line that has "From " behind any number of
 * them, the content is there again; no other line begins with "From ".
 */
#include "tests/fuzz/fuzz.h"

#include "mail/mboxrd.h"

enum { ROOM = 4096 };

static bool is_quoted(struct str line)
{
	size_t n = 0;

	while (n < line.n && line.p[n] == '>')
		n++;
	return n > 0 && str_starts(str_skip(line, n), STR("From "));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size), in, line;
	size_t step = 1 + fuzz_octet(&s) % 64;
	char *all = fuzz_room(2 * size + ROOM), *back = fuzz_room(size + 2);
	struct buf out = { all, 0, 2 * size + ROOM, false };
	struct buf undone = { back, 0, size + 2, false };
	struct mboxrd m = { 0 };

	for (in = s; in.n > 0;)
		in = str_skip(in, mboxrd_feed(&m, str_head(in, step), &out));
	mboxrd_finish(&m, &out);
	HOLDS(!out.full && out.n >= 1 && out.p[out.n - 1] == '\n');
	for (in = str_head(buf_str(&out), out.n - 1); in.n > 0;) {
		size_t n = str_find(in, '\n');

		line = str_head(in, n);
		in = str_skip(in, n + 1);
		HOLDS(!str_starts(line, STR("From ")));
		buf_put(&undone, str_skip(line, is_quoted(line)));
		buf_putc(&undone, '\n');
	}
	/* A line end is added to a last line that has none. */
	if (s.n > 0 && s.p[s.n - 1] != '\n')
		undone.n--;
	HOLDS(!undone.full && str_eq(buf_str(&undone), s));
	free(all);
	free(back);
	return 0;
}
