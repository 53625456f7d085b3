/* SPDX-License-Identifier: GPL-2.0-only */
/* What several verbs need: words into values, the picked service, the way to a new state. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/diff.h"
#include "kernel/netdev.h"
#include "kernel/open.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "print.h"
#include "verbs.h"

/* ---- words ---- */

int bad_option(const struct cmd *c, enum option_id o, const char *why, struct err *e)
{
	return usage_error(e, c->name, "--%s %.100s: %s", option_name(o),
			   *c->value[o] ? c->value[o] : "''", why);
}

int bad_argument(const struct cmd *c, const char *what, const char *word, const char *why,
		 struct err *e)
{
	return usage_error(e, c->name, "%s %.100s: %s", what, *word ? word : "''", why);
}

int option_word(const struct cmd *c, enum option_id o, const char *const *words, struct err *e)
{
	char why[PARSE_ERROR_SIZE] = "must be";
	size_t len = strlen(why);

	for (int i = 0; words[i]; i++) {
		const char *before = !i ? "" : words[i + 1] ? "," : " or";

		if (!strcmp(words[i], c->value[o]))
			return i;
		len += (size_t)snprintf(why + len, sizeof(why) - len, "%s %s", before, words[i]);
	}
	return bad_option(c, o, why, e);
}

int option_number(const struct cmd *c, enum option_id o, uint64_t max, uint64_t *out, struct err *e)
{
	struct parse_error why;

	if (parse_number(c->value[o], 0, max, out, &why))
		return bad_option(c, o, why.text, e);
	return 0;
}

int option_ifname(const struct cmd *c, char out[MANGLE_IFNAME_SIZE], struct err *e)
{
	const char *name = c->value[OPT_INTERFACE];
	struct netdev dev;
	struct parse_error why;
	int err = netdev_get(name, &dev, e);

	if (err && err != -ENODEV)
		return err;
	if (parse_ifname(err ? name : dev.name, out, &why))
		return bad_option(c, OPT_INTERFACE, why.text, e);
	return 0;
}

/* ---- the store ---- */

int open_loaded(const struct cmd *c, enum store_access access, struct store **s, struct err *e)
{
	int err = store_open(s, access, c->wait, e);

	if (err == -ENOENT)
		return fail(
			e, err, "tables",
			"opening them: nothing is loaded (attach an interface, or apply a configuration)");
	return err;
}

int open_running(const struct cmd *c, enum store_access access, bool with_entities,
		 struct store **s, struct model *m, struct err *e)
{
	int err = open_loaded(c, access, s, e);

	if (err)
		return err;
	model_init(m);
	err = store_read(*s, m, with_entities, e);
	if (err) {
		model_free(m);
		store_close(*s);
	}
	return err;
}

int open_picked(const struct cmd *c, enum store_access access, struct store **s, struct model *m,
		struct service **svc, struct err *e)
{
	int err = open_running(c, access, false, s, m, e);

	if (err)
		return err;
	err = pick_service(c, m, svc, e);
	if (err) {
		model_free(m);
		store_close(*s);
	}
	return err;
}

int close_created(struct store *s, int ret)
{
	struct err ignored;

	if (ret < 0 && store_is_fresh(s))
		store_purge(s, &ignored);
	store_close(s);
	return ret;
}

/* ---- services ---- */

int no_such_service(const char *name, struct err *e)
{
	return fail(e, -ENOENT, *name ? name : "''",
		    "looking for the service: no such service (see mangle-ctl service list)");
}

/* Writes as many names as fit into buf, which should have room for a dozen. */
static const char *name_services(const struct model *m, char *buf, size_t size)
{
	size_t len = 0;

	for (unsigned int i = 0; i < m->service_count; i++) {
		const char *before = i ? ", " : "", *name = m->services[i].name;

		if (len + strlen(before) + strlen(name) + sizeof(", ...") > size) {
			snprintf(buf + len, size - len, ", ...");
			break;
		}
		len += (size_t)snprintf(buf + len, size - len, "%s%s", before, name);
	}
	return buf;
}

int pick_service(const struct cmd *c, const struct model *m, struct service **out, struct err *e)
{
	const char *name = c->value[OPT_SERVICE];
	char names[240] = "";

	if (name) {
		*out = model_find(m, name);
		return *out ? 0 : no_such_service(name, e);
	}
	if (m->service_count > 1)
		return fail(e, -EINVAL, c->name,
			    "choosing a service: there are %u: %s (--service NAME%s)",
			    m->service_count, name_services(m, names, sizeof(names)),
			    c->verb->run == cmd_map_flush ? ", or --all" : "");
	if (!m->service_count)
		return fail(
			e, -ENOENT, c->name,
			"choosing a service: none is loaded (see mangle-ctl service add --help)");
	*out = m->services;
	return 0;
}

int read_entities_of(struct store *s, struct service *svc, struct err *e)
{
	struct service full;
	int err = store_read_service(s, svc->name, &full, e);

	if (err)
		return err;
	service_free(svc);
	*svc = full;
	return 0;
}

int read_picked(const struct cmd *c, struct store *s, struct model *m, struct service **out,
		struct err *e)
{
	int err = store_read(s, m, false, e);

	if (!err)
		err = pick_service(c, m, out, e);
	if (!err)
		err = read_entities_of(s, *out, e);
	return err;
}

/* ---- a new state ---- */

static void print_lines(const struct cmd *c, const struct model *from, const struct model *to)
{
	struct change_lines lines = {.out = c->out, .all = given(c, OPT(ALL))};
	struct changes ignored;

	model_diff(from, to, &ignored, print_change_line, &lines);
	print_change_lines_end(&lines);
}

struct change_options change_options(const struct cmd *c)
{
	return (struct change_options){
		.check = given(c, OPT(CHECK)),
		.force = given(c, OPT(FORCE)),
		.name = c->name,
		.argument = c->argc ? c->argv[0] : NULL,
		.more = c->argc > 1,
	};
}

int apply_change(const struct cmd *c, struct store *s, const struct model *from, struct model *to,
		 bool lines, struct err *e)
{
	const struct change_options o = change_options(c);
	struct change_result r;
	int err = change_apply(s, from, to, &o, &r, e);

	if (!err) {
		if (lines || o.check)
			print_lines(c, from, to);
		print_changes(c->out, &r.changes, r.changed, o.check, r.generation);
		print_warnings(c->out, &r.warnings);
		if (o.check && r.changed && given(c, OPT(EXIT_CODE)))
			err = EXIT_ANSWER_NO;
	}
	change_result_free(&r);
	return err;
}
