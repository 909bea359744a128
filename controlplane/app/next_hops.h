#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/net/asio_runtime.h"
#include "controlplane/session/next_hop_table.h"
#include "dataplane/base/result.h"
#include "dataplane/settings/settings.h"

namespace linegate::app {

/// The kernel's routes and neighbours, as the sessions want them: interface names become port ids.
class NextHops final : public session::NextHopTable {
 public:
  /// `on_change` is called on the Runtime's thread when a hop that was looked up has become known or has changed.
  static Result<std::unique_ptr<NextHops>> Start(net::Runtime& runtime, const settings::DataplaneSettings& settings,
                                                 std::function<void()> on_change);
  std::optional<abi::NextHop> Lookup(const IpAddress& address) override;

 private:
  std::vector<std::string> interfaces_;
};

}  // namespace linegate::app
