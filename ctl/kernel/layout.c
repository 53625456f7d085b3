/* SPDX-License-Identifier: GPL-2.0-only */
#include "layout.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "layout.skel.h"

#define OBJECT "layout"

/* Types whose bytes are copied unchanged. */
struct piece {
	size_t from, to, size;
};

struct conversion {
	size_t their_size, our_size;
	struct piece *pieces;
	size_t count, room;
};

int layout_own(struct mangle_layout *out, struct err *e)
{
	struct layout_bpf *skel = layout_bpf__open();
	const void *bytes = NULL;
	uint32_t size = 0;

	memset(out, 0, sizeof(*out));
	if (skel)
		bytes = btf__raw_data(bpf_object__btf(skel->obj), &size);
	if (bytes && size <= sizeof(out->btf)) {
		*out = (struct mangle_layout){.magic = MANGLE_LAYOUT_MAGIC,
					      .version = MANGLE_LAYOUT_VERSION,
					      .size = size};
		memcpy(out->btf, bytes, size);
	}
	layout_bpf__destroy(skel);
	return out->size ? 0 : fail(e, -ENOMEM, OBJECT, "describing the maps: out of memory");
}

/* ---- comparing ---- */

static const struct btf_type *resolve(const struct btf *btf, uint32_t id)
{
	return btf__type_by_id(btf, (uint32_t)btf__resolve_type(btf, id));
}

static int add_piece(struct conversion *c, size_t from, size_t to, size_t size)
{
	struct piece *last = c->count ? &c->pieces[c->count - 1] : NULL;

	if (last && last->from + last->size == from && last->to + last->size == to) {
		last->size += size;
		return 0;
	}
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		struct piece *more = realloc(c->pieces, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->pieces = more;
		c->room = room;
	}
	c->pieces[c->count++] = (struct piece){from, to, size};
	return 0;
}

struct side {
	const struct btf *btf;
	const struct btf_type *type;
	size_t at;
};

static int match(struct conversion *c, struct side theirs, struct side ours);

static const struct btf_member *member_named(const struct btf *btf, const struct btf_type *t,
					     const char *name)
{
	const struct btf_member *m = btf_members(t);

	for (unsigned int i = 0; i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, m[i].name_off), name))
			return &m[i];
	return NULL;
}

static int match_struct(struct conversion *c, struct side theirs, struct side ours)
{
	const struct btf_member *m = btf_members(ours.type);
	int err = 0;

	for (unsigned int i = 0; i < btf_vlen(ours.type) && !err; i++) {
		const char *name = btf__name_by_offset(ours.btf, m[i].name_off);
		const struct btf_member *their = member_named(theirs.btf, theirs.type, name);

		if (their)
			err = match(c,
				    (struct side){theirs.btf, resolve(theirs.btf, their->type),
						  theirs.at + their->offset / 8},
				    (struct side){ours.btf, resolve(ours.btf, m[i].type),
						  ours.at + m[i].offset / 8});
	}
	return err;
}

/* Copies as many elements as both arrays have. */
static int match_array(struct conversion *c, struct side theirs, struct side ours)
{
	const struct btf_array *their = btf_array(theirs.type), *our = btf_array(ours.type);
	int64_t their_size = btf__resolve_size(theirs.btf, their->type);
	int64_t our_size = btf__resolve_size(ours.btf, our->type);
	uint32_t n = their->nelems < our->nelems ? their->nelems : our->nelems;
	int err = 0;

	if (their_size <= 0 || our_size <= 0)
		return -EBADF;
	theirs.type = resolve(theirs.btf, their->type);
	ours.type = resolve(ours.btf, our->type);
	for (uint32_t i = 0; i < n && !err; i++) {
		err = match(c, theirs, ours);
		theirs.at += (size_t)their_size;
		ours.at += (size_t)our_size;
	}
	return err;
}

static int match(struct conversion *c, struct side theirs, struct side ours)
{
	if (!theirs.type || !ours.type || btf_kind(theirs.type) != btf_kind(ours.type))
		return -EBADF;
	switch (btf_kind(ours.type)) {
	case BTF_KIND_STRUCT: return match_struct(c, theirs, ours);
	case BTF_KIND_ARRAY: return match_array(c, theirs, ours);
	case BTF_KIND_INT:
		return theirs.type->size == ours.type->size
			       ? add_piece(c, theirs.at, ours.at, ours.type->size)
			       : -EBADF;
	default: return -EBADF;
	}
}

static const struct btf_type *find(const struct btf *btf, const char *type)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);

	return id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
}

static struct btf *open_btf(const struct mangle_layout *l)
{
	struct btf *btf = l->size <= sizeof(l->btf) ? btf__new(l->btf, l->size) : NULL;

	return libbpf_get_error(btf) ? NULL : btf;
}

int conversion_open(struct conversion **out, const struct mangle_layout *theirs, const char *type,
		    struct err *e)
{
	struct mangle_layout *own = malloc(sizeof(*own));
	struct conversion *c = calloc(1, sizeof(*c));
	struct side their = {.btf = open_btf(theirs)}, our = {0};
	int err = -ENOMEM;

	*out = NULL;
	if (own && c && !layout_own(own, e))
		our.btf = open_btf(own);
	if (our.btf) {
		err = -EBADF;
		our.type = find(our.btf, type);
		their.type = their.btf ? find(their.btf, type) : NULL;
	}
	if (our.type && their.type) {
		c->our_size = our.type->size;
		c->their_size = their.type->size;
		err = match(c, their, our);
	}
	btf__free((struct btf *)their.btf);
	btf__free((struct btf *)our.btf);
	free(own);
	if (!err) {
		*out = c;
		return 0;
	}
	conversion_close(c);
	return fail(
		e, err, OBJECT, "reading layout version %u: %s", theirs->version,
		err == -ENOMEM
			? "out of memory"
			: "its types cannot be made into this version's (detach --all --purge with the mangle-ctl that made it, then attach)");
}

void conversion_close(struct conversion *c)
{
	if (!c)
		return;
	free(c->pieces);
	free(c);
}

size_t conversion_their_size(const struct conversion *c)
{
	return c->their_size;
}

void convert(const struct conversion *c, const void *theirs, void *ours)
{
	memset(ours, 0, c->our_size);
	for (size_t i = 0; i < c->count; i++)
		memcpy((char *)ours + c->pieces[i].to, (const char *)theirs + c->pieces[i].from,
		       c->pieces[i].size);
}
