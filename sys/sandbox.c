/*
 * The lock-down: no new privileges, limits, Landlock and seccomp, in this
 * order, each checked.  The filters were compiled on the build machine from
 * sys/policy/; the one that depends on the configuration (which ids deliver
 * may take) is put together here.
 *
 * Landlock (sys/landlock) is used as far as the running kernel knows it.
 * Whether it is there is asked once, by the version query; when that fails,
 * whatever the error (a container's filter answers EPERM), seccomp must do
 * alone.  A failure later on is never passed over.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include "sys/landlock.h"
#include "sys/log.h"
#include "sys/sandbox.h"

#include "sandbox-bpf.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0 /* the sanitizers need what the filters forbid */
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	/*
	 * Address space of smtpd, which allocates nothing: enough for the
	 * program, libc and the stack, not for a mistake.
	 */
	SMTPD_AS_BYTES = 32 * 1024 * 1024,
	/*
	 * Descriptors on their way through a socket count, for all processes
	 * of the user, against the limit of the one that sends.
	 */
	SMTPD_NOFILE_MIN = 1024,
	SET_MDWE = 65, /* PR_SET_MDWE */
	MDWE_REFUSE_EXEC_GAIN = 1
};

int sandbox_prepare(enum sandbox_program program, int spool_fd, int *ruleset_fd,
    struct sandbox_level *level)
{
	int abi = landlock_make(program, spool_fd, ruleset_fd);

	level->landlock_abi = abi < 0 ? 0 : abi;
	return abi < 0 ? abi : 0;
}

/* --- entering ----------------------------------------------------------- */

/* Passes on the result of a system call, logged when it failed. */
static int checked(long r, const char *what)
{
	int err = errno;

	if (r >= 0)
		return 0;
	log_errno("sandbox", what, err);
	return -err;
}

static int no_new_privileges(void)
{
	int r = checked(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");

	if (r == 0)
		r = checked(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable");
	/* Linux 6.3; the filter says the same about memory and execution */
	if (r == 0)
		(void)prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
	return r;
}

/* As the kernel has it: 64 bits everywhere. */
struct limit {
	uint64_t soft, hard;
};

static int limit_get(int resource, struct limit *l, const char *what)
{
	return checked(syscall(SYS_prlimit64, 0, resource, NULL, l), what);
}

static int limit_set(int resource, const struct limit *l, const char *what)
{
	return checked(syscall(SYS_prlimit64, 0, resource, l, NULL), what);
}

/* At most `max`, for good. */
static int lower(int resource, uint64_t max, const char *what)
{
	struct limit l;
	int r = limit_get(resource, &l, what);

	if (r < 0)
		return r;
	if (l.hard > max)
		l.hard = max;
	l.soft = l.soft < l.hard ? l.soft : l.hard;
	return limit_set(resource, &l, what);
}

/* At least `min`, as far as the hard limit lets it. */
static int raise_files(uint64_t min)
{
	struct limit l;
	int r = limit_get(RLIMIT_NOFILE, &l, "RLIMIT_NOFILE");

	if (r < 0 || l.soft >= min)
		return r;
	l.soft = l.hard < min ? l.hard : min;
	return limit_set(RLIMIT_NOFILE, &l, "RLIMIT_NOFILE");
}

static int set_limits(enum sandbox_program program)
{
	int r = lower(RLIMIT_CORE, 0, "RLIMIT_CORE");

	if (program != SANDBOX_SMTPD)
		return r;
	if (r == 0)
		r = lower(RLIMIT_NPROC, 0, "RLIMIT_NPROC");
	if (r == 0)
		r = lower(RLIMIT_AS, SMTPD_AS_BYTES, "RLIMIT_AS");
	if (r == 0)
		r = raise_files(SMTPD_NOFILE_MIN);
	return r;
}

/* On all threads.  A positive result is a thread that could not follow. */
static int load(const struct sock_filter *f, size_t n)
{
	union {
		const struct sock_filter *in;
		struct sock_filter *kernel; /* which only reads it */
	} u = { f };
	struct sock_fprog p = { (unsigned short)n, u.kernel };
	long r;

	if (SANDBOX_ARCH == 0) {
		log_errno("sandbox", "no filter for this machine", ENOSYS);
		return -ENOSYS;
	}
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_TSYNC, &p);
	if (r > 0) {
		errno = EBUSY;
		r = -1;
	}
	return checked(r, "seccomp");
}

#define LOAD(program) \
	load(SANDBOX_FILTER(program), COUNT(SANDBOX_FILTER(program)))

static int load_policy(enum sandbox_program program)
{
	switch (program) {
	case SANDBOX_SMTPD:
		return LOAD(smtpd);
	case SANDBOX_DELIVER:
		return LOAD(deliver);
	case SANDBOX_PASS:
		return LOAD(pass);
	case SANDBOX_CARRIER:
		return LOAD(carrier);
	case SANDBOX_TLS:
		return LOAD(tls);
	}
	return -EINVAL;
}

int sandbox_enter(enum sandbox_program program, int ruleset_fd)
{
	int r;

	if (SANITIZED) {
		log_note(LOGL_WARNING, "sandbox", "off in a sanitizer build");
		return 0;
	}
	r = no_new_privileges();
	if (r == 0)
		r = set_limits(program);
	if (r == 0 && ruleset_fd >= 0)
		r = landlock_enter(ruleset_fd);
	if (r == 0)
		r = load_policy(program);
	return r;
}

/* --- the ids of deliver ------------------------------------------------- */

struct id_call {
	int number;
	unsigned char nargs;
	bool group;
};

/* The 32-bit ids of machines that once had 16 bits. */
#ifdef SYS_setresuid32
#define ID_CALL(name) SYS_##name##32
#else
#define ID_CALL(name) SYS_##name
#endif

/* Every call that changes an id; all its arguments are ids. */
static const struct id_call id_calls[] = {
	{ ID_CALL(setfsuid), 1, false },
	{ ID_CALL(setfsgid), 1, true },
	{ ID_CALL(setuid), 1, false },
	{ ID_CALL(setgid), 1, true },
	{ ID_CALL(setreuid), 2, false },
	{ ID_CALL(setregid), 2, true },
	{ ID_CALL(setresuid), 3, false },
	{ ID_CALL(setresgid), 3, true },
};

#ifdef SYS_setresuid32
/* Their elder brothers cut an id to 16 bits: never. */
static const int narrow_calls[] = { SYS_setfsuid, SYS_setfsgid, SYS_setuid,
	SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid,
	SYS_setgroups };
#endif

/* The calls above come to 108 instructions at most. */
enum { ID_FILTER_MAX = 128, X32_BIT = 0x40000000 };

struct program {
	unsigned short n;
	struct sock_filter f[ID_FILTER_MAX];
};

static void put(
    struct program *p, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
	p->f[p->n++] = (struct sock_filter){ (unsigned short)code,
		(unsigned char)jt, (unsigned char)jf, k };
}

static void put_load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_jump(
    struct program *p, unsigned test, uint32_t k, unsigned jt, unsigned jf)
{
	put(p, BPF_JMP | BPF_K | test, k, jt, jf);
}

static void put_return(struct program *p, uint32_t action)
{
	put(p, BPF_RET | BPF_K, action, 0, 0);
}

/*
 * One id: the low word of the argument, which is all the kernel looks at.
 * (uint32_t)-1 is above any minimum.
 */
static void put_id(struct program *p, unsigned arg, uint32_t minimum,
    const uint32_t *others, unsigned nothers)
{
	put_load(p, offsetof(struct seccomp_data, args) + arg * 8);
	put_jump(p, BPF_JGE, minimum, nothers + 1, 0);
	for (unsigned i = 0; i < nothers; i++)
		put_jump(p, BPF_JEQ, others[i], nothers - i, 0);
	put_return(p, SECCOMP_RET_KILL_PROCESS);
}

/* Leaves the number of the call loaded. */
static void put_arch(struct program *p, uint32_t arch)
{
	put_load(p, offsetof(struct seccomp_data, arch));
	put_jump(p, BPF_JEQ, arch, 1, 0);
	put_return(p, SECCOMP_RET_KILL_PROCESS);
	put_load(p, offsetof(struct seccomp_data, nr));
	put_jump(p, BPF_JGE, X32_BIT, 0, 1);
	put_return(p, SECCOMP_RET_KILL_PROCESS);
}

static void put_groups(struct program *p)
{
	put_jump(p, BPF_JEQ, ID_CALL(setgroups), 0, 3);
	put_load(p, offsetof(struct seccomp_data, args));
	put_jump(p, BPF_JEQ, 0, 1, 0);
	put_return(p, SECCOMP_RET_KILL_PROCESS);
#ifdef SYS_setresuid32
	for (unsigned i = 0; i < COUNT(narrow_calls); i++) {
		put_jump(p, BPF_JEQ, (uint32_t)narrow_calls[i], 0, 1);
		put_return(p, SECCOMP_RET_KILL_PROCESS);
	}
#endif
	put_return(p, SECCOMP_RET_ALLOW);
}

int sandbox_limit_ids(
    uint32_t minimum, uint32_t own_uid, uint32_t own_gid, uint32_t mail_gid)
{
	const uint32_t uids[] = { own_uid }, gids[] = { own_gid, mail_gid };
	struct program p = { .n = 0 };
	int r;

	put_arch(&p, SANDBOX_ARCH);
	for (unsigned i = 0; i < COUNT(id_calls); i++) {
		const struct id_call *c = &id_calls[i];
		unsigned nothers = c->group ? COUNT(gids) : COUNT(uids);

		put_jump(&p, BPF_JEQ, (uint32_t)c->number, 0,
		    c->nargs * (nothers + 3) + 1);
		for (unsigned a = 0; a < c->nargs; a++)
			put_id(&p, a, minimum ? minimum : 1,
			    c->group ? gids : uids, nothers);
		put_return(&p, SECCOMP_RET_ALLOW);
	}
	put_groups(&p);
	if (SANITIZED)
		return 0;
	r = no_new_privileges();
	return r < 0 ? r : load(p.f, p.n);
}

void sandbox_log(const struct sandbox_level *level)
{
	bool whole = level->landlock_abi > 0;
	struct log l;

	log_begin(&l, whole ? LOGL_INFO : LOGL_WARNING, "sandbox");
	log_str(&l, "seccomp", STR("yes"));
	log_u64(&l, "landlock", (uint64_t)level->landlock_abi);
	if (!whole)
		log_str(&l, "what",
		    STR("no Landlock in this kernel: messages of other "
			"sessions are protected by their names alone"));
	log_end(&l);
}
