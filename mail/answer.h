/*
 * Replies of the server, RFC 5321 4.2, with the enhanced status codes of RFC
 * 2034 and 3463.
 */
#ifndef MAIL_ANSWER_H
#define MAIL_ANSWER_H

#include "mail/request.h"
#include "mail/str.h"

/*
 * One line "250 2.1.0 text" CR LF.  status is NULL where RFC 2034 wants none
 * (greeting, EHLO, 3yz); its class is that of the code.
 */
void answer(struct buf *b, unsigned code, const char *status, const char *text);

/*
 * The reply that a verdict means: 250, 451 or 452 (no room, RFC 5321 4.2.2),
 * 550 or 552 (mailbox full) or 554 (content).  Returns the code.
 */
unsigned answer_verdict(struct buf *b, const struct verdict *v);

/*
 * The verdict on a message from the verdicts on its recipients, `n` of them
 * taken so far into *all: all DONE is DONE, all NEVER is NEVER, every mixture
 * is LATER, with the text of the first that is not done.
 */
void answer_join(struct verdict *all, unsigned n, const struct verdict *one);

#endif
