/*
 * How a connection of mail/client.h begins.
 */
#ifndef MAIL_OPENING_H
#define MAIL_OPENING_H

#include "mail/client.h"

/* EHLO, after the greeting and after the handshake. */
void opening_begin(struct client *c);

/* A reply to one of its questions. */
void opening_hear(struct client *c);

#endif
