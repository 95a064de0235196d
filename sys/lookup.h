/*
 * A lookup worker: answers one question after the other about names and
 * uids.  It has no capability, and no filter, since NSS modules open what
 * they please; nothing of a message ever reaches it.
 */
#ifndef SYS_LOOKUP_H
#define SYS_LOOKUP_H

#include "sys/identity.h"

enum { LOOKUP_DEADLINE_S = 30 }; /* for one question */

/*
 * Serves a SEQPACKET socket until it ends, then returns.  A question is a
 * record U, A, L or R of mail/request.h; the answer is as there, or "p" and a
 * plan (L and R alike).  Before that it may ask back about homes, with the
 * records of sys/home.h.  A question that takes longer than the deadline ends
 * the process by SIGALRM.
 */
void lookup_serve(int sock, const char *conf_path, const struct identity *self);

#endif
