/*
 * A command line of SMTP taken apart, RFC 5321 4.1.1, and the parameters of
 * MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), AUTH
 * (RFC 4954 5), RET ENVID NOTIFY ORCPT (RFC 3461 4), REQUIRETLS (RFC 8689 2).
 */
#ifndef MAIL_COMMAND_H
#define MAIL_COMMAND_H

#include "mail/addr.h"
#include "mail/str.h"

enum {
	COMMAND_LINE_MAX = 512, /* RFC 5321 4.5.3.1.4, with CR LF */
	/*
	 * MAIL and RCPT, longer by their parameters: SIZE 26, BODY 17, AUTH
	 * 500, SMTPUTF8 10, and DSN, which asks for 1036 of its own.
	 */
	COMMAND_PATH_LINE_MAX = 2048,
	ENVID_MAX = 100, /* RFC 3461 5.4 */
	ORCPT_MAX = 500
};

/* A command line without its CR LF. */
struct command {
	struct str verb; /* as written */
	struct str arg;  /* what follows, without spaces at the ends */
};

enum command_answer {
	COMMAND_BAD = 1, /* 501 5.5.4: syntax of path or parameter */
	COMMAND_OCTETS,  /* 501 5.5.2: control octets or NUL */
	COMMAND_UNKNOWN, /* 555 5.5.4: a parameter we do not know */
	COMMAND_UTF8,    /* 553 5.6.7: needs SMTPUTF8 */
	COMMAND_TOO_BIG, /* 552 5.3.4: SIZE beyond what can be counted */
	COMMAND_ADDRESS  /* 501 5.1.3 or 5.1.7: the path itself */
};

/* 0 or COMMAND_OCTETS.  Views into `line`. */
int command_split(struct str line, struct command *c);

enum command_body { BODY_7BIT, BODY_8BITMIME };
enum command_ret { RET_NONE, RET_FULL, RET_HDRS };

struct mail_command {
	struct addr from;
	uint64_t size_bytes; /* 0 when not declared */
	enum command_body body;
	bool smtputf8;
	bool requiretls;
	enum command_ret ret;
	struct str envid; /* xtext as given; view into the argument */
};

enum notify {
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8
};

struct rcpt_command {
	struct addr to;
	unsigned notify;  /* 0 when not given */
	struct str orcpt; /* addr-type;xtext as given, a view */
};

/*
 * The argument of MAIL ("FROM:<...> SIZE=1") and of RCPT ("TO:<...>").
 * bare_ok: a path without a domain is good beside <postmaster>; utf8_ok: the
 * transaction has SMTPUTF8.  0 or an enum command_answer.
 */
int command_mail(struct str arg, bool bare_ok, struct mail_command *m);
int command_rcpt(
    struct str arg, bool bare_ok, bool utf8_ok, struct rcpt_command *r);

/* The argument of BDAT (RFC 3030 2): 0 or COMMAND_BAD. */
int command_bdat(struct str arg, uint64_t *size_bytes, bool *last);

/* A line of another protocol: HTTP, TLS, or one that begins with no letter. */
bool command_is_foreign(struct str line);

#endif
