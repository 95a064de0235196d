/*
 * What a locked-in deliver may ask of the kernel: its poller, and the workers
 * that store mail with a user's file-system identity.  Homes and mailboxes
 * are anywhere, so the file system is open to it as far as that identity
 * goes; what is closed is every way to run something, to reach the network,
 * or to touch other processes.  Which ids it may take is said by
 * sandbox_limit_ids, since that depends on the configuration.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "policy.h"

enum { LOCKS_64 = 12 /* F_GETLK64, F_SETLK64; F_SETLKW64 is 14 */ };

/* clang-format off */
static const struct policy_rule rules[] = {
	/* The event loop and its answers. */
	ALLOW("epoll_create1", NO_CONDITION),
	ALLOW("epoll_ctl", NO_CONDITION),
	ALLOW("epoll_wait", NO_CONDITION),
	ALLOW("epoll_pwait", NO_CONDITION),
	ALLOW("poll", NO_CONDITION),
	ALLOW("ppoll", NO_CONDITION),
	ALLOW_NARROW("ppoll_time64", NO_CONDITION),
	ALLOW("accept4", NO_CONDITION),
	ALLOW("recvmsg", NO_CONDITION),		/* requests, with a descriptor */
	ALLOW("sendmsg", NO_CONDITION),
	ALLOW("recvfrom", NO_CONDITION),
	ALLOW("sendto", NO_CONDITION),
	ALLOW_NARROW("recv", NO_CONDITION),
	ALLOW_NARROW("send", NO_CONDITION),
	ALLOW("read", NO_CONDITION),
	ALLOW("readv", NO_CONDITION),
	ALLOW("pread64", NO_CONDITION),
	ALLOW("write", NO_CONDITION),
	ALLOW("writev", NO_CONDITION),
	ALLOW("pwrite64", NO_CONDITION),
	ALLOW("close", NO_CONDITION),
	ALLOW("close_range", NO_CONDITION),	/* what a worker inherits */
	ALLOW("dup", NO_CONDITION),
	ALLOW("dup3", NO_CONDITION),

	/* LMTP on a socket in the file system, and the peer's credentials. */
	ALLOW("socket", INT(0, AF_UNIX)),
	ALLOW("socketpair", INT(0, AF_UNIX)),	/* poller and worker */
	ALLOW("connect", NO_CONDITION),
	ALLOW("shutdown", NO_CONDITION),
	ALLOW("getsockopt", NO_CONDITION),
	ALLOW("setsockopt", NO_CONDITION),
	ALLOW("getsockname", NO_CONDITION),
	ALLOW("getpeername", NO_CONDITION),

	/* A mailbox: found, made, filled, named. */
	ALLOW("open", NO_CONDITION),		/* musl */
	ALLOW("openat", NO_CONDITION),
	ALLOW("mkdir", NO_CONDITION),
	ALLOW("mkdirat", NO_CONDITION),
	ALLOW("rename", NO_CONDITION),
	ALLOW("renameat", NO_CONDITION),
	ALLOW("renameat2", NO_CONDITION),
	ALLOW("link", NO_CONDITION),		/* dot-locks */
	ALLOW("linkat", NO_CONDITION),
	ALLOW("unlink", NO_CONDITION),
	ALLOW("unlinkat", NO_CONDITION),
	ALLOW("getdents64", NO_CONDITION),	/* tmp/ is cleaned of old files */
	ALLOW("fchmod", NO_CONDITION),
	ALLOW("umask", NO_CONDITION),
	ALLOW("utimensat", LONG(1, 0)),		/* futimens: no path */
	ALLOW_NARROW("utimensat_time64", LONG(1, 0)),
	ALLOW("ftruncate", NO_CONDITION),	/* an mbox as it was before */
	ALLOW_NARROW("ftruncate64", NO_CONDITION),
	ALLOW("lseek", NO_CONDITION),
	ALLOW_NARROW("_llseek", NO_CONDITION),
	ALLOW("flock", NO_CONDITION),
	ALLOW("sync_file_range", NO_CONDITION),
	ALLOW("sync_file_range2", NO_CONDITION),	/* arm */
	ALLOW("fsync", NO_CONDITION),
	ALLOW("syncfs", NO_CONDITION),
	ALLOW("fdatasync", NO_CONDITION),

	/* Owners, types, sizes and room; libc has a name for each machine. */
	ALLOW("stat", NO_CONDITION),
	ALLOW("lstat", NO_CONDITION),
	ALLOW("fstat", NO_CONDITION),
	ALLOW("newfstatat", NO_CONDITION),
	ALLOW_NARROW("stat64", NO_CONDITION),
	ALLOW_NARROW("lstat64", NO_CONDITION),
	ALLOW_NARROW("fstat64", NO_CONDITION),
	ALLOW_NARROW("fstatat64", NO_CONDITION),
	ALLOW("statx", NO_CONDITION),
	ALLOW("statfs", NO_CONDITION),
	ALLOW("fstatfs", NO_CONDITION),
	ALLOW_NARROW("statfs64", NO_CONDITION),
	ALLOW_NARROW("fstatfs64", NO_CONDITION),

	/* Flags of descriptors and locks: commands 0 to 7, F_DUPFD_CLOEXEC. */
	ALLOW_WIDE("fcntl", INT_WITHIN(1, 7)),
	ALLOW_WIDE("fcntl", INT(1, F_DUPFD_CLOEXEC)),
	ALLOW_NARROW("fcntl64", INT_WITHIN(1, 7)),
	ALLOW_NARROW("fcntl64", INT(1, F_DUPFD_CLOEXEC)),
	ALLOW_NARROW("fcntl64", BITS(1, UINT32_MAX - 1, LOCKS_64)),
	ALLOW_NARROW("fcntl64", INT(1, LOCKS_64 + 2)),

	/* Workers: forked on demand, waited for, and killed when they hang.  A
	 * pid above 0 only, never a group or everyone; it cannot be said here
	 * that it must be a child, but CAP_KILL is not there. */
	ALLOW("fork", NO_CONDITION),		/* musl */
	ALLOW("clone", BITS(0, ~(uint64_t)POLICY_FORK_ID_BITS, POLICY_FORK)),
	REFUSE("clone3", ENOSYS, NO_CONDITION),	/* flags in memory; use clone */
	ALLOW("wait4", NO_CONDITION),
	ALLOW("alarm", NO_CONDITION),		/* a child ends itself */
	ALLOW("setitimer", NO_CONDITION),	/* musl, and newer machines */
	ALLOW("kill", BITS(0, 0x80000000, 0), INT(1, SIGKILL)),
	ALLOW("kill", BITS(0, 0x80000000, 0), INT(1, SIGTERM)),
	ALLOW("pipe2", NO_CONDITION),
	ALLOW("set_robust_list", NO_CONDITION),	/* libc, in the child */
	ALLOW("set_tid_address", NO_CONDITION),

	/* A worker's identity, and giving up what is left of privilege.  The
	 * 16-bit calls of i386 and arm are not here: they cut their ids. */
	ALLOW_WIDE("setfsuid", NO_CONDITION),
	ALLOW_WIDE("setfsgid", NO_CONDITION),
	ALLOW_WIDE("setresuid", NO_CONDITION),
	ALLOW_WIDE("setresgid", NO_CONDITION),
	ALLOW_WIDE("setgroups", INT(0, 0)),
	ALLOW_NARROW("setfsuid32", NO_CONDITION),
	ALLOW_NARROW("setfsgid32", NO_CONDITION),
	ALLOW_NARROW("setresuid32", NO_CONDITION),
	ALLOW_NARROW("setresgid32", NO_CONDITION),
	ALLOW_NARROW("setgroups32", INT(0, 0)),
	ALLOW("capget", NO_CONDITION),
	ALLOW("capset", NO_CONDITION),		/* can only give up */
	ALLOW("prctl", INT(0, PR_SET_PDEATHSIG)),
	ALLOW("prctl", INT(0, PR_SET_NAME)),
	ALLOW("prctl", INT(0, PR_SET_NO_NEW_PRIVS)),
	ALLOW("prctl", INT(0, PR_CAP_AMBIENT), LONG(1, PR_CAP_AMBIENT_CLEAR_ALL)),
	ALLOW("prctl", INT(0, PR_CAPBSET_DROP)),
	/* A worker may lock itself in further; a filter cannot loosen. */
	ALLOW("seccomp", INT(0, 1)),		/* SECCOMP_SET_MODE_FILTER */
	ALLOW("landlock_create_ruleset", NO_CONDITION),
	ALLOW("landlock_add_rule", NO_CONDITION),
	ALLOW("landlock_restrict_self", NO_CONDITION),

	/* Who am I. */
	ALLOW("uname", NO_CONDITION),	/* the host's name, a new configuration */
	ALLOW("getpid", NO_CONDITION),
	ALLOW("getppid", NO_CONDITION),
	ALLOW("gettid", NO_CONDITION),
	ALLOW_WIDE("getuid", NO_CONDITION),
	ALLOW_WIDE("geteuid", NO_CONDITION),
	ALLOW_WIDE("getgid", NO_CONDITION),
	ALLOW_WIDE("getegid", NO_CONDITION),
	ALLOW_NARROW("getuid32", NO_CONDITION),
	ALLOW_NARROW("geteuid32", NO_CONDITION),
	ALLOW_NARROW("getgid32", NO_CONDITION),
	ALLOW_NARROW("getegid32", NO_CONDITION),

	/* Things libc tries and goes on without. */
	REFUSE("ioctl", ENOTTY, NO_CONDITION),
	REFUSE("access", EACCES, NO_CONDITION),
	REFUSE("readlink", EACCES, NO_CONDITION),
	REFUSE("readlinkat", EACCES, NO_CONDITION),

	/* Time and sleep (a dot-lock that is taken), unguessable names. */
	ALLOW("clock_gettime", NO_CONDITION),
	ALLOW_NARROW("clock_gettime64", NO_CONDITION),
	ALLOW("gettimeofday", NO_CONDITION),
	ALLOW("time", NO_CONDITION),
	ALLOW("nanosleep", NO_CONDITION),
	ALLOW("clock_nanosleep", NO_CONDITION),
	ALLOW_NARROW("clock_nanosleep_time64", NO_CONDITION),
	ALLOW("getrandom", NO_CONDITION),

	/* libc's memory: private, of no file, not to be executed. */
	ALLOW("brk", NO_CONDITION),
	ALLOW_WIDE("mmap", LONG_WITHIN(2, PROT_READ | PROT_WRITE),
	    BITS(3, ~(uint64_t)MAP_FIXED, MAP_PRIVATE | MAP_ANONYMOUS)),
	ALLOW_NARROW("mmap2", LONG_WITHIN(2, PROT_READ | PROT_WRITE),
	    BITS(3, ~(uint64_t)MAP_FIXED, MAP_PRIVATE | MAP_ANONYMOUS)),
	ALLOW("mprotect", LONG_WITHIN(2, PROT_READ | PROT_WRITE)),	/* musl */
	ALLOW("mremap", NO_CONDITION),
	ALLOW("munmap", NO_CONDITION),
	ALLOW("madvise", INT(2, MADV_DONTNEED)),
	ALLOW("madvise", INT(2, MADV_FREE)),		/* musl */

	/* Signals, and the way out. */
	ALLOW("rt_sigaction", NO_CONDITION),	/* a worker's own handlers */
	ALLOW("rt_sigprocmask", NO_CONDITION),
	ALLOW("rt_sigreturn", NO_CONDITION),
	ALLOW_NARROW("sigreturn", NO_CONDITION),
	ALLOW("restart_syscall", NO_CONDITION),
	ALLOW("exit", NO_CONDITION),
	ALLOW("exit_group", NO_CONDITION),
};
/* clang-format on */

const struct policy policy_deliver = { "deliver", rules,
	sizeof(rules) / sizeof(rules[0]), 0 };
