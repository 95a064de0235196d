/*
 * The record of a handshake: what parses is what secured_put makes of it, and
 * nothing in it could end a line or begin a comment of a header field.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/secured.h"

static void word(struct str s, size_t max)
{
	HOLDS(s.n <= max);
	for (size_t i = 0; i < s.n; i++)
		HOLDS(str_isalpha(s.p[i]) || str_isdigit(s.p[i]) ||
		      s.p[i] == '_' || s.p[i] == '.' || s.p[i] == '-');
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	char text[SECURED_OCTETS], again[SECURED_OCTETS] = "";
	struct buf b = BUF(again);
	struct secured how;

	HOLDS(size == SECURED_OCTETS || secured_parse(s, &how) == SECURED_BAD);
	/* most inputs are short: NULs behind them */
	memset(text, 0, sizeof(text));
	memcpy(text, s.p, s.n < sizeof(text) ? s.n : sizeof(text));
	if (secured_parse(str_at(text, sizeof(text)), &how) != 0)
		return 0;
	word(how.version, SECURED_WORD_MAX);
	word(how.cipher, SECURED_WORD_MAX);
	word(how.client, SECURED_CLIENT_MAX);
	HOLDS((how.why.n > 0) == (how.cipher.n == 0));
	if (how.why.n > SECURED_WHY_MAX)
		return 0;
	secured_put(&b, &how);
	HOLDS(!b.full && memcmp(text, again, sizeof(text)) == 0);
	return 0;
}
