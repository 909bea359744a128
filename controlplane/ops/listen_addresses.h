#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/net_address.h"
#include "dataplane/settings/settings.h"
#include "dataplane/settings/toml_reader.h"

namespace linegate::ops {

/// Which section listens on which TCP address: no address may be asked for twice.
class ListenAddresses {
 public:
  static constexpr size_t kMost = 16;  ///< per key

  enum class Presence : uint8_t { kRequired, kOptional };
  /// Reads a list of "address:port". Faults go to `reader`.
  std::vector<Endpoint> Read(settings::TomlReader& reader, std::string_view key, std::string_view section,
                             Presence presence);

 private:
  std::map<Endpoint, std::string> taken_;  ///< -> "[web] listen"
};

/// Parses the strings of `key`, refusing what is no address with port and lists longer than ListenAddresses::kMost.
std::vector<Endpoint> ReadEndpointList(settings::TomlReader& reader, std::string_view key);

/// Reports those of `endpoints` whose UDP port the dataplane owns in a realm.
void RefuseDataplanePorts(settings::TomlReader& reader, std::string_view key,
                          const std::vector<Endpoint>& endpoints, const settings::DataplaneSettings& media);

}  // namespace linegate::ops
