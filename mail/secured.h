/*
 * What smtpd and tls say to each other about one connection, over the socket
 * on which its octets go in clear.
 *
 *	tls	g: it is there and has room; n: not now; x: it has no
 *		certificate that is of use
 *	smtpd	s: the client has been told, begin
 *	tls	SECURED_OCTETS: how the handshake ended; then what the client
 *		says
 *
 * Until tls has read the s it touches no octet of the client: smtpd may still
 * think better of it and go on in clear.
 */
#ifndef MAIL_SECURED_H
#define MAIL_SECURED_H

#include "mail/str.h"

enum {
	SECURED_GO = 'g',
	SECURED_NO = 'n',
	SECURED_NEVER = 'x',
	SECURED_START = 's',
	SECURED_OCTETS = 256,
	SECURED_WORD_MAX = 64, /* octets of a version, of a cipher suite */
	SECURED_CLIENT_MAX = 64,
	SECURED_WHY_MAX = 60
};

struct secured {
	struct str version; /* "TLSv1.3" */
	struct str cipher;  /* as IANA has it: "TLS_AES_128_GCM_SHA256" */
	struct str client;  /* SHA-256 of his certificate in hex, or empty */
	struct str why;     /* the handshake failed; the rest is empty */
};

/* SECURED_OCTETS; a value that is too long is cut. */
void secured_put(struct buf *b, const struct secured *s);

/* 0, or SECURED_BAD: nothing that secured_put makes.  Views into `in`. */
enum { SECURED_BAD = 1 };
int secured_parse(struct str in, struct secured *s);

#endif
