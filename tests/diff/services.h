/* SPDX-License-Identifier: GPL-2.0-only */
/* Random sets of services that touch one another: same ports, nested prefixes, tags alike. */
#ifndef DIFF_SERVICES_H
#define DIFF_SERVICES_H

#include "../../ctl/model/check.h"
#include "../../ctl/model/setting.h"
#include "chance.h"

/* Interfaces that services name, and that frames come in on ("": one that none of them names). */
#define IFNAMES 3
extern const char *const ifnames[IFNAMES];

/* m is checked, and has one service at least. rewriting: every service is UDP or TCP in enforce,
 * with entities that give another port, whatever the size. */
void draw_services(struct chance *c, struct model *m, bool rewriting);
/* An address that services' prefixes were made of, some of its last bits changed. */
void draw_address(struct chance *c, unsigned int family, uint8_t *addr);
uint16_t draw_port(struct chance *c);

#endif
