/*
 * The parts of a check.  Each prints its findings.
 */
#ifndef SYS_CHECK_PART_H
#define SYS_CHECK_PART_H

#include "sys/check.h"
#include "sys/finding.h"

enum { PART_PATH_MAX = 4096 };

/* The accounts of the programs; a missing one has (id)-1. */
struct accounts {
	uid_t smtpd, deliver, queue;
	gid_t smtpd_group, queue_group;
};

struct site {
	const struct check *check;
	const struct conf *conf;
	bool private; /* all of it is the caller's own */
	bool systemd; /* runs this machine */
	struct accounts accounts;
};

/* "DIRECTORY/NAME", NUL-terminated, in room; cut when it does not fit. */
const char *part_path(
    char room[PART_PATH_MAX], const char *directory, const char *name);

/* The line of the configuration file that has this key, and, unless empty,
 * this first word of a value, as "FILE:LINE" in room; or the file alone. */
const char *part_key(
    const struct site *s, const char *key, struct str first, struct buf *room);

void check_settings(const struct site *s);
void check_accounts(struct site *s);
void check_places(const struct site *s);
void check_sockets(const struct site *s);
void check_units(const struct site *s);
void check_certificates(const struct site *s);
void check_names(const struct site *s);
void check_passwords(const struct site *s);
void check_hops(const struct site *s);
void check_machine(const struct site *s);

#endif
