#include "controlplane/session/dtls_association.h"

namespace linegate::session {

bool DtlsAssociation::Agree(TimePoint now, dtls::Role role, const dtls::Fingerprint& expected) {
  if (role_ == role && expected_ == expected) return false;
  role_ = role;
  expected_ = expected;
  endpoint_.reset();
  StartClient(now);
  for (const Kept& kept : std::exchange(kept_, {})) HandleDatagram(now, kept.path, kept.datagram);
  return true;
}

void DtlsAssociation::StartClient(TimePoint now) {
  if (role_ != dtls::Role::kClient || endpoint_ || !path_) return;
  endpoint_ = factory_.Create(dtls::Role::kClient, expected_);
  endpoint_->Start(now);
}

void DtlsAssociation::HandleDatagram(TimePoint now, const MediaPath& path, ByteView datagram) {
  if (!role_) {
    if (kept_.size() < kMaxKept) kept_.push_back({path, {datagram.begin(), datagram.end()}});
    return;
  }
  path_ = path;
  if (!endpoint_ && role_ == dtls::Role::kServer) {
    endpoint_ = factory_.Create(dtls::Role::kServer, expected_);
    endpoint_->Start(now);
  }
  StartClient(now);
  endpoint_->HandleDatagram(now, datagram);
}

void DtlsAssociation::HandlePathValidated(TimePoint now, const MediaPath& path) {
  if (!path_) path_ = path;
  StartClient(now);
}

void DtlsAssociation::HandlePathSelected(TimePoint now, const MediaPath& path) {
  path_ = path;
  StartClient(now);
}

void DtlsAssociation::HandleTimeout(TimePoint now) {
  if (endpoint_) endpoint_->HandleTimeout(now);
}

std::optional<TimePoint> DtlsAssociation::NextTimeout() const {
  return endpoint_ ? endpoint_->NextTimeout() : std::nullopt;
}

bool DtlsAssociation::PollTransmit(MediaPath& path, std::vector<uint8_t>& datagram) {
  if (!endpoint_ || !path_ || !endpoint_->PollTransmit(datagram)) return false;
  path = *path_;
  return true;
}

}  // namespace linegate::session
