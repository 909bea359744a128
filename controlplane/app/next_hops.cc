#include "controlplane/app/next_hops.h"

#include <algorithm>
#include <utility>

#include "controlplane/ops/logging.h"

namespace linegate::app {

Result<std::unique_ptr<NextHops>> NextHops::Start(net::Runtime& runtime,
                                                  const settings::DataplaneSettings& settings,
                                                  std::function<void()> on_change) {
  std::unique_ptr<NextHops> hops(new NextHops(settings::InterfacesOf(settings)));
  auto resolver = net::NextHopResolver::Open(
      runtime,
      [change = std::move(on_change)](const IpAddress&, const std::optional<MacAddress>&) { change(); });
  if (!resolver) return MakeUnexpected(std::move(resolver).error());
  hops->resolver_ = std::move(resolver).value();
  return hops;
}

std::optional<abi::NextHop> NextHops::Lookup(const IpAddress& address) {
  auto hop = resolver_->Resolve(address);
  if (!hop) {
    ops::LogWarning("no_route", {{"destination", ops::Redacted(address)}, {"reason", hop.error().message()}});
    return std::nullopt;
  }
  const auto port = std::find(interfaces_.begin(), interfaces_.end(), hop->interface);
  if (port == interfaces_.end() || !hop->mac) return std::nullopt;
  abi::NextHop result;
  result.port_id = uint16_t(port - interfaces_.begin());
  std::copy(hop->mac->bytes.begin(), hop->mac->bytes.end(), result.mac);
  result.known = 1;
  return result;
}

}  // namespace linegate::app
