/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs the program vectors: vectors [-l] [-k] [-x] [-p OBJECT] [NAME-SUBSTRING…]
 * or, vectors -i, counts the instructions that the verifier processes (insns.c).
 *
 * Every vector is one iteration of a Check loop test, so that Check's own summary counts vectors
 * and one that fails does not stop the rest. -l lists them and runs none. -k: the program as
 * kernels before 5.18 have it. -p: the program of another object file. -x: ends with the first that
 * fails, and begins with some of every kind. Exit status: 0 all passed, 1 not, 2 the program was
 * not loaded, 77 not allowed to load programs.
 */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "insns.h"
#include "vectors.h"

const char set_base[] = BASE_SET("drop", "drop", "enforce");
const char set_pass[] = BASE_SET("pass", "pass", "enforce");

static const char *const reasons[] = {
	"not_ip",	"malformed_ip", "later_fragment", "not_udp_tcp", "routing_header",
	"tcp_fragment", "malformed_l4", "no_service",	  "no_payload",	 "too_short",
	"too_long",	"no_tag",	"unknown_tag",	  "entity_drop", "entity_pass",
	"rewritten",	"tcp_cookie",	"tcp_handshake",  "tcp_reset",	 "tcp_bound"};

/* Frames up to this length fit one buffer of BPF_PROG_RUN on every kernel with pages of 4 KiB. */
#define ONE_BUFFER 3400

static const struct group {
	const char *name;
	void (*add)(void);
} groups[] = {
	{"link", vectors_link},	      {"ip4", vectors_ip4},
	{"ip6", vectors_ip6},	      {"l4", vectors_l4},
	{"policy", vectors_policy},   {"csum", vectors_csum},
	{"jumbo", vectors_jumbo},     {"tag", vectors_tag},
	{"service", vectors_service}, {"connection", vectors_connection},
	{"many", vectors_many}, /* last: reading all counters is slower with many services */
};

static struct vector *vectors;
static int n_vectors, room;
static int have_frags, skipped;

/* The place of a set among all, by first use. */
static int order_of(const char *set)
{
	static const char *seen[256];
	static int n;

	for (int i = 0; i < n; i++)
		if (seen[i] == set)
			return i;
	if (n == (int)ARRAY_SIZE(seen))
		abort();
	seen[n] = set;
	return n++;
}

static void one_more(const struct vector *v, char *name)
{
	if (n_vectors == room) {
		room = room ? 2 * room : 1024;
		vectors = realloc(vectors, (size_t)room * sizeof(*vectors));
		if (!vectors)
			abort();
	}
	vectors[n_vectors] = *v;
	vectors[n_vectors].set_order = order_of(v->set);
	vectors[n_vectors++].name = name;
}

void vector_add(const struct vector *v, const char *fmt, ...)
{
	char text[200], *name;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	name = n > 0 && n < (int)sizeof(text) ? strdup(text) : NULL;
	if (!name)
		abort();
	one_more(v, name);
}

void vector_table(const char *prefix, const struct vector *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vector_add(&t[i], "%s%s", prefix, t[i].name);
}

void vector_table46(const char *prefix, const struct vector *t, size_t n)
{
	for (int ip = 4; ip <= 6; ip += 2)
		for (size_t i = 0; i < n; i++) {
			struct vector v = t[i];

			v.f.ip = (uint8_t)ip;
			vector_add(&v, "%sv%d %s", prefix, ip, v.name);
		}
}

static int same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static const char *text(const char *s)
{
	return s ? s : "-";
}

static int among(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (same(s, list[i]))
			return (int)i;
	return -1;
}

/* A vector that contradicts itself would test nothing: say so before anything is run. */
static const char *contradiction(const struct vector *v)
{
	static const char *const verdicts[] = {"rewritten", "passed", "dropped", "answered"};
	static const char *const before_ports[] = {
		"not_ip",	  "malformed_ip", "later_fragment", "not_udp_tcp",
		"routing_header", "tcp_fragment", "no_service"};
	struct frame_sums s;
	int verifies;

	if (among(v->reason, reasons, ARRAY_SIZE(reasons)) < 0)
		return "unknown reason";
	if (among(v->verdict, verdicts, ARRAY_SIZE(verdicts)) < 0)
		return "unknown verdict";
	if (v->would &&
	    (among(v->would, verdicts, ARRAY_SIZE(verdicts)) < 0 || strcmp(v->verdict, "passed")))
		return "observed, and not passed";
	if (!v->port != !!strcmp(v->verdict, "rewritten"))
		return "a port without a rewrite, or a rewrite without a port";
	if (!v->service != (among(v->reason, before_ports, ARRAY_SIZE(before_ports)) >= 0) &&
	    strcmp(v->reason, "malformed_l4"))
		return "service and reason";
	if (!v->service && strcmp(v->verdict, "passed"))
		return "nobody's packet, and not passed";
	frame_sums(&v->f, &s);
	verifies = s.good % 0xffff == s.field % 0xffff;
	if (v->port_only && !v->port)
		return "nothing is rewritten";
	if (v->port_only && s.field && (s.field != s.pseudo || verifies))
		return "neither UDP without a checksum nor CHECKSUM_PARTIAL";
	if (!v->port_only && v->port && v->port != (v->f.dport.set ? v->f.dport.v : 5000) &&
	    s.field == s.pseudo && !verifies && !v->f.keep.set)
		return "CHECKSUM_PARTIAL, and the checksum changes";
	return NULL;
}

/* Up to 16 bytes from the first that differs, a few before it for the eye. */
static void hex(char *out, size_t size, const uint8_t *p, size_t len, size_t from)
{
	size_t n = 0;

	for (size_t i = from; i < len && i < from + 16 && n + 4 < size; i++)
		n += (size_t)snprintf(out + n, size - n, " %02x", p[i]);
	if (from + 16 < len && n + 5 < size)
		snprintf(out + n, size - n, " ...");
	else if (!n)
		snprintf(out, size, " (end)");
}

static struct {
	char text[4096];
	size_t n;
} said;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(said.text + said.n, sizeof(said.text) - said.n, fmt, ap);
	va_end(ap);
	said.n += n > 0 ? (size_t)n : 0;
	if (said.n >= sizeof(said.text))
		said.n = sizeof(said.text) - 1;
}

static void expect_text(const char *what, const char *got, const char *expected)
{
	if (!same(got, expected))
		say("\n    %s: expected %s, got %s", what, text(expected), text(got));
}

static void expect_port(const char *what, int got, int expected)
{
	if (got != expected)
		say("\n    %s: expected %d, got %d", what, expected, got);
}

static void expect_bytes(const uint8_t *got, size_t got_len, const uint8_t *expected, size_t len)
{
	char line[80];
	size_t at = 0;

	if (got_len != len)
		say("\n    length: expected %zu, got %zu", len, got_len);
	while (at < len && at < got_len && got[at] == expected[at])
		at++;
	if (at == len && at == got_len)
		return;
	at = at < 4 ? 0 : at - 4;
	hex(line, sizeof(line), expected, len, at);
	say("\n    bytes from %zu: expected%s", at, line);
	hex(line, sizeof(line), got, got_len, at);
	say("\n    bytes from %zu: got     %s", at, line);
}

/* Ports are part of the explanation, and the manual says where they are not reached. */
static void expect_ports(const struct vector *v, const struct h_result *res)
{
	static const char *const unread[] = {"not_ip", "malformed_ip", "later_fragment",
					     "not_udp_tcp", "routing_header"};
	int dport = (int)(v->f.dport.set ? v->f.dport.v : 5000);

	if (among(v->reason, unread, ARRAY_SIZE(unread)) >= 0) {
		expect_port("old port", res->old_port, -1);
		expect_port("new port", res->new_port, -1);
	} else if (v->port) {
		expect_port("old port", res->old_port, dport);
		expect_port("new port", res->new_port, v->port);
	} else if (v->service && strcmp(v->reason, "malformed_l4")) {
		expect_port("old port", res->old_port, dport);
		expect_port("new port", res->new_port, dport);
	}
}

static const char *applied; /* the set that is there as it stands */

static const char *configure(const char *set)
{
	static char why[400];
	char err[300] = "";
	int rc;

	if (set == applied)
		return why[0] ? why : NULL;
	applied = set;
	why[0] = 0;
	rc = h_config(set, err, sizeof(err));
	if (rc)
		snprintf(why, sizeof(why), "its services were refused: %s (%s)", err,
			 strerror(-rc));
	return rc ? why : NULL;
}

static int *chosen; /* loop index → vector */
static int first_ends;

static void failed(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void failed(const char *fmt, ...)
{
	char text[sizeof(said.text) + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (first_ends) {
		puts(text);
		exit(1);
	}
	ck_abort_msg("%s", text);
}

START_TEST(run_vector)
{
	static uint8_t in[FRAME_MAX], out[FRAME_MAX];
	static struct h_result res;
	const struct vector *v = &vectors[chosen[_i]];
	const char *wrong = contradiction(v);
	size_t in_len, out_len;
	char err[300] = "";
	int rc;

	if (wrong)
		failed("%s: this vector contradicts itself: %s", v->name, wrong);
	in_len = frame_build(&v->f, in);
	if (in_len > ONE_BUFFER && !have_frags) {
		skipped++;
		return;
	}
	out_len = in_len;
	memcpy(out, in, in_len);
	if (v->port)
		out_len = frame_rewritten(&v->f, v->port, v->port_only, out);

	wrong = configure(v->set);
	if (wrong)
		failed("%s: %s", v->name, wrong);
	if (v->deleted) {
		applied = NULL;
		if (h_delete(v->service, v->deleted, err, sizeof(err)))
			failed("%s: its row was not deleted: %s", v->name, err);
	}
	if (v->unknown_kind) {
		applied = NULL;
		if (h_unknown_kind(v->service, v->unknown_kind, err, sizeof(err)))
			failed("%s: its row was not changed: %s", v->name, err);
	}
	memset(&res, 0, sizeof(res));
	rc = h_run(v->ifname, in, in_len, &res, err, sizeof(err));
	if (rc)
		failed("%s: not run: %s (%s)", v->name, err, strerror(-rc));

	said.n = 0;
	said.text[0] = 0;
	expect_text("reason", res.reason, v->reason);
	expect_text("verdict", res.verdict, v->verdict);
	expect_text("would", res.would, v->would);
	if (res.uncounted != v->connection)
		say("\n    %s", v->connection ? "was counted" : "was not counted");
	expect_text("service", res.service, v->service ? v->service : "");
	expect_ports(v, &res);
	expect_bytes(res.bytes, res.len, out, out_len);
	if (said.n)
		failed("%s:%s", v->name, said.text);
}
END_TEST

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A configuration costs milliseconds and an interface a load: one after the other, else as added.
 */
static int by_set(const void *a, const void *b)
{
	const struct vector *v = &vectors[*(const int *)a], *u = &vectors[*(const int *)b];

	if (v->set_order != u->set_order)
		return v->set_order < u->set_order ? -1 : 1;
	if (!v->ifname != !u->ifname)
		return v->ifname ? 1 : -1;
	return v < u ? -1 : v > u;
}

static void refuse_same_names(void)
{
	const char **names = calloc((size_t)n_vectors, sizeof(*names));

	if (!names)
		abort();
	for (int i = 0; i < n_vectors; i++)
		names[i] = vectors[i].name;
	qsort(names, (size_t)n_vectors, sizeof(*names), by_name);
	for (int i = 1; i < n_vectors; i++)
		if (!strcmp(names[i - 1], names[i])) {
			fprintf(stderr, "vectors: two are named '%s'\n", names[i]);
			exit(1);
		}
	free(names);
}

static int wanted(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strstr(name, argv[i]))
			return 1;
	return !argc;
}

static void summary(int n)
{
	int count[ARRAY_SIZE(reasons)] = {0}, rewritten = 0;

	for (int i = 0; i < n; i++) {
		const struct vector *v = &vectors[chosen[i]];
		int reason = among(v->reason, reasons, ARRAY_SIZE(reasons));

		if (reason >= 0)
			count[reason]++;
		rewritten += v->port != 0;
	}
	printf("%d vectors: %d rewritten, %d not:", n, rewritten, n - rewritten);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		printf(" %s %d", reasons[i], count[i]);
	printf("\n");
}

/* Of the first `end` that were chosen, one in 16 to the front. */
static void some_first(int end)
{
	int *order = calloc((size_t)end + 1, sizeof(*order)), n = 0;

	if (!order)
		abort();
	for (int i = 0; i < end; i += 16)
		order[n++] = chosen[i];
	for (int i = 0; i < end; i++)
		if (i % 16)
			order[n++] = chosen[i];
	memcpy(chosen, order, (size_t)end * sizeof(*order));
	free(order);
}

START_TEST(is_under_the_bound)
{
	const char *what;
	long insns = insns_of(_i, &what);

	if (!insns) {
		printf("%-24s not on this kernel\n", what);
		return;
	}
	ck_assert_msg(insns > 0, "%s: not counted: %s", what, strerror((int)-insns));
	printf("%-24s %7ld instructions processed, of %d\n", what, insns, INSNS_MAX);
	ck_assert_msg(insns < INSNS_MAX, "%s: %ld instructions, of %d", what, insns, INSNS_MAX);
}
END_TEST

static int run_insns(void)
{
	Suite *suite = suite_create("instructions");
	SRunner *runner = srunner_create(suite);
	TCase *tc = tcase_create("instructions");
	int failures;

	tcase_add_loop_test(tc, is_under_the_bound, 0, INSNS_PROGRAMS);
	tcase_set_timeout(tc, 0);
	suite_add_tcase(suite, tc);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	int list = 0, n = 0, last = 0, failures, opt, rc;
	Suite *suite = suite_create("vectors");
	SRunner *runner = srunner_create(suite);

	while ((opt = getopt(argc, argv, "ilkxp:")) != -1) {
		switch (opt) {
		case 'i': return run_insns();
		case 'l': list = 1; break;
		case 'k': h_other_ways(); break;
		case 'x': first_ends = 1; break;
		case 'p':
			rc = h_object(optarg);
			if (!rc)
				break;
			fprintf(stderr, "vectors: %s: %s\n", optarg, strerror(-rc));
			return 2;
		default: return 1;
		}
	}
	argc -= optind;
	argv += optind;
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
		TCase *tc = tcase_create(groups[g].name);
		int first = n, next = n_vectors;

		groups[g].add();
		chosen = realloc(chosen, (size_t)(n_vectors + 1) * sizeof(*chosen));
		if (!chosen)
			abort();
		for (; next < n_vectors; next++)
			if (wanted(vectors[next].name, argc, argv))
				chosen[n++] = next;
		qsort(chosen + first, (size_t)(n - first), sizeof(*chosen), by_set);
		tcase_add_loop_test(tc, run_vector, first, n);
		suite_add_tcase(suite, tc);
		last = first;
	}
	if (first_ends)
		some_first(last);
	refuse_same_names();
	if (list) {
		for (int i = 0; i < n; i++)
			printf("%s: %s, %s\n", vectors[chosen[i]].name, vectors[chosen[i]].reason,
			       vectors[chosen[i]].verdict);
		summary(n);
		return 0;
	}
	if (!n) {
		fprintf(stderr, "vectors: no name contains that\n");
		return 1;
	}

	rc = connection_sockets();
	if (!rc)
		rc = h_open();
	if (rc == -EPERM) {
		printf("SKIP vectors: not allowed to load programs (run as root)\n");
		return 77;
	}
	if (rc) {
		fprintf(stderr, "vectors: the program was not loaded: %s\n", strerror(-rc));
		return 2;
	}
	have_frags = h_have_frags();
	/* the loaded program lives in this process, and nothing but Check's own fork is lost */
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	h_close();
	summary(n);
	if (skipped)
		printf("SKIP %d of them: this kernel runs no frames larger than one buffer\n",
		       skipped);
	srunner_free(runner);
	return failures ? 1 : 0;
}
