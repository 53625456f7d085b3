/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mangle's order of tests (mangle-ctl(8)) makes of a frame, in plain C. Written from that
 * table alone: shares neither code nor thought with xdp/. TCP in connection mode is no part of it.
 */
#ifndef DIFF_ORACLE_H
#define DIFF_ORACLE_H

#include "../../ctl/model/model.h"

struct judgement {
	enum mangle_reason reason;
	enum mangle_verdict verdict;   /* what happens */
	enum mangle_verdict would;     /* what would happen without observe */
	const struct service *service; /* counts it; NULL: none */
	const struct entity *entity;   /* counts it; NULL: none */
	bool partial; /* a port was given, and the checksum was taken for unfinished */
};

/* Judges a frame that came in on ifname, and makes of it what leaves. */
void oracle_judge(const struct model *m, const char *ifname, uint8_t *frame, size_t len,
		  struct judgement *j);

/* Of a whole (not fragmented) datagram or segment: is its checksum right? */
enum checksum { CHECKSUM_NONE, CHECKSUM_RIGHT, CHECKSUM_WRONG };
enum checksum oracle_checksum(const uint8_t *frame, size_t len);
/* Does to the checksum what a network card does that was left it. */
void oracle_finish(uint8_t *frame, size_t len);

#endif
