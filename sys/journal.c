/*
 * A line of the log is taken apart into its fields (sys/log.h wrote it, and
 * what it says is escaped), and sent by libsystemd.  The journal's socket is
 * the pass's alone: carriers hand their lines to it (sys/crew).
 */
#include "sys/journal.h"

#ifdef HAVE_SYSTEMD

#define SD_JOURNAL_SUPPRESS_LOCATION 1
#include <systemd/sd-journal.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/log.h"

enum {
	FIELDS = 32,
	ROOM = 2 * LOG_LINE_MAX + FIELDS * 16,
	TAG = 3 /* "<6>" */
};

/* Upper case letters, and _ for whatever else there may be. */
static void put_name(struct buf *b, struct str key)
{
	buf_putz(b, "POSTERN_");
	for (size_t i = 0; i < key.n; i++)
		buf_putc(b, key.p[i] >= 'a' && key.p[i] <= 'z'
				? (char)(key.p[i] - 'a' + 'A')
				: '_');
	buf_putc(b, '=');
}

static bool send(struct str line)
{
	static char room[ROOM];
	struct buf b = BUF(room);
	struct iovec v[FIELDS];
	struct str rest = str_skip(line, TAG), key, value;
	size_t mark = 0;
	int n = 0;

	buf_putz(&b, "PRIORITY=");
	buf_putc(&b, line.p[1]);
	v[n++] = (struct iovec){ b.p, b.n };
	mark = b.n;
	buf_putz(&b, "MESSAGE=");
	buf_put(&b, rest);
	v[n++] = (struct iovec){ b.p + mark, b.n - mark };
	while (n < FIELDS && log_field(&rest, &key, &value)) {
		mark = b.n;
		put_name(&b, key);
		buf_put(&b, value);
		v[n++] = (struct iovec){ b.p + mark, b.n - mark };
	}
	return !b.full && sd_journal_sendv(v, n) == 0;
}

/* JOURNAL_STREAM is device and inode of what the service manager made our
 * standard error, which may be another by now. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	struct str inode = str_of(text ? text : ""), device;
	uint64_t d, i;
	struct stat st;

	return str_cut(&inode, ':', &device) && str_u64(device, &d) == 0 &&
	       str_u64(inode, &i) == 0 && fstat(2, &st) == 0 &&
	       st.st_dev == d && st.st_ino == i;
}

/* libsystemd is silent when its socket is not there, in a container say. */
void journal_start(void)
{
	if (stderr_is_journal() &&
	    access("/run/systemd/journal/socket", W_OK) == 0)
		log_divert(send);
}

#else

void journal_start(void)
{
}

#endif
