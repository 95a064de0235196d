/*
 * postern: explains what the others do, and has no right of its own.  It
 * looks at an installation, follows an address, and sums up; what needs the
 * DNS or TLS it asks of queue.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "sys/check.h"
#include "sys/explain.h"
#include "sys/log.h"
#include "sys/sandbox.h"
#include "sys/status.h"
#include "sys/version.h"

struct options {
	const char *conf_path, *sender;
	bool offline, quiet, json;
};

static int usage(void)
{
	fputs("usage: postern [-C conf] check [-nq] [-f sender]\n"
	      "       postern [-C conf] route [-n] address\n"
	      "       postern [-C conf] status [--json]\n"
	      "       postern --version\n",
	    stderr);
	return EX_USAGE;
}

/* For those who go on with a good configuration only. */
static const struct conf *configuration(const char *path)
{
	static struct conf conf;
	char text[512];
	struct buf why = BUF(text);

	if (conf_read(&conf, path, &why) == 0)
		return &conf;
	fprintf(stderr, "postern: %.*s\n", (int)why.n, why.p);
	return NULL;
}

static int check(const struct options *o, int argc, char **argv)
{
	struct check c = { .conf_path = o->conf_path,
		.sender = o->sender,
		.offline = o->offline,
		.quiet = o->quiet };

	(void)argv;
	return argc == 0 && !o->json ? check_all(&c) : usage();
}

static int route(const struct options *o, int argc, char **argv)
{
	struct explain e = { .conf_path = o->conf_path, .offline = o->offline };

	if (argc != 1 || o->json || o->quiet || o->sender)
		return usage();
	e.conf = configuration(o->conf_path);
	return e.conf ? explain_address(&e, str_of(argv[0])) : EX_CONFIG;
}

static int status(const struct options *o, int argc, char **argv)
{
	const struct conf *conf;

	(void)argv;
	if (argc != 0 || o->offline || o->quiet || o->sender)
		return usage();
	conf = configuration(o->conf_path);
	return conf ? status_print(conf, o->json) : EX_CONFIG;
}

/* Options may stand before the verb and behind it. */
static int read_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "offline", no_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "C:f:nq", longs, NULL)) != -1)
		switch (c) {
		case 'C':
			o->conf_path = optarg;
			break;
		case 'f':
			o->sender = optarg;
			break;
		case 'n':
			o->offline = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'j':
			o->json = true;
			break;
		default:
			return usage();
		}
	return optind == argc ? usage() : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *, int, char **);
	} verbs[] = { { "check", check }, { "route", route },
		{ "status", status } };
	static struct options o;
	int rc;

	tzset();
	if (version_asked(argc, argv, "postern"))
		return EX_OK;
	rc = read_options(&o, argc, argv);
	for (size_t i = 0; rc == 0 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[optind], verbs[i].name) == 0)
			return verbs[i].run(
			    &o, argc - optind - 1, argv + optind + 1);
	return rc != 0 ? rc : usage();
}
