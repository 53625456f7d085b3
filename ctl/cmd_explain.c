/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "print.h"
#include "prog.h"

#define MIN_FRAME 14 /* what the kernel runs; anything shorter has no Ethernet header */

/* One frame in hex, as typed. */
static int open_hex(const struct cmd *c, struct capture *in, struct err *e)
{
	const char *word = c->value[OPT_HEX];
	uint8_t *frame = malloc(strlen(word) / 2 + 1);
	struct why why;
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
			"arguments: a capture or --hex, one of the two (see mangle-ctl %s --help)",
			c->name);
	return c->argc ? capture_open(in, c->argv[0], e) : open_hex(c, in, e);
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
	to->type = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, CAPTURE_MAX_FRAME,
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

static int explain_packet(struct explainer *x, const struct capture *in, const struct packet *p,
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
		return fail(e, err, in->name, "explaining packet %" PRIu64 ": %s (leave it out)",
			    in->index, inner.line);
	if (said->reason >= MANGLE_REASON_COUNT || said->verdict >= MANGLE_VERDICT_COUNT ||
	    said->would >= MANGLE_VERDICT_COUNT)
		return fail(e, -EPROTO, in->name,
			    "explaining packet %" PRIu64
			    ": the program gave no answer (see doctor)",
			    in->index);
	return 0;
}

static int explain_all(struct explainer *x, struct capture *in, const struct sink *to,
		       struct explained *all, struct err *e)
{
	struct mangle_explained *said;
	uint8_t *out = malloc(CAPTURE_MAX_FRAME);
	struct packet p;
	int got;

	if (!out)
		return fail(e, -ENOMEM, in->name, "explaining it: out of memory");
	while ((got = capture_next(in, &p, e)) > 0) {
		said = add_explained(all);
		got = !said ? fail(e, -ENOMEM, in->name, "explaining it: out of memory")
		      : p.len > CAPTURE_MAX_FRAME
			      ? fail(e, -EMSGSIZE, in->name,
				     "explaining packet %" PRIu64
				     ": it is longer than any frame (leave it out)",
				     in->index)
			      : explain_packet(x, in, &p, out, said, e);
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
	if (given(c, OPT(INTERFACE))) {
		memcpy(name, c->value[OPT_INTERFACE], strlen(c->value[OPT_INTERFACE]) + 1);
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

static int explain(const struct cmd *c, struct capture *in, struct err *e)
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
		err = explain_all(x, in, &to, &all, e);
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
	struct capture in = {0};
	struct why why;
	int err;

	if (given(c, OPT(INTERFACE)) && parse_ifname(c->value[OPT_INTERFACE], ifname, &why))
		return bad_option(c, OPT_INTERFACE, why.text, e);
	err = open_source(c, &in, e);
	if (!err)
		err = explain(c, &in, e);
	capture_close(&in);
	return err;
}
