/*
 * REQUIRETLS as the client of RFC 8689 4.2.1 keeps it: such a message goes to
 * a host whose name is known for sure, that proves to be that host, and that
 * promises to ask no less of the next one.
 */
#ifndef SYS_STRICT_H
#define SYS_STRICT_H

#include "mail/qfile.h"
#include "sys/call.h"

struct strict_lack {
	const char *status; /* "5.7.10"; NULL: nothing */
	const char *text;   /* constant, printable ASCII */
	bool lasting;       /* of this host; no later attempt will help */
};

/*
 * May the message go over this open call?  True, or false and what it lacks.
 * `sure`: a domain whose exchangers were not validated will not be so later
 * either.  A certificate that nobody had asked for is looked at now.
 */
bool strict_suits(struct call *c, const struct qfile_head *h, bool sure,
    struct strict_lack *lack);

#endif
