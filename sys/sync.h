/*
 * The three steps that make a new file safe, in their order: its data goes
 * out, then it gets its final name, then file and directory are synced.  A
 * power cut never shows a torn file under a final name.  Nothing is logged
 * here.
 */
#ifndef SYS_SYNC_H
#define SYS_SYNC_H

#include <stdbool.h>

/* *synced: the file needs no fsync any more.  0 or -errno. */
int sync_data(int fd, bool *synced);

/* Never over a name that is there.  0; SYNC_BOTH: the old name is still there
 * too; or -errno. */
enum { SYNC_BOTH = 1 };
int sync_name(int from_dir, const char *from, int to_dir, const char *to);

/* 0 or -errno. */
int sync_both(int fd, bool synced, int dir);

#endif
