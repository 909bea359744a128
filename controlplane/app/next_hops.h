#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/net/asio_runtime.h"
#include "controlplane/net/next_hop_resolver.h"
#include "controlplane/session/next_hop_table.h"
#include "dataplane/base/result.h"
#include "dataplane/settings/settings.h"

namespace linegate::app {

/// The kernel's routes and neighbours, as the sessions want them: interface names become the dataplane's port ids. A
/// destination behind an interface without a port has no hop: its packets are dropped and counted (no_next_hop).
class NextHops final : public session::NextHopTable {
 public:
  /// `on_change` is called on the Runtime's thread when a hop that was looked up has become known or has changed.
  /// Error: rtnetlink is not usable.
  static Result<std::unique_ptr<NextHops>> Start(net::Runtime& runtime,
                                                 const settings::DataplaneSettings& settings,
                                                 std::function<void()> on_change);
  std::optional<abi::NextHop> Lookup(const IpAddress& address) override;

 private:
  explicit NextHops(std::vector<std::string> interfaces) : interfaces_(std::move(interfaces)) {}
  std::vector<std::string> interfaces_;  ///< index = port id
  std::unique_ptr<net::NextHopResolver> resolver_;
};

}  // namespace linegate::app
