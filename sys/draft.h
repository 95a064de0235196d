/*
 * A message that is being submitted, kept until it is safe elsewhere: a small
 * one in memory, a larger one in a file without a name.
 */
#ifndef SYS_DRAFT_H
#define SYS_DRAFT_H

#include "mail/str.h"

enum { DRAFT_MEMORY = 256 * 1024, DRAFT_BLOCK = 64 * 1024 };

struct draft {
	int fd; /* -1: all of it is in memory */
	uint64_t size;
	char memory[DRAFT_MEMORY]; /* or a block of the file */
};

void draft_init(struct draft *d);
void draft_close(struct draft *d);

/* 0 or -errno. */
int draft_add(struct draft *d, struct str s);

/* The piece at that offset, valid until the next call; empty at the end.  0 or
 * -errno. */
int draft_get(struct draft *d, uint64_t at, struct str *piece);

#endif
