/*
 * The rooms of a lookup worker without the worker.  deliver's identity is
 * described, never taken.
 */
#include "sys/enquiry.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "sys/aliases.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/plan.h"

enum { NOBODY = 65534, HOME_WAIT_S = HOME_READ_S + 2 };

static char aliases_text[ALIASES_TEXT_MAX];
static char include_text[ALIASES_INCLUDE_MAX];
static char users_text[USERS_TEXT_MAX];
static char boxes_text[PLAN_MAX];
static char forwards_text[REQUEST_FORWARDS_MAX];
static char plan_text[PLAN_MAX];
static char home_text[REQUEST_WHOLE_MAX];
static struct enquiry enquiry;

bool enquiry_is_private(const struct conf *c)
{
	char text[4096];
	struct buf path = BUF(text);
	struct stat st;

	buf_putz(&path, c->spool);
	buf_putz(&path, "/queue");
	buf_putc(&path, '\0');
	return geteuid() != 0 && !path.full && stat(text, &st) == 0 &&
	       st.st_uid == geteuid();
}

static struct identity identity_of_deliver(const struct conf *c)
{
	const struct passwd *pw =
	    enquiry_is_private(c) ? NULL : getpwnam("_postern-deliver");

	if (pw)
		return (struct identity){ pw->pw_uid, pw->pw_gid, true, true };
	if (geteuid() == 0) /* there is nobody to be yet */
		return (struct identity){ NOBODY, NOBODY, true, true };
	return (struct identity){ getuid(), getgid(), false,
		getpwuid(getuid()) != NULL };
}

struct enquiry *enquiry_start(const struct conf *c)
{
	static struct conf copy;
	struct enquiry *e = &enquiry;
	struct expand *x = &e->x;

	/* the secret is deliver's, and is not made by who only asks */
	copy = *c;
	copy.srs = false;
	e->self = identity_of_deliver(c);
	*x = (struct expand){ .conf = &copy, .self = &e->self };
	x->users.conf = &copy;
	x->users.self = &e->self;
	x->users.minimum_uid = c->minimum_uid;
	x->users.file.b = BUF(users_text);
	x->aliases.b = BUF(aliases_text);
	x->include = BUF(include_text);
	x->boxes = BUF(boxes_text);
	x->forwards = BUF(forwards_text);
	return e;
}

/* --- homes --------------------------------------------------------------- */

/* The answer says what is wrong, and is told by who gets it. */
static bool say_nothing(struct str line)
{
	(void)line;
	return true;
}

/* In a child: root becomes what deliver is, anybody else stays who he is. */
static void serve_homes(int sock, uint32_t minimum_uid)
{
	struct identity self = { getuid(), getgid(), false, true };

	log_divert(say_nothing);
	if (geteuid() == 0 && identity_start(&self, "_postern-deliver") < 0)
		_exit(1);
	home_serve(sock, &self, minimum_uid);
	_exit(0);
}

/* It ends with us.  A socket to it, or -errno. */
static int start_homes(const struct enquiry *e)
{
	struct timeval patience = { .tv_sec = HOME_WAIT_S };
	int pair[2], rc;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	child = fork();
	if (child == 0) {
		close(pair[0]);
		serve_homes(pair[1], e->x.users.minimum_uid);
	}
	rc = child < 0 ? -errno : pair[0];
	close(pair[1]);
	if (rc < 0)
		close(pair[0]);
	else
		(void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
		    sizeof(patience));
	return rc;
}

static bool ask(int sock, const struct home *h, struct home_answer *a)
{
	char question[REQUEST_MAX + PATH_MAX];
	struct buf q = BUF(question), in = BUF(home_text);
	int fd = -1;

	home_put(&q, h);
	return sock >= 0 && !q.full &&
	       io_send_record(sock, buf_str(&q), -1) == 0 &&
	       io_recv_record(sock, &in, &fd, 0) > 0 && fd < 0 &&
	       home_get_answer(buf_str(&in), a) == 0;
}

static void log_trouble(const struct home *h, struct str why)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "forward");
	log_u64(&l, "uid", h->uid);
	log_str(&l, "home", h->path);
	log_str(&l, "error", why);
	log_end(&l);
}

/* A home that is not ours to see stays what it is: unknown.  In one that was
 * seen there is no .forward, which is as if there could be none. */
static bool ask_home(const struct home *h, struct home_answer *a, void *self)
{
	const struct enquiry *e = self;
	static int sock = -1;
	bool heard;

	*a = (struct home_answer){ HOME_NONE, STR(""), STR("") };
	if (geteuid() != 0 && geteuid() != h->uid)
		return true;
	if (sock < 0)
		sock = start_homes(e);
	heard = ask(sock, h, a);
	if (!heard || a->state >= HOME_FAULT)
		log_trouble(h, heard ? a->why : STR("no answer"));
	if (!heard && sock >= 0) {
		close(sock);
		sock = -1;
	}
	if (heard && a->state == HOME_NONE)
		a->state = HOME_NOT_HIS;
	return heard;
}

void enquiry_look_into_homes(struct enquiry *e)
{
	e->x.ask = ask_home;
	e->x.ask_self = e;
}

void enquiry_plan(struct enquiry *e, unsigned flags, struct str name,
    struct str domain, struct plan *plan)
{
	struct buf b = BUF(plan_text);

	expand_plan(&e->x, flags, name, domain, &b);
	if (b.full || plan_get(buf_str(&b), plan) != 0)
		*plan = (struct plan){ .verdict = { VERDICT_LATER, STR("4.5.3"),
					   STR("too many mailboxes") } };
}
