/*
 * A program that runs as a user and is given a message: without a shell, with
 * a clean environment, within limits, and with nothing left of it afterwards.
 */
#ifndef SYS_HIRELING_H
#define SYS_HIRELING_H

#include "mail/argv.h"
#include "sys/identity.h"
#include "sys/person.h"
#include "sys/source.h"

enum {
	HIRELING_S = 60,           /* to end */
	HIRELING_CPU_S = 30,       /* of processor time, for each process */
	HIRELING_FILES = 256,      /* descriptors */
	HIRELING_MEMORY = 1 << 30, /* octets of address space, likewise */
	HIRELING_PROCESSES = 512,  /* of the user, whatever else he runs */
	HIRELING_SAID_MAX = 1024   /* octets of output that are kept */
};

enum { HIRELING_ENV = 16, HIRELING_ENV_TEXT = 12 * 1024 };

struct environment {
	unsigned n;
	char *v[HIRELING_ENV + 1]; /* ends with NULL */
	struct buf text;
	char room[HIRELING_ENV_TEXT];
};

void environment_start(struct environment *e);
/* What does not fit sets e->text.full. */
void environment_add(struct environment *e, const char *name, struct str value);

struct hireling {
	const struct identity *self;
	const struct person *who;
	const struct argv *argv;
	const struct environment *env;
	struct str head; /* in front of the message */
	struct source content;
};

struct hireling_end {
	unsigned status; /* of exit(3); 256: by a signal, or it was ended */
	bool late;       /* it was ended: its time was over */
	struct str said; /* the beginning of what it put out */
	char room[HIRELING_SAID_MAX];
};

/*
 * Runs it and waits.  0, or -errno, logged, when it could not be started.
 * Afterwards this process has no children; it must not have had others.
 */
int hireling_run(const struct hireling *h, struct hireling_end *end);

#endif
