/*
 * The fields of a header, by a table of their names: first what speaks
 * against any change, then each anew.
 */
#include "mail/masquerade.h"

#include <string.h>

#include "mail/mailboxes.h"

enum {
	WIDTH = 76,          /* RFC 5322 2.1.1, some room left */
	ORIGINALS_MAX = 2048 /* what the authors were */
};

/* What becomes of addresses of ours in a field. */
enum change {
	CHANGE_NONE,
	CHANGE_AUTHOR,  /* becomes the allowed one, and who it was is kept */
	CHANGE_SENDER,  /* becomes the allowed one */
	CHANGE_QUALIFY, /* a bare one gets our domain */
	CHANGE_REPLIES  /* likewise, and there is a Reply-To */
};

static const struct field {
	struct str name;
	enum change change;
} fields[] = {
	{ { "From", 4 }, CHANGE_AUTHOR },
	{ { "Sender", 6 }, CHANGE_SENDER },
	{ { "Resent-From", 11 }, CHANGE_SENDER },
	{ { "Resent-Sender", 13 }, CHANGE_SENDER },
	{ { "Reply-To", 8 }, CHANGE_REPLIES },
	{ { "To", 2 }, CHANGE_QUALIFY },
	{ { "Cc", 2 }, CHANGE_QUALIFY },
	{ { "Bcc", 3 }, CHANGE_QUALIFY },
	{ { "Resent-To", 9 }, CHANGE_QUALIFY },
	{ { "Resent-Cc", 9 }, CHANGE_QUALIFY },
	{ { "Mail-Followup-To", 16 }, CHANGE_QUALIFY },
};

struct work {
	const struct masquerade *m;
	struct buf *out;
	size_t line; /* where the line being written begins */
	bool changed, from, reply_to, original_from;
	bool reachable; /* all originals might be */
	struct buf originals;
	char originals_text[ORIGINALS_MAX];
};

/* --- addresses ----------------------------------------------------------- */

static bool is_ours(const struct masquerade *m, const struct addr *a)
{
	struct str domain = addr_domain(a);

	return a->nlocal > 0 &&
	       (a->host == HOST_NONE ||
		   (a->host == HOST_NAME && (str_eq(domain, m->origin) ||
						str_eq(domain, m->hostname) ||
						m->is_local(m->self, domain))));
}

static void set_domain(struct addr *a, struct str domain)
{
	domain = str_head(domain, DOMAIN_MAX);
	a->host = HOST_NAME;
	a->ndomain = (unsigned char)domain.n;
	memcpy(a->domain, domain.p, domain.n);
}

/* The allowed address that stands for *a. */
static void put_allowed(
    const struct masquerade *m, const struct addr *a, struct buf *b)
{
	struct addr other = *a;

	if (!str_starts(m->address, STR("@"))) {
		buf_put(b, m->address);
		return;
	}
	set_domain(&other, str_skip(m->address, 1));
	addr_put(b, &other);
}

static void put_qualified(
    const struct masquerade *m, const struct addr *a, struct buf *b)
{
	struct addr other = *a;

	if (a->host == HOST_NONE)
		set_domain(&other, m->origin);
	addr_put(b, &other);
}

void masquerade_sender(
    const struct masquerade *m, struct str sender, struct buf *out)
{
	struct addr a;

	if (sender.n > 0 && !str_starts(m->address, STR("@")))
		buf_put(out, m->address);
	else if (addr_mailbox(sender, ADDR_BARE_OK | ADDR_UTF8_OK, &a) == 0 &&
		 is_ours(m, &a))
		put_allowed(m, &a, out);
	else
		buf_put(out, sender);
}

/* "root at host.example", in its quotes. */
static void put_name(
    const struct masquerade *m, const struct addr *a, struct buf *b)
{
	struct str local = addr_local(a);

	buf_putc(b, '"');
	for (size_t i = 0; i < local.n; i++) {
		char c = local.p[i];

		buf_putc(
		    b, c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c);
	}
	buf_putz(b, " at ");
	buf_put(b, a->host == HOST_NAME ? addr_domain(a) : m->hostname);
	buf_putc(b, '"');
}

/* --- writing ------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A fold, unless nothing but blanks would be left on the line. */
static void fold(struct work *w)
{
	size_t n = w->out->n;

	while (n > w->line && is_blank(w->out->p[n - 1]))
		n--;
	if (n == w->line)
		return;
	w->out->n = n;
	buf_putz(w->out, "\n ");
	w->line = n + 1;
}

/* Something that cannot be folded itself. */
static void put_whole(struct work *w, struct str s)
{
	if (w->out->n - w->line + s.n > WIDTH)
		fold(w);
	buf_put(w->out, s);
}

static void copy(struct work *w, struct str s)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == '\n') {
			w->line = w->out->n + i;
			break;
		}
	buf_put(w->out, s);
}

static void keep_original(struct work *w, const struct addr *a)
{
	struct str domain =
	    a->host == HOST_NONE ? w->m->origin : addr_domain(a);
	char text[ADDR_TEXT_MAX];
	struct buf b = BUF(text);

	put_qualified(w->m, a, &b);
	if (w->originals.n > 0)
		buf_putz(&w->originals, ",\n ");
	buf_put(&w->originals, buf_str(&b));
	w->reachable = w->reachable && str_find(domain, '.') < domain.n;
}

/* An author as he may be called, with a name if he has none. */
static void put_author(struct work *w, const struct addr *a, bool named)
{
	char text[2 * ADDR_TEXT_MAX], name[2 * ADDR_TEXT_MAX];
	struct buf b = BUF(text), n = BUF(name);

	if (!named) {
		put_name(w->m, a, &n);
		put_whole(w, buf_str(&n));
		buf_putc(w->out, ' ');
	}
	buf_putc(&b, '<');
	put_allowed(w->m, a, &b);
	buf_putc(&b, '>');
	put_whole(w, buf_str(&b));
}

static bool is_allowed(const struct masquerade *m, const struct addr *a)
{
	char text[ADDR_TEXT_MAX], own[ADDR_TEXT_MAX];
	struct buf b = BUF(text), o = BUF(own);

	put_allowed(m, a, &b);
	addr_put(&o, a);
	return str_eq(buf_str(&b), buf_str(&o));
}

/* One address of a field; false when it stays. */
static bool put_address(struct work *w, enum change change,
    const struct addr *a, const struct mailbox *b, struct str text)
{
	char room[ADDR_TEXT_MAX + 2];
	struct buf one = BUF(room);
	bool brackets = b->outer < b->at;

	if (change == CHANGE_QUALIFY || change == CHANGE_REPLIES) {
		/* "A Name" without brackets was meant as something else. */
		if (a->host != HOST_NONE || text.p[b->at] == '"')
			return false;
		put_qualified(w->m, a, &one);
	} else if (!is_ours(w->m, a) || is_allowed(w->m, a)) {
		return false;
	} else if (change == CHANGE_AUTHOR) {
		keep_original(w, a);
		put_author(w, a, b->named);
		return true;
	} else {
		put_allowed(w->m, a, &one);
	}
	if (brackets)
		buf_putc(w->out, '<');
	put_whole(w, buf_str(&one));
	if (brackets)
		buf_putc(w->out, '>');
	return true;
}

/* A field whose addresses are to change; its value begins at `value`. */
static void put_field(
    struct work *w, struct str field, size_t value, enum change change)
{
	struct mailboxes list = { str_skip(field, value), 0 };
	struct work before = *w;
	size_t done = 0, n = w->out->n;
	struct mailbox b;
	struct addr a;
	int rc;

	w->line = n;
	copy(w, str_head(field, value));
	while ((rc = mailboxes_next(&list, &b)) == 0) {
		struct str text = str_at(list.text.p + b.at, b.end - b.at);

		if (addr_mailbox(text, ADDR_BARE_OK | ADDR_UTF8_OK, &a) != 0 ||
		    a.nlocal == 0)
			continue;
		copy(w, str_at(list.text.p + done, b.outer - done));
		done = b.outer;
		if (put_address(w, change, &a, &b, list.text)) {
			w->changed = true;
			done = b.beyond;
		}
	}
	if (rc == MAILBOXES_BAD) {
		before.out->n = n;
		*w = before;
		done = 0;
		copy(w, str_head(field, value));
	}
	copy(w, str_skip(list.text, done));
}

/* --- fields -------------------------------------------------------------- */

static struct str name_of(struct str field, size_t colon)
{
	return str_trim(str_head(field, colon));
}

/* A field name, RFC 5322 2.2, which may have blanks behind it (4.5.8). */
static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < 0x21 || name.p[i] > 0x7e)
			return false;
	return name.n > 0;
}

/* The next field with its folds off *s; false at a line that is none. */
static bool next_field(struct str *s, struct str *field, size_t *colon)
{
	size_t n = 0;

	if (s->n == 0 || is_blank(s->p[0]))
		return false;
	do
		n += str_find(str_skip(*s, n), '\n') + 1;
	while (n < s->n && is_blank(s->p[n]));
	*field = str_head(*s, n);
	*s = str_skip(*s, n);
	*colon = str_find(*field, ':');
	return *colon < field->n && field->p[field->n - 1] == '\n' &&
	       is_name(name_of(*field, *colon));
}

static enum change change_of(struct str name)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (str_eqcase(name, fields[i].name))
			return fields[i].change;
	return CHANGE_NONE;
}

/* Blanks and comments out: "multipart/signed", however it is written. */
static bool is_opaque_type(struct str value)
{
	static const char *const types[] = { "multipart/signed",
		"multipart/encrypted", "application/pkcs7-",
		"application/x-pkcs7-", "application/pgp" };
	char text[256];
	struct buf b = BUF(text);
	unsigned depth = 0;

	for (size_t i = 0; i < value.n && b.n < b.cap; i++) {
		char c = value.p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0 && !is_blank(c) && c != '\n')
			buf_putc(&b, str_lower(c));
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_starts(buf_str(&b), str_of(types[i])))
			return true;
	return false;
}

/* Somebody vouches for this header, or for what is under it. */
static bool is_sealed(struct str name, struct str value)
{
	static const char *const seals[] = { "DKIM-Signature",
		"DomainKey-Signature", "ARC-Message-Signature" };

	for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++)
		if (str_eqcase(name, str_of(seals[i])))
			return true;
	return str_eqcase(name, STR("Content-Type")) && is_opaque_type(value);
}

/* How long the header is, its blank line with it; false when it must stay. */
static bool look_over(struct work *w, struct str in, size_t *used)
{
	struct str rest = in, field;
	size_t colon;

	while (rest.n > 0 && rest.p[0] != '\n') {
		struct str name;

		if (!next_field(&rest, &field, &colon))
			return false;
		name = name_of(field, colon);
		if (is_sealed(name, str_skip(field, colon + 1)))
			return false;
		w->from |= change_of(name) == CHANGE_AUTHOR;
		w->reply_to |= change_of(name) == CHANGE_REPLIES;
		w->original_from |= str_eqcase(name, STR("X-Original-From"));
	}
	*used = in.n - rest.n + (rest.n > 0);
	return rest.n > 0;
}

/* Who wrote it, when nobody says so but the envelope. */
static void put_missing_from(struct work *w, struct str sender)
{
	struct addr a;

	if (w->from || addr_mailbox(sender, ADDR_BARE_OK | ADDR_UTF8_OK, &a))
		return;
	w->changed = true;
	w->line = w->out->n;
	buf_putz(w->out, "From: ");
	if (is_ours(w->m, &a) && !is_allowed(w->m, &a)) {
		keep_original(w, &a);
		put_author(w, &a, false);
	} else {
		buf_put(w->out, sender);
	}
	buf_putc(w->out, '\n');
}

/* Where an answer reaches the author, or at least who he was. */
static void put_originals(struct work *w)
{
	bool reply = !w->reply_to && w->reachable &&
		     !str_starts(w->m->address, STR("@"));

	if (w->originals.n == 0 || w->originals.full ||
	    (!reply && w->original_from))
		return;
	buf_putz(w->out, reply ? "Reply-To: " : "X-Original-From: ");
	buf_put(w->out, buf_str(&w->originals));
	buf_putc(w->out, '\n');
}

int masquerade_header(const struct masquerade *m, struct str sender,
    struct str in, size_t *used, struct buf *out)
{
	struct work w = { .m = m, .out = out, .reachable = true };
	struct str rest, field;
	size_t colon;

	w.originals = BUF(w.originals_text);
	if (!look_over(&w, in, used))
		return MASQUERADE_KEEP;
	rest = str_head(in, *used - 1);
	while (rest.n > 0 && next_field(&rest, &field, &colon)) {
		enum change change = change_of(name_of(field, colon));

		if (change == CHANGE_NONE)
			buf_put(out, field);
		else
			put_field(&w, field, colon + 1, change);
	}
	put_missing_from(&w, sender);
	put_originals(&w);
	buf_putc(out, '\n');
	return w.changed && !out->full ? 0 : MASQUERADE_KEEP;
}

/* --- the body ------------------------------------------------------------ */

void masquerade_look(struct masquerade_look *l, struct str text)
{
	static const struct str mark = { "-----BEGIN PGP ", 15 };

	for (size_t i = 0; i < text.n && !l->found; i++) {
		char c = text.p[i];

		if (c == '\n') {
			l->within = false;
			l->n = 0;
		} else if (!l->within && c == mark.p[l->n]) {
			l->found = ++l->n == mark.n;
		} else {
			l->within = true;
		}
	}
}
