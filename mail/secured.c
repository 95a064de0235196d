/*
 * Four values, each with a NUL behind it, and NULs up to the fixed size.
 */
#include "mail/secured.h"

#include <string.h>

static void put(struct buf *b, struct str s, size_t max)
{
	buf_put(b, str_head(s, max));
	buf_putc(b, '\0');
}

void secured_put(struct buf *b, const struct secured *s)
{
	size_t start = b->n;

	put(b, s->version, SECURED_WORD_MAX);
	put(b, s->cipher, SECURED_WORD_MAX);
	put(b, s->client, SECURED_CLIENT_MAX);
	put(b, s->why, SECURED_WHY_MAX);
	while (b->n - start < SECURED_OCTETS && !b->full)
		buf_putc(b, '\0');
}

/* A version, a cipher suite or a sum: they go into a header field. */
static bool is_word(struct str s, size_t max)
{
	for (size_t i = 0; i < s.n; i++)
		if (!str_isalpha(s.p[i]) && !str_isdigit(s.p[i]) &&
		    s.p[i] != '_' && s.p[i] != '.' && s.p[i] != '-')
			return false;
	return s.n <= max;
}

int secured_parse(struct str in, struct secured *s)
{
	struct str *const value[] = { &s->version, &s->cipher, &s->client,
		&s->why };

	if (in.n != SECURED_OCTETS)
		return SECURED_BAD;
	for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++) {
		size_t end = str_find(in, '\0');

		if (end == in.n)
			return SECURED_BAD;
		*value[i] = str_head(in, end);
		in = str_skip(in, end + 1);
	}
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] != '\0')
			return SECURED_BAD;
	if (!is_word(s->version, SECURED_WORD_MAX) ||
	    !is_word(s->cipher, SECURED_WORD_MAX) ||
	    !is_word(s->client, SECURED_CLIENT_MAX))
		return SECURED_BAD;
	if (s->why.n > 0)
		return s->version.n + s->cipher.n + s->client.n == 0
			   ? 0
			   : SECURED_BAD;
	return s->version.n > 0 && s->cipher.n > 0 ? 0 : SECURED_BAD;
}
