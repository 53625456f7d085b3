/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "build_id.h"
#include "instance.h"
#include "tc.h"

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

/* The build is FNV-1a (RFC 9923) over the text of the embedded objects. */
void prog_build(uint8_t build[8])
{
	size_t size, gateway_size, tc_size;
	const void *bytes = instance_elf(false, &size);
	const void *gateway = instance_elf(true, &gateway_size);
	const void *tc = tc_elf(&tc_size);
	uint64_t hash = hash_bytes(0xcbf29ce484222325ULL, bytes, size);

	hash = hash_bytes(hash, gateway, gateway_size);
	hash = hash_bytes(hash, tc, tc_size);
	memcpy(build, &hash, sizeof(hash));
}

const char *prog_build_text(const uint8_t build[8], char buf[BUILD_TEXT_SIZE])
{
	snprintf(buf, BUILD_TEXT_SIZE, "%02x%02x%02x%02x", build[0], build[1], build[2], build[3]);
	return buf;
}

bool prog_is_own(const struct mangle_iface *i)
{
	uint8_t build[8];

	prog_build(build);
	return !memcmp(i->build, build, sizeof(build));
}
