/* Runs frames through the real program by BPF_PROG_RUN. Written by the owner of the loader; vectors
 * know only this. */
#ifndef TESTS_PROGRAM_HARNESS_H
#define TESTS_PROGRAM_HARNESS_H
#include <stddef.h>
#include <stdint.h>

#define H_MAX_FRAME 9216

struct h_result {
	const char *reason;	    /* name of the one reason counted, e.g. "rewritten" */
	const char *verdict;	    /* "rewritten", "passed", "dropped" (what happened) */
	const char *would;	    /* under observe: what would have been; else NULL */
	char service[32];	    /* "" where none was matched */
	int old_port, new_port;	    /* host order, -1 where not reached */
	uint32_t len;		    /* length of the frame that came out */
	uint8_t bytes[H_MAX_FRAME]; /* the frame that came out (also when dropped) */
	int uncounted; /* a TCP connection's: passed and not counted, and this is how it is
			  explained */
};

/* Before h_open: the program of this object file, which must have the same maps and settings as the
 * one that was built in. 0, or negative errno. */
int h_object(const char *path);
/* Before h_open: the ways that the program has for others: for Linux before 5.18, without the
 * helpers that came then, and for CPUs that came online after a table was made. */
void h_other_ways(void);
int h_open(void); /* loads the program with its own private maps; 0 or negative errno */
void h_close(void);
int h_have_frags(void); /* 1 where the kernel runs frames larger than one buffer */
/* Makes services and tables equal to a configuration (the YAML text of the manual); returns 0,
 * or negative errno and one line in err. */
int h_config(const char *yaml, char *err, size_t err_size);
/* Deletes the row of a tag, in place. The same. */
int h_delete(const char *service, const char *tag, char *err, size_t err_size);
/* Gives the row of a tag a word of a kind that the program does not know, as in a damaged table.
 * The same. */
int h_unknown_kind(const char *service, const char *tag, char *err, size_t err_size);
/* Runs one frame as if received on interface ifname (NULL: an interface no service names).
 * Checks that exactly one reason and one verdict were counted, with the frame's length in bytes,
 * for the entity too where it gave the verdict, and that the counting and the explaining instance
 * agree. 0, or negative errno with err. */
int h_run(const char *ifname, const uint8_t *frame, size_t len, struct h_result *res, char *err,
	  size_t err_size);
#endif
