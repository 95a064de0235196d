/*
 * Passwords for next hops.  Nothing of a line of this file is ever logged.
 */
#include "sys/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/base64.h"
#include "sys/log.h"

enum { PATH_OCTETS = 4096, NONCE_OCTETS = 24 };

static struct {
	size_t n;
	char text[CREDENTIALS_OCTETS];
} file;

static int failed(const char *what, int rc)
{
	log_errno("credentials", what, -rc);
	return rc;
}

/* systemd has seen to who may read what it hands out. */
static bool is_safe(int fd, bool from_systemd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	if (from_systemd)
		return true;
	/* root's, for our group: others of the system may not change it */
	return (st.st_uid == geteuid() || st.st_uid == 0) &&
	       (st.st_mode & (st.st_gid == getegid() ? 037 : 077)) == 0;
}

static int take(int fd, const char *name, bool from_systemd)
{
	if (!is_safe(fd, from_systemd))
		return failed(
		    "owner or mode is not safe, wanted is 0600 or 0640",
		    -EPERM);
	file.n = 0;
	for (;;) {
		ssize_t n =
		    read(fd, file.text + file.n, sizeof(file.text) - file.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(name, -errno);
		if (n == 0)
			return 0;
		file.n += (size_t)n;
		if (file.n == sizeof(file.text)) {
			file.n = 0;
			return failed(name, -EFBIG);
		}
	}
}

static int load(const char *name, bool from_systemd)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return -errno;
	rc = take(fd, name, from_systemd);
	close(fd);
	return rc;
}

int credentials_load(const char *path)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char name[PATH_OCTETS];
	struct buf b = BUF(name);
	int rc = -ENOENT;

	file.n = 0;
	if (directory != NULL) {
		buf_putz(&b, directory);
		buf_putz(&b, "/smarthost");
		buf_putc(&b, '\0');
		rc = b.full ? -ENAMETOOLONG : load(name, true);
	}
	if (rc == -ENOENT && path != NULL)
		rc = load(path, false);
	if (rc == -ENOENT)
		return 0;
	if (rc == -EACCES)
		return failed(path ? path : name, rc);
	return rc;
}

static void set_password(struct sasl_secret *secret, struct str password)
{
	static const struct str bearer = { "bearer:", 7 };

	secret->is_token = str_starts(password, bearer);
	if (secret->is_token)
		password = str_skip(password, bearer.n);
	secret->password = password;
}

/* Base64 has no comma, which is all that SCRAM asks of it. */
static int set_nonce(struct sasl_secret *secret)
{
	static char text[BASE64_OCTETS(NONCE_OCTETS)];
	struct buf b = BUF(text);
	char octets[NONCE_OCTETS];

	if (getrandom(octets, sizeof(octets), 0) != sizeof(octets))
		return -EIO;
	base64_put(&b, str_at(octets, sizeof(octets)));
	secret->nonce = buf_str(&b);
	return 0;
}

int credentials_find(const struct hop *h, struct sasl_secret *secret)
{
	struct str all = str_at(file.text, file.n), line, host, user;

	while (str_cut(&all, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (!str_word(&line, &host) || host.p[0] == '#' ||
		    !str_word(&line, &user) || !str_eqcase(host, h->host) ||
		    !str_eq(user, h->user))
			continue;
		line = str_trim(line);
		if (line.n == 0)
			continue;
		*secret = (struct sasl_secret){ .user = h->user };
		set_password(secret, line);
		return set_nonce(secret);
	}
	return -ENOENT;
}
