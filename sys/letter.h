/*
 * A message on its way out: what came in on standard input, whom it is for,
 * and what it will be when it is sent.
 */
#ifndef SYS_LETTER_H
#define SYS_LETTER_H

#include "mail/compose.h"
#include "mail/encode.h"
#include "mail/envelope.h"
#include "mail/wire.h"
#include "sys/draft.h"

struct letter {
	struct draft draft;
	struct envelope envelope;
	struct compose_setup set;
	struct compose compose;
	struct encode encode;
	bool encoded; /* lines are too long for SMTP */
	bool utf8;    /* it needs SMTPUTF8 */
	struct wire_sum sum;
};

enum letter_answer {
	LETTER_NUL = 1 /* there is a NUL in it */
};

/* All of standard input.  0, LETTER_NUL or -errno. */
int letter_read(struct letter *l, bool keep_dots);

/* Once through the header; l->set.recipients hears of its lists.  0 or
 * -errno. */
int letter_look(struct letter *l);

/* With l->set complete: how long it is, what it needs.  0 or -errno. */
int letter_measure(struct letter *l);

/* All of it, with LF line ends.  0 or -errno: it cannot be read. */
int letter_write(
    struct letter *l, void (*put)(void *arg, struct str s), void *arg);

#endif
