/*
 * Log lines.  No syslog(3): it reconnects after the log was restarted, which
 * no sandbox would allow; a datagram of our own that fails is dropped.
 */
#include "sys/log.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <string.h>
#include <unistd.h>

#include "sys/io.h"

enum { FACILITY_MAIL = 2 << 3, VALUE_MAX = 300 };

static const char *log_program = "postern";
static int log_sink = 2;
static bool log_to_syslog;
static enum log_level log_most = LOGL_INFO;
static void (*log_taker)(struct str line);

/* Standard error is the client when inetd gave him 0, 1 and 2. */
static bool stderr_is_client(void)
{
	struct stat in, err;

	if (fstat(2, &err) != 0)
		return true;
	return fstat(0, &in) == 0 && S_ISSOCK(in.st_mode) &&
	       in.st_dev == err.st_dev && in.st_ino == err.st_ino;
}

void log_open(const char *program, int fd)
{
	int sock;

	log_program = program;
	if (!stderr_is_client())
		return;
	log_to_syslog = true;
	log_sink = -1;
	sock = io_connect_unix("/dev/log", SOCK_DGRAM | SOCK_NONBLOCK);
	if (sock >= 0)
		log_sink = io_move_fd(sock, fd);
}

int log_fd(void)
{
	return log_sink;
}

void log_give(void (*take)(struct str line))
{
	log_taker = take;
}

void log_limit(enum log_level most)
{
	log_most = most;
}

void log_begin(struct log *l, enum log_level level, const char *event)
{
	l->b = BUF(l->text);
	l->b.cap -= 1; /* for the newline */
	l->level = level;
	buf_putc(&l->b, '<');
	buf_u64(&l->b, (log_to_syslog ? FACILITY_MAIL : 0u) | (unsigned)level);
	buf_putc(&l->b, '>');
	if (log_to_syslog) {
		buf_putz(&l->b, "postern/");
		buf_putz(&l->b, log_program);
		buf_putc(&l->b, '[');
		buf_u64(&l->b, (uint64_t)getpid());
		buf_putz(&l->b, "]: ");
	}
	buf_putz(&l->b, "event=");
	buf_putz(&l->b, event);
}

static bool is_plain(struct str v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] <= ' ' ||
		    (unsigned char)v.p[i] > '~' || v.p[i] == '"' ||
		    v.p[i] == '\\' || v.p[i] == '=')
			return false;
	return v.n > 0;
}

/* A field that does not fit is left out; the line stays whole. */
void log_str(struct log *l, const char *key, struct str value)
{
	struct buf mark = l->b;

	buf_putc(&l->b, ' ');
	buf_putz(&l->b, key);
	buf_putc(&l->b, '=');
	if (is_plain(value)) {
		buf_escape(&l->b, value, VALUE_MAX);
	} else {
		buf_putc(&l->b, '"');
		buf_escape(&l->b, value, VALUE_MAX);
		buf_putc(&l->b, '"');
	}
	if (l->b.full)
		l->b = mark;
}

void log_u64(struct log *l, const char *key, uint64_t value)
{
	struct buf mark = l->b;

	buf_putc(&l->b, ' ');
	buf_putz(&l->b, key);
	buf_putc(&l->b, '=');
	buf_u64(&l->b, value);
	if (l->b.full)
		l->b = mark;
}

void log_end(struct log *l)
{
	size_t n = l->b.n;
	ssize_t ignored;

	if (l->level > log_most)
		return;
	if (log_taker) {
		log_taker(buf_str(&l->b));
		return;
	}
	if (log_sink < 0)
		return;
	if (!log_to_syslog)
		l->text[n++] = '\n';
	ignored = write(log_sink, l->text, n);
	(void)ignored;
}

void log_errno(const char *event, const char *what, int err)
{
	struct log l;

	log_begin(&l, LOGL_ERR, event);
	log_str(&l, "what", str_of(what));
	log_str(&l, "error", str_of(strerror(err)));
	log_end(&l);
}

void log_note(enum log_level level, const char *event, const char *what)
{
	struct log l;

	log_begin(&l, level, event);
	log_str(&l, "what", str_of(what));
	log_end(&l);
}
