/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prints what a shell offers for the word that is being typed. All of it comes from the tables of
 * verbs and options, and from what is loaded; the shells' scripts only call this and show the
 * answer. What cannot be found out is not offered, and no error is printed, since there is a prompt
 * on the screen.
 */
#include <dirent.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/netns.h"
#include "kernel/open.h"
#include "kernel/services.h"
#include "engine/attachments.h"
#include "print.h"
#include "verbs.h"

/* Reading a table of this many entities takes 0.1 s, which is the longest that a key may take. */
#define TAGS_READ 200000
#define TAGS_OFFERED 50

/* The command line so far. */
struct typed {
	struct output *out;
	const char *word; /* the word being typed, as far as it is typed */
	bool only_words;  /* a word -- came before it */
	bool helping;	  /* the word "help" came before it: a command is offered */
	int value_of;	  /* the word is this option's value; -1: of none */
	uint64_t given;	  /* OPT() bits */
	const char *value[OPT_COUNT];
	const char *noun;
	const struct verb *verb;
	const char **argument; /* the words after the verb, without the one being typed */
	int arguments;
	bool lost; /* a word before it is no command */
};

/* ---- reading ---- */

static int long_option_of(const char *word, size_t len)
{
	for (int i = 0; i < OPT_COUNT; i++) {
		const char *names[] = {option_rows[i].name, option_aliases[i]};

		for (int n = 0; n < 2 && names[n]; n++)
			if (strlen(names[n]) == len && !strncmp(names[n], word, len))
				return i;
	}
	return -1;
}

/* The last letter of a bundle may take the next word as its value. */
static int letter_option_of(const char *letters, const char **value)
{
	for (; *letters; letters++)
		for (int i = 0; i < OPT_COUNT; i++) {
			if (option_rows[i].letter != *letters || !option_rows[i].value)
				continue;
			*value = letters[1] ? letters + 1 : NULL;
			return i;
		}
	return -1;
}

/* value: NULL where it is the next word. */
static void take_option(struct typed *t, const char *word)
{
	const char *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
	int o = word[1] == '-' ? long_option_of(word + 2, strcspn(word + 2, "="))
			       : letter_option_of(word + 1, &value);

	if (o < 0)
		return;
	t->given |= 1ULL << o;
	t->value[o] = value;
	if (option_rows[o].value && !value)
		t->value_of = o;
}

static void take_word(struct typed *t, const char *word)
{
	bool command = !t->verb;

	if (t->verb)
		t->argument[t->arguments++] = word;
	else if (t->noun)
		t->verb = find_verb(t->noun, word);
	else if (is_noun(word))
		t->noun = word;
	else if (!strcmp(word, "help"))
		t->helping = true;
	else
		t->verb = find_verb(NULL, word);
	t->lost |= command && !t->verb && !is_noun(word) && !t->helping;
}

static void read_words(struct typed *t, int words, char **word)
{
	t->value_of = -1;
	for (int i = 0; i < words; i++) {
		if (t->value_of >= 0) {
			t->value[t->value_of] = word[i];
			t->value_of = -1;
		} else if (!t->only_words && !strcmp(word[i], "--")) {
			t->only_words = true;
		} else if (!t->only_words && word[i][0] == '-' && word[i][1]) {
			take_option(t, word[i]);
		} else {
			take_word(t, word[i]);
		}
	}
}

/* ---- offering ---- */

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* before: what the shell counts as part of the word, "--mode=". */
static void offer(const struct typed *t, const char *before, const char *with,
		  const char *candidate, const char *help)
{
	char whole[256];

	if (!begins(candidate, with))
		return;
	snprintf(whole, sizeof(whole), "%s%s", before, candidate);
	print_candidate(t->out, whole, help);
}

static void offer_files(const struct typed *t)
{
	print_candidate(t->out, ":files", NULL); /* the shell completes file names itself */
}

static void offer_commands(const struct typed *t)
{
	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *v = &verbs[i];
		char word[VERB_WORD_SIZE], first[VERB_WORD_SIZE];

		if (t->noun) {
			/* Aliases are offered only where their first letters were typed. */
			for (unsigned int n = 0;
			     verb_is_of(v, t->noun) && verb_word(v, n, word) && (!n || *t->word);
			     n++)
				offer(t, "", t->word, word, v->help);
			continue;
		}
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(v->name, " "), v->name);
		if (!strchr(v->name, ' '))
			offer(t, "", t->word, first, v->help);
		else if (!i || !verb_is_of(&verbs[i - 1], first))
			offer(t, "", t->word, first,
			      !strcmp(first, "map") ? "commands on entities"
						    : "commands on services");
	}
}

static void offer_options(const struct typed *t)
{
	uint64_t options = GLOBAL | (t->verb ? t->verb->options : 0);
	char name[40], help[OPTION_HELP_SIZE];

	for (int i = 0; i < OPT_COUNT; i++) {
		if (!((options & ~(t->given & ~REPEATED)) >> i & 1))
			continue;
		snprintf(name, sizeof(name), "--%s", option_rows[i].name);
		offer(t, "", t->word, name, option_help(t->verb, i, help));
		/* The older name of an option is offered only where its first letters were
		 * typed. */
		if (!option_aliases[i] || begins(name, t->word))
			continue;
		snprintf(name, sizeof(name), "--%s", option_aliases[i]);
		offer(t, "", t->word, name, option_help(t->verb, i, help));
	}
}

/* Offers the words of "auto|native|generic", but no placeholder, as in "pass|drop|PORT". */
static void offer_choices(const struct typed *t, const char *before, const char *with,
			  const char *choices)
{
	char word[40];

	while (*choices) {
		size_t len = strcspn(choices, "|");

		snprintf(word, sizeof(word), "%.*s", (int)len, choices);
		if (*word >= 'a' && *word <= 'z')
			offer(t, before, with, word, NULL);
		choices += len + (choices[len] == '|');
	}
}

/* ---- what is there ---- */

static void offer_namespaces(const struct typed *t, const char *before, const char *with)
{
	DIR *dir = opendir("/run/netns");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			offer(t, before, with, entry->d_name, NULL);
	if (dir)
		closedir(dir);
}

/* Enters the namespace of -n; returns whether it could. */
static bool enter(const struct typed *t)
{
	struct err ignored;

	return !t->value[OPT_NETNS] || !netns_enter(t->value[OPT_NETNS], &ignored);
}

static bool is_argument(const struct typed *t, const char *word)
{
	for (int i = 0; i < t->arguments; i++)
		if (!strcmp(t->argument[i], word))
			return true;
	return false;
}

static void offer_interfaces(const struct typed *t, const char *before, const char *with)
{
	struct if_nameindex *all = enter(t) ? if_nameindex() : NULL;

	for (struct if_nameindex *i = all; i && i->if_name; i++)
		if (!is_argument(t, i->if_name))
			offer(t, before, with, i->if_name, NULL);
	if (all)
		if_freenameindex(all);
}

static struct store *open_store(void)
{
	struct err ignored;
	struct store *s;

	return store_open(&s, STORE_READ, 0, &ignored) ? NULL : s;
}

static void end_in_wrong_netns(const struct err *why)
{
	_exit(why->status); /* completion prints no error */
}

/* Offers the attached interfaces of the namespace. */
static void offer_attached(const struct typed *t)
{
	struct store *s = open_store();
	struct attachment *a = NULL;
	struct err ignored;
	size_t count = 0;

	if (s && enter(t) && !netns_init(end_in_wrong_netns, &ignored) &&
	    !read_attachments(s, &a, &count, &ignored))
		for (size_t i = 0; i < count; i++)
			if (a[i].key.netns == netns_inode() && !is_argument(t, a[i].iface.name))
				offer(t, "", t->word, a[i].iface.name, NULL);
	free(a);
	if (s)
		store_close(s);
}

static void offer_services(const struct typed *t, const char *before, const char *with)
{
	struct store *s = open_store();
	struct err ignored;
	struct model m;

	model_init(&m);
	if (s && !store_read(s, &m, false, &ignored))
		for (unsigned int i = 0; i < m.service_count; i++)
			offer(t, before, with, m.services[i].name, NULL);
	model_free(&m);
	if (s)
		store_close(s);
}

/* Returns whether the tag continues what was typed: as hex where that was begun, else as text. */
static bool tag_begins(const struct service *s, const struct entity *e, const char *with,
		       char text[TAG_TEXT_SIZE])
{
	return begins(begins(with, "0x") ? format_tag_hex(e->tag, s->tag_len, text)
					 : format_tag(e->tag, s->tag_len, text),
		      with);
}

/* Offers the first tags and the last one. All tags in between share what these begin with, which is
 * what a shell inserts by itself. */
static void offer_tags_of(const struct typed *t, const struct service *s)
{
	char text[TAG_TEXT_SIZE], last[TAG_TEXT_SIZE];
	unsigned int offered = 0;

	for (size_t i = 0; i < s->entity_count; i++) {
		if (!tag_begins(s, &s->entities[i], t->word, text) || is_argument(t, text))
			continue;
		if (offered++ < TAGS_OFFERED - 1)
			print_candidate(t->out, text, NULL);
		else
			memcpy(last, text, sizeof(last));
	}
	if (offered >= TAGS_OFFERED)
		print_candidate(t->out, last, NULL);
}

/* Offers tags of the service that --service names, or of the only one. */
static void offer_tags(const struct typed *t)
{
	const char *name = t->value[OPT_SERVICE];
	struct store *s = open_store();
	struct service full = {0};
	struct table_sizes sizes;
	struct err ignored;
	struct model m;

	model_init(&m);
	if (s && !name && !store_read(s, &m, false, &ignored) && m.service_count == 1)
		name = m.services[0].name;
	if (s && !name && m.service_count)
		offer(t, "", t->word, "--service", "the service");
	if (s && name && !store_table_sizes(s, name, &sizes, &ignored) &&
	    sizes.entities <= TAGS_READ && !store_read_service(s, name, &full, &ignored)) {
		offer_tags_of(t, &full);
		service_free(&full);
	}
	model_free(&m);
	if (s)
		store_close(s);
}

/* ---- the word that is being typed ---- */

static void offer_columns(const struct typed *t, const char *before, const char *with)
{
	const char *comma = strrchr(with, ',');
	char begun[256];

	snprintf(begun, sizeof(begun), "%s%.*s", before, comma ? (int)(comma + 1 - with) : 0, with);
	for (int i = 0; i < ENTITY_FIELD_COUNT; i++)
		if (entity_fields[i].column)
			offer(t, begun, comma ? comma + 1 : with, entity_fields[i].column, NULL);
}

static void offer_value(const struct typed *t, int o, const char *before, const char *with)
{
	const char *value = option_value(t->verb, o);

	if (o == OPT_SERVICE)
		offer_services(t, before, with);
	else if (o == OPT_NETNS)
		offer_namespaces(t, before, with);
	else if (o == OPT_INTERFACE)
		offer_interfaces(t, before, with);
	else if (o == OPT_COLUMNS)
		offer_columns(t, before, with);
	else if (value && (!strcmp(value, "FILE") || strstr(value, ".pcap")))
		offer_files(t);
	else if (value)
		offer_choices(t, before, with, value);
	if (option_defaults[o] && !strcmp(option_defaults[o], "any"))
		offer(t, before, with, "any", "clears it");
}

/* The word's position in the synopsis decides what is offered. */
static void offer_argument(const struct typed *t)
{
	const char *arguments = t->verb->arguments ? t->verb->arguments : "";

	if (t->verb->max >= 0 && t->arguments >= t->verb->max)
		return;
	if (t->verb->run == cmd_detach || t->verb->run == cmd_status)
		offer_attached(t);
	else if (strstr(arguments, "IFACE"))
		offer_interfaces(t, "", t->word);
	else if (strstr(arguments, "FILE"))
		offer_files(t);
	else if (strstr(arguments, "NAME") && t->verb->run != cmd_service_add)
		offer_services(t, "", t->word);
	else if (strstr(arguments, "TARGET") && t->arguments)
		offer_choices(t, "", t->word, "drop|pass");
	else if (strstr(arguments, "TAG"))
		offer_tags(t);
}

static void offer_word(const struct typed *t)
{
	const char *equals = strchr(t->word, '=');
	char before[64];

	if (t->value_of >= 0) {
		offer_value(t, t->value_of, "", t->word);
	} else if (!t->only_words && begins(t->word, "--") && equals) {
		int o = long_option_of(t->word + 2, (size_t)(equals - t->word - 2));

		snprintf(before, sizeof(before), "%.*s", (int)(equals + 1 - t->word), t->word);
		if (o >= 0)
			offer_value(t, o, before, equals + 1);
	} else if (!t->only_words && *t->word == '-') {
		offer_options(t);
	} else if (!t->verb) {
		offer_commands(t);
	} else if (!t->helping) {
		offer_argument(t);
	}
}

void complete(struct output *out, int words, char **word)
{
	struct typed t = {.out = out, .word = words ? word[words - 1] : ""};

	t.argument = calloc((size_t)words + 1, sizeof(*t.argument));
	if (!t.argument)
		return;
	read_words(&t, words ? words - 1 : 0, word);
	if (!t.lost)
		offer_word(&t);
	free(t.argument);
}
