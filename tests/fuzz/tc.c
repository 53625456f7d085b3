/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two programs at tc's hooks, compiled for this machine. An input is a conversation: the first
 * byte chooses services and CPU, then come packets, each with what the kernel says beside it. What
 * no input could guess, a cookie and a checksum, is put in where a packet asks for it.
 *
 * With `transcript` set, what becomes of each packet is written there (replay.c).
 */
#define HOST_PKT "../../xdp/pkt_skb.h"
/* Where a program on a kernel takes its own context for it. */
#define KERNEL_SKB(ctx) ((struct sk_buff *)bpf_cast_to_kern_ctx(ctx))
#define HOST_PROGRAM "../../xdp/tc.bpf.c"
#include "program.h"

#include "fuzz.h"
#include "memory.h"
#include "replay.h"
#include "services.h"

#define FLOWS 64
#define AF_PACKET 17

FILE *transcript;

/* What is before each packet of an input, and its length. */
struct sent {
	uint8_t flags;
	uint8_t sockets;  /* what the kernel finds, and does */
	uint8_t wait;	  /* since the packet before: place in `waits` */
	uint8_t fault;	  /* so many-th call of a helper that may fail; 0: none fails */
	uint8_t settings; /* of the host */
	uint8_t kernel;
	uint8_t len_le[2];
};
#define IS_OUT 0x01
#define HAS_COOKIE 0x02	  /* acknowledges the last SYN-ACK */
#define HAS_CHECKSUM 0x04 /* TCP: a right one */
#define IS_MERGED 0x20
#define IS_CUT 0x40 /* only the headers are in the first part */

#define SHARED_STATE(sockets) ((sockets)&3)
#define TARGET_STATE(sockets) ((sockets) >> 2 & 3)
#define IP_SUMMED(sockets) ((sockets) >> 4 & 3)
#define ASSIGN_FAILS 0x40 /* and the MTU is the least there is */
#define HAS_SOCKET 0x80	  /* on its way out */

enum socket_kind {
	SOCKET_HERE,
	SOCKET_NOT_FULL,
	SOCKET_OF_PACKETS,
	SOCKET_ELSEWHERE,
};

static const uint32_t waits[] = {0,    1,    9,	   10,	  11,	 20,	4000,
				 5000, 5001, 6000, 68718, 68720, 140000}; /* ms */
#define WAITS (sizeof(waits) / sizeof(waits[0]))

#define HAS_TIMESTAMPS 0x01
#define HAS_SACK 0x02
#define HAS_SCALE 0x04
#define HAS_ECN 0x08
#define ROUTE(settings) ((settings) >> 4 & 3)
#define SOCKET_KIND(settings) ((settings) >> 4 & 3) /* on its way out */
#define IS_FOR_OTHERS 0x40			    /* by its link address */
#define HAS_LOST_LINK 0x80			    /* the packet begins with the IP header */

#define BACKLOG(kernel) ((kernel)&3)
#define IS_NOT_ETHERNET 0x04
#define HAS_RECEIVED 0x08		     /* the socket, before */
#define IS_LIST 0x08			     /* merged, on its way out */
#define MERGED(kernel) ((kernel) >> 4 & 3)   /* segments, less 2 */
#define EXPECTED(kernel) ((kernel) >> 6 & 3) /* what a TIME_WAIT socket waits for */

static struct services sets[SERVICE_SETS];

static struct {
	struct services *set;
	struct sent sent;
	uint32_t cpu;
	uint64_t ns;

	uint8_t *bytes; /* all of the packet */
	uint32_t len, first_len;
	uint8_t *first; /* its first part, as the program has it */
	struct __sk_buff skb;
	struct sk_buff kernel;
	struct net_device dev;
	struct net net, other_net;

	struct host_array flows;
	struct {
		bool used;
		struct mangle_flow_key key;
		struct mangle_flow flow;
	} flow[FLOWS];
	struct skb_shared_info shared;
	struct bpf_sock found, own;
	struct sock own_kernel;
	struct tcp_sock tcp;
	struct tcp_timewait_sock time_wait;
	bool has_bound;
	struct bound bound;
	int references;

	struct mangle_stats stats;
	uint32_t counted;
	struct mangle_scratch scratch;
	struct tcp_context context;
	struct option_scratch option_scratch;
	struct flow_scratch flow_scratch;

	/* Of the last SYN-ACK. */
	uint32_t cookie, isn, stamp;

	uint32_t calls;			 /* of helpers that may fail, for this packet */
	bool faulted, refused, restored; /* refused: what was to be written */
} host;

/* ---- maps ---- */

/* Is this call the one that fails? */
static bool fails(void)
{
	if (++host.calls != host.sent.fault)
		return false;
	host.faulted = true;
	return true;
}

static bool refuses(void)
{
	bool it_fails = fails();

	host.refused |= it_fails;
	return it_fails;
}

static struct mangle_flow *find_flow(const struct mangle_flow_key *key)
{
	for (int i = 0; i < FLOWS; i++)
		if (host.flow[i].used && !memcmp(&host.flow[i].key, key, sizeof(*key)))
			return &host.flow[i].flow;
	return NULL;
}

void *bpf_map_lookup_elem(const void *map, const void *key)
{
	uint32_t at;

	if (map == &host.flows)
		return find_flow(key);
	at = *(const uint32_t *)key;
	if (map == &tables)
		return at < MANGLE_TABLE_SLOTS && host.set->tables[at].values
			       ? &host.set->tables[at]
			       : NULL;
	if (map == &stats) {
		CHECK(at / MANGLE_STATS_SLOTS == host.cpu && ++host.counted <= 2);
		return &host.stats;
	}
	if (map != &config && map != &flows && map != &scratch_of_cpu && map != &tcp_contexts &&
	    map != &option_scratches && map != &flow_scratches)
		return element(map, at);
	CHECK(!at);
	return map == &config		  ? (void *)&host.set->config_array
	       : map == &flows		  ? (void *)&host.flows
	       : map == &scratch_of_cpu	  ? (void *)&host.scratch
	       : map == &tcp_contexts	  ? (void *)&host.context
	       : map == &option_scratches ? (void *)&host.option_scratch
					  : (void *)&host.flow_scratch;
}

/* An LRU table that is full forgets any. */
long bpf_map_update_elem(const void *map, const void *key, const void *value, __u64 flags)
{
	const struct mangle_flow *flow = value;
	struct mangle_flow *at = find_flow(key);

	CHECK(map == &host.flows && flags == BPF_ANY);
	CHECK(flow->state >= FLOW_WAITING && flow->state <= FLOW_ENDED);
	if (fails())
		return -1;
	for (int i = 0; !at && i < FLOWS; i++) {
		if (host.flow[i].used && i < FLOWS - 1)
			continue;
		host.flow[i].used = true;
		memcpy(&host.flow[i].key, key, sizeof(host.flow[i].key));
		at = &host.flow[i].flow;
	}
	*at = *flow;
	return 0;
}

long bpf_map_delete_elem(const void *map, const void *key)
{
	CHECK(map == &host.flows);
	for (int i = 0; i < FLOWS; i++)
		if (host.flow[i].used && !memcmp(&host.flow[i].key, key, sizeof(host.flow[i].key)))
			host.flow[i].used = false;
	return 0;
}

/* ---- the kernel ---- */

__u32 bpf_get_smp_processor_id(void)
{
	return host.cpu;
}

__u64 bpf_ktime_get_ns(void)
{
	return host.ns;
}

__u64 bpf_jiffies64(void)
{
	return host.ns / 1000000;
}

void *bpf_cast_to_kern_ctx(void *ctx)
{
	CHECK(ctx == &host.skb);
	return &host.kernel;
}

long bpf_probe_read_kernel(void *to, __u32 size, const void *from)
{
	if (fails())
		return -1;
	memcpy(to, from, size);
	return 0;
}

long bpf_redirect(__u32 ifindex, __u64 flags)
{
	CHECK(ifindex == host.skb.ifindex && !flags);
	return TC_ACT_REDIRECT;
}

long bpf_check_mtu(void *ctx, __u32 ifindex, __u32 *mtu_len, __s32 len_diff, __u64 flags)
{
	CHECK(ctx == &host.skb && !ifindex && !len_diff && !flags);
	if (fails())
		return -1;
	*mtu_len = host.sent.sockets & ASSIGN_FAILS ? 68 : 1500;
	return 0;
}

long bpf_fib_lookup(void *ctx, struct bpf_fib_lookup *params, int len, __u32 flags)
{
	static const long verdicts[] = {BPF_FIB_LKUP_RET_NOT_FWDED, BPF_FIB_LKUP_RET_FWD_DISABLED,
					BPF_FIB_LKUP_RET_SUCCESS, BPF_FIB_LKUP_RET_BLACKHOLE};

	CHECK(ctx == &host.skb && len == sizeof(*params) && !flags);
	return verdicts[ROUTE(host.sent.settings)];
}

/* Lays the first part out anew, where a pointer from before is one to poison. */
static void show_first(void)
{
	host.first = frame_at();
	if (host.first_len > host.len)
		host.first_len = host.len;
	ASAN_UNPOISON_MEMORY_REGION(host.first, host.first_len);
	memcpy(host.first, host.bytes, host.first_len);
	host.skb.len = host.len;
	host.skb.data = (uint32_t)(uintptr_t)host.first;
	host.skb.data_end = host.skb.data + host.first_len;
}

static bool is_within(uint32_t off, uint32_t len)
{
	return len && off <= 0xffff && len <= 0xffff && off + len <= host.len;
}

long bpf_skb_load_bytes(const void *skb, __u32 off, void *to, __u32 len)
{
	CHECK(skb == &host.skb);
	if (!is_within(off, len) || fails())
		return -1;
	memcpy(to, host.bytes + off, len);
	return 0;
}

long bpf_skb_store_bytes(struct __sk_buff *skb, __u32 off, const void *from, __u32 len, __u64 flags)
{
	CHECK(skb == &host.skb && !(flags & ~(__u64)BPF_F_RECOMPUTE_CSUM));
	if (!is_within(off, len) || refuses())
		return -1;
	memcpy(host.bytes + off, from, len);
	show_first();
	return 0;
}

/* Of another length, at whose beginning or end bytes come or go. */
static void resize(uint32_t len, uint32_t before)
{
	uint8_t *bytes = calloc(1, len);
	uint32_t room = len - before;

	CHECK(bytes);
	memcpy(bytes + before, host.bytes, room < host.len ? room : host.len);
	free(host.bytes);
	host.bytes = bytes;
	host.len = len;
	host.first_len += before;
	show_first();
}

long bpf_skb_change_head(struct __sk_buff *skb, __u32 len, __u64 flags)
{
	CHECK(skb == &host.skb && !flags && len == ETH_HLEN && !host.kernel.mac_len);
	if (fails())
		return -1;
	resize(host.len + len, len);
	host.restored = true;
	return 0;
}

long bpf_skb_change_tail(struct __sk_buff *skb, __u32 len, __u64 flags)
{
	CHECK(skb == &host.skb && !flags);
	if (len > FRAME_ROOM || refuses())
		return -1;
	resize(len, 0);
	return 0;
}

/* Nothing where the sender has left the checksum to hardware: ports are no part of what is there.
 */
long bpf_l4_csum_replace(struct __sk_buff *skb, __u32 off, __u64 from, __u64 to, __u64 flags)
{
	uint16_t *at = (uint16_t *)(host.bytes + off);

	CHECK(skb == &host.skb && !(flags & ~(__u64)(BPF_F_MARK_MANGLED_0 | BPF_F_HDR_FIELD_MASK)));
	CHECK((flags & BPF_F_HDR_FIELD_MASK) == 2);
	if (!is_within(off, 2) || refuses())
		return -1;
	if (flags & BPF_F_MARK_MANGLED_0 && !*at)
		return 0;
	if (host.kernel.ip_summed != CHECKSUM_PARTIAL)
		*at = csum_update16(*at, (uint16_t)from, (uint16_t)to);
	if (flags & BPF_F_MARK_MANGLED_0 && !*at)
		*at = 0xffff;
	show_first();
	return 0;
}

/* ---- sockets ---- */

static uint32_t state_from(uint32_t choice)
{
	static const uint32_t states[] = {0, SK_LISTEN, SK_TIME_WAIT, 1 /* established */};

	return states[choice];
}

struct bpf_sock *bpf_skc_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size,
				    __u64 netns, __u64 flags)
{
	uint16_t port = size == sizeof(tuple->ipv4) ? tuple->ipv4.dport : tuple->ipv6.dport;

	/* Some of those who ask have no context in their struct pkt, and need none here. */
	(void)ctx;
	CHECK(size == sizeof(tuple->ipv4) || size == sizeof(tuple->ipv6));
	CHECK(netns == (__u64)BPF_F_CURRENT_NETNS && !flags);
	host.found.state = state_from(bpf_ntohs(port) < 6000 ? SHARED_STATE(host.sent.sockets)
							     : TARGET_STATE(host.sent.sockets));
	host.references += !!host.found.state;
	return host.found.state ? &host.found : NULL;
}

long bpf_sk_release(void *sock)
{
	CHECK(sock == &host.found && --host.references >= 0);
	return 0;
}

struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk)
{
	CHECK(sk == &host.own);
	return SOCKET_KIND(host.sent.settings) == SOCKET_NOT_FULL ? NULL : sk;
}

void *bpf_sk_storage_get(void *map, void *sk, void *value, __u64 flags)
{
	CHECK(map == &bound && sk == &host.own);
	if (!host.has_bound && flags & BPF_SK_STORAGE_GET_F_CREATE && !fails()) {
		host.has_bound = true;
		memcpy(&host.bound, value, sizeof(host.bound));
	}
	return host.has_bound ? &host.bound : NULL;
}

struct tcp_sock *bpf_skc_to_tcp_sock(void *sk)
{
	CHECK(sk == &host.found && host.references);
	return host.found.state == SK_TIME_WAIT ? NULL : &host.tcp;
}

struct tcp_timewait_sock *bpf_skc_to_tcp_timewait_sock(void *sk)
{
	CHECK(sk == &host.found && host.references);
	return host.found.state == SK_TIME_WAIT ? &host.time_wait : NULL;
}

/* What the kernel refuses with -EINVAL. */
int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk, struct bpf_tcp_req_attrs *attrs,
			    int size)
{
	CHECK(skb == &host.skb && sk == (struct sock *)&host.tcp && size == sizeof(*attrs));
	CHECK(host.found.state == SK_LISTEN && host.references);
	CHECK(attrs->mss >= (skb->protocol == bpf_htons(ETH_P_IP) ? 536 : 1220));
	CHECK(attrs->rcv_wscale <= TCP_MAX_WSCALE && attrs->snd_wscale <= TCP_MAX_WSCALE);
	CHECK(attrs->wscale_ok || (!attrs->rcv_wscale && !attrs->snd_wscale));
	CHECK(!attrs->usec_ts_ok && !attrs->reserved[0] && !attrs->reserved[1] &&
	      !attrs->reserved[2]);
	CHECK(attrs->tstamp_ok || (!attrs->rcv_tsval && !attrs->rcv_tsecr && !attrs->sack_ok));
	if (transcript)
		fprintf(transcript,
			" assigned mss %u scale %u %u/%u sack %u ecn %u stamp %u %#x %#x",
			attrs->mss, attrs->wscale_ok, attrs->snd_wscale, attrs->rcv_wscale,
			attrs->sack_ok, attrs->ecn_ok, attrs->tstamp_ok, attrs->rcv_tsval,
			attrs->rcv_tsecr);
	return host.sent.sockets & ASSIGN_FAILS ? -1 : 0;
}

/* ---- packets ---- */

struct headers {
	uint32_t proto, ip, addr, addr_len, l4, end;
};

/* A packet without extension headers whose lengths are right; false: any other. */
static bool find_headers(const uint8_t *f, uint32_t len, struct headers *h)
{
	uint32_t at = 14, type;

	memset(h, 0, sizeof(*h));
	if (len < 14)
		return false;
	type = word16(f + 12);
	for (; (type == 0x8100 || type == 0x88a8) && at + 4 <= len && at < 22; at += 4)
		type = word16(f + at + 2);
	h->ip = at;
	if (type == 0x0800 && at + 20 <= len) {
		h->proto = f[at + 9];
		h->addr = at + 12;
		h->addr_len = 8;
		h->l4 = at + (f[at] & 15) * 4U;
		h->end = at + word16(f + at + 2);
	} else if (type == 0x86dd && at + 40 <= len) {
		h->proto = f[at + 6];
		h->addr = at + 8;
		h->addr_len = 32;
		h->l4 = at + 40;
		h->end = h->l4 + word16(f + at + 4);
	} else {
		return false;
	}
	return h->end <= len && h->l4 + (h->proto == 6 ? 20 : 8) <= h->end;
}

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static uint32_t sum_pseudo(const uint8_t *f, const struct headers *h)
{
	return fold(sum_words(f + h->addr, h->addr_len) + h->end - h->l4 + 6);
}

static void put16(uint8_t *at, uint32_t word)
{
	at[0] = (uint8_t)(word >> 8);
	at[1] = (uint8_t)word;
}

static uint32_t word32(const uint8_t *at)
{
	return word16(at) << 16 | word16(at + 2);
}

static void put32(uint8_t *at, uint32_t word)
{
	put16(at, word >> 16);
	put16(at + 2, word & 0xffff);
}

/* What no input could guess. */
static void put_in(uint8_t *f, uint32_t len)
{
	struct headers h;
	uint8_t *tcp;

	if (!find_headers(f, len, &h) || h.proto != 6)
		return;
	tcp = f + h.l4;
	if (host.sent.flags & HAS_COOKIE) {
		put32(tcp + 4, host.isn + 1);
		put32(tcp + 8, host.cookie + 1);
		/* Options as everybody begins them: two of padding, then the timestamps. */
		if (h.l4 + 32 <= h.end && word32(tcp + 20) == 0x0101080a)
			put32(tcp + 28, host.stamp);
	}
	if (host.sent.flags & HAS_CHECKSUM) {
		put16(tcp + 16, 0);
		put16(tcp + 16, ~fold(sum_pseudo(f, &h) + sum_words(tcp, h.end - h.l4)) & 0xffff);
	}
}

/* A SYN-ACK or a RST: right in itself, and back to whom it answers, or (onwards) a RST. */
static void check_answer(const uint8_t *was, uint32_t was_len, bool back)
{
	const uint8_t *is = host.bytes, *tcp;
	struct headers h, before;
	uint8_t flags;

	CHECK(find_headers(is, host.len, &h) && h.proto == 6 && h.end == host.len);
	tcp = is + h.l4;
	flags = tcp[13];
	if (is[h.ip] >> 4 == 4)
		CHECK(fold(sum_words(is + h.ip, h.l4 - h.ip)) == 0xffff);
	CHECK(fold(sum_pseudo(is, &h) + (host.kernel.ip_summed == CHECKSUM_PARTIAL
						 ? 0
						 : sum_words(tcp, h.end - h.l4))) ==
	      (host.kernel.ip_summed == CHECKSUM_PARTIAL ? word16(tcp + 16) : 0xffff));
	CHECK((tcp[12] >> 4) * 4U == h.end - h.l4);
	CHECK(back ? flags & (TCP_SYN | TCP_RST) : flags == TCP_RST);
	if (!find_headers(was, was_len, &before))
		return; /* extension headers */
	CHECK(h.l4 == before.l4);
	if (!back) {
		CHECK(!memcmp(was, is, 12));
		CHECK(!memcmp(was + h.addr, is + h.addr, h.addr_len));
		CHECK(!memcmp(was + h.l4, tcp, 2));
		return;
	}
	CHECK(!memcmp(was, is + 6, 6) && !memcmp(was + 6, is, 6));
	CHECK(!memcmp(was + h.addr, is + h.addr + h.addr_len / 2, h.addr_len / 2));
	CHECK(!memcmp(was + h.addr + h.addr_len / 2, is + h.addr, h.addr_len / 2));
	CHECK(!memcmp(was + h.l4, tcp + 2, 2) && !memcmp(was + h.l4 + 2, tcp, 2));
	if (!(flags & TCP_SYN))
		return;
	CHECK((flags & ~TCP_ECE) == (TCP_SYN | TCP_ACK));
	CHECK(word32(tcp + 8) == word32(was + h.l4 + 4) + 1);
	host.isn = word32(was + h.l4 + 4);
	host.cookie = word32(tcp + 4);
	host.stamp = h.end - h.l4 >= 36 ? word32(tcp + 28) : 0;
}

/* One port and one checksum, and the two differ by as much. */
static void check_port(const uint8_t *was, uint32_t port, uint32_t check, bool left_out)
{
	const uint8_t *is = host.bytes;

	for (uint32_t i = 0; i < host.len; i++)
		CHECK(was[i] == is[i] || i - port < 2 || i - check < 2);
	if (left_out)
		CHECK(word16(was + check) == word16(is + check));
	else
		CHECK((word16(was + port) + word16(was + check)) % 0xffff ==
		      (word16(is + port) + word16(is + check)) % 0xffff);
}

/* What it quotes, and its checksum is as right as it was. */
static void check_quote(const uint8_t *was, const struct headers *h, bool left_out)
{
	uint32_t changed = 0;

	for (uint32_t i = 0; i < host.len; i++) {
		bool allowed = i - h->l4 - 2 < 2 || (i >= h->l4 + 8 && i < h->end);

		CHECK(was[i] == host.bytes[i] || allowed);
		changed += was[i] != host.bytes[i];
	}
	CHECK(changed <= 6);
	if (!left_out)
		CHECK(sum_words(was + h->l4, h->end - h->l4) % 0xffff ==
		      sum_words(host.bytes + h->l4, h->end - h->l4) % 0xffff);
}

static void check_changed(const uint8_t *was, uint32_t was_len, bool out)
{
	bool left_out = host.kernel.ip_summed == CHECKSUM_PARTIAL;
	struct headers h;

	CHECK(host.len == was_len);
	if (!find_headers(was, was_len, &h))
		return;
	if (h.proto == 6) {
		check_port(was, h.l4 + (out ? 0 : 2), h.l4 + 16, left_out);
	} else if (h.proto == 17) {
		CHECK(out);
		check_port(was, h.l4, h.l4 + 6,
			   left_out || !word16(was + h.l4 + 6) ||
				   (host.skb.gso_size && !host.shared.gso_type));
		CHECK(!word16(was + h.l4 + 6) == !word16(host.bytes + h.l4 + 6));
	} else {
		check_quote(was, &h, left_out);
	}
}

/* In and out: each frame of a segment in one of each, or nothing. */
static void check_counted(void)
{
	uint64_t packets = 0, verdicts = 0, frames = host.skb.gso_segs ? host.skb.gso_segs : 1;

	for (int i = 0; i < MANGLE_REASON_CELLS; i++)
		packets += host.stats.packets[i];
	for (int i = 0; i < MANGLE_VERDICT_COUNT; i++)
		verdicts += host.stats.verdict[i];
	CHECK(packets == verdicts && packets == (host.counted ? frames : 0));
	CHECK(!host.counted || !(host.sent.flags & IS_OUT));
	CHECK(!host.stats.verdict[VERDICT_DROPPED]);
}

/* What could not be written is counted as that, and dropped. */
static void check_refused(int act)
{
	const uint64_t frames = host.skb.gso_segs ? host.skb.gso_segs : 1;

	if (!host.counted)
		return;
	CHECK(!host.refused ||
	      (host.stats.packets[REASON_WRITE_FAILED] == frames &&
	       host.stats.verdict[VERDICT_DROPPED] == frames && act == TC_ACT_SHOT));
	CHECK(host.faulted || !host.stats.packets[REASON_WRITE_FAILED]);
}

/* ---- what is recorded ---- */

/* All bytes of an answer, else those that have changed. */
static void tell_bytes(const uint8_t *was, uint32_t was_len)
{
	const bool all = host.len != was_len;

	if (all)
		fprintf(transcript, " %u bytes", host.len);
	for (uint32_t i = 0; i < host.len; i++) {
		if (!all && was[i] == host.bytes[i])
			continue;
		if (all ? !i : (!i || was[i - 1] == host.bytes[i - 1]))
			fprintf(transcript, " @%u ", i);
		fprintf(transcript, "%02x", host.bytes[i]);
	}
}

static void tell_counted(void)
{
	const struct mangle_stats *s = &host.stats;

	for (unsigned int i = 0; i < MANGLE_REASON_COUNT; i++)
		if (s->packets[i] || s->bytes[i])
			fprintf(transcript, " %s %llu/%llu", reason_names[i],
				(unsigned long long)s->packets[i], (unsigned long long)s->bytes[i]);
	for (unsigned int i = 0; i < MANGLE_VERDICT_COUNT; i++)
		if (s->verdict[i] || s->would[i])
			fprintf(transcript, " v%u %llu/%llu", i, (unsigned long long)s->verdict[i],
				(unsigned long long)s->would[i]);
}

/* States and ports of the flow table to be read, all of it and the tables' rows as a hash. */
static void tell_state(void)
{
	static const char states[] = "-wblre";
	uint64_t sum = HASH_OF_NONE;

	fprintf(transcript, " |");
	for (int i = 0; i < FLOWS; i++) {
		if (!host.flow[i].used)
			continue;
		fprintf(transcript, " %c%u", states[host.flow[i].flow.state],
			host.flow[i].flow.port);
		sum = hash(sum, &host.flow[i].key, sizeof(host.flow[i].key));
		sum = hash(sum, &host.flow[i].flow, sizeof(host.flow[i].flow));
	}
	for (unsigned int i = 0; i < host.set->model.service_count; i++)
		sum = hash(sum, host.set->tables[i].values,
			   host.set->tables[i].count * host.set->tables[i].size);
	if (host.has_bound)
		sum = hash(sum, &host.bound, sizeof(host.bound));
	fprintf(transcript, " %08x\n", (uint32_t)(sum ^ sum >> 32));
}

/* The packet's own, on its way out. */
static void give_socket(uint32_t port, uint32_t family)
{
	const enum socket_kind kind = SOCKET_KIND(host.sent.settings);

	host.own.state = 1;
	host.own.src_port = port;
	host.own.family = kind == SOCKET_OF_PACKETS ? AF_PACKET : family;
	host.own_kernel.__sk_common.skc_net.net = kind == SOCKET_ELSEWHERE ? &host.other_net
									   : &host.net;
	host.skb.sk = &host.own;
	host.kernel.sk = &host.own_kernel;
}

static void run(const uint8_t *frame, uint32_t len)
{
	static const uint32_t backlogs[][2] = {{0, 0}, {1, 0}, {1, 1}, {2, 1}};
	bool out = host.sent.flags & IS_OUT,
	     lost = !out && host.sent.settings & HAS_LOST_LINK && len > ETH_HLEN;
	const uint32_t link = lost ? ETH_HLEN : 0;
	uint8_t *was = malloc(len);
	const uint8_t *came = was;
	struct sock *sk = &host.tcp.inet_conn.icsk_inet.sk;
	struct headers h;
	int act;

	memcpy(was, frame, len);
	put_in(was, len);
	host.len = len - link;
	host.bytes = malloc(host.len);
	memcpy(host.bytes, was + link, host.len);
	host.first_len = host.sent.flags & IS_CUT ? 64 : host.len;
	host.ns += (uint64_t)waits[host.sent.wait % WAITS] * 1000000;
	host.calls = 0;
	host.faulted = host.refused = host.restored = false;

	memset(&host.skb, 0, sizeof(host.skb));
	host.skb.ifindex = 7;
	host.skb.pkt_type = host.sent.settings & IS_FOR_OTHERS ? PACKET_OTHERHOST : PACKET_HOST;
	host.skb.protocol = bpf_htons(find_headers(was, len, &h) && h.addr_len == 32 ? ETH_P_IPV6
										     : ETH_P_IP);
	if (host.sent.flags & IS_MERGED) {
		host.skb.gso_size = 100;
		host.skb.gso_segs = 2 + MERGED(host.sent.kernel);
	}
	host.dev.type = host.sent.kernel & IS_NOT_ETHERNET ? ARPHRD_ETHER + 1 : ARPHRD_ETHER;
	host.kernel = (struct sk_buff){
		.dev = &host.dev, .data = was + link, .mac_len = lost ? 0 : ETH_HLEN};
	host.kernel.ip_summed = IP_SUMMED(host.sent.sockets) & 3;
	host.kernel.head = (void *)&host.shared;
	host.shared.gso_type = host.skb.gso_size && host.sent.kernel & IS_LIST ? SKB_GSO_FRAGLIST
									       : 0;
	if (out && host.sent.sockets & HAS_SOCKET && find_headers(was, len, &h))
		give_socket(word16(was + h.l4), h.addr_len == 32 ? AF_INET6 : AF_INET);
	host.net.ipv4 = (struct netns_ipv4){!!(host.sent.settings & HAS_TIMESTAMPS),
					    !!(host.sent.settings & HAS_SACK),
					    !!(host.sent.settings & HAS_SCALE),
					    !!(host.sent.settings & HAS_ECN),
					    {4096, 131072, 6291456}};
	sk->sk_ack_backlog = backlogs[BACKLOG(host.sent.kernel)][0];
	sk->sk_max_ack_backlog = backlogs[BACKLOG(host.sent.kernel)][1];
	host.tcp.bytes_received = !!(host.sent.kernel & HAS_RECEIVED);
	host.time_wait.tw_sk.__tw_common.skc_tw_rcv_nxt = EXPECTED(host.sent.kernel) * 0x01234567;
	memset(&host.stats, 0, sizeof(host.stats));
	host.counted = 0;
	show_first();

	if (transcript)
		fprintf(transcript, "%s", out ? "out" : "in");
	act = out ? tc_out(&host.skb) : tc_in(&host.skb);

	if (transcript) {
		fprintf(transcript, " %s",
			act == TC_ACT_UNSPEC	 ? "on"
			: act == TC_ACT_REDIRECT ? "back"
			: act == TC_ACT_SHOT	 ? "dropped"
						 : "?");
		tell_bytes(was, len);
		tell_counted();
		tell_state();
	}
	CHECK(!host.references);
	check_refused(act);
	if (host.faulted)
		goto out; /* what is written of an answer half way is dropped, or nobody's */
	check_counted();
	if (lost && !host.restored) { /* what begins with the IP header is taken as it is */
		came += link;
		len -= link;
	}
	if (act == TC_ACT_REDIRECT) {
		CHECK(!out);
		check_answer(came, len, true);
	} else if (act == TC_ACT_UNSPEC && (host.len != len || memcmp(came, host.bytes, len))) {
		if (!out && host.context.step == STEP_END_TIME_WAIT)
			check_answer(came, len, false);
		else
			check_changed(came, len, out);
	} else {
		CHECK(act == TC_ACT_UNSPEC || act == TC_ACT_SHOT);
	}
out:
	free(host.bytes);
	free(was);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	services_make(sets);
	for (int i = 0; i < SERVICE_SETS; i++) {
		sets[i].config->cookie_key[0] = 0x0123456789abcdef;
		sets[i].config->cookie_key[1] = 0xfedcba9876543210;
	}
	memcpy((void *)own_ifname, "eth0", 4);
	host.dev = (struct net_device){.nd_net = {&host.net}, .type = ARPHRD_ETHER};
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return -1;
	host.set = &sets[CHOSEN_SET(data[0])];
	host.cpu = CHOSEN_CPU(data[0]);
	host.ns = 1000000000000;
	memset(host.flow, 0, sizeof(host.flow));
	host.has_bound = false;
	host.cookie = host.isn = host.stamp = 0;
	if (transcript) /* counters begin anew */
		for (unsigned int i = 0; i < host.set->model.service_count; i++)
			memcpy(host.set->tables[i].values, host.set->before[i].values,
			       host.set->tables[i].count * host.set->tables[i].size);
	data++;
	size--;
	while (size >= sizeof(host.sent)) {
		uint32_t len;

		memcpy(&host.sent, data, sizeof(host.sent));
		data += sizeof(host.sent);
		size -= sizeof(host.sent);
		len = host.sent.len_le[0] | (uint32_t)host.sent.len_le[1] << 8;
		if (len > size)
			len = (uint32_t)size;
		run(data, len);
		data += len;
		size -= len;
	}
	return 0;
}
