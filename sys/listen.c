/*
 * Sockets to listen on.
 */
#include "sys/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/peer.h"

enum { LISTEN_FIRST_FD = 3, BACKLOG = 1024 };

/* `name` is empty or unknown: the port tells. */
static enum conf_service service_of(
    const struct sockaddr_storage *ss, struct str name)
{
	enum conf_service s = conf_service(name);
	unsigned short port = 0;
	struct netaddr a;

	if (s != SERVICE_NONE)
		return s;
	(void)peer_netaddr(ss, &a, &port);
	return conf_service_of_port(port);
}

static int add(struct listeners *l, int fd, struct str name)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	int accepts = 0, type = 0;
	socklen_t size = sizeof(int);

	if (l->n == LISTEN_MAX)
		return -EMFILE;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
	    accepts != (l->type != SOCK_DGRAM) ||
	    (l->type != 0 && type != l->type) ||
	    getsockname(fd, (struct sockaddr *)&ss, &n) != 0)
		return -EINVAL;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return -errno;
	l->v[l->n].fd = fd;
	l->v[l->n].local = ss.ss_family == AF_UNIX;
	l->v[l->n].service = service_of(&ss, name);
	l->n++;
	return 0;
}

static int inherit(struct listeners *l)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	const char *names = getenv("LISTEN_FDNAMES");
	struct str rest = str_of(names ? names : ""), name;
	uint64_t n, owner;
	int rc = 0;

	if (!fds || !pid || str_u64(str_of(fds), &n) != 0 ||
	    str_u64(str_of(pid), &owner) != 0 || owner != (uint64_t)getpid())
		return 0;
	for (uint64_t i = 0; i < n && i < LISTEN_MAX && rc == 0; i++) {
		if (!str_cut(&rest, ':', &name))
			name = STR("");
		rc = add(l, LISTEN_FIRST_FD + (int)i, name);
	}
	l->activated = l->n > 0;
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	return rc;
}

int listen_inherit(struct listeners *l)
{
	int rc = inherit(l);
	unsigned first = LISTEN_FIRST_FD + l->n, keep = (unsigned)log_fd();

	if (keep != ~0u && keep >= first) {
		io_close_range(first, keep - 1);
		first = keep + 1;
	}
	io_close_range(first, ~0u);
	return rc;
}

/* A socket file that nobody answers on is in the way; remove it. */
static int clear_path(const char *path, int type)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = io_connect_unix(path, type);
	if (fd >= 0)
		close(fd);
	if (fd != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(path) == 0 ? 0 : -errno;
}

static int add_unix(
    struct listeners *l, const char *path, int type, unsigned mode)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, rc;
	mode_t mask;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	rc = clear_path(path, type);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The mode holds from the first moment on. */
	mask = umask(~mode & 0777);
	rc = bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ? -errno : 0;
	umask(mask);
	if (rc == 0 && type != SOCK_DGRAM && listen(fd, BACKLOG) != 0)
		rc = -errno;
	if (rc == 0)
		rc = add(l, fd, STR(""));
	if (rc < 0)
		close(fd);
	return rc;
}

static int add_inet(
    struct listeners *l, const struct addrinfo *a, struct str name)
{
	int on = 1, rc = 0;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6)
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 ||
	    listen(fd, BACKLOG) != 0)
		rc = -errno;
	if (rc == 0)
		rc = add(l, fd, name);
	if (rc < 0)
		close(fd);
	return rc;
}

/* "host:port" taken apart into NUL-terminated halves of `text`. */
static bool split(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':');
	size_t n;

	if (!colon || colon[1] == '\0')
		return false;
	*colon = '\0';
	*port = colon + 1;
	*host = text;
	n = strlen(text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text[n - 1] = '\0';
		*host = text + 1;
	}
	return true;
}

static int add_host(
    struct listeners *l, const char *address, struct str name, struct buf *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST };
	struct addrinfo *list = NULL;
	char text[256], *host, *port;
	int rc;

	if (strlen(address) >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, address, strlen(address) + 1);
	if (!split(text, &host, &port)) {
		buf_putz(why, "host:port, [v6]:port or unix:/path is needed");
		return -EINVAL;
	}
	if (strcmp(host, "localhost") == 0)
		hints.ai_flags = AI_PASSIVE;
	rc = getaddrinfo(*host ? host : NULL, port, &hints, &list);
	if (rc != 0) {
		buf_putz(why, gai_strerror(rc));
		return -EINVAL;
	}
	for (const struct addrinfo *a = list; a && rc == 0; a = a->ai_next)
		rc = add_inet(l, a, name);
	freeaddrinfo(list);
	return rc;
}

int listen_add(struct listeners *l, const char *address, int type,
    unsigned mode, struct buf *why)
{
	struct str name = str_of(address);
	int rc;

	name = str_head(name, str_find(name, '='));
	if (name.n > 0 && conf_service(name) != SERVICE_NONE)
		address += name.n + 1;
	else
		name = STR("");
	if (str_starts(str_of(address), STR("unix:")))
		rc = add_unix(l, address + 5, type, mode);
	else
		rc = add_host(l, address, name, why);
	if (rc < 0 && why->n == 0)
		buf_putz(why, strerror(-rc));
	return rc;
}

int listen_private(struct listeners *l, const char *program,
    const char *address, int type, const char *user)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;
	char text[256];
	struct buf why = BUF(text);

	if (!str_starts(str_of(address), STR("unix:/"))) {
		fprintf(stderr, "%s: -l %s: unix:/PATH is needed\n", program,
		    address);
		return EX_USAGE;
	}
	if (listen_add(l, address, type, 0600, &why) < 0) {
		fprintf(stderr, "%s: -l %s: %.*s\n", program, address,
		    (int)why.n, why.p);
		return EX_OSERR;
	}
	if (pw && lchown(address + 5, pw->pw_uid, (gid_t)-1) != 0)
		log_errno("listen", address + 5, errno);
	return 0;
}

void listen_raise(struct listeners *l, int min)
{
	for (unsigned i = 0; i < l->n; i++) {
		l->v[i].fd = io_raise_fd(l->v[i].fd, min);
		if (l->v[i].fd < 0) /* poll passes it over */
			log_errno("listen", "descriptor", -l->v[i].fd);
	}
}
