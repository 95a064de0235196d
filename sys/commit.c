/*
 * The phases of a delivery.  Maildirs and mbox files can be taken back until
 * they are named; an LMTP server cannot, so it comes last before that.
 */
#include "sys/commit.h"

#include <errno.h>

#include "mail/trace.h"
#include "sys/errand.h"
#include "sys/failure.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/lmtp.h"
#include "sys/log.h"
#include "sys/share.h"

enum {
	HEAD_MAX = 2048, /* octets of Return-Path and Delivered-To */
	MBOX_HELD = 100, /* mbox files of one message: each has a child */
	TOGETHER = 3     /* copies that one syncfs(2) is cheaper for */
};

static const struct verdict stored = { VERDICT_DONE, { "2.0.0", 5 },
	{ "delivered", 9 } };
static const struct verdict with_others = { VERDICT_LATER, { "4.3.0", 5 },
	{ "another recipient cannot be served now", 38 } };

static bool is_maildir(const struct copy *c)
{
	return c->box.kind == BOX_MAILDIR || c->box.kind == BOX_WALKED;
}

/* What cannot be taken back. */
static bool is_external(const struct copy *c)
{
	return c->box.kind == BOX_LMTP || c->box.kind == BOX_COMMAND;
}

static struct str sender_of(const struct commit *c, const struct copy *copy)
{
	return c->sender.n > 0 && copy->box.owner.n > 0 ? copy->box.owner
							: c->sender;
}

/* A group of the system is not ours to take: our own stands in. */
static gid_t group_of(const struct commit *c, const struct copy *copy)
{
	return copy->box.gid >= c->minimum_uid ? copy->box.gid : c->self->gid;
}

static int assume(const struct commit *c, const struct copy *copy)
{
	int rc = -EPERM;

	if (copy->box.uid == c->self->uid || copy->box.uid >= c->minimum_uid)
		rc = identity_assume(c->self, copy->box.uid, group_of(c, copy));
	if (rc < 0)
		log_errno("identity", copy->box.user.p, -rc);
	return rc;
}

/* As the user: his home is as it was when the plan was made. */
static int check_home(const struct copy *copy)
{
	int rc = copy->box.home.n > 0 ? home_recheck(copy->box.home) : 0;

	if (rc < 0)
		log_errno("forward", copy->box.home.p, -rc);
	return rc == HOME_CHANGED ? -ECANCELED : rc;
}

/* Before something that is not done as the user. */
static int check_home_apart(const struct commit *c, const struct copy *copy)
{
	int rc = copy->box.home.n > 0 ? assume(c, copy) : 0;

	if (rc == 0)
		rc = check_home(copy);
	if (copy->box.home.n > 0 &&
	    identity_assume(c->self, c->self->uid, c->self->gid) < 0)
		return -EPERM;
	return rc;
}

static int write_maildir(
    const struct commit *c, struct copy *copy, struct str head)
{
	struct maildir *m = &copy->maildir;
	int rc = assume(c, copy);

	if (rc == 0)
		rc = check_home(copy);
	if (rc == 0)
		rc = maildir_open(m, copy->box.path.p, copy->box.uid,
		    copy->box.kind == BOX_WALKED);
	if (rc == 0)
		rc = maildir_write(m, head, &c->content, c->hostname);
	return rc;
}

/* mbox files of a mail spool belong to the user and the group mail. */
static int append_mbox(
    const struct commit *c, struct copy *copy, struct str head, unsigned *nmbox)
{
	struct mbox_mail mail = { sender_of(c, copy), head, c->content };
	bool allowed =
	    copy->box.uid == c->self->uid || copy->box.uid >= c->minimum_uid;
	bool spool = str_starts(copy->box.path, STR("/var/mail/")) ||
		     str_starts(copy->box.path, STR("/var/spool/mail/"));

	if (!allowed || ++*nmbox > MBOX_HELD)
		return allowed ? -E2BIG : -EPERM;
	return mbox_append(&copy->mbox, c->self, copy->box.uid,
	    spool && c->self->privileged ? c->mail_gid : group_of(c, copy),
	    copy->box.path.p, &mail);
}

static int write_copy(
    const struct commit *c, struct copy *copy, unsigned *nmbox)
{
	char text[HEAD_MAX];
	struct buf head = BUF(text);
	int rc;

	if (copy->box.kind == BOX_LMTP)
		return check_home_apart(c, copy);
	if (copy->box.kind == BOX_COMMAND)
		return share_begin(c->slot, copy->box.uid);
	trace_return_path(&head, sender_of(c, copy));
	trace_delivered_to(&head, copy->address);
	if (head.full)
		return -EMSGSIZE;
	rc = share_begin(c->slot, copy->box.uid);
	if (rc < 0)
		return rc;
	if (is_maildir(copy))
		return write_maildir(c, copy, buf_str(&head));
	rc = check_home_apart(c, copy);
	return rc < 0 ? rc : append_mbox(c, copy, buf_str(&head), nmbox);
}

/* Nothing is left of what can be taken back. */
static void take_back(const struct commit *c, struct job *j)
{
	for (unsigned i = 0; i < j->ncopies; i++) {
		struct copy *copy = &j->copy[i];

		if (is_maildir(copy) &&
		    (copy->maildir.written || copy->maildir.named) &&
		    assume(c, copy) == 0)
			maildir_remove(&copy->maildir);
		mbox_abort(&copy->mbox);
		if (!is_external(copy) && copy->outcome.kind == VERDICT_DONE)
			copy->outcome = with_others;
	}
}

static int write_all(const struct commit *c, struct job *j)
{
	unsigned nmbox = 0;

	for (unsigned i = 0; i < j->ncopies; i++) {
		int rc = write_copy(c, &j->copy[i], &nmbox);

		if (rc == 0 && j->ncopies > 1 && is_maildir(&j->copy[i]))
			maildir_push(&j->copy[i].maildir);
		if (rc < 0) {
			j->copy[i].outcome = failure_verdict(rc);
			j->changed = rc == -ECANCELED;
			return rc;
		}
	}
	return 0;
}

/* The disk has all that was written before the first of it has a name. */
static int push_all(struct job *j)
{
	for (unsigned i = 0; i < j->ncopies; i++) {
		struct copy *copy = &j->copy[i];
		int rc =
		    is_maildir(copy) ? maildir_push_out(&copy->maildir) : 0;

		if (rc < 0) {
			copy->outcome = failure_verdict(rc);
			return rc;
		}
	}
	return 0;
}

static int name_all(const struct commit *c, struct job *j)
{
	for (unsigned i = 0; i < j->ncopies; i++) {
		struct copy *copy = &j->copy[i];
		int rc = 0;

		if (is_maildir(copy))
			rc = assume(c, copy);
		if (rc == 0 && is_maildir(copy))
			rc = maildir_name(&copy->maildir);
		if (rc < 0) {
			copy->outcome = failure_verdict(rc);
			return rc;
		}
	}
	return 0;
}

/* One of many is made to last with the first of its file system. */
static int sync_copy(struct job *j, unsigned i)
{
	struct maildir *m = &j->copy[i].maildir;

	if (j->ncopies < TOGETHER || m->synced)
		return maildir_sync(m);
	for (unsigned k = 0; k < i; k++)
		if (is_maildir(&j->copy[k]) &&
		    maildir_shares(&j->copy[k].maildir, m))
			return 0;
	return maildir_sync_all(m);
}

static int sync_all(struct job *j)
{
	for (unsigned i = 0; i < j->ncopies; i++) {
		struct copy *copy = &j->copy[i];
		int rc = is_maildir(copy) ? sync_copy(j, i) : 0;

		if (rc < 0) {
			copy->outcome = failure_verdict(rc);
			return rc;
		}
		if (is_maildir(copy))
			copy->outcome = stored;
	}
	return 0;
}

/* Each on its own: one that fails does not undo what is safe elsewhere. */
static void commit_mboxes(struct job *j)
{
	for (unsigned i = 0; i < j->ncopies; i++) {
		struct copy *copy = &j->copy[i];
		int rc;

		if (copy->box.kind != BOX_MBOX)
			continue;
		rc = mbox_commit(&copy->mbox);
		copy->outcome = rc < 0 ? failure_verdict(rc) : stored;
	}
}

static bool same_transaction(
    const struct commit *c, const struct copy *a, const struct copy *b)
{
	return b->box.kind == BOX_LMTP && str_eq(a->box.path, b->box.path) &&
	       str_eq(sender_of(c, a), sender_of(c, b));
}

/* One transaction for all copies like the one numbered `first`. */
static void deliver_lmtp(const struct commit *c, struct job *j, unsigned first)
{
	static struct str user[JOB_COPIES];
	static struct verdict outcome[JOB_COPIES];
	const struct copy *one = &j->copy[first];
	struct lmtp_mail mail = { sender_of(c, one), c->content };
	unsigned n = 0;

	for (unsigned i = first; i < j->ncopies; i++)
		if (same_transaction(c, one, &j->copy[i]))
			user[n++] = j->copy[i].box.user;
	lmtp_deliver(one->box.path.p, &mail, n, user, outcome);
	n = 0;
	for (unsigned i = first; i < j->ncopies; i++)
		if (same_transaction(c, one, &j->copy[i]))
			j->copy[i].outcome = job_keep(j, &outcome[n++]);
}

static void run_command(
    const struct commit *c, struct job *j, struct copy *copy, int64_t until_ms)
{
	struct errand e = { .user = copy->box.user,
		.command = str_skip(copy->box.path, 1),
		.sender = sender_of(c, copy),
		.recipient = copy->address };
	struct verdict v =
	    errand_run(c->run_directory, &e, &c->content, until_ms);

	copy->outcome = job_keep(j, &v);
}

/*
 * False when there were copies that cannot be taken back, and not one of them
 * was taken, but one may be later: then nothing else has been done either.
 */
static bool deliver_external(const struct commit *c, struct job *j)
{
	int64_t until_ms = io_now_ms() + ERRAND_ALL_S * 1000;
	unsigned done = 0, waiting = 0;

	if (identity_assume(c->self, c->self->uid, c->self->gid) < 0)
		return false;
	for (unsigned i = 0; i < j->ncopies; i++) {
		bool first = j->copy[i].box.kind == BOX_LMTP;

		for (unsigned k = 0; k < i && first; k++)
			first = !same_transaction(c, &j->copy[i], &j->copy[k]);
		if (first)
			deliver_lmtp(c, j, i);
		if (j->copy[i].box.kind == BOX_COMMAND)
			run_command(c, j, &j->copy[i], until_ms);
		if (is_external(&j->copy[i])) {
			done += j->copy[i].outcome.kind == VERDICT_DONE;
			waiting += j->copy[i].outcome.kind == VERDICT_LATER;
		}
	}
	return done > 0 || waiting == 0;
}

static void log_delivered(const struct commit *c, const struct copy *copy)
{
	static const char *const kinds[] = { "maildir", "maildir", "mbox",
		"lmtp", "command" };
	struct log l;

	log_begin(&l, LOGL_INFO, "delivered");
	log_str(&l, "user", copy->box.user);
	log_str(&l, "mailbox", str_of(kinds[copy->box.kind]));
	log_str(&l, "path", copy->box.path);
	log_u64(&l, "size", c->content.size);
	log_end(&l);
}

void commit_job(const struct commit *c, struct job *j)
{
	for (unsigned i = 0; i < j->ncopies; i++)
		j->copy[i].outcome = with_others;
	if (write_all(c, j) < 0 || push_all(j) < 0 || !deliver_external(c, j) ||
	    name_all(c, j) < 0 || sync_all(j) < 0)
		take_back(c, j);
	else
		commit_mboxes(j);
	for (unsigned i = 0; i < j->ncopies; i++) {
		maildir_close(&j->copy[i].maildir);
		if (j->copy[i].outcome.kind == VERDICT_DONE)
			log_delivered(c, &j->copy[i]);
	}
	(void)identity_assume(c->self, c->self->uid, c->self->gid);
	share_end(c->slot);
}
