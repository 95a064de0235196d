/*
 * Leaving the window.
 */
#include "sys/shift.h"

void shift_end_message(struct shift *s, int i)
{
	struct message *m = &s->w.message[i];
	int rc;

	if (--m->open > 0)
		return;
	rc = settle_message(s->pass->conf, s->pass->dir, &m->q);
	if (rc > 0 && (rc & SETTLE_REPORTED))
		s->again = true;
	queued_close(&m->q);
	window_drop(&s->w, i);
	s->tally->messages++;
}

void shift_count(struct shift *s, const struct fate *fate)
{
	if (fate->letter == 'L')
		s->tally->deferred++;
	else if (fate->letter == 'N')
		s->tally->failed++;
	else
		s->tally->sent++;
}

void shift_end_task(
    struct shift *s, int i, const struct dest *d, const struct fate *told)
{
	const struct task *t = &s->w.task[i];
	struct fate fate = *told;
	int message = t->message;

	fate.via = route_name(window_key(d));
	fate.final = d->final;
	(void)settle_rcpt(
	    &s->w.message[message].q, t->offset, t->status, t->notify, &fate);
	shift_count(s, &fate);
	window_free(&s->w, i);
	shift_end_message(s, message);
}

struct fate shift_fate_of_dead(const struct dest *d)
{
	return (struct fate){ .letter = 'L',
		.status = str_at(d->code, d->ncode),
		.text = str_at(d->text, d->ntext),
		.via = route_name(window_key(d)) };
}

void shift_end_dest(struct shift *s, int dest)
{
	struct dest *d = &s->w.dest[dest];
	struct fate fate = shift_fate_of_dead(d);
	int task[CREW_JOB];
	unsigned n;

	while ((n = window_take(&s->w, dest, task, CREW_JOB)) > 0) {
		d->messages--;
		for (unsigned i = 0; i < n; i++)
			shift_end_task(s, task[i], d, &fate);
	}
}
