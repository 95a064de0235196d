/*
 * Long lines: what is encoded and decoded again is the same octets, a header
 * is the same but for folds and two fields, a second time there is nothing to
 * do, and it is the same in pieces of any size.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/encode.h"

enum { INPUT_MAX = 64 * 1024, GROWTH = 8 };

static const struct str cte = { "Content-Transfer-Encoding: quoted-printable",
	43 };

/* NULL when nothing is needed; otherwise the room of *out, to be freed. */
static char *run(struct str in, size_t step, struct buf *out, bool *solid)
{
	size_t cap = GROWTH * in.n + 4 * ENCODE_ROOM;
	struct encode *e = calloc(1, sizeof(*e));
	char *room = fuzz_room(cap);
	struct str s;
	bool needed;

	HOLDS(e != NULL);
	*out = (struct buf){ room, 0, cap, false };
	for (s = in; s.n > 0; s = str_skip(s, step))
		encode_look(e, str_head(s, step));
	needed = encode_is_needed(e);
	*solid = !e->any;
	if (needed) {
		for (s = in; s.n > 0;) {
			size_t n = encode_feed(e, str_head(s, step), out);

			HOLDS(n > 0);
			s = str_skip(s, n);
		}
		encode_finish(e, out);
		HOLDS(!out->full);
	} else {
		free(room);
		room = NULL;
	}
	free(e);
	return room;
}

static int digit(char c)
{
	if (str_isdigit(c))
		return c - '0';
	HOLDS(c >= 'A' && c <= 'F');
	return c - 'A' + 10;
}

/* RFC 2045 6.7, without the repairs: every octet is one we may write. */
static void decode(struct str s, struct buf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		column = c == '\n' ? 0 : column + 1;
		HOLDS(column <= QP_LINE_MAX);
		if (c != '=') {
			HOLDS(c == '\n' || c == '\t' || (c >= ' ' && c <= '~'));
			HOLDS((c != ' ' && c != '\t') ||
			      (i + 1 < s.n && s.p[i + 1] != '\n'));
			buf_putc(out, c);
		} else if (i + 1 < s.n && s.p[i + 1] == '\n') {
			column = 0;
			i++;
		} else {
			HOLDS(s.n - i > 2);
			buf_putc(out,
			    (char)(digit(s.p[i + 1]) * 16 + digit(s.p[i + 2])));
			i += 2;
			column += 2;
		}
	}
}

/* Where the body begins: behind the first blank line. */
static size_t body_at(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] == '\n'))
			return i + 1;
	return s.n;
}

/* One body, encoded: it is the one that came in. */
static void single(struct str in, struct str out)
{
	struct str body = str_skip(in, body_at(in));
	struct str code = str_skip(out, body_at(out));
	char *room = fuzz_room(code.n);
	struct buf b = { room, 0, code.n, false };

	decode(code, &b);
	HOLDS(!b.full && str_eq(buf_str(&b), body));
	free(room);
}

static unsigned count(struct str s, struct str line)
{
	unsigned n = 0;
	struct str l;

	while (str_cut(&s, '\n', &l))
		n += str_eq(l, line);
	return n;
}

static unsigned count_long(struct str s)
{
	unsigned n = 0;
	struct str l;

	while (str_cut(&s, '\n', &l))
		n += l.n > ENCODE_LINE_MAX;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	size_t step = 1 + 7u * fuzz_octet(&s);
	struct buf out, pieces, again;
	char *room, *other, *third;
	bool solid, more;

	s = str_head(s, INPUT_MAX);
	room = run(s, s.n + 1, &out, &solid);
	other = run(s, step, &pieces, &more);
	HOLDS((room == NULL) == (other == NULL));
	if (room == NULL)
		return 0;
	HOLDS(count_long(s) > 0);
	HOLDS(count_long(buf_str(&out)) <= count_long(s));
	HOLDS(str_eq(buf_str(&out), buf_str(&pieces)) && solid == more);
	/* Only what no fold can help may still be too long. */
	third = run(buf_str(&out), out.n + 1, &again, &more);
	HOLDS(
	    third == NULL || (more && str_eq(buf_str(&again), buf_str(&out))));
	if (count(s, cte) == 0 && count(buf_str(&out), cte) == 1 &&
	    body_at(buf_str(&out)) > cte.n &&
	    count(str_head(buf_str(&out), body_at(buf_str(&out))), cte) == 1)
		single(s, buf_str(&out));
	free(third);
	free(other);
	free(room);
	return 0;
}
