// Any packet as an ICMP error of either family, and every truncation of it: what is read of the whole is read of a
// part or not at all.
#include "controlplane/net/icmp_errors.h"
#include "dataplane/base/check.h"

using namespace linegate;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const IpFamily family = data[0] == 4 ? IpFamily::kIpv4 : IpFamily::kIpv6;
  const ByteView packet(data + 1, size - 1);
  const auto whole = net::ParseIcmpError(family, packet);
  for (size_t length = 0; length < packet.size(); ++length) {
    const auto part = net::ParseIcmpError(family, packet.first(length));
    LG_FATAL(!part || (whole && part->source == whole->source && part->destination == whole->destination &&
                       part->type == whole->type && part->code == whole->code));
  }
  if (whole)
    LG_FATAL(whole->source.address.family() == family && whole->destination.address.family() == family);
  return 0;
}
