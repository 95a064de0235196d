/*
 * Received: whatever a client calls itself, the field is of bounded size and
 * parses: lines fold with a tab, comments close, nothing but printable ASCII.
 * The date is the one of gmtime(3).
 */
#include "tests/fuzz/fuzz.h"

#include "mail/trace.h"

#include <time.h>

enum { FIELD_MAX = 2000 };

static void parses(struct str s)
{
	size_t column = 0;
	int depth = 0;

	HOLDS(s.n > 0 && s.p[s.n - 1] == '\n');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		column = c == '\n' ? 0 : column + 1;
		HOLDS(column <= 998);
		HOLDS(c != '\n' || i + 1 == s.n || s.p[i + 1] == '\t');
		HOLDS(c == '\n' || (c == '\t' && column == 1) ||
		      (c >= 0x20 && c < 0x7f));
		if (c == '\\' && depth > 0)
			i++;
		else if (c == '(' || c == ')')
			depth += c == '(' ? 1 : -1;
		HOLDS(depth == 0 || depth == 1);
	}
	HOLDS(depth == 0);
}

static void received(struct str helo, struct str user, unsigned bits)
{
	char *room = fuzz_room(FIELD_MAX);
	struct buf b = { room, 0, FIELD_MAX, false };
	struct trace t = { .helo = helo,
		.local = (bits & 1) != 0,
		.user = user,
		.uid = bits,
		.by = STR("mx.example.org"),
		.esmtp = (bits & 2) != 0,
		.tls = (bits & 4) != 0,
		.auth = (bits & 8) != 0,
		.utf8 = (bits & 16) != 0,
		.lmtp = (bits & 32) != 0,
		.id = STR("0123456789abcdef"),
		.time = bits };

	trace_received(&b, &t);
	HOLDS(!b.full);
	parses(buf_str(&b));
	buf_clear(&b);
	trace_return_path(&b, str_head(helo, 500));
	HOLDS(!b.full && str_find(buf_str(&b), '\n') == b.n - 1);
	buf_clear(&b);
	trace_delivered_to(&b, str_head(helo, 500));
	HOLDS(!b.full && str_find(buf_str(&b), '\n') == b.n - 1);
	free(room);
}

static void date(int64_t seconds)
{
	char want[64], room[64];
	struct buf b = BUF(room);
	time_t when = (time_t)seconds;
	struct tm tm;

	date_put(&b, seconds, 0);
	HOLDS(!b.full);
	if (gmtime_r(&when, &tm) == NULL || tm.tm_year < -900 ||
	    tm.tm_year > 9999)
		return;
	strftime(want, sizeof(want), "%a, %e %b %Y %H:%M:%S +0000", &tm);
	/* "%e" is two columns wide. */
	if (want[5] == ' ')
		memmove(want + 5, want + 6, strlen(want + 6) + 1);
	HOLDS(str_eq(buf_str(&b), str_of(want)));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size), helo;
	unsigned bits = fuzz_octet(&s);
	int64_t seconds = 0;

	if (s.n >= sizeof(seconds))
		memcpy(&seconds, s.p, sizeof(seconds));
	date(seconds);
	date(seconds >> 24);
	helo = str_head(s, str_find(s, '\n'));
	received(helo, str_skip(s, helo.n + 1), bits);
	received(s, STR(""), bits);
	return 0;
}
