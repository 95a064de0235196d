/*
 * report: a delivery status notification from a file of fields, for a script
 * that reads what comes out.
 *
 *	report FIELDS ORIGINAL
 *
 * FIELDS are pairs of a name and a value, each ended by NUL; a recipient
 * begins with its "action".  The report goes to standard output.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/report.h"

enum { FILE_MAX = 16 * 1024 * 1024, RCPTS = 8192 };

static char fields[FILE_MAX], original[FILE_MAX], room[REPORT_PIECE_MAX];
static struct report_rcpt rcpts[RCPTS];
static size_t nrcpt;
static enum report_action gravest = REPORT_RELAYED;

static struct str load(const char *path, char *into)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL)
		exit(2);
	n = fread(into, 1, FILE_MAX, f);
	fclose(f);
	return str_at(into, n);
}

static int64_t number(struct str s)
{
	uint64_t v = 0;

	if (str_u64(s, &v) != 0)
		exit(2);
	return (int64_t)v;
}

static void action(struct str value)
{
	if (nrcpt == RCPTS)
		exit(2);
	rcpts[nrcpt].action = (enum report_action)number(value);
	if (rcpts[nrcpt].action < gravest)
		gravest = rcpts[nrcpt].action;
	nrcpt++;
}

static void set(struct report *r, struct str name, struct str value)
{
	struct report_rcpt *rcpt = &rcpts[nrcpt > 0 ? nrcpt - 1 : 0];
	struct {
		const char *name;
		struct str *text;
		int64_t *number;
		bool *flag;
	} names[] = {
		{ "hostname", &r->hostname, NULL, NULL },
		{ "id", &r->id, NULL, NULL },
		{ "to", &r->to, NULL, NULL },
		{ "envid", &r->envid, NULL, NULL },
		{ "arrival", NULL, &r->arrival_s, NULL },
		{ "now", NULL, &r->now_s, NULL },
		{ "until", NULL, &r->until_s, NULL },
		{ "utf8", NULL, NULL, &r->utf8 },
		{ "full", NULL, NULL, &r->full },
		{ "address", &rcpt->address, NULL, NULL },
		{ "orcpt", &rcpt->orcpt, NULL, NULL },
		{ "code", &rcpt->code, NULL, NULL },
		{ "text", &rcpt->text, NULL, NULL },
		{ "remote", &rcpt->remote, NULL, NULL },
		{ "last", NULL, &rcpt->last_attempt_s, NULL },
	};

	if (str_eq(name, STR("action"))) {
		action(value);
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!str_eq(name, str_of(names[i].name)))
			continue;
		if (names[i].text != NULL)
			*names[i].text = value;
		if (names[i].number != NULL)
			*names[i].number = number(value);
		if (names[i].flag != NULL)
			*names[i].flag = number(value) != 0;
		return;
	}
	exit(2);
}

static void flush(struct buf *b)
{
	if (b->full)
		exit(3);
	fwrite(b->p, 1, b->n, stdout);
	buf_clear(b);
}

static void put_original(
    struct buf *b, const struct report *r, struct str message)
{
	struct report_copy copy = { 0 };

	while (message.n > 0) {
		message = str_skip(message, report_copy(&copy, r, message, b));
		flush(b);
	}
	report_copy_finish(&copy, r, b);
}

/* The header alone decides, unless the whole message goes back. */
static bool is_plain(const struct report *r, struct str message)
{
	size_t column = 0;

	for (size_t i = 0; !r->full && i + 1 < message.n; i++)
		if (message.p[i] == '\n' && message.p[i + 1] == '\n')
			message.n = i;
	return report_is_plain(&column, message);
}

int main(int argc, char **argv)
{
	struct report r = { .hostname = STR("mx.example.org") };
	struct buf b = BUF(room);
	struct str rest, name, value, message;

	if (argc != 3)
		return 2;
	rest = load(argv[1], fields);
	message = load(argv[2], original);
	while (str_cut(&rest, '\0', &name) && str_cut(&rest, '\0', &value))
		set(&r, name, value);
	r.plain = is_plain(&r, message);
	report_begin(&b, &r, gravest);
	flush(&b);
	for (size_t i = 0; i < nrcpt; i++) {
		report_for_people(&b, &r, &rcpts[i]);
		flush(&b);
	}
	report_machine(&b, &r);
	flush(&b);
	for (size_t i = 0; i < nrcpt; i++) {
		report_for_machines(&b, &r, &rcpts[i]);
		flush(&b);
	}
	report_original(&b, &r);
	put_original(&b, &r, message);
	report_end(&b, &r);
	flush(&b);
	return fflush(stdout) == 0 ? 0 : 3;
}
