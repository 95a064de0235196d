/*
 * Three processes: this one, which may become the user and so feeds, listens
 * and waits; the program; and, at the end, one that became the user to kill
 * what is left, since nobody else here may.  What a program leaves behind
 * comes to this process, however it was detached, and goes with it.
 */
#include "sys/hireling.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"

enum {
	BLOCK = 64 * 1024,
	SWEEPS = 500,       /* of what forks faster than it is killed ... */
	SWEEP_MS = 10,      /* ... one after the other */
	CHILDREN_MAX = 8192 /* octets of /proc's list of them */
};

static const char *const directories[] = { "/usr/local/bin/", "/usr/bin/",
	"/bin/" };

/* --- the environment ---------------------------------------------------- */

void environment_start(struct environment *e)
{
	e->n = 0;
	e->v[0] = NULL;
	e->text = BUF(e->room);
}

void environment_add(struct environment *e, const char *name, struct str value)
{
	char *at = e->text.p + e->text.n;

	buf_putz(&e->text, name);
	buf_putc(&e->text, '=');
	buf_put(&e->text, value);
	buf_putc(&e->text, '\0');
	if (e->n == HIRELING_ENV || str_find(value, '\0') < value.n)
		e->text.full = true;
	if (e->text.full)
		return;
	e->v[e->n++] = at;
	e->v[e->n] = NULL;
}

/* --- the program -------------------------------------------------------- */

/* Its own errors go where its output goes. */
__attribute__((noreturn)) static void give_up(const char *what, int rc)
{
	(void)dprintf(2, "%s: %s\n", what, strerror(-rc));
	_exit(EX_TEMPFAIL);
}

/* By the system call: its numbers have another type in each C library. */
static void limit(int resource, uint64_t most)
{
	struct {
		uint64_t soft, hard;
	} l;

	if (syscall(SYS_prlimit64, 0, resource, NULL, &l) != 0)
		give_up("its limits", -errno);
	if (l.hard > most)
		l.hard = most;
	l.soft = l.hard;
	if (syscall(SYS_prlimit64, 0, resource, &l, NULL) != 0)
		give_up("its limits", -errno);
}

static void plain_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A name without a slash is looked for where programs are. */
static void execute(char *const *argv, char *const *env)
{
	char path[ARGV_TEXT_MAX + 32];
	int err = ENOENT;

	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, env);
		err = errno;
	}
	for (size_t i = 0; i < 3 && err == ENOENT && !strchr(argv[0], '/');
	     i++) {
		(void)snprintf(
		    path, sizeof(path), "%s%s", directories[i], argv[0]);
		execve(path, argv, env);
		err = errno;
	}
	give_up(argv[0], -err);
}

/* The words are ours and nobody writes to them. */
static void serve(const struct hireling *h, int in, int out)
{
	char *argv[ARGV_MAX + 1];
	union {
		const char *word;
		char *argument;
	} u;
	int rc = 0;

	for (unsigned i = 0; i < h->argv->n; i++) {
		u.word = h->argv->v[i].p;
		argv[i] = u.argument;
	}
	argv[h->argv->n] = NULL;
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(EX_TEMPFAIL);
	io_close_range(3, ~0u);
	(void)setsid();
	umask(077);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, HIRELING_CPU_S);
	limit(RLIMIT_NOFILE, HIRELING_FILES);
	limit(RLIMIT_AS, HIRELING_MEMORY);
	limit(RLIMIT_NPROC, HIRELING_PROCESSES);
	rc = person_become(h->who, h->self);
	if (rc < 0)
		give_up("becoming the user", rc);
	if (chdir(h->who->home) != 0)
		give_up(h->who->home, -errno);
	plain_signals();
	execute(argv, h->env->v);
}

/* --- feeding and listening ---------------------------------------------- */

struct run {
	const struct hireling *h;
	pid_t pid;
	int in, out; /* our ends; -1 when closed */
	uint64_t at; /* octets of the content that are in the block */
	struct str rest;
	struct buf said;
	int64_t until_ms;
	bool ended;
	int status;
	char block[BLOCK];
};

static void on_child(int number)
{
	(void)number;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Who does not read it to the end has had enough. */
static void feed(struct run *r)
{
	ssize_t n;

	while (r->rest.n > 0 || r->at < r->h->content.size) {
		if (r->rest.n == 0) {
			n = source_read(
			    &r->h->content, r->block, sizeof(r->block), r->at);
			if (n < 0) { /* never a message that looks whole */
				log_errno("command", "the message", (int)-n);
				r->until_ms = 0;
				return;
			}
			r->at += (uint64_t)n;
			r->rest = str_at(r->block, (size_t)n);
		}
		n = write(r->in, r->rest.p, r->rest.n);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			break;
		r->rest = str_skip(r->rest, (size_t)n);
	}
	close_end(&r->in);
}

static void listen_to(struct run *r)
{
	char text[4096];
	ssize_t n;

	while ((n = read(r->out, text, sizeof(text))) > 0) {
		struct str s = str_at(text, (size_t)n);

		buf_put(&r->said, str_head(s, r->said.cap - r->said.n));
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_end(&r->out);
}

/* Until the program has ended, or its time is over. */
static void attend(struct run *r)
{
	sigset_t none;

	sigemptyset(&none);
	for (;;) {
		struct pollfd p[2] = { { .fd = r->in, .events = POLLOUT },
			{ .fd = r->out, .events = POLLIN } };
		int64_t left = r->until_ms - io_now_ms();
		struct timespec t = { left / 1000, left % 1000 * 1000000 };

		if (waitpid(r->pid, &r->status, WNOHANG) == r->pid) {
			r->ended = true;
			return;
		}
		if (left <= 0)
			return;
		if (ppoll(p, 2, &t, &none) <= 0)
			continue;
		if (p[0].revents != 0)
			feed(r);
		if (p[1].revents != 0)
			listen_to(r);
	}
}

/* --- the end ------------------------------------------------------------ */

/* The processes that are ours now, as text. */
static struct str children(char *room, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(
	    path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, room, size);
	if (fd >= 0)
		close(fd);
	return n < 0 ? STR("") : str_at(room, (size_t)n);
}

static void kill_all(const struct hireling *h, pid_t group, struct str list)
{
	struct str word;
	uint64_t pid;

	if (person_become(h->who, h->self) < 0)
		_exit(1);
	(void)kill(-group, SIGKILL);
	while (str_word(&list, &word))
		if (str_u64(word, &pid) == 0 && pid > 1 && pid <= INT32_MAX)
			(void)kill((pid_t)pid, SIGKILL);
	_exit(0);
}

/* Buries those that have died.  False when there is nobody left. */
static bool bury(struct run *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == r->pid) {
			r->ended = true;
			r->status = status;
		}
	return pid == 0 || errno != ECHILD;
}

/* Whatever is left is killed by the user, and buried by us. */
static void sweep(const struct hireling *h, struct run *r)
{
	const struct timespec pause = { 0, SWEEP_MS * 1000000L };
	char room[CHILDREN_MAX];

	for (unsigned i = 0; bury(r); i++) {
		struct str list = children(room, sizeof(room));

		if (i == SWEEPS) {
			log_note(LOGL_ERR, "command",
			    "processes of the user are left");
			return;
		}
		if (fork() == 0)
			kill_all(h, r->pid, list);
		(void)nanosleep(&pause, NULL);
	}
}

static int start(struct run *r, const struct hireling *h)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, rc = 0;

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		rc = -errno;
	if (rc == 0 && (fcntl(in[1], F_SETFL, O_NONBLOCK) != 0 ||
			   fcntl(out[0], F_SETFL, O_NONBLOCK) != 0))
		rc = -errno;
	if (rc == 0) {
		r->pid = fork();
		if (r->pid == 0)
			serve(h, in[0], out[1]);
		if (r->pid < 0)
			rc = -errno;
	}
	close_end(&in[0]);
	close_end(&out[1]);
	r->in = in[1];
	r->out = out[0];
	if (rc < 0) {
		close_end(&r->in);
		close_end(&r->out);
		log_errno("command", "starting it", -rc);
	}
	return rc;
}

int hireling_run(const struct hireling *h, struct hireling_end *end)
{
	static struct run r;
	struct sigaction a = { .sa_handler = on_child };
	sigset_t child;
	int rc;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	sigaction(SIGCHLD, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return -errno;
	r = (struct run){ .h = h, .rest = h->head };
	r.said = BUF(end->room);
	r.until_ms = io_now_ms() + HIRELING_S * 1000;
	rc = start(&r, h);
	if (rc < 0)
		return rc;
	attend(&r);
	end->late = !r.ended;
	close_end(&r.in);
	sweep(h, &r);
	if (r.out >= 0)
		listen_to(&r);
	close_end(&r.out);
	end->status = !end->late && WIFEXITED(r.status)
			  ? (unsigned)WEXITSTATUS(r.status)
			  : 256;
	end->said = buf_str(&r.said);
	return 0;
}
