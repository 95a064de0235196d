/*
 * One pipe does it all: an octet in it wakes us, its end is the end of all
 * who could write one, and queue reads from it as from the FIFO of a unit.
 */
#include "sys/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/str.h"
#include "sys/bell.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/sandbox.h"
#include "sys/starter.h"
#include "sys/wake.h"

enum { PATH_ROOM = 4096, LISTEN_FD = 3, PAUSE_MS = 1000 };

/* Standard error was the client's: what we start logs by syslog. */
static bool has_no_stderr(void)
{
	struct stat in, err;

	return fstat(2, &err) != 0 ||
	       (fstat(0, &in) == 0 && S_ISSOCK(in.st_mode) &&
		   in.st_ino == err.st_ino && in.st_dev == err.st_dev);
}

static void keep_only(int fd)
{
	int null = open("/dev/null", O_RDWR);
	bool mute = has_no_stderr();

	dup2(null, 0);
	dup2(null, 1);
	if (mute)
		dup2(null, 2);
	dup2(fd, LISTEN_FD);
	(void)fcntl(LISTEN_FD, F_SETFD, 0); /* it may have been that number */
	(void)syscall(SYS_close_range, LISTEN_FD + 1u, ~0u, 0u);
	if (mute)
		close(2);
}

static void run(const char *path, const char *conf_path)
{
	/* execv takes what it does not change without const. */
	const char *argv[4] = { path };
	char text[24];
	struct buf pid = BUF(text);

	if (conf_path) {
		argv[1] = "-C";
		argv[2] = conf_path;
	}
	buf_u64(&pid, (uint64_t)getpid());
	buf_putc(&pid, '\0');
	if (setenv("LISTEN_PID", text, 1) == 0 &&
	    setenv("LISTEN_FDS", "1", 1) == 0)
		execv(path, (char *const *)(uintptr_t)argv);
	log_errno("queue-start", path, errno);
	_exit(75);
}

/* True when it ended well. */
static bool run_pass(const char *path, const char *conf_path)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		run(path, conf_path);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

/* Waits, runs a pass to its end, and waits again. */
static void keep(
    int fd, const char *path, const char *conf_path, unsigned period_s)
{
	struct pollfd p = { .fd = LISTEN_FD, .events = POLLIN };
	sigset_t none;

	keep_only(fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (;;) {
		int n = poll(&p, 1, period_s ? (int)period_s * 1000 : -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n > 0 && !(p.revents & POLLIN)))
			_exit(0);
		if (!run_pass(path, conf_path)) {
			/* it may not have drained, and would not the next
			 * time */
			(void)bell_drain(LISTEN_FD);
			(void)poll(NULL, 0, PAUSE_MS);
		}
	}
}

int runner_start(
    const char *conf_path, const char *run_directory, unsigned period_s)
{
	char path[PATH_ROOM];
	int ends[2], rc;
	pid_t pid;

	wake_open(run_directory);
	if (fcntl(SANDBOX_WAKE_FD, F_GETFD) >= 0) {
		close(SANDBOX_WAKE_FD); /* each session opens its own */
		return 0;
	}
	rc = starter_program("queue", path, sizeof(path));
	if (rc == 0 && access(path, X_OK) != 0)
		rc = -errno;
	if (rc == 0 && pipe2(ends, O_CLOEXEC) != 0)
		rc = -errno;
	if (rc < 0) {
		log_errno("queue-start", path, -rc);
		return rc;
	}
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		keep(ends[0], path, conf_path, period_s);
	}
	rc = pid < 0 ? -errno : 0;
	close(ends[0]);
	if (rc == 0) {
		(void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
		rc = io_move_fd(ends[1], SANDBOX_WAKE_FD);
	} else {
		close(ends[1]);
	}
	if (rc < 0)
		log_errno("queue-start", path, -rc);
	return rc < 0 ? rc : 0;
}
