/*
 * The command line of sendmail(8), as forty years of callers write it: options
 * in clusters, values glued or separate, and options that mean nothing here
 * but whose values must never be taken for recipients.
 */
#ifndef MAIL_CMDLINE_H
#define MAIL_CMDLINE_H

#include "mail/command.h"
#include "mail/str.h"

enum cmdline_mode {
	CMDLINE_SEND,    /* -bm, or none */
	CMDLINE_SMTP,    /* -bs: SMTP on standard input and output */
	CMDLINE_QUEUE,   /* -bp, mailq: what waits */
	CMDLINE_ALIASES, /* -bi, -I, newaliases */
	CMDLINE_ROUTE,   /* -bv: where would it go */
	CMDLINE_FLUSH,   /* -q: try all of it now */
};

struct cmdline {
	enum cmdline_mode mode;
	bool header_rcpts; /* -t */
	bool keep_dots;    /* -i, -oi */
	bool verbose;      /* -v */
	bool has_sender, has_name;
	struct str sender;    /* -f, -r: as it was given */
	struct str name;      /* -F */
	unsigned notify;      /* -N, enum notify; 0: not given */
	enum command_ret ret; /* -R */
	struct str envid;     /* -V, not yet as xtext */
	int first;            /* index of the first recipient in argv */
};

enum { CMDLINE_BAD = 1, CMDLINE_ENVID_MAX = ENVID_MAX };

/*
 * Views into argv.  argv[0] tells mailq and newaliases apart.  0, or
 * CMDLINE_BAD with *why what is wrong, a constant text, and *option a view of
 * the argument it is about.
 */
int cmdline_parse(struct cmdline *c, int argc, const char *const *argv,
    const char **why, struct str *option);

#endif
