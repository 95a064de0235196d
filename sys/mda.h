/*
 * deliver from the command line: one message on standard input, one user.
 */
#ifndef SYS_MDA_H
#define SYS_MDA_H

#include "sys/reload.h"
#include "sys/store.h"

/*
 * Delivers standard input to `user` (name, name+tag or name@domain) with the
 * reverse-path `sender` (NULL: whoever calls, `caller`).  Returns an exit
 * code of sysexits(3); what is wrong goes to standard error.
 */
int mda_deliver(struct reload *conf, struct store *store, const char *sender,
    uid_t caller, const char *user);

#endif
