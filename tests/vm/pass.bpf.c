/* The smallest XDP program: shows whether this guest's libxdp and kernel can share an interface at
 * all. The argument's type has to have this name: the kernel compares it with the dispatcher's. */
struct xdp_md {
	unsigned int data, data_end;
};

__attribute__((section("xdp"), used)) int vm_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return 2; /* XDP_PASS */
}

char _license[] __attribute__((section("license"), used)) = "GPL";
