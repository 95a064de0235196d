/*
 * MIME as far as an encoder must know it, RFC 2045 5 and 6, RFC 2046 5.1.
 *
 * A boundary line ends whatever is nested deeper.  The boundaries of the
 * entities that are open are kept; the one at depth d is boundary[d].
 */
#include "mail/mime.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct str boundary_of(const struct mime *m, unsigned depth)
{
	return str_at(m->boundary[depth], m->nboundary[depth]);
}

/* "--boundary", perhaps "--", and blanks: 0 no, 1 a part begins, 2 the end. */
static int delimits(struct str line, struct str boundary)
{
	struct str rest = str_skip(line, 2);
	bool last;

	if (!str_starts(line, STR("--")) || !str_starts(rest, boundary))
		return 0;
	rest = str_skip(rest, boundary.n);
	last = str_starts(rest, STR("--"));
	rest = str_trim(last ? str_skip(rest, 2) : rest);
	return rest.n > 0 ? 0 : 1 + last;
}

static void begin_header(struct mime *m)
{
	m->at = MIME_AT_HEADER;
	m->opaque = m->strange = m->typed = m->encoded = false;
	m->coded = m->multipart = m->digest = false;
	m->nfield = 0;
	m->cut = false;
	m->nboundary[m->depth] = 0;
}

static bool is_boundary(struct mime *m, struct str line)
{
	for (unsigned d = m->depth; d > 0; d--) {
		int what = delimits(line, boundary_of(m, d - 1));

		if (what == 0)
			continue;
		m->depth = what == 1 ? d : d - 1;
		m->at = MIME_AT_EDGE;
		if (what == 1) {
			m->entity++;
			begin_header(m);
		}
		return true;
	}
	return false;
}

/* --- fields -------------------------------------------------------------- */

bool mime_is_field(struct str line, struct str name)
{
	size_t colon = str_find(line, ':');

	return colon < line.n &&
	       str_eqcase(str_trim(str_head(line, colon)), name);
}

/* token or quoted-string off the front of a parameter's value */
static void put_parameter(struct buf *b, struct str v)
{
	bool quoted = v.n > 0 && v.p[0] == '"';

	for (size_t i = quoted; i < v.n; i++) {
		char c = v.p[i];

		if (quoted && c == '"')
			return;
		if (!quoted && (is_blank(c) || c == '(' || c == '\n'))
			return;
		if (quoted && c == '\\' && i + 1 < v.n)
			c = v.p[++i];
		if (c != '\n')
			buf_putc(b, c);
	}
}

/* Up to the next ";" that is not quoted. */
static struct str parameter(struct str *s)
{
	bool quoted = false;
	size_t i = 0;
	struct str v;

	for (; i < s->n && (quoted || s->p[i] != ';'); i++) {
		if (s->p[i] == '"')
			quoted = !quoted;
		else if (quoted && s->p[i] == '\\')
			i++;
	}
	v = str_head(*s, i);
	*s = str_skip(*s, i + 1);
	while (v.n > 0 && (is_blank(v.p[0]) || v.p[0] == '\n'))
		v = str_skip(v, 1);
	return v;
}

/* Into boundary[depth], where it waits for the end of the header. */
static void find_boundary(struct mime *m, struct str rest)
{
	struct buf b = { m->boundary[m->depth], 0, MIME_BOUNDARY_MAX, false };

	while (rest.n > 0) {
		struct str p = parameter(&rest), name;

		if (!str_cut(&p, '=', &name) ||
		    !str_eqcase(str_trim(name), STR("boundary")))
			continue;
		if (b.n > 0)
			m->strange = true;
		put_parameter(&b, str_trim(p));
	}
	/* A blank at its end would be lost on the way. */
	if (b.full || b.n == 0 || is_blank(b.p[b.n - 1]))
		m->strange = true;
	m->nboundary[m->depth] = (unsigned char)b.n;
}

/* What is signed, encrypted, or may not be encoded at all (RFC 2045 6.4). */
static const struct str opaque_types[] = {
	{ "multipart/signed", 16 },
	{ "multipart/encrypted", 19 },
	{ "application/pkcs7-", 18 },
	{ "application/x-pkcs7-", 20 },
	{ "application/pgp", 15 },
	{ "message/", 8 },
};

static void look_type(struct mime *m, struct str value)
{
	struct str type = parameter(&value);

	if (m->typed)
		m->strange = true;
	m->typed = true;
	for (size_t i = 0; i < sizeof(opaque_types) / sizeof(opaque_types[0]);
	     i++)
		if (str_startscase(type, opaque_types[i]))
			m->opaque = true;
	m->multipart = str_startscase(type, STR("multipart/"));
	m->digest = str_startscase(type, STR("multipart/digest"));
	if (m->multipart && !m->opaque)
		find_boundary(m, value);
	/* Comments may stand anywhere: where they do we do not look. */
	if (str_find(type, '/') == type.n || str_find(type, '(') < type.n)
		m->strange = true;
}

static void look_encoding(struct mime *m, struct str value)
{
	struct str word;

	while (value.n > 0 && (is_blank(value.p[0]) || value.p[0] == '\n'))
		value = str_skip(value, 1);
	str_word(&value, &word);
	while (word.n > 0 && word.p[word.n - 1] == '\n')
		word.n--;
	if (m->encoded)
		m->strange = true;
	m->encoded = true;
	m->coded = !str_eqcase(word, STR("7bit")) &&
		   !str_eqcase(word, STR("8bit")) &&
		   !str_eqcase(word, STR("binary"));
}

/* The field that was collected is complete. */
static void look(struct mime *m)
{
	struct str field = str_at(m->field, m->nfield);
	struct str value = str_skip(field, str_find(field, ':') + 1);

	if (mime_is_field(field, STR("Content-Type")))
		look_type(m, value);
	else if (mime_is_field(field, STR("Content-Transfer-Encoding")))
		look_encoding(m, value);
	else if (m->entity == 0 && mime_is_field(field, STR("MIME-Version")))
		m->versioned = true;
	else if (m->entity == 0 && mime_is_field(field, STR("DKIM-Signature")))
		m->is_signed = true;
	else
		m->cut = false;
	/* One of those above that is longer than what we keep of it. */
	if (m->cut)
		m->strange = true;
	m->nfield = 0;
	m->cut = false;
}

static void collect(struct mime *m, struct str piece)
{
	struct buf b = { m->field, m->nfield, sizeof(m->field), false };

	buf_put(&b, piece);
	m->nfield = b.n;
	m->cut = m->cut || b.full;
}

static bool is_field(struct str line)
{
	struct str name = str_head(line, str_find(line, ':'));

	while (name.n > 0 && is_blank(name.p[name.n - 1]))
		name.n--;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < 0x21 || name.p[i] > 0x7e)
			return false;
	return name.n > 0 && str_find(line, ':') < line.n;
}

static void end_header(struct mime *m)
{
	bool digest = m->depth > 0 && m->in_digest[m->depth - 1];

	m->opaque = m->opaque || m->strange || m->coded ||
		    (digest && !m->typed) ||
		    (m->multipart && m->depth == MIME_DEPTH_MAX);
	if (!m->multipart || m->opaque) {
		m->at = MIME_AT_LEAF;
		return;
	}
	m->in_digest[m->depth++] = m->digest;
	m->at = MIME_AT_EDGE;
}

static enum mime_kind take_header(
    struct mime *m, struct str piece, bool begins, bool ends)
{
	if (begins && piece.n == 0 && ends) {
		look(m);
		end_header(m);
		return MIME_BLANK;
	}
	if (begins && (m->nfield == 0 || !is_blank(piece.p[0]))) {
		look(m);
		if (!is_field(piece)) {
			/* The header ends without a blank line. */
			m->at = MIME_AT_LEAF;
			m->opaque = true;
			return MIME_LEAF;
		}
	} else if (begins) {
		collect(m, STR("\n"));
	}
	collect(m, piece);
	return MIME_HEADER;
}

enum mime_kind mime_take(
    struct mime *m, struct str piece, bool begins, bool ends)
{
	if (begins && ends && is_boundary(m, piece))
		return MIME_EDGE;
	switch (m->at) {
	case MIME_AT_HEADER:
		return take_header(m, piece, begins, ends);
	case MIME_AT_LEAF:
		return MIME_LEAF;
	case MIME_AT_EDGE:
		return MIME_EDGE;
	}
	return MIME_EDGE;
}
