#pragma once
#include <intel-ipsec-mb.h>

#include "dataplane/srtp/transform.h"

namespace linegate::crypto {

class GcmContext;

/// AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714), one packet per call. Private to the driver.
///
/// Decryption and verification are one pass, so the payload of a packet with a wrong tag has been overwritten:
/// the caller drops it, as its contract says.
class GcmCipher {
 public:
  GcmCipher() = default;
  GcmCipher(const GcmCipher&) = delete;
  GcmCipher& operator=(const GcmCipher&) = delete;
  ~GcmCipher();

  /// Pre: the job has a GcmContext and was checked by the transform. Sets its status.
  void Protect(IMB_MGR& manager, srtp::CryptoJob& job) noexcept;
  void Unprotect(IMB_MGR& manager, srtp::CryptoJob& job) noexcept;

 private:
  /// The expanded key for a packet of that kind; SRTCP's holds until the next call.
  const gcm_key_data& KeyFor(IMB_MGR& manager, srtp::PacketKind kind, const GcmContext& context) noexcept;

  alignas(64) gcm_key_data rtcp_key_ = {};
  gcm_context_data state_ = {};  ///< the library's scratch space, part of it key stream
};

}  // namespace linegate::crypto
