/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/open.h"
#include "kernel/run.h"
#include "kernel/services.h"
#include "files/capture.h"
#include "print.h"

#define MIN_FRAME 14 /* of the kernel's test run: what is shorter has no Ethernet header */

/* Makes a capture of the one frame that --hex gives. */
static int open_hex(const struct cmd *c, struct capture *in, struct err *e)
{
	const char *word = c->value[OPT_HEX];
	uint8_t *frame = malloc(strlen(word) / 2 + 1);
	struct parse_error why;
	size_t len;

	if (!frame)
		return fail(e, -ENOMEM, "--hex", "reading it: out of memory");
	capture_of_frame(in, "--hex", frame);
	if (parse_hex(word, frame, &len, &why))
		return bad_option(c, OPT_HEX, why.text, e);
	if (len > CAPTURE_MAX_FRAME)
		return bad_option(c, OPT_HEX, "is longer than any frame", e);
	in->len = len;
	return 0;
}

static int open_source(const struct cmd *c, struct capture *in, struct err *e)
{
	if (given(c, OPT(HEX)) == (c->argc > 0))
		return usage_error(
			e, c->name,
			"arguments: give either a capture or --hex (see mangle-ctl %s --help)",
			c->name);
	return c->argc ? capture_open(in, c->argv[0], e) : open_hex(c, in, e);
}

/* ---- where they go to ---- */

struct sink {
	const char *file; /* NULL: none */
	char *temporary;  /* renamed to file at the end; NULL: file is written in place */
	pcap_t *type;
	pcap_dumper_t *dumper;
};

static FILE *open_temporary(struct sink *to)
{
	mode_t mask = umask(0);
	FILE *f;
	int fd;

	umask(mask);
	if (asprintf(&to->temporary, "%s.XXXXXX", to->file) < 0) {
		to->temporary = NULL;
		return NULL;
	}
	fd = mkstemp(to->temporary);
	if (fd < 0) {
		free(to->temporary);
		to->temporary = NULL;
		return NULL;
	}
	fchmod(fd, 0666 & ~mask);
	f = fdopen(fd, "w");
	if (!f)
		close(fd);
	return f;
}

static int open_sink(const struct cmd *c, struct sink *to, struct err *e)
{
	struct stat st;
	FILE *f;

	memset(to, 0, sizeof(*to));
	to->file = c->value[OPT_OUT];
	if (!to->file)
		return 0;
	/* A pipe or a device must not be replaced by a file. */
	f = !stat(to->file, &st) && !S_ISREG(st.st_mode) ? fopen(to->file, "we")
							 : open_temporary(to);
	if (!f)
		return fail(e, -errno, *to->file ? to->file : "''",
			    "opening it for writing: %s (see --out)", strerror(errno));
	to->type = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, CAPTURE_MAX_FRAME,
							PCAP_TSTAMP_PRECISION_NANO);
	to->dumper = to->type ? pcap_dump_fopen(to->type, f) : NULL;
	if (to->dumper)
		return 0;
	fclose(f);
	return fail(e, -EIO, to->file, "writing its header: %s (see --out)",
		    to->type ? pcap_geterr(to->type) : "out of memory");
}

/* After an error no file is left. */
static int close_sink(struct sink *to, int ret, struct err *e)
{
	if (to->dumper) {
		FILE *f = pcap_dump_file(to->dumper);
		bool broken = pcap_dump_flush(to->dumper) || ferror(f);

		pcap_dump_close(to->dumper);
		if (ret >= 0 && broken)
			ret = fail(
				e, -EIO, to->file,
				"writing it: not all of it could be written (check free disk space)");
		if (ret >= 0 && to->temporary && rename(to->temporary, to->file))
			ret = fail(e, -errno, to->file,
				   "renaming the temporary file to it: %s (see --out)",
				   strerror(errno));
	}
	if (ret < 0 && to->temporary)
		unlink(to->temporary);
	free(to->temporary);
	if (to->type)
		pcap_close(to->type);
	return ret;
}

/* ---- explaining ---- */

struct explained {
	struct explanation *packet;
	size_t count, room;
};

static struct explanation *add_explained(struct explained *x)
{
	if (x->count == x->room) {
		size_t room = 2 * x->room + 64;
		struct explanation *more = realloc(x->packet, room * sizeof(*more));

		if (!more)
			return NULL;
		x->packet = more;
		x->room = room;
	}
	memset(&x->packet[x->count], 0, sizeof(x->packet[0]));
	return &x->packet[x->count];
}

static void free_explained(struct explained *x)
{
	for (size_t i = 0; i < x->count; i++)
		free(x->packet[i].why_not);
	free(x->packet);
}

/* One run of the command. */
struct run {
	struct store *store;
	struct explainer *explainer;
	struct capture *in;
	struct sink to;
	struct model services; /* in the order of the program's service numbers */
	struct behind *behind;
	uint8_t *out;
	struct explained all;
};

static int run_frame(struct run *r, const uint8_t *frame, size_t len, struct mangle_explained *said,
		     struct err *e)
{
	struct err inner;
	int err;

	if (len < MIN_FRAME) {
		memcpy(r->out, frame, len);
		said->reason = REASON_NOT_IP;
		said->verdict = said->would = VERDICT_PASSED;
		return 0;
	}
	err = explainer_run(r->explainer, frame, len, r->out, said, &inner);
	if (err)
		return fail(e, err, r->in->name,
			    "explaining packet %" PRIu64 ": %s (remove it from the capture)",
			    r->in->index, inner.line);
	if (said->reason >= MANGLE_REASON_COUNT || said->verdict >= MANGLE_VERDICT_COUNT ||
	    said->would >= MANGLE_VERDICT_COUNT || said->service > r->services.service_count)
		return fail(e, -EPROTO, r->in->name,
			    "explaining packet %" PRIu64
			    ": the program returned no explanation (see doctor)",
			    r->in->index);
	return 0;
}

static const struct service *service_of(const struct run *r, const struct mangle_explained *said)
{
	return said->service ? &r->services.services[said->service - 1] : NULL;
}

/* ---- captures from behind mangle ---- */

/* The ports that services' tables have as targets, a bit each. They are read when the first packet
 * needs them. */
struct behind {
	uint8_t (*port)[65536 / 8];
	bool read;
};

static void mark_port(uint8_t *ports, uint16_t port)
{
	ports[port / 8] |= (uint8_t)(1 << port % 8);
}

static int read_targets(struct run *r, struct err *e)
{
	int err = 0;

	r->behind->read = true;
	r->behind->port = calloc(r->services.service_count + 1, sizeof(*r->behind->port));
	if (!r->behind->port)
		return fail(e, -ENOMEM, r->in->name, "explaining it: out of memory");
	for (unsigned int i = 0; i < r->services.service_count && !err; i++) {
		uint8_t *ports = r->behind->port[i];
		struct service full;

		err = store_read_service(r->store, r->services.services[i].name, &full, e);
		if (err)
			break;
		for (size_t k = 0; k < full.entity_count; k++)
			if (full.entities[k].target.action == ACTION_PORT)
				mark_port(ports, full.entities[k].target.port);
		if (full.unknown.action == ACTION_PORT)
			mark_port(ports, full.unknown.port);
		service_free(&full);
	}
	return err;
}

/* Returns whether the frame would have got its present port, had it arrived at this shared port of
 * the service: 1, 0, or negative errno. */
static int leads_here(struct run *r, unsigned int service, uint16_t shared, const uint8_t *frame,
		      size_t len, const struct mangle_explained *now, struct err *e)
{
	const uint16_t port_be = htons(shared);
	struct mangle_explained said = {0};
	uint8_t *copy = malloc(len);
	int err;

	if (!copy)
		return fail(e, -ENOMEM, r->in->name, "explaining it: out of memory");
	memcpy(copy, frame, len);
	memcpy(copy + now->l4_off + 2, &port_be, sizeof(port_be));
	err = run_frame(r, copy, len, &said, e);
	free(copy);
	return err ? err
		   : said.service == service + 1 && said.verdict == VERDICT_REWRITTEN &&
			       said.new_port == now->old_port;
}

/* A capture on the host itself shows packets as they leave mangle, with the new port, which belongs
 * to no service. Where a service rewrites to exactly that port, *from is that service. */
static int find_behind(struct run *r, const uint8_t *frame, size_t len,
		       const struct mangle_explained *now, const struct service **from,
		       struct err *e)
{
	int err = 0;

	if (now->reason != REASON_NO_SERVICE || !now->has_ports || now->l4_off + 4 > len)
		return 0;
	if (!r->behind->read)
		err = read_targets(r, e);
	for (unsigned int i = 0; i < r->services.service_count && !err && !*from; i++) {
		const struct service *s = &r->services.services[i];

		if (!(r->behind->port[i][now->old_port / 8] >> now->old_port % 8 & 1))
			continue;
		for (unsigned int k = 0; k < s->port_count && !err && !*from; k++) {
			int leads = leads_here(r, i, s->ports[k], frame, len, now, e);

			if (leads > 0)
				*from = s;
			err = leads < 0 ? leads : 0;
		}
	}
	return err;
}

/* ---- every packet ---- */

/* Copies the addresses, whose offset the program reports, and the VLAN tags of the frame. */
static void describe(struct explanation *x, const struct packet *p)
{
	size_t size = x->said.family == 4 ? 8 : 32;
	const uint8_t *at = p->bytes + 12;

	x->length = p->length;
	x->sent = p->sent;
	if (x->said.family && x->said.addr_off + size <= p->len)
		memcpy(x->addresses, p->bytes + x->said.addr_off, size);
	else
		x->said.family = 0;
	for (; x->vlans < 2 && at + 4 <= p->bytes + p->len; at += 4) {
		uint16_t type = (uint16_t)(at[0] << 8 | at[1]);

		if (type != ETH_P_8021Q && type != ETH_P_8021AD)
			break;
		x->vlan[x->vlans++] = (uint16_t)((at[2] << 8 | at[3]) & 0xfff);
	}
}

/* Reads the name of the entity that gave the verdict. */
static int read_entity_name(struct run *r, struct explanation *x, struct err *e)
{
	uint8_t tag[MANGLE_MAX_TAG];

	if (!x->service || !x->said.has_tag || x->said.reason == REASON_UNKNOWN_TAG)
		return 0;
	tag_from_key(x->said.tag[0], x->said.tag[1], tag);
	return store_read_name(r->store, x->service, tag, x->name, e);
}

/* A packet that cannot be explained gets a row that says why. */
static int explain_packet(struct run *r, const struct packet *p, struct err *e)
{
	struct explanation *x = add_explained(&r->all);
	int err;

	if (!x)
		return fail(e, -ENOMEM, r->in->name, "explaining it: out of memory");
	x->index = r->in->index;
	if (*p->why_not) {
		x->why_not = strdup(p->why_not);
		r->all.count += !!x->why_not;
		return x->why_not ? 0
				  : fail(e, -ENOMEM, r->in->name, "explaining it: out of memory");
	}
	err = run_frame(r, p->bytes, p->len, &x->said, e);
	if (err)
		return err;
	r->all.count++;
	x->service = service_of(r, &x->said);
	describe(x, p);
	if (r->to.dumper && x->said.verdict != VERDICT_DROPPED) {
		const struct pcap_pkthdr header = {
			.ts = p->time, .caplen = (bpf_u_int32)p->len, .len = (bpf_u_int32)p->len};

		pcap_dump((u_char *)r->to.dumper, &header, r->out);
	}
	err = read_entity_name(r, x, e);
	return err ? err : find_behind(r, p->bytes, p->len, &x->said, &x->behind, e);
}

static int explain_all(struct run *r, struct err *e)
{
	struct packet p;
	int got;

	r->out = malloc(CAPTURE_MAX_FRAME);
	if (!r->out)
		return fail(e, -ENOMEM, r->in->name, "explaining it: out of memory");
	while ((got = capture_next(r->in, &p, e)) > 0) {
		got = explain_packet(r, &p, e);
		if (got)
			break;
	}
	free(r->out);
	return got;
}

/* Writes the numbers of packets that were not explained, "4, 7-9"; returns how many they are. */
static size_t list_unexplained(const struct explained *all, char *text, size_t size)
{
	size_t count = 0, len = 0;

	*text = '\0';
	for (size_t i = 0; i < all->count; i++) {
		size_t first = i;

		if (!all->packet[i].why_not)
			continue;
		while (i + 1 < all->count && all->packet[i + 1].why_not)
			i++;
		count += i - first + 1;
		if (len + 64 > size)
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s%" PRIu64, len ? ", " : "",
					all->packet[first].index);
		if (i > first)
			len += (size_t)snprintf(text + len, size - len, "-%" PRIu64,
						all->packet[i].index);
		if (len + 64 > size)
			len += (size_t)snprintf(text + len, size - len, " and more");
	}
	return count;
}

static int say_unexplained(const struct run *r, struct err *e)
{
	char text[600];
	size_t count = list_unexplained(&r->all, text, sizeof(text));
	const char *why = NULL;

	for (size_t i = 0; i < r->all.count && !why; i++)
		why = r->all.packet[i].why_not;
	if (!why)
		return 0;
	return fail(
		e, -EINVAL, r->in->name,
		"explaining packet%s %s: %s%s (tcpdump -s 0 captures whole packets; all others are explained)",
		count > 1 ? "s" : "", text, why, count > 1 ? " of the first" : "");
}

/* The packets are explained as if received on --interface, or on the one attached interface. */
static int choose_interface(const struct cmd *c, struct store *s, char name[MANGLE_IFNAME_SIZE],
			    struct err *e)
{
	struct attachment *a;
	size_t count, attached = 0;
	int err;

	name[0] = '\0';
	if (given(c, OPT(INTERFACE)))
		return option_ifname(c, name, e);
	err = read_attachments(s, &a, &count, e);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++)
		if (a[i].attached && !attached++)
			memcpy(name, a[i].attached_as, MANGLE_IFNAME_SIZE);
	if (attached != 1)
		name[0] = '\0';
	free(a);
	return 0;
}

static int prepare(const struct cmd *c, struct run *r, struct err *e)
{
	char ifname[MANGLE_IFNAME_SIZE];
	int err = store_read(r->store, &r->services, false, e);

	if (!err)
		err = choose_interface(c, r->store, ifname, e);
	if (!err)
		err = explainer_open(&r->explainer, r->store, ifname, e);
	return err ? err : open_sink(c, &r->to, e);
}

static int explain(const struct cmd *c, struct capture *in, struct err *e)
{
	struct behind behind = {0};
	struct run r = {.in = in, .behind = &behind};
	int err = open_loaded(c, STORE_READ, &r.store, e);

	if (err)
		return err;
	model_init(&r.services);
	err = prepare(c, &r, e);
	if (!err)
		err = explain_all(&r, e);
	explainer_close(r.explainer);
	store_close(r.store); /* other runs need not wait for the lock during output */
	err = close_sink(&r.to, err, e);
	/* The packets before an error are printed as well. */
	for (size_t i = 0; i < r.all.count; i++)
		print_explanation(c->out, &r.all.packet[i]);
	if (!err && c->argc)
		print_explained(c->out, in->name, r.all.packet, r.all.count);
	if (!err)
		err = say_unexplained(&r, e);
	free_explained(&r.all);
	free(behind.port);
	model_free(&r.services);
	return err;
}

int cmd_explain(const struct cmd *c, struct err *e)
{
	char ifname[MANGLE_IFNAME_SIZE];
	struct capture in = {0};
	int err = given(c, OPT(INTERFACE)) ? option_ifname(c, ifname, e) : 0;

	if (!err)
		err = open_source(c, &in, e);
	if (!err)
		err = explain(c, &in, e);
	capture_close(&in);
	return err;
}
