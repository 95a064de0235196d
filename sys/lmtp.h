/*
 * LMTP, RFC 2033, to a server on a unix socket: one transaction, a reply for
 * each recipient.
 */
#ifndef SYS_LMTP_H
#define SYS_LMTP_H

#include "mail/request.h"
#include "mail/str.h"
#include "sys/source.h"

enum {
	LMTP_DEADLINE_S = 240, /* less than the poller gives a worker */
	LMTP_USERS = 4096      /* of one transaction */
};

struct lmtp_mail {
	struct str sender; /* reverse-path without brackets */
	struct source content;
};

/*
 * Delivers to `n` users (their names are the forward-paths) and sets
 * outcome[i] of each: VERDICT_DONE, or what the server said; LATER when it
 * does not answer.  A text is a view that lives until the next call.
 */
void lmtp_deliver(const char *path, const struct lmtp_mail *mail, unsigned n,
    const struct str *user, struct verdict *outcome);

#endif
