/*
 * Puts a message into all mailboxes of a job, or into none.
 */
#ifndef SYS_COMMIT_H
#define SYS_COMMIT_H

#include "sys/identity.h"
#include "sys/job.h"

struct commit {
	const struct identity *self;
	struct str hostname;
	const char *run_directory;
	gid_t mail_gid; /* of mbox files in /var/mail */
	uint32_t minimum_uid;
	int slot;          /* of sys/share.h; SHARE_NONE */
	struct str sender; /* reverse-path, empty for the null one */
	struct source content;
};

/*
 * Sets the outcome of every copy.  First each is written, then all get their
 * names, then all are made to last; when one fails before the names, nothing
 * is left of any.  VERDICT_DONE only for what is on stable storage.
 */
void commit_job(const struct commit *c, struct job *j);

#endif
