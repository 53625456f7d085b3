/* Somebody else's XDP program: it lets everything pass. */
__attribute__((section("xdp"), used)) int foreign_pass(void *ctx)
{
	(void)ctx;
	return 2; /* XDP_PASS */
}

char _license[] __attribute__((section("license"), used)) = "GPL";
