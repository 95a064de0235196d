/*
 * Lines of EHLO's reply: a keyword and parameters, ASCII letters in any case.
 * Old servers write "AUTH=PLAIN"; that is read as "AUTH PLAIN".
 */
#include "mail/extension.h"

/* clang-format off */
static const struct {
	struct str keyword;
	enum extension extension;
} keywords[] = {
	{ { "PIPELINING", 10 },	EXTENSION_PIPELINING },
	{ { "SIZE", 4 },	EXTENSION_SIZE },
	{ { "8BITMIME", 8 },	EXTENSION_8BITMIME },
	{ { "SMTPUTF8", 8 },	EXTENSION_SMTPUTF8 },
	{ { "CHUNKING", 8 },	EXTENSION_CHUNKING },
	{ { "DSN", 3 },		EXTENSION_DSN },
	{ { "STARTTLS", 8 },	EXTENSION_STARTTLS },
	{ { "AUTH", 4 },	EXTENSION_AUTH },
	{ { "REQUIRETLS", 10 },	EXTENSION_REQUIRETLS },
	{ { "LIMITS", 6 },	EXTENSION_LIMITS },
};
static const struct {
	struct str name;
	enum extension_mechanism mechanism;
} mechanisms[] = {
	{ { "LOGIN", 5 },		MECHANISM_LOGIN },
	{ { "PLAIN", 5 },		MECHANISM_PLAIN },
	{ { "SCRAM-SHA-256", 13 },	MECHANISM_SCRAM_SHA_256 },
	{ { "XOAUTH2", 7 },		MECHANISM_XOAUTH2 },
};
/* clang-format on */

enum { LIMIT_MAX = 999999 }; /* RFC 9422 3: one to six digits */

static void add_mechanisms(struct extensions *e, struct str parameters)
{
	struct str word;

	while (str_word(&parameters, &word))
		for (size_t i = 0;
		     i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
			if (str_eqcase(word, mechanisms[i].name))
				e->mechanisms |=
				    (unsigned)mechanisms[i].mechanism;
}

static void add_limits(struct extensions *e, struct str parameters)
{
	struct str word, name;

	while (str_word(&parameters, &word)) {
		uint64_t n;

		if (!str_cut(&word, '=', &name) || str_u64(word, &n) != 0 ||
		    n == 0 || n > LIMIT_MAX)
			continue;
		if (str_eqcase(name, STR("RCPTMAX")))
			e->recipients_max = (unsigned)n;
		if (str_eqcase(name, STR("MAILMAX")))
			e->transactions_max = (unsigned)n;
	}
}

/* A limit that cannot be read is none: the server will say so itself. */
static void add_size(struct extensions *e, struct str parameters)
{
	struct str word;
	uint64_t n;

	if (str_word(&parameters, &word) && str_u64(word, &n) == 0)
		e->size_bytes = n;
}

void extensions_add(struct extensions *e, struct str line)
{
	struct str word;

	if (str_startscase(line, STR("AUTH="))) {
		e->have |= EXTENSION_AUTH;
		add_mechanisms(e, str_skip(line, 5));
		return;
	}
	if (!str_word(&line, &word))
		return;
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (!str_eqcase(word, keywords[i].keyword))
			continue;
		e->have |= (unsigned)keywords[i].extension;
		if (keywords[i].extension == EXTENSION_SIZE)
			add_size(e, line);
		if (keywords[i].extension == EXTENSION_AUTH)
			add_mechanisms(e, line);
		if (keywords[i].extension == EXTENSION_LIMITS)
			add_limits(e, line);
	}
}
