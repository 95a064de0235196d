/*
 * One SMTP session over a pair of descriptors: reads, keeps the deadlines,
 * feeds mail/session and does for it what a pure automaton cannot.
 */
#ifndef SYS_CONVERSATION_H
#define SYS_CONVERSATION_H

#include "sys/conf.h"
#include "sys/handoff.h"
#include "sys/peer.h"

enum {
	CONVERSATION_MAX_S = 3600, /* then 421 between two messages */
	CONVERSATION_MESSAGE_MAX_S = 4 * 3600, /* ... and in the middle */
	CONVERSATION_RATE = 64,         /* octets a second of content ... */
	CONVERSATION_RATE_AFTER_S = 60, /* ... demanded after so long */
	CONVERSATION_GRACE_S = 30       /* for a message when we must stop */
};

struct conversation {
	const struct conf *conf;
	struct peer peer;
	int in, out;
	bool proxied; /* a PROXY header comes first */
	enum conf_service service;
	bool asks_parent; /* SANDBOX_PARENT_FD judges its address, or counts */
	enum handoff_end tls; /* afterwards: what became of it */
};

/* Before the lock-down: signals. */
void conversation_prepare(void);

/* Likewise: the client's descriptors, unless an accept loop made them. */
void conversation_attach(const struct conversation *c);

/* After it: the whole session.  Returns when it is over. */
void conversation_run(struct conversation *c);

/* Turns the client away with a 421, no session. */
void conversation_deny(
    struct conversation *c, const char *status, const char *text);

/* What the parent hears about a proxied client (its address) or says to it. */
enum { CONVERSATION_ADMIT = 'y', CONVERSATION_DENY = 'n' };

#endif
