/*
 * The octets of a message: every published variant of its end, the defects,
 * and the same result however the input and the room for output are cut.
 */
#include "tests/unit/tap.h"

#include "mail/data.h"

enum { CR = DATA_BARE_CR, LF = DATA_BARE_LF, NUL = DATA_NUL };

enum { ROOM = 4096, LENGTH = 8 };

struct row {
	struct str in;
	struct str out;   /* until the end, or of all when there is none */
	struct str out_n; /* the same under DATA_NORMALIZE */
	unsigned defects; /* without DATA_NORMALIZE */
	int rest;         /* octets behind the end, -1 when there is none */
};

/* clang-format off */
static const struct row rows[] = {
	/* What is right. */
	{ S(".\r\n"), S(""), S(""), 0, 0 },
	{ S("\r\n.\r\n"), S("\n"), S("\n"), 0, 0 },
	{ S("a\r\n.\r\n"), S("a\n"), S("a\n"), 0, 0 },
	{ S("a\r\n.\r\nQUIT\r\n"), S("a\n"), S("a\n"), 0, 6 },
	{ S("a\r\n.\r\n.\r\n"), S("a\n"), S("a\n"), 0, 3 },
	{ S("a\r\n..\r\n.\r\n"), S("a\n.\n"), S("a\n.\n"), 0, 0 },
	{ S("..\r\n.\r\n"), S(".\n"), S(".\n"), 0, 0 },
	{ S("...\r\n.\r\n"), S("..\n"), S("..\n"), 0, 0 },
	{ S(".a\r\n.\r\n"), S("a\n"), S("a\n"), 0, 0 },
	{ S("a.\r\n.\r\n"), S("a.\n"), S("a.\n"), 0, 0 },
	{ S("a\r\n. \r\n.\r\n"), S("a\n \n"), S("a\n \n"), 0, 0 },
	{ S("a\r\n .\r\n.\r\n"), S("a\n .\n"), S("a\n .\n"), 0, 0 },
	{ S("\tab\x01\xff\xc3\xa4\r\n.\r\n"), S("\tab\x01\xff\xc3\xa4\n"),
	    S("\tab\x01\xff\xc3\xa4\n"), 0, 0 },
	/* No end yet. */
	{ S(""), S(""), S(""), 0, -1 },
	{ S("a"), S("a"), S("a"), 0, -1 },
	{ S("a\r\n"), S("a\n"), S("a\n"), 0, -1 },
	{ S("."), S(""), S(""), 0, -1 },
	{ S(".\r"), S(""), S(""), 0, -1 },
	{ S("a\r\n.\r"), S("a\n"), S("a\n"), 0, -1 },
	{ S("a.\r\n"), S("a.\n"), S("a.\n"), 0, -1 },
	/* Ends that are none: every pair of line ends but CR LF . CR LF. */
	{ S("a\n.\nb\r\n.\r\n"), S("a\n.\nb\n"), S("a\n.\nb\n"), LF, 0 },
	{ S("a\n.\r\nb\r\n.\r\n"), S("a\n.\nb\n"), S("a\n.\nb\n"), LF, 0 },
	{ S("a\n.\rb\r\n.\r\n"), S("a\n.\rb\n"), S("a\n.\rb\n"), LF | CR, 0 },
	{ S("a\r.\rb\r\n.\r\n"), S("a\r.\rb\n"), S("a\r.\rb\n"), CR, 0 },
	{ S("a\r.\nb\r\n.\r\n"), S("a\r.\nb\n"), S("a\r.\nb\n"), CR | LF, 0 },
	{ S("a\r.\r\nb\r\n.\r\n"), S("a\r.\nb\n"), S("a\r.\nb\n"), CR, 0 },
	{ S("a\r\n.\nb\r\n.\r\n"), S("a\n\nb\n"), S("a\n\nb\n"), LF, 0 },
	{ S("a\r\n.\rb\r\n.\r\n"), S("a\n\rb\n"), S("a\n\rb\n"), CR, 0 },
	{ S("a\r\n.\r\r\nb\r\n.\r\n"), S("a\n\r\nb\n"), S("a\n\r\nb\n"), CR, 0 },
	{ S("a\r\n\r.\r\nb\r\n.\r\n"), S("a\n\r.\nb\n"), S("a\n\r.\nb\n"), CR, 0 },
	{ S("a\r\r\n.\r\n"), S("a\r\n"), S("a\r\n"), CR, 0 },
	{ S("a\r\r\n.\r\r\nb\r\n.\r\n"), S("a\r\n\r\nb\n"), S("a\r\n\r\nb\n"),
	    CR, 0 },
	{ S("a\n\r.\r\nb\r\n.\r\n"), S("a\n\r.\nb\n"), S("a\n\r.\nb\n"),
	    LF | CR, 0 },
	{ S("a\n\n.\n\nb\r\n.\r\n"), S("a\n\n.\n\nb\n"), S("a\n\n.\n\nb\n"),
	    LF, 0 },
	{ S("a\r\n\n.\r\nb\r\n.\r\n"), S("a\n\n.\nb\n"), S("a\n\n.\nb\n"),
	    LF, 0 },
	{ S(".\nb\r\n.\r\n"), S("\nb\n"), S("\nb\n"), LF, 0 },
	{ S(".\rb\r\n.\r\n"), S("\rb\n"), S("\rb\n"), CR, 0 },
	{ S("\n.\r\nb\r\n.\r\n"), S("\n.\nb\n"), S("\n.\nb\n"), LF, 0 },
	/* NUL around the dot, and anywhere. */
	{ S("a\r\n.\0\r\nb\r\n.\r\n"), S("a\n\0\nb\n"), S("a\n\0\nb\n"), NUL, 0 },
	{ S("a\r\n\0.\r\nb\r\n.\r\n"), S("a\n\0.\nb\n"), S("a\n\0.\nb\n"), NUL, 0 },
	{ S("a\r\0\n.\r\nb\r\n.\r\n"), S("a\r\0\n.\nb\n"), S("a\r\0\n.\nb\n"),
	    CR | NUL | LF, 0 },
	{ S("a\r\n.\r\0\nb\r\n.\r\n"), S("a\n\r\0\nb\n"), S("a\n\r\0\nb\n"),
	    CR | NUL | LF, 0 },
	{ S("\0\r\n.\r\n"), S("\0\n"), S("\0\n"), NUL, 0 },
	/* Other line ends that somebody may believe in. */
	{ S("a\x0b.\x0b\r\n.\r\n"), S("a\x0b.\x0b\n"), S("a\x0b.\x0b\n"), 0, 0 },
	{ S("a\x0c.\x0c\r\n.\r\n"), S("a\x0c.\x0c\n"), S("a\x0c.\x0c\n"), 0, 0 },
	{ S("a\xc2\x85.\xc2\x85\r\n.\r\n"), S("a\xc2\x85.\xc2\x85\n"),
	    S("a\xc2\x85.\xc2\x85\n"), 0, 0 },
	{ S("a\xe2\x80\xa8.\xe2\x80\xa8\r\n.\r\n"),
	    S("a\xe2\x80\xa8.\xe2\x80\xa8\n"),
	    S("a\xe2\x80\xa8.\xe2\x80\xa8\n"), 0, 0 },
	/* Dots behind a bare LF: stuffing only when doubled, and only when a
	 * bare LF ends a line. */
	{ S("a\n..b\r\n.\r\n"), S("a\n..b\n"), S("a\n.b\n"), LF, 0 },
	{ S("a\n.b\r\n.\r\n"), S("a\n.b\n"), S("a\n.b\n"), LF, 0 },
	{ S("a\n..\n.\r\n.\r\n"), S("a\n..\n.\n"), S("a\n.\n.\n"), LF, 0 },
	{ S("a\n...\r\n.\r\n"), S("a\n...\n"), S("a\n..\n"), LF, 0 },
	{ S("a\n.\0\r\n.\r\n"), S("a\n.\0\n"), S("a\n.\0\n"), LF | NUL, 0 },
	/* The end behind a defect is the end. */
	{ S("a\nb\rc\0\r\n.\r\nMAIL"), S("a\nb\rc\0\n"), S("a\nb\rc\0\n"),
	    LF | CR | NUL, 4 },
	{ S("a\n\r\n.\r\n"), S("a\n\n"), S("a\n\n"), LF, 0 },
};
/* clang-format on */

/* Pieces that end at `cut`, output collected through `room` octets. */
static size_t feed(
    struct data *d, struct str in, size_t cut, size_t room, struct buf *out)
{
	size_t taken = 0;
	char small[64];

	while (taken < in.n && d->at != DATA_END) {
		size_t end = taken < cut ? cut : in.n;
		char *exact = tap_exact(str_skip(str_head(in, end), taken));
		struct buf b = { small, 0, room, false };
		size_t n = data_feed(d, str_at(exact, end - taken), &b);

		free(exact);
		buf_put(out, buf_str(&b));
		taken += n;
		if (n == 0)
			break;
	}
	return taken;
}

/* One way to feed a row gives what the row says; silent when it does. */
static bool good(const struct row *r, unsigned flags, size_t cut, size_t room)
{
	char collected[ROOM];
	struct buf out = BUF(collected);
	struct data d;
	size_t taken;
	unsigned defects = r->defects;

	if ((flags & DATA_NORMALIZE) != 0)
		defects &= NUL;
	data_init(&d, flags);
	taken = feed(&d, r->in, cut, room, &out);
	return taken == r->in.n - (r->rest < 0 ? 0 : (size_t)r->rest) &&
	       (d.at == DATA_END) == (r->rest >= 0) && d.defects == defects &&
	       str_eq(buf_str(&out), flags != 0 ? r->out_n : r->out);
}

static void ends(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++) {
		for (unsigned flags = 0; flags <= DATA_NORMALIZE; flags++) {
			const struct row *r = &rows[i];
			size_t bad = 0;

			if (!tap_ok(good(r, flags, 0, 64), "row %zu, flags %u",
				i, flags))
				tap_show("in", r->in);
			for (size_t cut = 0; cut <= r->in.n; cut++)
				for (size_t room = 2; room < 12; room++)
					bad += !good(r, flags, cut, room);
			tap_ok(
			    bad == 0, "row %zu, flags %u, in pieces", i, flags);
		}
	}
}

static void room(void)
{
	char space[4] = "";
	struct buf b = { space, 3, 4, false };
	struct data d;

	data_init(&d, 0);
	tap_ok(data_feed(&d, STR("ab"), &b) == 0, "one octet is no room");
	tap_ok(data_chunk(&d, STR("ab"), &b) == 0, "nor for a chunk");
	b.n = 2;
	tap_ok(data_feed(&d, STR("ab"), &b) == 1, "two are");
	b.n = 0;
	b.full = true;
	tap_ok(data_feed(&d, STR("ab"), &b) == 0, "a full buffer takes none");
	b.full = false;
	tap_ok(data_feed(&d, STR(""), &b) == 0, "nothing in, nothing taken");
	data_init(&d, 0);
	data_feed(&d, STR(".\r\n"), &b);
	tap_ok(data_feed(&d, STR("a"), &b) == 0 && d.at == DATA_END,
	    "nothing is taken after the end");
}

/* A line of every length from 2 to 99 with each special octet at each place. */
static void runs(void)
{
	static const char special[] = { '\t', '.', '\0', '\x0e', '\x80', ' ' };
	size_t bad = 0;

	for (size_t n = 2; n < 100; n++) {
		for (size_t at = 0; at < n * sizeof(special); at++) {
			char text[128], result[128];
			struct buf out = BUF(result);
			struct data d;

			memset(text, 'x', n);
			text[at % n] = special[at / n];
			memcpy(text + n, "\r\n.\r\n", 5);
			data_init(&d, 0);
			bad +=
			    data_feed(&d, str_at(text, n + 5), &out) != n + 5 ||
			    d.at != DATA_END;
			bad += (d.defects == NUL) != (special[at / n] == '\0');
			text[n] = '\n';
			bad += !str_eq(buf_str(&out),
			    text[0] == '.' ? str_at(text + 1, n)
					   : str_at(text, n + 1));
		}
	}
	tap_ok(bad == 0, "ordinary octets around a special one");
}

struct chunk {
	struct str in, out;
	unsigned defects; /* without DATA_NORMALIZE */
};

static const struct chunk chunks[] = {
	{ S(""), S(""), 0 },
	{ S("a\r\n"), S("a\n"), 0 },
	{ S("a"), S("a"), 0 },
	{ S(".\r\n"), S(".\n"), 0 },
	{ S("..\r\n.\r\n..a"), S("..\n.\n..a"), 0 },
	{ S("a\r\n.\r\nb\r\n"), S("a\n.\nb\n"), 0 },
	{ S("a\n.b"), S("a\n.b"), LF },
	{ S("a\n..b"), S("a\n..b"), LF },
	{ S("a\rb\r\n"), S("a\rb\n"), CR },
	{ S("a\r\r\n"), S("a\r\n"), CR },
	{ S("a\r"), S("a\r"), CR },
	{ S("\0"), S("\0"), NUL },
};

static bool chunk_good(const struct chunk *c, unsigned flags, size_t cut)
{
	char collected[ROOM];
	struct buf out = BUF(collected);
	struct data d;

	data_init(&d, flags);
	data_chunk(&d, str_head(c->in, cut), &out);
	data_chunk(&d, str_skip(c->in, cut), &out);
	data_finish(&d, &out);
	return str_eq(buf_str(&out), c->out) && d.at == DATA_END &&
	       d.defects == (flags != 0 ? c->defects & NUL : c->defects);
}

static void bdat(void)
{
	for (size_t i = 0; i < TAP_N(chunks); i++) {
		size_t bad = 0;

		for (size_t cut = 0; cut <= chunks[i].in.n; cut++)
			for (unsigned f = 0; f <= DATA_NORMALIZE; f++)
				bad += !chunk_good(&chunks[i], f, cut);
		tap_ok(bad == 0, "chunk, row %zu", i);
	}
}

/*
 * Every text of LENGTH octets of CR, LF, dot and a letter: the end is where
 * a search for CR LF . CR LF in CR LF and the text finds it.
 */
static void exhaustive(void)
{
	static const char alphabet[] = { '\r', '\n', '.', 'a' };
	size_t bad = 0, n = 0;

	for (unsigned code = 0; code < 1 << 2 * LENGTH; code++) {
		char text[2 + LENGTH] = "\r\n", result[32];
		struct buf out = BUF(result);
		size_t end = LENGTH;
		struct data d;

		for (unsigned i = 0; i < LENGTH; i++)
			text[2 + i] = alphabet[code >> 2 * i & 3];
		for (size_t i = 0; i + 5 <= sizeof(text); i++)
			if (memcmp(text + i, "\r\n.\r\n", 5) == 0 &&
			    i + 3 < end)
				end = i + 3;
		for (unsigned flags = 0; flags <= DATA_NORMALIZE; flags++) {
			data_init(&d, flags);
			buf_clear(&out);
			bad += data_feed(&d, str_at(text + 2, LENGTH), &out) !=
			       end;
			n++;
		}
	}
	tap_ok(bad == 0, "the end of %zu texts", n);
}

int main(void)
{
	ends();
	room();
	runs();
	bdat();
	exhaustive();
	return tap_done();
}
