/*
 * Forking and burying.
 */
#include "sys/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"

enum { WORKER_FD = 3 };

void pool_close_from(unsigned first)
{
	unsigned keep = (unsigned)log_fd(); /* -1 is above all */

	if (keep < first) {
		io_close_range(first, ~0u);
		return;
	}
	if (keep > first)
		io_close_range(first, keep - 1);
	if (keep < ~0u)
		io_close_range(keep + 1, ~0u);
}

static void run(
    int sock, void (*serve)(int sock, const void *arg), const void *arg)
{
	sigset_t none;

	if (io_move_fd(sock, WORKER_FD) < 0)
		_exit(75);
	pool_close_from(WORKER_FD + 1);
	/* The poller ends us, by its socket; Ctrl-C is for it alone. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	serve(WORKER_FD, arg);
	_exit(0);
}

int pool_fork(
    struct worker *w, void (*serve)(int sock, const void *arg), const void *arg)
{
	int pair[2], err;

	w->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		err = errno;
		log_errno("worker", "socketpair", err);
		return -err;
	}
	w->pid = fork();
	if (w->pid == 0)
		run(pair[1], serve, arg);
	err = w->pid < 0 ? errno : 0;
	close(pair[1]);
	if (err == 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
		err = errno;
	if (err == 0) {
		w->fd = pair[0];
		return 0;
	}
	close(pair[0]);
	log_errno("worker", "fork", err);
	return -err;
}

void pool_release(struct worker *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

void pool_kill(struct worker *w)
{
	if (w->fd >= 0)
		(void)kill(w->pid, SIGKILL);
	pool_release(w);
}

void pool_reap(void)
{
	struct log l;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		log_begin(&l, LOGL_ERR, "worker-died");
		log_u64(&l, "pid", (uint64_t)pid);
		if (WIFSIGNALED(status))
			log_u64(&l, "signal", (uint64_t)WTERMSIG(status));
		else
			log_u64(&l, "status", (uint64_t)WEXITSTATUS(status));
		log_end(&l);
	}
}
