#include "controlplane/app/next_hops.h"

namespace linegate::app {
Result<std::unique_ptr<NextHops>> NextHops::Start(net::Runtime&, const settings::DataplaneSettings& settings, std::function<void()>) {
  auto h = std::make_unique<NextHops>();
  h->interfaces_ = settings::InterfacesOf(settings);
  return h;
}
std::optional<abi::NextHop> NextHops::Lookup(const IpAddress&) { return std::nullopt; }
}
