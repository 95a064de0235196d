/*
 * One message on a connection of mail/client.h: its transactions, as many as
 * the server's limits make of it.
 */
#ifndef MAIL_HANDOVER_H
#define MAIL_HANDOVER_H

#include "mail/client.h"

/* The message in c->mail; nothing is asked yet. */
void handover_begin(struct client *c);

/* Asks what may be asked now. */
void handover_go_on(struct client *c);

/* Is it the turn of a recipient to be asked for? */
bool handover_wants_rcpt(const struct client *c);
void handover_rcpt(struct client *c, const struct qfile_rcpt *r);

/* A reply within the envelope, or to the content. */
void handover_hear(struct client *c);

#endif
