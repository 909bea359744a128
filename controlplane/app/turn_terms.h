#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "controlplane/ops/config.h"
#include "controlplane/turn/turn_config.h"
#include "controlplane/turn/turn_crypto.h"
#include "dataplane/base/rng.h"

namespace linegate::app {

/// What the TURN machine is told: [turn], and what follows from the realms. `local_addresses` are all of this host's:
/// those that are no media addresses are never peers. Pre: `config.turn`.
turn::TurnConfig MakeTurnConfig(const ops::Config& config, const std::vector<IpAddress>& local_addresses);

/// Of every interface; empty if the kernel does not tell.
std::vector<IpAddress> LocalAddresses();

/// The media realm to which `local` belongs; 0 when none does (a listener on a wildcard address, reached by another).
uint16_t RealmOfAddress(const settings::DataplaneSettings& media, const IpAddress& local);

/// One entry of RTCIceServer (W3C WebRTC section 4.2.4).
struct IceServer {
  std::vector<std::string> urls;
  std::string username;
  std::string credential;
};
/// Our own TURN server for browsers of the web realm, with a credential that is good until `expires_unix_s`.
/// Pre: `config.turn` with a shared secret.
IceServer MakeIceServer(const ops::Config& config, turn::TurnCrypto& crypto, Rng& rng,
                        int64_t expires_unix_s);

}  // namespace linegate::app
