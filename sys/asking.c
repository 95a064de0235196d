/*
 * A child with a pipe.  It is killed when its time is over, so that a program
 * that hangs is a finding and not a hang of ours.
 */
#include "sys/asking.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/io.h"

enum { EXEC_FAILED = 127 };

struct hearing {
	void (*line)(void *arg, struct str line);
	void *arg;
	size_t n;
	char text[ASKING_LINE];
};

/* Standard input is nothing, the rest goes into the pipe. */
static void become(int out, const char *path, const char *const argv[])
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0)
		_exit(EXEC_FAILED);
	io_close_range(3, ~0u);
	/* execv takes what it does not change without const. */
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(EXEC_FAILED);
}

static void hear(struct hearing *h, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\n') {
			if (h->n < sizeof(h->text))
				h->text[h->n++] = s.p[i];
			continue;
		}
		h->line(h->arg, str_at(h->text, h->n));
		h->n = 0;
	}
}

/* Until its end.  0 or -errno. */
static int listen_to(int fd, struct hearing *h, int64_t deadline_ms)
{
	char block[4096];

	for (;;) {
		int rc = io_wait_read(fd, deadline_ms);
		ssize_t n;

		if (rc == -EINTR)
			continue;
		if (rc < 0)
			return rc;
		n = read(fd, block, sizeof(block));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			hear(h, str_at(block, (size_t)n));
	}
	if (h->n > 0)
		h->line(h->arg, str_at(h->text, h->n));
	return 0;
}

static int status_of(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status) == EXEC_FAILED ? -ENOEXEC
						  : WEXITSTATUS(status);
}

int asking_run(const char *path, const char *const argv[], unsigned seconds,
    void (*line)(void *arg, struct str line), void *arg)
{
	struct hearing h = { .line = line, .arg = arg };
	int ends[2], rc, status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become(ends[1], path, argv);
	rc = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (rc == 0)
		rc = listen_to(
		    ends[0], &h, io_now_ms() + (int64_t)seconds * 1000);
	close(ends[0]);
	if (pid < 0)
		return rc;
	if (rc < 0)
		kill(pid, SIGKILL);
	status = status_of(pid);
	return rc < 0 ? rc : status;
}
