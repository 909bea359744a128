#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/time.h"
#include "dataplane/srtp/transform.h"

namespace linegate::dtls {

/// SDP setup:active is kClient, setup:passive is kServer (RFC 8842 section 5).
enum class Role : uint8_t { kServer, kClient };

/// A certificate fingerprint as in `a=fingerprint` (RFC 8122 section 5): hash name in lower case and raw digest.
struct Fingerprint {
  std::string hash;  ///< "sha-256"; also sha-384, sha-512 are understood
  std::vector<uint8_t> digest;
  /// "sha-256 AB:CD:...". nullopt: unknown hash, wrong length, not hex.
  static std::optional<Fingerprint> Parse(std::string_view attribute_value);
  std::string ToString() const;
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

/// What DTLS-SRTP hands to SRTP (RFC 5764 section 4.2): one profile, our key and the peer's.
struct SrtpKeys {
  srtp::MasterKey send;
  srtp::MasterKey receive;
};

enum class State : uint8_t { kIdle, kHandshaking, kConnected, kFailed, kClosed };

/// One DTLS association of one browser leg, sans-IO. Theory of operation: the session feeds every datagram that came from
/// a validated address (a ClientHello may span several), drains PollTransmit after each call, and calls HandleTimeout
/// when NextTimeout is due. Keys appear only after the peer's certificate matched `expected` and the handshake finished.
/// Retransmissions of the peer's last flight are answered for the life of the leg.
class DtlsEndpoint {
 public:
  virtual ~DtlsEndpoint() = default;
  /// kClient: emits the first ClientHello. kServer: nothing to do.
  virtual void Start(TimePoint now) = 0;
  virtual void HandleDatagram(TimePoint now, ByteView datagram) = 0;
  virtual void HandleTimeout(TimePoint now) = 0;
  virtual std::optional<TimePoint> NextTimeout() const = 0;
  /// Next datagram to send, oldest first. False: nothing left.
  virtual bool PollTransmit(std::vector<uint8_t>& datagram) = 0;
  virtual State state() const = 0;
  /// kFailed: why, for the log ("fingerprint mismatch", "no common SRTP profile", "handshake timed out").
  virtual const std::string& failure() const = 0;
  /// Set once state() is kConnected.
  virtual const SrtpKeys* keys() const = 0;
  /// Queues close_notify.
  virtual void Close(TimePoint now) = 0;
};

/// Makes endpoints that all present the same certificate. Implementation: OpenSslDtlsFactory (certificate.h).
class DtlsFactory {
 public:
  virtual ~DtlsFactory() = default;
  /// The fingerprint every new endpoint announces.
  virtual const Fingerprint& fingerprint() const = 0;
  virtual std::unique_ptr<DtlsEndpoint> Create(Role role, const Fingerprint& expected) = 0;
};

}  // namespace linegate::dtls
