/*
 * Is the installation as it should be?  A line for each thing that was looked
 * at: "ok: ...", "warning: ..." or "fault: ...".
 */
#ifndef SYS_CHECK_H
#define SYS_CHECK_H

#include "sys/conf.h"

struct check {
	const char *conf_path; /* as it was given, NULL: the usual one */
	const char *sender;    /* reverse-path of tests, NULL: a likely one */
	bool offline;          /* nobody is called, no name is looked up */
	bool quiet;            /* warnings and faults only */
};

/*
 * An exit code: 0, no fault (there may be warnings); EX_CONFIG, a fault of the
 * installation; EX_UNAVAILABLE, it is good but somebody cannot be reached.
 */
int check_all(const struct check *c);

#endif
