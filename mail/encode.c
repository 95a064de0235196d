/*
 * Long lines, encoded or folded.
 *
 * A line is collected up to what SMTP allows, so that the most common one is
 * looked at whole; a longer one goes by in pieces.  Both passes see the same
 * pieces and number the entities alike: the first notes which bodies have a
 * long line, the second writes.
 */
#include "mail/encode.h"

#include <string.h>

static bool has_bit(const uint64_t *bits, unsigned n)
{
	return n < ENCODE_ENTITIES && (bits[n / 64] >> n % 64 & 1) != 0;
}

static void set_bit(uint64_t *bits, unsigned n)
{
	if (n < ENCODE_ENTITIES)
		bits[n / 64] |= (uint64_t)1 << n % 64;
}

/* --- the first pass ------------------------------------------------------ */

static void look(struct encode *e, enum mime_kind kind, struct str piece,
    bool begins, bool ends)
{
	bool is_long = begins && piece.n == ENCODE_LINE_MAX && !ends;

	if (kind == MIME_HEADER && is_long)
		e->is_long = true;
	if (kind != MIME_LEAF)
		return;
	if (is_long)
		set_bit(e->is_long_body, e->mime.entity);
	if (e->mime.opaque ||
	    (begins && str_starts(piece, STR("-----BEGIN PGP "))))
		set_bit(e->is_opaque, e->mime.entity);
}

/* --- the second pass ----------------------------------------------------- */

static bool is_encoded(const struct encode *e)
{
	unsigned n = e->mime.entity;

	return has_bit(e->is_long_body, n) && !has_bit(e->is_opaque, n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The line of a header that waited for its end is out. */
static void end_line(struct encode *e, struct buf *out)
{
	buf_put(out, str_at(e->head, e->nhead));
	buf_putc(out, '\n');
	e->nhead = 0;
	e->raw = false;
}

/* The last blank that has text on both sides, or 0. */
static size_t fold_at(struct str line)
{
	size_t i = line.n, first = 0;
	bool text = false;

	while (first < line.n && is_blank(line.p[first]))
		first++;
	while (i > first + 1) {
		i--;
		if (is_blank(line.p[i]) && text)
			return i;
		text = text || !is_blank(line.p[i]);
	}
	return 0;
}

/* There is one octet more in this line than SMTP allows. */
static void fold(struct encode *e, struct buf *out)
{
	size_t at = fold_at(str_at(e->head, e->nhead));

	if (at == 0) {
		buf_put(out, str_at(e->head, e->nhead));
		e->nhead = 0;
		e->raw = true;
		return;
	}
	buf_put(out, str_at(e->head, at));
	buf_putc(out, '\n');
	e->nhead -= at;
	memmove(e->head, e->head + at, e->nhead);
}

static void put_header(
    struct encode *e, struct str piece, bool begins, bool lf, struct buf *out)
{
	if (begins && !is_blank(piece.p[0]))
		e->dropping =
		    is_encoded(e) &&
		    mime_is_field(piece, STR("Content-Transfer-Encoding"));
	if (e->dropping)
		return;
	for (size_t i = 0; i < piece.n; i++) {
		if (!e->raw && e->nhead == sizeof(e->head))
			fold(e, out);
		if (e->raw)
			buf_putc(out, piece.p[i]);
		else
			e->head[e->nhead++] = piece.p[i];
	}
	if (lf)
		end_line(e, out);
}

/* The blank line behind a header, and what it lacks. */
static void put_blank(struct encode *e, struct buf *out)
{
	if (e->mime.entity == 0 && e->any && !e->mime.versioned)
		buf_putz(out, "MIME-Version: 1.0\n");
	if (is_encoded(e))
		buf_putz(out, "Content-Transfer-Encoding: quoted-printable\n");
	buf_putc(out, '\n');
	e->qp = (struct qp){ 0 };
}

static void put_leaf(
    struct encode *e, struct str piece, bool lf, struct buf *out)
{
	if (is_encoded(e)) {
		qp_feed(&e->qp, piece, out);
		if (lf)
			qp_feed(&e->qp, STR("\n"), out);
		return;
	}
	buf_put(out, piece);
	if (lf)
		buf_putc(out, '\n');
}

static void put(struct encode *e, enum mime_kind kind, struct str piece,
    bool begins, bool lf, struct buf *out)
{
	switch (kind) {
	case MIME_HEADER:
		put_header(e, piece, begins, lf, out);
		break;
	case MIME_BLANK:
		put_blank(e, out);
		break;
	case MIME_LEAF:
		put_leaf(e, piece, lf, out);
		break;
	case MIME_EDGE:
		buf_put(out, piece);
		if (lf)
			buf_putc(out, '\n');
		break;
	}
}

/* --- both ---------------------------------------------------------------- */

/* The line so far is a piece; out is NULL in the first pass.  Where the
 * content ends without an LF a line ends as well. */
static void flush(struct encode *e, bool ends, bool lf, struct buf *out)
{
	struct str piece = str_at(e->line, e->nline);
	bool begins = !e->begun;
	enum mime_kind kind = mime_take(&e->mime, piece, begins, ends);

	if (out == NULL)
		look(e, kind, piece, begins, ends);
	else
		put(e, kind, piece, begins, lf, out);
	e->nline = 0;
	e->begun = !ends;
}

static void take(struct encode *e, char c, struct buf *out)
{
	if (c == '\n') {
		flush(e, true, true, out);
		return;
	}
	if (e->nline == sizeof(e->line))
		flush(e, false, false, out);
	e->line[e->nline++] = c;
}

void encode_look(struct encode *e, struct str in)
{
	for (size_t i = 0; i < in.n; i++)
		take(e, in.p[i], NULL);
}

bool encode_is_needed(struct encode *e)
{
	bool is_signed;

	if (e->nline > 0 || e->begun)
		flush(e, true, false, NULL);
	for (unsigned i = 0; i < ENCODE_ENTITIES / 64; i++)
		if ((e->is_long_body[i] & ~e->is_opaque[i]) != 0)
			e->any = true;
	is_signed = e->mime.is_signed;
	memset(&e->mime, 0, sizeof(e->mime));
	return !is_signed && (e->any || e->is_long);
}

size_t encode_feed(struct encode *e, struct str in, struct buf *out)
{
	size_t i = 0;

	while (i < in.n && out->cap - out->n >= ENCODE_ROOM)
		take(e, in.p[i++], out);
	return i;
}

void encode_finish(struct encode *e, struct buf *out)
{
	if (e->nline > 0 || e->begun)
		flush(e, true, false, out);
	buf_put(out, str_at(e->head, e->nhead));
	e->nhead = 0;
	qp_finish(&e->qp, out);
}
