/*
 * errno to verdict, as a table.  What is not in it is "later" as well.
 */
#include "sys/failure.h"

#include <errno.h>

/* clang-format off */
static const struct {
	int err;
	const char *status, *text;
} table[] = {
	{ ENOSPC,	"4.3.1", "no space left for mail, try again later" },
	{ EFBIG,	"4.3.1", "no room for a file of this size" },
	{ EDQUOT,	"4.2.2", "the mailbox is full" },
	{ ENOENT,	"4.2.0", "the mailbox is not there now" },
	{ ENOTDIR,	"4.2.0", "the mailbox is not there now" },
	{ ESTALE,	"4.2.0", "the mailbox is not there now" },
	{ EACCES,	"4.2.0", "the mailbox cannot be opened now" },
	{ EPERM,	"4.2.0", "the mailbox cannot be opened now" },
	{ ELOOP,	"4.2.0", "the mailbox cannot be opened now" },
	{ EROFS,	"4.2.0", "the mailbox cannot be written now" },
	{ ETIMEDOUT,	"4.2.0", "the mailbox is busy, try again later" },
	{ ECANCELED,	"4.3.0", "the user's .forward has just changed" },
	{ EAGAIN,	"4.3.2", "too busy, try again later" },
	{ EMFILE,	"4.3.2", "too busy, try again later" },
	{ ENFILE,	"4.3.2", "too busy, try again later" },
	{ ENOMEM,	"4.3.2", "too busy, try again later" },
	{ ECONNREFUSED,	"4.4.1", "the mailbox server does not answer" },
	{ EPROTO,	"4.5.0", "the mailbox server was not understood" },
	{ E2BIG,	"4.5.3", "too many mailboxes for one message" },
	{ 0,		"4.3.0", "temporary failure, try again later" }
};
/* clang-format on */

struct verdict failure_verdict(int rc)
{
	unsigned i = 0;

	while (table[i].err != 0 && table[i].err != -rc)
		i++;
	return (struct verdict){ VERDICT_LATER, str_of(table[i].status),
		str_of(table[i].text) };
}
