/* SPDX-License-Identifier: GPL-2.0-only */
/* mangle@IFACE.service, whose state is to follow what is attached. Only where systemd runs. */
#ifndef ENGINE_UNIT_H
#define ENGINE_UNIT_H

#include <stddef.h>

/* "mangle@IFACE.service" with the name escaped as systemd does; iface NULL: a pattern for all. */
void unit_name(const char *iface, char *out, size_t size);

enum unit_state {
	UNIT_INACTIVE, /* it was: also where it is being stopped already, or systemd does not run */
	UNIT_STOPPED,
	UNIT_ACTIVE,  /* it could not be stopped, or not in time */
	UNIT_UNKNOWN, /* systemctl could not be run, or systemd does not answer it */
};
/*
 * Stops the unit, or those that match, and waits for that: one that was stopped later would detach
 * what somebody has attached meanwhile. The unit detaches too, so the caller holds no lock.
 */
enum unit_state unit_stop(const char *unit);

#endif
