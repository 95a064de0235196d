/*
 * The keys about TLS of those who call us.
 */
#include "sys/conf-key.h"

/* An absolute path, or credential:NAME (systemd.exec(5), LoadCredential=). */
static const char *take_file(struct conf *c, struct str v, const char **path)
{
	static const struct str scheme = { "credential:", 11 };
	struct str name = v, kept;

	if (str_starts(v, scheme))
		name = str_skip(v, scheme.n);
	if (name.n == v.n ? v.p[0] != '/'
			  : name.n == 0 || str_find(name, '/') < name.n)
		return "an absolute path or credential:NAME is needed";
	if (!conf_keep(c, v, &kept))
		return "no room";
	*path = kept.p;
	return NULL;
}

const char *conf_take_files(struct conf *c, const struct key *k, struct str v)
{
	struct conf_files *f = conf_field(c, k);
	struct str word;

	if (str_eq(v, STR("none")))
		return NULL;
	while (str_word(&v, &word)) {
		const char *wrong;

		if (f->n == CONF_PAIRS_MAX)
			return "too many files";
		wrong = take_file(c, word, &f->v[f->n]);
		if (wrong)
			return wrong;
		f->n++;
	}
	return NULL;
}

const char *conf_take_services(
    struct conf *c, const struct key *k, struct str v)
{
	unsigned *set = conf_field(c, k);
	struct str word;

	while (str_word(&v, &word)) {
		enum conf_service s = conf_service(word);

		if (s == SERVICE_NONE)
			return "smtp, submission or submissions is needed";
		*set |= 1u << s;
	}
	return NULL;
}

const char *conf_take_yes(struct conf *c, const struct key *k, struct str v)
{
	bool *yes = conf_field(c, k);

	if (!str_eq(v, STR("yes")) && !str_eq(v, STR("no")))
		return "yes or no is needed";
	*yes = str_eq(v, STR("yes"));
	return NULL;
}

enum conf_service conf_service(struct str name)
{
	static const struct {
		struct str name;
		enum conf_service service;
	} rows[] = {
		{ { "smtp", 4 }, SERVICE_SMTP },
		{ { "submission", 10 }, SERVICE_SUBMISSION },
		{ { "submissions", 11 }, SERVICE_SUBMISSIONS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_eq(rows[i].name, name))
			return rows[i].service;
	return SERVICE_NONE;
}

enum conf_service conf_service_of_port(unsigned short port)
{
	return port == 465   ? SERVICE_SUBMISSIONS
	       : port == 587 ? SERVICE_SUBMISSION
			     : SERVICE_SMTP;
}

bool conf_offers_tls(const struct conf *c)
{
	return c->tls_certificates.n > 0 || c->tls_directory;
}
