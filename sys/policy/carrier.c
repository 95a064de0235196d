/*
 * What a locked-in carrier may ask of the kernel: sockets to anywhere, the
 * messages it is handed, memory, and the thread of the resolver library.  It
 * opens, makes and runs nothing.
 *
 * OpenSSL and libunbound are not ours, and ask for more on other machines and
 * in other versions; what no row names fails with EPERM, so that a new
 * release of theirs is never a queue that stands still.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "policy.h"

/* CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID and
 * CHILD_CLEARTID: a thread, and nothing that is not one; and from musl
 * CLONE_DETACHED, which does nothing. */
enum { THREAD = 0x003d0f00, DETACHED = 0x00400000 };

/* clang-format off */
static const struct policy_rule rules[] = {
	/* Strangers, resolvers, and the pass. */
	ALLOW("socket", INT(0, AF_INET)),
	ALLOW("socket", INT(0, AF_INET6)),
	ALLOW("socket", INT(0, AF_UNIX)),
	ALLOW("socketpair", INT(0, AF_UNIX)),
	ALLOW("connect", NO_CONDITION),
	ALLOW("bind", NO_CONDITION),		/* a port for a question */
	ALLOW("getsockopt", NO_CONDITION),
	ALLOW("setsockopt", NO_CONDITION),
	ALLOW("getsockname", NO_CONDITION),
	ALLOW("getpeername", NO_CONDITION),
	ALLOW("sendto", NO_CONDITION),
	ALLOW("recvfrom", NO_CONDITION),
	ALLOW("sendmsg", NO_CONDITION),
	ALLOW("recvmsg", NO_CONDITION),
	ALLOW("sendmmsg", NO_CONDITION),
	ALLOW("recvmmsg", NO_CONDITION),
	ALLOW_NARROW("send", NO_CONDITION),
	ALLOW_NARROW("recv", NO_CONDITION),
	ALLOW("shutdown", NO_CONDITION),

	/* Descriptors. */
	ALLOW("read", NO_CONDITION),
	ALLOW("readv", NO_CONDITION),
	ALLOW("pread64", NO_CONDITION),
	ALLOW("write", NO_CONDITION),
	ALLOW("writev", NO_CONDITION),
	ALLOW("close", NO_CONDITION),
	ALLOW("fcntl", NO_CONDITION),
	ALLOW_NARROW("fcntl64", NO_CONDITION),
	ALLOW("lseek", NO_CONDITION),
	ALLOW_NARROW("_llseek", NO_CONDITION),
	ALLOW("fstat", NO_CONDITION),
	ALLOW_NARROW("fstat64", NO_CONDITION),
	ALLOW("newfstatat", NO_CONDITION),	/* Landlock sees no names: */
	ALLOW("statx", NO_CONDITION),		/* sizes, no content */
	ALLOW("pipe2", NO_CONDITION),
	ALLOW("eventfd2", NO_CONDITION),
	ALLOW("poll", NO_CONDITION),
	ALLOW("ppoll", NO_CONDITION),
	ALLOW_NARROW("ppoll_time64", NO_CONDITION),
	ALLOW("select", NO_CONDITION),
	ALLOW("pselect6", NO_CONDITION),
	ALLOW_NARROW("pselect6_time64", NO_CONDITION),
	ALLOW("epoll_create1", NO_CONDITION),
	ALLOW("epoll_ctl", NO_CONDITION),
	ALLOW("epoll_wait", NO_CONDITION),
	ALLOW("epoll_pwait", NO_CONDITION),
	ALLOW("epoll_pwait2", NO_CONDITION),

	/* Memory, never executable. */
	ALLOW("brk", NO_CONDITION),
	ALLOW_WIDE("mmap", BITS(2, PROT_EXEC, 0)),
	ALLOW_NARROW("mmap2", BITS(2, PROT_EXEC, 0)),
	ALLOW("mprotect", BITS(2, PROT_EXEC, 0)),
	ALLOW("munmap", NO_CONDITION),
	ALLOW("mremap", NO_CONDITION),
	ALLOW("madvise", NO_CONDITION),

	/* A thread, and how it is waited for. */
	ALLOW("clone", BITS(0, (uint32_t)~DETACHED, THREAD)),
	REFUSE("clone3", ENOSYS, NO_CONDITION),	/* flags in memory; use clone */
	ALLOW("futex", NO_CONDITION),
	ALLOW_NARROW("futex_time64", NO_CONDITION),
	ALLOW("set_robust_list", NO_CONDITION),
	ALLOW("rseq", NO_CONDITION),
	ALLOW("sched_yield", NO_CONDITION),
	ALLOW("sched_getaffinity", NO_CONDITION),
	ALLOW("membarrier", NO_CONDITION),
	ALLOW("prctl", INT(0, PR_SET_NAME)),
	ALLOW("rt_sigaction", NO_CONDITION),
	ALLOW("rt_sigprocmask", NO_CONDITION),
	ALLOW("rt_sigreturn", NO_CONDITION),
	ALLOW_NARROW("sigreturn", NO_CONDITION),
	ALLOW("restart_syscall", NO_CONDITION),
	ALLOW("exit", NO_CONDITION),
	ALLOW("exit_group", NO_CONDITION),

	/* Time, chance, and who am I. */
	ALLOW("clock_gettime", NO_CONDITION),
	ALLOW_NARROW("clock_gettime64", NO_CONDITION),
	ALLOW("clock_nanosleep", NO_CONDITION),
	ALLOW_NARROW("clock_nanosleep_time64", NO_CONDITION),
	ALLOW("gettimeofday", NO_CONDITION),
	ALLOW("time", NO_CONDITION),
	ALLOW("getrandom", NO_CONDITION),
	ALLOW("sysinfo", NO_CONDITION),
	ALLOW("uname", NO_CONDITION),
	ALLOW("getpid", NO_CONDITION),
	ALLOW("gettid", NO_CONDITION),
	ALLOW("getuid", NO_CONDITION),
	ALLOW("geteuid", NO_CONDITION),
	ALLOW("getgid", NO_CONDITION),
	ALLOW("getegid", NO_CONDITION),
	ALLOW_NARROW("getuid32", NO_CONDITION),
	ALLOW_NARROW("geteuid32", NO_CONDITION),
	ALLOW_NARROW("getgid32", NO_CONDITION),
	ALLOW_NARROW("getegid32", NO_CONDITION),

	/* Things the libraries try and go on without. */
	REFUSE("openat", EACCES, NO_CONDITION),
	REFUSE("open", EACCES, NO_CONDITION),
	REFUSE("access", EACCES, NO_CONDITION),
	REFUSE("readlink", EACCES, NO_CONDITION),
	REFUSE("ioctl", ENOTTY, NO_CONDITION),
};
/* clang-format on */

const struct policy policy_carrier = { "carrier", rules,
	sizeof(rules) / sizeof(rules[0]), EPERM };
