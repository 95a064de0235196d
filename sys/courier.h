/*
 * smtpd's side of the request socket: asks deliver about recipients and hands
 * it messages.  One connection, made before the lock-down; when it breaks,
 * every answer is "later".
 */
#ifndef SYS_COURIER_H
#define SYS_COURIER_H

#include "mail/request.h"
#include "mail/session.h"
#include "mail/str.h"

/*
 * Connects to RUN/deliver on SANDBOX_DELIVER_FD.  0 or -errno (not logged:
 * it may be that nothing listens and deliver has to be started).
 */
int courier_connect(const char *run_directory);

/* Uses a SEQPACKET socket that leads to deliver; moves it there. */
void courier_use(int fd);

/*
 * May this recipient be had, by mail of this reverse-path (as text)?  *v, and
 * *f with VERDICT_FORWARD, point into the courier until its next call.
 * Everything that fails is VERDICT_LATER, and logged.
 */
void courier_lookup(const struct addr *to, struct str from, unsigned flags,
    struct verdict *v, struct forwards *f);

/* Octets of a message that needs no file: as much as the socket takes in one
 * record. */
size_t courier_content_max(void);

/* The message: `size` octets of the file `fd`, or, when that is -1,
 * `content`. */
struct courier_message {
	int fd;
	uint64_t start, size;
	struct str content;
};

/*
 * Hands the message over for the local recipients of the session.  Calls
 * `each` with every one's verdict, in their order, and returns the verdict on
 * them all in *v.  `lost`: it is "later", but may have been stored.
 */
void courier_store(const struct session *s, unsigned flags,
    const struct courier_message *m,
    void (*each)(void *self, unsigned rcpt, const struct verdict *v, bool lost),
    void *self, struct verdict *v);

/*
 * May this user send as `from`, text as session_given_put writes it?  *v and
 * *name (empty when unknown) are views as above.
 */
void courier_sender(
    uint32_t uid, struct str from, struct verdict *v, struct str *name);

/* The name of a uid, a view as above; empty when unknown. */
struct str courier_user(uint32_t uid);

#endif
