/*
 * The loop of a store worker.
 */
#include "sys/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/commit.h"
#include "sys/io.h"
#include "sys/job.h"
#include "sys/sandbox.h"

/*
 * A regular file of the size that was told, or with a part of it where it was
 * told, readable, and made by the peer itself (by smtpd's user, when the peer
 * was root as it connected).
 */
static bool is_message(
    const struct store *s, int fd, uint64_t peer, uint64_t start, uint64_t size)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY ||
	    fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	if (start == 0 ? (uint64_t)st.st_size != size
		       : (uint64_t)st.st_size < start ||
			     (uint64_t)st.st_size - start < size)
		return false;
	return st.st_uid == peer || (peer == 0 && s->smtpd_uid != (uid_t)-1 &&
					st.st_uid == s->smtpd_uid);
}

static void deliver(const struct store *s, struct job *j, struct str sender,
    struct source content)
{
	static const struct verdict with_others = { VERDICT_LATER,
		{ "4.3.0", 5 },
		{ "another recipient cannot be served now", 38 } };
	struct commit c = { s->self, s->hostname, s->run_directory, s->mail_gid,
		s->minimum_uid, s->slot, sender, content };

	if (job_is_settled(j)) {
		commit_job(&c, j);
		return;
	}
	for (unsigned i = 0; i < j->ncopies; i++)
		j->copy[i].outcome = with_others;
}

static int answer(int sock, const struct job *j)
{
	char text[REQUEST_MAX];
	struct buf b = BUF(text);
	int rc = j->changed ? io_send_record(sock, STR("f"), -1) : 0;

	for (unsigned i = 0; i < j->nrcpts && rc == 0; i++) {
		struct verdict v = job_verdict(j, i);

		request_begin(&b, 's');
		verdict_put(&b, &v);
		rc = io_send_record(sock, buf_str(&b), -1);
	}
	return rc;
}

/* The fields of S behind its letter.  0, or -errno: the worker ends. */
static int take_file(
    int sock, const struct store *s, struct job *j, struct str rest, int fd)
{
	struct str sender;
	uint64_t peer, start, size;

	if (plan_number(&rest, UINT32_MAX, &peer) != 0 ||
	    plan_number(&rest, INT64_MAX, &start) != 0 ||
	    plan_number(&rest, INT64_MAX, &size) != 0 ||
	    plan_field(&rest, &sender) != 0)
		return -EBADMSG;
	if (!is_message(s, fd, peer, start, size))
		return io_send_record(sock, STR("x"), -1);
	deliver(s, j, sender, (struct source){ fd, start, size, STR("") });
	return answer(sock, j);
}

/* What is behind the letter of M: likewise. */
static int take_message(
    int sock, const struct store *s, struct job *j, struct str rest)
{
	struct str sender;

	if (plan_field(&rest, &sender) != 0)
		return -EBADMSG;
	deliver(s, j, sender, (struct source){ -1, 0, rest.n, rest });
	return answer(sock, j);
}

void store_serve(int sock, const struct store *store)
{
	static char text[REQUEST_WHOLE_MAX];
	static struct job job;
	struct buf in = BUF(text);
	int fd, rc = 0;

	job_clear(&job);
	while (rc == 0 && io_recv_record(sock, &in, &fd, 0) > 0) {
		struct str rest = str_skip(buf_str(&in), 1);
		char letter = in.p[0];

		if (letter == 'R' && fd < 0)
			rc = job_add(&job, buf_str(&in)) ? 0 : -E2BIG;
		else if (letter == 'S' && fd >= 0)
			rc = take_file(sock, store, &job, rest, fd);
		else if (letter == 'M' && fd < 0)
			rc = take_message(sock, store, &job, rest);
		else if (letter != 'X' || fd >= 0)
			rc = -EBADMSG;
		if (letter != 'R')
			job_clear(&job);
		if (fd >= 0)
			close(fd);
	}
}

int store_lock_in(const struct store *s)
{
	struct sandbox_level level;
	int ruleset = -1;
	int rc = sandbox_prepare(SANDBOX_DELIVER, -1, &ruleset, &level);

	if (rc == 0)
		sandbox_log(&level);
	if (rc == 0)
		rc = sandbox_limit_ids(
		    s->minimum_uid, s->self->uid, s->self->gid, s->mail_gid);
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_DELIVER, ruleset);
	if (ruleset >= 0)
		close(ruleset);
	return rc;
}
