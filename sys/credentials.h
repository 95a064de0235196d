/*
 * Passwords for next hops: a file with a line "host user password" for each,
 * the password to the end of its line; "bearer:" before it makes it a token
 * (XOAUTH2).  # begins a comment line.
 */
#ifndef SYS_CREDENTIALS_H
#define SYS_CREDENTIALS_H

#include "mail/hop.h"
#include "mail/sasl.h"

enum { CREDENTIALS_OCTETS = 64 * 1024 };

/*
 * Before the lock-down: reads $CREDENTIALS_DIRECTORY/smarthost, or else
 * `path` (NULL: none), which must be nobody's but ours or root's, and readable
 * by nobody else.  0, also when there is none; or -errno, logged.
 */
int credentials_load(const char *path);

/* The password for a hop's user at its host, and a fresh nonce; no crypto.  0,
 * -ENOENT: there is none, or -errno.  The views live until the next call. */
int credentials_find(const struct hop *h, struct sasl_secret *secret);

#endif
