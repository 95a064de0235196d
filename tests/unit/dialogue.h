/*
 * Reading a dialogue of tests/dialogue, whose form stands in
 * tests/lib/dialogue.py.  Directives that only a real connection needs are
 * passed over.
 */
#ifndef TESTS_UNIT_DIALOGUE_H
#define TESTS_UNIT_DIALOGUE_H

#include "tests/unit/tap.h"

enum { FILE_MAX = 2 * 1024 * 1024, STEPS_MAX = 1200 };

enum step_kind { SEND, REPLY, UNTIL, CLOSED, HALF, CLOSE };

struct step {
	enum step_kind kind;
	struct str text; /* SEND: octets; REPLY, UNTIL: what is wanted */
};

enum box { ALICE, BOB, ROOT, BOXES };
static const char *const box_names[BOXES] = { "alice", "bob", "root" };

/* One file. */
static struct {
	char octets[FILE_MAX]; /* of all SEND steps and of M lines */
	struct buf room;
	struct step step[STEPS_MAX];
	unsigned nstep;
	struct buf content;
	char content_text[FILE_MAX / 8];
	bool has_content;
	unsigned low[BOXES], high[BOXES];
	struct str local_domains, relay_domains;
	uint64_t size_limit;
	unsigned rcpt_limit, queued;
	bool outside, local, normalize;
} d;

static char file_text[FILE_MAX];

static int hex(char c)
{
	return str_isdigit(c) ? c - '0' : c - 'a' + 10;
}

/* The octets that an escaped text without repetition means. */
static void unescape(struct str s, struct buf *b)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\' && i + 1 < s.n) {
			static const char from[] = "rnt0\\",
					  to[] = "\r\n\t\0\\";
			const char *at;

			c = s.p[++i];
			at = strchr(from, c);
			if (c == 'x' && i + 2 < s.n) {
				c = (char)(hex(s.p[i + 1]) * 16 +
					   hex(s.p[i + 2]));
				i += 2;
			} else if (at != NULL)
				c = to[at - from];
		}
		buf_putc(b, c);
	}
}

/* {TEXT*N} off the front of s: its length, 0 when there is none. */
static size_t repetition(struct str s, struct str *text, uint64_t *n)
{
	struct str in = str_head(str_skip(s, 1), str_find(s, '}') - 1);
	size_t star = in.n;

	if (s.n < 4 || s.p[0] != '{' || str_find(s, '}') == s.n)
		return 0;
	while (star > 0 && in.p[star - 1] != '*')
		star--;
	if (star == 0 || str_find(in, '{') < in.n ||
	    str_u64(str_skip(in, star), n) != 0)
		return 0;
	*text = str_head(in, star - 1);
	return in.n + 2;
}

static void octets(struct str s, struct buf *b)
{
	while (s.n > 0) {
		struct str text;
		uint64_t n;
		size_t len = repetition(s, &text, &n);

		if (len > 0) {
			while (n-- > 0)
				unescape(text, b);
			s = str_skip(s, len);
		} else {
			len = 1 + str_find(str_skip(s, 1), '{');
			unescape(str_head(s, len), b);
			s = str_skip(s, len);
		}
	}
}

static void add_step(enum step_kind kind, struct str text)
{
	if (d.nstep == STEPS_MAX)
		abort();
	d.step[d.nstep++] = (struct step){ kind, text };
}

/* C lines that follow each other are one segment. */
static void add_send(struct str value, bool crlf)
{
	const char *at = d.room.p + d.room.n;

	octets(value, &d.room);
	if (crlf)
		buf_putz(&d.room, "\r\n");
	if (d.room.full)
		abort();
	if (d.nstep > 0 && d.step[d.nstep - 1].kind == SEND)
		d.step[d.nstep - 1].text.n +=
		    (size_t)(d.room.p + d.room.n - at);
	else
		add_step(SEND, str_at(at, (size_t)(d.room.p + d.room.n - at)));
}

static void read_config(struct str line)
{
	struct str key;
	uint64_t n = 0;

	str_word(&line, &key);
	line = str_trim(line);
	if (str_eq(key, STR("local-domains")))
		d.local_domains = line;
	else if (str_eq(key, STR("relay-domains")))
		d.relay_domains = line;
	else if (str_eq(key, STR("recipient-limit")))
		d.rcpt_limit = str_u64(line, &n) == 0 ? (unsigned)n : 0;
	else if (str_eq(key, STR("bare-newline")))
		d.normalize = str_starts(line, STR("normalize 127."));
	else if (str_eq(key, STR("message-size-limit")) &&
		 str_u64(str_head(line, line.n - 1), &n) == 0)
		d.size_limit = n << (line.p[line.n - 1] == 'K' ? 10 : 20);
	else
		abort(); /* a key that nobody looks at here */
}

static void read_mail(struct str line)
{
	struct str name, low;
	uint64_t n;

	str_word(&line, &name);
	line = str_trim(line);
	str_cut(&line, '-', &low);
	for (int b = 0; b < BOXES; b++) {
		if (!str_eq(name, str_of(box_names[b])))
			continue;
		if (str_u64(low, &n) == 0)
			d.low[b] = d.high[b] = (unsigned)n;
		if (str_u64(line, &n) == 0)
			d.high[b] = (unsigned)n;
	}
}

static void read_event(struct str value)
{
	if (str_starts(value, STR("until ")))
		add_step(UNTIL, str_skip(value, 6));
	else
		add_step(str_eq(value, STR("half")) ? HALF : CLOSE, value);
}

static void read_line(struct str line)
{
	struct str value = str_skip(line, 2);

	if (value.n > 0 && value.p[0] == ' ')
		value = str_skip(value, 1);
	if (str_starts(line, STR("C:")) || str_starts(line, STR("C>")))
		add_send(value, line.p[1] == ':');
	else if (str_starts(line, STR("M:")) || str_starts(line, STR("M>"))) {
		d.has_content = true;
		octets(value, &d.content);
		if (line.p[1] == ':')
			buf_putc(&d.content, '\n');
	} else if (str_starts(line, STR("S:")))
		add_step(str_eq(value, STR("closed")) ? CLOSED : REPLY, value);
	else if (str_starts(line, STR("X:")))
		read_event(value);
	else if (str_starts(line, STR("config ")))
		read_config(str_skip(line, 7));
	else if (str_starts(line, STR("queue ")))
		d.queued = (unsigned)(line.p[6] - '0');
	else if (str_starts(line, STR("mail ")))
		read_mail(str_skip(line, 5));
	else if (str_eq(line, STR("peer outside")))
		d.outside = true;
	else if (str_eq(line, STR("peer unix")))
		d.local = true;
}

static bool read_file(const char *name)
{
	char path[300];
	FILE *f;
	size_t n;
	struct str text, line;

	snprintf(path, sizeof(path), "tests/dialogue/%s", name);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	n = fread(file_text, 1, sizeof(file_text), f);
	fclose(f);
	memset(&d, 0, sizeof(d));
	d.room = BUF(d.octets);
	d.content = BUF(d.content_text);
	d.local_domains = STR("here.example mx.here.example localhost");
	d.size_limit = 50 << 20;
	d.rcpt_limit = 1000;
	text = str_at(file_text, n);
	while (str_cut(&text, '\n', &line))
		read_line(line);
	return !d.content.full && d.nstep > 0;
}

#endif
