/*
 * One message on its way into one mbox file.  A child with the user's ids and
 * no capability appends it, waits until the others are ready too, and then
 * makes it last or takes it back.
 */
#ifndef SYS_MBOX_H
#define SYS_MBOX_H

#include <stdint.h>
#include <sys/types.h>

#include "mail/str.h"
#include "sys/identity.h"
#include "sys/source.h"

enum { MBOX_LOCK_S = 30 }; /* how long a lock of others is waited for */

struct mbox {
	pid_t child;
	int talk; /* the child's socket; -1 */
};

void mbox_init(struct mbox *m);

struct mbox_mail {
	struct str sender; /* for the From_ line, empty: MAILER-DAEMON */
	struct str head;   /* Return-Path and Delivered-To */
	struct source content;
};

/*
 * Starts the child: it becomes uid and gid for good, locks `path` (fcntl,
 * then PATH.lock where the directory permits) and appends.  0 or -errno,
 * logged; then nothing was changed and no child is left.
 */
int mbox_append(struct mbox *m, const struct identity *self, uid_t uid,
    gid_t gid, const char *path, const struct mbox_mail *mail);

/* On stable storage, unlocked.  0 or -errno, logged; the child is gone. */
int mbox_commit(struct mbox *m);

/* The file is as long as it was before.  The child is gone. */
void mbox_abort(struct mbox *m);

#endif
