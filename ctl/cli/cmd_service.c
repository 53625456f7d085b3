/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "kernel/open.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "model/diff.h"
#include "model/check.h"
#include "files/table_file.h"
#include "model/setting.h"
#include "print.h"
#include "verbs.h"

/* The options of settings have the order of settings.def. */
static enum option_id option_of(const struct setting *t)
{
	return OPT_FIRST_SETTING + (enum option_id)t->id;
}

static int bad_setting(const struct cmd *c, const struct setting *t, const char *word,
		       const struct parse_error *why, struct err *e)
{
	return usage_error(e, c->name, "--%s %.100s: %s", t->name, *word ? word : "''", why->text);
}

static int parse_prefixes(const struct cmd *c, const struct setting *t, struct service *s,
			  struct err *e)
{
	const struct words *w = t->id == SETTING_DADDR ? &c->daddr : &c->saddr;
	struct parse_error why;

	for (unsigned int i = 0; i < w->count; i++)
		if (setting_parse(t, s, w->word[i], &why))
			return bad_setting(c, t, w->word[i], &why, e);
	return 0;
}

static int parse_setting(const struct cmd *c, const struct setting *t, struct service *s,
			 struct err *e)
{
	const char *word = c->value[option_of(t)];
	struct parse_error why;

	setting_clear(t, s);
	if (t->kind == KIND_PREFIXES)
		return parse_prefixes(c, t, s, e);
	if (setting_is_none(t, word))
		return 0;
	if (t->kind == KIND_INTERFACE)
		return option_ifname(c, s->ifname, e);
	return setting_parse(t, s, word, &why) ? bad_setting(c, t, word, &why, e) : 0;
}

/* Writes the settings that were given into s, and leaves the others. */
static int parse_settings(const struct cmd *c, struct service *s, struct err *e)
{
	int err = 0;

	for (size_t i = 0; i < SETTING_COUNT && !err; i++)
		if (given(c, 1ULL << option_of(&settings[i])))
			err = parse_setting(c, &settings[i], s, e);
	return err;
}

/* ---- add ---- */

static int parse_new(const struct cmd *c, struct service *s, struct err *e)
{
	struct parse_error why;
	int err;

	service_defaults(s);
	if (parse_name(c->argv[0], s->name, &why))
		return bad_argument(c, "NAME", c->argv[0], why.text, e);
	err = parse_settings(c, s, e);
	if (!err && given(c, OPT(ENTITIES_FILE)))
		err = table_load(c->value[OPT_ENTITIES_FILE], s, e);
	return err;
}

/* Succeeds where the existing service has the same settings, and the same entities if any were
 * given. */
static int check_same(const struct cmd *c, struct store *s, struct service *desired, struct err *e)
{
	struct model old, new;
	struct service running;
	struct changes d;
	int err = store_read_service(s, c->argv[0], &running, e);

	if (err)
		return err;
	model_init(&old);
	model_init(&new);
	desired->keep_entities = !given(c, OPT(ENTITIES_FILE));
	err = model_add(&new, desired, e);
	if (!err)
		err = model_check(&new, e);
	if (!err)
		err = model_add(&old, &running, e);
	if (!err) {
		model_diff(&old, &new, &d, NULL, NULL);
		if (d.added || d.removed || d.updated)
			err = fail(
				e, -EEXIST, c->argv[0],
				"adding the service: it exists with other settings or entities (use service set or map replace)");
		else
			print_changes(c->out, &d, false, false, store_generation(s));
	}
	service_free(&running);
	model_free(&old);
	model_free(&new);
	return err;
}

static int add(const struct cmd *c, struct store *s, struct service *desired, struct err *e)
{
	struct model from, to;
	int ret;

	model_init(&from);
	model_init(&to);
	ret = store_read(s, &from, false, e);
	if (!ret && model_find(&from, desired->name)) {
		ret = check_same(c, s, desired, e);
		goto out;
	}
	if (!ret)
		ret = model_copy(&to, &from, e);
	if (!ret)
		ret = model_add(&to, desired, e);
	if (!ret)
		ret = apply_change(c, s, &from, &to, false, e);
out:
	model_free(&from);
	model_free(&to);
	return ret;
}

int cmd_service_add(const struct cmd *c, struct err *e)
{
	struct service desired;
	struct store *s;
	int ret = parse_new(c, &desired, e);

	if (!ret)
		ret = store_open(&s, STORE_CREATE, c->wait, e);
	if (!ret)
		ret = close_created(s, add(c, s, &desired, e));
	service_free(&desired);
	return ret;
}

/* ---- set, del ---- */

static int set(const struct cmd *c, struct store *s, struct err *e)
{
	const char *name = c->argv[0];
	struct model from, to;
	struct service *svc;
	uint8_t tag_len;
	int ret;

	model_init(&from);
	model_init(&to);
	ret = store_read(s, &from, false, e);
	svc = ret ? NULL : model_find(&from, name);
	if (!ret && !svc)
		ret = no_such_service(name, e);
	if (!ret) /* since the settings must fit them */
		ret = read_entities_of(s, svc, e);
	if (!ret)
		ret = model_copy(&to, &from, e);
	if (!ret) {
		svc = model_find(&to, name);
		tag_len = svc->tag_len;
		ret = parse_settings(c, svc, e);
		if (!ret && svc->tag_len != tag_len && svc->entity_count)
			ret = fail(
				e, -EBUSY, name,
				"setting --tag %s: its %zu entities have tags of %u bytes (run map flush first)",
				c->value[OPT_TAG], svc->entity_count, tag_len);
	}
	if (!ret)
		ret = apply_change(c, s, &from, &to, false, e);
	model_free(&from);
	model_free(&to);
	return ret;
}

int cmd_service_set(const struct cmd *c, struct err *e)
{
	struct service judged;
	struct store *s;
	int ret;

	if (!(c->given & c->verb->options & ~OPT(FORCE)))
		return usage_error(e, c->name,
				   "options: nothing to set is given (see mangle-ctl %s --help)",
				   c->name);
	/* Wrong words are reported before the run waits for the lock. */
	service_defaults(&judged);
	ret = parse_settings(c, &judged, e);
	if (ret)
		return ret;
	ret = open_loaded(c, STORE_WRITE, &s, e);
	if (ret)
		return ret;
	ret = set(c, s, e);
	store_close(s);
	return ret;
}

int cmd_service_del(const struct cmd *c, struct err *e)
{
	const char *name = c->argv[0];
	struct model from, to;
	struct store *s;
	int ret = open_running(c, STORE_WRITE, false, &s, &from, e);

	if (ret)
		return ret;
	model_init(&to);
	if (!model_find(&from, name))
		ret = no_such_service(name, e);
	if (!ret)
		ret = model_copy(&to, &from, e);
	if (!ret) {
		model_remove(&to, name);
		ret = apply_change(c, s, &from, &to, false, e);
	}
	model_free(&from);
	model_free(&to);
	store_close(s);
	return ret;
}

/* ---- list ---- */

int cmd_service_list(const struct cmd *c, struct err *e)
{
	static uint64_t entities[MANGLE_MAX_SERVICES];
	struct model m;
	struct store *s;
	int ret = open_running(c, STORE_READ, false, &s, &m, e);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < m.service_count && !ret; i++) {
		struct table_sizes sizes = {0};

		ret = store_table_sizes(s, m.services[i].name, &sizes, e);
		entities[i] = sizes.entities;
	}
	store_close(s); /* other runs need not wait for the lock during output */
	if (!ret)
		print_services(c->out, &m, entities);
	model_free(&m);
	return ret;
}
