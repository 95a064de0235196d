/*
 * Clock, zone and random octets come from the system; the rest is mail/'s.
 */
#include "sys/heading.h"

#include <sys/random.h>
#include <unistd.h>

#include "mail/trace.h"
#include "mail/words.h"

enum { FOLD = 70 };

void heading_from(struct buf *b, struct str name, struct str address)
{
	buf_putz(b, "From: ");
	if (name.n > 0) {
		words_put_name(b, name);
		buf_putz(b, b->n + address.n > FOLD ? "\n <" : " <");
	}
	buf_put(b, address);
	buf_putz(b, name.n > 0 ? ">\n" : "\n");
}

void heading_date(struct buf *b, time_t now)
{
	struct tm tm;

	buf_putz(b, "Date: ");
	date_put(b, (int64_t)now,
	    localtime_r(&now, &tm) ? (int)(tm.tm_gmtoff / 60) : 0);
	buf_putc(b, '\n');
}

void heading_message_id(struct buf *b, time_t now, struct str hostname)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint64_t)getpid();
	buf_putz(b, "Message-ID: <");
	buf_u64(b, (uint64_t)now);
	buf_putc(b, '.');
	buf_hex(b, random, 16);
	buf_putc(b, '@');
	buf_put(b, hostname);
	buf_putz(b, ">\n");
}
