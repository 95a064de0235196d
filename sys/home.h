/*
 * A look into a user's home, for .forward.  Whether there is one is asked
 * under the file-system identity of the user; what it says is read by a child
 * that is the user for good and has no capability.
 *
 * The question comes from a lookup worker, which may not look itself, as a
 * record: n uid gid borrowed path.  The answer: h state why, and behind the
 * NUL of its last field the text of the file.
 */
#ifndef SYS_HOME_H
#define SYS_HOME_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/dotforward.h"
#include "mail/request.h"
#include "sys/identity.h"

#define HOME_FORWARD "/.forward"

enum { HOME_READ_S = 8 }; /* for what there is to be read */

struct home {
	uint32_t uid, gid;
	bool borrowed; /* a home only if it belongs to uid */
	struct str path;
};

enum home_state {
	HOME_NONE,    /* there is no .forward */
	HOME_NOT_HIS, /* ... nor could there be one: a borrowed home */
	HOME_TEXT,
	HOME_FAULT, /* a .forward that cannot be followed as it is: why */
	HOME_LATER  /* it cannot be told now: why */
};

struct home_answer {
	enum home_state state;
	struct str why;
	struct str text;
};

void home_put(struct buf *b, const struct home *h);
int home_get(struct str record, struct home *h); /* 0 or REQUEST_BAD */
void home_put_answer(struct buf *b, const struct home_answer *a);
int home_get_answer(struct str record, struct home_answer *a);

/* Answers questions until the socket ends, then returns. */
void home_serve(int sock, const struct identity *self, uint32_t minimum_uid);

/*
 * Under the identity of the user: a .forward has come into a home where there
 * was none.  0, HOME_CHANGED, or -errno.  One system call.
 */
enum { HOME_CHANGED = 1 };
int home_recheck(struct str path);

#endif
