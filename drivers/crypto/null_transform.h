#pragma once
#include <memory>
#include <span>
#include <string>

#include "dataplane/srtp/transform.h"

namespace linegate::crypto {

/// An engine for tests: the payload stays readable and the tag is a checksum over key, SSRC, index and
/// packet, of the profile's tag length. So a wrong key, a wrong index and a changed byte are seen as kBadTag,
/// packets have their real sizes, and no cipher is involved. Strictly stateless: the same job gives the same
/// result every time. Protects nothing; never offered by configuration.
class NullTransform final : public srtp::SrtpTransform {
 public:
  Result<std::unique_ptr<srtp::CryptoContext>> CreateContext(const srtp::MasterKey& key,
                                                             srtp::Direction direction) override;
  void Protect(std::span<srtp::CryptoJob> jobs) noexcept override;
  void Unprotect(std::span<srtp::CryptoJob> jobs) noexcept override;
  std::string Describe() const override { return "null (tests only)"; }
};

}  // namespace linegate::crypto
