/*
 * Sender rewriting with deliver's secret: SRS of mail/srs.h as the
 * configuration says.
 */
#ifndef SYS_REWRITE_H
#define SYS_REWRITE_H

#include "mail/srs.h"
#include "sys/conf.h"
#include "sys/identity.h"

/*
 * The reverse-path, for other hosts, of mail that came from `from` (text, may
 * be empty); appended to *b, nothing when it may stay what it is.  0, or
 * -errno, logged: the secret cannot be had now.
 */
int rewrite_sender(const struct conf *c, const struct identity *self,
    struct str from, struct buf *b);

/*
 * Whom the local part of an address of ours stands for.  0; SRS_NOT,
 * SRS_FORGED or SRS_OLD; or -errno, logged.
 */
int rewrite_back(const struct conf *c, const struct identity *self,
    struct str local, struct buf *b);

#endif
