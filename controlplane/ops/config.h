#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/ops/logging.h"
#include "controlplane/ops/redacted.h"
#include "controlplane/ops/turn_section.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"
#include "dataplane/settings/settings.h"

namespace linegate::ops {

/// [web]: the page and the browsers' signalling.
struct WebConfig {
  std::vector<Endpoint> listen;  ///< HTTPS and WSS
  std::string certificate;       ///< PEM, leaf first
  std::string private_key;
  std::string root;                          ///< static files; empty: none
  std::string realm;                         ///< media realm of the browsers
  std::vector<std::string> allowed_origins;  ///< empty: any
  uint32_t max_connections = 16384;
  uint32_t max_connections_per_source = 4096;  ///< a call centre behind one NAT is one source
};

/// Of media towards the SIP side, with keys in SDP (RFC 4568).
enum class SrtpUse : uint8_t { kOff, kOptional, kRequired };

/// [sip]: the SIP Server's side. Absent: no SIP port is opened.
struct SipConfig {
  std::vector<Endpoint> listen;  ///< UDP and TCP
  Endpoint server;
  std::vector<IpAddress> allowed_sources;  ///< besides the server's own address
  std::string realm;                       ///< media realm of the SIP side
  SrtpUse srtp = SrtpUse::kOff;
  /// Names of RFC 4568, preferred first.
  std::vector<std::string> srtp_suites = {"AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM",
                                          "AES_CM_128_HMAC_SHA1_32"};
  uint8_t srtp_mki_bytes = 0;  ///< of our offers; 0: none
};

struct UserConfig {
  std::string name;
  SecretText password;
};
enum class DomainMode : uint8_t { kLocal, kRelay };
enum class TestNumbers : uint8_t { kOff, kOn };

/// [[domain]]
struct DomainConfig {
  std::string name;  ///< lower case
  DomainMode mode = DomainMode::kLocal;
  std::vector<UserConfig> users;                 ///< of a local domain
  TestNumbers test_numbers = TestNumbers::kOff;  ///< echo and tone; local domains only
};

struct RegistrationConfig {
  std::chrono::seconds min_expires{60};
  std::chrono::seconds max_expires{3600};
};

/// The whole of linegate.toml as the control plane sees it. Paths are absolute or relative to the working
/// directory; relative ones in the file were resolved against the file's own folder.
struct Config {
  std::string path;
  settings::DataplaneSettings media;
  WebConfig web;
  std::optional<SipConfig> sip;
  std::optional<TurnSection> turn;  ///< absent: no TURN server
  std::vector<DomainConfig> domains;
  RegistrationConfig registration;
  std::string state_directory = "/var/lib/linegate";
  std::string admin_socket = "/run/linegate/control.sock";
  LogLevel log_level = LogLevel::kInfo;
  /// "file:line: [section] key: ..." each: nothing that prevents a start.
  std::vector<std::string> warnings;

  /// Pre: `name` was checked by LoadConfig.
  const settings::Realm& realm(const std::string& name) const;
};

/// Reads and checks `path`. The error names file, line and key, and is one of: those of
/// LoadDataplaneSettings and ReadTurnSection; unknown key or section; wrong type or range; malformed address; file missing or
/// unreadable; certificate and key do not match, expired, or the chain is out of order; unknown realm, or one
/// without the ports its use needs; addresses that overlap; domain given twice (or both local and relayed); a
/// relayed domain without [sip].
Result<Config> LoadConfig(const std::string& path, std::chrono::system_clock::time_point now);

}  // namespace linegate::ops
