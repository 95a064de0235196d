/*
 * Asked without building any.
 */
#include "sys/walls.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sys/sandbox.h"

void walls_look(struct walls *w)
{
	struct sandbox_level level = { 0 };
	int ruleset = -1;

	(void)sandbox_prepare(SANDBOX_CARRIER, -1, &ruleset, &level);
	if (ruleset >= 0)
		close(ruleset);
	w->landlock_abi = level.landlock_abi;
	/* a filter at no address: EFAULT where filters are known */
	w->seccomp = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0, 0, 0) != 0 &&
		     errno == EFAULT;
}
