/*
 * Lists of addresses: an element's marks lie in it, in order; what was made
 * out as an address is one, and is found again when it is written alone; the
 * reader gets to the end.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/list.h"

static void again(const struct addr *a)
{
	char room[ADDR_TEXT_MAX];
	struct buf b = BUF(room);
	struct list l;
	struct list_item item;

	addr_put(&b, a);
	HOLDS(!b.full && b.n > 0);
	if (b.n > PATH_MAX_LEN - 2) /* it was shorter as it stood there */
		return;
	l = (struct list){ .text = buf_str(&b) };
	HOLDS(list_next(&l, &item) == 0);
	HOLDS(addr_eq(&item.addr, a));
	HOLDS(list_next(&l, &item) == LIST_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);
	struct list l = { .text = s };
	struct list_item item;
	size_t turns = 0;
	int rc;

	while ((rc = list_next(&l, &item)) != LIST_END) {
		HOLDS(rc == 0 || rc == LIST_BAD);
		HOLDS(turns++ <= s.n);
		HOLDS(l.at <= s.n && item.from + item.text.n <= l.at);
		HOLDS(item.text.p == s.p + item.from);
		if (rc != 0)
			continue;
		HOLDS(item.from <= item.phrase);
		HOLDS(item.phrase <= item.from + item.text.n);
		HOLDS(item.end > item.from);
		HOLDS(item.end <= item.from + item.text.n);
		HOLDS(
		    str_find(addr_local(&item.addr), '\n') == item.addr.nlocal);
		if (item.addr.nlocal + item.addr.ndomain > 0)
			again(&item.addr);
	}
	HOLDS(l.at >= s.n);
	return 0;
}
