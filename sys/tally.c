/*
 * Figures of the queue: one reading of heads and recipients, no content.
 */
#include "sys/tally.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void count_reason(struct tally *t, const struct qfile_rcpt *r)
{
	char text[TALLY_TEXT];
	struct buf b = BUF(text);
	unsigned i = 0;

	buf_put(&b, r->code);
	if (r->code.n > 0 && r->text.n > 0)
		buf_putc(&b, ' ');
	buf_put(&b, r->text);
	if (b.n == 0)
		return;
	while (i < t->nreasons &&
	       !str_eq(str_at(t->reason[i].text, t->reason[i].n), buf_str(&b)))
		i++;
	if (i == TALLY_REASONS)
		return;
	if (i == t->nreasons) {
		t->reason[i].n = b.n;
		memcpy(t->reason[i].text, b.p, b.n);
		t->nreasons++;
	}
	t->reason[i].times++;
}

static void count_head(struct tally *t, const struct qfile_head *h)
{
	t->messages++;
	t->held += h->held;
	if (t->oldest_s == 0 || h->arrival_s < t->oldest_s)
		t->oldest_s = h->arrival_s;
	if (!h->held && (t->next_s == 0 || h->next_s < t->next_s))
		t->next_s = h->next_s > 0 ? h->next_s : h->arrival_s;
}

/* A message that is being changed is read as it is. */
static void count(struct tally *t, const struct queued *q)
{
	struct queued_reader reader;
	struct qfile_head h;
	struct qfile_rcpt r;
	uint64_t at;
	int rc = queued_head(&reader, q, &h);

	if (rc != 0) {
		t->unreadable++;
		return;
	}
	count_head(t, &h);
	while ((rc = queued_next(&reader, &r, &at)) == 0)
		if (r.status == QFILE_NEW || r.status == QFILE_TRIED) {
			t->recipients++;
			count_reason(t, &r);
		}
	if (rc == QUEUED_END)
		t->octets += queued_content_octets(&reader, q);
	else
		t->unreadable++;
}

static int more_frequent(const void *a, const void *b)
{
	const struct tally_reason *l = a, *r = b;

	return (l->times < r->times) - (l->times > r->times);
}

int tally_queue(struct tally *t, struct qdir *d)
{
	char name[QDIR_NAME_MAX];
	int rc;

	memset(t, 0, sizeof(*t));
	qdir_rewind(d);
	while ((rc = qdir_next(d, name)) == 0) {
		struct queued q;
		int opened = queued_open(&q, d, name);

		if (opened == 0) {
			count(t, &q);
			close(q.fd); /* not unlocked: it was not locked */
		} else if (opened != QUEUED_GONE) {
			t->unreadable++;
		}
	}
	qsort(t->reason, t->nreasons, sizeof(t->reason[0]), more_frequent);
	return rc < 0 ? rc : 0;
}
