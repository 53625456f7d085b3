/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a frame through both instances of the program, on private tables: the counting one, whose
 * counters must move by exactly this frame, and the explaining one, which must say the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../ctl/model/diff.h"
#include "../../ctl/files/config.h"
#include "../../ctl/kernel/open.h"
#include "../../ctl/kernel/probe.h"
#include "../../ctl/kernel/publish.h"
#include "../../ctl/kernel/row_change.h"
#include "../../ctl/kernel/rows.h"
#include "../../ctl/kernel/run.h"
#include "../../ctl/kernel/state.h"
#include "../../ctl/kernel/stats.h"
#include "../../ctl/kernel/inner.h"
#include "../../ctl/kernel/table_map.h"
#include "harness.h"
#include "mangle.skel.h"

/* The interface no service names. */
#define NO_IFNAME "none"

static struct store *store;
static struct model running;
static struct runner *runner;
static struct explainer *explainer;
static char loaded_ifname[MANGLE_IFNAME_SIZE];

static const char *const reason_names[] = {
#define NAME(upper, lower, meaning) #lower,
	MANGLE_REASONS(NAME)
#undef NAME
};
static const char *const verdict_names[] = {
#define NAME(upper, lower) #lower,
	MANGLE_VERDICTS(NAME)
#undef NAME
};

static const void *object; /* NULL: the one that was built in */
static size_t object_size;
static int other_ways;
static unsigned int cpu;

/* The linker leads libbpf's functions of these names here (--wrap), so that nothing in ctl/ need
 * know that there can be another program. */
int __real_bpf_object__open_skeleton(struct bpf_object_skeleton *s,
				     const struct bpf_object_open_opts *opts);
int __wrap_bpf_object__open_skeleton(struct bpf_object_skeleton *s,
				     const struct bpf_object_open_opts *opts);
int __real_bpf_object__load_skeleton(struct bpf_object_skeleton *s);
int __wrap_bpf_object__load_skeleton(struct bpf_object_skeleton *s);

static bool is_program(const struct bpf_object_skeleton *s)
{
	return !strcmp(s->name, "mangle_bpf");
}

int __wrap_bpf_object__open_skeleton(struct bpf_object_skeleton *s,
				     const struct bpf_object_open_opts *opts)
{
	if (object && is_program(s)) {
		s->data = (void *)object;
		s->data_sz = object_size;
	}
	return __real_bpf_object__open_skeleton(s, opts);
}

int __wrap_bpf_object__load_skeleton(struct bpf_object_skeleton *s)
{
	struct mangle_bpf *skel = (struct mangle_bpf *)((char *)s->obj -
							offsetof(struct mangle_bpf, obj));

	if (other_ways && is_program(s)) {
		skel->rodata->have_load_bytes = false;
		bpf_program__set_flags(skel->progs.mangle, 0);
		bpf_program__set_flags(skel->progs.explain, 0);
	}
	return __real_bpf_object__load_skeleton(s);
}

int h_object(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		close(fd);
		return -errno;
	}
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -errno;
	object = at;
	object_size = (size_t)st.st_size;
	return 0;
}

void h_other_ways(void)
{
	other_ways = 1;
}

/* From here on frames run on one CPU, the last that there is for us. */
static int choose_cpu(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	for (cpu = CPU_SETSIZE - 1; cpu && !CPU_ISSET(cpu, &set); cpu--)
		;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return -errno;
	/* a table that was made before this CPU was there */
	if (other_ways && cpu)
		store->cpus = (struct table_cpus){.own = cpu, .copies = cpu + 1};
	return 0;
}

static int load(const char *ifname, struct err *e)
{
	int err;

	runner_close(runner);
	explainer_close(explainer);
	runner = NULL;
	explainer = NULL;
	err = runner_open(&runner, store, ifname, e);
	if (!err)
		err = explainer_open(&explainer, store, ifname, e);
	snprintf(loaded_ifname, sizeof(loaded_ifname), "%s", err ? "" : ifname);
	return err;
}

int h_open(void)
{
	struct err e = {0};
	int err = store_open_private(&store, &e);

	model_init(&running);
	if (!err)
		err = choose_cpu();
	if (!err)
		err = load(NO_IFNAME, &e);
	if (err)
		fprintf(stderr, "harness: %s\n", e.line);
	return err;
}

void h_close(void)
{
	runner_close(runner);
	explainer_close(explainer);
	store_close(store);
	model_free(&running);
}

int h_have_frags(void)
{
	const struct prog_features *f = prog_probe();

	return !other_ways && f->frags && f->load_bytes;
}

struct snapshot {
	struct stats all;
	struct stats *of; /* by service of `running` */
};

/* After the last frame, since when nothing may have counted; `of` NULL: to be taken anew. */
static struct snapshot last;

static void forget_snapshot(struct snapshot *s)
{
	free(s->of);
	s->of = NULL;
}

static struct tag unknown_kind; /* of the set in force; length 0: none */
static char unknown_service[MANGLE_NAME_SIZE];

static void as_tag(const char *text, struct tag *tag)
{
	*tag = (struct tag){.len = (uint8_t)strlen(text)};
	memcpy(tag->bytes, text, tag->len);
}

int h_config(const char *yaml, char *err_text, size_t err_size)
{
	char path[] = "/tmp/mangle-vectors-XXXXXX";
	struct changes c;
	struct err e = {0};
	int fd = mkstemp(path);
	int err = -EIO;

	forget_snapshot(&last);
	if (unknown_kind.len) /* nothing else is changed while there is such a word */
		store_del_row(store, unknown_service, &unknown_kind, &e);
	unknown_kind = (struct tag){0};
	model_free(&running);
	model_init(&running);
	if (fd >= 0 && write(fd, yaml, strlen(yaml)) == (ssize_t)strlen(yaml))
		err = config_load(path, &running, &e);
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	if (!err)
		err = store_publish(store, &running, &c, &e);
	if (err)
		snprintf(err_text, err_size, "%s", e.line);
	return err;
}

/* A CPU counts in memory that no other one writes: so this looks nowhere else. */
static void count_all(struct stats *all)
{
	memset(all, 0, sizeof(*all));
	for (unsigned int slot = 0; slot <= store_config(store)->stats_high; slot++) {
		const struct mangle_stats
			*st = &store->stats_memory[cpu * MANGLE_STATS_SLOTS + slot];

		for (int i = 0; i < MANGLE_REASON_COUNT; i++) {
			all->packets[i] += st->packets[i];
			all->bytes[i] += st->bytes[i];
		}
		for (int i = 0; i < MANGLE_VERDICT_COUNT; i++) {
			all->verdict[i] += st->verdict[i];
			all->would[i] += st->would[i];
		}
	}
}

static int snap(struct snapshot *s, struct err *e)
{
	int err = 0;

	count_all(&s->all);
	s->of = calloc(running.service_count + 1, sizeof(*s->of));
	for (unsigned int i = 0; i < running.service_count && !err; i++)
		err = store_stats(store, running.services[i].name, &s->of[i], e);
	return err;
}

int h_delete(const char *service, const char *text, char *err_text, size_t err_size)
{
	struct err e = {0};
	struct tag tag;
	int ret;

	as_tag(text, &tag);
	ret = store_del_row(store, service, &tag, &e);
	if (ret == 1)
		return 0;
	snprintf(err_text, err_size, "%s", ret ? e.line : "it is not there");
	return ret ? ret : -ENOENT;
}

/* A row's table and place, until inner_close. 1 there is such a row, 0 not. */
static int open_row(const char *service, const struct tag *tag, struct inner *in, struct table *t,
		    struct table_place *at, struct err *e)
{
	uint32_t index;
	int err = store_table_row(store, service, tag->bytes, &index, in, t, e);

	return err ? err : table_find(t, tag->bytes, at);
}

int h_unknown_kind(const char *service, const char *text, char *err_text, size_t err_size)
{
	struct inner in = {.fd = -1};
	struct err e = {0};
	struct table_place at;
	struct table t;
	int ret;

	as_tag(text, &unknown_kind);
	snprintf(unknown_service, sizeof(unknown_service), "%s", service);
	ret = open_row(service, &unknown_kind, &in, &t, &at, &e);
	/* With a window that no packet fits, which is not to be looked at. */
	if (ret == 1)
		table_store(&t, at, MANGLE_VALUE(ACTION_RICH, 6001, true, 65535, 65535));
	inner_close(&in);
	forget_snapshot(&last);
	if (ret == 1)
		return 0;
	snprintf(err_text, err_size, "%s", ret ? e.line : "it is not there");
	return ret ? ret : -ENOENT;
}

/* It is no row to mangle-ctl, and must not count. */
static int unknown_row(const char *service, struct row *row, struct err *e)
{
	struct inner in = {.fd = -1};
	struct table_sums sums;
	struct table_place at;
	struct table t;
	int ret = open_row(service, &unknown_kind, &in, &t, &at, e);

	if (ret == 1) {
		sums = table_sum(&t, at);
		row->packets = sums.packets;
		row->bytes = sums.bytes;
	}
	inner_close(&in);
	return ret < 0 ? ret : 0;
}

/* Which of n counters moved: exactly one, by `by`; else -1. */
static int moved(const uint64_t *before, const uint64_t *after, int n, uint64_t by)
{
	int which = -1;

	for (int i = 0; i < n; i++) {
		if (before[i] == after[i])
			continue;
		if (which >= 0 || after[i] - before[i] != by)
			return -1;
		which = i;
	}
	return which;
}

/* The row of the tag that was explained; packets 0 where there is none. 1 there is one, 0 not. */
static int explained_row(const struct mangle_explained *said, struct row *row, struct err *e)
{
	struct tag tag = {0};

	memset(row, 0, sizeof(*row));
	if (!said->has_tag || !said->service || said->service > running.service_count)
		return 0;
	tag.len = running.services[said->service - 1].tag_len;
	memcpy(tag.bytes, said->tag, tag.len); /* little-endian */
	if (!memcmp(&tag, &unknown_kind, sizeof(tag)))
		return unknown_row(running.services[said->service - 1].name, row, e);
	return store_get_row(store, running.services[said->service - 1].name, &tag, row, e);
}

/* Rows 12 to 14 are the entity's, and it counts the frame; no other frame is. */
static int check_row(enum mangle_reason reason, const struct row *before, int there, size_t len,
		     const struct row *after, int64_t start, char *text, size_t size)
{
	int own = reason == REASON_REWRITTEN || reason == REASON_ENTITY_DROP ||
		  reason == REASON_ENTITY_PASS ||
		  (there && (reason == REASON_TOO_SHORT || reason == REASON_TOO_LONG));
	int64_t now = time(NULL);

	if ((own || reason == REASON_UNKNOWN_TAG) && own != there) {
		snprintf(text, size, "%s, and the explained tag is %sin the table",
			 reason_names[reason], there ? "" : "not ");
		return -EPROTO;
	}
	if (after->packets - before->packets != (uint64_t)own ||
	    after->bytes - before->bytes != (own ? len : 0)) {
		snprintf(text, size, "the entity counted %d packets and %d bytes more",
			 (int)(after->packets - before->packets),
			 (int)(after->bytes - before->bytes));
		return -EPROTO;
	}
	if (own && (after->last_seen < start - 1 || after->last_seen > now + 1)) {
		snprintf(text, size, "the entity was last seen %d s ago",
			 (int)(now - after->last_seen));
		return -EPROTO;
	}
	return 0;
}

static int compare(const struct snapshot *a, const struct snapshot *b, size_t len, int action,
		   struct h_result *res, char *text, size_t size)
{
	int reason = moved(a->all.packets, b->all.packets, MANGLE_REASON_COUNT, 1);
	int verdict = moved(a->all.verdict, b->all.verdict, MANGLE_VERDICT_COUNT, 1);
	int would = moved(a->all.would, b->all.would, MANGLE_VERDICT_COUNT, 1);

	res->uncounted = action == XDP_PASS && !memcmp(&a->all, &b->all, sizeof(a->all));
	if (res->uncounted)
		return 0;
	if (reason < 0 || verdict < 0) {
		snprintf(text, size, "not exactly one reason and one verdict were counted");
		return -EPROTO;
	}
	if (moved(a->all.bytes, b->all.bytes, MANGLE_REASON_COUNT, len) != reason) {
		snprintf(text, size, "counted bytes are not the frame's %zu", len);
		return -EPROTO;
	}
	if ((action == XDP_DROP) != (verdict == VERDICT_DROPPED) ||
	    (action != XDP_DROP && action != XDP_PASS)) {
		snprintf(text, size, "XDP action %d with verdict %s", action,
			 verdict_names[verdict]);
		return -EPROTO;
	}
	res->reason = reason_names[reason];
	res->verdict = verdict_names[verdict];
	res->would = would < 0 ? NULL : verdict_names[would];
	res->service[0] = '\0';
	for (unsigned int i = 0; i < running.service_count; i++) {
		int r = moved(a->of[i].packets, b->of[i].packets, MANGLE_REASON_COUNT, 1);

		if (r < 0)
			continue;
		if (r != reason || res->service[0]) {
			snprintf(text, size, "two services counted, or another reason");
			return -EPROTO;
		}
		snprintf(res->service, sizeof(res->service), "%s", running.services[i].name);
	}
	return 0;
}

static int check_explained(const struct mangle_explained *said, const struct h_result *res,
			   char *text, size_t size)
{
	const char *name = "";

	if (said->service)
		name = running.services[said->service - 1].name;
	if (said->reason >= MANGLE_REASON_COUNT || said->verdict >= MANGLE_VERDICT_COUNT ||
	    said->would >= MANGLE_VERDICT_COUNT ||
	    strcmp(reason_names[said->reason], res->reason) ||
	    strcmp(verdict_names[said->verdict], res->verdict) || strcmp(name, res->service) ||
	    (res->would && strcmp(verdict_names[said->would], res->would))) {
		snprintf(text, size, "explained otherwise: reason %u, verdict %u, service '%s'",
			 said->reason, said->verdict, name);
		return -EPROTO;
	}
	return 0;
}

/* What has not been counted is told by the explanation alone. */
static int take_explained(const struct mangle_explained *said, struct h_result *res, char *text,
			  size_t size)
{
	if (said->reason >= MANGLE_REASON_COUNT || said->verdict >= MANGLE_VERDICT_COUNT ||
	    said->would >= MANGLE_VERDICT_COUNT || said->service > running.service_count) {
		snprintf(text, size, "explained: reason %u, verdict %u, service %u", said->reason,
			 said->verdict, said->service);
		return -EPROTO;
	}
	res->reason = reason_names[said->reason];
	res->verdict = verdict_names[said->verdict];
	res->would = NULL;
	res->service[0] = '\0';
	if (said->service) {
		const struct service *s = &running.services[said->service - 1];

		snprintf(res->service, sizeof(res->service), "%s", s->name);
		if (s->observe)
			res->would = verdict_names[said->would];
	}
	return 0;
}

int h_run(const char *ifname, const uint8_t *frame, size_t len, struct h_result *res, char *text,
	  size_t size)
{
	static uint8_t explained_bytes[H_MAX_FRAME];
	struct snapshot after = {0};
	struct mangle_explained said;
	struct row row, row_after;
	const int64_t start = time(NULL);
	struct err e = {0};
	size_t out_len = 0;
	int err = 0, action = 0, there = 0;

	if (!ifname)
		ifname = NO_IFNAME;
	if (len > H_MAX_FRAME)
		return -E2BIG;
	if (strcmp(ifname, loaded_ifname))
		err = load(ifname, &e);
	if (!err && !last.of)
		err = snap(&last, &e);
	if (!err)
		err = explainer_run(explainer, frame, len, explained_bytes, &said, &e);
	if (!err)
		there = explained_row(&said, &row, &e);
	if (!err)
		action = runner_run(runner, frame, len, res->bytes, &out_len, &e);
	if (there < 0 || action < 0)
		err = there < 0 ? there : action;
	if (!err)
		err = snap(&after, &e);
	if (err) {
		snprintf(text, size, "%s", e.line);
		goto out;
	}
	res->len = (uint32_t)out_len;
	err = compare(&last, &after, len, action, res, text, size);
	if (err)
		goto out;
	res->old_port = said.has_ports ? said.old_port : -1;
	res->new_port = said.has_ports ? said.new_port : -1;
	if (res->uncounted) {
		err = take_explained(&said, res, text, size);
		if (!err && (out_len != len || memcmp(frame, res->bytes, len))) {
			snprintf(text, size, "not counted, and not as it came");
			err = -EPROTO;
		}
		memcpy(res->bytes, explained_bytes, len);
		goto out;
	}
	err = check_explained(&said, res, text, size);
	if (!err && (out_len != len || memcmp(explained_bytes, res->bytes, len))) {
		snprintf(text, size, "the two instances wrote different bytes");
		err = -EPROTO;
	}
	if (!err && explained_row(&said, &row_after, &e) != there)
		err = -EPROTO;
	if (!err)
		err = check_row(said.reason, &row, there, len, &row_after, start, text, size);
out:
	forget_snapshot(&last);
	last = after;
	return err;
}
