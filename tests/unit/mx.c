/* Which exchangers remain, their order, and where nobody is connected to. */
#include "tests/unit/tap.h"

#include "mail/mx.h"

static const uint16_t sorted[] = { 0, 10, 10, 20, 20, 20, 65535 };

/* clang-format off */
/* of `sorted`, by index: what remains when it is us, where its group ends */
static const struct {
	unsigned before, end;
} places[] = {
	{ 0, 1 }, { 1, 3 }, { 1, 3 }, { 3, 6 }, { 3, 6 }, { 3, 6 }, { 6, 7 },
};

static const struct {
	struct str addr;
	bool nowhere;
} addrs[] = {
	{ S("0.0.0.0"), true }, { S("0.255.255.255"), true },
	{ S("1.0.0.0"), false }, { S("126.255.255.255"), false },
	{ S("127.0.0.0"), true }, { S("127.0.0.1"), true },
	{ S("127.255.255.255"), true }, { S("128.0.0.0"), false },
	{ S("169.253.255.255"), false }, { S("169.254.0.1"), true },
	{ S("169.255.0.0"), false }, { S("10.0.0.1"), false },
	{ S("192.168.1.1"), false }, { S("223.255.255.255"), false },
	{ S("224.0.0.1"), true }, { S("239.1.1.1"), true },
	{ S("240.0.0.0"), true }, { S("255.255.255.255"), true },
	{ S("::"), true }, { S("::1"), true }, { S("::2"), true },
	{ S("::127.0.0.1"), true }, { S("::ffff:127.0.0.1"), true },
	{ S("::ffff:192.0.2.1"), false }, { S("::fffe:127.0.0.1"), false },
	{ S("64:ff9b::192.0.2.1"), false }, { S("2001:db8::1"), false },
	{ S("fc00::1"), false }, { S("fe7f::1"), false }, { S("fe80::1"), true },
	{ S("febf::1"), true }, { S("fec0::1"), false }, { S("ff02::1"), true },
	{ S("ffff::"), true },
};

/* families as they come and as they go out; 6 a, b, c..., 4 in capitals */
static const struct {
	const char *in, *out;
} turns[] = {
	{ "", "" }, { "a", "a" }, { "A", "A" }, { "Aa", "aA" },
	{ "aA", "aA" }, { "abc", "abc" }, { "ABC", "ABC" },
	{ "ABab", "aAbB" }, { "abAB", "aAbB" }, { "abcA", "aAbc" },
	{ "ABCa", "aABC" }, { "AaBbCc", "aAbBcC" },
};
/* clang-format on */

static void test_places(void)
{
	unsigned n = TAP_N(sorted);

	for (unsigned i = 0; i < n; i++) {
		tap_ok(mx_before(sorted, n, i) == places[i].before,
		    "%u are better than number %u", places[i].before, i);
		tap_ok(mx_group_end(sorted, n, i) == places[i].end,
		    "equals of number %u end at %u", i, places[i].end);
	}
	tap_ok(mx_group_end(sorted, n, n) == n, "no group at the end");
}

/* Sets of random preferences and lots: the ranking is the sorted set's head,
 * however it came. */
static void test_ranking(void)
{
	unsigned wrong = 0;
	uint32_t x = 1;

	for (unsigned round = 0; round < 2000; round++) {
		struct mx_ranking r = { .max = 1 + round % 5 };
		uint64_t set[12], low = 0;
		unsigned n = 1 + round % 12;

		for (unsigned i = 0; i < n; i++) {
			x = x * 1664525 + 1013904223;
			set[i] = (uint64_t)(x >> 28 & 3) << 32 | (x >> 8);
			mx_rank(&r, (uint16_t)(set[i] >> 32), (uint32_t)set[i]);
		}
		wrong += r.n != (n < r.max ? n : r.max);
		for (unsigned k = 0; k < r.n; k++) {
			uint64_t at =
			    (uint64_t)r.v[k].preference << 32 | r.v[k].lot;
			unsigned less = 0;

			for (unsigned i = 0; i < n; i++)
				less += set[i] < at;
			wrong += less != k || at < low;
			low = at;
		}
	}
	tap_ok(wrong == 0, "the best of each set, in order");
}

static void test_rank_answers(void)
{
	struct mx_ranking r = { .max = 2 };

	tap_ok(mx_rank(&r, 20, 5) == 0, "the first is first");
	tap_ok(mx_rank(&r, 10, 5) == 0, "a better one before it");
	tap_ok(mx_rank(&r, 10, 7) == 1, "an equal by its lot");
	tap_ok(mx_rank(&r, 10, 7) == 2 && r.n == 2, "no place left");
	tap_ok(mx_rank(&r, 30, 0) == 2, "none for a worse one");
}

static void test_nowhere(void)
{
	for (size_t i = 0; i < TAP_N(addrs); i++) {
		struct netaddr a;

		tap_ok(netaddr_parse(addrs[i].addr, &a) == 0 &&
			   mx_addr_is_nowhere(&a) == addrs[i].nowhere,
		    "%.*s is %s", (int)addrs[i].addr.n, addrs[i].addr.p,
		    addrs[i].nowhere ? "nowhere" : "somewhere");
	}
}

static void test_turns(void)
{
	for (size_t i = 0; i < TAP_N(turns); i++) {
		unsigned n = (unsigned)strlen(turns[i].in);
		struct netaddr v[16];
		char got[16];

		for (unsigned k = 0; k < n; k++) {
			unsigned char c = (unsigned char)turns[i].in[k];
			unsigned char four[4] = { 10, 0, 0, c };

			v[k] = netaddr_of4(four);
			if (c >= 'a')
				v[k].b[0] = 0x20;
		}
		mx_take_turns(v, n);
		for (unsigned k = 0; k < n; k++)
			got[k] = (char)v[k].b[15];
		tap_same(str_at(got, n), str_of(turns[i].out), "in turn: %s",
		    turns[i].in);
	}
}

int main(void)
{
	test_places();
	test_ranking();
	test_rank_answers();
	test_nowhere();
	test_turns();
	return tap_done();
}
