#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/dtls/dtls_endpoint.h"
#include "dataplane/base/net_address.h"

namespace linegate::session {

/// The 5-tuple of a browser leg: our address and the browser's, as the worker saw them.
struct MediaPath {
  Endpoint local;
  Endpoint remote;
  friend bool operator==(const MediaPath&, const MediaPath&) = default;
};

/// The DTLS side of one browser leg. Theory of operation: records come from checked addresses only (the
/// worker sees to that), but they may come before the browser's answer told us its fingerprint and role; up
/// to kMaxKept datagrams are kept until Agree() and then handled as if they had just come. As server an
/// endpoint is made by the first datagram; as client it is made and started when a checked address is known,
/// so that no ClientHello ever leaves to an unchecked one (design D11). We answer to where the last record
/// came from; a newly selected path overrides that. Agreeing again on the same role and fingerprint changes
/// nothing: re-offers keep the association; another role or fingerprint is a new one (RFC 8842 section 3.1).
///
/// No close_notify is sent at the end: signalling tells the peer, and its flow is gone by then.
class DtlsAssociation {
 public:
  static constexpr size_t kMaxKept = 4;

  explicit DtlsAssociation(dtls::DtlsFactory& factory) : factory_(factory) {}

  /// Role and fingerprint are negotiated. Returns true if this began an association (the first, or a new
  /// one).
  bool Agree(TimePoint now, dtls::Role role, const dtls::Fingerprint& expected);
  std::optional<dtls::Role> role() const { return role_; }
  void HandleDatagram(TimePoint now, const MediaPath& path, ByteView datagram);
  void HandlePathValidated(TimePoint now, const MediaPath& path);
  void HandlePathSelected(TimePoint now, const MediaPath& path);
  void HandleTimeout(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  /// Next datagram to send and where to.
  bool PollTransmit(MediaPath& path, std::vector<uint8_t>& datagram);

  dtls::State state() const { return endpoint_ ? endpoint_->state() : dtls::State::kIdle; }
  const std::string& failure() const { return endpoint_->failure(); }
  const dtls::SrtpKeys* keys() const { return endpoint_ ? endpoint_->keys() : nullptr; }
  const std::optional<MediaPath>& path() const { return path_; }

 private:
  struct Kept {
    MediaPath path;
    std::vector<uint8_t> datagram;
  };
  void StartClient(TimePoint now);

  dtls::DtlsFactory& factory_;
  std::optional<dtls::Role> role_;
  dtls::Fingerprint expected_;
  std::unique_ptr<dtls::DtlsEndpoint> endpoint_;
  std::optional<MediaPath> path_;
  std::deque<Kept> kept_;
};

}  // namespace linegate::session
