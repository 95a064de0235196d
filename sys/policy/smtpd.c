/*
 * What a locked-in smtpd may ask of the kernel.  It holds the client's
 * connection, the queue directory, a connection to deliver, one to tls and
 * one to its parent, and whatever it creates.  It can neither open what exists, nor
 * make a socket, a process or code.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "policy.h"
#include "sys/sandbox.h"

/*
 * Flags by their value in the kernel: O_CREAT, O_EXCL, O_PATH and the bit that
 * makes O_TMPFILE out of O_DIRECTORY.  They are the same on every machine the
 * compiler knows, which O_DIRECTORY is not.  O_PATH makes the kernel ignore
 * O_CREAT and O_EXCL and open what is there.
 */
enum { CREATE = 0100 | 0200, NOT_CREATE = 010000000 | 020000000 };

/* clang-format off */
static const struct policy_rule rules[] = {
	/* Talking to the client, filling the file, waking the queue, the log:
	 * all on descriptors that are open already. */
	ALLOW("read", NO_CONDITION),
	ALLOW("readv", NO_CONDITION),
	ALLOW("write", NO_CONDITION),
	ALLOW("writev", NO_CONDITION),
	ALLOW("poll", NO_CONDITION),		/* every wait has a deadline */
	ALLOW("ppoll", NO_CONDITION),
	ALLOW_NARROW("ppoll_time64", NO_CONDITION),
	ALLOW("shutdown", NO_CONDITION),	/* the last reply must arrive */
	ALLOW("close", NO_CONDITION),

	/* Requests carry the message's descriptor; nobody else gets one. */
	ALLOW("sendmsg", INT(0, SANDBOX_DELIVER_FD)),
	ALLOW("sendmsg", INT(0, SANDBOX_PARENT_FD)),
	ALLOW("sendmsg", INT(0, SANDBOX_TLS_FD)),
	ALLOW("recvmsg", INT(0, SANDBOX_DELIVER_FD)),
	ALLOW("recvmsg", INT(0, SANDBOX_PARENT_FD)),

	/* What tls is to say in clear comes through a pair of our own, whose
	 * other end it gets. */
	ALLOW("socketpair", INT(0, AF_UNIX)),

	/* A new file in the queue directory, never one that exists. */
	ALLOW("openat", INT(0, SANDBOX_SPOOL_FD),
	    BITS(2, CREATE | NOT_CREATE, CREATE)),
	/* libc looks for a time zone or a catalogue and goes on without. */
	REFUSE("openat", EACCES,
	    INT(0, AT_FDCWD)),
	REFUSE("open", EACCES, NO_CONDITION),

	/* Its commit: a name that is not there yet, in the same directory. */
	ALLOW("linkat", INT(0, SANDBOX_SPOOL_FD), INT(2, SANDBOX_SPOOL_FD),
	    INT(4, 0)),
	ALLOW("renameat2", INT(0, SANDBOX_SPOOL_FD), INT(2, SANDBOX_SPOOL_FD),
	    INT(4, 1)),		/* RENAME_NOREPLACE */
	/* The temporary name, and the file of a transaction that failed. */
	ALLOW("unlinkat", INT(0, SANDBOX_SPOOL_FD), INT(2, 0)),

	/* Durability, and slots that are filled in later.  Not ftruncate:
	 * it could empty the log, where that is a file. */
	ALLOW("sync_file_range", NO_CONDITION),
	ALLOW("sync_file_range2", NO_CONDITION),	/* arm */
	ALLOW("fsync", NO_CONDITION),
	ALLOW("fdatasync", NO_CONDITION),
	ALLOW("lseek", NO_CONDITION),
	ALLOW_NARROW("_llseek", NO_CONDITION),
	ALLOW("pwrite64", NO_CONDITION),
	ALLOW("flock", INT(1, LOCK_EX | LOCK_NB)),	/* it is still ours */

	/* Its size; the room that is left in the file system. */
	ALLOW_WIDE("fstat", NO_CONDITION),
	ALLOW_NARROW("fstat64", NO_CONDITION),
	ALLOW_WIDE("fstatfs", NO_CONDITION),
	ALLOW_NARROW("fstatfs64", NO_CONDITION),
	/* Calls that can name a path.  Without statx fstat(3) asks again. */
	REFUSE("statx", ENOSYS, NO_CONDITION),
	REFUSE("newfstatat", EACCES, NO_CONDITION),
	REFUSE("fstatat64", EACCES, NO_CONDITION),

	/* isatty(3) of a library. */
	REFUSE("ioctl", ENOTTY, NO_CONDITION),

	/* Time, where the vDSO has to ask; names that cannot be guessed. */
	ALLOW("clock_gettime", NO_CONDITION),
	ALLOW_NARROW("clock_gettime64", NO_CONDITION),
	ALLOW("gettimeofday", NO_CONDITION),
	ALLOW("time", NO_CONDITION),
	ALLOW("getrandom", NO_CONDITION),
	ALLOW("getpid", NO_CONDITION),		/* in lines of the log */

	/* libc's memory: private, of no file, not to be executed. */
	ALLOW("brk", NO_CONDITION),
	ALLOW_WIDE("mmap", LONG_WITHIN(2, PROT_READ | PROT_WRITE),
	    LONG(3, MAP_PRIVATE | MAP_ANONYMOUS)),
	ALLOW_NARROW("mmap2", LONG_WITHIN(2, PROT_READ | PROT_WRITE),
	    LONG(3, MAP_PRIVATE | MAP_ANONYMOUS)),
	ALLOW("munmap", NO_CONDITION),
	ALLOW("madvise", INT(2, MADV_DONTNEED)),

	/* The way back from a signal's handler, and out. */
	ALLOW("rt_sigreturn", NO_CONDITION),
	ALLOW_NARROW("sigreturn", NO_CONDITION),
	ALLOW("rt_sigprocmask", NO_CONDITION),
	ALLOW("restart_syscall", NO_CONDITION),
	ALLOW("exit", NO_CONDITION),
	ALLOW("exit_group", NO_CONDITION),
};
/* clang-format on */

const struct policy policy_smtpd = { "smtpd", rules,
	sizeof(rules) / sizeof(rules[0]), 0 };
