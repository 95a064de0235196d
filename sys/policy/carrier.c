/*
 * What a locked-in carrier may ask of the kernel: sockets to anywhere, the
 * messages it is handed, memory, and the thread of the resolver library.  It
 * opens, makes and runs nothing.
 *
 * OpenSSL and libunbound are not ours, and ask for more on other machines and
 * in other versions; what no row names fails with EPERM, so that a new
 * release of theirs is never a queue that stands still.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "policy.h"

/* clang-format off */
static const struct policy_rule rules[] = {
#include "sys/policy/calling-rows.h"

	/* Things the libraries try and go on without. */
	REFUSE("openat", EACCES, NO_CONDITION),
	REFUSE("open", EACCES, NO_CONDITION),
	REFUSE("access", EACCES, NO_CONDITION),
	REFUSE("readlink", EACCES, NO_CONDITION),
	REFUSE("ioctl", ENOTTY, NO_CONDITION),
};
/* clang-format on */

const struct policy policy_carrier = { "carrier", rules,
	sizeof(rules) / sizeof(rules[0]), EPERM };
