#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/registrar/registration_config.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/secret.h"
#include "dataplane/base/time.h"

namespace linegate::sip {

enum class DomainMode : uint8_t {
  kLocal,  ///< embedded registrar; calls between its users stay here
  kRelay,  ///< every request goes to the SIP Server
};
enum class TestNumbers : uint8_t { kOff, kOn };

struct LocalUser {
  std::string name;
  std::string ha1;  ///< MD5(user:domain:password) in hex, see ComputeHa1 (digest.h)
};

struct DomainConfig {
  std::string name;
  DomainMode mode = DomainMode::kLocal;
  std::vector<LocalUser> users;                 ///< kLocal
  TestNumbers test_numbers = TestNumbers::kOn;  ///< `echo` and `tone`; kLocal
};

/// Bounds on what strangers can grow. Beyond them: 503 with Retry-After for state, 513 for sizes.
struct B2buaLimits {
  size_t max_calls = 50'000;
  size_t max_calls_per_flow = 32;
  size_t max_unproven_calls = 256;            ///< see UnprovenCalls
  size_t max_unproven_calls_per_flow = 4;     ///< a page places one call at a time, or redials
  size_t max_unproven_calls_per_source = 64;  ///< a call centre behind one NAT is one source
  size_t max_branches_per_call = 10;          ///< contacts rung in parallel
  size_t max_forks_per_branch = 8;            ///< early dialogs behind one INVITE of ours
  size_t max_requests_per_call = 64;          ///< in-dialog requests waiting for their final response
  size_t max_relayed_requests = 100'000;      ///< out-of-dialog requests waiting for their final response
  size_t max_headers = 256;
  size_t max_header_value_bytes = 8192;
  size_t max_auth_failures_per_flow = 20;
};

struct B2buaTimers {
  Duration auth_reserve =
      std::chrono::seconds(32);  ///< a challenged INVITE keeps ports and credentials this long
  Duration token_wait = std::chrono::seconds(3);   ///< for the connection of a known contact
  Duration flow_grace = std::chrono::seconds(45);  ///< calls outlive their browser's connection this long
  Duration no_answer = std::chrono::seconds(180);  ///< RFC 3261 section 16.6 timer C
  Duration teardown = std::chrono::seconds(35);    ///< longer than 64*T1, by when transports have given up
  std::chrono::seconds nonce_life{300};
};

struct B2buaConfig {
  std::string web_host;                 ///< host (or host:port) of our Contact towards browsers
  std::optional<Endpoint> trunk_local;  ///< host and port of our Contact towards the SIP Server
  std::optional<Endpoint> sip_server;   ///< next hop of every upstream request; absent: no trunk
  std::vector<DomainConfig> domains;
  registrar::RegistrationConfig registration;
  B2buaLimits limits;
  B2buaTimers timers;
  /// Keys the hashes that hide Call-IDs, tags and contacts. Kept over restarts (state directory), or stored
  /// contacts and challenged calls would no longer match.
  SecretBytes<32> identity_key;
};

}  // namespace linegate::sip
