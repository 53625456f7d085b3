/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames for the program vectors, built from a description. A description names only what
 * differs from an ordinary frame; every field left out has the default its comment gives.
 *
 * Nothing here shares code with the program: checksums are plain RFC 1071 sums over the whole
 * packet, and the frame expected to come out is built anew with the new port.
 */
#ifndef TESTS_PROGRAM_FRAME_H
#define TESTS_PROGRAM_FRAME_H
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 9216

/* A value where 0 means something: only OPT(x) replaces the default. */
struct opt {
	uint8_t set;
	uint32_t v;
};
#define OPT(x) ((struct opt){.set = 1, .v = (uint32_t)(x)})

/* One IPv6 extension header, as put in front of the transport header. */
struct ext {
	uint8_t used;	 /* 0 ends the chain */
	uint8_t type;	 /* its protocol number */
	uint8_t units;	 /* length in 8-octet units, the first not counted */
	uint8_t segleft; /* routing header only */
	uint16_t frag;	 /* fragment header only: offset << 3 | M, host order */
	struct opt len;	 /* length octet where it lies; default: units */
};
#define EXT_HOPBYHOP 0
#define EXT_ROUTING 43
#define EXT_FRAGMENT 44
#define EXT_DESTINATION 60
#define HBH ((struct ext){.used = 1, .type = EXT_HOPBYHOP})
#define DST ((struct ext){.used = 1, .type = EXT_DESTINATION})
#define DST_UNITS(n) ((struct ext){.used = 1, .type = EXT_DESTINATION, .units = (n)})
#define DST_LIES(n) ((struct ext){.used = 1, .type = EXT_DESTINATION, .len = OPT(n)})
#define HBH_LIES(n) ((struct ext){.used = 1, .type = EXT_HOPBYHOP, .len = OPT(n)})
#define ROUTE(left) ((struct ext){.used = 1, .type = EXT_ROUTING, .units = 2, .segleft = (left)})
#define ROUTE_LIES(left, n) \
	((struct ext){.used = 1, .type = EXT_ROUTING, .segleft = (left), .len = OPT(n)})
#define FRAG(f) ((struct ext){.used = 1, .type = EXT_FRAGMENT, .frag = (f)})
#define OTHER(t) ((struct ext){.used = 1, .type = (t)})
#define FRAG_MORE 1u	      /* the fragment header's M */
#define FRAG_AT(n) ((n) << 3) /* the fragment header's offset, in units of 8 octets */
#define IP4_EVIL 0x8000u
#define IP4_DF 0x4000u
#define IP4_MF 0x2000u

enum l4 { UDP, TCP };

/* What the transport checksum field holds. */
enum csum {
	CSUM_GOOD,   /* the checksum; UDP's 0 written as 0xffff */
	CSUM_OFF_BY, /* the checksum plus .csum_arg in one's complement arithmetic: a wrong one */
	CSUM_FIELD,  /* .csum_arg as it is */
	CSUM_PSEUDO, /* the folded pseudo-header sum, not complemented, plus .csum_arg: 0 is
			CHECKSUM_PARTIAL */
};

/* Sets the payload's 16 bits at .at (even) so that the checksum, with destination port .port,
 * computes to .value, or to the pseudo-header's sum plus .value. */
struct fix {
	uint8_t used, pseudo;
	uint16_t port, value;
	uint32_t at;
};

struct frame {
	/* link */
	uint16_t vlan[3];     /* TPIDs, outermost first; 0: no more tags */
	struct opt tci;	      /* default 0x0064 + the tag's index */
	struct opt ethertype; /* default by .ip */

	/* network */
	uint8_t ip;	       /* 4 (and 0) or 6 */
	const char *src, *dst; /* default 198.51.100.7 and 192.0.2.9, 2001:db8::7 and 2001:db8::9 */
	struct opt version;    /* default .ip */
	struct opt tos;	      /* IPv4 TOS; IPv6: traffic class and flow label, 28 bits; default 0 */
	uint8_t ihl;	      /* IPv4: header length in words, 5 (and 0) to 15, options are NOPs */
	struct opt ihl_field; /* IPv4: what the IHL says; default .ihl */
	struct opt frag;      /* IPv4: flags and fragment offset; default 0 */
	struct opt ip_csum;   /* IPv4: default the header's checksum */
	struct opt ip_len;    /* IPv4 total length, IPv6 payload length; default what is there */
	struct opt proto;     /* IPv4 protocol, IPv6 last next header; default by .l4 */
	struct ext ext[12];   /* IPv6 */

	/* transport */
	enum l4 l4;
	struct opt sport, dport; /* default 40000 and 5000 */
	struct opt udp_len; /* default what is there; the checksum covers this much where it can */
	uint8_t doff;	    /* TCP: header length in words, 5 (and 0) to 15, options are NOPs */
	struct opt doff_field; /* TCP: what the data offset says; default .doff */
	struct opt flags;      /* TCP: default PSH ACK */
	enum csum csum;
	uint16_t csum_arg;
	struct opt keep; /* bytes of the transport segment that are in this packet (fragments, cut
			    segments) */

	/* payload: bytes that are no tag of any table, and one tag */
	struct opt payload; /* its length; default 32 */
	const char *tag;    /* default "ABCD" */
	uint8_t tag_len;    /* default strlen(tag) */
	uint8_t no_tag;	    /* leave it out */
	struct opt at;	    /* where the tag begins, as int32_t; < 0 from the end; cut off at the
			       payload's ends */
	struct fix fix;

	/* after the IP packet */
	uint32_t trail;		/* bytes of 0xee */
	const char *trail_text; /* text at their start */
	uint32_t pad_to;	/* zero bytes up to this frame length */
	struct opt cut;		/* the frame ends here, whatever the headers say */
};

#define FLAG_FIN 0x01
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_PSH 0x08
#define FLAG_ACK 0x10
#define FLAG_URG 0x20

/* The frame. Returns its length; a description that cannot be built ends the process. */
size_t frame_build(const struct frame *f, uint8_t out[FRAME_MAX]);

/* The frame as it must come out with its destination port rewritten: built anew. port_only: the
 * checksum field stays as it is (UDP's 0, CHECKSUM_PARTIAL); else see frame.c on which field. */
size_t frame_rewritten(const struct frame *f, uint16_t port, int port_only, uint8_t out[FRAME_MAX]);

/* What a description's checksum is like: for the builder's own assertions. */
struct frame_sums {
	uint16_t good;	 /* the checksum over the whole packet, 0 to 0xfffe */
	uint16_t pseudo; /* the folded pseudo-header sum, 1 to 0xffff */
	uint16_t field;	 /* what the field holds */
};
void frame_sums(const struct frame *f, struct frame_sums *s);
#endif
