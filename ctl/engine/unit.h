/* SPDX-License-Identifier: GPL-2.0-only */
/* mangle@IFACE.service, whose state follows what is attached. Nothing is done where systemd does
 * not run. */
#ifndef ENGINE_UNIT_H
#define ENGINE_UNIT_H

#include <stddef.h>

/* Writes "mangle@IFACE.service", with the name escaped as systemd does it; iface NULL: the pattern
 * of all such units. */
void unit_name(const char *iface, char *out, size_t size);

enum unit_state {
	UNIT_INACTIVE, /* before the call, or being stopped, or systemd does not run */
	UNIT_STOPPED,
	UNIT_ACTIVE,  /* it could not be stopped, or not in time */
	UNIT_UNKNOWN, /* systemctl could not be run, or systemd does not answer */
};
/* Stops the unit, or those that match, and waits for it: a unit that stops later would detach what
 * was attached meanwhile. The unit runs detach too, so the caller must not hold the lock. */
enum unit_state unit_stop(const char *unit);

#endif
