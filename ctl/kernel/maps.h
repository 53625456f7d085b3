/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps by their description (maps.def): creating them, opening their pins, giving them to
 * programs. */
#ifndef KERNEL_MAPS_H
#define KERNEL_MAPS_H

#include <bpf/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "state.h"

struct bpf_object;

/* The description of a map as this version creates it. */
struct map_spec {
	const char *name; /* of the pin too */
	enum bpf_map_type type;
	uint32_t key_size, value_size, flags;
	enum held_id holds;
	bool shared; /* by layout versions */
	unsigned int users;
};
/* Returns the description, which is constant. */
const struct map_spec *map_spec(enum map_id id);
/* Returns the number of entries of a map on this machine. */
uint32_t map_entries(const struct store *s, enum map_id id);

/* Allows bpf(2) to create maps on kernels that charge memory to RLIMIT_MEMLOCK (before
 * Linux 5.11). */
void maps_raise_memlock(void);
/* Creates a map that others will hold. Returns a file descriptor, or -1 with errno set. */
int map_create_held(enum held_id id, uint32_t entries);
/* Returns whether this version creates that map for others to hold. */
bool map_fits_held(enum held_id id, const struct bpf_map_info *info);

/* Opens the map of a pin (id 0), or of an id, and reads its info. On failure e has the kernel's
 * reason, without saying anything about the pin, and -ENOENT is not returned. */
int map_open(const char *path, uint32_t id, int *fd, struct bpf_map_info *info, struct err *e);
/* Opens a pin of this version; -ENOENT without e set where there is none. */
int map_open_pin(const struct store *s, const char *dir, enum map_id id, int *fd, struct err *e);
/* The same; or creates, fills and pins the map. */
int map_open_or_create(const struct store *s, const char *dir, enum map_id id, int *fd,
		       struct err *e);
/* Writes the initial values of a new map of gate or layout; does nothing for others. */
int map_fill(enum map_id id, int fd, struct err *e);

/* The programs that maps are for. */
enum map_user { MAP_USER_XDP = 1, MAP_USER_TC = 2 };
/* Makes an object that is open, and not loaded yet, use the store's maps. Returns 0; -EBADF where a
 * map is missing there or has another description; or negative errno of libbpf. */
int maps_reuse(const struct store *s, enum map_user user, struct bpf_object *obj);

#endif
