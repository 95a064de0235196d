/*
 * The other programs of the installation that we are from, wherever it lies:
 * in our own directory, in ../libexec/postern, ../lib/postern or ../bin of it.
 */
#ifndef SYS_BESIDE_H
#define SYS_BESIDE_H

#include "mail/str.h"

/* The path of a program that is there, with its NUL.  0 or -errno. */
int beside_find(const char *name, struct buf *path);

/* Becomes that program with these arguments, the first of which is its name,
 * the last NULL.  Only returns when that failed: -errno. */
int beside_become(const char *name, const char *const *argv);

/* A smtpd of our own, whose client is the descriptor that is returned; its
 * process in *pid.  Or -errno. */
int beside_start_smtpd(int *pid);

#endif
