/*
 * A connection of tls: the client's socket, TLS on it, and the socket to smtpd
 * with the same octets in clear.  Both are non-blocking and watched for edges;
 * whenever one comes everything is tried that could go on.
 */
#ifndef SYS_LINK_H
#define SYS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum link_stage {
	LINK_START, /* smtpd has to tell its client first, mail/secured.h */
	LINK_SHAKE,
	LINK_OPEN,
	LINK_OVER /* link_close is due */
};

/* Octets that could not be written yet. */
struct link_rest {
	char *p; /* NULL: none */
	size_t from, to;
};

struct ssl_st;

struct link {
	int client, plain;
	struct ssl_st *ssl;
	enum link_stage stage;
	unsigned handshake_s;
	bool client_ended, plain_ended, plain_gone;
	struct link_rest in, out; /* to plain, to the client */
	int64_t until_ms;         /* 0: no deadline here, smtpd has its own */
	/* its owner's: those who have more to do, and all */
	bool again;
	struct link *next_again, *prev, *next;
};

/* *k is all zero; 0, and the descriptors are its own, or -ENOMEM. */
int link_open(struct link *k, const int fd[2], unsigned handshake_s);
void link_close(struct link *k);

/* True when it could go on, but others should have a turn first. */
bool link_pump(struct link *k);

/* One of the sockets has ended both ways: what is left has so long. */
void link_hang_up(struct link *k);

/* until_ms is over. */
void link_time_out(struct link *k);

#endif
