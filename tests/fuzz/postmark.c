/*
 * A postmark: what is left is everything but a first line that begins with
 * "From ", in whatever pieces it came.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/postmark.h"

static struct str naive(struct str s)
{
	if (s.n < 5 || memcmp(s.p, "From ", 5) != 0)
		return s;
	while (s.n > 0 && s.p[0] != '\n')
		s = str_skip(s, 1);
	return str_skip(s, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size), rest = s, held;
	size_t step = 1 + fuzz_octet(&s) % 16;
	struct buf out = { fuzz_room(size), 0, size, false };
	struct postmark m = { 0 };

	for (rest = s; rest.n > 0; rest = str_skip(rest, step)) {
		struct str more =
		    postmark_skip(&m, str_head(rest, step), &held);

		buf_put(&out, held);
		buf_put(&out, more);
	}
	buf_put(&out, postmark_finish(&m));
	HOLDS(!out.full && str_eq(buf_str(&out), naive(s)));
	HOLDS(postmark_finish(&m).n == 0);
	free(out.p);
	return 0;
}
