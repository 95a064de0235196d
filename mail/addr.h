/*
 * Mailboxes and paths of the envelope, RFC 5321 4.1.2 and RFC 6531 3.3.
 */
#ifndef MAIL_ADDR_H
#define MAIL_ADDR_H

#include "mail/domain.h"
#include "mail/str.h"

enum {
	LOCAL_MAX = 64,     /* RFC 5321 4.5.3.1.1, octets, without quotes */
	PATH_MAX_LEN = 256, /* RFC 5321 4.5.3.1.3, with < and > */
	ADDR_TEXT_MAX = 2 * LOCAL_MAX + 3 + DOMAIN_MAX
};

enum addr_host {
	HOST_NONE,   /* no domain: <postmaster>, or a bare local name */
	HOST_NAME,   /* a domain name */
	HOST_LITERAL /* [192.0.2.1], [IPv6:2001:db8::1] or a general literal */
};

/*
 * One mailbox.  `local` is what the local part means: quotes and backslashes
 * resolved, case kept (RFC 5321 2.4), any octet but NUL, CR and LF.  `domain`
 * is the A-label form in lower case, or the literal in lower case with its
 * brackets.  The null reverse-path has nlocal == 0 and host HOST_NONE.
 */
struct addr {
	enum addr_host host;
	bool utf8; /* an octet above 0x7f stood in it */
	unsigned char nlocal;
	unsigned char ndomain;
	char local[LOCAL_MAX];
	char domain[DOMAIN_MAX];
};

enum addr_answer {
	ADDR_BAD = 1, /* not a path: 501 5.1.3 (or 5.1.7) */
	ADDR_LONG,    /* a limit of 4.5.3.1 exceeded: 501 5.1.3 */
	ADDR_UTF8     /* needs SMTPUTF8, which was not given: 553 5.6.7 */
};

enum addr_flags {
	ADDR_NULL_OK = 1, /* <> is good (reverse-path) */
	ADDR_BARE_OK = 2, /* no domain is good */
	ADDR_UTF8_OK = 4  /* SMTPUTF8 was given */
};

/*
 * Takes a path "<...>" off the front of *s.  A source route is checked and
 * ignored.  The split is at the last unquoted @; % and ! mean nothing.
 * 0 or an enum addr_answer; *s and *a are set only on 0.
 */
int addr_path(struct str *s, unsigned flags, struct addr *a);

/* A mailbox without brackets, the whole slice.  As addr_path. */
int addr_mailbox(struct str s, unsigned flags, struct addr *a);

struct str addr_local(const struct addr *a); /* lives as long as *a */
struct str addr_domain(const struct addr *a);

/* local@domain, the local part quoted where it must be; nothing for <>. */
void addr_put(struct buf *b, const struct addr *a);

/* The same mailbox: local parts octet by octet, domains by A-label. */
bool addr_eq(const struct addr *a, const struct addr *b);

/* An address literal, with its brackets and nothing else: RFC 5321 4.1.3. */
bool literal_valid(struct str s);

/*
 * xtext of RFC 3461 4: every octet printable ASCII but + and =, or +HH whose
 * octet is printable (0x20 to 0x7e).  True when valid; nothing is decoded.
 */
bool xtext_valid(struct str s);

#endif
