/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_PROGRAM_INSNS_H
#define TESTS_PROGRAM_INSNS_H

#define INSNS_PROGRAMS 7
#define INSNS_MAX 600000

/*
 * Returns the instructions that the verifier processes for program `at`, 0 .. INSNS_PROGRAMS - 1; 0
 * where this kernel cannot have it, or negative errno. what: the program's name for people.
 */
long insns_of(int at, const char **what);

#endif
