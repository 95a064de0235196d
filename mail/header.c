/*
 * A reader of the header as it streams by, RFC 5322 2.2 with LF line ends.
 *
 * A field is collected with its continuation lines, up to HEADER_LINE_MAX
 * octets, and looked at when the next line shows that it is complete.  The
 * last octet collected is always the last one seen, so that the start of a
 * line is known however long the field is.
 */
#include "mail/header.h"

#include <string.h>

void header_init(
    struct header *h, bool (*is_ours)(void *, struct str), void *self)
{
	memset(h, 0, sizeof(*h));
	h->is_ours = is_ours;
	h->self = self;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Without white space and line ends around it. */
static struct str trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0]))
		s = str_skip(s, 1);
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static void received(struct header *h, struct str value)
{
	(void)value;
	if (++h->nreceived >= HEADER_RECEIVED_MAX)
		h->loop = true;
}

static void delivered(struct header *h, struct str value)
{
	if (++h->ndelivered > HEADER_DELIVERED_MAX ||
	    (h->is_ours != NULL && h->is_ours(h->self, value)))
		h->loop = true;
}

static void date(struct header *h, struct str value)
{
	(void)value;
	h->date = true;
}

static void message_id(struct header *h, struct str value)
{
	(void)value;
	h->message_id = true;
}

static void from(struct header *h, struct str value)
{
	(void)value;
	h->from = true;
}

static void signature(struct header *h, struct str value)
{
	(void)value;
	h->is_signed = true;
}

/* The fields that mean something to a receiver. */
static const struct field {
	struct str name;
	void (*look)(struct header *h, struct str value);
} fields[] = {
	{ { "Received", 8 }, received },
	{ { "Delivered-To", 12 }, delivered },
	{ { "Date", 4 }, date },
	{ { "Message-ID", 10 }, message_id },
	{ { "From", 4 }, from },
	{ { "DKIM-Signature", 14 }, signature },
	{ { "DomainKey-Signature", 19 }, signature },
	{ { "ARC-Message-Signature", 21 }, signature },
};

/* A field name, RFC 5322 2.2: printable, no space. */
static bool name_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < 0x21 || name.p[i] > 0x7e)
			return false;
	return name.n > 0;
}

/* The field that was collected is complete. */
static void look(struct header *h)
{
	struct str text = str_at(h->line, h->nline);
	size_t colon = str_find(text, ':');
	struct str name = str_trim(str_head(text, colon));
	struct str value = trim(str_skip(text, colon + 1));

	h->nline = 0;
	h->cut = false;
	/* RFC 5322 4.5 had blanks before the colon, never in front. */
	if (colon == text.n || !name_valid(name) || is_space(text.p[0])) {
		h->over = true;
		return;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (str_eqcase(name, fields[i].name))
			fields[i].look(h, value);
}

static void collect(struct header *h, struct str piece)
{
	struct str head = str_head(piece, sizeof(h->line) - h->nline);

	if (head.n > 0)
		memcpy(h->line + h->nline, head.p, head.n);
	h->nline += head.n;
	if (head.n < piece.n) {
		h->cut = true;
		h->line[sizeof(h->line) - 1] = piece.p[piece.n - 1];
	}
}

static bool line_start(const struct header *h)
{
	return h->nline == 0 || h->line[h->nline - 1] == '\n';
}

size_t header_feed(struct header *h, struct str text)
{
	size_t all = text.n;

	while (!h->over && text.n > 0) {
		size_t n = str_find(text, '\n');

		if (line_start(h)) {
			bool folded = text.p[0] == ' ' || text.p[0] == '\t';

			if (h->nline > 0 && !folded)
				look(h);
			if (n == 0 && !h->over)
				h->over = h->blank = true;
			if (h->over)
				break;
		}
		collect(h, str_head(text, n + 1));
		text = str_skip(text, n + 1);
	}
	return all - text.n;
}

void header_finish(struct header *h)
{
	bool whole = line_start(h);

	if (!h->over && h->nline > 0)
		look(h);
	if (!h->over)
		h->blank = whole;
	h->over = true;
}
