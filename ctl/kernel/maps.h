/* SPDX-License-Identifier: GPL-2.0-only */
/* The pinned maps: what each is, creating them, opening their pins. */
#ifndef KERNEL_MAPS_H
#define KERNEL_MAPS_H

#include <bpf/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/err.h"

struct store;

/* The pinned maps, as this version makes them. */
struct map_spec {
	const char *name;
	enum bpf_map_type type;
	uint32_t key_size, value_size, entries, flags;
};
extern const struct map_spec STATS, IFACES, TABLES, FLOWS, GATE, LAYOUT, CONFIG;

/* Makes bpf(2) create maps on kernels that count memory by RLIMIT_MEMLOCK (before Linux 5.11). */
void maps_raise_memlock(void);
/* Does the kernel make maps for this process? Returns 0 or -errno; changes nothing. */
int maps_try(void);

/* Returns the entries of a map on this machine: CPUs multiply those of stats, and add to those of
 * gate. */
uint32_t maps_entries(const struct store *s, const struct map_spec *m);
/* The maps that others hold. Each returns a file descriptor, or -1 with errno set. */
int maps_create_config(void);
int maps_create_table(uint32_t cells);
int maps_create_flows(uint32_t entries);

/* Opens the map of a pin (id 0), or of an id, and asks what it is. A failure says nothing of the
 * pin: e has the kernel's reason, and -ENOENT is not returned. */
int map_open(const char *path, uint32_t id, int *fd, struct bpf_map_info *info, struct err *e);
/* Opens a pin of this version's; -ENOENT without e set where there is none. */
int map_open_pin(const struct store *s, const char *dir, const struct map_spec *m, int *fd,
		 struct err *e);
/* The same, or creates, fills and pins the map. */
int map_open_or_create(const struct store *s, const char *dir, const struct map_spec *m, int *fd,
		       struct err *e);
/* Writes what a new map of gate or layout has in it; nothing into others. */
int map_fill(const struct map_spec *m, int fd, struct err *e);

/* The maps that a program is loaded with: file descriptors, which stay the store's. */
struct store_fds {
	int config, tables, stats, flows, gate;
};
struct store_fds store_fds(const struct store *s);

#endif
