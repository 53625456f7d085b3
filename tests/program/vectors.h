/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The program vectors: frame in, service set → reason, verdict, frame out. The expectations are
 * the manual's; no vector knows anything of the program.
 *
 *   vectors.c      the runner: every vector is one check
 *   vec_link.c     VLAN tags, ethertypes, frames cut at every byte
 *   vec_ip4.c      IPv4 header, options, lengths, fragments, protocols
 *   vec_ip6.c      IPv6 header, extension headers and their order
 *   vec_l4.c       UDP and TCP headers, segments cut at every byte, first fragments
 *   vec_policy.c   every outcome under every policy, enforced and observed; size windows
 *   vec_service.c  which service a packet belongs to; 1,024 services
 *   vec_tag.c      tags of every length, where they lie, how they compare
 *   vec_csum.c     checksums
 *   vec_jumbo.c    frames larger than one buffer
 *   vec_connection.c  how segments of TCP connections are explained
 */
#ifndef TESTS_PROGRAM_VECTORS_H
#define TESTS_PROGRAM_VECTORS_H
#include "frame.h"

struct vector {
	const char *name;
	const char *set;    /* services, as YAML; one set is one address */
	const char *ifname; /* NULL: one that no service names */
	struct frame f;	    /* the frame that comes in */
	const char *reason;
	const char *verdict;
	const char *would;	  /* under observe, else NULL */
	const char *service;	  /* NULL: none matched */
	uint16_t port;		  /* destination port after the rewrite; 0: not one byte changes */
	const char *deleted;	  /* a tag of the service's, whose row is deleted first */
	const char *unknown_kind; /* the same, whose row gets a word of an unknown kind first */
	int set_order;		  /* the runner's */
	uint8_t port_only;	  /* rewritten, and the checksum field stays as it is */
	uint8_t connection; /* of a TCP connection: explained so, left to the programs at tc's hooks
			     */
};

/* What is expected. Rows 1 to 5 and 7: no service, always passed. */
#define REWRITTEN(svc, to) \
	.reason = "rewritten", .verdict = "rewritten", .service = (svc), .port = (to)
#define GIVEN(svc, to) \
	.reason = "unknown_tag", .verdict = "rewritten", .service = (svc), .port = (to)
#define NOT_OURS(why) .reason = (why), .verdict = "passed"
#define PASSED(why, svc) .reason = (why), .verdict = "passed", .service = (svc)
#define DROPPED(why, svc) .reason = (why), .verdict = "dropped", .service = (svc)
#define OBSERVED(why, what, svc) \
	.reason = (why), .verdict = "passed", .would = (what), .service = (svc)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Adds a vector under the name that fmt gives (v->name is not looked at). */
void vector_add(const struct vector *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds a table as it stands, each name after prefix. */
void vector_table(const char *prefix, const struct vector *t, size_t n);

/* Adds a table twice, over IPv4 and over IPv6. */
void vector_table46(const char *prefix, const struct vector *t, size_t n);

/*
 * The set that most vectors use: one service "base" for UDP and TCP, port 5000, tag 0:4, size 2:64,
 *
 *   ABCD → 6001   DROP → drop   PASS → pass
 *   SIZE → 6002, DSIZ → drop, PSIZ → pass: each only from 16 to 32 bytes
 */
#define BASE_SET(invalid, unknown, action) \
	"version: 1\n" \
	"services:\n" \
	"  - name: base\n" \
	"    protocol: any\n" \
	"    ports: [5000]\n" \
	"    tag: { offset: 0, length: 4 }\n" \
	"    size: { min: 2, max: 64 }\n" \
	"    invalid: " invalid "\n" \
	"    unknown: " unknown "\n" \
	"    tcp: segment\n" \
	"    action: " action "\n" \
	"    entities:\n" \
	"      - { tag: \"ABCD\", target: 6001 }\n" \
	"      - { tag: \"DROP\", target: drop }\n" \
	"      - { tag: \"PASS\", target: pass }\n" \
	"      - { tag: \"SIZE\", target: 6002, size: { min: 16, max: 32 } }\n" \
	"      - { tag: \"DSIZ\", target: drop, size: { min: 16, max: 32 } }\n" \
	"      - { tag: \"PSIZ\", target: pass, size: { min: 16, max: 32 } }\n"

/* Both policies drop: what passes, passes because it is not ours. */
extern const char set_base[];
/* Both policies pass. */
extern const char set_pass[];

void vectors_link(void);
void vectors_ip4(void);
void vectors_ip6(void);
void vectors_l4(void);
void vectors_policy(void);
void vectors_service(void);
void vectors_tag(void);
void vectors_csum(void);
void vectors_jumbo(void);
void vectors_connection(void);
/* The sockets that are there, in a network namespace that the process moves to. 0 or negative
 * errno. */
int connection_sockets(void);
void vectors_many(void);
#endif
