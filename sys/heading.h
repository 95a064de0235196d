/*
 * The fields that a message lacks when a local program submits it, RFC 6409 8.
 * Whole lines, with their LF.
 */
#ifndef SYS_HEADING_H
#define SYS_HEADING_H

#include <time.h>

#include "mail/str.h"

/* From: name <address>, or the address alone where there is no name. */
void heading_from(struct buf *b, struct str name, struct str address);

/* Date, in local time. */
void heading_date(struct buf *b, time_t now);

/* Message-ID, which nobody can guess and no two messages share. */
void heading_message_id(struct buf *b, time_t now, struct str hostname);

#endif
