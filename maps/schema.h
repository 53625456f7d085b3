/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs in the kernel and mangle-ctl agree on: keys and values of the pinned maps.
 *
 *   config  array of maps [1]: the one pointer that every change of services swaps. Its inner map
 *           holds one struct mangle_config: the port index, the services, and what only user space
 *           reads (names, prefixes as typed, generation).
 *   tables  array of maps [MANGLE_TABLE_SLOTS]: inner maps are arrays of MANGLE_CELL bytes. A
 *           service names its entity table by slot, the configuration its classifier. A slot that
 *           a configuration names never changes its meaning while that configuration runs: new
 *           tables get a free slot, and the swap of `config` makes them visible.
 *   stats   array [(CPUs + 2) * MANGLE_STATS_SLOTS] of struct mangle_stats: one copy for each CPU,
 *           which only that CPU writes, and two that only user space writes (see there).
 *   ifaces  hash, user space only: the interfaces that mangle is attached to.
 *   flows   array of maps [1]: its inner map is an LRU hash, struct mangle_flow_key to struct
 *           mangle_flow; empty until the first service in TCP connection mode is published.
 *   gate    array [CPUs + 1] of struct mangle_gate: which build acts, where two are on one
 *           interface.
 *   layout  array [1] of struct mangle_layout: the layout version of these maps.
 *
 * An entity table has C copies of its B = buckets + MANGLE_MAX_DISTANCE buckets:
 *   cell 0                       struct mangle_table_header, user space only
 *   cells 1 + B*c + b            struct mangle_cell: bucket b and its counters, in copy c
 *   from cell 1 + B*C on         struct mangle_counts, two a cell, by bucket, user space only: the
 *                                carried counters, of what entities had counted in earlier tables
 *   behind them                  rich targets (see there), of which no table has any so far
 * or, where tags have at most MANGLE_PACKED_MAX_TAG bytes, with H = (B + 1) / 2:
 *   cells 1 + H*c + b/2          struct mangle_packed_bucket, two a cell: bucket b, copy c
 *   from cell 1 + H*C on         as above
 * Copy c < cpus is read and counted in by CPU c alone; CPUs that were not online when the table was
 * built share copy `cpus` and count there with atomic adds (there is no such copy where every
 * possible CPU has its own). So a packet needs one lookup, its one or two cache lines lie side by
 * side in one page, and no other CPU writes there. All copies have the same entities.
 *
 * Byte order is the machine's unless a name ends in _be. Sizes and offsets are bytes.
 */
#ifndef MANGLE_SCHEMA_H
#define MANGLE_SCHEMA_H

#include <linux/types.h>

#include "reasons.h"

/* Layout version of everything below. Of pins of another version, `upgrade` converts the maps, and
 * every other command refuses them. */
#define MANGLE_LAYOUT_VERSION 5
#define MANGLE_CONFIG_MAGIC 0x6d6e676cU /* "mngl" */
#define MANGLE_TABLE_MAGIC 0x6d746162U	/* "mtab" */

#define MANGLE_MAX_SERVICES 1024
#define MANGLE_MAX_PORTS 16   /* of a service */
#define MANGLE_MAX_PREFIXES 8 /* of a service, of either kind */
#define MANGLE_MAX_TAG 16
#define MANGLE_NAME_SIZE 32   /* with the NUL */
#define MANGLE_TEXT_SIZE 64   /* of what is for people, UTF-8, with the NUL */
#define MANGLE_IFNAME_SIZE 16 /* IFNAMSIZ, with the NUL */
#define MANGLE_CELL 128

#define MANGLE_PROTO_UDP 1
#define MANGLE_PROTO_TCP 2

/* What is done with a packet: an entity's target, or what a policy says. */
enum mangle_action {
	ACTION_NONE = 0, /* of a slot: no entity */
	ACTION_PORT = 1,
	ACTION_DROP = 2,
	ACTION_PASS = 3,
	ACTION_RICH = 4, /* of an entity alone: a record says the rest, struct mangle_rich_target */
};

enum mangle_tcp_mode {
	TCP_MODE_CONNECTION = 0,
	TCP_MODE_SEGMENT = 1,
};

/* ---- entity tables ------------------------------------------------------------------------ */

#define MANGLE_TABLE_SLOTS \
	(2 * MANGLE_MAX_SERVICES + 8) /* every table twice, the classifier twice */
#define MANGLE_NO_TABLE 0xffffffffU

#define MANGLE_PACKED_MAX_TAG 4 /* bytes; longer tags lie in struct mangle_bucket */
#define MANGLE_PACKED_SLOTS 2	/* entities in a packed bucket */
#define MANGLE_SHORT_SLOTS 3	/* entities in a bucket, tags of 5 to 8 bytes */
#define MANGLE_LONG_SLOTS 2	/* entities in a bucket, tags of 9 to 16 bytes */
#define MANGLE_MAX_DISTANCE 7	/* buckets: probe distance of an entity from its home bucket */

/*
 * An entity's value is one word, so that a packet sees all of a change or none of it:
 * bits 0-15 port, 16-31 size_min, 32-47 size_max, 48-55 enum mangle_action, 56 has a size window.
 */
#define MANGLE_VALUE(action, port, has_size, min, max) \
	((__u64)(__u16)(port) | (__u64)(__u16)(min) << 16 | (__u64)(__u16)(max) << 32 | \
	 (__u64)(__u8)(action) << 48 | (__u64)((has_size) ? 1 : 0) << 56)
#define MANGLE_VALUE_PORT(v) ((__u16)(v))
#define MANGLE_VALUE_MIN(v) ((__u16)((v) >> 16))
#define MANGLE_VALUE_MAX(v) ((__u16)((v) >> 32))
#define MANGLE_VALUE_ACTION(v) ((__u8)((v) >> 48))
#define MANGLE_VALUE_HAS_SIZE(v) ((__u8)((v) >> 56) & 1)
/*
 * Of ACTION_RICH the word has the index of a rich target in bits 0-31, and no size window: that is
 * in the record. So far nothing writes such a word. The packet path treats the tag of a word whose
 * kind it does not know like one that is not in the table; mangle-ctl refuses the table as damaged.
 */
#define MANGLE_VALUE_RICH(index) ((__u64)(__u32)(index) | (__u64)ACTION_RICH << 48)
#define MANGLE_VALUE_INDEX(v) ((__u32)(v))

/*
 * A bucket of tags of more than MANGLE_PACKED_MAX_TAG bytes. A tag as a key is the little-endian
 * number (lo, hi) that its bytes in wire order make; tags of up to 8 bytes have hi = 0.
 *
 * A slot whose key was once set keeps it until the table is built anew; deleting an entity sets the
 * value to 0. So a value never belongs to any key but the one beside it, and a packet that reads
 * the value first can trust the key it reads afterwards.
 */
struct mangle_bucket {
	__u64 word[6];	/* short: 3 keys, 3 values. long: 2 lo, 2 hi, 2 values */
	__u64 distance; /* greatest probe distance of an entity whose home bucket this is */
	__u64 used;	/* user space only: bit n: the key of slot n is set */
};

/* Counters of one bucket's entities, by slot. A struct mangle_packed_bucket has those of its two
 * slots in the same places. */
struct mangle_counts {
	__u64 packets[3];
	__u64 bytes[3];	    /* frame from the Ethernet header on, without FCS */
	__u32 last_seen[3]; /* jiffies, MANGLE_SEEN_SHIFT; means nothing while packets is 0 */
	__u32 pad;
};

#define MANGLE_SEEN_SHIFT \
	6 /* jiffies >> 6: 0.06 s at HZ 1000, 0.64 s at HZ 100; 8 years and more */

struct mangle_cell {
	struct mangle_bucket bucket;
	struct mangle_counts counts;
};

/*
 * A bucket of short tags and its counters, packed into one cache line: in a large table a packet
 * waits for one cache miss instead of two. Keys and values lie where struct mangle_counts has the
 * counters of a third slot, and behave as in struct mangle_bucket. MANGLE_VALUE leaves bits of a
 * value's word free: they have MANGLE_PACKED_USED and, in slot 0's, MANGLE_PACKED_DISTANCE.
 */
struct mangle_packed_bucket {
	__u64 packets[2];
	__u64 value0;
	__u64 bytes[2];
	__u64 value1;
	__u32 last_seen[2];
	__u32 key[2];
};
#define MANGLE_PACKED_VALUE(word) ((word) & ((1ULL << 57) - 1))
#define MANGLE_PACKED_USED (1ULL << 57) /* user space only: the slot's key is set */
#define MANGLE_PACKED_DISTANCE(word) ((__u32)((word) >> 58) & MANGLE_MAX_DISTANCE)
#define MANGLE_PACKED_DISTANCE_BITS(distance) ((__u64)(distance) << 58)

struct mangle_table_header {
	__u32 magic; /* MANGLE_TABLE_MAGIC */
	__u32 buckets;
	__u32 cpus;   /* CPUs that have a copy of their own */
	__u32 copies; /* cpus, or cpus + 1 */
	__u32 tag_len;
	__u32 rich; /* rich targets */
	__u64 seed;
	__u64 used;	/* slots whose key is set, deleted ones too */
	__u64 entities; /* slots with a value */
	__u8 pad[80];
};

/* ---- rich targets: what an entity's word has no room for ------------------------------------ */

/*
 * Rich targets are the last cells of their service's table, from mangle_service.rich on, each two:
 * cell rich + 2 * index is what packets read, the cell behind it what they write, so that writing
 * takes no cache line from those who read. They change with the table, by the same pointer, and a
 * packet has that map already. No table has any so far: rich is 0.
 */
struct mangle_destination {
	__u8 addr[16]; /* network byte order; IPv4 in the first 4 */
	__u16 port;
	__u8 family; /* 4 or 6; 0: this host, the address is 0 */
	__u8 pad;
};
#define MANGLE_MAX_COPIES 4 /* of an entity */

enum mangle_rate_unit {
	RATE_NONE = 0,
	RATE_PACKETS = 1,
	RATE_BITS = 2,
};

struct mangle_rich_target {
	__u8 action;   /* enum mangle_action: ACTION_PORT means `to` */
	__u8 has_size; /* 1: a size window of its own */
	__u8 copies;
	__u8 rate_unit; /* enum mangle_rate_unit */
	__u16 size_min; /* payload, inclusive */
	__u16 size_max;
	__u64 rate;  /* in rate_unit, a second */
	__u64 burst; /* in rate_unit */
	struct mangle_destination to;
	struct mangle_destination copy[MANGLE_MAX_COPIES];
	__u8 pad[4];
};

struct mangle_rich_state {
	__u64 due; /* ns since boot: from then on the next packet conforms; of all CPUs */
	__u64 sent[MANGLE_MAX_COPIES];
	__u64 failed[MANGLE_MAX_COPIES];
	__u8 pad[56];
};

/* ---- classifier: services that name prefixes or an interface, or share a port -------------- */

/*
 * What services are matched by. Addresses are in network byte order, IPv4 in the last 4 bytes; the
 * interface is the name that it had when it was attached, NUL-padded.
 */
struct mangle_match {
	__u64 daddr[2];
	__u64 saddr[2];
	__u64 ifname[2];
	__u64 kind; /* MANGLE_KIND */
};
#define MANGLE_KIND(family, proto) \
	((__u64)(family) | (__u64)(proto) << 8) /* family 4 or 6; MANGLE_PROTO_* */
#define MANGLE_MATCH_WORDS 7

/*
 * All rules of one port that test the same bits (tuple space search). A port's tuples lie one
 * behind the other in order of precedence. The rules of a tuple are a cuckoo hash: a key lies in
 * one of two cells.
 */
struct mangle_tuple {
	struct mangle_match mask;
	__u32 first; /* cell of the first rule */
	__u32 rules; /* number of cells, a power of two; MANGLE_TUPLE_LAST: no tuple follows */
	__u8 pad[64];
};
#define MANGLE_TUPLE_LAST 0x80000000U
#define MANGLE_MAX_TUPLES 1024 /* of a port: as many as there are services */

struct mangle_rule {
	struct mangle_match key; /* masked */
	__u32 service;		 /* index + 1; 0: the cell has no rule */
	__u8 pad[68];
};

/* ---- configuration ------------------------------------------------------------------------ */

/* What the packet path reads of a service: one cache line. */
struct mangle_service {
	__u64 seed;	  /* of the table's hash */
	__u32 table;	  /* slot in tables */
	__u32 buckets;	  /* of the table; at least 1 */
	__s32 tag_offset; /* from the payload's start; below 0 from its end */
	__u16 size_min;	  /* payload, inclusive */
	__u16 size_max;
	__u16 unknown_port; /* where unknown is ACTION_PORT */
	__u16 stats;	    /* slot in stats, 1 .. MANGLE_MAX_SERVICES */
	__u16 cpus;	    /* CPUs that have a copy of the table of their own */
	__u8 tag_len;
	__u8 protocols;	 /* MANGLE_PROTO_*, or-ed */
	__u8 invalid;	 /* enum mangle_action */
	__u8 unknown;	 /* enum mangle_action */
	__u8 observe;	 /* 1: decide and count, change nothing */
	__u8 connection; /* 1: TCP in connection mode */
	__u8 reply;	 /* 1: UDP replies get the shared port back */
	__u8 pad[3];
	__u32 rich; /* first cell of the table's rich targets; 0: it has none */
	__u32 pad2;
	__u64 tag_ignored[2]; /* lo, hi: the bits of a tag, as a key, that are outside its mask */
};

struct mangle_prefix {
	__u8 addr[16]; /* network byte order; IPv4 in the first 4 */
	__u8 family;   /* 4 or 6 */
	__u8 len;      /* bits */
	__u8 pad[2];
};

/* What user space reads of a service. The packet path reads daddr_count alone, for replies that are
 * forwarded. */
struct mangle_service_info {
	char name[MANGLE_NAME_SIZE];
	char ifname[MANGLE_IFNAME_SIZE]; /* "": any */
	__u16 ports[MANGLE_MAX_PORTS];	 /* ascending */
	__u8 port_count;
	__u8 daddr_count;
	__u8 saddr_count;
	__u8 tcp_mode; /* enum mangle_tcp_mode */
	__u8 reply;
	__u8 disabled;	     /* 1: packets are handled as if the service did not exist */
	__u16 targets_first; /* 0: any target */
	__u16 targets_last;
	__u8 pad1[2];
	/* Kernel's id of the table's map, whose pin is inner/ID. */
	__u32 table_id;
	/* Slot + 1 and id of the table this one replaced, while its counters are still being
	 * carried over; 0: none. */
	__u32 carry_from;
	__u32 carry_id;
	__u32 names_id; /* kernel's id of the map of its entities' names, pin as above; 0: none */
	struct mangle_prefix daddr[MANGLE_MAX_PREFIXES];
	struct mangle_prefix saddr[MANGLE_MAX_PREFIXES];
	char description[MANGLE_TEXT_SIZE]; /* for people; "": none */
};

struct mangle_config {
	/* By destination port: 0 no service; 1 .. MANGLE_MAX_SERVICES index + 1 of the one service,
	 * which has neither prefixes nor interface; with MANGLE_PORT_TUPLES the cell of the port's
	 * first tuple in the classifier. */
	__u32 port[65536];
	struct mangle_service service[MANGLE_MAX_SERVICES];
	__u32 classifier; /* slot in tables or MANGLE_NO_TABLE */
	__u32 pad;
	__u64 cookie_key[2]; /* of SYN cookies; random, and the same while the pins live */
	__u32 target[65536]; /* by port: MANGLE_TARGET; 0: replies from it stay as they are */

	/* From here on only user space reads, but for info[].daddr_count. */
	__u32 magic;  /* MANGLE_CONFIG_MAGIC */
	__u32 layout; /* MANGLE_LAYOUT_VERSION */
	__u32 service_count;
	__u64 generation;
	__u32 dirty;	     /* a change is under way or was interrupted */
	__u32 hz;	     /* jiffies a second */
	__u32 stats_high;    /* greatest slot of stats that was ever used */
	__u32 classifier_id; /* kernel's id of the classifier's map */
	__u32 flows;	     /* connections that the flow table is to hold */
	__u32 flows_id;	     /* kernel's id of its map; 0: it does not exist yet */
	char file[256];	     /* configuration file last applied, absolute; "": none */
	struct mangle_service_info info[MANGLE_MAX_SERVICES];
};
#define MANGLE_PORT_TUPLES 0x80000000U

/*
 * An entry of mangle_config.target, for a port that is a target of services with replies or TCP
 * connections. Bits 0-15 are the shared port of those with `reply` (0: there are none), bits 16-26
 * the index + 1 of that service (0: there are several, with the same shared port).
 * MANGLE_TARGET_TCP says that a service in TCP connection mode has the target.
 */
#define MANGLE_TARGET(shared, service) ((__u32)(__u16)(shared) | (__u32)(service) << 16)
#define MANGLE_TARGET_SHARED(target) ((__u16)(target))
#define MANGLE_TARGET_SERVICE(target) ((target) >> 16 & 0x7ff)
#define MANGLE_TARGET_TCP 0x80000000U

/* ---- TCP connections ---------------------------------------------------------------------- */

/*
 * A connection has two entries: by the shared port, and, once it is bound to a target, by that with
 * MANGLE_FLOW_REVERSE. Addresses and ports are in network byte order, IPv4 addresses as
 * ::ffff:a.b.c.d.
 */
struct mangle_flow_key {
	__u32 client_be[4];
	__u32 server_be[4];
	__u16 client_port_be;
	__u16 server_port_be; /* shared port; MANGLE_FLOW_REVERSE: target */
	__u32 netns;	      /* low bits of the network namespace's inode; MANGLE_FLOW_REVERSE */
};
#define MANGLE_FLOW_REVERSE 0x80000000U

enum mangle_flow_state {
	FLOW_WAITING = 1, /* the handshake is done, no data has come yet */
	FLOW_BOUND = 2, /* the target's listener has the connection, its socket was not seen yet */
	FLOW_LIVE = 3,	/* its socket was seen */
	FLOW_REVERSE = 4,
	FLOW_ENDED = 5, /* a SYN has come while its old socket waits in TIME_WAIT */
};

struct mangle_flow {
	__u8 state;	/* enum mangle_flow_state */
	__u8 passed;	/* bound, live: by `pass`, to the shared port itself */
	__u16 port;	/* bound, live: target; reverse: shared port; else an old target, or 0 */
	__u32 isn;	/* client's initial sequence number */
	__u32 cookie;	/* the SYN cookie that mangle sent */
	__u32 options;	/* timestamp that mangle sent with it; 0 without timestamps */
	__u32 short_at; /* when first data was too short: seconds since boot + 1; 0: it was not */
	__u32 bound_at; /* bound: ms since boot */
	__u32 cpu;	/* bound: by this CPU */
};
#define MANGLE_FLOWS_DEFAULT 65536U
#define MANGLE_FLOWS_MIN 1024U
#define MANGLE_FLOWS_MAX 4194304U
#define MANGLE_FLOWS_SPARE 256U /* entries that the LRU map keeps free for each CPU */
#define MANGLE_FLOW_ENTRIES(flows, cpus) (2 * (flows) + MANGLE_FLOWS_SPARE * (cpus))

/* ---- counters ----------------------------------------------------------------------------- */

#define MANGLE_REASON_CELLS 64			     /* with room for future reasons */
#define MANGLE_VERDICT_CELLS 8			     /* and verdicts */
#define MANGLE_STATS_SLOTS (MANGLE_MAX_SERVICES + 1) /* slot 0: packets of no service */

/*
 * A slot's cells only ever grow, also when its service is deleted, so the sum over all slots is
 * what mangle has seen. When a service takes over a slot, mangle-ctl writes the counts so far to
 * the first of its own two copies, and subtracts them from what it shows. The second copy has what
 * was counted in a map of another layout version, before an upgrade.
 */
struct mangle_stats {
	__u64 packets[MANGLE_REASON_CELLS];
	__u64 bytes[MANGLE_REASON_CELLS];
	__u64 verdict[MANGLE_VERDICT_CELLS]; /* packets, by what happened */
	__u64 would[MANGLE_VERDICT_CELLS];   /* under observe: by what would have happened */
};

/* ---- attachments -------------------------------------------------------------------------- */

#define MANGLE_MAX_IFACES 256

struct mangle_iface_key {
	__u64 netns;   /* inode of the network namespace */
	__u32 ifindex; /* there */
	__u32 pad;
};

enum mangle_mode {
	MODE_NATIVE = 1,
	MODE_GENERIC = 2,
};

enum mangle_tc {
	TC_TCX = 1,	   /* pinned links, Linux 6.6 */
	TC_CLSACT = 2,	   /* filters, on a clsact qdisc that was there */
	TC_OWN_CLSACT = 3, /* filters, on a clsact qdisc that mangle-ctl added */
};

struct mangle_iface {
	char name[MANGLE_IFNAME_SIZE]; /* when attached */
	char netns_name[64];	       /* as given to -n; "": the namespace mangle-ctl ran in */
	__u32 prog_id;	  /* of the program that acts, or did before `upgrade` replaced it */
	__u32 mode;	  /* enum mangle_mode */
	__u32 dispatcher; /* 1: through libxdp's dispatcher; 0: a pinned link */
	__u32 pin;	  /* the link's pin is link-PIN: id of the first program it had */
	__u32 next_id;	  /* dispatcher: the program that is to take over; 0: none */
	__u32 tc_kind;	  /* enum mangle_tc, of the programs that tc has */
	__u32 tc_in;	  /* tcx: the ingress link's pin is tc-ID; else the program's id; 0: none */
	__u32 tc_out;	  /* the same, egress */
	__u32 tc_was_in;  /* clsact: the program that tc_in replaced or was about to replace */
	__u32 tc_was_out; /* the same, egress */
	__u32 tc_netns;	  /* inode of the network namespace that these were loaded for */
	__u32 conntrack;  /* 1: the XDP program asks conntrack to whom a packet belongs */
	__u64 next_epoch; /* next_id's, struct mangle_gate: acts once that is the gate's */
	__u8 build[8];	  /* hash of the program's object file */
};

/* ---- upgrade ------------------------------------------------------------------------------ */

/*
 * Under libxdp's dispatcher a program cannot be replaced: the new one is attached behind the old
 * one, and the gate says which of the two acts. Entry 0 has the epoch of the one that acts, which
 * user space changes by one write. Entry 1 + CPU has the epoch of the program that acted last on
 * that CPU: a frame that the old program handled just before the change is left alone by the new
 * one behind it. The gate is the same in every layout version, since programs of two versions share
 * it.
 */
struct mangle_gate {
	__u64 epoch; /* 0: no program */
	__u8 pad[56];
};

/*
 * Describes the maps beside it by name and type of every field, in BTF, so that an upgrade can read
 * maps of other layout versions. It is the same in every layout version.
 */
#define MANGLE_LAYOUT_MAGIC 0x6d6c6179U /* "mlay" */
#define MANGLE_LAYOUT_BTF 65520
struct mangle_layout {
	__u32 magic;
	__u32 version; /* MANGLE_LAYOUT_VERSION */
	__u32 size;    /* bytes of btf */
	__u32 pad;
	__u8 btf[MANGLE_LAYOUT_BTF];
};

/* ---- explain ------------------------------------------------------------------------------ */

/* What the explaining instance of the program writes about the one packet that it was run with. */
struct mangle_explained {
	__u32 reason;  /* enum mangle_reason */
	__u32 verdict; /* enum mangle_verdict: what happens to it */
	__u32 would;   /* enum mangle_verdict: what would happen without observe */
	__u32 service; /* index + 1; 0: none matched */
	__u32 has_ports;
	__u32 has_tag;
	__u16 old_port; /* destination */
	__u16 new_port;
	__u16 src_port;
	__u8 family; /* 4 or 6; 0: not parsed */
	__u8 has_payload;
	__u64 tag[2];	   /* lo, hi */
	__u32 addr_off;	   /* bytes from the frame's first to the source address, where family */
	__u32 l4_off;	   /* likewise to the UDP or TCP header, where has_ports */
	__u32 payload_len; /* bytes, where has_payload */
	__u32 pad;
};

#ifdef __cplusplus
#define MANGLE_ASSERT(x) static_assert(x, #x)
#else
#define MANGLE_ASSERT(x) _Static_assert(x, #x)
#endif
MANGLE_ASSERT(MANGLE_REASON_COUNT <= MANGLE_REASON_CELLS);
MANGLE_ASSERT(MANGLE_VERDICT_COUNT <= MANGLE_VERDICT_CELLS);
MANGLE_ASSERT(sizeof(struct mangle_bucket) == 64);
MANGLE_ASSERT(sizeof(struct mangle_counts) == 64);
MANGLE_ASSERT(sizeof(struct mangle_packed_bucket) == 64);
MANGLE_ASSERT(sizeof(struct mangle_cell) == MANGLE_CELL);
MANGLE_ASSERT(sizeof(struct mangle_table_header) == MANGLE_CELL);
MANGLE_ASSERT(sizeof(struct mangle_destination) == 20);
MANGLE_ASSERT(sizeof(struct mangle_rich_target) == MANGLE_CELL);
MANGLE_ASSERT(sizeof(struct mangle_rich_state) == MANGLE_CELL);
MANGLE_ASSERT(MANGLE_VALUE_ACTION(MANGLE_VALUE_RICH(~0U)) == ACTION_RICH);
MANGLE_ASSERT(!MANGLE_VALUE_HAS_SIZE(MANGLE_VALUE_RICH(~0U)));
MANGLE_ASSERT(sizeof(struct mangle_tuple) == MANGLE_CELL);
MANGLE_ASSERT(sizeof(struct mangle_rule) == MANGLE_CELL);
MANGLE_ASSERT(sizeof(struct mangle_service) == 64);
MANGLE_ASSERT(sizeof(struct mangle_prefix) == 20);
MANGLE_ASSERT(sizeof(struct mangle_service_info) == 492);
MANGLE_ASSERT(sizeof(struct mangle_stats) == 1152);
MANGLE_ASSERT(sizeof(struct mangle_flow_key) == 40);
MANGLE_ASSERT(sizeof(struct mangle_flow) == 28);
MANGLE_ASSERT(sizeof(struct mangle_iface_key) == 16);
MANGLE_ASSERT(sizeof(struct mangle_iface) == 144);
MANGLE_ASSERT(sizeof(struct mangle_gate) == 64);
MANGLE_ASSERT(sizeof(struct mangle_layout) == 65536);
MANGLE_ASSERT(sizeof(struct mangle_explained) == 64);

#endif
