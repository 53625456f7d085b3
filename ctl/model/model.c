/* SPDX-License-Identifier: GPL-2.0-only */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "setting.h"

static int no_memory(struct err *e, const char *object)
{
	return fail(e, -ENOMEM, object, "storing it: out of memory");
}

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
}

void model_free(struct model *m)
{
	unsigned int i;

	for (i = 0; i < m->service_count; i++)
		service_free(&m->services[i]);
	free(m->services);
	model_init(m);
}

int model_copy(struct model *to, const struct model *from, struct err *e)
{
	struct service s;
	unsigned int i;
	int ret;

	model_init(to);
	memcpy(to->file, from->file, sizeof(to->file));
	to->flows = from->flows;
	for (i = 0; i < from->service_count; i++) {
		ret = service_copy(&s, &from->services[i], e);
		if (!ret)
			ret = model_add(to, &s, e);
		if (ret) {
			service_free(&s);
			model_free(to);
			return ret;
		}
	}
	return 0;
}

int model_default(struct model *m, struct err *e)
{
	struct service s;

	model_init(m);
	service_defaults(&s);
	strcpy(s.name, "default");
	s.protocols = MANGLE_PROTO_UDP;
	s.ports[0] = 5000;
	s.port_count = 1;
	s.tag_len = 4;
	s.size = (struct window){.min = 4, .max = 65507};
	return model_add(m, &s, e);
}

int model_add(struct model *m, struct service *s, struct err *e)
{
	unsigned int room = m->service_room ? 2 * m->service_room : 4;
	struct service *services;

	if (m->service_count == m->service_room) {
		services = realloc(m->services, room * sizeof(*services));
		if (!services)
			return no_memory(e, s->name);
		m->services = services;
		m->service_room = room;
	}
	m->services[m->service_count++] = *s;
	s->entities = NULL;
	s->names = (struct entity_names){0};
	service_free(s);
	return 0;
}

struct service *model_find(const struct model *m, const char *name)
{
	unsigned int i;

	for (i = 0; i < m->service_count; i++) {
		if (!strcmp(m->services[i].name, name))
			return &m->services[i];
	}
	return NULL;
}

void model_remove(struct model *m, const char *name)
{
	struct service *s = model_find(m, name);
	size_t behind;

	if (!s)
		return;
	service_free(s);
	behind = (size_t)(m->services + m->service_count - (s + 1));
	memmove(s, s + 1, behind * sizeof(*s));
	m->service_count--;
}

uint32_t model_flows(const struct model *m)
{
	return m->flows ? m->flows : MANGLE_FLOWS_DEFAULT;
}
