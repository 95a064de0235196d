/*
 * Base64 of RFC 4648 4, whole: with padding, without line ends.
 */
#ifndef MAIL_BASE64_H
#define MAIL_BASE64_H

#include "mail/str.h"

/* Octets of text for n octets. */
#define BASE64_OCTETS(n) (((n) + 2) / 3 * 4)

void base64_put(struct buf *b, struct str s);

/* 0 or BASE64_BAD: not such a text, or no room; then *b is as it was.  Only
 * what base64_put writes is good. */
enum { BASE64_BAD = 1 };
int base64_get(struct buf *b, struct str text);

#endif
