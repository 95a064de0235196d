/*
 * Masquerade: fields that it does not know are the same, octet for octet and
 * in their order; what comes out is a header that ends as one; a second time
 * there is nothing to do; and of a message with a seal nothing changes.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/header.h"
#include "mail/mailboxes.h"
#include "mail/masquerade.h"

static bool is_local(void *self, struct str domain)
{
	(void)self;
	return str_eq(domain, STR("localhost"));
}

static struct masquerade rules[] = {
	{ { "me@isp.example", 14 }, { "mx.here.example", 15 },
	    { "here.example", 12 }, is_local, NULL },
	{ { "@isp.example", 12 }, { "box", 3 }, { "box", 3 }, is_local, NULL },
};

static bool is_known(struct str field)
{
	static const char *const names[] = { "From", "Sender", "Resent-From",
		"Resent-Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-To",
		"Resent-Cc", "Mail-Followup-To" };
	struct str name = str_trim(str_head(field, str_find(field, ':')));

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eqcase(name, str_of(names[i])))
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A field with its folds off the front. */
static struct str next(struct str *s)
{
	size_t n = 0;
	struct str field;

	do
		n += str_find(str_skip(*s, n), '\n') + 1;
	while (n < s->n && is_blank(s->p[n]));
	field = str_head(*s, n);
	*s = str_skip(*s, n);
	return field;
}

/* The next one that is not known, or an empty one. */
static struct str next_unknown(struct str *s)
{
	while (s->n > 0) {
		struct str field = next(s);

		if (!is_known(field) &&
		    !str_startscase(field, STR("X-Original-From")))
			return field;
	}
	return STR("");
}

static void compare(struct str in, struct str out)
{
	while (in.n > 0 || out.n > 0)
		HOLDS(str_eq(next_unknown(&in), next_unknown(&out)));
}

static bool has_field(struct str s, struct str name)
{
	while (s.n > 0)
		if (str_startscase(next(&s), name))
			return true;
	return false;
}

static bool no(void *self, struct str value)
{
	(void)self;
	(void)value;
	return false;
}

static void check(struct str in, struct str out)
{
	struct header h;
	struct str rest = out, line;

	HOLDS(out.n > 0 && out.p[out.n - 1] == '\n');
	header_init(&h, no, NULL);
	HOLDS(header_feed(&h, out) == out.n - 1 && h.blank);
	while (str_cut(&rest, '\n', &line))
		HOLDS(rest.n == 0 || line.n > 0);
	HOLDS(!has_field(in, STR("DKIM-Signature:")));
	compare(str_head(in, in.n - 1), str_head(out, out.n - 1));
}

static void walk(struct str text)
{
	struct mailboxes m = { text, 0 };
	struct mailbox b;
	size_t at = 0;

	while (mailboxes_next(&m, &b) == 0) {
		HOLDS(b.outer >= at && b.at >= b.outer && b.end >= b.at);
		HOLDS(b.beyond >= b.end && b.beyond <= text.n);
		at = b.beyond;
	}
}

static bool look(struct str s, size_t piece)
{
	struct masquerade_look l = { 0 };

	for (; s.n > 0; s = str_skip(s, piece))
		masquerade_look(&l, str_head(s, piece));
	return l.found;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	unsigned choice = fuzz_octet(&s);
	const struct masquerade *m = &rules[choice & 1];
	struct str sender = choice & 2 ? STR("bob@localhost") : STR("");
	char *room = fuzz_room(2 * MASQUERADE_ROOM);
	struct buf out = { room, 0, MASQUERADE_ROOM, false };
	struct buf again = { room + MASQUERADE_ROOM, 0, MASQUERADE_ROOM,
		false };
	size_t used;

	walk(s);
	HOLDS(look(s, s.n + 1) == look(s, 1 + choice % 17));
	if (masquerade_header(m, sender, s, &used, &out) == 0) {
		HOLDS(used > 0 && used <= s.n && s.p[used - 1] == '\n');
		check(str_head(s, used), buf_str(&out));
		HOLDS(masquerade_header(m, sender, buf_str(&out), &used,
			  &again) == MASQUERADE_KEEP);
	}
	free(room);
	return 0;
}
