/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "kernel/open.h"
#include "kernel/services.h"
#include "files/config.h"
#include "print.h"

static int apply(const struct cmd *c, struct store *s, struct model *desired, struct err *e)
{
	struct model running;
	int ret;

	model_init(&running);
	ret = s ? store_read(s, &running, true, e) : 0;
	if (!ret)
		ret = apply_change(c, s, &running, desired, true, e);
	model_free(&running);
	return ret;
}

static int check(const struct cmd *c, struct model *desired, struct err *e)
{
	struct store *s = NULL;
	int ret = store_open(&s, STORE_READ, c->wait, e);

	/* Where nothing is loaded yet, everything in the file is new. */
	if (!ret || ret == -ENOENT)
		ret = apply(c, s, desired, e);
	store_close(s);
	return ret;
}

int cmd_apply(const struct cmd *c, struct err *e)
{
	struct model desired;
	struct store *s;
	int ret;

	model_init(&desired);
	ret = config_load(c->argv[0], &desired, e);
	if (!ret && given(c, OPT(CHECK))) {
		ret = check(c, &desired, e);
	} else if (!ret) {
		ret = store_open(&s, STORE_CREATE, c->wait, e);
		if (!ret)
			ret = close_created(s, apply(c, s, &desired, e));
	}
	model_free(&desired);
	return ret;
}

int cmd_save(const struct cmd *c, struct err *e)
{
	struct model m;
	struct store *s;
	int err = open_running(c, STORE_READ, true, &s, &m, e);

	if (err)
		return err;
	store_close(s);
	print_config(c->out, &m);
	model_free(&m);
	return 0;
}
