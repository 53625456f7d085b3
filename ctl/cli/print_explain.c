/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints what explain has found. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "model/parse.h"
#include "print_internal.h"

#define ADDRESS_SIZE (INET6_ADDRSTRLEN + 3)

/* which: 0 source, 1 destination. An IPv6 address is in brackets where a port follows. */
static const char *address_of(const struct explanation *x, unsigned int which, bool brackets,
			      char buf[ADDRESS_SIZE])
{
	const bool v6 = x->said.family == 6;
	const uint8_t *address = which ? &x->addresses[v6 ? 16 : 4] : x->addresses;

	brackets &= v6;
	*buf = '[';
	inet_ntop(v6 ? AF_INET6 : AF_INET, address, buf + brackets, INET6_ADDRSTRLEN);
	if (brackets)
		strcat(buf, "]");
	return buf;
}

static json_t *json_address(const struct explanation *x, unsigned int which)
{
	char buf[ADDRESS_SIZE];

	return x->said.family ? json_string(address_of(x, which, false, buf)) : json_null();
}

static json_t *json_vlans(const struct explanation *x)
{
	json_t *j = json_array();

	for (unsigned int i = 0; i < x->vlans; i++)
		json_array_append_new(j, json_integer(x->vlan[i]));
	return j;
}

static void json_flow(json_t *j, const struct explanation *x)
{
	const struct mangle_explained *said = &x->said;

	json_object_set_new(j, "source", json_address(x, 0));
	json_object_set_new(j, "destination", json_address(x, 1));
	json_object_set_new(j, "source_port",
			    said->has_ports ? json_integer(said->src_port) : json_null());
	json_object_set_new(j, "payload",
			    said->has_payload ? json_integer(said->payload_len) : json_null());
	json_object_set_new(j, "length", json_integer((json_int_t)x->length));
	json_object_set_new(j, "vlan", json_vlans(x));
}

static json_t *json_explanation(const struct explanation *x)
{
	const struct mangle_explained *said = &x->said;
	uint8_t tag[MANGLE_MAX_TAG];
	char text[TAG_TEXT_SIZE];
	bool has_tag = said->has_tag && x->service;
	json_t *j;

	tag_from_key(said->tag[0], said->tag[1], tag);
	j = json_pack("{s:I,s:s,s:s,s:s?,s:s?,s:o,s:o}", "index", (json_int_t)x->index, "verdict",
		      verdict_name(said->verdict), "reason", reason_name(said->reason), "service",
		      x->service ? x->service->name : NULL, "tag",
		      has_tag ? format_tag_hex(tag, x->service->tag_len, text) : NULL, "old_port",
		      said->has_ports ? json_integer(said->old_port) : json_null(), "new_port",
		      said->has_ports ? json_integer(said->new_port) : json_null());
	if (x->service && x->service->observe)
		json_object_set_new(j, "would", json_string(verdict_name(said->would)));
	json_flow(j, x);
	json_object_set_new(j, "name", json_text_or_null(x->name));
	if (x->sent)
		json_object_set_new(j, "sent", json_true());
	if (x->behind)
		json_object_set_new(j, "behind", json_string(x->behind->name));
	return j;
}

/* Writes addresses, ports and sizes: "192.0.2.1:4001 > 192.0.2.10:5000, payload 8, VLAN 100". */
static void text_flow(struct output *out, const struct explanation *x)
{
	const struct mangle_explained *said = &x->said;
	char from[ADDRESS_SIZE], to[ADDRESS_SIZE];

	if (said->family && said->has_ports)
		out_text(out, "%s:%u > %s:%u", address_of(x, 0, true, from), said->src_port,
			 address_of(x, 1, true, to), said->old_port);
	else if (said->family)
		out_text(out, "%s > %s", address_of(x, 0, false, from),
			 address_of(x, 1, false, to));
	else
		out_text(out, "%zu bytes", x->length);
	if (said->has_payload)
		out_text(out, ", payload %u", said->payload_len);
	if (x->vlans)
		out_text(out, ", VLAN %u", x->vlan[0]);
	if (x->vlans > 1)
		out_text(out, " in it %u", x->vlan[1]);
}

static void text_verdict(struct output *out, const struct explanation *x)
{
	const struct mangle_explained *said = &x->said;
	bool observed = x->service && x->service->observe;
	uint8_t tag[MANGLE_MAX_TAG];
	char text[TAG_TEXT_SIZE];

	out_text(out, ": %s", verdict_name(said->verdict));
	if (said->has_ports && said->old_port != said->new_port)
		out_text(out, " to port %u", said->new_port);
	if (observed)
		out_text(out, " (observed only, else %s)", verdict_name(said->would));
	if (x->service)
		out_text(out, ", service %s", x->service->name);
	tag_from_key(said->tag[0], said->tag[1], tag);
	if (said->has_tag && x->service)
		out_text(out, ", tag %s", format_tag(tag, x->service->tag_len, text));
	if (*x->name)
		out_text(out, " (%s)", x->name);
}

/* As long as the tag is not read, the valid payload sizes are the service's. */
static void text_reason(struct output *out, const struct explanation *x)
{
	const struct mangle_explained *said = &x->said;
	bool size = said->reason == REASON_TOO_SHORT || said->reason == REASON_TOO_LONG;

	if (size && x->service && !said->has_tag)
		out_text(out, ": the service accepts %u to %u bytes (%s)", x->service->size.min,
			 x->service->size.max, reason_name(said->reason));
	else
		out_text(out, ": %s (%s)", reason_meaning(said->reason), reason_name(said->reason));
	if (x->behind)
		out_text(out, "; captured after mangle: service %s has rewritten it to this port",
			 x->behind->name);
	if (x->sent)
		out_text(out, "; sent by this host: mangle processes received packets");
	out_end_line(out);
}

void print_explanation(struct output *out, const struct explanation *x)
{
	if (x->why_not && !out->json) {
		out_line(out, "packet %" PRIu64 ": not explained: %s", x->index, x->why_not);
	} else if (!x->why_not && out->json) {
		dump_json_line(out, json_explanation(x));
	} else if (!x->why_not) {
		out_text(out, "packet %" PRIu64 ": ", x->index);
		text_flow(out, x);
		text_verdict(out, x);
		text_reason(out, x);
	}
}

static void text_sums(struct output *out, const uint64_t *sum, const char *(*name)(unsigned int),
		      unsigned int count)
{
	const char *before = "";

	for (unsigned int i = 0; i < count; i++) {
		if (!sum[i])
			continue;
		out_text(out, "%s%" PRIu64 " %s", before, sum[i], name(i));
		before = ", ";
	}
}

void print_explained(struct output *out, const char *name, const struct explanation *x,
		     size_t count)
{
	uint64_t verdicts[MANGLE_VERDICT_COUNT] = {0}, why[MANGLE_REASON_COUNT] = {0};
	uint64_t left = 0, behind = 0;

	if (out->json)
		return;
	for (size_t i = 0; i < count; i++) {
		left += !!x[i].why_not;
		behind += !!x[i].behind;
		verdicts[x[i].said.verdict] += !x[i].why_not;
		why[x[i].said.reason] += !x[i].why_not;
	}
	if (!count) {
		out_line(out, "no packets in %s", name);
		return;
	}
	out_text(out, "%zu packet%s: ", count, count == 1 ? "" : "s");
	text_sums(out, verdicts, verdict_name, MANGLE_VERDICT_COUNT);
	if (left)
		out_text(out, "%s%" PRIu64 " not explained", left < count ? ", " : "", left);
	if (left < count) {
		out_text(out, " (");
		text_sums(out, why, reason_name, MANGLE_REASON_COUNT);
		out_text(out, ")");
	}
	out_end_line(out);
	if (behind)
		out_line(
			out,
			"%" PRIu64
			" captured after mangle: they have the port that mangle wrote (capture on the sender's side, or explain them as they were received)",
			behind);
}
