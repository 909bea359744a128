#include "drivers/crypto/libsrtp_transform.h"

#include "drivers/crypto/libsrtp_context.h"

namespace linegate::crypto {

LibsrtpTransform::LibsrtpTransform() {
  // Once per process and never undone: the library's global tables outlive every context.
  static const srtp_err_status_t initialised = srtp_init();
  LG_FATAL(initialised == srtp_err_status_ok);
}

Result<std::unique_ptr<srtp::CryptoContext>> LibsrtpTransform::CreateContext(const srtp::MasterKey& key,
                                                                             srtp::Direction direction) {
  const auto traits = srtp::TraitsOf(key.profile);
  if (!traits) return Fail("unsupported SRTP profile");
  if (traits->key_bytes == 24)
    return Fail("libsrtp2 derives the keys of AES-192 otherwise than RFC 6188 section 3");
  if (key.key.view().size() != traits->key_bytes || key.salt.view().size() != traits->salt_bytes) {
    return Fail("wrong length of SRTP master key or salt");
  }
  auto context = LibsrtpContext::Create(key, *traits, direction);
  if (!context) return MakeUnexpected(std::move(context).error());
  return std::unique_ptr<srtp::CryptoContext>(*std::move(context));
}

void LibsrtpTransform::Protect(std::span<srtp::CryptoJob> jobs) noexcept {
  for (srtp::CryptoJob& job : jobs) static_cast<LibsrtpContext*>(job.context)->Protect(job);
}

void LibsrtpTransform::Unprotect(std::span<srtp::CryptoJob> jobs) noexcept {
  for (srtp::CryptoJob& job : jobs) static_cast<LibsrtpContext*>(job.context)->Unprotect(job);
}

std::string LibsrtpTransform::Describe() const {
  const unsigned version = srtp_get_version();  // 8 bits each: major, minor, micro
  return "libsrtp2 " + std::to_string(version >> 24) + "." + std::to_string((version >> 16) & 0xff) + "." +
         std::to_string((version >> 8) & 0xff);
}

}  // namespace linegate::crypto
