/*
 * Strings of JSON: what must be escaped is, whatever octets there are.
 */
#include "mail/json.h"
#include "tests/unit/tap.h"

static const struct {
	struct str in, out;
} rows[] = {
	{ { "", 0 }, { "\"\"", 2 } }, { { "plain", 5 }, { "\"plain\"", 7 } },
	{ { "a\"b\\c", 5 }, { "\"a\\\"b\\\\c\"", 9 } },
	{ { "\n\0\x7f", 3 }, { "\"\\u000a\\u0000\\u007f\"", 20 } },
	{ { "\xc3\xbc", 2 }, { "\"\xc3\xbc\"", 4 } }, /* UTF-8 stays */
	{ { "\xfc", 1 }, { "\"\\u00fc\"", 8 } },      /* no UTF-8 */
};

int main(void)
{
	char text[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = BUF(text);

		json_put(&b, rows[i].in);
		tap_same(buf_str(&b), rows[i].out, "row %zu", i);
	}
	return tap_done();
}
