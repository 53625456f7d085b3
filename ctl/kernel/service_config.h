/* SPDX-License-Identifier: GPL-2.0-only */
/* A service in the configuration's map, setting by setting. */
#ifndef KERNEL_SERVICE_CONFIG_H
#define KERNEL_SERVICE_CONFIG_H

#include "model/service.h"

/* Reads a service from the configuration, without entities; and writes it, without its table. */
void service_from_config(const struct mangle_config *c, uint32_t index, struct service *out);
void service_to_config(const struct service *svc, struct mangle_config *c, uint32_t index);

#endif
