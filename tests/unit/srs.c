/* Sender rewriting: vectors, the way back, other secrets, other days, and
 * what is too long. */
#include "tests/unit/tap.h"

#include "mail/srs.h"

#define DAY ((int64_t)24 * 60 * 60)
#define NOW 1795468380

static struct str secret = S("tell no one");
static struct str other = S("tell no two");

static struct srs at(struct str *key, int64_t now_s)
{
	return (struct srs){ .self = key,
		.hash = srs_hmac,
		.now_s = now_s,
		.domain = STR("here.example") };
}

/* clang-format off */
static const struct {
	struct str from, to; /* to empty: SRS_LONG */
	struct str back;     /* empty: no such local part */
} rows[] = {
	{ S("bob@away.example"),
	    S("SRS0=Qg4H6B=JM=away.example=bob@here.example"),
	    S("bob@away.example") },
	{ S("Bob.X+tag=y@Away.Example"),
	    S("SRS0=zpL1/7=JM=away.example=Bob.X+tag=y@here.example"),
	    S("Bob.X+tag=y@away.example") },
	{ S("\"a b\"@away.example"),
	    S("\"SRS0=RFVVNV=JM=away.example=a b\"@here.example"),
	    S("\"a b\"@away.example") },
	{ S("bob@[192.0.2.1]"),
	    S("\"SRS0=CylbzD=JM=[192.0.2.1]=bob\"@here.example"),
	    S("bob@[192.0.2.1]") },
	{ S("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb@away.example"),
	    S("SRS0=za/hGW=JM=away.example=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb@here.example"),
	    S("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb@away.example") },
	{ S("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb@away.example"),
	    S(""),
	    S("") },
	{ S("SRS0=HHH=TT=far.example=bob@fwd.example"),
	    S("SRS1=UHmR5K=fwd.example==HHH=TT=far.example=bob@here.example"),
	    S("SRS0=HHH=TT=far.example=bob@fwd.example") },
	{ S("srs0+HHH=TT=far.example=bob@fwd.example"),
	    S("SRS1=/EoG1Y=fwd.example=+HHH=TT=far.example=bob@here.example"),
	    S("SRS0+HHH=TT=far.example=bob@fwd.example") },
	{ S("SRS1=GGG=fwd.example==HHH=TT=far.ex=bob@two.example"),
	    S("SRS1=U4KY7v=fwd.example==HHH=TT=far.ex=bob@here.example"),
	    S("SRS0=HHH=TT=far.ex=bob@fwd.example") },
	{ S("SRS0=HHH=TT=far-away.example.net=bobbys@forwarder.example"),
	    S(""),
	    S("") },
	{ S("srs0bob@away.example"),
	    S("SRS0=5SO++r=JM=away.example=srs0bob@here.example"),
	    S("srs0bob@away.example") },
	{ S("SRS1=x@away.example"),
	    S("SRS0=u+G4SJ=JM=away.example=SRS1=x@here.example"),
	    S("SRS1=x@away.example") },
	{ S("alice@here.example"),
	    S("alice@here.example"),
	    S("") },
	{ S("SRS0=a=b=c=d@here.example"),
	    S("SRS0=a=b=c=d@here.example"),
	    S("") },
	{ S("bob"),
	    S("bob"),
	    S("") },
	{ S("\"\"@away.example"), S("\"\"@away.example"), S("") },
	{ S("bob@[x:=]"), S("bob@[x:=]"), S("") },
	{ S(""), S(""), S("") },
};

/* Local parts that stand for nobody. */
static const struct {
	struct str local;
	int answer;
} bad[] = {
	{ S(""), SRS_NOT },
	{ S("SRS"), SRS_NOT },
	{ S("SRS0"), SRS_NOT },
	{ S("SRS0="), SRS_NOT },
	{ S("SRS2=a=b=c=d"), SRS_NOT },
	{ S("SRS0x=a=b=c=d"), SRS_NOT },
	{ S("srs0-john"), SRS_NOT },
	{ S("SRS0=aaaaaa=A"), SRS_NOT },
	{ S("SRS0=aaaaaa=AAA=away.example=bob"), SRS_NOT },
	{ S("SRS0=aaaaaa=A=away.example=bob"), SRS_NOT },
	{ S("SRS0=aaaaaa=AA==bob"), SRS_NOT },
	{ S("SRS0=aaaaaa=AA=away.example="), SRS_NOT },
	{ S("SRS0=aaaaaa=AA=away.example"), SRS_NOT },
	{ S("SRS1=aaaaaa=away.example"), SRS_NOT },
	{ S("SRS0=aaaaaa=AA=away.example=bob"), SRS_FORGED },
	{ S("SRS0=aaaaa=AA=away.example=bob"), SRS_FORGED },
	{ S("SRS0==AA=away.example=bob"), SRS_FORGED },
	{ S("SRS1=aaaaaa=away.example=x"), SRS_FORGED },
};
/* clang-format on */

static int forward(const struct srs *s, struct str from, struct buf *b)
{
	struct addr a = { 0 };

	if (from.n > 0 &&
	    addr_mailbox(from, ADDR_BARE_OK | ADDR_UTF8_OK, &a) != 0)
		return -1;
	return srs_forward(s, &a, b);
}

static struct str local_of(struct str address)
{
	static struct addr a;

	if (addr_mailbox(address, ADDR_UTF8_OK, &a) != 0)
		return STR("");
	return addr_local(&a);
}

static void test_rows(void)
{
	for (size_t i = 0; i < TAP_N(rows); i++) {
		char room[ADDR_TEXT_MAX], back[ADDR_TEXT_MAX];
		struct buf b = BUF(room), o = BUF(back);
		struct srs s = at(&secret, NOW);
		int rc = forward(&s, rows[i].from, &b);

		tap_ok(
		    rc == (rows[i].to.n > 0 || rows[i].from.n == 0 ? 0
								   : SRS_LONG),
		    "row %zu: answer %d", i, rc);
		tap_same(buf_str(&b), rows[i].to, "row %zu", i);
		if (rows[i].back.n == 0)
			continue;
		rc = srs_reverse(&s, local_of(buf_str(&b)), &o);
		tap_ok(rc == 0, "row %zu: back, answer %d", i, rc);
		tap_same(buf_str(&o), rows[i].back, "row %zu: back", i);
	}
}

static int reverse(struct str *key, int64_t now_s, struct str local)
{
	char room[ADDR_TEXT_MAX];
	struct buf b = BUF(room);
	struct srs s = at(key, now_s);
	int rc = srs_reverse(&s, local, &b);

	return rc == 0 && b.n == 0 ? -1 : rc;
}

/* One that is good, and how it goes bad. */
static void test_good(void)
{
	char room[ADDR_TEXT_MAX];
	struct buf b = BUF(room);
	struct srs s = at(&secret, NOW);
	struct str local;
	bool refused = true, folded = true;

	forward(&s, STR("bob@away.example"), &b);
	local = local_of(buf_str(&b));
	tap_ok(reverse(&secret, NOW, local) == 0, "good");
	tap_ok(reverse(&other, NOW, local) == SRS_FORGED, "another secret");
	tap_ok(reverse(&secret, NOW + SRS_DAYS * DAY, local) == 0,
	    "on its last day");
	tap_ok(reverse(&secret, NOW + (SRS_DAYS + 1) * DAY, local) == SRS_OLD,
	    "a day later");
	tap_ok(reverse(&secret, NOW - DAY, local) == 0, "a day ahead");
	tap_ok(reverse(&secret, NOW - 2 * DAY, local) == SRS_OLD,
	    "two days ahead");
	tap_ok(reverse(&secret, NOW + 1024 * DAY, local) == 0,
	    "the days begin again");
	for (size_t i = 0; i < local.n; i++) {
		char text[LOCAL_MAX];
		char c = local.p[i];

		/* Every octet counts; its case does not. */
		memcpy(text, local.p, local.n);
		text[i] = c == 'q' ? 'x' : 'q';
		if (str_lower(c) != 'q' && i != 4)
			refused = refused && reverse(&secret, NOW,
						 str_at(text, local.n)) != 0;
		text[i] = str_lower(c) == c && str_isalpha(c)
			      ? (char)(c - 'a' + 'A')
			      : str_lower(c);
		folded =
		    folded && reverse(&secret, NOW, str_at(text, local.n)) == 0;
	}
	tap_ok(refused, "every octet counts");
	tap_ok(folded, "in any case");
}

/* Fields cannot lend each other octets. */
static void test_borders(void)
{
	char room[ADDR_TEXT_MAX], text[LOCAL_MAX];
	struct buf b = BUF(room), t = BUF(text);
	struct srs s = at(&secret, NOW);
	struct str local;

	forward(&s, STR("m=bob@away.exa"), &b);
	local = local_of(buf_str(&b));
	buf_put(&t, str_head(local, 15));
	buf_putz(&t, "away.exam=bob");
	tap_ok(str_eq(str_skip(local, 15), STR("away.exa=m=bob")),
	    "the local part has a separator");
	tap_ok(reverse(&secret, NOW, buf_str(&t)) == SRS_FORGED,
	    "a separator does not move");
}

static void test_clock(void)
{
	static const int64_t times[] = { 0, -1, 1, INT64_MIN, INT64_MAX,
		NOW + 3650 * DAY, NOW - 3650 * DAY };

	for (size_t i = 0; i < TAP_N(times); i++) {
		char room[ADDR_TEXT_MAX];
		struct buf b = BUF(room);
		struct srs s = at(&secret, times[i]);

		forward(&s, STR("bob@away.example"), &b);
		tap_ok(reverse(&secret, times[i], local_of(buf_str(&b))) == 0,
		    "clock %zu", i);
	}
}

int main(void)
{
	test_rows();
	test_good();
	test_borders();
	test_clock();
	for (size_t i = 0; i < TAP_N(bad); i++)
		tap_ok(reverse(&secret, NOW, bad[i].local) == bad[i].answer,
		    "bad %zu", i);
	return tap_done();
}
