/*
 * What deliver asks postern-command(8), over a SOCK_SEQPACKET socket: one
 * record for each connection, answered by "c" and a verdict.
 *
 *   C user command sender recipient start size + the message's fd
 *   D user command sender recipient content
 *
 * Fields end in NUL as those of mail/request.h do.
 */
#ifndef MAIL_ERRAND_H
#define MAIL_ERRAND_H

#include <stdint.h>

#include "mail/request.h"

enum {
	ERRAND_NAME_MAX = 64,
	ERRAND_COMMAND_MAX = 512,
	ERRAND_FIELDS_MAX = 2048 /* octets in front of the content */
};

struct errand {
	struct str user, command;
	struct str sender; /* empty: the null reverse-path */
	struct str recipient;
	bool file; /* C: it is in a file ... */
	uint64_t start, size;
	struct str content; /* ... or here */
};

/* The content is left to the caller, who may send it behind. */
void errand_put(struct buf *b, const struct errand *e);

/* Views into the record.  0 or REQUEST_BAD. */
int errand_get(struct str record, struct errand *e);

/*
 * The fate of a message whose command ended with this status of sysexits(3),
 * after saying `text` (any octets; kept in room, REQUEST_TEXT_MAX of them at
 * most).  What is not documented is "later".
 */
struct verdict errand_verdict(
    unsigned status, struct str said, struct buf *room);

#endif
