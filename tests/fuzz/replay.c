/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs inputs of a fuzz target one by one and tells what becomes of each packet, so that it can be
 * compared with what was recorded.
 *
 *   replay-TARGET [-d] FOLDER     every file of the folder by name; -d: a hash of each instead
 */
#include <dirent.h>
#include <errno.h>

#include "fuzz.h"
#include "replay.h"

#define ROOM 65536

static void die(const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", what, strerror(errno));
	exit(2);
}

static size_t read_file(const char *folder, const char *name, uint8_t data[ROOM])
{
	char path[4096];
	size_t size;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	in = fopen(path, "rb");
	if (!in)
		die(path);
	size = fread(data, 1, ROOM, in);
	fclose(in);
	return size;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	const bool digest = argc == 3 && !strcmp(argv[1], "-d");
	static uint8_t data[ROOM];
	struct dirent **entries;
	const char *folder;
	int n;

	if (argc != 2 + digest) {
		fprintf(stderr, "replay [-d] FOLDER\n");
		return 2;
	}
	folder = argv[1 + digest];
	n = scandir(folder, &entries, visible, alphasort);
	if (n < 0)
		die(folder);
	LLVMFuzzerInitialize(&argc, &argv);
	transcript = stdout;
	for (int i = 0; i < n; i++) {
		size_t size = read_file(folder, entries[i]->d_name, data), told;
		char *text = NULL;

		if (digest)
			transcript = open_memstream(&text, &told);
		else
			printf("== %s\n", entries[i]->d_name);
		LLVMFuzzerTestOneInput(data, size);
		if (digest) {
			fclose(transcript);
			printf("%s %016llx\n", entries[i]->d_name,
			       (unsigned long long)hash(HASH_OF_NONE, text, told));
			free(text);
		}
		free(entries[i]);
	}
	free(entries);
	return 0;
}
