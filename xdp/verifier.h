/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every trick for the verifier. The verifier walks what follows a point once for every state that
 * it cannot tell to be equal to one that it has walked from there, and refuses a program at
 * 1,000,000 instructions. docs/verifier.md has the budget, `make insns` the figures; those below
 * are what Linux 6.18 says of the programs without the trick.
 *
 * verifier_forget()  The offsets that parsing has found would stay known: each kind of packet (a
 *                    VLAN tag, IPv6, an extension header) is a state of its own, and all that
 *                    follows is walked for each. XDP: over 1,000,000, refused.
 * clamp_index()      A mask in C is removed by the compiler where it knows the range, from a
 *                    compare of another register or from a type; the verifier may not know it for
 *                    the register that is used, and then refuses the access as unbounded. 6.18
 *                    knows it everywhere; kernels since 5.10 are to be content too.
 * verifier_hide()    The compiler checks a number in one register and adds it in another, of
 *                    another width. The verifier does not connect the two, and the packet pointer
 *                    has no range. tc ingress: refused ("invalid access to packet").
 * mask_if()          The compiler makes a branch of a compare whose result is used as a number, and
 *                    every branch in a loop doubles the states. XDP: 635,000 instructions instead
 *                    of 417,000; tc ingress: 862,000 instead of 341,000.
 * VERIFIED_ONCE      A static function is walked for every state that calls it, one that is not
 *                    static once, by itself. tc ingress: over 1,000,000, refused. Under libxdp's
 *                    dispatcher Linux 5.10 takes only numbers as arguments of such a function; what
 *                    does not fit into numbers is in a CPU's scratch.
 */
#ifndef XDP_VERIFIER_H
#define XDP_VERIFIER_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/*
 * Makes the verifier forget what it has found out of a number, which does not change. p->opaque is
 * a number of which it knows nothing.
 */
#define verifier_forget(p, number) \
	do { \
		__u64 forget_ = (number); \
		asm volatile("%0 ^= %1\n%0 ^= %1" : "+r"(forget_) : "r"((p)->opaque)); \
		(number) = forget_; \
	} while (0)

/*
 * Bounds a 64-bit number, for an index, below count, which is a constant and a power of two: a
 * number that is below it already does not change.
 */
#define clamp_index(number, count) \
	do { \
		_Static_assert(!((count) & ((count)-1)), "one less is no mask of its bits"); \
		asm volatile("%0 &= %1" : "+r"(number) : "i"((count)-1)); \
	} while (0)

/* Hides from the compiler what it knows of a number, so that the same register is checked and used.
 */
#define verifier_hide(number) asm volatile("" : "+r"(number))

/* All ones where a is not 0, else 0, without a branch. */
static __always_inline __u64 mask_if(__u64 a)
{
	__u64 b = -a;

	asm("" : "+r"(b));
	b = (a | b) >> 63;
	asm("" : "+r"(b));
	return -b;
}

#define VERIFIED_ONCE __noinline

#endif
