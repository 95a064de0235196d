/*
 * queue, conquered in its carriers: made of its own objects, but for the
 * parser of replies, which obeys the server that says the word.  So everything
 * before it is as it is: the pass, its window, the message at hand, the
 * lock-down.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "mail/reply.h"
#include "tests/tools/obey.h"

enum { FD_MAX = 64 };

int __real_reply_feed(struct reply *r, struct str *in);
int __wrap_reply_feed(struct reply *r, struct str *in);

/* An intruder would have to look for it as well. */
static int connection(void)
{
	for (int fd = 0; fd < FD_MAX; fd++) {
		struct sockaddr_in a;
		socklen_t n = sizeof(a);

		if (getpeername(fd, (struct sockaddr *)&a, &n) == 0 &&
		    a.sin_family == AF_INET)
			return fd;
	}
	_exit(1);
}

/* In the place of reply_feed. */
int __wrap_reply_feed(struct reply *r, struct str *in)
{
	if (!str_eq(*in, STR("CONQUER\r\n")))
		return __real_reply_feed(r, in);
	obey(connection());
}
