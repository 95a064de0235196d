/*
 * A build without OpenSSL: it says so, and who must have TLS waits.
 */
#include "sys/tls-client.h"

#include <errno.h>

#ifndef HAVE_OPENSSL

bool tls_client_is_there(void)
{
	return false;
}

int tls_client_start(bool authorities)
{
	(void)authorities;
	return -ENOTSUP;
}

int tls_client_begin(int fd, const struct tls_wish *wish, int64_t deadline_ms)
{
	(void)fd;
	(void)wish;
	(void)deadline_ms;
	return -ENOTSUP;
}

int tls_client_vouch(struct str name)
{
	(void)name;
	return -ENOTSUP;
}

struct str tls_client_why(void)
{
	return STR("TLS is not built in");
}

ssize_t tls_client_read(char *to, size_t max, short *events)
{
	(void)to;
	(void)max;
	(void)events;
	return -ENOTSUP;
}

ssize_t tls_client_write(struct str s, short *events)
{
	(void)s;
	(void)events;
	return -ENOTSUP;
}

void tls_client_end(void)
{
}

const struct sasl_crypto *tls_client_crypto(void)
{
	return NULL;
}
#endif
