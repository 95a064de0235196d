/*
 * Texts for the resolver library.
 */
#include "mail/resolver.h"

#include <errno.h>

enum { PORT_MAX = 65535 };

/* Host and port apart; an IPv6 address has brackets when it has a port. */
static void split(struct str s, struct str *host, struct str *port)
{
	size_t end;

	*port = STR("53");
	*host = s;
	if (str_starts(s, STR("[")) && (end = str_find(s, ']')) < s.n) {
		*host = str_skip(str_head(s, end), 1);
		s = str_skip(s, end + 1);
		if (s.n > 0)
			*port = s.p[0] == ':' ? str_skip(s, 1) : str_head(s, 0);
		return;
	}
	end = str_find(s, ':');
	if (end == s.n || str_find(str_skip(s, end + 1), ':') < s.n - end - 1)
		return;
	*host = str_head(s, end);
	*port = str_skip(s, end + 1);
}

int resolver_put(struct buf *b, struct str s)
{
	struct buf was = *b;
	struct str host, port;
	struct netaddr a;
	uint64_t number;

	split(s, &host, &port);
	if (netaddr_parse(host, &a) != 0)
		return -EINVAL;
	if (str_u64(port, &number) != 0 || number == 0 || number > PORT_MAX)
		return -EINVAL;
	netaddr_put(b, &a);
	buf_putc(b, '@');
	buf_u64(b, number);
	if (!b->full)
		return 0;
	*b = was;
	return -EINVAL;
}

/* States 2 (valid) and 3 (missing) of RFC 5011 4.2. */
static bool is_trusted(struct str comment)
{
	struct str mark = STR(";;state=");

	for (; comment.n > mark.n; comment = str_skip(comment, 1))
		if (str_starts(comment, mark))
			return comment.p[mark.n] == '2' ||
			       comment.p[mark.n] == '3';
	return true;
}

int resolver_anchor(struct str *text, struct buf *b)
{
	struct str line;

	while (str_cut(text, '\n', &line)) {
		size_t end = str_find(line, ';');
		struct str record = str_trim(str_head(line, end));

		if (record.n == 0 || !is_trusted(str_skip(line, end)))
			continue;
		buf_clear(b);
		buf_put(b, record);
		buf_putc(b, '\0');
		return b->full ? -EINVAL : 0;
	}
	return RESOLVER_NO_MORE;
}
