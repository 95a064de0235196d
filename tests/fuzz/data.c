/*
 * DATA: the end is found exactly at the first CR LF . CR LF, what comes out
 * is what a naive reader makes of it, and both are the same however the input
 * and the room for the output are cut.  BDAT: the same without dots.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/data.h"

static const struct str END = { "\r\n.\r\n", 5 };

static size_t find(struct str s, struct str part)
{
	for (size_t i = 0; s.n - i >= part.n; i++)
		if (str_starts(str_skip(s, i), part))
			return i;
	return s.n;
}

/* A line between CR LF and CR LF, as RFC 5321 4.5.2 has it. */
static void naive_line(struct str line, struct data *d, struct buf *out)
{
	bool after_lf = false;

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];
		bool lone = (d->flags & DATA_NORMALIZE) == 0;

		if (c == '\0')
			d->defects |= DATA_NUL;
		if (c == '\r' && lone)
			d->defects |= DATA_BARE_CR;
		if (c == '\n' && lone)
			d->defects |= DATA_BARE_LF;
		/* Of two dots behind a bare LF one goes. */
		if (after_lf && !lone && c == '.' && i + 1 < line.n &&
		    line.p[i + 1] == '.')
			i++;
		buf_putc(out, c);
		after_lf = c == '\n';
	}
}

/* All lines of the content, each with its CR LF. */
static void naive(struct str text, bool dots, struct data *d, struct buf *out)
{
	while (text.n > 0) {
		size_t n = find(text, STR("\r\n"));
		bool whole = n < text.n;
		struct str line = str_head(text, n);

		if (dots && str_starts(line, STR(".")))
			line = str_skip(line, 1);
		naive_line(line, d, out);
		if (whole)
			buf_putc(out, '\n');
		text = str_skip(text, n + 2);
	}
}

/* Pieces and room in the sizes that `how` says. */
static size_t pieces(
    struct data *d, struct str in, unsigned how, bool dots, struct buf *out)
{
	size_t taken = 0;

	while (taken < in.n && (d->at != DATA_END || !dots)) {
		size_t room = 2 + how % 7;
		char *small = fuzz_room(room);
		struct buf b = { small, 0, room, false };
		struct str piece = str_head(str_skip(in, taken), 1 + how / 7);
		size_t n =
		    dots ? data_feed(d, piece, &b) : data_chunk(d, piece, &b);

		HOLDS(n > 0 && n <= piece.n && !b.full);
		buf_put(out, buf_str(&b));
		free(small);
		taken += n;
	}
	return taken;
}

static void data(struct str text, unsigned flags, unsigned how)
{
	size_t end = text.n >= 3 && str_starts(text, STR(".\r\n"))
			 ? 3
			 : find(text, END) + END.n;
	size_t content = end == 3 ? 0 : end - 3;
	struct buf want = { fuzz_room(text.n), 0, text.n, false };
	struct buf got = { fuzz_room(text.n), 0, text.n, false };
	struct data d, ref;

	data_init(&ref, flags);
	naive(str_head(text, content), true, &ref, &want);
	data_init(&d, flags);
	HOLDS(pieces(&d, text, how, true, &got) == end);
	HOLDS(d.at == DATA_END && d.defects == ref.defects);
	HOLDS(!got.full && str_eq(buf_str(&got), buf_str(&want)));
	free(got.p);
	free(want.p);
}

static void bdat(struct str text, unsigned how)
{
	struct buf want = { fuzz_room(text.n), 0, text.n, false };
	struct buf got = { fuzz_room(text.n + 1), 0, text.n + 1, false };
	struct data d, ref;

	data_init(&ref, 0);
	naive(text, false, &ref, &want);
	data_init(&d, 0);
	HOLDS(pieces(&d, text, how, false, &got) == text.n);
	data_finish(&d, &got);
	HOLDS(d.defects == ref.defects);
	HOLDS(!got.full && str_eq(buf_str(&got), buf_str(&want)));
	free(got.p);
	free(want.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	unsigned how = fuzz_octet(&s);
	struct buf text = { fuzz_room(s.n + END.n), 0, s.n + END.n, false };

	bdat(s, how);
	buf_put(&text, s);
	buf_put(&text, END);
	data(buf_str(&text), 0, how);
	data(buf_str(&text), DATA_NORMALIZE, how);
	free(text.p);
	return 0;
}
