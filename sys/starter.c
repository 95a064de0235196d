/*
 * A deliver or a tls of our own.  A process waits in front of it with nothing
 * but a socket: it executes the program when a request comes, or again when it
 * has died (listener).  It ends with us.
 */
#include "sys/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/sandbox.h"

enum {
	PATH_ROOM = 4096,
	READY_MS = 5000, /* for deliver to answer */
	RESTART_S = 1
};

int starter_program(const char *name, char *room, size_t max)
{
	ssize_t n = readlink("/proc/self/exe", room, max);
	struct buf b = { .p = room, .cap = max };

	if (n < 0)
		return -errno;
	b.n = (size_t)n;
	while (b.n > 0 && room[b.n - 1] != '/')
		b.n--;
	buf_putz(&b, name);
	buf_putc(&b, '\0');
	return b.full ? -ENAMETOOLONG : 0;
}

/*
 * In a child: standard input is `fd` (or nothing), and so is standard error
 * where it was the client's: then deliver, too, logs by syslog.
 */
static void arrange(int fd)
{
	struct stat in, err;
	bool client = fstat(2, &err) != 0 ||
		      (fstat(0, &in) == 0 && S_ISSOCK(in.st_mode) &&
			  in.st_ino == err.st_ino && in.st_dev == err.st_dev);
	int null = open("/dev/null", O_RDWR);

	dup2(fd >= 0 ? fd : null, 0);
	dup2(null, 1);
	if (client)
		dup2(fd >= 0 ? fd : null, 2);
	io_close_range(3, ~0u);
}

static void run(const char *event, const char *path, const char *conf_path,
    const char *address)
{
	/* execv takes what it does not change without const. */
	const char *argv[8] = { path };
	unsigned n = 1;
	sigset_t none;

	if (conf_path) {
		argv[n++] = "-C";
		argv[n++] = conf_path;
	}
	if (address) {
		argv[n++] = "-l";
		argv[n++] = address;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, (char *const *)(uintptr_t)argv);
	log_errno(event, path, errno);
	_exit(75);
}

/* Sleeps on the socket until there is a request, or nobody left to make one. */
static void wait_and_run(int fd, const char *path, const char *conf_path)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	char one;

	arrange(fd);
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	if (recv(0, &one, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		_exit(0);
	run("deliver-start", path, conf_path, NULL);
}

int starter_on_demand(const char *conf_path)
{
	char path[PATH_ROOM];
	int pair[2], rc = starter_program("deliver", path, sizeof(path));
	pid_t pid;

	if (rc == 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		rc = -errno;
	if (rc < 0) {
		log_errno("deliver-start", "socketpair", -rc);
		return rc;
	}
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		wait_and_run(pair[1], path, conf_path);
	}
	rc = -errno;
	close(pair[1]);
	if (pid > 0)
		return pair[0];
	close(pair[0]);
	log_errno("deliver-start", "fork", -rc);
	return rc;
}

static volatile sig_atomic_t must_stop;

static void on_signal(int signo)
{
	if (signo == SIGTERM)
		must_stop = 1;
}

/* Signals come in only while we wait. */
static void take_signals(sigset_t *while_waiting)
{
	struct sigaction act = { .sa_handler = on_signal };
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, while_waiting);
	sigdelset(while_waiting, SIGTERM);
	sigdelset(while_waiting, SIGCHLD);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGCHLD, &act, NULL);
}

/*
 * Runs deliver again and again until smtpd is gone, which shows in the end of
 * the pipe on standard input: the kernel's death signal is not sent by a
 * parent that has given up root to a child that has not.
 */
static void keep(
    int alive_fd, const char *path, const char *conf_path, const char *address)
{
	struct timespec pause = { .tv_sec = RESTART_S };
	struct pollfd p = { .fd = 0 };
	sigset_t while_waiting;
	pid_t pid = -1;

	arrange(alive_fd);
	take_signals(&while_waiting);
	while (!must_stop && p.revents == 0) {
		if (pid < 0)
			pid = fork();
		if (pid == 0) {
			arrange(-1);
			run("deliver-start", path, conf_path, address);
		}
		(void)ppoll(&p, 1, pid < 0 ? &pause : NULL, &while_waiting);
		if (pid > 0 && waitpid(pid, NULL, WNOHANG) == pid) {
			pid = -1;
			(void)ppoll(&p, 1, &pause, &while_waiting);
		}
	}
	if (pid > 0)
		kill(pid, SIGTERM);
	_exit(0);
}

static int wait_ready(const char *path)
{
	int64_t by = io_now_ms() + READY_MS;
	int fd;

	do {
		fd = io_connect_unix(path, SOCK_SEQPACKET);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		(void)poll(NULL, 0, 10);
	} while (io_now_ms() < by);
	return fd;
}

int starter_keep(const char *conf_path, const char *run_directory)
{
	char path[PATH_ROOM], text[PATH_ROOM];
	struct buf address = BUF(text);
	int rc = starter_program("deliver", path, sizeof(path));
	int alive[2];
	pid_t pid;

	buf_putz(&address, "unix:");
	buf_putz(&address, run_directory);
	buf_putz(&address, "/deliver");
	buf_putc(&address, '\0');
	if (rc < 0 || address.full)
		return rc < 0 ? rc : -ENAMETOOLONG;
	if (mkdir(run_directory, 0755) != 0 && errno != EEXIST)
		log_errno("run-directory", run_directory, errno);
	if (pipe2(alive, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(alive[1]);
		keep(alive[0], path, conf_path, text);
	}
	close(alive[0]);
	if (pid < 0)
		return -errno;
	/* Sessions close everything from that number on; we never do. */
	(void)fcntl(alive[1], F_DUPFD_CLOEXEC, SANDBOX_FREE_FD);
	close(alive[1]);
	rc = wait_ready(text + 5);
	if (rc < 0)
		log_errno("deliver-start", text, -rc);
	return rc;
}

/* --- tls ----------------------------------------------------------------- */

/* Waits for work, has it done, and waits again: in its children are the
 * libraries, and the keys. */
static void serve_tls(int fd, const char *path, const char *conf_path)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	int status = 0;
	sigset_t none;
	char one;

	arrange(fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (;;) {
		ssize_t got;
		pid_t pid;

		if (poll(&p, 1, -1) < 0)
			continue;
		got = recv(0, &one, 1, MSG_PEEK | MSG_DONTWAIT);
		if (got <= 0 && (p.revents & (POLLHUP | POLLERR)) != 0)
			_exit(0);
		if (got == 0) /* a record without an octet is no end */
			(void)recv(0, &one, 1, MSG_DONTWAIT);
		if (got <= 0)
			continue;
		pid = fork();
		if (pid == 0)
			run("tls-start", path, conf_path, NULL);
		while (
		    pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (pid < 0 || status != 0)
			(void)poll(NULL, 0, RESTART_S * 1000);
	}
}

int starter_tls(const char *conf_path)
{
	char path[PATH_ROOM];
	int pair[2], rc = starter_program("tls", path, sizeof(path));
	pid_t pid;

	if (rc == 0 && access(path, X_OK) != 0)
		rc = -errno;
	if (rc == 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		rc = -errno;
	if (rc < 0) {
		log_errno("tls-start", path, -rc);
		return rc;
	}
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		serve_tls(pair[1], path, conf_path);
	}
	rc = -errno;
	close(pair[1]);
	if (pid > 0)
		return pair[0];
	close(pair[0]);
	log_errno("tls-start", "fork", -rc);
	return rc;
}
