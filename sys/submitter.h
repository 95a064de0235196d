/*
 * May a local user send as this address?  His own are NAME@ and NAME+tag@
 * every domain that is ours; others by sender-map, a file with lines "address
 * user..." or "@domain user...", in which * is everybody.  Used by lookup
 * workers alone.
 */
#ifndef SYS_SUBMITTER_H
#define SYS_SUBMITTER_H

#include "mail/request.h"
#include "sys/text.h"
#include "sys/users.h"

enum { SUBMITTER_TEXT_MAX = 1024 * 1024 }; /* octets of sender-map */

/*
 * `address` is the reverse-path as it was given.  `map` is read again when it
 * changed.  His name goes into *name; what he is told into *v, whose text is
 * in *why.
 */
void submitter_judge(const struct users *u, struct text *map, uint32_t uid,
    struct str address, struct buf *name, struct buf *why, struct verdict *v);

#endif
