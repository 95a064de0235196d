/*
 * The constants are our own: the C library may have none, or the kernel may be
 * newer than its headers.
 */
#include "sys/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/log.h"

enum {
	CREATE_RULESET = 444, /* the same number everywhere */
	ADD_RULE = 445,
	RESTRICT_SELF = 446,
	QUERY_VERSION = 1,
	PATH_BENEATH = 1
};

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_CHAR = 1 << 6,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_MAKE_SOCK = 1 << 9,
	FS_MAKE_FIFO = 1 << 10,
	FS_MAKE_BLOCK = 1 << 11,
	FS_MAKE_SYM = 1 << 12,
	FS_REFER = 1 << 13,     /* ABI 2 */
	FS_TRUNCATE = 1 << 14,  /* ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
	NET_BIND_TCP = 1 << 0,  /* ABI 4 */
	NET_CONNECT_TCP = 1 << 1,
	SCOPE_ABSTRACT_UNIX = 1 << 0, /* ABI 6 */
	SCOPE_SIGNAL = 1 << 1
};

struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scope;
};

struct beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* What this kernel can handle at all. */
static uint64_t known_fs(int abi)
{
	uint64_t known = FS_REFER - 1;

	if (abi >= 2)
		known |= FS_REFER;
	if (abi >= 3)
		known |= FS_TRUNCATE;
	if (abi >= 5)
		known |= FS_IOCTL_DEV;
	return known;
}

/* Passes on the result of a system call, logged when it failed. */
static int checked(long r, const char *what)
{
	int err = errno;

	if (r >= 0)
		return 0;
	log_errno("sandbox", what, err);
	return -err;
}

/* The two rules that a set of ours can have: below a directory, anywhere. */
struct allowed {
	uint64_t beneath, anywhere;
};

/*
 * smtpd: nothing anywhere, but its own files in the spool directory.
 *
 * A pass: files are read, where its libraries look for them; they are made,
 * written, moved and removed in the spool only, and nothing is executed.
 *
 * A carrier: nothing anywhere, and TCP connections only outwards.
 *
 * tls: nothing anywhere.
 *
 * deliver: as the identity of the moment allows, but nothing is executed and
 * nothing is made that is not a file or a directory.
 *
 * Merely being in a Landlock domain forbids renames between directories (tmp/
 * to new/, queue/ to bad/) unless REFER is granted, so that for deliver and
 * for a pass ABI 1 is as good as none.
 */
static void wanted(enum sandbox_program program, int abi, struct ruleset *set,
    struct allowed *a)
{
	const uint64_t files = FS_WRITE_FILE | FS_READ_FILE | FS_MAKE_REG |
			       FS_REMOVE_FILE | FS_TRUNCATE;
	const uint64_t reading = FS_READ_FILE | FS_READ_DIR;

	set->fs = known_fs(abi);
	a->beneath = a->anywhere = 0;
	switch (program) {
	case SANDBOX_SMTPD:
		a->beneath = files;
		break;
	case SANDBOX_PASS:
		a->beneath = files | reading | FS_REFER;
		a->anywhere = reading;
		break;
	case SANDBOX_CARRIER:
	case SANDBOX_TLS:
		break;
	case SANDBOX_DELIVER:
		set->fs = FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK |
			  FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER;
		a->anywhere = FS_REFER;
		break;
	}
	a->beneath &= set->fs;
	a->anywhere &= set->fs;
	set->net = abi >= 4 ? NET_BIND_TCP | NET_CONNECT_TCP : 0;
	if (program == SANDBOX_CARRIER || program == SANDBOX_PASS)
		set->net &= ~(uint64_t)NET_CONNECT_TCP;
	set->scope = abi >= 6 ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0;
}

static int add_rule(int set_fd, uint64_t allowed, int dir)
{
	struct beneath rule = { allowed, dir };

	return checked(syscall(ADD_RULE, set_fd, PATH_BENEATH, &rule, 0),
	    "landlock_add_rule");
}

static int add_root(int set_fd, uint64_t allowed)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = checked(root, "/");

	if (r == 0)
		r = add_rule(set_fd, allowed, root);
	if (root >= 0)
		close(root);
	return r;
}

/* The size of the structure may exceed what an older kernel knows as long as
 * the rest is zero. */
static int make_ruleset(const struct ruleset *set, const struct allowed *a,
    int dir, int *ruleset_fd)
{
	int fd = (int)syscall(CREATE_RULESET, set, sizeof(*set), 0);
	int r = checked(fd, "landlock_create_ruleset");

	if (r == 0 && dir >= 0)
		r = add_rule(fd, a->beneath, dir);
	if (r == 0 && a->anywhere)
		r = add_root(fd, a->anywhere);
	if (r == 0)
		*ruleset_fd = fd;
	else if (fd >= 0)
		close(fd);
	return r;
}

int landlock_make(enum sandbox_program program, int dir, int *ruleset_fd)
{
	long abi = syscall(CREATE_RULESET, NULL, 0, QUERY_VERSION);
	bool refers = program == SANDBOX_DELIVER || program == SANDBOX_PASS;
	struct ruleset set;
	struct allowed a;
	int r;

	*ruleset_fd = -1;
	if (abi < (refers ? 2 : 1))
		return 0;
	wanted(program, (int)abi, &set, &a);
	r = make_ruleset(&set, &a, dir, ruleset_fd);
	return r < 0 ? r : (int)abi;
}

int landlock_enter(int ruleset_fd)
{
	return checked(
	    syscall(RESTRICT_SELF, ruleset_fd, 0), "landlock_restrict_self");
}
