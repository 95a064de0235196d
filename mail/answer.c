/*
 * Replies, and what the fates of several recipients mean together.
 */
#include "mail/answer.h"

void answer(struct buf *b, unsigned code, const char *status, const char *text)
{
	buf_u64(b, code);
	if (status) {
		buf_putc(b, ' ');
		buf_putz(b, status);
	}
	buf_putc(b, ' ');
	buf_putz(b, text);
	buf_putz(b, "\r\n");
}

/* clang-format off */
static const struct {
	enum verdict_kind kind;
	const char *status;	/* NULL: any */
	unsigned code;
} codes[] = {
	{ VERDICT_DONE,		NULL,		250 },
	{ VERDICT_LATER,	"4.2.2",	452 },	/* mailbox full */
	{ VERDICT_LATER,	"4.3.1",	452 },	/* system full */
	{ VERDICT_LATER,	"4.5.3",	452 },	/* too many recipients */
	{ VERDICT_LATER,	"4.7.1",	450 },	/* too much from him */
	{ VERDICT_LATER,	NULL,		451 },
	{ VERDICT_FORWARD,	NULL,		451 },
	{ VERDICT_NEVER,	"5.2.2",	552 },
	{ VERDICT_NEVER,	"5.2.3",	552 },	/* too big for him */
	{ VERDICT_NEVER,	"5.3.4",	552 },	/* too big for us */
	{ VERDICT_NEVER,	"5.4.6",	554 },	/* loop */
	{ VERDICT_NEVER,	NULL,		550 },
};
/* clang-format on */

unsigned answer_verdict(struct buf *b, const struct verdict *v)
{
	unsigned i = 0;

	while (codes[i].kind != v->kind ||
	       (codes[i].status && !str_eq(v->status, str_of(codes[i].status))))
		i++;
	buf_u64(b, codes[i].code);
	buf_putc(b, ' ');
	buf_put(b, v->status);
	buf_putc(b, ' ');
	buf_escape(b, v->text, REQUEST_TEXT_MAX);
	buf_putz(b, "\r\n");
	return codes[i].code;
}

void answer_join(struct verdict *all, unsigned n, const struct verdict *one)
{
	if (n == 0) {
		*all = *one;
		return;
	}
	if (all->kind == one->kind || all->kind == VERDICT_LATER)
		return;
	if (one->kind == VERDICT_LATER) {
		*all = *one;
		return;
	}
	/* Some stored, some never: only a second attempt can tell which. */
	*all = (struct verdict){ VERDICT_LATER, STR("4.3.0"),
		STR("not all recipients could be served, try again") };
}
