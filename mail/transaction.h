/*
 * The half of a session that builds an envelope, and how a session replies.
 * Used by mail/session.c alone.  Arguments are what stands behind the verb,
 * without spaces at its ends; every call leaves its reply in s->out.
 */
#ifndef MAIL_TRANSACTION_H
#define MAIL_TRANSACTION_H

#include "mail/session.h"

/* RFC 5321 4.1.1.2 and 4.1.1.3. */
void transaction_mail(struct session *s, struct str arg);
void transaction_rcpt(struct session *s, struct str arg);

/* RFC 5321 4.1.1.4: 354, and the phase is SESSION_DATA. */
void transaction_data(struct session *s, struct str arg);

/* RFC 3030 2: the phase is SESSION_CHUNK, whatever the reply will be. */
void transaction_bdat(struct session *s, struct str arg);

/* The content was read to its end, or to the end of a chunk. */
void transaction_end(struct session *s);
void transaction_end_chunk(struct session *s);

/*
 * Back to where a greeting leaves us: sender, recipients and content gone,
 * RFC 5321 4.1.1.5.
 */
void transaction_reset(struct session *s);

/* A reply as mail/answer.h writes it; 4yz and 5yz count as refusals. */
void transaction_reply(
    struct session *s, unsigned code, const char *status, const char *text);

/* The reply to an enum command_answer; path_status for a bad path. */
void transaction_syntax(struct session *s, int rc, const char *path_status);

/* A last reply, then nothing more is read. */
void transaction_close(
    struct session *s, unsigned code, const char *status, const char *text);

#endif
