/*
 * What smtpd and tls tell each other: what is put comes back, everything else
 * is refused; and what a session makes of it (RFC 3207 4.2).
 */
#include "mail/secured.h"

#include "tests/unit/host.h"

/* clang-format off */
static const struct secured good[] = {
	{ S("TLSv1.3"), S("TLS_AES_256_GCM_SHA384"), S(""), S("") },
	{ S("TLSv1.2"), S("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
	    S("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
	    S("") },
	{ S(""), S(""), S(""), S("no shared cipher") },
};

static const struct {
	const char *name;
	struct str octets;	/* then NULs */
	size_t n;
} bad[] = {
	{ "nothing", S(""), SECURED_OCTETS },
	{ "too short", S("TLSv1.3\0X\0\0\0"), SECURED_OCTETS - 1 },
	{ "too long", S("TLSv1.3\0X\0\0\0"), SECURED_OCTETS + 1 },
	{ "no cipher", S("TLSv1.3\0\0\0\0"), SECURED_OCTETS },
	{ "no version", S("\0X\0\0\0"), SECURED_OCTETS },
	{ "a failure with a cipher", S("\0X\0\0why\0"), SECURED_OCTETS },
	{ "octets behind it", S("TLSv1.3\0X\0\0\0\0x"), SECURED_OCTETS },
	{ "a line end in a cipher", S("TLSv1.3\0X\nY\0\0\0"), SECURED_OCTETS },
	{ "a blank in a version", S("TLS 1.3\0X\0\0\0"), SECURED_OCTETS },
	{ "a bracket in a sum", S("TLSv1.3\0X\0<\0\0"), SECURED_OCTETS },
};
/* clang-format on */

static void record(void)
{
	char text[SECURED_OCTETS + 1];
	struct secured got;

	for (size_t i = 0; i < TAP_N(good); i++) {
		struct buf b = BUF(text);

		secured_put(&b, &good[i]);
		tap_ok(b.n == SECURED_OCTETS &&
			   secured_parse(buf_str(&b), &got) == 0 &&
			   str_eq(got.version, good[i].version) &&
			   str_eq(got.cipher, good[i].cipher) &&
			   str_eq(got.client, good[i].client) &&
			   str_eq(got.why, good[i].why),
		    "record %zu comes back", i);
	}
	for (size_t i = 0; i < TAP_N(bad); i++) {
		memset(text, 0, sizeof(text));
		memcpy(text, bad[i].octets.p, bad[i].octets.n);
		tap_ok(
		    secured_parse(str_at(text, bad[i].n), &got) == SECURED_BAD,
		    "%s", bad[i].name);
	}
	memset(text, 'x', sizeof(text));
	tap_ok(secured_parse(str_at(text, SECURED_OCTETS), &got) == SECURED_BAD,
	    "no NUL at all");
}

/* A value that is too long is cut, and what comes out is good. */
static void cut(void)
{
	char text[SECURED_OCTETS], many[400];
	struct buf b = BUF(text);
	struct secured got, how;

	memset(many, 'x', sizeof(many));
	how.version = how.cipher = how.client = str_at(many, sizeof(many));
	how.why = STR("");
	secured_put(&b, &how);
	tap_ok(b.n == SECURED_OCTETS && secured_parse(buf_str(&b), &got) == 0 &&
		   got.cipher.n == SECURED_WORD_MAX,
	    "long values are cut");
	how = (struct secured){ .why = str_at(many, sizeof(many)) };
	b = BUF(text);
	secured_put(&b, &how);
	tap_ok(b.n == SECURED_OCTETS && secured_parse(buf_str(&b), &got) == 0 &&
		   got.why.n == SECURED_WHY_MAX,
	    "a long reason is cut");
}

static bool says(const char *text, const char *reply)
{
	struct str in = str_of(text);

	buf_clear(&s.out);
	while (in.n > 0) {
		size_t taken = session_input(&s, in);

		if (taken == 0)
			break;
		in = str_skip(in, taken);
	}
	if (str_starts(buf_str(&s.out), str_of(reply)))
		return true;
	printf("# %s: %.*s\n", text, (int)s.out.n, s.out.p);
	return false;
}

static bool has(const char *word)
{
	struct str all = buf_str(&s.out), line;

	while (str_cut(&all, '\n', &line))
		if (line.n > 5 &&
		    str_eq(str_at(line.p + 4, line.n - 5), str_of(word)))
			return true;
	return false;
}

static void begin(const struct session_setup *set)
{
	memset(&s, 0, offsetof(struct session, rcpt));
	open = false;
	faults = 0;
	session_init(&s, set, &host);
}

static void starttls(const struct session_setup *set)
{
	begin(set);
	tap_ok(says("EHLO a.example\r\n", "250-") && has("STARTTLS") &&
		   !has("REQUIRETLS"),
	    "STARTTLS is offered");
	tap_ok(says("STARTTLS x\r\n", "501 5.5.4"), "no argument");
	tap_ok(says("STARTTLS\r\nNOOP\r\n", "554 5.5.0") &&
		   s.phase == SESSION_CLOSED,
	    "a command behind it ends the session");
	begin(set);
	says("EHLO a.example\r\n", "250-");
	says("MAIL FROM:<>\r\n", "250");
	says("RCPT TO:<good@here.example>\r\n", "250");
	tap_ok(says("STARTTLS\r\n", "") && s.phase == SESSION_TLS &&
		   s.out.n == 0 && session_input(&s, STR("NOOP\r\n")) == 0,
	    "it has no reply yet, and nothing is read");
	session_tls_refuse(&s);
	tap_ok(str_starts(buf_str(&s.out), STR("454 4.7.0")) &&
		   s.state == SESSION_RCPT && says("DATA\r\n", "354"),
	    "refused: everything is as it was");
	says("Subject: x\r\n\r\n.\r\n", "250");
	says("MAIL FROM:<>\r\n", "250");
	says("RCPT TO:<good@here.example>\r\n", "250");
	says("BDAT 1\r\nx", "250");
	tap_ok(says("STARTTLS\r\n", "503") && s.phase == SESSION_COMMAND,
	    "not in the middle of BDAT");
	says("RSET\r\n", "250");
	says("MAIL FROM:<>\r\n", "250");
	says("RCPT TO:<good@here.example>\r\n", "250");
	says("STARTTLS\r\n", "");
	session_tls_go(&s);
	tap_ok(str_eq(buf_str(&s.out), STR("220 2.0.0 go on with TLS\r\n")),
	    "220");
	session_secured(&s, &good[0]);
	tap_ok(s.state == SESSION_START && s.nhelo == 0 && s.nrcpt == 0 &&
		   !s.esmtp && s.phase == SESSION_COMMAND,
	    "everything is forgotten");
	tap_ok(says("MAIL FROM:<>\r\n", "503"), "EHLO comes first");
	tap_ok(says("EHLO a.example\r\n", "250-") && !has("STARTTLS") &&
		   has("REQUIRETLS"),
	    "it is not offered again");
	tap_ok(says("STARTTLS\r\n", "503") && s.phase == SESSION_COMMAND,
	    "nor done");
	tap_ok(says("MAIL FROM:<> REQUIRETLS\r\n", "250") && s.mail.requiretls,
	    "REQUIRETLS");
	session_end(&s);
	tap_ok(faults == 0 && !open, "the host was asked in order");
}

static void required(void)
{
	const struct session_setup set = { .hostname = STR("mx.example"),
		.origin = STR("here.example"),
		.size_limit_bytes = 1 << 20,
		.rcpt_limit = 100,
		.starttls = true,
		.require_tls = true };

	begin(&set);
	says("EHLO a.example\r\n", "250-");
	tap_ok(
	    says("MAIL FROM:<>\r\n", "530 5.7.0") && s.state == SESSION_READY,
	    "no mail without TLS");
	tap_ok(says("BDAT 6 LAST\r\nNOOP\r\n", "503"),
	    "what BDAT brings is no command");
	says("STARTTLS\r\n", "");
	session_secured(&s, &good[1]);
	says("EHLO a.example\r\n", "250-");
	tap_ok(says("MAIL FROM:<>\r\n", "250"), "with it there is");
}

static void not_offered(void)
{
	const struct session_setup set = { .hostname = STR("mx.example"),
		.origin = STR("here.example"),
		.size_limit_bytes = 1 << 20,
		.rcpt_limit = 100 };

	begin(&set);
	tap_ok(says("EHLO a.example\r\n", "250-") && !has("STARTTLS"),
	    "not offered");
	tap_ok(says("STARTTLS\r\n", "502"), "not done");
	tap_ok(says("MAIL FROM:<> REQUIRETLS\r\n", "555 5.5.4"),
	    "REQUIRETLS in clear is not known");
	memset(&s, 0, offsetof(struct session, rcpt));
	session_secured(&s, &good[0]);
	session_init(&s, &set, &host);
	tap_ok(says("EHLO a.example\r\n", "250-") && has("REQUIRETLS") &&
		   s.secured,
	    "TLS that was there first");
}

int main(void)
{
	const struct session_setup set = { .hostname = STR("mx.example"),
		.origin = STR("here.example"),
		.size_limit_bytes = 1 << 20,
		.rcpt_limit = 100,
		.starttls = true };

	record();
	cut();
	starttls(&set);
	required();
	not_offered();
	return tap_done();
}
