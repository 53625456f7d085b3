/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checksum arithmetic against recomputation, for every checksum and every change of a word.
 *
 * Words: sum + of 16-bit words is taken in whole numbers, end_around() brings it back to 16 bits.
 * For x > 0 it is the one value in 1 .. 0xffff that is x modulo 65535, and 0 only for x = 0. [1]
 *
 * Why (HC, d) is all there is, with m the old word, m' the new one, m != m', F = ~HC:
 *   csum_update16 gives ~end_around(F + s) with s = ~m + m' = 0xffff - m + m'. Let d =
 *   end_around(s). s and d are the same modulo 65535, and one is 0 only where the other is, so
 *   F + s and F + d are the same modulo 65535, and one is 0 only where the other is: by [1] they
 *   come to the same 16 bits. So the result depends on m and m' through d alone.
 *   s = 0xffff would mean m = m', so s runs through 0 .. 0x1fffe without it, and d through all of
 *   0 .. 0xffff: d = s for s < 0xffff (take m = 0xffff, m' = d), and d = 0xffff for s = 0x1fffe
 *   (take m = 0, m' = 0xffff).
 * all_changes_have_a_class checks this over all 2^32 pairs (m, m'), all_checksums the 2^32 pairs
 * (HC, d).
 */
#include <stdint.h>

#include "unit.h"
#include "xdp/csum.h"

/* By definition (RFC 1071): a carry out of 16 bits is added at the low end. */
static inline uint32_t end_around(uint32_t sum)
{
	return sum > 0xffff ? sum - 0xffff : sum;
}

struct change {
	uint16_t from, to;
};

/* One change of each class d. */
static struct change change_of(uint32_t d)
{
	if (d == 0xffff)
		return (struct change){0, 0xffff};
	return (struct change){0xffff, (uint16_t)d};
}

/* The one that stands for a sum of 0, and another. */
static const uint16_t some_checksums[] = {0xffff, 0x1234};

START_TEST(all_changes_have_a_class)
{
	const uint32_t hc = some_checksums[_i];
	uint32_t wrong = 0;

	for (uint32_t from = 0; from <= 0xffff; from++) {
		for (uint32_t to = 0; to <= 0xffff; to++) {
			uint32_t d = end_around((0xffff - from) + to);
			uint32_t want = 0xffff - end_around((0xffff - hc) + d);
			uint32_t got = csum_update16((uint16_t)hc, (uint16_t)from, (uint16_t)to);

			wrong += got != (from == to ? hc : want);
		}
	}
	for (uint32_t d = 0; d <= 0xffff; d++) {
		struct change c = change_of(d);

		wrong += end_around((0xffffU - c.from) + c.to) != d;
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/*
 * Recomputation: the message is the word m and `rest`, the sum of all its other words. rest is
 * never the number 0, since the pseudo-header names a protocol, so by [1] no sum comes to 0 and no
 * right checksum is 0xffff. For each other HC there is one rest in 1 .. 0xffff that makes HC right,
 * and the updated checksum must then be the recomputed one to the bit.
 */
START_TEST(all_checksums)
{
	uint32_t wrong = 0;

	for (uint32_t d = 0; d <= 0xffff; d++) {
		struct change c = change_of(d);

		for (uint32_t hc = 0; hc < 0xffff; hc++) {
			uint32_t sum = 0xffff - hc;
			uint32_t rest = sum > c.from ? sum - c.from : sum + 0xffff - c.from;
			uint32_t want = 0xffff - end_around(rest + c.to);

			wrong += end_around(rest + c.from) != sum;
			wrong += csum_update16((uint16_t)hc, c.from, c.to) != want;
		}
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/*
 * A wrong checksum stays wrong, by as much as it was: right and given differ by the same before and
 * after, modulo 65535. Since the right one follows the word, it is enough that ~HC' is
 * ~HC + m' - m, whatever HC. HC = 0xffff, which all_checksums leaves out, is among them: it is how
 * UDP writes 0.
 */
START_TEST(wrong_stays_as_wrong)
{
	uint32_t wrong = 0;

	for (uint32_t d = 0; d <= 0xffff; d++) {
		struct change c = change_of(d);

		for (uint32_t hc = 0; hc <= 0xffff; hc++) {
			uint32_t sum = 0xffffU - csum_update16((uint16_t)hc, c.from, c.to);
			uint32_t want = end_around(end_around((0xffffU - hc) + c.to) +
						   (0xffffU - c.from));

			/* 0 and 0xffff are the same number; nothing else has two forms. */
			wrong += (sum == 0xffff ? 0 : sum) != (want == 0xffff ? 0 : want);
		}
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* RFC 1624 errata 4782: the equation alone would make 0 out of 0xffff or the reverse. */
START_TEST(no_change_changes_nothing)
{
	uint32_t wrong = 0;

	for (uint32_t hc = 0; hc <= 0xffff; hc++) {
		for (uint32_t word = 0; word <= 0xffff; word++)
			wrong += csum_update16((uint16_t)hc, (uint16_t)word, (uint16_t)word) != hc;
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

static const struct {
	uint16_t hc, from, to, want;
} known[] = {
	/* RFC 1624, section 4: where eqn. 2 of RFC 1141 gave 0xffff. */
	{0xdd2f, 0x5555, 0x3285, 0x0000},
	/* and back, out of the zero */
	{0x0000, 0x3285, 0x5555, 0xdd2f},
	/* port 5000 to 6001, by hand: 0x1771 - 0x1388 = 0x3e9 off the checksum */
	{0xbeef, 0x1388, 0x1771, 0xbb06},
	/* a borrow, and its carry to the other end */
	{0x0001, 0x1388, 0x1771, 0xfc17},
	{0xffff, 0x1388, 0x1388, 0xffff},
	{0x0000, 0x1388, 0x1388, 0x0000},
};

START_TEST(known_values)
{
	ck_assert_uint_eq(csum_update16(known[_i].hc, known[_i].from, known[_i].to),
			  known[_i].want);
}
END_TEST

/* RFC 1071, 2 (B): so a program need not swap bytes, as long as it swaps none. */
START_TEST(byte_order_does_not_matter)
{
	uint64_t state = 1624;
	uint32_t wrong = 0;

	for (int i = 0; i < 10000000; i++) {
		uint64_t r = draw(&state);
		uint16_t hc = (uint16_t)r, from = (uint16_t)(r >> 16), to = (uint16_t)(r >> 32);

		wrong += csum_update16(__builtin_bswap16(hc), __builtin_bswap16(from),
				       __builtin_bswap16(to)) !=
			 __builtin_bswap16(csum_update16(hc, from, to));
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* [1] for sums of any width: 1 where csum_fold is wrong. */
static uint32_t folded_wrong(uint64_t sum)
{
	uint64_t want = sum % 65535;

	return csum_fold(sum) != (!want && sum ? 65535 : want);
}

START_TEST(folding)
{
	uint64_t state = 1071;
	uint32_t wrong = folded_wrong(UINT64_MAX);

	for (uint64_t sum = 0; sum <= 0x200000; sum++)
		wrong += folded_wrong(sum);
	/* Around each bit, where the carries are. */
	for (int bit = 0; bit < 64; bit++) {
		for (uint64_t off = 0; off <= 0x20002; off++)
			wrong += folded_wrong((UINT64_C(1) << bit) + off) +
				 folded_wrong((UINT64_C(1) << bit) - off);
	}
	for (int i = 0; i < 10000000; i++)
		wrong += folded_wrong(draw(&state) >> (i % 64));
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("csum");
	TCase *tc = tcase_create("csum");

	tcase_add_loop_test(tc, all_changes_have_a_class, 0, COUNT_OF(some_checksums));
	tcase_add_test(tc, all_checksums);
	tcase_add_test(tc, wrong_stays_as_wrong);
	tcase_add_test(tc, no_change_changes_nothing);
	tcase_add_loop_test(tc, known_values, 0, COUNT_OF(known));
	tcase_add_test(tc, byte_order_does_not_matter);
	tcase_add_test(tc, folding);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
