/*
 * Domain names in mail, RFC 5321 2.3.5 and 4.1.2; international labels by
 * RFC 5891 4 and 5.  Only the form is judged here: whether a name exists is
 * for others to find out.
 */
#include "mail/domain.h"

#include "mail/idna.h"

static const struct str prefix = { "xn--", 4 };

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0x80) != 0)
			return false;
	return true;
}

/* Letters, digits, underscores, and hyphens within. */
static bool ldh_valid(struct str label)
{
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' ||
	    label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		if (!str_isalpha(c) && !str_isdigit(c) && c != '-' && c != '_')
			return false;
	}
	return true;
}

/* An xn-- label in lower case decodes, and to nothing that has two forms. */
static int decode_label(struct str label, struct buf *utf8)
{
	char room[LABEL_MAX];
	struct buf again = BUF(room);
	size_t start = utf8->n;
	struct str text;

	if (punycode_decode(str_skip(label, prefix.n), utf8) != 0)
		return DOMAIN_BAD;
	text = str_skip(buf_str(utf8), start);
	if (!is_ascii(text) && punycode_encode(text, &again) == 0 &&
	    str_eq(buf_str(&again), str_skip(label, prefix.n)))
		return 0;
	utf8->n = start;
	return DOMAIN_BAD;
}

static int ascii_label(struct str label, struct buf *out)
{
	char room[4 * LABEL_MAX];
	struct buf utf8 = BUF(room);
	size_t start = out->n;

	if (!ldh_valid(label))
		return DOMAIN_BAD;
	buf_lower(out, label);
	if (out->full)
		return DOMAIN_BAD;
	label = str_skip(buf_str(out), start);
	if (!str_starts(label, prefix))
		return 0;
	return decode_label(label, &utf8);
}

/* Every code point may stand in a U-label, and hyphens where they may. */
static bool ulabel_valid(struct str label)
{
	uint32_t code;

	/* Hyphens at the ends, or third and fourth: RFC 5891 4.2.3.1. */
	if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-' ||
	    str_eq(str_head(str_skip(label, 2), 2), STR("--")))
		return false;
	while (label.n > 0)
		if (utf8_next(&label, &code) != 0 || !idna_allowed(code))
			return false;
	return true;
}

static int utf8_label(struct str label, struct buf *out)
{
	char room[4 * LABEL_MAX];
	struct buf lower = BUF(room);
	size_t start = out->n;

	buf_lower(&lower, label);
	if (lower.full || !ulabel_valid(buf_str(&lower)))
		return DOMAIN_BAD;
	buf_put(out, prefix);
	if (punycode_encode(buf_str(&lower), out) != 0 || out->full)
		return DOMAIN_BAD;
	return out->n - start > LABEL_MAX ? DOMAIN_BAD : 0;
}

static int label_ascii(struct str label, struct buf *out)
{
	return is_ascii(label) ? ascii_label(label, out)
			       : utf8_label(label, out);
}

int domain_ascii(struct str in, struct buf *out)
{
	struct buf before = *out;
	struct str label;

	if (in.n == 0 || in.p[in.n - 1] == '.')
		return DOMAIN_BAD;
	while (str_cut(&in, '.', &label)) {
		if (out->n > before.n)
			buf_putc(out, '.');
		if (label_ascii(label, out) != 0 || out->full ||
		    out->n - before.n > DOMAIN_MAX) {
			*out = before;
			return DOMAIN_BAD;
		}
	}
	return 0;
}

/* One label of an A-label name for a reader. */
static int label_unicode(struct str label, struct buf *out)
{
	size_t start = out->n;

	if (!str_starts(label, prefix)) {
		buf_put(out, label);
		return 0;
	}
	if (decode_label(label, out) != 0)
		return DOMAIN_BAD;
	return ulabel_valid(str_skip(buf_str(out), start)) ? 0 : DOMAIN_BAD;
}

int domain_unicode(struct str in, struct buf *out)
{
	char room[DOMAIN_MAX];
	struct buf ascii = BUF(room), before = *out;
	struct str rest, label;

	if (domain_ascii(in, &ascii) != 0)
		return DOMAIN_BAD;
	rest = buf_str(&ascii);
	while (str_cut(&rest, '.', &label)) {
		if (out->n > before.n)
			buf_putc(out, '.');
		if (label_unicode(label, out) != 0 || out->full) {
			*out = before;
			buf_put(out, in);
			return 0;
		}
	}
	return 0;
}
