/*
 * Leaving the window.
 */
#include "sys/shift.h"

#include "sys/io.h"

/*
 * Not for each message: fsync(2) waits for the disk, and all carriers for us.
 * What was removed within this time a power cut may bring back, and it is
 * delivered twice.
 */
enum { SYNC_MS = 500 };

static void count_removed(struct shift *s)
{
	if (s->nremoved++ == 0)
		s->removed_ms = io_now_ms();
}

void shift_sync(struct shift *s, bool now)
{
	int rc;

	if (!now && (s->nremoved == 0 || io_now_ms() - s->removed_ms < SYNC_MS))
		return;
	s->nremoved = 0;
	rc = qdir_sync(s->pass->dir);
	if (rc < 0)
		s->fault = rc;
}

static void drop(struct shift *s, int i)
{
	queued_close(&s->w.message[i].q);
	window_drop(&s->w, i);
	s->tally->messages++;
}

void shift_end_message(struct shift *s, int i)
{
	struct message *m = &s->w.message[i];
	int rc;

	if (--m->open > 0)
		return;
	rc = settle_message(s->pass->conf, s->pass->dir, &m->q);
	if (rc > 0 && (rc & SETTLE_REPORTED))
		s->again = true;
	if (rc > 0 && (rc & SETTLE_GONE))
		count_removed(s);
	drop(s, i);
}

/* The last recipient of a message that is done with him: no mark is needed in
 * a file that goes.  False: it does not. */
static bool end_whole(struct shift *s, const struct task *t,
    enum qfile_status to, const struct fate *fate)
{
	struct message *m = &s->w.message[t->message];

	if (to == QFILE_DONE)
		m->left--;
	if (to != QFILE_DONE || m->left > 0 || m->open > 1 ||
	    settle_last(s->pass->dir, &m->q, t->offset, m->attempts + 1, fate) <
		0)
		return false;
	count_removed(s);
	drop(s, t->message);
	return true;
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
	const struct task t = s->w.task[i];
	struct fate fate = *told;

	fate.via = route_name(window_key(d));
	fate.final = d->final;
	shift_count(s, &fate);
	window_free(&s->w, i);
	if (end_whole(s, &t, settle_status(t.status, t.notify, &fate), &fate))
		return;
	(void)settle_rcpt(
	    &s->w.message[t.message].q, t.offset, t.status, t.notify, &fate);
	shift_end_message(s, t.message);
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
