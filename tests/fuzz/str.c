/*
 * Slices: numbers, words and cuts are what a naive reader finds; what is
 * escaped is printable, of bounded size, and leads back to the octets.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/addr.h"

static void number(struct str s)
{
	uint64_t v = 0, got = 0;
	bool digits = s.n > 0, fits = true;
	int rc = str_u64(s, &got);

	for (size_t i = 0; i < s.n && digits; i++) {
		uint64_t d = (uint64_t)(s.p[i] - '0');

		digits = s.p[i] >= '0' && s.p[i] <= '9';
		fits = fits && !__builtin_mul_overflow(v, 10, &v) &&
		       !__builtin_add_overflow(v, d, &v);
	}
	HOLDS((rc == 0) == (digits && fits));
	HOLDS(rc != 0 || got == v);
}

/* All pieces with their separators are the whole. */
static void cuts(struct str s, char sep)
{
	struct str rest = s, head;
	size_t n = 0, pieces = 0;

	while (str_cut(&rest, sep, &head)) {
		HOLDS(str_find(head, sep) == head.n);
		n += head.n + 1;
		pieces++;
	}
	HOLDS(rest.n == 0 && head.n == 0);
	HOLDS(
	    s.n == 0 ? pieces == 0 : n == s.n + (s.p[s.n - 1] == sep ? 0 : 1));
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static void words(struct str s)
{
	struct str rest = s, word;
	size_t blanks = 0, n = 0;

	for (size_t i = 0; i < s.n; i++)
		blanks += blank(s.p[i]);
	while (str_word(&rest, &word)) {
		HOLDS(word.n > 0);
		n += word.n;
	}
	HOLDS(rest.n == 0 && n + blanks == s.n);
	rest = str_trim(s);
	HOLDS(rest.n == 0 || (!blank(rest.p[0]) && !blank(rest.p[rest.n - 1])));
}

static int hex(char c)
{
	return str_isdigit(c) ? c - '0' : c - 'a' + 10;
}

/* How many octets at the front of s the escaped text stands for. */
static size_t back(struct str text, struct str s)
{
	size_t n = 0;

	while (text.n > 0) {
		bool escaped = text.p[0] == '\\';
		int c = text.p[0];

		if (escaped) {
			HOLDS(text.n >= 4 && text.p[1] == 'x');
			c = hex(text.p[2]) * 16 + hex(text.p[3]);
		}
		HOLDS(n < s.n && (unsigned char)c == (unsigned char)s.p[n]);
		text = str_skip(text, escaped ? 4 : 1);
		n++;
	}
	return n;
}

static void escaped(struct str s, size_t max)
{
	struct buf all = { fuzz_room(4 * s.n), 0, 4 * s.n, false };
	struct buf some = { fuzz_room(max), 0, max, false };
	struct str text;

	buf_escape(&all, s, 4 * s.n);
	HOLDS(!all.full && back(buf_str(&all), s) == s.n);
	buf_escape(&some, s, max);
	HOLDS(!some.full && str_find(buf_str(&some), '"') == some.n);
	for (size_t i = 0; i < some.n; i++)
		HOLDS(some.p[i] >= ' ' && some.p[i] <= '~');
	text = buf_str(&some);
	if (all.n <= max) {
		HOLDS(str_eq(text, buf_str(&all)));
	} else if (max >= 3) {
		text.n -= 3;
		HOLDS(str_eq(str_skip(buf_str(&some), text.n), STR("...")));
		(void)back(text, s);
	}
	free(all.p);
	free(some.p);
}

/* UTF-8 as RFC 3629 has it, by what each character stands for. */
static bool is_utf8(struct str s)
{
	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];
		unsigned n = c < 0x80   ? 0
			     : c < 0xc0 ? 9
			     : c < 0xe0 ? 1
			     : c < 0xf0 ? 2
			     : c < 0xf8 ? 3
					: 9;
		static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
		uint32_t v = n == 0 ? c : c & (0x3fu >> n);

		if (n == 9 || s.n <= n)
			return false;
		for (unsigned i = 1; i <= n; i++) {
			if (((unsigned char)s.p[i] & 0xc0) != 0x80)
				return false;
			v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
		}
		if (v < least[n] || v > 0x10ffff || (v >> 11) == 0x1b)
			return false;
		s = str_skip(s, n + 1);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	unsigned char how = fuzz_octet(&s);

	number(s);
	number(str_head(s, 20));
	cuts(s, (char)how);
	words(s);
	escaped(s, how);
	HOLDS(utf8_valid(s) == is_utf8(s));
	return 0;
}
