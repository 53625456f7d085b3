/* SPDX-License-Identifier: GPL-2.0-only */
/* Random frames, most of them nearly right, made for a set of services. */
#ifndef DIFF_FRAMES_H
#define DIFF_FRAMES_H

#include "chance.h"
#include "../../ctl/model/model.h"

#define FRAME_MIN 14 /* the kernel runs none that is shorter */
/* The kernel gives no program what lies behind, so no tag or checksum can be there. */
#define FRAME_MAX 65536
#define FRAME_ROOM (FRAME_MAX + 4096) /* to build it in */

enum sum_kind {
	SUM_RIGHT,
	SUM_NEAR,   /* wrong by a little */
	SUM_RANDOM, /* wrong by anything */
	SUM_ZERO,   /* none, where it is UDP */
	SUM_FFFF,
	SUM_PARTIAL, /* as a sender leaves it to hardware */
	SUM_CHANCE,  /* the same, and right by chance */
	SUM_EDGE,    /* right, and 0 or 0xffff */
	SUM_TO_ZERO, /* right, and 0 with the entity's port */
	SUM_KINDS,
};

/* What a frame is made of. plan_frame draws all of it, build_frame makes it bytes; the caller may
 * change it in between. */
struct plan {
	const struct service *service; /* NULL: made for none */
	const struct entity *entity;   /* whose tag it has; NULL: none */
	unsigned int family;
	uint8_t src[16], dst[16];
	uint8_t proto;
	uint16_t sport, dport;
	unsigned int vlans;
	unsigned int options;	 /* IPv4: words */
	unsigned int extensions; /* IPv6 */
	uint16_t frag;		 /* as IPv4 has it: flags and offset */
	size_t payload;
	enum sum_kind sum;
	bool odd; /* something about it is to be wrong, or unusual */
};

void plan_frame(struct chance *c, const struct model *m, struct plan *p);
/* The same, nothing odd about it: a whole frame with a tag of the service's table. False where the
 * service has none that fits. */
bool plan_plain(struct chance *c, const struct service *s, struct plan *p);
size_t build_frame(struct chance *c, const struct plan *p, uint8_t *frame);
/* Spoils a frame here and there; other: one to splice in. Returns the new length. */
size_t mutate_frame(struct chance *c, uint8_t *frame, size_t len, const uint8_t *other,
		    size_t other_len);

#endif
