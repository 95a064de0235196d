/*
 * A policy: which system calls a program may make once it is locked in, and
 * with which arguments.  A call that no row names ends the process, or fails.
 *
 * The tables are read by the compiler (compile.c, on the build machine) and,
 * with numbers in the place of names, by the tests.
 */
#ifndef SYS_POLICY_POLICY_H
#define SYS_POLICY_POLICY_H

#include <stdint.h>

enum { POLICY_ARGS = 3 };

/*
 * What clone(2) is asked for, by its value in the kernel, the same on every
 * machine the compiler knows.  A fork asks for SIGCHLD and, from glibc, for
 * the two that store the child's id; with any other flag it would make a
 * thread or a namespace.  A thread asks for CLONE_VM, FS, FILES, SIGHAND,
 * THREAD, SYSVSEM, SETTLS, PARENT_SETTID and CHILD_CLEARTID, all of them, and
 * from musl for CLONE_DETACHED, which does nothing.
 */
enum {
	POLICY_FORK = 17,
	POLICY_FORK_ID_BITS = 0x00200000 | 0x01000000,
	POLICY_THREAD = 0x003d0f00,
	POLICY_DETACHED = 0x00400000
};

/* The argument numbered `index` and-ed with `mask` is `value`. */
struct policy_arg {
	uint64_t mask; /* 0: no condition, and none after it */
	uint64_t value;
	unsigned index;
};

/*
 * Some calls have another name or another meaning where a register has 32
 * bits: the 16-bit ids and the old mmap of i386.
 */
enum policy_where { ANYWHERE, WIDE, NARROW };

/*
 * The rows of one call are alternatives.  Its rows that refuse must not
 * overlap with those that allow, and a row without conditions stands alone.
 *
 * On i386 a socket call can also come through socketcall(2), its arguments in
 * memory: there it is allowed whatever they are.  A condition on any but the
 * first argument of a socket call would forbid it there altogether.
 */
struct policy_rule {
	const char *name;
	enum policy_where where;
	int refusal; /* 0: allowed; else it fails with this errno */
	struct policy_arg arg[POLICY_ARGS];
};

/* clang-format off */
/* Rows. */
#define ALLOW(name, ...)	{ name, ANYWHERE, 0, { __VA_ARGS__ } }
#define ALLOW_WIDE(name, ...)	{ name, WIDE, 0, { __VA_ARGS__ } }
#define ALLOW_NARROW(name, ...)	{ name, NARROW, 0, { __VA_ARGS__ } }
#define REFUSE(name, error, ...) { name, ANYWHERE, error, { __VA_ARGS__ } }
/* Conditions on an argument that the kernel takes as an int (it sees the low
 * half alone, whatever the register holds), or as a long. */
#define INT(index, value)	{ UINT32_MAX, (uint32_t)(value), index }
#define LONG(index, value)	{ UINT64_MAX, value, index }
/* Masked bits; no bit outside a mask. */
#define BITS(index, mask, value) { mask, value, index }
#define INT_WITHIN(index, mask)	{ (uint32_t)~(mask), 0, index }
#define LONG_WITHIN(index, mask) { ~(uint64_t)(mask), 0, index }
#define NO_CONDITION		{ 0, 0, 0 }
/* clang-format on */

struct policy {
	const char *program;
	const struct policy_rule *rules;
	unsigned n;
	int otherwise; /* errno of a call that no row names; 0: the end */
};

extern const struct policy policy_smtpd, policy_deliver, policy_pass,
    policy_carrier, policy_tls;

#endif
