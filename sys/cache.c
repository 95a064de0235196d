/*
 * A table of fixed size with one place for every hash: a newer entry takes
 * the place of an older one.
 */
#include "sys/cache.h"

#include "sys/text.h"

enum {
	ENTRIES = 1024,
	KEY_MAX = 400, /* flags, local part (64), domain (255) */
	PLAN_KEPT_MAX = 624,
	FRESH_MS = 1000,
	LIFE_MS = 5000,
	FILES = 2
};

struct entry {
	int64_t put_ms;
	uint64_t age;
	unsigned short nkey, nplan;
	char key[KEY_MAX];
	char plan[PLAN_KEPT_MAX];
};

static struct entry table[ENTRIES];
static struct text_mark marks[FILES];
static uint64_t age = 1; /* 0: an entry never used */

void cache_check(const struct conf *conf)
{
	const char *path[FILES] = { conf->aliases,
		conf->users_file ? conf->users_file : "/etc/passwd" };
	struct text_mark now;

	for (unsigned i = 0; i < FILES; i++) {
		text_mark(&now, path[i]);
		if (!text_mark_eq(&now, &marks[i]))
			age++;
		marks[i] = now;
	}
}

void cache_forget(void)
{
	age++;
}

uint64_t cache_age(void)
{
	return age;
}

static bool put_key(struct buf *key, const struct request *r)
{
	request_field(key, r->field[0]);
	request_field(key, r->field[1]);
	request_field(key, r->field[2]);
	return !key->full;
}

/* FNV-1a. */
static struct entry *place(struct str key)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (unsigned char)key.p[i]) * 1099511628211u;
	return &table[(h ^ (h >> 32)) % ENTRIES];
}

bool cache_get(
    const struct request *r, int64_t now_ms, bool old, struct str *plan)
{
	char text[KEY_MAX];
	struct buf key = BUF(text);
	const struct entry *e;

	if ((r->letter != 'L' && r->letter != 'R') || !put_key(&key, r))
		return false;
	e = place(buf_str(&key));
	if (e->age != age || now_ms - e->put_ms > (old ? LIFE_MS : FRESH_MS) ||
	    !str_eq(str_at(e->key, e->nkey), buf_str(&key)))
		return false;
	*plan = str_at(e->plan, e->nplan);
	return true;
}

void cache_put(
    const struct request *r, uint64_t asked, int64_t now_ms, struct str plan)
{
	char text[KEY_MAX];
	struct buf key = BUF(text), at;
	struct entry *e;

	if (asked != age || plan.n > PLAN_KEPT_MAX || !put_key(&key, r))
		return;
	e = place(buf_str(&key));
	e->age = age;
	e->put_ms = now_ms;
	at = BUF(e->key);
	buf_put(&at, buf_str(&key));
	e->nkey = (unsigned short)at.n;
	at = BUF(e->plan);
	buf_put(&at, plan);
	e->nplan = (unsigned short)at.n;
}
