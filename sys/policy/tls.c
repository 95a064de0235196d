/*
 * What a locked-in worker of tls may ask of the kernel: it takes connections
 * that are handed to it, reads and writes them, and waits.  It opens, makes,
 * connects and runs nothing.
 *
 * OpenSSL is not ours, and asks for more on other machines and in other
 * versions; what no row names fails with EPERM, so that a new release of it
 * is not the end of TLS.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "policy.h"

/* clang-format off */
static const struct policy_rule rules[] = {
	ALLOW("recvmsg", NO_CONDITION),		/* connections */
	ALLOW("read", NO_CONDITION),
	ALLOW("readv", NO_CONDITION),
	ALLOW("write", NO_CONDITION),
	ALLOW("writev", NO_CONDITION),
	ALLOW("shutdown", NO_CONDITION),
	ALLOW("close", NO_CONDITION),
	ALLOW("fcntl", INT(1, F_SETFL)),
	ALLOW_NARROW("fcntl64", INT(1, F_SETFL)),
	ALLOW("epoll_ctl", NO_CONDITION),
	ALLOW("epoll_wait", NO_CONDITION),
	ALLOW("epoll_pwait", NO_CONDITION),

	/* Memory, never executable. */
	ALLOW("brk", NO_CONDITION),
	ALLOW_WIDE("mmap", LONG_WITHIN(2, PROT_READ | PROT_WRITE),
	    LONG(3, MAP_PRIVATE | MAP_ANONYMOUS)),
	ALLOW_NARROW("mmap2", LONG_WITHIN(2, PROT_READ | PROT_WRITE),
	    LONG(3, MAP_PRIVATE | MAP_ANONYMOUS)),
	ALLOW("mprotect", LONG_WITHIN(2, PROT_READ | PROT_WRITE)),
	ALLOW("munmap", NO_CONDITION),
	ALLOW("mremap", NO_CONDITION),
	ALLOW("madvise", INT(2, MADV_DONTNEED)),
	ALLOW("futex", NO_CONDITION),
	ALLOW_NARROW("futex_time64", NO_CONDITION),

	/* Time, chance, and who am I. */
	ALLOW("clock_gettime", NO_CONDITION),
	ALLOW_NARROW("clock_gettime64", NO_CONDITION),
	ALLOW("gettimeofday", NO_CONDITION),
	ALLOW("time", NO_CONDITION),
	ALLOW("getrandom", NO_CONDITION),
	ALLOW("getpid", NO_CONDITION),
	ALLOW("gettid", NO_CONDITION),

	/* Signals, and the way out. */
	ALLOW("rt_sigprocmask", NO_CONDITION),
	ALLOW("rt_sigreturn", NO_CONDITION),
	ALLOW_NARROW("sigreturn", NO_CONDITION),
	ALLOW("restart_syscall", NO_CONDITION),
	ALLOW("exit", NO_CONDITION),
	ALLOW("exit_group", NO_CONDITION),

	/* Things the libraries try and go on without. */
	REFUSE("openat", EACCES, NO_CONDITION),
	REFUSE("open", EACCES, NO_CONDITION),
	REFUSE("ioctl", ENOTTY, NO_CONDITION),
};
/* clang-format on */

const struct policy policy_tls = { "tls", rules,
	sizeof(rules) / sizeof(rules[0]), EPERM };
