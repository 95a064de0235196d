/*
 * What of JSON is written here.
 */
#ifndef MAIL_JSON_H
#define MAIL_JSON_H

#include "mail/str.h"

/* The string with its quotes.  What is no UTF-8 is taken as Latin-1. */
void json_put(struct buf *b, struct str s);

#endif
