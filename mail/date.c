/*
 * The date of RFC 5322 3.3 from seconds since the epoch, without libc's idea
 * of time zones.  Proleptic Gregorian, for every second int64_t can hold.
 */
#include "mail/trace.h"

enum {
	DAY_S = 24 * 60 * 60,
	ERA_DAYS = 146097,      /* 400 Gregorian years */
	EPOCH_SHIFT = 719468,   /* days from 0000-03-01 to 1970-01-01 */
	ZONE_MAX = 99 * 60 + 59 /* minutes that +hhmm can say */
};

struct civil {
	int64_t year;
	unsigned month, day; /* from 1 */
};

/* Quotient toward minus infinity; *rest is 0 to by - 1. */
static int64_t floor_div(int64_t v, int64_t by, int64_t *rest)
{
	int64_t q = v / by;

	*rest = v % by;
	if (*rest < 0) {
		*rest += by;
		q--;
	}
	return q;
}

/* Years are counted from March, so that the leap day comes last. */
static struct civil civil_of(int64_t days)
{
	struct civil c;
	int64_t day, year, month;
	int64_t era = floor_div(days + EPOCH_SHIFT, ERA_DAYS, &day);

	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	c.day = (unsigned)(day - (153 * month + 2) / 5 + 1);
	c.month = (unsigned)(month < 10 ? month + 3 : month - 9);
	c.year = year + era * 400 + (c.month <= 2);
	return c;
}

static void put_year(struct buf *b, int64_t year)
{
	if (year < 0)
		buf_putc(b, '-');
	buf_u64w(b, (uint64_t)(year < 0 ? -year : year), 4);
}

static void put_zone(struct buf *b, int minutes)
{
	unsigned v = (unsigned)(minutes < 0 ? -minutes : minutes);

	buf_putc(b, minutes < 0 ? '-' : '+');
	buf_u64w(b, v / 60, 2);
	buf_u64w(b, v % 60, 2);
}

static void put_clock(struct buf *b, unsigned second)
{
	buf_u64w(b, second / 3600, 2);
	buf_putc(b, ':');
	buf_u64w(b, second / 60 % 60, 2);
	buf_putc(b, ':');
	buf_u64w(b, second % 60, 2);
}

void date_put(struct buf *b, int64_t seconds, int offset_minutes)
{
	static const char weekdays[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon",
		"Tue", "Wed" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int64_t days, second, weekday;
	struct civil c;

	if (offset_minutes < -ZONE_MAX || offset_minutes > ZONE_MAX)
		offset_minutes = 0;
	days = floor_div(seconds, DAY_S, &second);
	days += floor_div(second + offset_minutes * 60, DAY_S, &second);
	floor_div(days, 7, &weekday);
	c = civil_of(days);
	buf_putz(b, weekdays[weekday]);
	buf_putz(b, ", ");
	buf_u64(b, c.day);
	buf_putc(b, ' ');
	buf_putz(b, months[c.month - 1]);
	buf_putc(b, ' ');
	put_year(b, c.year);
	buf_putc(b, ' ');
	put_clock(b, (unsigned)second);
	buf_putc(b, ' ');
	put_zone(b, offset_minutes);
}
