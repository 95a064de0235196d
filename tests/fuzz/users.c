/*
 * The users file and the directories it leads to: the line is the one a
 * naive reader finds, and a mailbox is had exactly when nobody but its owner
 * and root can have had a hand in the way to it.
 *
 * Input: a line with the name, then the file, in which every @ stands for the
 * directory where the tree below lies.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/log.h"
#include "sys/users.h"

enum { USERS_FD = 100, ROOM = 1 << 17, ALICE = 20001, BOB = 20002 };

static char base[] = "/tmp/postern-fuzz-XXXXXX";

/* clang-format off */
static const struct {
	const char *name;
	mode_t mode;	/* 0: a link to "a" */
	uid_t owner;	/* if we are root */
} tree[] = {
	{ "a",		0755, ALICE },
	{ "a/m",	0700, ALICE },
	{ "a/o",	0702, ALICE },
	{ "a/b",	0755, BOB },
	{ "a/r",	0755, 0 },
	{ "a/r/m",	0755, ALICE },
	{ "a/g",	0770, ALICE },
	{ "a/g/m",	0755, ALICE },
	{ "w",		0777, ALICE },
	{ "w/m",	0755, ALICE },
	{ "s",		01777, 0 },
	{ "s/m",	0755, BOB },
	{ "l",		0, 0 },
};
/* clang-format on */

static struct conf conf;
static struct identity self;
static struct users users;
static int root = -1;

static void remove_tree(void)
{
	for (size_t i = sizeof(tree) / sizeof(tree[0]); i-- > 0;)
		(void)unlinkat(
		    root, tree[i].name, tree[i].mode != 0 ? AT_REMOVEDIR : 0);
	(void)rmdir(base);
}

static void make_tree(void)
{
	if (!mkdtemp(base) || chmod(base, 0755) != 0)
		abort();
	root = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || atexit(remove_tree) != 0)
		abort();
	for (size_t i = 0; i < sizeof(tree) / sizeof(tree[0]); i++) {
		const char *name = tree[i].name;
		int rc = tree[i].mode == 0
			     ? symlinkat("a", root, name)
			     : mkdirat(root, name, 0700) |
				   fchmodat(root, name, tree[i].mode, 0);

		if (rc == 0 && getuid() == 0)
			rc = fchownat(root, name, tree[i].owner, tree[i].owner,
			    AT_SYMLINK_NOFOLLOW);
		if (rc != 0)
			abort();
	}
}

static void setup(void)
{
	static char room[ROOM];
	int fd = memfd_create("users", 0);

	if (fd < 0 || dup2(fd, USERS_FD) < 0)
		abort();
	close(fd);
	log_limit((enum log_level)0);
	make_tree();
	conf.users_file = "/proc/self/fd/100";
	self = (struct identity){
		.uid = getuid(), .gid = getgid(), .privileged = getuid() == 0
	};
	users =
	    (struct users){ .conf = &conf, .self = &self, .minimum_uid = 1000 };
	users.file.b = BUF(room);
}

/* The path behind the name: its own line, or else one in another case. */
static bool naive(struct str text, struct str name, struct str *path)
{
	bool found = false;

	*path = STR("");
	for (unsigned exact = 2; exact-- > 0 && !found;)
		for (struct str rest = text; rest.n > 0 && !found;) {
			size_t end = str_find(rest, '\n');
			struct str line = str_trim(str_head(rest, end)), word;

			rest = str_skip(rest, end + 1);
			*path = line;
			found = str_word(path, &word) && word.p[0] != '#' &&
				(exact ? str_eq(word, name)
				       : str_eqcase(word, name));
		}
	*path = str_trim(*path);
	return found;
}

static bool is_plain(struct str s)
{
	struct str part;

	if (s.n < 2 || s.p[0] != '/' || str_find(s, '\0') < s.n)
		return false;
	while (str_cut(&s, '/', &part))
		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return false;
	return true;
}

/* Every directory from / on belongs to root or to the owner of the last, and
 * others cannot write to it. */
static bool is_trusted(struct str path, uid_t *owner)
{
	char z[PATH_MAX];
	struct stat st;
	uid_t last;

	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	if (path.n == 0 || path.n >= sizeof(z))
		return false;
	memcpy(z, path.p, path.n);
	z[path.n] = '\0';
	if (lstat(z, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid == 0 ||
	    (st.st_mode & S_IWOTH) != 0)
		return false;
	*owner = last = st.st_uid;
	for (size_t n = path.n; n > 0;) {
		while (n > 0 && z[n - 1] != '/')
			n--;
		while (n > 1 && z[n - 1] == '/')
			n--;
		z[n] = '\0';
		if (lstat(z, &st) != 0 || !S_ISDIR(st.st_mode) ||
		    (st.st_uid != 0 && st.st_uid != last))
			return false;
		if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
		    !(st.st_uid == 0 && (st.st_mode & S_ISVTX) != 0))
			return false;
		if (n == 1)
			break;
	}
	return true;
}

static bool is_permitted(uid_t owner)
{
	return owner == self.uid || (self.privileged && owner >= 1000);
}

static void check(struct str text, struct str name)
{
	static struct user user;
	struct str path;
	uid_t owner = 0;
	int rc = users_find(&users, name, STR("here.example"), &user);

	if (rc == USERS_NONE) {
		HOLDS(name.n == 0 || name.n > USERS_NAME_MAX ||
		      !naive(text, name, &path) || name.p[0] == '-' ||
		      name.p[0] == '+' || name.p[0] == '.' ||
		      str_find(name, '/') < name.n ||
		      str_find(name, ':') < name.n);
		return;
	}
	HOLDS(rc == 0 || rc < 0);
	HOLDS(naive(text, name, &path));
	if (rc == 0) {
		HOLDS(user.box.uid != 0 && user.box.kind == BOX_WALKED);
		HOLDS(str_eqcase(user.box.user, name));
		HOLDS(str_eq(user.box.path, path));
	}
	HOLDS((rc == 0) == (is_plain(path) && is_trusted(path, &owner) &&
			       is_permitted(owner)));
	HOLDS(rc < 0 || owner == user.box.uid);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static char room[ROOM];
	struct str s = fuzz_str(input, size), name;
	struct buf text = BUF(room);

	if (size > ROOM / 32)
		return 0;
	if (root < 0)
		setup();
	str_cut(&s, '\n', &name);
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f)
			name = STR("");
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '@')
			buf_putz(&text, base);
		else
			buf_putc(&text, s.p[i]);
	if (ftruncate(USERS_FD, 0) != 0 ||
	    pwrite(USERS_FD, text.p, text.n, 0) != (ssize_t)text.n)
		abort();
	users.file.read = false;
	check(buf_str(&text), name);
	return 0;
}
