/*
 * Each probe is a child of its own: it is set up as the program would be,
 * locks itself in, does one thing, and tells by its end what came of it.
 * Included once by each program here.
 */
#ifndef TESTS_SANDBOX_PROBE_H
#define TESTS_SANDBOX_PROBE_H

#include <errno.h>
#include <stddef.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include "sys/sandbox.h"

#define SANDBOX_TABLES
#include "sandbox-bpf.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The end of a probe: an errno, or DIED + signal, or one of these. */
enum {
	OK = 0,
	NO_LOCK = 250,
	WRONG = 251,
	DIED = 1000,
	KILLED = DIED + SIGSYS
};

enum { PROBE_SECONDS = 20 };

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3))) static inline void tap(
    bool good, const char *format, ...)
{
	va_list ap;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	puts("");
	tap_failed += !good;
}

static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

static inline void must_be(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

/* An errno for a result in the manner of a system call. */
static inline int result(long r)
{
	return r < 0 ? errno : OK;
}

/* For a probe of several calls: the first that fails ends it. */
#define STEP(call)                    \
	do {                          \
		if ((call) < 0)       \
			return errno; \
	} while (0)

/* A probe of one call. */
#define PROBE(name, call)            \
	static int name(void)        \
	{                            \
		return result(call); \
	}

#ifdef __x86_64__
/* Call 20 is writev for x86_64 and getpid for the gate of i386. */
static inline int old_gate(void)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(20)
			 : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? WRONG : OK;
}

static inline int x32(void)
{
	return result(syscall(0x40000000 + SYS_getpid));
}
#endif

/* In the child: what is set up and locked, then the probe. */
struct probe {
	const char *name;
	int (*run)(void);
	int expected;
};

/* Runs in a child; a process group of its own, so that kill(0) stays there. */
static inline int in_child(int (*lock)(void), int (*run)(void))
{
	int status, end;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	must_be(pid >= 0, "fork");
	if (pid == 0) {
		setpgid(0, 0);
		alarm(PROBE_SECONDS);
		if (lock() != 0)
			_exit(NO_LOCK);
		end = run();
		syscall(SYS_exit_group, end);
	}
	must_be(waitpid(pid, &status, 0) == pid, "waitpid");
	return WIFSIGNALED(status) ? DIED + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static inline const char *end_name(int end)
{
	static char text[2][64];
	static unsigned turn;
	char *t = text[turn++ % 2];

	if (end == OK)
		return "done";
	if (end == NO_LOCK)
		return "not locked in";
	if (end == WRONG)
		return "wrong";
	if (end >= DIED)
		snprintf(t, sizeof(text[0]), "SIG%s",
		    end == KILLED ? "SYS" : strsignal(end - DIED));
	else
		snprintf(t, sizeof(text[0]), "%s", strerror(end));
	return t;
}

static inline void run_probes(
    const char *program, int (*lock)(void), const struct probe *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int end = in_child(lock, p[i].run);

		tap(end == p[i].expected, "%s: %s: %s", program, p[i].name,
		    end_name(p[i].expected));
		if (end != p[i].expected)
			printf("# but: %s\n", end_name(end));
	}
}

/* --- the table's own meaning -------------------------------------------- */

enum { SAYS_KILL = -1, SAYS_ALLOW = 0 }; /* else the errno */

/*
 * i386 has two doors to its socket calls.  The rows carry neither number but
 * -100 - n for function n of socketcall(2), whose arguments lie in memory and
 * are out of reach.  The direct calls begin at 359, but for two that are older.
 */
static inline int row_number(uint32_t arch, int number)
{
	static const int functions[] = { 1, 8, 2, 3, 4, 18, 15, 14, 6, 7, 11,
		16, 12, 17, 13 };
	int i = number - 359;

	if (arch == AUDIT_ARCH_I386 && (number == 337 || number == 345))
		return number == 337 ? -119 : -120; /* recvmmsg, sendmmsg */
	if (arch != AUDIT_ARCH_I386 || i < 0 || i >= (int)COUNT(functions))
		return number;
	return -100 - functions[i];
}

static inline bool row_holds(
    const struct sandbox_row *r, int number, const uint64_t args[6])
{
	if (r->number != number)
		return false;
	for (unsigned i = 0; i < POLICY_ARGS && r->arg[i].mask; i++)
		if ((args[r->arg[i].index] & r->arg[i].mask) != r->arg[i].value)
			return false;
	return true;
}

/* `otherwise` is the policy's, for a call that no row names. */
static inline int table_says(const struct sandbox_row *rows, size_t n,
    int otherwise, int number, const uint64_t args[6])
{
	for (size_t i = 0; i < n; i++)
		if (row_holds(&rows[i], number, args))
			return rows[i].refusal;
	return otherwise ? otherwise : SAYS_KILL;
}

/* --- a directory to work in --------------------------------------------- */

static char work[64];

static inline void make_work(void)
{
	snprintf(work, sizeof(work), "/tmp/postern-sandbox.XXXXXX");
	must_be(mkdtemp(work) != NULL, work);
	must_be(chdir(work) == 0, work);
}

static inline void remove_work(void)
{
	char command[128];
	char *argv[] = { (char[]){ "rm" }, (char[]){ "-rf" }, command, NULL };
	pid_t pid = fork();

	must_be(pid >= 0, "fork");
	snprintf(command, sizeof(command), "%s", work);
	if (pid == 0) {
		execv("/bin/rm", argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static inline void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	must_be(fd >= 0 && write(fd, "x", 1) == 1, path);
	close(fd);
}

/* Moves fd to a number, both ends of its life there. */
static inline void at_number(int fd, int number)
{
	must_be(fd >= 0, "descriptor");
	if (fd == number)
		return;
	must_be(dup2(fd, number) == number, "dup2");
	close(fd);
}

/* --- filters that stand for another kernel ------------------------------ */

/* The call `number` fails with `err`; only with a first argument that is not
 * zero, if `nonzero`. */
static inline void pretend(int number, int err, bool nonzero)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, nonzero, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { COUNT(f), f };

	must_be(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "prctl");
	must_be(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) == 0,
	    "seccomp");
}

/*
 * Landlock of an older kernel: its version query is put to a thread of ours,
 * which answers `abi`.  What then uses more than that version has would still
 * work here, so only what is done without is shown.
 */
static int notifier, pretended_abi;

static inline void *answer_version(void *arg)
{
	struct seccomp_notif question;
	struct seccomp_notif_resp reply;

	memset(&question, 0, sizeof(question));
	memset(&reply, 0, sizeof(reply));
	if (syscall(SYS_ioctl, notifier, SECCOMP_IOCTL_NOTIF_RECV, &question) ==
	    0) {
		reply.id = question.id;
		reply.val = pretended_abi;
		(void)syscall(
		    SYS_ioctl, notifier, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	}
	return arg;
}

/* Starts that thread; it ends after one answer. */
static inline pthread_t pretend_abi(int abi)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 444, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { COUNT(f), f };
	pthread_t thread;

	must_be(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "prctl");
	notifier = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &p);
	must_be(notifier >= 0, "seccomp");
	pretended_abi = abi;
	must_be(pthread_create(&thread, NULL, answer_version, NULL) == 0,
	    "pthread_create");
	return thread;
}

#endif
