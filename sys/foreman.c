/*
 * The process that listens reads one record of each connection and starts a
 * process for it; that one asks the user database, becomes nobody else
 * before the program is started, and answers.
 */
#include "sys/foreman.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/errand.h"
#include "mail/trace.h"
#include "sys/hireling.h"
#include "sys/io.h"
#include "sys/log.h"

enum { ASK_MS = 5000, HEAD_MAX = 4096 };

static struct child {
	pid_t pid; /* 0: free */
	char user[ERRAND_NAME_MAX + 1];
} child[FOREMAN_MOST];

static volatile sig_atomic_t terminated;

static void on_signal(int number)
{
	if (number != SIGCHLD)
		terminated = 1;
}

/* --- one errand, in a process of its own -------------------------------- */

static struct verdict later(const char *code, const char *text)
{
	return (struct verdict){ VERDICT_LATER, str_of(code), str_of(text) };
}

/* What a shell would read is no shell's, and still: only plain characters. */
static void add_plain(struct environment *e, const char *name, struct str value)
{
	static const struct str plain = { "@._+=/:,%#^-", 12 };
	char text[ERRAND_FIELDS_MAX];
	struct buf b = BUF(text);

	for (size_t i = 0; i < value.n; i++)
		buf_putc(&b, str_isalpha(value.p[i]) ||
				     str_isdigit(value.p[i]) ||
				     str_find(plain, value.p[i]) < plain.n
				 ? value.p[i]
				 : '_');
	environment_add(e, name, buf_str(&b));
}

static void fill_environment(
    struct environment *e, const struct errand *r, const struct person *who)
{
	size_t at = r->recipient.n;
	struct str local;

	while (at > 0 && r->recipient.p[at - 1] != '@')
		at--;
	local = at > 0 ? str_head(r->recipient, at - 1) : r->recipient;
	environment_start(e);
	environment_add(e, "PATH", STR("/usr/local/bin:/usr/bin:/bin"));
	environment_add(e, "HOME", str_of(who->home));
	environment_add(e, "USER", str_of(who->name));
	environment_add(e, "LOGNAME", str_of(who->name));
	environment_add(e, "SHELL", str_of(who->shell));
	add_plain(e, "SENDER", r->sender);
	add_plain(e, "RECIPIENT", r->recipient);
	add_plain(e, "LOCAL", local);
	add_plain(e, "EXTENSION", str_skip(local, str_find(local, '+') + 1));
	add_plain(e, "DOMAIN", at > 0 ? str_skip(r->recipient, at) : STR(""));
}

static bool is_message(int fd, const struct errand *r)
{
	struct stat st;
	int flags;

	if (!r->file)
		return true;
	flags = fcntl(fd, F_GETFL);
	return flags >= 0 && (flags & O_PATH) == 0 &&
	       (flags & O_ACCMODE) != O_WRONLY && fstat(fd, &st) == 0 &&
	       S_ISREG(st.st_mode) && (uint64_t)st.st_size >= r->start &&
	       (uint64_t)st.st_size - r->start >= r->size;
}

static void log_end_of(const struct errand *r, const struct hireling_end *end)
{
	struct log l;

	log_begin(&l, end->status == 0 ? LOGL_INFO : LOGL_WARNING, "command");
	log_str(&l, "user", r->user);
	log_str(&l, "command", r->command);
	if (end->late)
		log_str(&l, "error", STR("it was ended: its time was over"));
	else if (end->status > 255)
		log_str(&l, "error", STR("ended by a signal"));
	else
		log_u64(&l, "status", end->status);
	if (end->status != 0)
		log_str(&l, "said", str_head(end->said, 200));
	log_end(&l);
}

static void log_refused(const struct errand *r, const char *why)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "command");
	log_str(&l, "user", r->user);
	log_str(&l, "command", r->command);
	log_str(&l, "error", str_of(why));
	log_end(&l);
}

/* The texts of the verdict live until the process ends. */
static struct verdict work(
    const struct foreman *f, const struct errand *r, int fd)
{
	static struct person who;
	static struct argv argv;
	static struct environment env;
	static struct hireling_end end;
	static char head_text[HEAD_MAX], text[REQUEST_TEXT_MAX + 1];
	struct buf head = BUF(head_text), room = BUF(text);
	struct hireling h = { f->self, &who, &argv, &env, STR(""),
		{ r->file ? fd : -1, r->start, r->size, r->content } };
	int rc = argv_split(&argv, r->command);

	if (rc != 0) {
		log_refused(r, argv_error(rc));
		return later("4.3.5", "the user's command cannot be run");
	}
	if (!is_message(fd, r)) {
		log_refused(r, "a descriptor that is not the message");
		return later("4.3.0", "local error, try again later");
	}
	rc = person_find(&who, r->user, f->conf->now->minimum_uid, f->self);
	if (rc < 0)
		return later("4.3.5", "the user's command cannot be run");
	fill_environment(&env, r, &who);
	trace_return_path(&head, r->sender);
	trace_delivered_to(&head, r->recipient);
	if (env.text.full || head.full)
		return later("4.3.0", "local error, try again later");
	h.head = buf_str(&head);
	if (hireling_run(&h, &end) < 0)
		return later("4.3.0", "the user's command cannot be run now");
	log_end_of(r, &end);
	return errand_verdict(end.status, end.said, &room);
}

static void answer(int sock, const struct verdict *v)
{
	char text[REQUEST_MAX];
	struct buf b = BUF(text);

	request_begin(&b, 'c');
	verdict_put(&b, v);
	(void)io_send_record(sock, buf_str(&b), -1);
}

/* --- the process that listens ------------------------------------------- */

static void bury(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (unsigned i = 0; i < FOREMAN_MOST; i++)
			if (child[i].pid == pid)
				child[i].pid = 0;
}

/* A free place for a command of this user; -1: he or all have enough. */
static int place(struct str user)
{
	unsigned his = 0;
	int found = -1;

	for (int i = 0; i < FOREMAN_MOST; i++)
		if (child[i].pid == 0)
			found = i;
		else if (str_eq(str_of(child[i].user), user))
			his++;
	return his < FOREMAN_USER ? found : -1;
}

static unsigned nchildren(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FOREMAN_MOST; i++)
		n += child[i].pid != 0;
	return n;
}

static int take_on(
    const struct foreman *f, const struct errand *r, int sock, int fd, int at)
{
	struct buf name = BUF(child[at].user);
	struct verdict v;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		for (unsigned i = 0; i < f->listeners->n; i++)
			close(f->listeners->v[i].fd);
		v = work(f, r, fd);
		answer(sock, &v);
		_exit(0);
	}
	buf_put(&name, r->user);
	buf_putc(&name, '\0');
	child[at].pid = pid;
	return 0;
}

/* NULL when it is being worked on, or why it is not now. */
static const char *assign(
    const struct foreman *f, const struct errand *r, int sock, int fd)
{
	int at = place(r->user);

	(void)reload_check(f->conf);
	if (!f->conf->now || !f->conf->now->commands)
		return "commands are not enabled";
	if (at < 0)
		return "too many commands at a time";
	return take_on(f, r, sock, fd, at) < 0 ? "no process to be had" : NULL;
}

static bool is_welcome(const struct foreman *f, int sock)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	struct log l;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0)
		return false;
	if (cred.uid == 0 ||
	    (f->deliver_uid != (uid_t)-1 && cred.uid == f->deliver_uid) ||
	    (!f->self->privileged && cred.uid == f->self->uid))
		return true;
	log_begin(&l, LOGL_WARNING, "peer-refused");
	log_u64(&l, "uid", cred.uid);
	log_u64(&l, "pid", (uint64_t)cred.pid);
	log_end(&l);
	return false;
}

static void attend(const struct foreman *f, int sock)
{
	static char text[ERRAND_FIELDS_MAX + REQUEST_CONTENT_MAX];
	struct buf b = BUF(text);
	int64_t by = io_now_ms() + ASK_MS;
	struct verdict busy;
	const char *why;
	struct errand r;
	int fd = -1;

	if (is_welcome(f, sock) && io_wait_read(sock, by) == 0 &&
	    io_recv_record(sock, &b, &fd, MSG_DONTWAIT) > 0) {
		if (errand_get(buf_str(&b), &r) != 0 || r.file != (fd >= 0)) {
			log_note(LOGL_WARNING, "peer-ended",
			    "a record that is not understood");
		} else if ((why = assign(f, &r, sock, fd)) != NULL) {
			log_refused(&r, why);
			busy = later("4.3.2", why);
			answer(sock, &busy);
		}
	}
	if (fd >= 0)
		close(fd);
	close(sock);
}

static void prepare_signals(void)
{
	struct sigaction a = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGCHLD, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Waits for a connection, the end of a child or a signal: at most a minute.
 * The listener that has one, or -1. */
static int wait_for_one(const struct foreman *f)
{
	const struct timespec most = { FOREMAN_IDLE_S, 0 };
	struct pollfd p[LISTEN_MAX];
	sigset_t none;

	sigemptyset(&none);
	for (unsigned i = 0; i < f->listeners->n; i++)
		p[i] = (struct pollfd){ .fd = f->listeners->v[i].fd,
			.events = POLLIN };
	if (ppoll(p, f->listeners->n, &most, &none) > 0)
		for (unsigned i = 0; i < f->listeners->n; i++)
			if (p[i].revents != 0)
				return p[i].fd;
	return -1;
}

/* Those who are at work end what they do. */
static void leave(void)
{
	int64_t by = io_now_ms() + FOREMAN_LEAVE_S * 1000;
	const struct timespec second = { 1, 0 };
	sigset_t none;

	sigemptyset(&none);
	for (bury(); nchildren() > 0 && io_now_ms() < by; bury())
		(void)ppoll(NULL, 0, &second, &none);
}

int foreman_run(const struct foreman *f)
{
	int64_t idle_ms = io_now_ms();

	prepare_signals();
	while (!terminated) {
		int at = wait_for_one(f);
		int sock = at < 0 ? -1 : accept4(at, NULL, NULL, SOCK_CLOEXEC);

		bury();
		if (sock >= 0)
			attend(f, sock);
		if (sock >= 0 || nchildren() > 0)
			idle_ms = io_now_ms();
		else if (f->listeners->activated &&
			 io_now_ms() - idle_ms >= FOREMAN_IDLE_S * 1000)
			return 0;
	}
	leave();
	return 0;
}
