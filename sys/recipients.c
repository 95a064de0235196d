/*
 * A search in memory, line by line; what cannot be read now is no answer.
 */
#include "sys/recipients.h"

#include "mail/addr.h"

/* One line; its domain as RCPT's is, an A-label in lower case. */
static bool is_him(struct str line, struct str local, struct str domain)
{
	struct addr a = { .host = HOST_NONE };
	struct buf name = BUF(a.domain);

	line = str_trim(str_head(line, str_find(line, '#')));
	/* Most lines are somebody else's at their first octet. */
	if (line.n < 2 ||
	    (line.p[0] != '@' && line.p[0] != '"' &&
		!str_eqcase(str_head(line, 1), str_head(local, 1))))
		return false;
	if (line.p[0] == '@')
		return domain_ascii(str_skip(line, 1), &name) == 0 &&
		       str_eq(buf_str(&name), domain);
	return addr_mailbox(line, ADDR_UTF8_OK, &a) == 0 &&
	       str_eqcase(addr_local(&a), local) &&
	       str_eq(addr_domain(&a), domain);
}

struct verdict recipients_find(
    struct text *file, const char *path, struct str local, struct str domain)
{
	struct str text, line;

	if (text_refresh(file, path) < 0)
		return (struct verdict){ VERDICT_LATER, STR("4.3.5"),
			STR("the recipients cannot be read now") };
	text = buf_str(&file->b);
	while (str_cut(&text, '\n', &line))
		if (is_him(line, local, domain))
			return (struct verdict){ VERDICT_DONE, STR("2.1.5"),
				STR("good") };
	return (struct verdict){ VERDICT_NEVER, STR("5.1.1"),
		STR("no such recipient there") };
}
