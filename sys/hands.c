/*
 * One worker is enough for little traffic; it asks for another when it has
 * several connections, up to one for each processor.
 */
#include "sys/hands.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/secured.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/pair.h"
#include "sys/privilege.h"
#include "sys/relay.h"
#include "sys/sandbox.h"
#include "sys/tls-certs.h"

enum {
	PAUSE_MS = 1000,    /* before one that died is replaced */
	FAREWELL_MS = 1000, /* for workers without connections to end */
	FD_MARGIN = 64,
	HANDSHAKE_MAX_S = 60
};

struct hand {
	pid_t pid;    /* 0: the place is free */
	bool leaving; /* takes no more */
};

static struct {
	struct hands *h;
	struct relay_state *state; /* HANDS_ALL_MAX, shared */
	struct hand hand[HANDS_ALL_MAX];
	unsigned wanted, most;
	int more[2]; /* a pipe: workers ask for company */
	int ruleset_fd;
	unsigned files; /* descriptors that one may have */
	bool over;      /* nobody can send work any more */
	int64_t tick_ms, ticket_ms, busy_ms;
	unsigned taken; /* when it was last looked at */
	sigset_t while_waiting;
} hands;

static volatile sig_atomic_t must_stop, must_reap;

static void on_signal(int signo)
{
	if (signo == SIGCHLD)
		must_reap = 1;
	else
		must_stop = 1;
}

/* Signals come in only while we wait. */
static void take_signals(void)
{
	static const int all[] = { SIGTERM, SIGINT, SIGCHLD };
	struct sigaction act = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		sigaddset(&block, all[i]);
		sigaction(all[i], &act, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigprocmask(SIG_BLOCK, &block, &hands.while_waiting);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sigdelset(&hands.while_waiting, all[i]);
}

/* --- a worker ------------------------------------------------------------ */

/* Alone it would go on with a certificate that nobody renews: with the main
 * process ends the taking of connections, not those it has.  A change of the
 * user would take that away. */
static void end_with_main(pid_t main_process)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != main_process)
		(void)raise(SIGTERM);
}

static void work(struct relay_state *state, pid_t main_process)
{
	const struct conf *c = hands.h->conf->now;
	struct relay r = { .from = hands.h->from,
		.state = state,
		.more_fd = hands.more[1],
		.limit = (hands.files - FD_MARGIN) / 2,
		.handshake_s = HANDSHAKE_MAX_S };

	close(hands.more[0]);
	if (c && c->connection_limit < r.limit)
		r.limit = c->connection_limit;
	if (c && c->command_timeout_s < r.handshake_s)
		r.handshake_s = c->command_timeout_s;
	if (relay_prepare(&r) < 0 || privilege_drop("_postern-tls") < 0)
		_exit(71);
	end_with_main(main_process);
	if (sandbox_enter(SANDBOX_TLS, hands.ruleset_fd) < 0)
		_exit(71);
	if (hands.ruleset_fd >= 0)
		close(hands.ruleset_fd);
	relay_run(&r);
	_exit(0);
}

static void start_one(void)
{
	pid_t pid, self = getpid();
	unsigned i = 0;

	while (i < HANDS_ALL_MAX && hands.hand[i].pid != 0)
		i++;
	if (i == HANDS_ALL_MAX)
		return; /* some end: later */
	memset(&hands.state[i], 0, sizeof(hands.state[i]));
	pid = fork();
	if (pid == 0)
		work(&hands.state[i], self);
	if (pid < 0) {
		log_errno("worker", "fork", errno);
		return;
	}
	hands.hand[i] = (struct hand){ .pid = pid };
}

static unsigned count(bool leaving)
{
	unsigned n = 0;

	for (unsigned i = 0; i < HANDS_ALL_MAX; i++)
		n += hands.hand[i].pid != 0 && hands.hand[i].leaving == leaving;
	return n;
}

/* They end with their last connection. */
static void retire(void)
{
	for (unsigned i = 0; i < HANDS_ALL_MAX; i++) {
		struct hand *k = &hands.hand[i];

		if (k->pid != 0 && !k->leaving)
			(void)kill(k->pid, SIGTERM);
		k->leaving = true;
	}
}

static struct hand *hand_of(pid_t pid)
{
	for (unsigned i = 0; i < HANDS_ALL_MAX; i++)
		if (hands.hand[i].pid == pid)
			return &hands.hand[i];
	return NULL;
}

/* Workers cannot be had now: nobody waits for one. */
static void refuse_all(void)
{
	const char no = SECURED_NO;
	int fd[2];

	for (unsigned i = 0; i < hands.h->from->n; i++)
		while (pair_recv(hands.h->from->v[i].fd, fd) == 1) {
			ssize_t ignored = write(fd[1], &no, 1);

			(void)ignored;
			close(fd[0]);
			close(fd[1]);
		}
}

static void reap(void)
{
	struct hand *k;
	int status;
	pid_t pid;

	must_reap = 0;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		k = hand_of(pid);
		if (!k)
			continue;
		k->pid = 0;
		if (status == 0 && !k->leaving)
			hands.over = true;
		if (WIFSIGNALED(status))
			log_errno("worker", strsignal(WTERMSIG(status)), EINTR);
		if (status == 0)
			continue;
		refuse_all();
		(void)poll(NULL, 0, PAUSE_MS);
	}
}

/* --- the one that starts them --------------------------------------------- */

/* What was good stays when nothing good has come. */
static void look_at_files(void)
{
	struct reload *r = hands.h->conf;
	bool fresh = reload_check(r);

	if (!r->now || !(fresh || tls_certs_changed(r->now)))
		return;
	if (tls_certs_load(r->now) < 0)
		return;
	log_note(LOGL_INFO, "certificate", "read");
	retire();
}

static void change_ticket_key(int64_t now_ms)
{
	if (now_ms < hands.ticket_ms)
		return;
	hands.ticket_ms = now_ms + HANDS_TICKET_S * 1000LL;
	if (tls_certs_new_ticket_key() == 0)
		retire();
}

static bool is_idle(int64_t now_ms)
{
	unsigned sessions = 0, taken = 0;

	for (unsigned i = 0; i < HANDS_ALL_MAX; i++) {
		if (hands.hand[i].pid == 0)
			continue;
		sessions += hands.state[i].sessions;
		taken += hands.state[i].taken;
	}
	if (sessions > 0 || taken != hands.taken)
		hands.busy_ms = now_ms;
	hands.taken = taken;
	return now_ms - hands.busy_ms >= HANDS_IDLE_S * 1000LL;
}

static void wait_a_while(int64_t ms)
{
	struct pollfd p = { .fd = hands.more[0], .events = POLLIN };
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000 };
	char words[64];

	if (ppoll(&p, 1, &t, &hands.while_waiting) > 0 &&
	    read(hands.more[0], words, sizeof(words)) > 0 &&
	    hands.wanted < hands.most)
		hands.wanted++;
	if (must_reap)
		reap();
}

/* True when all have ended; one that has got a connection in time has not. */
static bool say_farewell(void)
{
	int64_t by = io_now_ms() + FAREWELL_MS;

	retire();
	while (count(true) > 0 && io_now_ms() < by && !must_stop)
		wait_a_while(by - io_now_ms());
	return count(true) == 0;
}

/* False when it is over. */
static bool turn(void)
{
	int64_t now_ms = io_now_ms();

	if (now_ms >= hands.tick_ms) {
		hands.tick_ms = now_ms + HANDS_TICK_S * 1000LL;
		look_at_files();
		change_ticket_key(now_ms);
		if (hands.h->transient && is_idle(now_ms)) {
			if (say_farewell())
				return false;
			hands.busy_ms = now_ms;
		}
	}
	while (!hands.over && count(false) < hands.wanted) {
		unsigned before = count(false);

		start_one();
		if (count(false) == before)
			break;
	}
	if (hands.over && count(false) + count(true) == 0)
		return false;
	wait_a_while(HANDS_TICK_S * 1000LL);
	return !must_stop;
}

static unsigned processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > HANDS_MAX ? HANDS_MAX : (unsigned)n;
}

/* Two descriptors for each connection. */
static unsigned raise_files(void)
{
	struct rlimit r = { 1024, 1024 };

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	return r.rlim_cur > 65536 ? 65536 : (unsigned)r.rlim_cur;
}

static int prepare(void)
{
	struct sandbox_level level;
	int rc;

	hands.state = mmap(NULL, HANDS_ALL_MAX * sizeof(*hands.state),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (hands.state == MAP_FAILED ||
	    pipe2(hands.more, O_CLOEXEC | O_NONBLOCK) != 0) {
		log_errno("worker", "prepare", errno);
		return -errno;
	}
	rc = sandbox_prepare(SANDBOX_TLS, -1, &hands.ruleset_fd, &level);
	if (rc < 0) {
		log_errno("sandbox", "prepare", -rc);
		return rc;
	}
	if (level.landlock_abi == 0)
		log_note(LOGL_WARNING, "sandbox", "no Landlock in this kernel");
	hands.files = raise_files();
	hands.most = processors();
	hands.wanted = 1;
	hands.busy_ms = io_now_ms();
	take_signals();
	return 0;
}

int hands_run(struct hands *h)
{
	int rc;

	hands.h = h;
	rc = prepare();
	if (rc < 0)
		return rc;
	while (turn())
		;
	retire();
	return 0;
}
