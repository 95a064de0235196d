/*
 * The worker keeps the configuration, the users file and the alias file in
 * memory and looks before each answer whether they changed.
 */
#include "sys/lookup.h"

#include <limits.h>
#include <unistd.h>

#include "sys/aliases.h"
#include "sys/expand.h"
#include "sys/io.h"
#include "sys/plan.h"
#include "sys/recipients.h"
#include "sys/reload.h"
#include "sys/submitter.h"

static char aliases_text[ALIASES_TEXT_MAX];
static char include_text[ALIASES_INCLUDE_MAX];
static char users_text[USERS_TEXT_MAX];
static char recipients_text[RECIPIENTS_TEXT_MAX];
static char senders_text[SUBMITTER_TEXT_MAX];
static char boxes_text[PLAN_MAX];
static char forwards_text[REQUEST_FORWARDS_MAX];
static char answer_text[PLAN_MAX];
static char home_text[REQUEST_WHOLE_MAX];
static struct reload conf;
static struct text recipients, senders;

/* Whoever asked us can look into homes; we cannot. */
static bool ask_home(const struct home *h, struct home_answer *a, void *self)
{
	char question[REQUEST_MAX + PATH_MAX];
	struct buf q = BUF(question), in = BUF(home_text);
	const int *sock = self;
	int fd;

	home_put(&q, h);
	if (q.full || io_send_record(*sock, buf_str(&q), -1) < 0)
		return false;
	return io_recv_record(*sock, &in, &fd, 0) > 0 && fd < 0 &&
	       home_get_answer(buf_str(&in), a) == 0;
}

static void setup(struct expand *x, const struct identity *self, int *sock)
{
	*x = (struct expand){ .self = self, .ask = ask_home, .ask_self = sock };
	x->users.self = self;
	x->users.file.b = BUF(users_text);
	x->aliases.b = BUF(aliases_text);
	x->include = BUF(include_text);
	x->boxes = BUF(boxes_text);
	x->forwards = BUF(forwards_text);
	recipients.b = BUF(recipients_text);
	senders.b = BUF(senders_text);
}

/*
 * The minimum uid may rise but not fall while we run: the filter of the
 * store workers was made for what it was at first.
 */
static void configure(struct expand *x)
{
	if (!reload_check(&conf))
		return;
	x->conf = x->users.conf = conf.now;
	if (x->users.minimum_uid < conf.now->minimum_uid)
		x->users.minimum_uid = conf.now->minimum_uid;
	x->users.file.read = x->aliases.read = recipients.read = false;
	senders.read = false;
}

static void answer_user(const struct expand *x, struct str uid, struct buf *b)
{
	char text[USERS_NAME_MAX];
	struct buf name = BUF(text);
	uint64_t n;

	if (str_u64(uid, &n) == 0 && n < (uid_t)-1)
		(void)users_name(&x->users, (uid_t)n, &name);
	request_begin(b, 'u');
	request_field(b, name.full ? STR("") : buf_str(&name));
}

/* A uid and the reverse-path that he gives. */
static void answer_sender(
    const struct expand *x, const struct request *r, struct buf *b)
{
	static const struct verdict unconfigured = { VERDICT_LATER,
		{ "4.3.5", 5 }, { "the configuration is broken", 27 } };
	char text[USERS_NAME_MAX], reason[REQUEST_TEXT_MAX];
	struct buf name = BUF(text), why = BUF(reason);
	struct verdict v = unconfigured;
	uint64_t uid;

	if (conf.now && str_u64(r->field[0], &uid) == 0 && uid < (uid_t)-1)
		submitter_judge(&x->users, &senders, (uint32_t)uid, r->field[1],
		    &name, &why, &v);
	request_begin(b, 'a');
	verdict_put(b, &v);
	request_field(b, name.full ? STR("") : buf_str(&name));
}

static void put_relayed(const struct request *r, struct buf *b)
{
	struct verdict v = { VERDICT_DONE, STR("2.1.5"), STR("good") };

	if (conf.now->relay_recipients)
		v = recipients_find(&recipients, conf.now->relay_recipients,
		    r->field[1], r->field[2]);
	plan_put(b, &v, false);
}

static void answer_plan(
    struct expand *x, const struct request *r, struct buf *b)
{
	static const struct verdict unconfigured = { VERDICT_LATER,
		{ "4.3.5", 5 }, { "the configuration is broken", 27 } };
	static const struct verdict too_much = { VERDICT_LATER, { "4.5.3", 5 },
		{ "too many mailboxes", 18 } };
	uint64_t flags = 0;

	(void)str_u64(r->field[0], &flags);
	x->from = r->letter == 'L' ? r->field[3] : STR("");
	request_begin(b, 'p');
	if (conf.now && (flags & REQUEST_RELAY) != 0)
		put_relayed(r, b);
	else if (conf.now)
		expand_plan(x, (unsigned)flags & REQUEST_LOCAL, r->field[1],
		    r->field[2], b);
	else
		plan_put(b, &unconfigured, false);
	if (b->full) {
		*b = BUF(answer_text);
		request_begin(b, 'p');
		plan_put(b, &too_much, false);
	}
}

void lookup_serve(int sock, const char *conf_path, const struct identity *self)
{
	char question[REQUEST_MAX];
	struct buf in = BUF(question), out = BUF(answer_text);
	static struct expand x;
	struct request r;
	int fd;

	conf.path = conf_path;
	setup(&x, self, &sock);
	while (io_recv_record(sock, &in, &fd, 0) > 0 && fd < 0) {
		alarm(LOOKUP_DEADLINE_S);
		configure(&x);
		if (request_parse(buf_str(&in), &r) != 0)
			return;
		if (r.letter == 'U')
			answer_user(&x, r.field[0], &out);
		else if (r.letter == 'A')
			answer_sender(&x, &r, &out);
		else
			answer_plan(&x, &r, &out);
		alarm(0);
		if (io_send_record(sock, buf_str(&out), -1) < 0)
			return;
	}
}
