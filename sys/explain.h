/*
 * What would become of mail for an address, step by step, in words.  The
 * steps are those of the code that delivers; nothing is delivered.
 */
#ifndef SYS_EXPLAIN_H
#define SYS_EXPLAIN_H

#include "sys/conf.h"

struct explain {
	const struct conf *conf;
	const char *conf_path; /* as it was given, NULL: the usual one */
	bool offline;          /* the DNS is not asked */
};

/*
 * Prints it.  An exit code: 0, there is a way; EX_DATAERR, no address;
 * EX_NOUSER and EX_NOHOST, never; EX_TEMPFAIL, not now; EX_NOPERM, only deliver
 * can tell.
 */
int explain_address(const struct explain *e, struct str address);

#endif
