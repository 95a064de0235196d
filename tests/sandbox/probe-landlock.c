/*
 * Landlock's part of smtpd's lock-down: what seccomp cannot see, how it goes
 * on where there is no Landlock, and that it never goes on after an error.
 * Then the state of a locked-in process, as others see it.
 */
#include "smtpd.h"

#include <poll.h>

PROBE(open_dotdot, openat(SANDBOX_SPOOL_FD, "../other/new", NEW, 0600))
PROBE(open_absolute, openat(SANDBOX_SPOOL_FD, outside, NEW, 0600))
PROBE(link_path,
    linkat(SANDBOX_SPOOL_FD, "../other/secret", SANDBOX_SPOOL_FD, "in", 0))
PROBE(rename_out, syscall(SYS_renameat2, SANDBOX_SPOOL_FD, "existing",
		      SANDBOX_SPOOL_FD, outside, 1))
PROBE(unlink_out, unlinkat(SANDBOX_SPOOL_FD, "../other/secret", 0))
PROBE(open_passwd, open("/etc/passwd", O_RDONLY))
PROBE(make_inet, socket(AF_INET, SOCK_STREAM, 0))

/* clang-format off */
/* What seccomp cannot see: the paths themselves. */
static const struct probe landlocked[] = {
	{ "create by ../", open_dotdot, EACCES },
	{ "create by an absolute path", open_absolute, EACCES },
	{ "link from a path outside", link_path, EXDEV },
	{ "rename to a path outside", rename_out, EACCES },
	{ "unlink of a path outside", unlink_out, EACCES },
};

/* The least that every version gives. */
static const struct probe older[] = {
	{ "a message is written, named, passed on and removed", message, OK },
	{ "create by ../", open_dotdot, EACCES },
	{ "create by an absolute path", open_absolute, EACCES },
	{ "unlink of a path outside", unlink_out, EACCES },
};

/* Without Landlock that wall is down, and mail flows. */
static const struct probe unlandlocked[] = {
	{ "a message is written, named, passed on and removed", message, OK },
	{ "create by an absolute path", open_absolute, OK },
	{ "open of /etc/passwd", open_passwd, EACCES },
	{ "socket of AF_INET", make_inet, KILLED },
};
/* clang-format on */

/* --- Landlock that is not there, or fails -------------------------------- */

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };

static int absent_error;

static int lock_without_landlock(void)
{
	pretend(CREATE_RULESET, absent_error, false);
	if (prepare() != 0 || ruleset != -1 || level.landlock_abi != 0)
		return -1;
	return lock();
}

/* Until ABI 2 and 3 a link or a truncation is another thing, until 4 there is
 * no network and until 6 no scope in it. */
static int lock_with_abi(void)
{
	pthread_t thread = pretend_abi(pretended_abi);

	if (prepare() != 0 || ruleset < 0 ||
	    level.landlock_abi != pretended_abi)
		return -1;
	pthread_join(thread, NULL);
	return lock();
}

/* 0 when the lock-down was refused with the error that was planted. */
static int refused(int number, bool nonzero)
{
	int r;

	pretend(number, EPERM, nonzero);
	r = prepare();
	if (number == CREATE_RULESET || number == ADD_RULE)
		return r == -EPERM && ruleset == -1 ? OK : WRONG;
	return r == 0 && lock() == -EPERM ? OK : WRONG;
}

static int no_lock(void)
{
	return 0;
}

static int create_fails(void)
{
	return refused(CREATE_RULESET, true);
}

static int add_fails(void)
{
	return refused(ADD_RULE, false);
}

static int restrict_fails(void)
{
	return refused(RESTRICT_SELF, false);
}

static int seccomp_fails(void)
{
	return refused(SYS_seccomp, false);
}

static int bad_ruleset(void)
{
	ruleset = 0; /* the client's socket */
	return lock() < 0 ? OK : WRONG;
}

static const struct probe failures[] = {
	{ "landlock_create_ruleset fails: refused", create_fails, OK },
	{ "landlock_add_rule fails: refused", add_fails, OK },
	{ "landlock_restrict_self fails: refused", restrict_fails, OK },
	{ "seccomp fails: refused", seccomp_fails, OK },
	{ "a ruleset that is none: refused", bad_ruleset, OK },
};

/* --- state and signals, seen from outside -------------------------------- */

static bool has_line(pid_t pid, const char *file, const char *line)
{
	char path[64], text[4096];
	FILE *f;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(text, sizeof(text), f))
		found |= strncmp(text, line, strlen(line)) == 0;
	fclose(f);
	return found;
}

/* The child on the other side of the parent's socket has said something. */
static void hear(void)
{
	char b[8];

	must_be(recv(PARENT_SIDE, b, sizeof(b), 0) > 0, "recv");
}

static void forget(void)
{
	char b[8];

	while (recv(PARENT_SIDE, b, sizeof(b), MSG_DONTWAIT) > 0)
		continue;
}

static void state(void)
{
	char path[64];
	struct stat st;
	pid_t pid;

	forget();
	pid = fork();
	must_be(pid >= 0, "fork");
	if (pid == 0) {
		if (lock() != 0)
			_exit(NO_LOCK);
		sends(SANDBOX_PARENT_FD, -1);
		for (;;)
			poll(NULL, 0, 1000);
	}
	hear();
	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	tap(has_line(pid, "status", "NoNewPrivs:\t1"), "no_new_privs is set");
	tap(has_line(pid, "status", "Seccomp:\t2"), "a filter is set");
	tap(stat(path, &st) == 0 && st.st_uid == 0, "not dumpable");
	if (geteuid() == 0) {
		tap(has_line(pid, "limits",
			"Max core file size        0   "
			"                 0 "),
		    "no core");
		tap(has_line(pid, "limits",
			"Max processes             0   "
			"                 0 "),
		    "no processes");
		tap(has_line(pid, "limits",
			"Max address space         33554432 "
			"            33554432 "),
		    "32 MiB of address space");
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	got_signal = sig;
}

static int lock_with_handler(void)
{
	struct sigaction a = { .sa_handler = on_signal };

	if (sigaction(SIGCHLD, &a, NULL) != 0)
		return -1;
	return lock();
}

/* A signal that interrupts, and the way back from its handler.  The bystander
 * sends it: it waits for a word on the parent's socket. */
static int handler_returns(void)
{
	struct pollfd p = { 0, POLLIN, 0 };

	if (sends(SANDBOX_PARENT_FD, -1) != OK)
		return WRONG;
	while (!got_signal)
		if (poll(&p, 1, 10000) != -1 || errno != EINTR)
			return WRONG;
	return OK;
}

/* The parent of the child that waits: signals it when it says so. */
static void signals(void)
{
	int status;
	pid_t pid;

	forget();
	pid = fork();
	must_be(pid >= 0, "fork");
	if (pid == 0) {
		if (lock_with_handler() != 0)
			_exit(NO_LOCK);
		_exit(handler_returns());
	}
	hear();
	usleep(20000);
	kill(pid, SIGCHLD);
	waitpid(pid, &status, 0);
	tap(WIFEXITED(status) && WEXITSTATUS(status) == OK,
	    "smtpd: a signal interrupts, its handler returns");
}

static void landlock_probes(void)
{
	static const int errors[] = { ENOSYS, EPERM, EOPNOTSUPP };

	if (level.landlock_abi > 0)
		run_probes("smtpd", lock, landlocked, COUNT(landlocked));
	else
		tap(true, "# SKIP no Landlock in this kernel");
	for (unsigned i = 0; i < COUNT(errors); i++) {
		absent_error = errors[i];
		printf("# without Landlock: %s\n", strerror(absent_error));
		run_probes("smtpd without Landlock", lock_without_landlock,
		    unlandlocked, COUNT(unlandlocked));
		unlink(outside);
	}
	for (int abi = 1; abi <= level.landlock_abi; abi++) {
		printf("# as if it were ABI %d\n", abi);
		pretended_abi = abi;
		run_probes("smtpd with less Landlock", lock_with_abi, older,
		    COUNT(older));
	}
	if (level.landlock_abi > 0)
		run_probes("smtpd", no_lock, failures, COUNT(failures));
}

int main(void)
{
	make_work();
	set_up();
	must_be(prepare() == 0, "sandbox_prepare");
	printf("# Landlock ABI %d\n", level.landlock_abi);
	landlock_probes();
	state();
	signals();
	tap(access("other/secret", F_OK) == 0 && access("other/new", F_OK) != 0,
	    "nothing changed outside");
	remove_work();
	return tap_done();
}
