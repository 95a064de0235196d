/*
 * A server that says anything: whatever it says, in whatever pieces, each
 * recipient is told at most once, and "done" only to one whose RCPT, and then
 * the end of whose content, was answered by 2yz after it was sent; what goes
 * out is lines of SMTP; and it comes to an end.
 *
 * The input is what the server says; an octet 0xff ends a piece, which is what
 * comes before the client sends again.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/client.h"

enum { NRCPT = 5, TURNS = 4000 };

static struct {
	struct client c;
	unsigned told[NRCPT], given[NRCPT];
	bool sent;
	uint64_t heard_at_end;
	bool strict; /* the message asks for REQUIRETLS */
} w;

static int no_hash(struct str s, unsigned char *out)
{
	memset(out, (int)(s.n & 0x7f), SASL_HASH);
	return 0;
}

static int no_hmac(struct str key, struct str s, unsigned char *out)
{
	memset(out, (int)((key.n + s.n) & 0x7f), SASL_HASH);
	return 0;
}

static int no_pbkdf2(struct str password, struct str salt, unsigned iterations,
    unsigned char *out)
{
	memset(
	    out, (int)((password.n + salt.n + iterations) & 0x7f), SASL_HASH);
	return 0;
}

static void tell(void *arg, unsigned index, enum client_fate fate,
    struct str status, struct str text, bool said)
{
	(void)arg;
	(void)said;
	HOLDS(index < NRCPT);
	HOLDS(w.told[index]++ == 0);
	HOLDS(status.n >= 5 && status.n <= REPLY_STATUS_MAX);
	HOLDS(text.n <= CLIENT_TEXT_MAX);
	for (size_t i = 0; i < text.n; i++)
		HOLDS(text.p[i] >= ' ' && text.p[i] <= '~');
	if (fate == CLIENT_DONE || fate == CLIENT_RELAYED) {
		HOLDS(w.sent && w.given[index] == 1);
		HOLDS(w.c.reply.code / 100 == 2);
		HOLDS(w.c.heard > w.heard_at_end);
		HOLDS(!w.strict || (w.c.secured && w.c.setup->vouched &&
				       w.c.has.have & EXTENSION_REQUIRETLS));
	}
	HOLDS(status.p[0] == (fate == CLIENT_LATER      ? '4'
				 : fate == CLIENT_NEVER ? '5'
							: '2'));
}

/* What was sent is whole lines, but for the one being sent. */
static void look_at(struct str out)
{
	for (size_t i = 0; i < out.n; i++) {
		HOLDS((unsigned char)out.p[i] >= ' ' || out.p[i] == '\r' ||
		      out.p[i] == '\n');
		HOLDS((out.p[i] == '\r') ==
		      (i + 1 < out.n && out.p[i + 1] == '\n'));
	}
}

/* Sends, then hears a piece.  False: the server says no more. */
static bool turn(struct str *in, bool slowly)
{
	struct str out = client_output(&w.c), piece;
	char *octets;

	look_at(out);
	client_written(&w.c, slowly && out.n > 7 ? out.n / 2 : out.n);
	if (!str_cut(in, '\xff', &piece))
		return false;
	octets = fuzz_room(piece.n);
	if (piece.n > 0)
		memcpy(octets, piece.p, piece.n);
	client_feed(&w.c, str_at(octets, piece.n));
	free(octets);
	return true;
}

static void give(void)
{
	static const char *const names[NRCPT] = { "a@away.example",
		"\"b c\"@away.example", "d", "e@[192.0.2.1]",
		"f@away.example" };
	unsigned i = client_index(&w.c);
	struct qfile_rcpt r = { .status = QFILE_NEW };

	HOLDS(i < NRCPT);
	HOLDS(w.told[i] == 0);
	r.address = str_of(names[i]);
	r.notify = i == 0 ? NOTIFY_SUCCESS | NOTIFY_DELAY : 0;
	if (i == 1)
		r.orcpt = STR("rfc822;b");
	w.given[i] = 1;
	w.sent = false;
	client_give_rcpt(&w.c, &r);
}

/* The part of the octet's bits: what the hop is, and what the message. */
static void set_up(struct client_setup *s, unsigned bits)
{
	static const struct sasl_crypto crypto = { no_hash, no_hmac,
		no_pbkdf2 };
	static const struct sasl_secret secret = { { "me", 2 }, { "pw", 2 },
		false, { "nonce", 5 }, &crypto };

	*s = (struct client_setup){ .lmtp = bits & 1,
		.tls = (enum client_tls)(bits >> 1 & 3),
		.hostname = STR("here.example"),
		.secret = bits & 8 ? &secret : NULL,
		.tell = tell };
	client_start(&w.c, s);
}

static void run(struct str in, unsigned bits, const struct client_mail *mail)
{
	static const bool wanted[NRCPT] = { true, true, true, true, true };
	unsigned turns = 0, messages = 0;

	while (turns++ < TURNS && client_want(&w.c) != CLIENT_END) {
		switch (client_want(&w.c)) {
		case CLIENT_REPLY:
			if (!turn(&in, bits & 16))
				client_lost(&w.c, STR("4.4.2"), STR("closed"));
			break;
		case CLIENT_TLS:
			HOLDS(client_output(&w.c).n == 0);
			client_secured(&w.c);
			break;
		case CLIENT_READY:
			if (messages++ == 0)
				client_begin(&w.c, mail, NRCPT, wanted);
			else
				client_quit(&w.c);
			break;
		case CLIENT_RCPT:
			give();
			break;
		case CLIENT_CONTENT:
			w.heard_at_end = w.c.heard;
			w.sent = true;
			client_sent(&w.c);
			break;
		case CLIENT_END:
			break;
		}
	}
	HOLDS(client_want(&w.c) == CLIENT_END);
	/* READY a second time: everybody has been told. */
	for (unsigned i = 0; messages > 1 && i < NRCPT; i++)
		HOLDS(w.told[i] == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static const struct qfile_head head = { .body = QFILE_8BIT,
		.sender = { "s@here.example", 14 },
		.ret = 'F',
		.envid = { "id", 2 },
		.nrcpt = NRCPT };
	struct str in = fuzz_str(input, size);
	unsigned bits = fuzz_octet(&in), more = fuzz_octet(&in);
	struct qfile_head h = head;
	struct client_mail mail = { &h, 1000, more & 1 };
	struct client_setup setup;

	h.utf8 = more & 2;
	h.requiretls = more & 4;
	memset(&w, 0, sizeof(w));
	w.strict = h.requiretls;
	set_up(&setup, bits);
	setup.vouched = more & 8;
	run(in, bits, &mail);
	return 0;
}
