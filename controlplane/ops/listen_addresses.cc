#include "controlplane/ops/listen_addresses.h"

#include <algorithm>

namespace linegate::ops {

using settings::Realm;
using settings::TomlReader;

std::vector<Endpoint> ReadEndpointList(TomlReader& reader, std::string_view key) {
  std::vector<std::string> texts;
  reader.Strings(key, texts);
  if (texts.size() > ListenAddresses::kMost) {
    reader.Fault(key, "lists more than " + std::to_string(ListenAddresses::kMost) + " addresses");
  }
  std::vector<Endpoint> endpoints;
  for (const std::string& text : texts) {
    const auto endpoint = Endpoint::Parse(text);
    if (!endpoint || endpoint->port == 0) {
      reader.Fault(key, "'" + text + "' is no address with port (\"10.0.0.1:443\", \"[2001:db8::1]:443\")");
      continue;
    }
    endpoints.push_back(*endpoint);
  }
  return endpoints;
}

std::vector<Endpoint> ListenAddresses::Read(TomlReader& reader, std::string_view key,
                                            std::string_view section, Presence presence) {
  std::vector<Endpoint> endpoints = ReadEndpointList(reader, key);
  if (endpoints.empty() && presence == Presence::kRequired) {
    reader.Fault(key, "must list 1 to " + std::to_string(kMost) + " addresses with ports");
  }
  const std::string user = std::string(section) + " " + std::string(key);
  for (const Endpoint& endpoint : endpoints) {
    const auto [other, is_new] = taken_.emplace(endpoint, user);
    if (!is_new) reader.Fault(key, endpoint.ToString() + " is listened on already (" + other->second + ")");
  }
  return endpoints;
}

void RefuseDataplanePorts(TomlReader& reader, std::string_view key, const std::vector<Endpoint>& endpoints,
                          const settings::DataplaneSettings& media) {
  for (const Endpoint& endpoint : endpoints) {
    for (const Realm& realm : media.realms) {
      const auto& own = realm.addresses;
      if (std::find(own.begin(), own.end(), endpoint.address) == own.end()) continue;
      const bool is_webrtc = realm.webrtc_port != 0 && endpoint.port >= realm.webrtc_port &&
                             endpoint.port < realm.webrtc_port + media.workers;
      const bool is_stun = std::count(realm.stun_ports.begin(), realm.stun_ports.end(), endpoint.port) != 0;
      const bool is_turn = std::count(realm.turn_ports.begin(), realm.turn_ports.end(), endpoint.port) != 0;
      const bool is_relay = realm.relay_ports.Contains(endpoint.port);
      if (is_webrtc || is_stun || is_turn || is_relay || realm.rtp_ports.Contains(endpoint.port)) {
        reader.Fault(key, endpoint.ToString() + " overlaps with " +
                              (is_webrtc  ? "webrtc_port"
                               : is_stun  ? "stun_ports"
                               : is_turn  ? "turn_ports"
                               : is_relay ? "relay_ports"
                                          : "rtp_ports") +
                              " of [[realm]] '" + realm.name + "': UDP there belongs to the dataplane");
      }
    }
  }
}

}  // namespace linegate::ops
