/*
 * aliases(5) followed: whatever the file and a file that it includes say, the
 * search ends, its answer is a plan that reads back, and its boxes are those
 * of users that there are, EXPAND_ADDRESSES at most.  A name without an alias
 * is that user; an alias of users that no alias can catch is those users.
 *
 * Input: an octet of flags, a line with the name, the alias file, and behind
 * a NUL the file at INCLUDED.
 */
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/alias.h"
#include "sys/aliases.h"
#include "sys/expand.h"
#include "sys/log.h"

enum { CONF_FD = 100, USERS_FD, ALIASES_FD, INCLUDED_FD, ROOM = 1 << 17 };
#define FD_DIR "/proc/self/fd/"

static const char conf_text[] = "hostname here.example\n"
				"local-domains here.example localhost\n"
				"mailbox lmtp:/lmtp\n"
				"root-mailbox /root-mailbox\n"
				"users file:" FD_DIR "101\n"
				"aliases " FD_DIR "102\n";
static const char users_text[] = "a /a\nb /b\nc /c\n";

static struct conf conf;
static struct identity self;
static struct expand x;

static void file(int number, const void *text, size_t n)
{
	int fd;

	if (lseek(number, 0, SEEK_SET) != 0) {
		fd = memfd_create("file", 0);
		if (fd < 0 || fchmod(fd, 0600) != 0 || dup2(fd, number) < 0)
			abort();
		close(fd);
	}
	if (ftruncate(number, 0) != 0 ||
	    pwrite(number, text, n, 0) != (ssize_t)n)
		abort();
}

static void setup(void)
{
	static char users_room[ROOM], aliases_room[ROOM], include_room[ROOM],
	    boxes_room[PLAN_MAX];
	char text[512];
	struct buf why = BUF(text);

	log_limit((enum log_level)0);
	file(CONF_FD, conf_text, sizeof(conf_text) - 1);
	file(USERS_FD, users_text, sizeof(users_text) - 1);
	if (conf_read(&conf, FD_DIR "100", &why) != 0)
		abort();
	self = (struct identity){ .uid = getuid() > 0 ? getuid() : 1000 };
	x = (struct expand){ .conf = &conf, .self = &self };
	x.users = (struct users){ .conf = &conf, .self = &self };
	x.users.file.b = BUF(users_room);
	x.aliases.b = BUF(aliases_room);
	x.include = BUF(include_room);
	x.boxes = BUF(boxes_room);
}

/* a, b, c or root, as it is written in a plan; NULL: nobody. */
static const char *user(struct str name)
{
	static const char *const all[] = { "a", "b", "c", "root" };

	for (unsigned i = 0; i < 4; i++)
		if (str_eqcase(name, str_of(all[i])))
			return all[i];
	return NULL;
}

/* The plan in `text` with its boxes; how many there are. */
static unsigned read_back(struct str text, struct plan *p, struct box *boxes)
{
	struct str rest;
	unsigned n = 0;
	int rc;

	HOLDS(plan_get(text, p) == 0);
	rest = p->boxes;
	for (;;) {
		struct box box;

		rc = plan_next(&rest, &box);
		if (rc != 0)
			break;
		HOLDS(n < EXPAND_ADDRESSES && user(box.user) != NULL);
		boxes[n++] = box;
	}
	HOLDS(rc == PLAN_END);
	return n;
}

/* Every target is "\user" for a user whom no alias can catch. */
static bool is_flat(struct str targets, struct buf *users)
{
	char room[ALIAS_TARGET_MAX];
	struct alias_target t;
	int rc;

	while ((rc = alias_target_next(&targets, room, &t)) != ALIAS_END) {
		if (rc != 0 || t.kind != ALIAS_FINAL || t.text.n != 1 ||
		    user(t.text) == NULL)
			return false;
		buf_putz(users, user(t.text));
	}
	return !users->full && users->n > 0;
}

/* A file that may change unseen must be looked at again the next time. */
static bool has_include(struct str name)
{
	char room[ALIAS_TARGET_MAX];
	struct alias_target t;
	struct str targets;
	int rc;

	if (aliases_find(&x.aliases, name, &targets) != 0)
		return false;
	while ((rc = alias_target_next(&targets, room, &t)) != ALIAS_END)
		if (rc == 0 && t.kind == ALIAS_INCLUDE)
			return true;
	return false;
}

/* Who must be there, by a look at the file; false when that does not tell. */
static bool expected(struct str name, struct buf *users)
{
	struct str targets;

	if (aliases_find(&x.aliases, name, &targets) == 0)
		return is_flat(targets, users);
	if (name.n != 1 || user(name) == NULL)
		return false;
	buf_putz(users, user(name));
	return true;
}

static void check(struct str name, struct str text, bool includes)
{
	static struct box boxes[EXPAND_ADDRESSES];
	char room[EXPAND_ADDRESSES];
	struct buf want = BUF(room);
	struct plan p;
	unsigned n = read_back(text, &p, boxes);

	HOLDS((p.verdict.kind == VERDICT_DONE) == (n > 0));
	HOLDS(includes || p.lasting == (n > 0));
	HOLDS(!p.lasting || !has_include(name));
	if (!expected(name, &want))
		return;
	HOLDS(p.verdict.kind == VERDICT_DONE && n == want.n);
	for (unsigned i = 0; i < n; i++)
		HOLDS(boxes[i].user.n == 1 && boxes[i].user.p[0] == want.p[i]);
}

static bool contains(struct str s, struct str part)
{
	for (; s.n >= part.n; s = str_skip(s, 1))
		if (str_startscase(s, part))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static char one_room[PLAN_MAX], two_room[PLAN_MAX];
	struct buf one = BUF(one_room), two = BUF(two_room);
	struct str s = fuzz_str(input, size), name, aliases;
	unsigned flags = fuzz_octet(&s) & REQUEST_LOCAL;

	/* Nothing of the machine is opened but files. */
	if (size > ROOM / 16 || contains(s, STR("/dev")))
		return 0;
	if (conf.room.cap == 0)
		setup();
	str_cut(&s, '\n', &name);
	name = str_head(name, 64);
	str_cut(&s, '\0', &aliases);
	file(ALIASES_FD, aliases.p, aliases.n);
	file(INCLUDED_FD, s.p, s.n);
	x.aliases.read = false;
	expand_plan(&x, flags, name, STR("localhost"), &one);
	expand_plan(&x, flags, name, STR("localhost"), &two);
	HOLDS(str_eq(buf_str(&one), buf_str(&two)));
	HOLDS(!one.full);
	check(name, buf_str(&one), contains(aliases, STR(":include:")));
	return 0;
}
