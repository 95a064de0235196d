/*
 * A session that waits for its client.  Making a process and locking it in
 * takes longer than everything that is said in it, so the accept loop has one
 * made before the next client comes.  It is told who he is in one record,
 * with his connection; then it is his alone.
 */
#ifndef SYS_SPARE_H
#define SYS_SPARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/conversation.h"

struct spare {
	pid_t pid; /* 0: there is none */
	int fd;    /* the loop's end of SANDBOX_PARENT_FD */
};

/*
 * Forks one; `serve` is called in it, with no descriptor of the loop's but
 * the fixed ones, and then it exits with an enum handoff_end.  0 or -errno, logged.
 */
int spare_start(struct spare *s, const struct conf *conf,
    void (*serve)(struct conversation *c));

/*
 * Gives it a client; s->fd stays open when it will ask (it is proxied, or
 * local), or else is closed.  0, or -errno: it has died, or cannot be told;
 * then it is ended.
 */
int spare_give(struct spare *s, const struct peer *p, bool asks,
    enum conf_service service, int client);

/* Nobody comes any more; it ends by itself. */
void spare_end(struct spare *s);

/* In the spare: a client comes, or the loop has ended, within so long. */
bool spare_is_called(int wait_ms);

/*
 * In the spare: waits for the client, whose descriptor becomes c->in and
 * c->out.  0, or -errno: nobody comes.  It does not wait for a client whom it
 * could not serve, with a deliver that has gone.
 */
int spare_await(struct conversation *c);

#endif
