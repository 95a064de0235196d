/*
 * Pools and lists over arrays: indices, no pointers, nothing allocated.
 */
#include "sys/window.h"

#include <string.h>

#include "sys/io.h"

enum { NCHAINS = 1024 };

void window_start(struct window *w)
{
	for (int i = 0; i < WINDOW_TASKS; i++)
		w->task[i].next = i + 1 < WINDOW_TASKS ? i + 1 : WINDOW_NONE;
	w->free_task = 0;
	w->hungry = w->hungry_last = WINDOW_NONE;
	for (int i = 0; i < NCHAINS; i++)
		w->chain[i] = WINDOW_NONE;
}

bool window_has_room(const struct window *w, unsigned nrcpt)
{
	return w->nmessages < WINDOW_MESSAGES &&
	       nrcpt <= WINDOW_TASKS - w->ntasks;
}

/* --- destinations -------------------------------------------------------- */

static unsigned hash(struct str s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return (h ^ (h >> 16)) % NCHAINS;
}

struct str window_key(const struct dest *d)
{
	return str_at(d->key, d->nkey);
}

static void forget(struct window *w, int i)
{
	int *at = &w->chain[hash(window_key(&w->dest[i]))];

	while (*at != i)
		at = &w->dest[*at].chain;
	*at = w->dest[i].chain;
	w->dest[i].used = false;
}

/* A free slot, or that of a destination nobody waits for. */
static int slot(struct window *w)
{
	static int turn;

	for (int pass = 0; pass < 2; pass++)
		for (int n = 0; n < WINDOW_DESTS; n++) {
			int i = (turn + n) % WINDOW_DESTS;
			const struct dest *d = &w->dest[i];

			if (pass == 1 && d->used && !d->messages &&
			    !d->carriers && !d->is_hungry)
				forget(w, i);
			if (!d->used) {
				turn = i + 1;
				return i;
			}
		}
	return WINDOW_NONE;
}

int window_dest(struct window *w, struct str key)
{
	unsigned h = hash(key);
	int i;

	for (i = w->chain[h]; i != WINDOW_NONE; i = w->dest[i].chain)
		if (str_eq(window_key(&w->dest[i]), key))
			return i;
	i = slot(w);
	if (i == WINDOW_NONE || key.n > ROUTE_KEY_MAX)
		return WINDOW_NONE;
	memset(&w->dest[i], 0, sizeof(w->dest[i]));
	w->dest[i].used = true;
	w->dest[i].first = w->dest[i].last = WINDOW_NONE;
	w->dest[i].hungry = WINDOW_NONE;
	memcpy(w->dest[i].key, key.p, key.n);
	w->dest[i].nkey = (unsigned char)key.n;
	w->dest[i].progress_ms = io_now_ms();
	w->dest[i].chain = w->chain[h];
	w->chain[h] = i;
	return i;
}

enum window_share window_share(
    const struct window *w, const struct dest *d, int64_t now_ms)
{
	unsigned share = (WINDOW_MESSAGES - w->nmessages) / 2;

	if (d->dead || d->messages < WINDOW_SHARE_MIN || d->messages < share)
		return WINDOW_OK;
	return now_ms - d->progress_ms < WINDOW_SLOW_MS ? WINDOW_PAUSE
							: WINDOW_SKIP;
}

void window_kill(struct dest *d, struct str code, struct str text)
{
	code = str_head(code, sizeof(d->code));
	text = str_head(text, sizeof(d->text));
	d->dead = true;
	memcpy(d->code, code.p, code.n);
	memcpy(d->text, text.p, text.n);
	d->ncode = (unsigned short)code.n;
	d->ntext = (unsigned short)text.n;
}

static void become_hungry(struct window *w, int i)
{
	struct dest *d = &w->dest[i];

	if (d->is_hungry)
		return;
	d->is_hungry = true;
	d->hungry = WINDOW_NONE;
	if (w->hungry_last == WINDOW_NONE)
		w->hungry = i;
	else
		w->dest[w->hungry_last].hungry = i;
	w->hungry_last = i;
}

/* Those that are fed leave the list when they are met on it. */
int window_hungry_next(const struct window *w, int dest)
{
	return w->dest[dest].hungry;
}

int window_hungry(struct window *w)
{
	int *at = &w->hungry, last = WINDOW_NONE;

	while (*at != WINDOW_NONE) {
		struct dest *d = &w->dest[*at];

		if (d->waiting == 0) {
			d->is_hungry = false;
			*at = d->hungry;
			continue;
		}
		last = *at;
		at = &d->hungry;
	}
	w->hungry_last = last;
	return w->hungry;
}

/* --- messages and tasks -------------------------------------------------- */

int window_add(struct window *w, const struct queued *q)
{
	static int turn;
	int i = turn;

	while (w->message[i].used)
		i = (i + 1) % WINDOW_MESSAGES;
	turn = (i + 1) % WINDOW_MESSAGES;
	w->message[i] = (struct message){ .q = *q, .used = true, .open = 1 };
	w->nmessages++;
	return i;
}

void window_drop(struct window *w, int message)
{
	w->message[message].used = false;
	w->nmessages--;
}

void window_wait(struct window *w, int dest, int message, uint64_t offset,
    const struct qfile_rcpt *r)
{
	struct dest *d = &w->dest[dest];
	int i = w->free_task;

	w->free_task = w->task[i].next;
	w->ntasks++;
	w->task[i] = (struct task){ .message = message,
		.next = WINDOW_NONE,
		.offset = offset,
		.status = r->status,
		.notify = (unsigned char)r->notify };
	w->message[message].open++;
	if (d->last == WINDOW_NONE || w->task[d->last].message != message) {
		if (d->messages == 0)
			d->progress_ms = io_now_ms();
		d->waiting++;
		d->messages++;
	}
	if (d->last == WINDOW_NONE)
		d->first = i;
	else
		w->task[d->last].next = i;
	d->last = i;
	become_hungry(w, dest);
}

unsigned window_take(struct window *w, int dest, int *task, unsigned max)
{
	struct dest *d = &w->dest[dest];
	int message;
	unsigned n = 0;

	if (d->first == WINDOW_NONE)
		return 0;
	message = w->task[d->first].message;
	while (n < max && d->first != WINDOW_NONE &&
	       w->task[d->first].message == message) {
		task[n++] = d->first;
		d->first = w->task[d->first].next;
	}
	if (d->first == WINDOW_NONE)
		d->last = WINDOW_NONE;
	if (d->first == WINDOW_NONE || w->task[d->first].message != message)
		d->waiting--;
	else
		d->messages++; /* the rest is a message of its own */
	return n;
}

void window_free(struct window *w, int task)
{
	w->task[task].next = w->free_task;
	w->free_task = task;
	w->ntasks--;
}
