/*
 * postern.conf: whatever the file holds, either the complaint names it, or
 * every value is one that the programs can work with.
 */
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "mail/domain.h"
#include "sys/conf.h"

static void path_holds(const char *path)
{
	HOLDS(path != NULL && path[0] == '/');
}

static void domain_holds(struct str d)
{
	char text[DOMAIN_MAX];
	struct buf b = BUF(text);

	HOLDS(domain_ascii(d, &b) == 0 && str_eq(buf_str(&b), d));
}

static void domains_hold(const struct conf_domains *d)
{
	HOLDS(d->n <= CONF_LIST_MAX);
	for (unsigned i = 0; i < d->n; i++) {
		domain_holds(d->v[i]);
		HOLDS(conf_has_domain(d, d->v[i]));
	}
}

static void holds(const struct conf *c)
{
	domain_holds(c->hostname);
	domain_holds(c->origin);
	domains_hold(&c->local_domains);
	domains_hold(&c->relay_domains);
	HOLDS(c->relay_networks.n <= CONF_LIST_MAX);
	HOLDS(c->mailbox_path[0] == '/' || c->mailbox_path[0] == '~');
	if (c->users_file)
		path_holds(c->users_file);
	path_holds(c->root_mailbox);
	path_holds(c->aliases);
	path_holds(c->spool);
	path_holds(c->run_directory);
	HOLDS(c->message_size_limit >= 1024);
	HOLDS(c->recipient_limit >= 100 && c->recipient_limit <= 4096);
	HOLDS(c->connection_limit > 0 && c->source_limit > 0);
	HOLDS(c->local_connection_limit > 0 && c->command_timeout_s > 0);
	HOLDS(c->minimum_uid > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct conf conf;
	static int fd = -1;
	static char name[64];
	char text[512];
	struct buf why = BUF(text);
	int rc;

	if (fd < 0) {
		fd = memfd_create("conf", 0);
		(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, 0) != 0 ||
	    pwrite(fd, input, size, 0) != (ssize_t)size)
		abort();
	rc = conf_read(&conf, name, &why);
	if (rc == 0)
		holds(&conf);
	else
		HOLDS(str_starts(buf_str(&why), str_of(name)));
	HOLDS(rc == 0 || rc == CONF_FAULT || size >= CONF_TEXT_MAX);
	return 0;
}
