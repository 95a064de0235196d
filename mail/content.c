/*
 * A message's octets on their way to the host.  They are looked at for the
 * end, for what no message may hold, for loops and for size, and passed on
 * as they are with LF line ends, in one piece when they fit.  A message that
 * is already refused is read to its end and not written.
 */
#include "mail/content.h"

#include <errno.h>
#include <string.h>

/*
 * A Delivered-To of one of our mailboxes, or of an address of ours that leads
 * elsewhere: the message was here before.  So was what the queue brings.
 */
static bool is_ours(void *self, struct str value)
{
	const struct session *s = self;
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < s->nrcpt && !session_is_queue(s); i++) {
		struct buf b = BUF(text);

		if (s->rcpt[i].nvia > 0 &&
		    str_eqcase(value, session_rcpt_via(s, i)))
			return true;
		if (!s->rcpt[i].ours)
			continue;
		session_rcpt_put(s, i, &b);
		if (str_eqcase(value, buf_str(&b)))
			return true;
	}
	return false;
}

/*
 * What leads elsewhere may lead back, over hosts that we know nothing of.  Not
 * with other recipients, who have the same content and shall not know of him.
 */
static void put_delivered_to(struct session *s)
{
	for (unsigned i = 0; i < s->nrcpt && s->ngiven == 1; i++)
		if (s->rcpt[i].nvia > 0)
			trace_delivered_to(&s->content, session_rcpt_via(s, i));
	s->nprefix = (unsigned)s->content.n;
}

static void put_received(struct session *s)
{
	struct addr one;
	struct trace t = {
		.helo = str_at(s->helo, s->nhelo),
		.local = s->set->local,
		.peer = s->set->peer,
		.uid = s->set->uid,
		.user = s->set->user,
		.by = s->set->hostname,
		.esmtp = s->esmtp,
		.tls = s->secured,
		.utf8 = s->mail.smtputf8,
		.cipher = str_at(s->cipher, s->ncipher),
		.id = str_of(s->id_text),
	};

	t.time = s->host->now(s->host->self, &t.offset_minutes);
	if (s->nrcpt == 1) {
		session_rcpt_addr(s, 0, &one);
		t.rcpt = &one;
	}
	trace_received(&s->content, &t);
}

/* RFC 6409 8: by those who have nobody else to do it. */
static bool is_submission(const struct session *s)
{
	return s->set->local && !session_is_queue(s);
}

int content_open(struct session *s)
{
	struct str id;
	struct buf name = BUF(s->id_text);
	int rc = s->host->open(s->host->self, &id);

	if (rc < 0)
		return rc;
	buf_put(&name, str_head(id, sizeof(s->id_text) - 1));
	buf_putc(&name, '\0');
	s->opened = true;
	s->fault = 0;
	s->size_bytes = 0;
	s->content = BUF(s->content_text);
	if (is_submission(s))
		s->content.cap -= SESSION_FIELDS;
	data_init(&s->data, s->set->normalize ? DATA_NORMALIZE : 0);
	header_init(&s->header, is_ours, s);
	put_delivered_to(s);
	put_received(s);
	return 0;
}

/* Why this message cannot be had any more, whatever follows. */
static bool is_lost(const struct session *s)
{
	return s->data.defects != 0 || s->fault != 0 || s->header.loop ||
	       s->size_bytes > session_size_limit(s);
}

static void write_out(struct session *s)
{
	if (!is_lost(s) && s->content.n > 0)
		s->fault = s->host->write(s->host->self, buf_str(&s->content));
	buf_clear(&s->content);
}

/* Date and Message-ID, where there are none. */
static void put_missing(struct session *s, struct buf *b)
{
	char text[64];
	struct buf date = BUF(text);
	int offset_minutes;
	int64_t now = s->host->now(s->host->self, &offset_minutes);

	if (!s->header.date) {
		date_put(&date, now, offset_minutes);
		buf_putz(b, "Date: ");
		buf_put(b, buf_str(&date));
		buf_putc(b, '\n');
	}
	if (!s->header.message_id) {
		buf_putz(b, "Message-ID: <");
		buf_putz(b, s->id_text);
		buf_putc(b, '@');
		buf_put(b, s->set->hostname);
		buf_putz(b, ">\n");
	}
}

/*
 * At the end of the header, `at` in content, where room was left for it.  A
 * header that somebody vouches for stays as it is, and so does one that does
 * not end as headers do.
 */
static void complete(struct session *s, size_t at)
{
	char text[SESSION_FIELDS];
	struct buf b = BUF(text);

	s->content.cap = sizeof(s->content_text);
	if (s->header.is_signed || !s->header.blank)
		return;
	put_missing(s, &b);
	if (b.full || b.n > s->content.cap - s->content.n)
		return;
	memmove(s->content.p + at + b.n, s->content.p + at, s->content.n - at);
	memcpy(s->content.p + at, b.p, b.n);
	s->content.n += b.n;
}

/* What came behind the first `from` octets, and may be a header. */
static void read_header(struct session *s, size_t from)
{
	struct str new = str_skip(buf_str(&s->content), from);
	size_t at = from + header_feed(&s->header, new);

	if (s->header.over && is_submission(s))
		complete(s, at);
}

/* Counts what came behind the first `from` octets, as the wire counts it. */
static void look_at(struct session *s, size_t from)
{
	struct str new = str_skip(buf_str(&s->content), from);
	struct str rest = new;
	uint64_t lines = 0;

	if (new.n == 0)
		return;
	while (rest.n > 0) {
		size_t lf = str_find(rest, '\n');

		lines += lf < rest.n;
		rest = str_skip(rest, lf + 1);
	}
	s->size_bytes += new.n + lines;
	if (!s->header.over)
		read_header(s, from);
	if (is_lost(s))
		buf_clear(&s->content);
}

size_t content_data(struct session *s, struct str in)
{
	size_t used = 0;

	while (used < in.n && s->data.at != DATA_END) {
		size_t from = s->content.n;

		used += data_feed(&s->data, str_skip(in, used), &s->content);
		look_at(s, from);
		if (s->content.cap - s->content.n < 2)
			write_out(s);
	}
	return used;
}

size_t content_chunk(struct session *s, struct str in)
{
	size_t used = 0;

	if (in.n > s->chunk_left)
		in.n = (size_t)s->chunk_left;
	if (s->chunk_code != 0)
		used = in.n;
	while (used < in.n) {
		size_t from = s->content.n;

		used += data_chunk(&s->data, str_skip(in, used), &s->content);
		look_at(s, from);
		if (s->content.cap - s->content.n < 2)
			write_out(s);
	}
	s->chunk_left -= used;
	return used;
}

struct verdict content_fault(int error)
{
	if (error == -ENOSPC || error == -EDQUOT)
		return (struct verdict){ VERDICT_LATER, STR("4.3.1"),
			STR("no space left here, try again later") };
	return (struct verdict){ VERDICT_LATER, STR("4.3.0"),
		STR("local error, try again later") };
}

/* What speaks against the message, in the order that helps its sender. */
static bool refusal(const struct session *s, struct verdict *v)
{
	static const struct {
		unsigned defect;
		struct verdict v;
	} defects[] = {
		{ DATA_BARE_LF,
		    { VERDICT_NEVER, { "5.6.0", 5 },
			{ "bare LF in the message: lines end in CR LF",
			    42 } } },
		{ DATA_BARE_CR,
		    { VERDICT_NEVER, { "5.6.0", 5 },
			{ "bare CR in the message: lines end in CR LF",
			    42 } } },
		{ DATA_NUL, { VERDICT_NEVER, { "5.6.0", 5 },
				{ "NUL octet in the message", 24 } } },
	};

	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++)
		if ((s->data.defects & defects[i].defect) != 0) {
			*v = defects[i].v;
			return true;
		}
	if (s->size_bytes > session_size_limit(s))
		*v = (struct verdict){ VERDICT_NEVER, STR("5.3.4"),
			STR("message is larger than we take") };
	else if (s->header.loop)
		*v = (struct verdict){ VERDICT_NEVER, STR("5.4.6"),
			STR("mail loop: it has been here before") };
	else if (s->fault != 0)
		*v = content_fault(s->fault);
	else
		return false;
	return true;
}

void content_commit(struct session *s, struct verdict *v)
{
	size_t from = s->content.n;

	data_finish(&s->data, &s->content);
	look_at(s, from);
	if (!s->header.over) {
		header_finish(&s->header);
		if (is_submission(s))
			complete(s, s->content.n);
	}
	if (!refusal(s, v))
		s->host->commit(s->host->self, s, buf_str(&s->content), v);
}

void content_close(struct session *s)
{
	if (s->opened)
		s->host->close(s->host->self);
	s->opened = false;
}
