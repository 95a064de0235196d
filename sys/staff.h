/*
 * The uids that smtpd itself has to know: its own, and that of the queue pass.
 */
#ifndef SYS_STAFF_H
#define SYS_STAFF_H

#include <stdbool.h>
#include <sys/types.h>

/* Before the lock-down, once our uid is what it will be: asks NSS. */
void staff_learn(void);

/* Root, or whom we run as: everything here is his anyway. */
bool staff_is_own(uid_t uid);

/* The user _postern-queue, where there is one. */
bool staff_is_queue(uid_t uid);

#endif
