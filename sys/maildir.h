/*
 * One message on its way into one Maildir, in the order that loses nothing:
 * written under tmp/ and its data on the disk, named in new/, then file and
 * directory on stable storage.  All under the file-system identity of its
 * owner, which the caller has taken.
 */
#ifndef SYS_MAILDIR_H
#define SYS_MAILDIR_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "mail/str.h"
#include "sys/source.h"

struct maildir {
	int tmp, new; /* the directories */
	int file;
	bool written, named; /* what there is to remove */
	bool synced;         /* before it was named */
	char name[NAME_MAX + 1];
};

/* A struct maildir that holds nothing; for maildir_close. */
void maildir_init(struct maildir *m);

/*
 * Opens the Maildir `path`, which must be uid's, made if missing (0700; its
 * parent must be there).  `walked`: as walk_open does it, and not made.
 * 0 or -errno, logged.
 */
int maildir_open(struct maildir *m, const char *path, uid_t uid, bool walked);

/* Writes head and the content under tmp/.  0 or -errno, logged. */
int maildir_write(struct maildir *m, struct str head,
    const struct source *content, struct str hostname);

/* Its data on its way to the disk, or (push_out) there.  0 or -errno. */
void maildir_push(const struct maildir *m);
int maildir_push_out(struct maildir *m);

/* Its final name in new/: from here on it can be seen.  0 or -errno. */
int maildir_name(struct maildir *m);

/* File and directory on stable storage: the promise.  0 or -errno, and then
 * it has to be removed, for what is in memory proves nothing. */
int maildir_sync(struct maildir *m);

/* Removes what there is of it. */
void maildir_remove(struct maildir *m);

void maildir_close(struct maildir *m);

#endif
