/*
 * Text that is not ASCII in a header: encoded words of RFC 2047.
 */
#ifndef MAIL_WORDS_H
#define MAIL_WORDS_H

#include "mail/str.h"

/* There is an octet that a header may not have. */
bool words_are_needed(struct str text);

/*
 * The text as encoded words of at most 75 octets, joined by folds.  UTF-8
 * where it is, whole code points in each word; otherwise unknown-8bit.
 */
void words_put(struct buf *b, struct str text);

/* A display name: as it is, in quotes, or as encoded words. */
void words_put_name(struct buf *b, struct str name);

#endif
