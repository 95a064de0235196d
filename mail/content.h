/*
 * The half of a session that takes a message's octets: after DATA (RFC 5321
 * 4.1.1.4) and BDAT (RFC 3030).
 */
#ifndef MAIL_CONTENT_H
#define MAIL_CONTENT_H

#include "mail/session.h"

/*
 * Opens the message and writes its Received field.  0, or -errno (then
 * nothing is open).
 */
int content_open(struct session *s);

/* Takes octets of DATA or of a BDAT chunk; the count taken. */
size_t content_data(struct session *s, struct str in);
size_t content_chunk(struct session *s, struct str in);

/*
 * The end of the message was read: the verdict on it, after storing it where
 * nothing speaks against it.  Views in *v live until the next host call.
 */
void content_commit(struct session *s, struct verdict *v);

/* Releases what content_open took; the transaction is over for the host. */
void content_close(struct session *s);

/* -errno of our own disk or host, as a verdict; for the host, too. */
struct verdict content_fault(int error);

#endif
