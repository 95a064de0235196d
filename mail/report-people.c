/*
 * What a report tells people of a recipient: what became of the message, in
 * whose words, and whether there is anything to do.
 */
#include "mail/escape.h"
#include "mail/report.h"
#include "mail/trace.h"

enum { WIDTH = 72 };

/* Words in lines of WIDTH behind an indent; a longer word has its own. */
static void wrap(struct buf *b, const char *indent, struct str text)
{
	size_t start = 0;
	struct str word;

	while (str_word(&text, &word)) {
		if (start == 0 || b->n - start + 1 + word.n > WIDTH) {
			if (start > 0)
				buf_putc(b, '\n');
			start = b->n;
			buf_putz(b, indent);
		} else {
			buf_putc(b, ' ');
		}
		buf_put(b, word);
	}
	if (start > 0)
		buf_putc(b, '\n');
}

/* What a status code means to people; the first that fits. */
static const struct {
	const char *code; /* "5.7." stands for all that begin so */
	const char *advice;
} meanings[] = {
	{ "5.1.1", "There is no such mailbox.  Check how the address is "
		   "written, or ask the recipient for the right one." },
	{ "5.1.2", "There is no such domain.  Check what stands behind the "
		   "@ of the address." },
	{ "5.1.3", "The address is not well formed.  Check how it is "
		   "written." },
	{ "5.1.6", "The mailbox has moved.  Ask the recipient for the new "
		   "address." },
	{ "5.1.10", "That domain takes no mail at all.  Check what stands "
		    "behind the @ of the address." },
	{ "5.1.", "The address was not accepted.  Check how it is "
		  "written." },
	{ "5.2.1", "The mailbox is not in use any more.  Reach the recipient "
		   "in another way." },
	{ "5.2.2", "The mailbox is full.  Tell the recipient in another way, "
		   "or send the message again later." },
	{ "5.2.3", "The message is too large.  Send less of it, or send it "
		   "in parts." },
	{ "5.3.4", "The message is too large.  Send less of it, or send it "
		   "in parts." },
	{ "5.4.6", "The mail goes round in a circle.  Show this report to "
		   "the administrator of the recipient's mail system." },
	{ "5.4.", "There was no way to the recipient's mail system.  Check "
		  "what stands behind the @ of the address." },
	{ "5.6.7", "The recipient's mail system cannot take addresses beyond "
		   "ASCII.  Use another address, if there is one." },
	{ "5.6.", "The recipient's mail system cannot take a message of this "
		  "form.  Send it as plain text, or in another way." },
	{ "5.7.10", "It may only travel encrypted, to a host that proves to "
		    "be the right one, and no such way was found." },
	{ "5.7.30", "You asked that it stay encrypted all the way, and the "
		    "recipient's mail system does not promise that.  Send it "
		    "without that wish, if that will do." },
	{ "5.7.", "The message was refused by rule.  The words above may say "
		  "which; sending it again unchanged will not help." },
	{ "4.", "It was tried again and again until its time was over.  Send "
		"it again later, or reach the recipient in another way." },
	{ "", "If the words above do not tell what to do, show this report "
	      "to the administrator of your mail system." },
};

static const char *advice(struct str code)
{
	size_t i = 0;

	for (; i + 1 < sizeof(meanings) / sizeof(meanings[0]); i++) {
		struct str want = str_of(meanings[i].code);
		bool all = want.p[want.n - 1] != '.';

		if (all ? str_eq(code, want) : str_starts(code, want))
			break;
	}
	return meanings[i].advice;
}

/* As the sender wrote it, when that is not what it became. */
static void put_original(
    struct buf *b, const struct report *r, const struct report_rcpt *rcpt)
{
	char now[ESCAPE_ROOM + DOMAIN_MAX], then[ESCAPE_ROOM];
	struct buf is = BUF(now), was = BUF(then);
	size_t semi = str_find(rcpt->orcpt, ';');

	if (semi == rcpt->orcpt.n)
		return;
	escape_address(&is, rcpt->address, r->hostname, r->utf8);
	escape_xtext(&was, str_skip(rcpt->orcpt, semi + 1), r->utf8);
	if (was.n == 0 || str_eqcase(buf_str(&is), buf_str(&was)))
		return;
	buf_putz(b, "    (which you wrote to as <");
	buf_put(b, buf_str(&was));
	buf_putz(b, ">)\n");
}

/* Whose words, and the words. */
static void put_words(
    struct buf *b, const struct report *r, const struct report_rcpt *rcpt)
{
	char room[ESCAPE_ROOM];
	struct buf text = BUF(room);
	struct str said = rcpt->text;

	if (str_startscase(said, STR("smtp;")))
		said = str_skip(said, 5);
	escape_put(&text, said, r->utf8);
	if (str_trim(buf_str(&text)).n == 0)
		return;
	if (rcpt->remote.n > 0) {
		buf_putz(b, "    The mail system ");
		escape_put(b, rcpt->remote, r->utf8);
		buf_putz(b, " said:\n");
	} else {
		buf_putz(b, "    The reason:\n");
	}
	wrap(b, "        ", buf_str(&text));
}

void report_for_people(
    struct buf *b, const struct report *r, const struct report_rcpt *rcpt)
{
	static const char *const fates[] = {
		[REPORT_FAILED] = "was not delivered.",
		[REPORT_DELAYED] = "has not been reached yet.",
		[REPORT_DELIVERED] = "has it in the mailbox.",
		[REPORT_RELAYED] = "is served by the system it was passed to.",
	};

	buf_putz(b, "\n  <");
	escape_address(b, rcpt->address, r->hostname, r->utf8);
	buf_putz(b, ">\n");
	put_original(b, r, rcpt);
	wrap(b, "    ", str_of(fates[rcpt->action]));
	if (rcpt->action == REPORT_FAILED || rcpt->action == REPORT_DELAYED)
		put_words(b, r, rcpt);
	if (rcpt->action == REPORT_FAILED)
		wrap(b, "    ", str_of(advice(rcpt->code)));
	if (rcpt->action == REPORT_DELAYED && r->until_s > 0) {
		buf_putz(b, "    It is tried until ");
		date_put(b, r->until_s, r->offset_minutes);
		buf_putz(b, ".\n");
	}
}
