/*
 * Whom a submitted message is from and for, collected from a command line and
 * a header; nobody twice.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "mail/addr.h"
#include "mail/list.h"
#include "mail/qfile.h"

enum envelope_answer {
	ENVELOPE_BAD = 1, /* an element is no address; others were taken */
	ENVELOPE_FULL = 2 /* more recipients than a message may have */
};

struct envelope {
	bool utf8;         /* a local part needs SMTPUTF8 */
	struct str sender; /* as MAIL wants it, empty: the null one */
	unsigned nrcpt;
	struct str rcpt[QFILE_RCPT_MAX]; /* as RCPT wants it */
	struct buf text;                 /* all of them */
	char room[(QFILE_RCPT_MAX + 1) * ADDR_TEXT_MAX];
};

void envelope_init(struct envelope *e);

/* One mailbox, or none (empty or <>): the null reverse-path.  A bare name is
 * qualified.  0 or ENVELOPE_BAD. */
int envelope_set_sender(struct envelope *e, struct str text, struct str origin);

/*
 * All of a list.  Bare names stay bare: whoever takes the mail knows them.
 * 0, or an enum envelope_answer; then *bad, unless NULL, is the first element
 * that is no address, a view into the text.
 */
int envelope_add(struct envelope *e, struct str list, struct str *bad);

/* Forgets all recipients but the first nrcpt. */
void envelope_cut(struct envelope *e, unsigned nrcpt);

#endif
