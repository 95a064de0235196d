/*
 * The lock-down: seccomp filters compiled at build time from the tables in
 * sys/policy/, Landlock as far as the kernel has it, rlimits, no new
 * privileges, non-dumpable.
 */
#ifndef SYS_SANDBOX_H
#define SYS_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

#include "mail/str.h"

/*
 * Descriptors that smtpd's filter knows by number.  0 and 1 are the client,
 * 2 is standard error or the log.
 */
enum {
	SANDBOX_SPOOL_FD = 10,   /* the spool's queue directory */
	SANDBOX_DELIVER_FD = 11, /* SEQPACKET connection to deliver */
	SANDBOX_LOG_FD = 12,     /* connected /dev/log, when syslog is used */
	SANDBOX_PARENT_FD = 13,  /* SEQPACKET to the accept loop */
	SANDBOX_RULESET_FD = 14, /* Landlock's, until it is entered */
	SANDBOX_WAKE_FD = 15,    /* wakes the queue, may be closed */
	SANDBOX_TLS_FD = 16,     /* to tls, one for all sessions */
	SANDBOX_FREE_FD = 17     /* the first that is free for others */
};

enum sandbox_program {
	SANDBOX_SMTPD,
	SANDBOX_DELIVER,
	SANDBOX_PASS,
	SANDBOX_CARRIER,
	SANDBOX_TLS
};

/* What came of it, for the log: "landlock=7 seccomp=yes". */
struct sandbox_level {
	int landlock_abi; /* 0: not available */
};

/*
 * Prepared once, before connections are accepted (a parent prepares, its
 * children enter): a Landlock ruleset that lets smtpd create, write, read
 * what it created, and remove in the directory spool_fd only; deliver's
 * denies execution and the making of devices and sockets; a pass may read
 * everything and write below spool_fd, here the spool itself; a carrier has no
 * file at all.  spool_fd is -1 when there is none.  *ruleset_fd is -1 when the kernel has no Landlock
 * (decided by the version query alone).  0 or -errno.
 */
int sandbox_prepare(enum sandbox_program program, int spool_fd, int *ruleset_fd,
    struct sandbox_level *level);

/* One log line: what the kernel offers, a warning when a wall is missing. */
void sandbox_log(const struct sandbox_level *level);

/*
 * Locks this process in for good: no_new_privs, non-dumpable, rlimits (core
 * 0 and, for smtpd, NPROC 0, AS), Landlock, then the program's filter, on
 * all threads.  Fails closed: on -errno the caller must not go on.
 * `ruleset_fd` may be -1; it stays open for the next child to use.
 */
int sandbox_enter(enum sandbox_program program, int ruleset_fd);

/*
 * Only for deliver, before sandbox_enter: from now on no set*uid, set*gid,
 * setfsuid or setfsgid to an id below `minimum`, other than `own` (our own
 * id); for groups also `mail_gid` is good.  (id)-1 asks and is good.
 * setgroups only with an empty list.  A small hand-built filter, since its
 * numbers are known only at run time.  0 or -errno.
 */
int sandbox_limit_ids(
    uint32_t minimum, uint32_t own_uid, uint32_t own_gid, uint32_t mail_gid);

#endif
