/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The XDP program, compiled for this machine, on tables as mangle-ctl lays them out. The first byte
 * chooses services and CPU, the second where a frame of several parts is cut; the rest is the
 * frame. Each is run four times: whole, in parts, explained, and not to be written; all must agree,
 * and nothing but what they say may have changed.
 */
#define HOST_PKT "../../xdp/pkt_xdp.h"
#define HOST_PROGRAM "../../xdp/mangle.bpf.c"
#include "program.h"

#include "../../ctl/model/parse.h"
#include "fuzz.h"
#include "memory.h"
#include "replay.h"
#include "services.h"

#define JIFFIES 0x123456789aULL

static struct services sets[SERVICE_SETS];

FILE *transcript;

/* One run of the program, as its helpers see it. */
static struct {
	struct services *set;
	uint32_t cpu;
	bool listening;
	bool refuses;	/* what is to be written */
	uint8_t *first; /* the frame's first part */
	uint32_t first_len;
	uint8_t *rest;
	uint32_t rest_len;
	struct mangle_stats stats;
	uint32_t stats_key, counted;
	struct mangle_explained said;
	struct mangle_scratch scratch;
	struct bpf_sock socket;
} host;

/* ---- helpers ---- */

void *bpf_map_lookup_elem(const void *map, const void *key)
{
	uint32_t at = *(const uint32_t *)key;

	if (map == &config)
		return at ? NULL : &host.set->config_array;
	if (map == &tables)
		return at < MANGLE_TABLE_SLOTS && host.set->tables[at].values
			       ? &host.set->tables[at]
			       : NULL;
	if (map == &stats) {
		CHECK(at < HOST_CPUS * MANGLE_STATS_SLOTS && !host.counted++);
		host.stats_key = at;
		return &host.stats;
	}
	if (map == &scratch_of_cpu)
		return at ? NULL : &host.scratch;
	if (map == &explained)
		return at ? NULL : &host.said;
	return element(map, at);
}

__u32 bpf_get_smp_processor_id(void)
{
	return host.cpu;
}

__u64 bpf_jiffies64(void)
{
	return JIFFIES;
}

__u64 bpf_xdp_get_buff_len(struct xdp_md *ctx)
{
	(void)ctx;
	return host.first_len + host.rest_len;
}

/* Byte `off` of the frame, whichever part it lies in. */
static uint8_t *byte_at(uint32_t off)
{
	return off < host.first_len ? host.first + off : host.rest + off - host.first_len;
}

static bool is_within(uint32_t off, uint32_t len)
{
	return off <= 0xffff && len <= 0xffff && off + len <= host.first_len + host.rest_len;
}

long bpf_xdp_load_bytes(struct xdp_md *ctx, __u32 off, void *to, __u32 len)
{
	(void)ctx;
	if (!is_within(off, len))
		return -1;
	for (uint32_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = *byte_at(off + i);
	return 0;
}

long bpf_xdp_store_bytes(struct xdp_md *ctx, __u32 off, void *from, __u32 len)
{
	(void)ctx;
	if (!is_within(off, len) || host.refuses)
		return -1;
	for (uint32_t i = 0; i < len; i++)
		*byte_at(off + i) = ((uint8_t *)from)[i];
	return 0;
}

struct bpf_sock *bpf_skc_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size,
				    __u64 netns, __u64 flags)
{
	(void)ctx;
	CHECK(size == sizeof(tuple->ipv4) || size == sizeof(tuple->ipv6));
	CHECK(netns == (__u64)BPF_F_CURRENT_NETNS && !flags);
	host.socket.state = SK_LISTEN;
	return host.listening ? &host.socket : NULL;
}

long bpf_sk_release(void *sock)
{
	CHECK(sock == &host.socket);
	return 0;
}

/* ---- frames ---- */

struct outcome {
	int act;
	uint32_t key; /* of stats */
	enum mangle_reason reason;
	enum mangle_verdict verdict;
	bool counted;
	uint8_t *frame; /* as it came out */
};

/* The one cell of `count` that is 1, where all others are 0. */
static uint32_t only_one(const __u64 *cells, uint32_t count)
{
	uint32_t found = count;

	for (uint32_t i = 0; i < count; i++) {
		if (!cells[i])
			continue;
		CHECK(cells[i] == 1 && found == count);
		found = i;
	}
	CHECK(found < count);
	return found;
}

/* What was counted: one packet, with all its bytes, under one reason and one verdict. */
static void read_counted(struct outcome *o, uint32_t len)
{
	const struct mangle_stats *st = &host.stats;

	o->counted = host.counted;
	if (!o->counted)
		return;
	o->key = host.stats_key;
	CHECK(o->key / MANGLE_STATS_SLOTS == host.cpu);
	o->reason = only_one(st->packets, MANGLE_REASON_CELLS);
	CHECK(o->reason < MANGLE_REASON_COUNT);
	o->verdict = only_one(st->verdict, MANGLE_VERDICT_COUNT);
	for (uint32_t i = 0; i < MANGLE_REASON_CELLS; i++)
		CHECK(st->bytes[i] == (i == o->reason ? len : 0));
}

static void run(int (*program)(struct xdp_md *), struct outcome *o, const uint8_t *frame,
		uint32_t len, uint32_t cut, bool whole)
{
	struct xdp_md ctx = {0};

	host.first = frame_at();
	host.first_len = cut;
	host.rest_len = len - cut;
	host.rest = malloc(host.rest_len);
	ASAN_UNPOISON_MEMORY_REGION(host.first, cut);
	memcpy(host.first, frame, cut);
	memcpy(host.rest, frame + cut, host.rest_len);
	memset(&host.stats, 0, sizeof(host.stats));
	memset(&host.scratch, 0xa5, sizeof(host.scratch));
	host.counted = 0;
	have_load_bytes = !whole;
	ctx.data = (uint32_t)(uintptr_t)host.first;
	ctx.data_end = ctx.data + cut;
	CHECK(ctx.data == (uintptr_t)host.first);

	o->act = program(&ctx);
	read_counted(o, len);
	o->frame = malloc(len);
	for (uint32_t i = 0; i < len; i++)
		o->frame[i] = *byte_at(i);
	free(host.rest);
}

/* ---- what must hold ---- */

/* Headers of a frame that the program says has ports; how they must be is the vectors' business. */
struct headers {
	uint32_t l4, ip_end, addr, addr_len;
	uint8_t proto;
	bool fragment;
};

static void find_headers(const uint8_t *f, uint32_t len, struct headers *h)
{
	uint32_t at = 14, type = word16(f + 12);

	for (int i = 0; i < 2 && (type == 0x8100 || type == 0x88a8); i++, at += 4)
		type = word16(f + at + 2);
	memset(h, 0, sizeof(*h));
	if (type == 0x0800) {
		h->proto = f[at + 9];
		h->fragment = word16(f + at + 6) & 0x2000;
		h->addr = at + 12;
		h->addr_len = 8;
		h->l4 = at + (f[at] & 15) * 4U;
		h->ip_end = at + word16(f + at + 2);
	} else {
		CHECK(type == 0x86dd);
		h->proto = f[at + 6];
		h->addr = at + 8;
		h->addr_len = 32;
		h->ip_end = at + 40 + word16(f + at + 4);
		for (at += 40;
		     h->proto == 0 || h->proto == 43 || h->proto == 44 || h->proto == 60;) {
			bool fragment = h->proto == 44;

			h->fragment |= fragment && f[at + 3] & 1;
			h->proto = f[at];
			at += fragment ? 8 : (f[at + 1] + 1U) * 8;
			CHECK(at <= len);
		}
		h->l4 = at;
	}
	CHECK(h->proto == 17 || h->proto == 6);
	CHECK(h->l4 + 4 <= h->ip_end && h->ip_end <= len);
}

/* Where the payload begins; *size: as its length field has it. */
static uint32_t find_payload(const uint8_t *f, const struct headers *h, uint32_t *size)
{
	uint32_t header = h->proto == 17 ? 8 : (f[h->l4 + 12] >> 4) * 4U;

	*size = (h->proto == 17 ? word16(f + h->l4 + 4) : h->ip_end - h->l4) - header;
	return h->l4 + header;
}

/* The checksum was left to hardware: see the contract. */
static bool is_partial(const uint8_t *f, const struct headers *h, uint32_t field)
{
	uint32_t l4_len = h->proto == 17 ? word16(f + h->l4 + 4) : h->ip_end - h->l4;
	uint64_t pseudo = sum_words(f + h->addr, h->addr_len) + l4_len + h->proto;

	while (pseudo >> 16)
		pseudo = (pseudo & 0xffff) + (pseudo >> 16);
	return !h->fragment && pseudo == field &&
	       (pseudo + sum_words(f + h->l4, l4_len)) % 0xffff != 0;
}

/* Nothing but the port and the checksum, and that by as much as the port. */
static void check_rewritten(const uint8_t *was, const uint8_t *is, uint32_t len, uint16_t port)
{
	struct headers h;
	uint32_t dport, check, old_port, old, new;

	find_headers(was, len, &h);
	dport = h.l4 + 2;
	check = h.l4 + (h.proto == 17 ? 6 : 16);
	CHECK(check + 2 <= len);
	for (uint32_t i = 0; i < len; i++)
		CHECK(was[i] == is[i] || i - dport < 2 || i - check < 2);
	old_port = word16(was + dport);
	CHECK(word16(is + dport) == port);
	old = word16(was + check);
	new = word16(is + check);
	if (old_port == port || (h.proto == 17 && !old) || is_partial(was, &h, old)) {
		CHECK(new == old);
		return;
	}
	CHECK((old + old_port) % 0xffff == (new + port) % 0xffff);
	CHECK(new || h.proto == 6);
}

static const struct entity *find_entity(const struct service *s)
{
	struct tag tag = {.len = s->tag_len};

	tag_from_key(host.said.tag[0], host.said.tag[1], tag.bytes);
	return service_find_entity(s, &tag);
}

/* The tag is where the service says, and within the payload. */
static void check_tag(const uint8_t *f, uint32_t len, const struct service *s)
{
	uint8_t tag[MANGLE_MAX_TAG];
	uint32_t payload, size;
	struct headers h;
	int64_t at;

	find_headers(f, len, &h);
	payload = find_payload(f, &h, &size);
	at = s->tag_offset < 0 ? (int64_t)size + s->tag_offset : s->tag_offset;
	CHECK(at >= 0 && at + s->tag_len <= size && payload + at + s->tag_len <= h.ip_end);
	tag_from_key(host.said.tag[0], host.said.tag[1], tag);
	CHECK(!memcmp(tag, f + payload + at, s->tag_len));
	for (unsigned int i = s->tag_len; i < MANGLE_MAX_TAG; i++)
		CHECK(!tag[i]);
}

static enum mangle_verdict by_target(struct target t, uint16_t *port)
{
	*port = t.port;
	return t.action == ACTION_PORT	 ? VERDICT_REWRITTEN
	       : t.action == ACTION_DROP ? VERDICT_DROPPED
					 : VERDICT_PASSED;
}

/* The contract's table, from the reason on. */
static enum mangle_verdict wanted(const struct service *s, const struct entity *en, uint16_t *port)
{
	bool drops = s && s->invalid == ACTION_DROP;

	switch (host.said.reason) {
	case REASON_MALFORMED_L4:
	case REASON_TOO_SHORT:
	case REASON_TOO_LONG:
	case REASON_NO_TAG: return drops ? VERDICT_DROPPED : VERDICT_PASSED;
	case REASON_UNKNOWN_TAG:
		CHECK(s && !en && host.said.has_tag);
		return by_target(s->unknown, port);
	case REASON_ENTITY_DROP:
	case REASON_ENTITY_PASS:
	case REASON_REWRITTEN:
		CHECK(en);
		CHECK((host.said.reason == REASON_REWRITTEN) == (en->target.action == ACTION_PORT));
		CHECK((host.said.reason == REASON_ENTITY_DROP) ==
		      (en->target.action == ACTION_DROP));
		return by_target(en->target, port);
	case REASON_NO_PAYLOAD: CHECK(s); return VERDICT_PASSED;
	default: CHECK(!s); return VERDICT_PASSED;
	}
}

/* Of all tables one counter of one entity has changed, in this CPU's copy; or nothing has. */
static void check_tables(const struct service *s, const struct entity *en, uint32_t len)
{
	for (uint32_t i = 0; i < host.set->model.service_count; i++) {
		size_t size = (size_t)host.set->tables[i].count * MANGLE_CELL;
		struct table now = {(union table_cell *)host.set->tables[i].values};
		struct table before = {(union table_cell *)host.set->before[i].values};
		uint32_t copy = host.cpu < host_cpus.own ? host.cpu : host_cpus.own;
		struct table_sums from, to;
		struct table_range range;
		struct table_place at;

		if (!en || s != &host.set->model.services[i]) {
			CHECK(!memcmp(now.cells, before.cells, size));
			continue;
		}
		CHECK(table_find(&now, en->tag, &at));
		from = table_sum(&before, at);
		to = table_sum(&now, at);
		CHECK(to.packets == from.packets + 1 && to.bytes == from.bytes + len);
		CHECK(to.last_seen == (uint32_t)(JIFFIES >> MANGLE_SEEN_SHIFT));
		range = table_range(&now, copy, at.bucket, 1);
		for (uint64_t w = 0, changed = 0; w < size / 8; w++) {
			if (((uint64_t *)now.cells)[w] == ((uint64_t *)before.cells)[w])
				continue;
			CHECK(++changed <= 3); /* packets, bytes, last seen */
			CHECK(w / (MANGLE_CELL / 8) - range.cell < range.count);
		}
		memcpy(before.cells, now.cells, size);
	}
}

static void check_outcome(const struct outcome *o, const struct service *s, const struct entity *en,
			  const uint8_t *frame, uint32_t len)
{
	struct headers h;
	enum mangle_verdict verdict;
	uint16_t port = 0;

	CHECK(o->key % MANGLE_STATS_SLOTS == (s ? host.said.service : 0));
	CHECK(o->reason == host.said.reason && o->verdict == host.said.verdict);
	if (host.said.has_tag)
		check_tag(frame, len, s);
	verdict = wanted(s, en, &port);
	CHECK(host.said.would == verdict);
	if (s && s->observe)
		verdict = VERDICT_PASSED;
	CHECK(o->verdict == verdict);
	CHECK(o->act == (verdict == VERDICT_DROPPED ? XDP_DROP : XDP_PASS));
	if (host.said.has_ports) {
		find_headers(frame, len, &h);
		CHECK(host.said.old_port == word16(frame + h.l4 + 2));
		CHECK(host.said.new_port ==
		      (verdict == VERDICT_REWRITTEN ? port : host.said.old_port));
	}
	if (verdict == VERDICT_REWRITTEN)
		check_rewritten(frame, o->frame, len, port);
	else
		CHECK(!memcmp(frame, o->frame, len));
}

/* What is behind XDP's hook: untouched, and explained as if the handshake were done. */
static void check_connection(const struct outcome *o, const struct service *s, const uint8_t *frame,
			     uint32_t len)
{
	CHECK(o->act == XDP_PASS && !memcmp(frame, o->frame, len));
	CHECK(host.said.reason < MANGLE_REASON_COUNT && host.said.verdict < MANGLE_VERDICT_COUNT);
	CHECK(!s || service_has_connections(s));
	CHECK(s || host.said.reason == REASON_NO_SERVICE); /* two VLAN tags */
	if (host.said.has_tag)
		check_tag(frame, len, s);
	CHECK(!s || !s->observe || host.said.verdict == VERDICT_PASSED);
	CHECK(host.said.verdict != VERDICT_DROPPED);
}

static const struct service *explained_service(void)
{
	if (!host.said.service)
		return NULL;
	CHECK(host.said.service <= host.set->model.service_count);
	return &host.set->model.services[host.said.service - 1];
}

static bool is_the_same(const struct outcome *a, const struct outcome *b, uint32_t len)
{
	return a->act == b->act && a->counted == b->counted &&
	       (!a->counted ||
		(a->key == b->key && a->reason == b->reason && a->verdict == b->verdict)) &&
	       !memcmp(a->frame, b->frame, len);
}

/* Drivers leave a frame's first part empty or fill it: see PKT_WHOLE_MIN. */
static uint32_t where_to_cut(uint8_t choice, uint32_t len)
{
	uint32_t cut = choice & 0x80 ? PKT_WHOLE_MAX + 1 + 8 * (choice & 0x7f)
				     : choice % PKT_WHOLE_MIN;

	return cut < len ? cut : len;
}

/* None of the frame lies in its first part, and the kernel refuses to write it: it passes as it
 * came, and counts as that. */
static void check_refused(const struct outcome *whole, const uint8_t *frame, uint32_t len)
{
	struct outcome o = {0};

	host.refuses = true;
	run(mangle, &o, frame, len, 0, false);
	host.refuses = false;
	if (memcmp(whole->frame, frame, len)) {
		CHECK(o.counted && o.reason == REASON_WRITE_FAILED && o.verdict == VERDICT_PASSED);
		CHECK(o.act == XDP_PASS && o.key == whole->key && !memcmp(o.frame, frame, len));
	} else {
		CHECK(is_the_same(whole, &o, len));
	}
	free(o.frame);
}

/* What is explained; and all bytes that came out otherwise. */
static void tell(const struct outcome *o, const struct outcome *told, const uint8_t *frame,
		 uint32_t len)
{
	const struct mangle_explained *said = &host.said;

	fprintf(transcript, "%s%s %s would %u verdict %u service %u",
		o->act == XDP_DROP ? "dropped" : "on", o->counted ? "" : " uncounted",
		said->reason < MANGLE_REASON_COUNT ? reason_names[said->reason] : "?", said->would,
		said->verdict, said->service);
	if (said->family)
		fprintf(transcript, " ipv%u @%u", said->family, said->addr_off);
	if (said->has_ports)
		fprintf(transcript, " ports %u %u from %u @%u", said->old_port, said->new_port,
			said->src_port, said->l4_off);
	if (said->has_payload)
		fprintf(transcript, " payload %u", said->payload_len);
	if (said->has_tag)
		fprintf(transcript, " tag %llx %llx", (unsigned long long)said->tag[0],
			(unsigned long long)said->tag[1]);
	for (uint32_t i = 0; i < len; i++)
		if (told->frame[i] != frame[i])
			fprintf(transcript, " @%u %02x", i, told->frame[i]);
	fprintf(transcript, "\n");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	services_make(sets);
	memcpy((void *)own_ifname, "eth0", 4);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = {0}, parts = {0}, told = {0};
	const struct entity *en = NULL;
	const struct service *s;
	const uint8_t *frame = data + 2;
	uint32_t len = (uint32_t)size - 2;

	if (size < 2 || len > FRAME_ROOM)
		return -1;
	host.set = &sets[CHOSEN_SET(data[0])];
	host.cpu = CHOSEN_CPU(data[0]);
	host.listening = data[0] & 0x80;

	memset(&host.said, 0xff, sizeof(host.said));
	run(explain, &told, frame, len, len, true);
	CHECK(!told.counted);
	s = explained_service();
	check_tables(NULL, NULL, len);

	run(mangle, &whole, frame, len, len, true);
	if (whole.counted) {
		if (s && host.said.has_tag)
			en = find_entity(s);
		check_outcome(&whole, s, en, frame, len);
		CHECK(!memcmp(told.frame, whole.frame, len));
	} else {
		check_connection(&whole, s, frame, len);
		if (host.said.verdict == VERDICT_REWRITTEN)
			check_rewritten(frame, told.frame, len, host.said.new_port);
	}
	check_tables(s, en, len);

	run(mangle, &parts, frame, len, where_to_cut(data[1], len), false);
	CHECK(is_the_same(&whole, &parts, len));
	check_tables(s, en, len);
	check_refused(&whole, frame, len);
	check_tables(s, en, len);
	if (transcript)
		tell(&whole, &told, frame, len);

	free(told.frame);
	free(whole.frame);
	free(parts.frame);
	return 0;
}
