/* SPDX-License-Identifier: GPL-2.0-only */
#include "drift.h"
#include "model/diff.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kernel/needs.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "files/config.h"

static size_t sum(const struct counts *n)
{
	return (size_t)(n->added + n->removed + n->updated);
}

static void compare(const struct model *running, const struct model *desired, struct drift *d)
{
	struct counts entities;
	struct changes c;

	model_diff(running, desired, &c, NULL, NULL);
	entities = changed_entities(&c);
	d->entity_changes = sum(&entities);
	d->service_changes = sum(&c.services) + c.flows;
	d->differs = d->service_changes || d->entity_changes;
	d->state = d->differs ? DRIFT_DIFFERS : DRIFT_SAME;
}

/* Reads what the file describes, or without a file the built-in default, as far as this kernel can
 * do it. */
static int read_desired(const struct drift *d, const struct model *running, struct model *desired,
			struct err *e)
{
	int err = *d->file ? config_load(d->file, desired, e) : model_default(desired, e);

	/* The kernel has proved already that it can do what runs. */
	if (!err && !prog_needs(running).in)
		err = prog_can(desired, e);
	return err;
}

static void count(const struct model *desired, struct drift *d)
{
	d->services = desired->service_count;
	for (unsigned int i = 0; i < desired->service_count; i++)
		d->entities += desired->services[i].entity_count;
}

static void judge(const struct model *running, const struct model *desired, int err,
		  struct drift *d)
{
	if (err == -ENOENT && *d->file) {
		d->state = DRIFT_MISSING;
		d->differs = true;
	} else if (err) {
		d->state = DRIFT_BROKEN;
		d->differs = true;
	} else if (!running) {
		count(desired, d);
		d->state = DRIFT_NOT_LOADED;
		d->differs = *d->file;
	} else {
		count(desired, d);
		compare(running, desired, d);
		if (!*d->file && d->differs)
			d->state = DRIFT_MISSING;
	}
}

static int read_drift(struct store *s, const char *file, struct drift *out, struct err *e)
{
	struct model running, desired;
	int err, wrong = 0;

	*out = (struct drift){.file = file};
	model_init(&running);
	model_init(&desired);
	err = s ? store_read(s, &running, true, e) : 0;
	if (!err) {
		wrong = read_desired(out, &running, &desired, &out->why);
		if (wrong == -ENOMEM) { /* the error is not about the file */
			*e = out->why;
			err = wrong;
		}
	}
	if (!err) {
		judge(s ? &running : NULL, &desired, wrong, out);
	}
	model_free(&running);
	model_free(&desired);
	return err;
}

static const char *boot_file(void)
{
	return access(CONFIG_DEFAULT_FILE, F_OK) && errno == ENOENT ? "" : CONFIG_DEFAULT_FILE;
}

int drift_read(struct store *s, struct drift *out, struct err *e)
{
	return read_drift(s, s && *store_file(s) ? store_file(s) : boot_file(), out, e);
}

int drift_read_boot(struct store *s, struct drift *out, struct err *e)
{
	return read_drift(s, boot_file(), out, e);
}

bool drift_is_boot_file(const char *file)
{
	return !strcmp(file, boot_file());
}
