/*
 * The octets of a message on their way in, RFC 5321 4.5.2 and RFC 3030.
 *
 * One automaton, one octet at a time; runs of ordinary octets are copied at
 * once.  The end of a message can be reached through DATA_LINE, DATA_DOT and
 * DATA_DOTCR alone, and DATA_LINE only through CR LF: whatever else somebody
 * takes for the end of a line never leads there.
 */
#include "mail/data.h"

#include <string.h>

enum {
	STEP_OUT = 2 /* octets that one octet of input may put out */
};

void data_init(struct data *d, unsigned flags)
{
	d->at = DATA_LINE;
	d->flags = flags;
	d->defects = 0;
}

static bool has_room(const struct buf *out)
{
	return !out->full && out->cap - out->n >= STEP_OUT;
}

/* True when one of the eight octets is below 14: maybe NUL, LF or CR. */
static bool suspicious(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101u;

	return ((word - ones * 14) & ~word & (ones << 7)) != 0;
}

static bool ordinary(char c)
{
	return c != '\r' && c != '\n' && c != '\0';
}

/* How many octets at the front of s need no looking at. */
static size_t run_length(struct str s)
{
	uint64_t word;
	size_t n = 0;

	for (;;) {
		while (s.n - n >= sizeof(word)) {
			memcpy(&word, s.p + n, sizeof(word));
			if (suspicious(word))
				break;
			n += sizeof(word);
		}
		/* The rest, or eight octets one of which may be a tab. */
		for (size_t i = 0; i < sizeof(word); i++) {
			if (n == s.n || !ordinary(s.p[n]))
				return n;
			n++;
		}
	}
}

static void bare_cr(struct data *d, struct buf *out)
{
	if ((d->flags & DATA_NORMALIZE) == 0)
		d->defects |= DATA_BARE_CR;
	buf_putc(out, '\r');
}

static enum data_at bare_lf(struct data *d, struct buf *out)
{
	buf_putc(out, '\n');
	if ((d->flags & DATA_NORMALIZE) != 0)
		return DATA_LFLINE;
	d->defects |= DATA_BARE_LF;
	return DATA_TEXT;
}

/* An octet that is no dot at the start of a line. */
static enum data_at content(struct data *d, char c, struct buf *out)
{
	if (c == '\r')
		return DATA_CR;
	if (c == '\n')
		return bare_lf(d, out);
	if (c == '\0')
		d->defects |= DATA_NUL;
	buf_putc(out, c);
	return DATA_TEXT;
}

static enum data_at step(struct data *d, char c, struct buf *out)
{
	switch (d->at) {
	case DATA_LINE:
		return c == '.' ? DATA_DOT : content(d, c, out);
	case DATA_LFLINE:
		return c == '.' ? DATA_LFDOT : content(d, c, out);
	case DATA_TEXT:
		return content(d, c, out);
	case DATA_DOT: /* the dot was stuffing, unless CR LF follows */
		return c == '\r' ? DATA_DOTCR : content(d, c, out);
	case DATA_LFDOT: /* stuffing only when a second one follows */
		buf_putc(out, '.');
		return c == '.' ? DATA_TEXT : content(d, c, out);
	case DATA_DOTCR:
		if (c == '\n')
			return DATA_END;
		bare_cr(d, out);
		return content(d, c, out);
	case DATA_CR:
		if (c == '\n') {
			buf_putc(out, '\n');
			return DATA_LINE;
		}
		bare_cr(d, out);
		return content(d, c, out);
	case DATA_END: /* not reached: nothing is taken behind the end */
		break;
	}
	return DATA_END;
}

/* As much of a run of ordinary octets as fits; how many were taken. */
static size_t copy_run(struct str in, struct buf *out)
{
	struct str run = str_head(in, out->cap - out->n);

	run.n = run_length(run);
	buf_put(out, run);
	return run.n;
}

size_t data_feed(struct data *d, struct str in, struct buf *out)
{
	size_t i = 0;

	while (i < in.n && d->at != DATA_END && has_room(out)) {
		if (d->at == DATA_TEXT && ordinary(in.p[i]))
			i += copy_run(str_skip(in, i), out);
		else
			d->at = step(d, in.p[i++], out);
	}
	return i;
}

size_t data_chunk(struct data *d, struct str in, struct buf *out)
{
	size_t i = 0;

	/* A dot is nothing but a dot when no line ever starts. */
	while (i < in.n && has_room(out)) {
		if (d->at != DATA_CR)
			d->at = DATA_TEXT;
		if (d->at == DATA_TEXT && ordinary(in.p[i]))
			i += copy_run(str_skip(in, i), out);
		else
			d->at = step(d, in.p[i++], out);
	}
	return i;
}

void data_finish(struct data *d, struct buf *out)
{
	if (d->at == DATA_CR)
		bare_cr(d, out);
	d->at = DATA_END;
}
