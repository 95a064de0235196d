/*
 * Connect, one record, one answer.
 */
#include "sys/errand.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"

static const struct verdict nobody = { VERDICT_LATER, { "4.3.5", 5 },
	{ "the user's command cannot be run now", 36 } };
static const struct verdict silent = { VERDICT_LATER, { "4.3.0", 5 },
	{ "the user's command did not end", 30 } };

static int ask(int sock, const struct errand *e, const struct source *content)
{
	char text[ERRAND_FIELDS_MAX];
	struct buf b = BUF(text);

	errand_put(&b, e);
	if (b.full)
		return -EMSGSIZE;
	if (e->file)
		return io_send_record(sock, buf_str(&b), content->fd);
	return io_send_parts(sock, buf_str(&b), content->all, -1);
}

static int hear(int sock, int64_t until_ms, struct verdict *v)
{
	static char text[REQUEST_MAX];
	struct buf b = BUF(text);
	struct request r;
	int fd, rc;

	do
		rc = io_wait_read(sock, until_ms);
	while (rc == -EINTR);
	if (rc < 0)
		return rc;
	if (io_recv_record(sock, &b, &fd, 0) <= 0)
		return -EPIPE;
	if (fd >= 0)
		close(fd);
	return request_answer(buf_str(&b), 'c', 3, &r) == 0 &&
		       verdict_get(&r, v) == 0 && v->kind != VERDICT_FORWARD
		   ? 0
		   : -EBADMSG;
}

struct verdict errand_run(const char *run_directory, const struct errand *e,
    const struct source *content, int64_t until_ms)
{
	struct errand whole = *e;
	struct verdict v = silent;
	int64_t by = io_now_ms() + ERRAND_DEADLINE_S * 1000;
	char path[PATH_MAX];
	struct buf b = BUF(path);
	int sock, rc;

	buf_putz(&b, run_directory);
	buf_putz(&b, "/command");
	buf_putc(&b, '\0');
	if (b.full)
		return nobody;
	if (until_ms < by)
		return silent;
	whole.file = content->fd >= 0;
	whole.start = content->start;
	whole.size = content->size;
	sock = io_connect_unix(path, SOCK_SEQPACKET);
	if (sock < 0) {
		log_errno("command", path, -sock);
		return nobody;
	}
	rc = ask(sock, &whole, content);
	if (rc == 0)
		rc = hear(sock, by, &v);
	if (rc < 0)
		log_errno("command", path, -rc);
	close(sock);
	return rc < 0 ? silent : v;
}
