#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "controlplane/ops/listen_addresses.h"
#include "controlplane/turn/turn_config.h"
#include "dataplane/base/net_address.h"
#include "dataplane/settings/settings.h"
#include "dataplane/settings/toml_reader.h"

namespace linegate::ops {

/// [turn]: the TURN server. What it takes from the realms (relay_realms and below) is filled in by the application.
struct TurnSection {
  turn::TurnConfig server;
  std::string relay_realm;  ///< media realm of the relayed addresses; empty: the listener's own
  uint32_t max_connections = 8192;
  uint32_t max_connections_per_source = 1024;
  /// Gives every reader of the page time-limited credentials; needs a shared secret.
  bool page_credentials = false;
  std::chrono::seconds page_credentials_lifetime{86400};
};

/// Reads the section. Faults: unknown key, wrong type or range, a listening address taken already or owned by the
/// dataplane, no credentials at all, user given twice, malformed range or key, unknown realm.
TurnSection ReadTurnSection(settings::ErrorSink& sink, const toml::table& table,
                            const settings::DataplaneSettings& media, ListenAddresses& listen_addresses);

}  // namespace linegate::ops
