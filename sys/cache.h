/*
 * Plans that were found a moment ago, so that a busy mailbox is not looked up
 * for every message.  Only good news is remembered, for a second, or for five
 * while nobody can be asked, and only while the files it came from stay as
 * they were; a home is looked at again when the mail is stored.
 */
#ifndef SYS_CACHE_H
#define SYS_CACHE_H

#include <stdint.h>

#include "mail/request.h"
#include "mail/str.h"
#include "sys/conf.h"

/* Looks at the files again; what came from older ones is forgotten.  Before
 * a round of requests. */
void cache_check(const struct conf *conf);

/* Everything is forgotten: the configuration is another one. */
void cache_forget(void);

/* A number that changes with the files: taken when a question is asked. */
uint64_t cache_age(void);

/* The plan record (behind its letter) for the recipient of L or R; false
 * when none is known.  `old`: of the last five seconds.  The view lives until the next cache_put. */
bool cache_get(
    const struct request *r, int64_t now_ms, bool old, struct str *plan);

/* Remembers it, unless the files changed since `age`, or it is too long. */
void cache_put(
    const struct request *r, uint64_t age, int64_t now_ms, struct str plan);

#endif
