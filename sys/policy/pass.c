/*
 * What a locked-in pass may ask of the kernel: files, which Landlock bounds,
 * processes of its own, and all that the carriers need that it forks, before
 * they lock themselves in (files of their libraries) and after.  It runs no
 * other program and touches no process that is not its own.
 *
 * As for a carrier, what no row names fails with EPERM.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "policy.h"

enum { MDWE = 65 /* PR_SET_MDWE */ };

/* clang-format off */
static const struct policy_rule rules[] = {
#include "sys/policy/calling-rows.h"

	/* Messages, reports, and what libraries read. */
	ALLOW("open", NO_CONDITION),
	ALLOW("openat", NO_CONDITION),
	ALLOW("getdents64", NO_CONDITION),
	ALLOW("pwrite64", NO_CONDITION),
	ALLOW("flock", NO_CONDITION),
	ALLOW("renameat2", NO_CONDITION),
	ALLOW("linkat", NO_CONDITION),
	ALLOW("unlinkat", NO_CONDITION),
	ALLOW("sync_file_range", NO_CONDITION),
	ALLOW("sync_file_range2", NO_CONDITION),	/* arm */
	ALLOW("fsync", NO_CONDITION),
	ALLOW("syncfs", NO_CONDITION),
	ALLOW("fdatasync", NO_CONDITION),
	ALLOW("stat", NO_CONDITION),
	ALLOW("lstat", NO_CONDITION),
	ALLOW_NARROW("stat64", NO_CONDITION),
	ALLOW_NARROW("lstat64", NO_CONDITION),
	ALLOW_NARROW("fstatat64", NO_CONDITION),
	ALLOW("statfs", NO_CONDITION),
	ALLOW("fstatfs", NO_CONDITION),
	ALLOW_NARROW("statfs64", NO_CONDITION),
	ALLOW_NARROW("fstatfs64", NO_CONDITION),
	ALLOW("access", NO_CONDITION),
	ALLOW("faccessat", NO_CONDITION),
	ALLOW("faccessat2", NO_CONDITION),
	ALLOW("readlink", NO_CONDITION),
	ALLOW("readlinkat", NO_CONDITION),
	ALLOW("getcwd", NO_CONDITION),
	ALLOW("fadvise64", NO_CONDITION),
	ALLOW_NARROW("fadvise64_64", NO_CONDITION),
	REFUSE("ioctl", ENOTTY, NO_CONDITION),

	/* A library that another one loads: its code is not written to. */
	ALLOW_WIDE("mmap", BITS(2, PROT_WRITE, 0)),
	ALLOW_NARROW("mmap2", BITS(2, PROT_WRITE, 0)),

	/* What are our own addresses: asked by a carrier that is not locked in
	 * yet. */
	ALLOW("socket", INT(0, AF_NETLINK)),

	/* Carriers: forked, left with one socket, buried. */
	ALLOW("fork", NO_CONDITION),		/* musl */
	ALLOW("clone", BITS(0, ~(uint64_t)POLICY_FORK_ID_BITS, POLICY_FORK)),
	ALLOW("set_tid_address", NO_CONDITION),
	ALLOW("getppid", NO_CONDITION),
	ALLOW("dup2", NO_CONDITION),
	ALLOW("dup3", NO_CONDITION),
	ALLOW("close_range", NO_CONDITION),
	ALLOW("wait4", NO_CONDITION),
	ALLOW("kill", BITS(0, 0x80000000, 0), INT(1, SIGKILL)),

	/* They lock themselves in further. */
	ALLOW("seccomp", INT(0, 1)),		/* SECCOMP_SET_MODE_FILTER */
	ALLOW("landlock_create_ruleset", NO_CONDITION),
	ALLOW("landlock_add_rule", NO_CONDITION),
	ALLOW("landlock_restrict_self", NO_CONDITION),
	ALLOW("prlimit64", INT(0, 0)),
	ALLOW("prctl", INT(0, PR_SET_PDEATHSIG)),
	ALLOW("prctl", INT(0, PR_SET_NO_NEW_PRIVS)),
	ALLOW("prctl", INT(0, PR_SET_DUMPABLE)),
	ALLOW("prctl", INT(0, MDWE)),
};
/* clang-format on */

const struct policy policy_pass = { "pass", rules,
	sizeof(rules) / sizeof(rules[0]), EPERM };
