/*
 * One file of the queue (mail/qfile.h) while smtpd makes it.  Nobody but us
 * knows of it until it is committed, and nobody works on it until it is
 * closed.  What fails is logged here and given up by entry_drop.
 */
#ifndef SYS_ENTRY_H
#define SYS_ENTRY_H

#include "mail/qfile.h"
#include "sys/spool.h"

struct entry {
	int fd; /* -1: there is none */
	bool named;
	struct qfile_sum sum;
	uint64_t start; /* where the content begins, once it does */
	char name[SPOOL_NAME_MAX];
	struct buf out; /* head and recipients not written yet */
	char out_text[16 * 1024];
};

void entry_init(struct entry *e);

/* Its name is the final one, of spool_name; then its recipients, h->nrcpt of
 * them, then content.  0 or -errno. */
int entry_open(struct entry *e, const char *name, const struct qfile_head *h);
/* *at is where it begins, for entry_mark. */
int entry_rcpt(struct entry *e, const struct qfile_rcpt *r, uint32_t *at);
int entry_write(struct entry *e, struct str content);

/* The end; then it is safe, and locked.  0 or -errno. */
int entry_commit(struct entry *e);

/* The octets of content so far. */
uint64_t entry_size(const struct entry *e);

/* What became of a recipient: its status, after code and text unless they are
 * empty.  Before the commit or after it.  0 or -errno. */
int entry_mark(struct entry *e, uint32_t at, enum qfile_status status,
    struct str code, struct str text);

/* Marks that came after the commit are made to last, as far as that goes: one
 * that is lost is made again. */
void entry_sync(struct entry *e);

/* Whatever there is of it goes away. */
void entry_drop(struct entry *e);

/* It is committed: from now on the queue may have it. */
void entry_close(struct entry *e);

#endif
