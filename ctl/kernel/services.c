/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "entity_names.h"
#include "inner.h"
#include "running.h"
#include "service_config.h"
#include "services.h"
#include "state.h"
#include "table.h"
#include "table_map.h"

static int add_entity(void *arg, struct table_place at, const struct entity *en)
{
	struct service *s = arg;

	(void)at;
	s->entities[s->entity_count++] = *en;
	return 0;
}

static int read_entities(struct store *s, uint32_t index, struct service *out, struct err *e)
{
	struct inner in = {.fd = -1};
	struct table t;
	size_t twice;
	int err = store_table(s, index, TABLE_ENTITIES, &in, &t, e);

	if (err)
		return err;
	out->entity_room = t.cells->header.entities;
	out->entities = malloc((out->entity_room + 1) * sizeof(*out->entities));
	if (out->entities) {
		err = table_read(&in, &t, add_entity, out, e);
		if (!err)
			err = entity_names_read(s, index, &out->names, e);
		service_sort_entities(out, &twice);
	} else {
		err = fail(e, -ENOMEM, out->name, "reading its table: out of memory");
	}
	inner_close(&in);
	if (err)
		service_free(out);
	return err;
}

int store_read_service(struct store *s, const char *name, struct service *out, struct err *e)
{
	int index = running_index(s, name);

	if (index < 0)
		return running_no_service(name, e);
	service_from_config(store_config(s), (uint32_t)index, out);
	return read_entities(s, (uint32_t)index, out, e);
}

int store_read_names(struct store *s, struct service *svc, struct err *e)
{
	int index = running_index(s, svc->name);

	if (index < 0)
		return running_no_service(svc->name, e);
	names_free(&svc->names);
	return entity_names_read(s, (uint32_t)index, &svc->names, e);
}

int store_read_name(struct store *s, const struct service *svc, const uint8_t *tag,
		    char text[MANGLE_TEXT_SIZE], struct err *e)
{
	int index = running_index(s, svc->name);

	if (index < 0)
		return running_no_service(svc->name, e);
	return entity_names_get(s, (uint32_t)index, tag, text, e);
}

int store_read(struct store *s, struct model *m, bool with_entities, struct err *e)
{
	const struct mangle_config *c = store_config(s);

	for (uint32_t i = 0; i < c->service_count && i < MANGLE_MAX_SERVICES; i++) {
		struct service svc;
		int err = 0;

		service_from_config(c, i, &svc);
		svc.keep_entities = !with_entities;
		if (with_entities)
			err = read_entities(s, i, &svc, e);
		if (!err)
			err = model_add(m, &svc, e);
		if (err) {
			service_free(&svc);
			return err;
		}
	}
	m->flows = c->flows;
	snprintf(m->file, sizeof(m->file), "%s", c->file);
	return 0;
}

int store_table_sizes(const struct store *s, const char *service, struct table_sizes *out,
		      struct err *e)
{
	int index = running_index(s, service);
	struct inner in = {.fd = -1};
	struct table t;
	int err;

	if (index < 0)
		return running_no_service(service, e);
	err = store_table(s, (uint32_t)index, TABLE_HEADER, &in, &t, e);
	if (err)
		return err;
	*out = (struct table_sizes){.entities = t.cells->header.entities, .bytes = in.size};
	inner_close(&in);
	return entity_names_size(s, (uint32_t)index, &out->bytes, e);
}
