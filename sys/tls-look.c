/*
 * The pairs are tried as a server tries them, and what a client would object
 * to is looked at besides: their dates.
 */
#include "sys/tls-look.h"

#include "sys/tls-certs.h"

#ifdef HAVE_OPENSSL
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/privilege.h"

#define ACCOUNT "_postern-tls"

enum { LATER = 1, DATES_BROKEN = 2 };

struct look {
	const struct conf *conf;
	unsigned faults, pairs;
};

static void say(
    struct look *l, const char *grade, const char *path, const char *text)
{
	l->faults += strcmp(grade, "fault") == 0;
	printf("certificate\t%s\t%s\t%s\n", grade, path, text);
}

/* Of the first certificate of a chain, which is the server's own. */
static X509 *read_first(const char *chain)
{
	FILE *f = fopen(chain, "re");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

	if (f)
		fclose(f);
	return x;
}

/* Days until it ends, negative when it has ended. */
static int look_at_dates(const char *chain, int *days)
{
	X509 *x = read_first(chain);
	int seconds = 0, rc = 0;

	if (!x ||
	    ASN1_TIME_diff(days, &seconds, NULL, X509_get0_notAfter(x)) != 1)
		rc = DATES_BROKEN;
	else if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		rc = LATER;
	else if (*days == 0 && seconds <= 0)
		*days = -1;
	X509_free(x);
	return rc;
}

static int try_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Asked by a child that is the account, so that groups and directories count
 * as they will. */
static bool is_closed(const char *chain, const char *key)
{
	int status = 0;
	pid_t child;

	if (geteuid() != 0 || getpwnam(ACCOUNT) == NULL)
		return false;
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(privilege_drop(ACCOUNT) < 0 || try_open(chain) < 0 ||
		      try_open(key) < 0);
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return true;
	return child < 0 || status != 0;
}

/* What was found of a pair that works. */
static void look_at_good(struct look *l, const char *chain, const char *key)
{
	char text[64];
	struct stat st;
	int days = 0, rc = look_at_dates(chain, &days);

	if (rc == 0 && days >= 0)
		snprintf(text, sizeof(text), "ends in %d days", days);
	if (rc == DATES_BROKEN)
		say(l, "fault", chain, "its dates cannot be read");
	else if (rc == LATER)
		say(l, "fault", chain, "is not valid yet");
	else if (days < 0)
		say(l, "fault", chain, "has expired");
	else
		say(l, days < TLS_LOOK_DAYS ? "warning" : "ok", chain, text);
	if (stat(key, &st) == 0 && (st.st_mode & 007) != 0)
		say(l, "warning", key, "everybody can use this key");
	if (is_closed(chain, key))
		say(l, "closed", key, ACCOUNT " cannot read it");
}

static void look_at_pair(struct look *l, const char *chain, const char *key)
{
	const char *const files[] = { chain, key };
	const char *wrong;

	l->pairs++;
	for (size_t i = 0; i < 2; i++) {
		int rc = try_open(files[i]);

		if (rc < 0) {
			say(l, rc == -EACCES ? "unseen" : "fault", files[i],
			    strerror(-rc));
			return;
		}
	}
	wrong = tls_certs_wrong(l->conf, chain, key);
	if (wrong)
		say(l, "fault", chain, wrong);
	else
		look_at_good(l, chain, key);
}

/* Only the service has what systemd hands it. */
static bool is_handed(const char *name)
{
	return str_starts(str_of(name), STR("credential:")) &&
	       getenv("CREDENTIALS_DIRECTORY") == NULL;
}

static void look_at_configured(struct look *l, unsigned i)
{
	char chain[TLS_CERTS_PATH], key[TLS_CERTS_PATH];
	const char *name = l->conf->tls_certificates.v[i];
	const char *other =
	    i < l->conf->tls_keys.n ? l->conf->tls_keys.v[i] : name;

	if (is_handed(name) || is_handed(other))
		say(l, "ok", name, "only the service sees it");
	else if (tls_certs_path(name, chain) && tls_certs_path(other, key))
		look_at_pair(l, chain, key);
	else
		say(l, "fault", name, strerror(ENAMETOOLONG));
}

static void look_at_directory(struct look *l, const char *directory)
{
	char chain[TLS_CERTS_PATH], key[TLS_CERTS_PATH];
	struct dirent **list;
	int n = scandir(directory, &list, NULL, alphasort);

	if (n < 0) {
		say(l, errno == EACCES ? "unseen" : "fault", directory,
		    strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;

		if (name[0] != '.' &&
		    tls_certs_in(directory, name, false, chain) &&
		    tls_certs_in(directory, name, true, key) &&
		    access(chain, F_OK) == 0)
			look_at_pair(l, chain, key);
		free(list[i]);
	}
	free(list);
	if (l->pairs == 0)
		say(l, "fault", directory, "there is no certificate");
}

unsigned tls_look(const struct conf *c)
{
	struct look l = { .conf = c };

	for (unsigned i = 0; i < c->tls_certificates.n; i++)
		look_at_configured(&l, i);
	if (c->tls_directory)
		look_at_directory(&l, c->tls_directory);
	return l.faults;
}
#endif
