/* Somebody else's XDP program: the loader must refuse the interface and name it. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int foreign_pass(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_PASS;
}
char _license[] SEC("license") = "Apache-2.0";
