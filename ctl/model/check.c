/* SPDX-License-Identifier: GPL-2.0-only */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

/* A UDP datagram over IPv6 has the largest payload: 65535 less its header. */
#define PAYLOAD_MAX 65527

/* ---- orders ---- */

static int compare_prefixes(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

static int compare_ports(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct service *)a)->name, ((const struct service *)b)->name);
}

/* ---- one service */

static bool has_family(const struct prefix *p, unsigned int count, uint8_t family)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (p[i].family == family)
			return true;
	}
	return !count;
}

/* The addresses of a packet are of one family. */
static int validate_families(const struct service *s, struct parse_error *why)
{
	uint8_t family;

	for (family = 4; family <= 6; family += 2) {
		if (has_family(s->daddr, s->daddr_count, family) &&
		    has_family(s->saddr, s->saddr_count, family))
			return 0;
	}
	return reject(why, "has daddr of IPv%d alone and saddr of IPv%d alone: no packet has both",
		      s->daddr[0].family, s->saddr[0].family);
}

static bool valid_target(const struct target *t)
{
	if (t->action == ACTION_PORT)
		return t->port != 0;
	return t->action == ACTION_DROP || t->action == ACTION_PASS;
}

bool target_allowed(const struct service *s, const struct target *t)
{
	return t->action != ACTION_PORT || !s->targets_first ||
	       (t->port >= s->targets_first && t->port <= s->targets_last);
}

unsigned int tag_needs(const struct service *s)
{
	return (unsigned int)(s->tag_offset < 0 ? -s->tag_offset : s->tag_offset + s->tag_len);
}

static int window_fits(const struct service *s, const struct window *w, struct parse_error *why)
{
	if (w->max < s->size.min || w->min > s->size.max)
		return reject(why, "%u:%u is outside of %u:%u, the sizes of service %s",
			      (unsigned int)w->min, (unsigned int)w->max, (unsigned int)s->size.min,
			      (unsigned int)s->size.max, s->name);
	if (w->max < tag_needs(s))
		return reject(why, "%u:%u is too short for the tag at %d:%u of service %s",
			      (unsigned int)w->min, (unsigned int)w->max, s->tag_offset,
			      (unsigned int)s->tag_len, s->name);
	return 0;
}

int entity_fits(const struct service *s, const struct entity *en, const char **what,
		struct parse_error *why)
{
	char tag[TAG_TEXT_SIZE], mask[TAG_TEXT_SIZE];

	*what = "tag";
	for (unsigned int i = 0; i < s->tag_len; i++)
		if (en->tag[i] & s->tag_ignored[i])
			return reject(why, "%s has bits outside of %s, the mask of service %s",
				      format_tag_hex(en->tag, s->tag_len, tag),
				      format_mask(s->tag_ignored, s->tag_len, mask), s->name);
	*what = "target";
	if (!target_allowed(s, &en->target))
		return reject(why, "%u is outside of %u-%u, the targets of service %s",
			      (unsigned int)en->target.port, (unsigned int)s->targets_first,
			      (unsigned int)s->targets_last, s->name);
	*what = "size";
	return en->has_size ? window_fits(s, &en->size, why) : 0;
}

static int validate_ports(struct service *s, struct parse_error *why)
{
	unsigned int i;

	if (!s->port_count)
		return reject(why, "has no port");
	if (s->port_count > MANGLE_MAX_PORTS)
		return reject(why, "has more than %d ports", MANGLE_MAX_PORTS);
	qsort(s->ports, s->port_count, sizeof(s->ports[0]), compare_ports);
	if (!s->ports[0])
		return reject(why, "has port 0 (ports are 1 to 65535)");
	for (i = 1; i < s->port_count; i++) {
		if (s->ports[i] == s->ports[i - 1])
			return reject(why, "has port %u twice", (unsigned int)s->ports[i]);
	}
	return 0;
}

static int validate_prefixes(struct prefix *p, unsigned int count, const char *what,
			     struct parse_error *why)
{
	char buf[PREFIX_TEXT_SIZE];
	unsigned int i;

	if (count > MANGLE_MAX_PREFIXES)
		return reject(why, "has more than %d %s prefixes", MANGLE_MAX_PREFIXES, what);
	if (count)
		qsort(p, count, sizeof(*p), compare_prefixes);
	for (i = 1; i < count; i++) {
		if (!prefix_compare(&p[i - 1], &p[i]))
			return reject(why, "has %s %s twice", what, format_prefix(&p[i], buf));
	}
	return 0;
}

static int validate_size(const struct service *s, struct parse_error *why)
{
	unsigned int largest = s->size.max < PAYLOAD_MAX ? s->size.max : PAYLOAD_MAX;

	if (s->size.min > s->size.max)
		return reject(why, "has a size.min above its size.max");
	if (s->size.min > PAYLOAD_MAX)
		return reject(why,
			      "has sizes from %u that no payload has (the largest has %d bytes)",
			      (unsigned int)s->size.min, PAYLOAD_MAX);
	if (tag_needs(s) > largest)
		return reject(
			why,
			"has its tag at %d:%u, which takes a payload of %u bytes, and sizes of "
			"%u at most: no packet can match (another tag, or a larger size)",
			s->tag_offset, (unsigned int)s->tag_len, tag_needs(s), largest);
	return 0;
}

static int validate_policies(const struct service *s, struct parse_error *why)
{
	if (s->invalid != ACTION_PASS && s->invalid != ACTION_DROP)
		return reject(why, "has an invalid policy that is neither pass nor drop");
	if (!valid_target(&s->unknown))
		return reject(why, "has an unknown policy that is neither pass, drop nor a port");
	if (s->targets_first > s->targets_last || (!s->targets_first && s->targets_last))
		return reject(why, "has targets that are not FIRST-LAST, two ports");
	if (!target_allowed(s, &s->unknown))
		return reject(why, "has an unknown port %u outside its targets %u-%u",
			      (unsigned int)s->unknown.port, (unsigned int)s->targets_first,
			      (unsigned int)s->targets_last);
	return 0;
}

static int validate_entities(const struct service *s, struct parse_error *why)
{
	char tag[TAG_TEXT_SIZE];
	const char *wrong, *what;
	struct parse_error unfit;
	size_t i;

	for (i = 0; i < s->entity_count; i++) {
		const struct entity *en = &s->entities[i];

		if (!valid_target(&en->target))
			wrong = "a target that is neither a port, drop nor pass";
		else if (en->has_size && en->size.min > en->size.max)
			wrong = "a size.min above its size.max";
		else if (entity_fits(s, en, &what, &unfit))
			return reject(why, "tag %s: %s %.100s",
				      format_tag(en->tag, s->tag_len, tag), what, unfit.text);
		else
			continue;
		return reject(why, "has tag %s with %s", format_tag(en->tag, s->tag_len, tag),
			      wrong);
	}
	return 0;
}

/* Replies are told by where they come from; nothing is remembered of where the packet went. */
static int validate_reply(const struct service *s, struct parse_error *why)
{
	if (!s->reply)
		return 0;
	if (!(s->protocols & MANGLE_PROTO_UDP))
		return reject(why, "has reply, and covers TCP alone: reply is for UDP (leave "
				   "reply off)");
	if (s->port_count > 1)
		return reject(
			why,
			"has reply and %u ports: mangle cannot tell which of them replies are "
			"to carry (give each a service of its own, or leave reply off)",
			s->port_count);
	return 0;
}

static int validate_service(struct service *s, struct parse_error *why)
{
	const uint8_t both = MANGLE_PROTO_UDP | MANGLE_PROTO_TCP;
	char name[MANGLE_NAME_SIZE];
	const char *wrong;

	if (parse_name(s->name, name, why))
		return -EINVAL;
	if (!s->protocols || s->protocols & ~both)
		return reject(why, "has a protocol that is not udp, tcp or any");
	if (validate_ports(s, why) || validate_prefixes(s->daddr, s->daddr_count, "daddr", why) ||
	    validate_prefixes(s->saddr, s->saddr_count, "saddr", why))
		return -EINVAL;
	wrong = tag_place_wrong(s->tag_offset, s->tag_len);
	if (wrong)
		return reject(why, "%s", wrong);
	if (validate_families(s, why) || validate_size(s, why) || validate_policies(s, why) ||
	    validate_entities(s, why))
		return -EINVAL;
	return validate_reply(s, why);
}

/* ---- services that match the same packets ------------------------------------------------- */

/*
 * Each service is taken apart into rules of one port, one daddr, one saddr, one interface and one
 * protocol set. Precedence is by what a rule names, so two rules can match a packet with equal
 * precedence only where each of these is the same in both: prefixes of one length are the same or
 * disjoint, and so are udp and tcp. Prefixes and interface + protocol are numbered, so that equal
 * rules are equal bytes and lie side by side once sorted.
 */
struct rule {
	uint16_t port;
	uint16_t daddr, saddr; /* number of the prefix, 0: none */
	uint16_t rest;	       /* first service with the same interface and protocols */
	uint16_t service;
};

struct prefixes {
	struct prefix *all; /* ascending, each once */
	size_t count;
};

static int collect_prefixes(struct prefixes *p, const struct model *m, bool source)
{
	size_t unique = 0;
	unsigned int i;
	size_t j;

	p->count = 0;
	p->all = malloc((m->service_count * (size_t)MANGLE_MAX_PREFIXES + 1) * sizeof(*p->all));
	if (!p->all)
		return -ENOMEM;
	for (i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];
		unsigned int count = source ? s->saddr_count : s->daddr_count;

		memcpy(p->all + p->count, source ? s->saddr : s->daddr, count * sizeof(*p->all));
		p->count += count;
	}
	qsort(p->all, p->count, sizeof(*p->all), compare_prefixes);
	for (j = 0; j < p->count; j++) {
		if (!unique || prefix_compare(&p->all[unique - 1], &p->all[j]))
			p->all[unique++] = p->all[j];
	}
	p->count = unique;
	return 0;
}

static uint16_t prefix_number(const struct prefixes *p, const struct prefix *one)
{
	const struct prefix *found;

	if (!one)
		return 0;
	found = bsearch(one, p->all, p->count, sizeof(*one), compare_prefixes);
	return (uint16_t)(found - p->all + 1);
}

static uint16_t rest_number(const struct model *m, unsigned int service)
{
	const struct service *s = &m->services[service];
	unsigned int i;

	for (i = 0; i < service; i++) {
		if (m->services[i].protocols == s->protocols &&
		    !strcmp(m->services[i].ifname, s->ifname))
			break;
	}
	return (uint16_t)i;
}

/* None counts as one choice: p NULL. */
static unsigned int choices(unsigned int count)
{
	return count ? count : 1;
}

/* A service that is disabled matches nothing. */
static size_t rules_of(const struct service *s)
{
	return s->disabled
		       ? 0
		       : (size_t)s->port_count * choices(s->daddr_count) * choices(s->saddr_count);
}

static size_t add_rules(struct rule *to, const struct model *m, unsigned int service,
			const struct prefixes *daddrs, const struct prefixes *saddrs)
{
	const struct service *s = &m->services[service];
	struct rule rule = {.service = (uint16_t)service, .rest = rest_number(m, service)};
	unsigned int d, a, i;
	size_t n = 0;

	for (d = 0; d < choices(s->daddr_count); d++) {
		const struct prefix *daddr = s->daddr_count ? &s->daddr[d] : NULL;

		rule.daddr = prefix_number(daddrs, daddr);
		for (a = 0; a < choices(s->saddr_count); a++) {
			const struct prefix *saddr = s->saddr_count ? &s->saddr[a] : NULL;

			/* No packet has addresses of both families. */
			if (daddr && saddr && daddr->family != saddr->family)
				continue;
			rule.saddr = prefix_number(saddrs, saddr);
			for (i = 0; i < s->port_count; i++) {
				rule.port = s->ports[i];
				to[n++] = rule;
			}
		}
	}
	return n;
}

static int compare_rules(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct rule));
}

static bool same_packets(const struct rule *a, const struct rule *b)
{
	return !memcmp(a, b, offsetof(struct rule, service));
}

/* The one that was changed; of two in a file the later one; else the later by name. */
static const struct service *at_fault(const struct service *a, const struct service *b)
{
	if (a->changed != b->changed)
		return a->changed ? a : b;
	if (a->line && b->line)
		return a->line > b->line ? a : b;
	return a > b ? a : b;
}

static int validate_rules(const struct model *m, struct rule *rules, size_t count,
			  const struct service **at, struct parse_error *why)
{
	size_t i;

	qsort(rules, count, sizeof(*rules), compare_rules);
	for (i = 1; i < count; i++) {
		const struct service *a = &m->services[rules[i - 1].service];
		const struct service *b = &m->services[rules[i].service];

		if (!same_packets(&rules[i - 1], &rules[i]))
			continue;
		*at = at_fault(a, b);
		return reject(why,
			      "matches the same packets as service '%s' on port %u (give one of "
			      "them another port, prefix, interface or protocol)",
			      *at == a ? b->name : a->name, (unsigned int)rules[i].port);
	}
	return 0;
}

static int validate_overlap(const struct model *m, const struct service **at,
			    struct parse_error *why)
{
	struct prefixes daddrs = {0}, saddrs = {0};
	struct rule *rules = NULL;
	size_t room = 1, count = 0;
	int ret = -ENOMEM;
	unsigned int i;

	for (i = 0; i < m->service_count; i++)
		room += rules_of(&m->services[i]);
	rules = malloc(room * sizeof(*rules));
	if (rules && !collect_prefixes(&daddrs, m, false) && !collect_prefixes(&saddrs, m, true)) {
		for (i = 0; i < m->service_count; i++)
			if (!m->services[i].disabled)
				count += add_rules(rules + count, m, i, &daddrs, &saddrs);
		ret = validate_rules(m, rules, count, at, why);
	}
	free(rules);
	free(daddrs.all);
	free(saddrs.all);
	return ret;
}

/* ---- services whose replies come from the same target --------------------------------------- */

static bool any_reply(const struct model *m)
{
	unsigned int i;

	for (i = 0; i < m->service_count; i++) {
		if (service_has_replies(&m->services[i]))
			return true;
	}
	return false;
}

bool model_needs_targets(const struct model *m, const struct service *s)
{
	return service_has_connections(s) ||
	       (!s->disabled && s->protocols & MANGLE_PROTO_UDP && any_reply(m));
}

struct claims {
	const struct service **owner; /* by target, a service with replies that has it */
	const struct service **at;
	struct parse_error *why;
};

static bool same_ports(const struct service *a, const struct service *b)
{
	return a->port_count == b->port_count &&
	       !memcmp(a->ports, b->ports, a->port_count * sizeof(a->ports[0]));
}

static int claim_target(struct claims *c, const struct service *s, const struct target *t, bool own)
{
	const struct service *other = c->owner[t->port];

	if (t->action != ACTION_PORT)
		return 0;
	if (!other && own)
		c->owner[t->port] = s;
	if (!other || same_ports(other, s))
		return 0;
	*c->at = at_fault(other, s);
	return reject(
		c->why,
		"has target %u like service '%s', on another shared port: replies would not tell "
		"them apart (give one another target)",
		(unsigned int)t->port, *c->at == s ? other->name : s->name);
}

static int claim_targets(struct claims *c, const struct service *s, bool own)
{
	int ret = claim_target(c, s, &s->unknown, own);
	size_t i;

	for (i = 0; i < s->entity_count && !ret; i++)
		ret = claim_target(c, s, &s->entities[i].target, own);
	return ret;
}

/* Those with reply first: the others may share targets among themselves. */
static int validate_udp_targets(struct claims *c, const struct model *m)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < m->service_count && !ret; i++) {
		if (service_has_replies(&m->services[i]))
			ret = claim_targets(c, &m->services[i], true);
	}
	for (i = 0; i < m->service_count && !ret; i++) {
		if (!m->services[i].disabled && !m->services[i].reply &&
		    m->services[i].protocols & MANGLE_PROTO_UDP)
			ret = claim_targets(c, &m->services[i], false);
	}
	return ret;
}

static int validate_tcp_targets(struct claims *c, const struct model *m)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < m->service_count && !ret; i++) {
		if (service_has_connections(&m->services[i]))
			ret = claim_targets(c, &m->services[i], true);
	}
	return ret;
}

static int validate_targets(const struct model *m, const struct service **at,
			    struct parse_error *why)
{
	struct claims c = {.at = at, .why = why};
	int ret = 0;

	c.owner = calloc(65536, sizeof(const struct service *));
	if (!c.owner)
		return -ENOMEM;
	if (any_reply(m))
		ret = validate_udp_targets(&c, m);
	if (!ret) {
		memset(c.owner, 0, 65536 * sizeof(const struct service *));
		ret = validate_tcp_targets(&c, m);
	}
	free(c.owner);
	return ret;
}

/* ---- all of it ---------------------------------------------------------------------------- */

int model_validate(struct model *m, const struct service **at, struct parse_error *why)
{
	unsigned int i;
	int ret;

	if (m->service_count)
		qsort(m->services, m->service_count, sizeof(*m->services), compare_names);
	for (i = 0; i < m->service_count; i++) {
		*at = &m->services[i];
		if (i >= MANGLE_MAX_SERVICES)
			return reject(why, "is one more than the %d services that are allowed",
				      MANGLE_MAX_SERVICES);
		if (i && !strcmp(m->services[i - 1].name, m->services[i].name))
			return reject(why, "is given twice (give one of them another name)");
		if (validate_service(&m->services[i], why))
			return -EINVAL;
	}
	*at = NULL;
	if (m->flows && (m->flows < MANGLE_FLOWS_MIN || m->flows > MANGLE_FLOWS_MAX))
		return reject(why, "flows: %u is not a number from %u to %u",
			      (unsigned int)m->flows, MANGLE_FLOWS_MIN, MANGLE_FLOWS_MAX);
	ret = validate_overlap(m, at, why);
	if (!ret)
		ret = validate_targets(m, at, why);
	if (ret == -ENOMEM)
		snprintf(why->text, sizeof(why->text), "out of memory");
	return ret;
}

int model_check(struct model *m, struct err *e)
{
	const struct service *at;
	struct parse_error why;
	int ret = model_validate(m, &at, &why);

	if (!ret)
		return 0;
	return fail(e, ret, at ? at->name : "services", "checking the service: %s", why.text);
}
