/*
 * Queue files for reading.  The pass has looked at the file before; it is
 * still read as strictly here, for what is wrong must not be sent.
 */
#include "sys/parcel.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 64 * 1024 };

static ssize_t read_at(int fd, char *to, size_t max, uint64_t at)
{
	ssize_t n;

	do
		n = pread(fd, to, max, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int read_rcpt(
    struct parcel *p, uint64_t at, struct qfile_rcpt *r, size_t *used)
{
	ssize_t n = read_at(p->fd, p->rcpt_octets, sizeof(p->rcpt_octets), at);

	if (n < 0)
		return (int)n;
	return qfile_get_rcpt(
		   str_at(p->rcpt_octets, (size_t)n), r, used, NULL) == 0
		   ? 0
		   : -EINVAL;
}

/* Where the content begins: behind the last recipient. */
static int skip_rcpts(struct parcel *p)
{
	static char block[BLOCK];
	uint64_t at = p->content_at;
	unsigned left = p->head.nrcpt;

	while (left > 0) {
		ssize_t n = read_at(p->fd, block, sizeof(block), at);
		struct str s = str_at(block, n > 0 ? (size_t)n : 0);
		unsigned before = left;

		if (n < 0)
			return (int)n;
		while (left > 0) {
			struct qfile_rcpt r;
			size_t used;
			int rc = qfile_get_rcpt(s, &r, &used, NULL);

			if (rc == QFILE_MORE)
				break;
			if (rc != 0)
				return -EINVAL;
			s = str_skip(s, used);
			at += used;
			left--;
		}
		if (left == before)
			return -EINVAL; /* the file ends here */
	}
	p->content_at = at;
	return 0;
}

static int find_end(struct parcel *p)
{
	char text[QFILE_END_OCTETS];
	struct stat st;
	uint64_t octets;
	uint32_t crc;
	ssize_t n;

	if (fstat(p->fd, &st) != 0)
		return -errno;
	if ((uint64_t)st.st_size < p->content_at + sizeof(text))
		return -EINVAL;
	p->content_end = (uint64_t)st.st_size - sizeof(text);
	n = read_at(p->fd, text, sizeof(text), p->content_end);
	if (n < 0)
		return (int)n;
	if (qfile_get_end(str_at(text, (size_t)n), &octets, &crc) != 0 ||
	    octets != p->content_end)
		return -EINVAL;
	return 0;
}

/* As it is in the file, but for its front.  p->read_at goes on as if that
 * stood there, too. */
static ssize_t read_stored(struct parcel *p, char *to, size_t max)
{
	struct str front = p->front;
	uint64_t at = p->read_at - p->content_at, left;
	ssize_t n;

	if (at < front.n) {
		front = str_head(str_skip(front, (size_t)at), max);
		memcpy(to, front.p, front.n);
		p->read_at += front.n;
		return (ssize_t)front.n;
	}
	at = p->read_at - front.n + p->front_for;
	left = p->content_end - at;
	if (left == 0)
		return 0;
	n = read_at(p->fd, to, max < left ? max : (size_t)left, at);
	if (n == 0)
		return -EIO; /* it has become shorter */
	if (n > 0)
		p->read_at += (uint64_t)n;
	return n;
}

/* What does not fit the room is read again. */
static ssize_t read_encoded(struct parcel *p, char *to, size_t max)
{
	static char block[ENCODE_ROOM];
	struct buf b = { to, 0, max, false };

	while (b.n == 0 && !p->ended) {
		ssize_t n = read_stored(p, block, sizeof(block));

		if (n < 0)
			return n;
		if (n > 0) {
			size_t used = encode_feed(
			    &p->encode, str_at(block, (size_t)n), &b);

			p->read_at -= (size_t)n - used;
			continue;
		}
		encode_finish(&p->encode, &b);
		p->ended = true;
	}
	return b.full ? -EIO : (ssize_t)b.n;
}

void parcel_rewind(struct parcel *p)
{
	p->read_at = p->content_at;
	p->ended = false;
	if (p->encoded)
		p->encode = p->looked;
}

ssize_t parcel_read(struct parcel *p, char *to, size_t max)
{
	return p->encoded ? read_encoded(p, to, max) : read_stored(p, to, max);
}

static int sum_content(struct parcel *p)
{
	static char block[BLOCK];
	ssize_t n;

	p->sum = (struct wire_sum){ 0 };
	parcel_rewind(p);
	while ((n = parcel_read(p, block, sizeof(block))) > 0)
		wire_add(&p->sum, str_at(block, (size_t)n));
	return (int)n;
}

/* Mail of our own users is made to arrive; of others we change nothing. */
static int look_at_lines(struct parcel *p)
{
	static char block[BLOCK];
	ssize_t n;

	if (!p->head.submitted || p->sum.longest <= ENCODE_LINE_MAX)
		return 0;
	p->looked = (struct encode){ 0 };
	parcel_rewind(p);
	while ((n = read_stored(p, block, sizeof(block))) > 0)
		encode_look(&p->looked, str_at(block, (size_t)n));
	if (n < 0)
		return (int)n;
	p->encoded = encode_is_needed(&p->looked);
	return p->encoded ? sum_content(p) : 0;
}

static int look_at_all(struct parcel *p)
{
	int rc = sum_content(p);

	return rc == 0 ? look_at_lines(p) : rc;
}

int parcel_open(struct parcel *p, int fd)
{
	ssize_t n;
	size_t used;
	int rc;

	p->fd = fd;
	p->nrcpt = 0;
	p->encoded = false;
	p->front = STR("");
	p->front_for = 0;
	n = read_at(fd, p->head_octets, sizeof(p->head_octets), 0);
	if (n < 0)
		return (int)n;
	if (qfile_get_head(
		str_at(p->head_octets, (size_t)n), &p->head, &used, NULL) != 0)
		return -EINVAL;
	p->content_at = used;
	rc = skip_rcpts(p);
	if (rc == 0)
		rc = find_end(p);
	p->guise = p->head;
	return rc == 0 ? look_at_all(p) : rc;
}

/* Something that nobody may touch is in the text behind the header. */
static int is_sealed(struct parcel *p, bool *sealed)
{
	static char block[BLOCK];
	struct masquerade_look look = { 0 };
	ssize_t n;

	parcel_rewind(p);
	while ((n = read_stored(p, block, sizeof(block))) > 0 && !look.found)
		masquerade_look(&look, str_at(block, (size_t)n));
	*sealed = look.found;
	return n < 0 ? (int)n : 0;
}

/* Another header in the place of the one that it has, where it may be. */
static int dress_header(struct parcel *p, const struct masquerade *m)
{
	static char in[MASQUERADE_HEADER_MAX], out[MASQUERADE_ROOM];
	struct buf b = BUF(out);
	bool sealed;
	size_t used;
	ssize_t n = read_at(p->fd, in,
	    p->content_end - p->content_at < sizeof(in)
		? (size_t)(p->content_end - p->content_at)
		: sizeof(in),
	    p->content_at);
	int rc;

	if (n < 0)
		return (int)n;
	if (masquerade_header(
		m, p->head.sender, str_at(in, (size_t)n), &used, &b) != 0)
		return 0;
	rc = is_sealed(p, &sealed);
	if (rc == 0 && !sealed) {
		p->front = buf_str(&b);
		p->front_for = used;
	}
	return rc;
}

int parcel_dress(struct parcel *p, const struct masquerade *m)
{
	struct buf sender = BUF(p->sender);
	bool was = p->front.n > 0;
	int rc = 0;

	p->guise = p->head;
	p->front = STR("");
	p->front_for = 0;
	if (m) {
		masquerade_sender(m, p->head.sender, &sender);
		p->guise.sender = buf_str(&sender);
	}
	if (m && p->head.submitted)
		rc = dress_header(p, m);
	if (rc == 0 && (was || p->front.n > 0)) {
		p->encoded = false;
		rc = look_at_all(p);
	}
	return rc;
}

int parcel_add_rcpt(struct parcel *p, uint64_t at)
{
	struct qfile_rcpt r;
	size_t used;
	int rc;

	if (p->nrcpt == QFILE_RCPT_MAX)
		return -E2BIG;
	if (at >= p->content_at)
		return -EINVAL;
	rc = read_rcpt(p, at, &r, &used);
	if (rc == 0)
		p->rcpt_at[p->nrcpt++] = at;
	return rc;
}

int parcel_rcpt(struct parcel *p, unsigned i, struct qfile_rcpt *r)
{
	size_t used;

	if (i >= p->nrcpt)
		return -EINVAL;
	return read_rcpt(p, p->rcpt_at[i], r, &used);
}
