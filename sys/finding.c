/*
 * Lines of a check.
 */
#include "sys/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

static struct {
	bool quiet;
	unsigned count[FINDING_UNREACHABLE + 1];
} findings;

void finding_be_quiet(void)
{
	findings.quiet = true;
}

void finding(enum finding f, const char *where, const char *format, ...)
{
	static const char *const words[] = { "ok", "warning", "fault",
		"fault" };
	va_list list;

	findings.count[f]++;
	if (f == FINDING_OK && findings.quiet)
		return;
	printf("%s: ", words[f]);
	if (where)
		printf("%s: ", where);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout); /* in order with the lines of others */
}

unsigned finding_count(enum finding f)
{
	return findings.count[f];
}

int finding_exit_code(void)
{
	if (findings.count[FINDING_FAULT] > 0)
		return EX_CONFIG;
	return findings.count[FINDING_UNREACHABLE] > 0 ? EX_UNAVAILABLE : EX_OK;
}
