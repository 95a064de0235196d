/*
 * A command line of aliases(5) or forward(5) as the words that a program is
 * started with.  There is no shell: nothing is expanded, and what a shell
 * would do something with is refused rather than passed on as it is.
 *
 *	blanks		separate words
 *	'...'		as it is
 *	"..."		as it is, but for \" and \\
 *	\c		the character c, outside of quotes
 */
#ifndef MAIL_ARGV_H
#define MAIL_ARGV_H

#include "mail/str.h"

enum {
	ARGV_MAX = 64,       /* of one command */
	ARGV_TEXT_MAX = 1024 /* octets, each word with its NUL */
};

struct argv {
	unsigned n;
	struct str v[ARGV_MAX]; /* each followed by NUL; views into text */
	char text[ARGV_TEXT_MAX];
};

enum argv_answer {
	ARGV_NONE = 1,  /* nothing at all */
	ARGV_SHELL = 2, /* a shell would be needed */
	ARGV_QUOTE = 3, /* a quote without its end */
	ARGV_LONG = 4,
	ARGV_CONTROL = 5 /* a control character or NUL */
};

/* 0 or enum argv_answer. */
int argv_split(struct argv *w, struct str line);

/* What is wrong, for the log. */
const char *argv_error(int answer);

#endif
