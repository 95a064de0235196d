/*
 * An LMTP server that says what it wants: each recipient's outcome is the one
 * of a reader of its replies, 2yz behind 354 alone means delivered, and what
 * it hears are commands and then the message as it is, whatever is in it.
 *
 * Input: an octet with the number of recipients and the place of the first
 * block's end in the message (none: it has but one block), the message, NUL,
 * and all that the server says.
 */
#include "tests/fuzz/fuzz.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mail/data.h"
#include "mail/reply.h"
#include "sys/lmtp.h"
#include "sys/log.h"

enum {
	USERS = 5,
	EDGES = 8,
	BLOCK = 1 << 16, /* as sys/lmtp.c reads the message */
	INPUT_MAX = 1 << 16,
	HEARD_MAX = 2 * BLOCK + 3 * INPUT_MAX
};

static const struct str users[USERS] = { { "alice", 5 }, { "bob+x", 5 },
	{ "a b", 3 }, { "caf\xc3\xa9", 5 }, { "-f", 2 } };

static struct {
	char path[64];
	int listener, message;
	sem_t begin, end;
	struct str script;
	struct buf heard;
	char text[HEARD_MAX];
} server = { .listener = -1 };

/* libFuzzer's alarm may come in between. */
static void wait(sem_t *s)
{
	while (sem_wait(s) != 0)
		;
}

/* Says everything at once and hears everything, to the end. */
static void *serve(void *arg)
{
	char text[4096];
	sigset_t all;
	ssize_t n;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (;;) {
		struct str script;
		int fd;

		wait(&server.begin);
		script = server.script;
		fd = accept(server.listener, NULL, NULL);
		while (script.n > 0 && (n = write(fd, script.p, script.n)) > 0)
			script = str_skip(script, (size_t)n);
		(void)shutdown(fd, SHUT_WR);
		while ((n = read(fd, text, sizeof(text))) > 0)
			buf_put(&server.heard, str_at(text, (size_t)n));
		close(fd);
		(void)sem_post(&server.end);
	}
	return arg;
}

static void leave(void)
{
	(void)unlink(server.path);
}

static void setup(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	pthread_t thread;

	log_limit((enum log_level)0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(server.path, sizeof(server.path),
	    "/tmp/postern-fuzz-lmtp-%d", (int)getpid());
	memcpy(sa.sun_path, server.path, strlen(server.path));
	server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	server.message = memfd_create("message", 0);
	if (server.listener < 0 || server.message < 0 ||
	    bind(server.listener, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    atexit(leave) != 0 || listen(server.listener, 1) != 0 ||
	    sem_init(&server.begin, 0, 0) != 0 ||
	    sem_init(&server.end, 0, 0) != 0 ||
	    pthread_create(&thread, NULL, serve, NULL) != 0)
		abort();
}

/* The code of the next reply; 0 when there is none. */
static unsigned next(struct str *script)
{
	struct reply r = { 0 };

	return reply_feed(&r, script) == REPLY_DONE ? r.code : 0;
}

static enum verdict_kind kind(unsigned code)
{
	return code >= 500                 ? VERDICT_NEVER
	       : code >= 200 && code < 300 ? VERDICT_DONE
					   : VERDICT_LATER;
}

static void all(enum verdict_kind *want, unsigned n, enum verdict_kind k)
{
	for (unsigned i = 0; i < n; i++)
		want[i] = k;
}

/* Replies of the message, when it is taken at all; true behind a 354. */
static bool expect_data(
    struct str s, unsigned n, const bool *taken, enum verdict_kind *want)
{
	unsigned code = next(&s);
	bool go = code == 354;

	for (unsigned i = 0; i < n && code != 0; i++) {
		if (!taken[i])
			continue;
		if (go)
			code = next(&s);
		want[i] = kind(code);
		if (!go && want[i] == VERDICT_DONE)
			want[i] = VERDICT_LATER;
	}
	return go;
}

/* Greeting, LHLO, MAIL, RCPT; what each recipient must hear. */
static bool expect(struct str s, unsigned n, enum verdict_kind *want)
{
	bool taken[USERS] = { false }, any = false;

	all(want, n, VERDICT_LATER);
	for (unsigned i = 0; i < 3; i++) {
		unsigned code = next(&s);

		if (code == 0 || code >= 300) {
			all(want, n, kind(code));
			return false;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned code = next(&s);

		if (code == 0)
			return false;
		taken[i] = code < 300;
		any = any || taken[i];
		if (!taken[i])
			want[i] = kind(code);
	}
	return any && expect_data(s, n, taken, want);
}

/* What follows DATA is the message for whoever reads it as RFC 5321 says. */
static void check_content(struct str heard, struct str message)
{
	size_t room = message.n + 4;
	struct buf got = { fuzz_room(room), 0, room, false };
	struct data d;

	data_init(&d, 0);
	heard = str_skip(heard, data_feed(&d, heard, &got));
	HOLDS(d.at == DATA_END);
	HOLDS((d.defects & DATA_BARE_LF) == 0);
	if (message.n > 0 && message.p[message.n - 1] != '\n') {
		HOLDS(got.n > 0 && got.p[got.n - 1] == '\n');
		got.n--;
	}
	HOLDS(str_eq(buf_str(&got), message));
	HOLDS(heard.n == 0 || str_eq(heard, STR("QUIT\r\n")));
	free(got.p);
}

/* Command by command, each a line; true when DATA was among them. */
static bool check_commands(struct str *heard)
{
	static const struct str known[] = { { "LHLO localhost", 14 },
		{ "MAIL FROM:<", 11 }, { "RCPT TO:<", 9 }, { "DATA", 4 },
		{ "QUIT", 4 } };
	struct str line;
	unsigned at = 0;

	while (str_cut(heard, '\n', &line)) {
		HOLDS(line.n >= 5 && line.p[line.n - 1] == '\r');
		while (at < 5 && !str_starts(line, known[at]))
			at++;
		HOLDS(at < 5);
		if (at == 3)
			return true;
	}
	return false;
}

static void check(struct str message, unsigned n, const struct verdict *got)
{
	enum verdict_kind want[USERS];
	struct str heard = buf_str(&server.heard);
	bool go = expect(server.script, n, want);

	for (unsigned i = 0; i < n; i++) {
		HOLDS(got[i].kind == want[i]);
		HOLDS(got[i].status.n >= 5 && got[i].text.n <= REPLY_TEXT_MAX);
		for (size_t k = 0; k < got[i].text.n; k++)
			HOLDS(
			    got[i].text.p[k] >= ' ' && got[i].text.p[k] <= '~');
	}
	HOLDS(!server.heard.full);
	HOLDS(!go || check_commands(&heard));
	if (go)
		check_content(heard, message);
	else if (check_commands(&heard))
		HOLDS(heard.n == 0 || str_eq(heard, STR("QUIT\r\n")));
}

/* The message in its file, with a block ending at `edge` if that is not 0. */
static struct str stored(struct str message, size_t edge)
{
	static char room[BLOCK + INPUT_MAX];
	struct buf b = BUF(room);

	if (edge > 0 && edge <= EDGES) {
		b.n = BLOCK - edge;
		memset(room, 'x', b.n);
		for (size_t i = 99; i < b.n; i += 100)
			room[i] = '\n';
	}
	buf_put(&b, message);
	if (ftruncate(server.message, 0) != 0 ||
	    pwrite(server.message, b.p, b.n, 0) != (ssize_t)b.n)
		abort();
	return buf_str(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size), message;
	struct verdict outcome[USERS];
	struct lmtp_mail mail = { .sender = STR("a@away.example") };
	unsigned how = fuzz_octet(&s), n = 1 + how % USERS;

	if (size > INPUT_MAX)
		return 0;
	if (server.listener < 0)
		setup();
	str_cut(&s, '\0', &message);
	message = stored(message, how / USERS);
	server.script = s;
	server.heard = BUF(server.text);
	/* From a file, or as it lies in memory. */
	mail.content = (struct source){ .fd = n % 2 ? server.message : -1,
		.size = message.n,
		.all = message };
	(void)sem_post(&server.begin);
	lmtp_deliver(server.path, &mail, n, users, outcome);
	wait(&server.end);
	check(message, n, outcome);
	return 0;
}
