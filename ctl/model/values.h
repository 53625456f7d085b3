/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The values that services and entities are made of. Ports and sizes are in host byte order; sizes
 * are payload bytes, inclusive.
 */
#ifndef MODEL_VALUES_H
#define MODEL_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../maps/schema.h"

struct tag {
	uint8_t len;		       /* 1 .. MANGLE_MAX_TAG */
	uint8_t bytes[MANGLE_MAX_TAG]; /* wire order, the rest 0 */
};

/* A port, drop or pass. */
struct target {
	uint8_t action; /* ACTION_PORT, ACTION_DROP, ACTION_PASS */
	uint16_t port;	/* 0 unless ACTION_PORT */
};

struct window {
	uint16_t min, max;
};

struct entity {
	uint8_t tag[MANGLE_MAX_TAG]; /* wire order, the rest 0; its length is the service's */
	struct target target;
	bool has_size;
	struct window size; /* 0, 0 unless has_size */
	uint32_t line; /* of the file it was read from; 0: none. Says nothing about the entity */
};

struct prefix {
	uint8_t addr[16]; /* network byte order, host bits 0; IPv4 in the first 4, the rest 0 */
	uint8_t family;	  /* 4 or 6 */
	uint8_t len;
};

#endif
