// SPDX-License-Identifier: GPL-2.0-only
#include "frame.h"

#include <string.h>

/* Documentation addresses; the destination MAC is what lab.c gives to receiving devices. */
static const __u8 template[FRAME_TAG] = {
	0x02, 0,
	0,    0,
	0,    0x02,
	0x02, 0,
	0,    0,
	0,    0x01,
	0x08, 0x00,
	0x45, 0,
	0,    FRAME_LEN - FRAME_IP,
	0,    0,
	0x40, 0,
	64,   17,
	0,    0,
	192,  0,
	2,    1,
	198,  51,
	100,  1,
	0x9c, 0x40,
	0,    0,
	0,    FRAME_LEN - FRAME_UDP,
	0,    0,
};

static __u16 get16(const __u8 *p)
{
	return p[0] << 8 | p[1];
}

static __u32 sum(const __u8 *p, int len)
{
	__u32 s = 0;

	for (int i = 0; i < len; i += 2)
		s += get16(p + i);
	return s;
}

static __u16 fold(__u32 s)
{
	s = (s & 0xffff) + (s >> 16);
	return s + (s >> 16);
}

/* The ones'-complement sum of pseudo-header, UDP header and payload. */
static __u16 udp_sum(const __u8 *frame)
{
	return fold(sum(frame + FRAME_IP + 12, 8) + frame[FRAME_IP + 9] +
		    get16(frame + FRAME_UDP + 4) + sum(frame + FRAME_UDP, FRAME_LEN - FRAME_UDP));
}

static void put_complement(__u8 *p, __u16 s)
{
	s = ~s;
	p[0] = s >> 8;
	p[1] = s & 0xff;
}

void frame_build(__u8 frame[FRAME_LEN])
{
	memcpy(frame, template, sizeof(template));
	for (int i = FRAME_TAG; i < FRAME_LEN; i++)
		frame[i] = i < FRAME_TAG + 4 ? 0 : i;
	put_complement(frame + FRAME_IP + 10, fold(sum(frame + FRAME_IP, FRAME_UDP - FRAME_IP)));
	put_complement(frame + FRAME_UDP + 6, udp_sum(frame));
}

const char *frame_wrong(const __u8 *frame, __u32 len, __u32 i, __u16 port)
{
	const __u32 tag = frame_tag(i);
	__u8 want[FRAME_LEN];

	if (len != FRAME_LEN)
		return "another length";
	if (memcmp(frame + FRAME_TAG, &tag, sizeof(tag)))
		return "another tag";
	if (get16(frame + FRAME_UDP + 2) != port)
		return "another port";
	if (udp_sum(frame) != 0xffff || !get16(frame + FRAME_UDP + 6))
		return "a wrong checksum";
	frame_build(want); /* the rest must not have changed */
	memcpy(want + FRAME_UDP + 2, frame + FRAME_UDP + 2, 2);
	memcpy(want + FRAME_UDP + 6, frame + FRAME_UDP + 6, 2);
	memcpy(want + FRAME_TAG, &tag, sizeof(tag));
	return memcmp(frame, want, FRAME_LEN) ? "bytes changed that should not" : 0;
}
