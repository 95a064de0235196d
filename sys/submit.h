/*
 * Handing a letter to the mail service of this machine: SMTP over a unix
 * socket, tried for a while, and what became of each recipient.
 */
#ifndef SYS_SUBMIT_H
#define SYS_SUBMIT_H

#include "mail/client.h"
#include "sys/letter.h"

enum {
	SUBMIT_PATIENCE_MS = 10 * 1000, /* for somebody to be there */
	SUBMIT_GREETING_S = 30,         /* ... and to say something */
	SUBMIT_PATHS_MAX = 2,
	SUBMIT_WHY_MAX = 256
};

struct submit {
	struct letter *letter;
	struct str hostname;                /* for EHLO */
	const char *path[SUBMIT_PATHS_MAX]; /* of sockets, NULL: no more */
	bool may_start; /* a smtpd of our own where nobody listens */
	bool verbose;
	unsigned notify;        /* of all recipients */
	struct qfile_head head; /* ret and envid are the caller's */
	/* what became of it */
	unsigned ndone, nrefused, nleft;
	bool is_open[QFILE_RCPT_MAX]; /* neither done nor refused */
	int code;       /* sysexits(3), of the first refusal; 0: none */
	struct buf why; /* the last thing that went wrong, of those left */
	char why_text[SUBMIT_WHY_MAX];
};

/*
 * Refusals are told on standard error, one line each.  Returns when all
 * recipients have their answer, or the patience is over: then nleft is not 0,
 * and `why` says why.
 */
void submit_run(struct submit *s);

/* The descriptor of a connection to whoever listens, or of a smtpd of our own,
 * in time; or -errno, with `why`. */
int submit_connect(struct submit *s);

/* Waits for a smtpd that we have started. */
void submit_reap(void);

#endif
