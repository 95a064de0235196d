/*
 * A build without libunbound: nothing is known, so everything waits.
 */
#include "sys/unbound.h"

#include <errno.h>

#include "sys/log.h"

#ifndef HAVE_UNBOUND

int unbound_start(const struct dns_setup *setup)
{
	(void)setup;
	log_note(LOGL_ERR, "dns",
	    "libunbound is not built in: no name is looked up, mail waits");
	return -ENOTSUP;
}

void unbound_end(void)
{
}

bool unbound_is_validating(void)
{
	return false;
}

struct unbound unbound_question(const char *label, struct str host, int type)
{
	struct unbound q = { .type = type };

	(void)label;
	(void)host;
	return q;
}

void unbound_ask(struct unbound *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		q[i].answer = DNS_LATER;
}

bool unbound_record(const struct unbound *q, unsigned i, struct str *data)
{
	(void)q;
	(void)i;
	(void)data;
	return false;
}

struct str unbound_canon(const struct unbound *q)
{
	(void)q;
	return str_at("", 0);
}

void unbound_forget(struct unbound *q, unsigned n)
{
	(void)q;
	(void)n;
}

#endif
