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

/* A map as this version makes it. */
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
/* Returns the entries of a map on this machine. */
uint32_t map_entries(const struct store *s, enum map_id id);

/* Makes bpf(2) create maps on kernels that count memory by RLIMIT_MEMLOCK (before Linux 5.11). */
void maps_raise_memlock(void);
/* Creates a map for others to hold. Returns a file descriptor, or -1 with errno set. */
int map_create_held(enum held_id id, uint32_t entries);
/* Is that a map which this version makes for others to hold? */
bool map_fits_held(enum held_id id, const struct bpf_map_info *info);

/* Opens the map of a pin (id 0), or of an id, and asks what it is. A failure says nothing of the
 * pin: e has the kernel's reason, and -ENOENT is not returned. */
int map_open(const char *path, uint32_t id, int *fd, struct bpf_map_info *info, struct err *e);
/* Opens a pin of this version's; -ENOENT without e set where there is none. */
int map_open_pin(const struct store *s, const char *dir, enum map_id id, int *fd, struct err *e);
/* The same, or creates, fills and pins the map. */
int map_open_or_create(const struct store *s, const char *dir, enum map_id id, int *fd,
		       struct err *e);
/* Writes what a new map of gate or layout has in it; nothing into others. */
int map_fill(enum map_id id, int fd, struct err *e);

/* The programs that maps are for. */
enum map_user { MAP_USER_XDP = 1, MAP_USER_TC = 2 };
/* Has an object that is open, and not loaded yet, use the store's maps. Returns 0, -EBADF where one
 * is not in it or is described otherwise there, or negative errno of libbpf. */
int maps_reuse(const struct store *s, enum map_user user, struct bpf_object *obj);

#endif
