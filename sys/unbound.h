/*
 * Questions to the DNS by libunbound, several at once, with an end in time.
 * Only sys/dns.c asks this way.
 */
#ifndef SYS_UNBOUND_H
#define SYS_UNBOUND_H

#include "sys/dns.h"

enum { UNBOUND_LABELS = 16 /* "_65535._tcp." and its NUL */ };

/* Has to stay where it is while it is asked. */
struct unbound {
	enum dns_answer answer; /* DNS_OK: there are records */
	bool secure;
	int type;
	/* private */
	int id, error;
	bool done;
	struct ub_result *result;
	char name[DOMAIN_MAX + UNBOUND_LABELS];
};

/* As dns_start, dns_end and dns_is_validating tell. */
int unbound_start(const struct dns_setup *setup);
void unbound_end(void);
bool unbound_is_validating(void);

/* About label and host together. */
struct unbound unbound_question(const char *label, struct str host, int type);

/* Fills in answer and secure of n questions; logs why one is "later". */
void unbound_ask(struct unbound *q, unsigned n);

/* The data of the i-th record; false: no more.  Views until unbound_forget. */
bool unbound_record(const struct unbound *q, unsigned i, struct str *data);

/* The name at the end of aliases, with its dot, or empty. */
struct str unbound_canon(const struct unbound *q);

void unbound_forget(struct unbound *q, unsigned n);

#endif
