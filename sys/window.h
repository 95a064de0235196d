/*
 * What a pass has in hand: some messages of the queue, open and locked, their
 * recipients that are due, and the destinations these wait for.  Its size is
 * fixed however long the queue is.
 */
#ifndef SYS_WINDOW_H
#define SYS_WINDOW_H

#include "sys/queued.h"
#include "sys/route.h"

enum {
	WINDOW_MESSAGES = 512,
	WINDOW_TASKS = 2 * QFILE_RCPT_MAX, /* one message always fits */
	WINDOW_DESTS = QFILE_RCPT_MAX + 1024,
	WINDOW_SHARE_MIN = 16, /* messages that any destination may have */
	WINDOW_SLOW_MS = 2000,
	WINDOW_NONE = -1
};

struct message {
	struct queued q;
	bool used;
	unsigned open; /* tasks that have no answer yet, and the loader */
	unsigned left; /* recipients that are not done, or reported */
	unsigned attempts;
};

/* A recipient that is due. */
struct task {
	int message, next;
	uint64_t offset;
	enum qfile_status status;
	unsigned char notify;
};

struct dest {
	bool used;
	int chain, hungry; /* lists */
	bool is_hungry;    /* on the list of those with work */
	int first, last;   /* tasks that wait, those of a message together */
	unsigned waiting;  /* messages that wait */
	unsigned messages; /* ... and those being carried */
	unsigned carriers, starting;
	bool final, dead;
	int64_t progress_ms; /* when something was last heard of it */
	unsigned short nkey, ncode, ntext;
	char key[ROUTE_KEY_MAX + 1];
	char code[QFILE_STATUS_MAX]; /* why it is dead */
	char text[QFILE_TEXT_MAX];
};

struct window {
	unsigned nmessages, ntasks;
	int free_task, hungry, hungry_last;
	int chain[1024];
	struct message message[WINDOW_MESSAGES];
	struct task task[WINDOW_TASKS];
	struct dest dest[WINDOW_DESTS];
};

/* *w is all zero. */
void window_start(struct window *w);

/* Room for one more message with so many recipients. */
bool window_has_room(const struct window *w, unsigned nrcpt);

/* The destination of a key, made when it is new; WINDOW_NONE when all are in
 * use.  Those that nobody needs any more are forgotten for it. */
int window_dest(struct window *w, struct str key);
struct str window_key(const struct dest *d);

enum window_share { WINDOW_OK, WINDOW_PAUSE, WINDOW_SKIP };
/* May a destination have one more message?  One that is fast makes the scan
 * wait, one that is slow makes it go on with others. */
enum window_share window_share(
    const struct window *w, const struct dest *d, int64_t now_ms);

/* The message takes over *q. Its index. */
int window_add(struct window *w, const struct queued *q);
/* Forgets it; the caller has closed it. */
void window_drop(struct window *w, int message);

/* A recipient waits for its destination. */
void window_wait(struct window *w, int dest, int message, uint64_t offset,
    const struct qfile_rcpt *r);

/* Takes up to max tasks of one message off a destination's queue. */
unsigned window_take(struct window *w, int dest, int *task, unsigned max);

/* The task is no more. */
void window_free(struct window *w, int task);

/* From now on nothing is tried there. */
void window_kill(struct dest *d, struct str code, struct str text);

/* The destinations with work, in turn: the first, and the one after. */
int window_hungry(struct window *w);
int window_hungry_next(const struct window *w, int dest);

#endif
