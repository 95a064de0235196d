/*
 * A store worker: takes the file-system identity of one user after the other
 * and puts messages into their mailboxes.  It reads no word of a message.
 */
#ifndef SYS_STORE_H
#define SYS_STORE_H

#include "mail/str.h"
#include "sys/identity.h"

struct store {
	const struct identity *self;
	struct str hostname;
	const char *run_directory;
	uint32_t minimum_uid;
	gid_t mail_gid;
	int slot;        /* of sys/share.h; SHARE_NONE */
	uid_t smtpd_uid; /* _postern; (uid_t)-1: there is none */
};

/*
 * Serves a SEQPACKET socket until it ends, then returns.  Records to it:
 *
 *   R address plan				one per recipient
 *   S peer-uid start size reverse-path + fd	the message: answered
 *   M reverse-path content			likewise, as mail/request.h says
 *   X						forget the recipients
 *
 * S and M are answered by "s" and a verdict for each R in their order, or S by
 * one "x": the descriptor is not what was promised, and nothing was done.
 * "f" comes before the verdicts when plans like these must not be used again.
 */
void store_serve(int sock, const struct store *store);

/*
 * Locks this process, which will fork store workers, and so them too, in for
 * good: as the policy of deliver says, and to the ids that are good.  0 or
 * -errno, logged.
 */
int store_lock_in(const struct store *store);

#endif
