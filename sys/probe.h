/*
 * A destination looked at, or tried, without sending anything: for postern(8),
 * which links neither the DNS nor TLS.  What is printed is told in
 * sys/hearsay.h.
 */
#ifndef SYS_PROBE_H
#define SYS_PROBE_H

#include "sys/conf.h"

struct probe {
	const struct conf *conf;
	/* An address; "smarthost"; or "dns": does the resolver answer? */
	const char *what;
	bool live;          /* call each address, up to RCPT */
	const char *sender; /* reverse-path of the test, NULL: a likely one */
};

/* Before rights are given up: reads the passwords. */
void probe_prepare(const struct probe *p);

/* Locks itself in, looks and prints.  An exit code. */
int probe_run(const struct probe *p);

#endif
