/*
 * A call: one connection to one address of a hop, with mail/client.h talking
 * over it, in clear or over TLS, each reply waited for as long as RFC 5321
 * 4.5.3.2 asks and no longer.
 */
#ifndef SYS_CALL_H
#define SYS_CALL_H

#include "mail/client.h"
#include "sys/parcel.h"
#include "sys/reach.h"

enum {
	CALL_CONNECT_S = 30,
	CALL_MESSAGE_S = 7200, /* a message on one connection, all in all */
	CALL_REMOTE_MAX = 512,
	CALL_TEXT_MAX = 160
};

enum call_level { CALL_CLEAR, CALL_ENCRYPTED, CALL_VERIFIED, CALL_DANE };

struct call {
	int fd; /* -1: none */
	bool over_tls;
	enum call_level level;
	struct client client;
	struct client_setup setup;
	const struct reach_way *way;
	struct sasl_secret secret;
	int64_t message_deadline_ms;
	/* "mx.away.example[192.0.2.1]:25" or a path; for logs */
	size_t nremote;
	char remote[CALL_REMOTE_MAX];
	/* Why the last call failed: the hop's own words, or ours. */
	unsigned char nstatus, ntext;
	char status[QFILE_STATUS_MAX];
	char text[CALL_TEXT_MAX];
};

/* For whom it calls: the name for EHLO, the domain that led there (for DANE;
 * may be empty), and whom to tell. */
struct call_party {
	struct str hostname, domain;
	void (*tell)(void *arg, unsigned index, enum client_fate fate,
	    struct str status, struct str text, bool said);
	void *arg;
};

/*
 * Connects and talks until a message can be given.  With opportunistic TLS
 * that fails it calls once more, in clear.  0, or CALL_FAILED: logged, and
 * the reason is kept.
 */
enum { CALL_FAILED = 1 };
int call_open(struct call *c, const struct reach_way *way,
    const struct call_party *party);

/* Carries a message to those of its recipients who are wanted, as far as it
 * goes; the party is told.  Then call_is_open, or it has ended. */
void call_carry(struct call *c, struct parcel *p, const bool *wanted);

bool call_is_open(const struct call *c);

/* Says QUIT, if it can be said, and hangs up. */
void call_close(struct call *c);

const char *call_level_name(const struct call *c); /* "none", "dane", ... */
struct str call_remote(const struct call *c);
struct str call_status(const struct call *c);
struct str call_text(const struct call *c);

#endif
