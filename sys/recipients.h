/*
 * The file of relay-recipients: who there is in the domains that we forward
 * for anyone.  An address a line, or @domain for all of one; # begins a
 * comment.
 */
#ifndef SYS_RECIPIENTS_H
#define SYS_RECIPIENTS_H

#include "mail/request.h"
#include "sys/text.h"

enum { RECIPIENTS_TEXT_MAX = 8 * 1024 * 1024 }; /* octets of the file */

/* `file` is read again when it changed.  Letters of any case are the same. */
struct verdict recipients_find(
    struct text *file, const char *path, struct str local, struct str domain);

#endif
