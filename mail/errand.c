/*
 * Errands as records, and what the end of a command means.
 */
#include "mail/errand.h"

void errand_put(struct buf *b, const struct errand *e)
{
	request_begin(b, e->file ? 'C' : 'D');
	request_field(b, e->user);
	request_field(b, e->command);
	request_field(b, e->sender);
	request_field(b, e->recipient);
	if (!e->file)
		return;
	buf_u64(b, e->start);
	buf_putc(b, '\0');
	buf_u64(b, e->size);
	buf_putc(b, '\0');
}

static int field(struct str *s, size_t max, struct str *f)
{
	size_t end = str_find(*s, '\0');

	if (end == s->n || end > max)
		return REQUEST_BAD;
	*f = str_head(*s, end);
	*s = str_skip(*s, end + 1);
	for (size_t i = 0; i < f->n; i++)
		if (((unsigned char)f->p[i] < ' ' && f->p[i] != '\t') ||
		    f->p[i] == 0x7f)
			return REQUEST_BAD;
	return 0;
}

static int number(struct str *s, uint64_t *n)
{
	struct str f;

	return field(s, 20, &f) == 0 && str_u64(f, n) == 0 && *n <= INT64_MAX
		   ? 0
		   : REQUEST_BAD;
}

int errand_get(struct str record, struct errand *e)
{
	*e = (struct errand){ .file = record.n > 0 && record.p[0] == 'C' };
	if (record.n == 0 || (record.p[0] != 'C' && record.p[0] != 'D'))
		return REQUEST_BAD;
	record = str_skip(record, 1);
	if (field(&record, ERRAND_NAME_MAX, &e->user) != 0 ||
	    field(&record, ERRAND_COMMAND_MAX, &e->command) != 0 ||
	    field(&record, ERRAND_FIELDS_MAX, &e->sender) != 0 ||
	    field(&record, ERRAND_FIELDS_MAX, &e->recipient) != 0)
		return REQUEST_BAD;
	if (e->file && (number(&record, &e->start) != 0 ||
			   number(&record, &e->size) != 0 || record.n > 0))
		return REQUEST_BAD;
	e->content = record;
	if (!e->file)
		e->size = record.n;
	return e->user.n == 0 || record.n > REQUEST_CONTENT_MAX ? REQUEST_BAD
								: 0;
}

/* clang-format off */
/* What is not here is temporary: a mistake that somebody mends. */
static const struct {
	unsigned status;
	enum verdict_kind kind;
	const char *code, *text;
} ends[] = {
	{ 0,	VERDICT_DONE,	"2.0.0", "given to the user's command" },
	{ 65,	VERDICT_NEVER,	"5.6.0", "the user's command refuses it" },
	{ 67,	VERDICT_NEVER,	"5.1.1", "the user's command: no such user" },
	{ 68,	VERDICT_NEVER,	"5.1.2", "the user's command: no such host" },
	{ 69,	VERDICT_NEVER,	"5.3.0", "the user's command refuses it" },
	{ 77,	VERDICT_NEVER,	"5.7.0", "the user's command refuses it" },
	{ 75,	VERDICT_LATER,	"4.3.0", "the user's command asks to try later" },
	{ 256,	VERDICT_LATER,	"4.3.0", "the user's command failed" },
};
/* clang-format on */

enum { NENDS = sizeof(ends) / sizeof(ends[0]) };

struct verdict errand_verdict(
    unsigned status, struct str said, struct buf *room)
{
	struct str line = str_trim(str_head(said, str_find(said, '\n')));
	unsigned i = 0;

	while (i < NENDS - 1 && ends[i].status != status)
		i++;
	buf_clear(room);
	for (size_t k = 0; k < line.n && room->n < REQUEST_TEXT_MAX; k++)
		buf_putc(room,
		    line.p[k] >= ' ' && line.p[k] <= '~' ? line.p[k] : '?');
	if (ends[i].kind == VERDICT_DONE || room->n == 0 || room->full)
		return (struct verdict){ ends[i].kind, str_of(ends[i].code),
			str_of(ends[i].text) };
	return (struct verdict){ ends[i].kind, str_of(ends[i].code),
		buf_str(room) };
}
