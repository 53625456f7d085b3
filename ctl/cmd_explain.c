/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "print.h"
#include "prog.h"

#define MIN_FRAME 14	 /* what the kernel runs; anything shorter has no Ethernet header */
#define MAX_FRAME 262144 /* libpcap's */

struct packet {
	const uint8_t *bytes;
	size_t len;
	struct pcap_pkthdr header;
};

/* ---- where packets come from: a capture, or one frame in hex ---- */

struct source {
	const char *name; /* for errors */
	pcap_t *pcap;	  /* NULL: hex */
	uint8_t *frame;
	size_t len;
	bool done;
	uint64_t index; /* of the packet just read, from 1 */
};

static int parse_hex(const struct cmd *c, struct source *src, struct err *e)
{
	const char *word = c->value[OPT_HEX];
	unsigned int digits = 0;

	src->frame = malloc(strlen(word) / 2 + 1);
	if (!src->frame)
		return fail(e, -ENOMEM, src->name, "reading it: out of memory");
	for (const char *at = word; *at; at++) {
		const char low[] = {*at, '\0'};

		if (isblank((unsigned char)*at) || *at == ':')
			continue;
		if (!isxdigit((unsigned char)*at))
			return bad_option(c, OPT_HEX, "has something that is no hex digit", e);
		if (digits++ % 2)
			src->frame[src->len++] |= (uint8_t)strtoul(low, NULL, 16);
		else
			src->frame[src->len] = (uint8_t)(strtoul(low, NULL, 16) << 4);
	}
	if (!digits || digits % 2)
		return bad_option(c, OPT_HEX, "has no even number of hex digits", e);
	if (src->len > MAX_FRAME)
		return bad_option(c, OPT_HEX, "is longer than any frame", e);
	return 0;
}

static int open_capture(const char *file, struct source *src, struct err *e)
{
	char why[PCAP_ERRBUF_SIZE];
	int type;

	src->pcap = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!src->pcap)
		return fail(e, -EINVAL, *file ? file : "''",
			    "opening the capture: %s (it must be pcap or pcapng)", why);
	type = pcap_datalink(src->pcap);
	if (type != DLT_EN10MB) {
		const char *name = pcap_datalink_val_to_name(type);

		return fail(
			e, -EINVAL, file,
			"opening the capture: its link type is %s, not Ethernet (capture on an Ethernet interface)",
			name ? name : "unknown");
	}
	return 0;
}

static int open_source(const struct cmd *c, struct source *src, struct err *e)
{
	memset(src, 0, sizeof(*src));
	if (given(c, OPT(HEX)) == (c->argc > 0))
		return usage_error(
			e, c->name,
			"arguments: a capture or --hex, one of the two (see mangle-ctl %s --help)",
			c->name);
	src->name = c->argc ? c->argv[0] : "--hex";
	return c->argc ? open_capture(c->argv[0], src, e) : parse_hex(c, src, e);
}

static void close_source(struct source *src)
{
	if (src->pcap)
		pcap_close(src->pcap);
	free(src->frame);
}

/* 1 with the next packet, 0 at the end, or negative errno. */
static int next_packet(struct source *src, struct packet *p, struct err *e)
{
	struct pcap_pkthdr *header;
	int got;

	src->index++;
	if (!src->pcap) {
		p->bytes = src->frame;
		p->len = src->len;
		p->header = (struct pcap_pkthdr){.caplen = (bpf_u_int32)src->len,
						 .len = (bpf_u_int32)src->len};
		got = !src->done;
		src->done = true;
		return got;
	}
	got = pcap_next_ex(src->pcap, &header, &p->bytes);
	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got != 1)
		return fail(e, -EIO, src->name,
			    "reading packet %" PRIu64 ": %s (the capture is damaged)", src->index,
			    pcap_geterr(src->pcap));
	p->header = *header;
	p->len = header->caplen;
	if (header->caplen < header->len)
		return fail(
			e, -EINVAL, src->name,
			"explaining packet %" PRIu64
			": only %u of its %u bytes were captured (capture whole packets: snaplen 0)",
			src->index, header->caplen, header->len);
	return 1;
}

/* ---- where they go to ---- */

struct sink {
	const char *file; /* NULL: nowhere */
	char *temporary;  /* renamed to file when all is well; NULL: written in place */
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
	/* A pipe or a device is not to be replaced. */
	f = !stat(to->file, &st) && !S_ISREG(st.st_mode) ? fopen(to->file, "we")
							 : open_temporary(to);
	if (!f)
		return fail(e, -errno, *to->file ? to->file : "''",
			    "opening it for what goes on: %s (see --out)", strerror(errno));
	to->type = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, MAX_FRAME,
							PCAP_TSTAMP_PRECISION_NANO);
	to->dumper = to->type ? pcap_dump_fopen(to->type, f) : NULL;
	if (to->dumper)
		return 0;
	fclose(f);
	return fail(e, -EIO, to->file, "writing its header: %s (see --out)",
		    to->type ? pcap_geterr(to->type) : "out of memory");
}

/* What failed leaves no file. */
static int close_sink(struct sink *to, int ret, struct err *e)
{
	if (to->dumper) {
		FILE *f = pcap_dump_file(to->dumper);
		bool broken = pcap_dump_flush(to->dumper) || ferror(f);

		pcap_dump_close(to->dumper);
		if (ret >= 0 && broken)
			ret = fail(
				e, -EIO, to->file,
				"writing it: not all could be written (see whether the disk is full)");
		if (ret >= 0 && to->temporary && rename(to->temporary, to->file))
			ret = fail(e, -errno, to->file, "putting it in place: %s (see --out)",
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
	struct mangle_explained *packet;
	size_t count, room;
};

static struct mangle_explained *add_explained(struct explained *x)
{
	if (x->count == x->room) {
		size_t room = 2 * x->room + 64;
		struct mangle_explained *more = realloc(x->packet, room * sizeof(*more));

		if (!more)
			return NULL;
		x->packet = more;
		x->room = room;
	}
	memset(&x->packet[x->count], 0, sizeof(x->packet[0]));
	return &x->packet[x->count];
}

static int explain_packet(struct explainer *x, const struct source *src, const struct packet *p,
			  uint8_t *out, struct mangle_explained *said, struct err *e)
{
	struct err inner;
	int err;

	memcpy(out, p->bytes, p->len);
	if (p->len < MIN_FRAME) {
		said->reason = REASON_NOT_IP;
		said->verdict = said->would = VERDICT_PASSED;
		return 0;
	}
	err = explainer_run(x, p->bytes, p->len, out, said, &inner);
	if (err)
		return fail(e, err, src->name, "explaining packet %" PRIu64 ": %s (leave it out)",
			    src->index, inner.line);
	if (said->reason >= MANGLE_REASON_COUNT || said->verdict >= MANGLE_VERDICT_COUNT ||
	    said->would >= MANGLE_VERDICT_COUNT)
		return fail(e, -EPROTO, src->name,
			    "explaining packet %" PRIu64
			    ": the program gave no answer (see doctor)",
			    src->index);
	return 0;
}

static int explain_all(struct explainer *x, struct source *src, const struct sink *to,
		       struct explained *all, struct err *e)
{
	struct mangle_explained *said;
	uint8_t *out = malloc(MAX_FRAME);
	struct packet p;
	int got;

	if (!out)
		return fail(e, -ENOMEM, src->name, "explaining it: out of memory");
	while ((got = next_packet(src, &p, e)) > 0) {
		said = add_explained(all);
		got = !said ? fail(e, -ENOMEM, src->name, "explaining it: out of memory")
		      : p.len > MAX_FRAME ? fail(e, -EMSGSIZE, src->name,
						 "explaining packet %" PRIu64
						 ": it is longer than any frame (leave it out)",
						 src->index)
					  : explain_packet(x, src, &p, out, said, e);
		if (got)
			break;
		all->count++;
		if (to->dumper && said->verdict != VERDICT_DROPPED)
			pcap_dump((u_char *)to->dumper, &p.header, out);
	}
	free(out);
	return got;
}

/* As if received on --iface, or on the one interface that is attached. */
static int choose_interface(const struct cmd *c, struct store *s, char name[MANGLE_IFNAME_SIZE],
			    struct err *e)
{
	struct attachment *a;
	size_t count, attached = 0;
	int err;

	name[0] = '\0';
	if (given(c, OPT(IFACE))) {
		memcpy(name, c->value[OPT_IFACE], strlen(c->value[OPT_IFACE]) + 1);
		return 0;
	}
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

static void print_all(const struct explained *all, const struct model *m)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct mangle_explained *said = &all->packet[i];
		bool found = said->service && said->service <= m->service_count;

		print_explanation(&(struct explanation){
			.index = i + 1,
			.said = said,
			.service = found ? &m->services[said->service - 1] : NULL,
		});
	}
}

static int explain(const struct cmd *c, struct source *src, struct err *e)
{
	struct explained all = {0};
	struct explainer *x = NULL;
	char ifname[MANGLE_IFNAME_SIZE];
	struct sink to = {0};
	struct model m;
	struct store *s;
	int err = open_loaded(c, STORE_READ, &s, e);

	if (err)
		return err;
	model_init(&m);
	err = store_read(s, &m, false, e); /* in the order that the program numbers services by */
	if (!err)
		err = choose_interface(c, s, ifname, e);
	if (!err)
		err = explainer_open(&x, s, ifname, e);
	if (!err)
		err = open_sink(c, &to, e);
	if (!err)
		err = explain_all(x, src, &to, &all, e);
	explainer_close(x);
	store_close(s); /* nobody waits for the lock while we write */
	err = close_sink(&to, err, e);
	print_all(&all, &m); /* also those before the one that could not be explained */
	free(all.packet);
	model_free(&m);
	return err;
}

int cmd_explain(const struct cmd *c, struct err *e)
{
	char ifname[MANGLE_IFNAME_SIZE];
	struct source src;
	struct why why;
	int err;

	if (given(c, OPT(IFACE)) && parse_ifname(c->value[OPT_IFACE], ifname, &why))
		return bad_option(c, OPT_IFACE, why.text, e);
	err = open_source(c, &src, e);
	if (!err)
		err = explain(c, &src, e);
	close_source(&src);
	return err;
}
