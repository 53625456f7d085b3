/* SPDX-License-Identifier: GPL-2.0-only */
/* One run of mangle-ctl: the command line as words, and the verbs that carry it out. A verb returns
 * 0, a positive exit status that is an answer (EXIT_ANSWER_NO), or negative errno with e set. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "kernel/open.h"
#include "engine/change.h"
#include "model/parse.h"

/*
 * Every option, with the same value in every verb that takes it: id, letter (0: none), name, what
 * its value is called (NULL: it takes none), help. The first eight belong to every verb. The
 * options of settings.def come between the two lists. sort_words and the columns come from
 * entity_fields.def.
 */
#define MANGLE_OPTIONS_BEFORE(X) \
	X(JSON, 'j', "json", NULL, "print JSON") \
	X(QUIET, 'q', "quiet", NULL, "print neither changes nor warnings") \
	X(NETNS, 'n', "netns", "NAME", "look interfaces up in this network namespace") \
	X(WAIT, 0, "wait", "SECONDS", "wait this long for the lock") \
	X(COLOR, 0, "color", "auto|always|never", "use colors; auto: on a terminal") \
	X(NO_PAGER, 0, "no-pager", NULL, "use no pager, even on a terminal") \
	X(HELP, 'h', "help", NULL, "print help") \
	X(VERSION, 'V', "version", NULL, "print the version") \
	X(MODE, 0, "mode", "auto|native|generic", \
	  "auto: native if the driver supports it, else generic") \
	X(CONFIG, 0, "config", "FILE", \
	  "configuration to load if none is loaded yet; see mangle.yaml(5)") \
	X(ALL, 0, "all", NULL, "print every difference, not only the first ones") \
	X(GONE, 0, "gone", NULL, "only records of interfaces that are gone") \
	X(PURGE, 0, "purge", NULL, "remove tables and pins too")
#define MANGLE_OPTIONS_BEHIND(X) \
	X(ENTITIES_FILE, 0, "entities-file", "FILE", \
	  "its entities: TAG TARGET [MIN:MAX] [name=TEXT] a line") \
	X(SERVICE, 0, "service", "NAME", "the service; may be left out while there is only one") \
	X(IF_EXISTS, 0, "if-exists", NULL, "no error if a tag is not in the table") \
	X(MATCH, 0, "match", "GLOB", \
	  "only entities whose tag, as text or as 0x..., or name matches") \
	X(TARGET, 0, "target", "PORT|drop|pass", "only entities with this target") \
	X(SORT, 0, "sort", sort_words, "order; counters from greatest to smallest") \
	X(REVERSE, 0, "reverse", NULL, "reverse the order") \
	X(LIMIT, 0, "limit", "N", "only the first N") \
	X(IDLE, 0, "idle", "SECONDS", "only entities not seen for this long, or never") \
	X(COLUMNS, 'o', "columns", "COLUMN[,COLUMN...]", "print these columns") \
	X(NAME, 0, "name", "TEXT", "a name for people, at most 63 bytes") \
	X(NO_HEADER, 0, "no-header", NULL, "leave out the line of headings") \
	X(EXACT, 0, "exact", NULL, "numbers and times in full, even on a terminal") \
	X(CHECK, 0, "check", NULL, "show what would change, and change nothing") \
	X(EXIT_CODE, 0, "exit-code", NULL, "with --check: exit 3 if something would change") \
	X(IF_NEEDED, 0, "if-needed", NULL, \
	  "only if tables or an attached program are of another build") \
	X(FORCE, 0, "force", NULL, "even if TCP connections would be cut off") \
	X(VERBOSE, 'v', "verbose", NULL, "print reasons too") \
	X(WATCH, 0, "watch", NULL, "print rates every second, until interrupted") \
	X(HEX, 0, "hex", "BYTES", "one frame from the Ethernet header on, as hex digits") \
	X(OUT, 0, "out", "OUT.pcap", \
	  "write the resulting frames to this file, without dropped ones")

enum option_id {
#define MANGLE_OPTION_ENUM(id, letter, name, value, help) OPT_##id,
#define SETTING(id, ...) OPT_##id,
	MANGLE_OPTIONS_BEFORE(MANGLE_OPTION_ENUM)
#include "model/settings.def"
		MANGLE_OPTIONS_BEHIND(MANGLE_OPTION_ENUM) OPT_COUNT,
#undef SETTING
#undef MANGLE_OPTION_ENUM
	OPT_FIRST_SETTING = OPT_DESCRIPTION,
};
#define OPT(id) (1ULL << OPT_##id)

/* An option that may be given several times. One value more than is allowed is kept, so that the
 * check sees that there are too many. */
struct words {
	const char *word[MANGLE_MAX_PREFIXES + 1];
	unsigned int count;
};

struct verb;
struct output;

struct cmd {
	const struct verb *verb;
	const char *name; /* "map set" */
	int argc;	  /* number of words after the verb */
	char **argv;
	uint64_t given;		      /* OPT() bits */
	const char *value[OPT_COUNT]; /* as typed; NULL: not given, or it takes no value */
	struct words daddr, saddr;
	struct output *out; /* where the results go, and in which format */
	double wait;	    /* seconds */
	const char *netns;  /* NULL: not given */
};

static inline bool given(const struct cmd *c, uint64_t options)
{
	return c->given & options;
}

/* ---- the verbs ---- */

int cmd_attach(const struct cmd *c, struct err *e);
int cmd_detach(const struct cmd *c, struct err *e);
int cmd_status(const struct cmd *c, struct err *e);
int cmd_service_add(const struct cmd *c, struct err *e);
int cmd_service_set(const struct cmd *c, struct err *e);
int cmd_service_del(const struct cmd *c, struct err *e);
int cmd_service_list(const struct cmd *c, struct err *e);
int cmd_map_set(const struct cmd *c, struct err *e);
int cmd_map_get(const struct cmd *c, struct err *e);
int cmd_map_del(const struct cmd *c, struct err *e);
int cmd_map_flush(const struct cmd *c, struct err *e);
int cmd_map_list(const struct cmd *c, struct err *e);
int cmd_map_load(const struct cmd *c, struct err *e);
int cmd_map_replace(const struct cmd *c, struct err *e);
int cmd_map_save(const struct cmd *c, struct err *e);
int cmd_apply(const struct cmd *c, struct err *e);
int cmd_save(const struct cmd *c, struct err *e);
int cmd_stats(const struct cmd *c, struct err *e);
int cmd_explain(const struct cmd *c, struct err *e);
int cmd_upgrade(const struct cmd *c, struct err *e);
int cmd_doctor(const struct cmd *c, struct err *e);

/* ---- what several of them need: cmd_common.c ---- */

/* A word of the command line is wrong. `why` continues the word: "is not a port". Where it names no
 * remedy, the verb's help is the remedy. */
int bad_option(const struct cmd *c, enum option_id o, const char *why, struct err *e);
int bad_argument(const struct cmd *c, const char *what, const char *word, const char *why,
		 struct err *e);
/* The option's value must be one of `words`, which end with NULL. Returns its index, or -EINVAL. */
int option_word(const struct cmd *c, enum option_id o, const char *const *words, struct err *e);
int option_number(const struct cmd *c, enum option_id o, uint64_t max, uint64_t *out,
		  struct err *e);

/* store_open for a verb that needs loaded tables: with -ENOENT, too, e is set. */
int open_loaded(const struct cmd *c, enum store_access access, struct store **s, struct err *e);
/* The same, and reads the running services into m. Where it returns 0, the caller frees m and
 * closes the store. */
int open_running(const struct cmd *c, enum store_access access, bool with_entities,
		 struct store **s, struct model *m, struct err *e);
/* The same without entities, and with the service that pick_service finds. */
int open_picked(const struct cmd *c, enum store_access access, struct store **s, struct model *m,
		struct service **svc, struct err *e);
/* Closes a store opened with STORE_CREATE. Where ret is an error, tables that this run created are
 * removed. */
int close_created(struct store *s, int ret);

int no_such_service(const char *name, struct err *e);
/* Finds the service that --service names, or the only one. */
int pick_service(const struct cmd *c, const struct model *m, struct service **out, struct err *e);
/* Reads the running services without entities, and the entities of the picked one. */
int read_picked(const struct cmd *c, struct store *s, struct model *m, struct service **out,
		struct err *e);
/* Reads the running entities of a service that was read without them. */
int read_entities_of(struct store *s, struct service *svc, struct err *e);

/* Returns the options of change_apply that the command line asks for. */
struct change_options change_options(const struct cmd *c);
/*
 * Calls change_apply and prints the result: with `lines` or --check a line for each difference,
 * then the numbers and the warnings. Returns EXIT_ANSWER_NO where something would change and
 * --check --exit-code was given.
 */
int apply_change(const struct cmd *c, struct store *s, const struct model *from, struct model *to,
		 bool lines, struct err *e);
/* Writes the interface that --interface names; by its proper name, where it is given another name
 * of an interface that exists here. */
int option_ifname(const struct cmd *c, char out[MANGLE_IFNAME_SIZE], struct err *e);

#endif
