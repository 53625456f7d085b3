/* Somebody else's tc program: it has no opinion, the next one decides. */
__attribute__((section("tc"), used)) int foreign_tc(void *ctx)
{
	(void)ctx;
	return -1; /* TC_ACT_UNSPEC */
}

char _license[] __attribute__((section("license"), used)) = "GPL";
