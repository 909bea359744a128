#pragma once
#include <srtp2/srtp.h>

#include <array>
#include <cstdint>

#include "dataplane/base/secret.h"
#include "dataplane/srtp/transform.h"

namespace linegate::crypto {

/// One libsrtp session and what we know of its streams. Private to the driver: the only header with srtp2's.
class LibsrtpContext final : public srtp::CryptoContext {
 public:
  /// Pre: `traits` are those of `key.profile`, lengths checked.
  static Result<std::unique_ptr<LibsrtpContext>> Create(const srtp::MasterKey& key,
                                                        const srtp::ProfileTraits& traits,
                                                        srtp::Direction direction);
  ~LibsrtpContext() override;
  LibsrtpContext(const LibsrtpContext&) = delete;
  LibsrtpContext& operator=(const LibsrtpContext&) = delete;

  void Protect(srtp::CryptoJob& job) noexcept;
  void Unprotect(srtp::CryptoJob& job) noexcept;

 private:
  struct Stream {
    uint32_t ssrc = 0;
    uint32_t srtcp_index = 0;    ///< transmit: the last one used by libsrtp
    uint64_t highest_index = 0;  ///< of RTP
    uint64_t last_use = 0;       ///< 0: free entry
    bool has_index = false;      ///< `highest_index` is meaningful
  };

  LibsrtpContext(const srtp::MasterKey& key, const srtp::ProfileTraits& traits, srtp::Direction direction);
  void FillPolicy(srtp_policy_t& policy) const;

  Stream* Find(uint32_t ssrc);
  /// A free entry for `ssrc`, evicting the least recently used stream if there is none.
  Stream& Enter(uint32_t ssrc);
  bool AddStream(uint32_t ssrc);
  /// The stream of `ssrc` in libsrtp and here; nullptr if libsrtp failed.
  Stream* FindOrAdd(uint32_t ssrc);

  srtp::JobStatus ProtectRtp(srtp::CryptoJob& job, Stream& stream);
  srtp::JobStatus ProtectRtcp(srtp::CryptoJob& job, Stream& stream);
  srtp::JobStatus UnprotectRtp(srtp::CryptoJob& job);
  srtp::JobStatus UnprotectRtcp(srtp::CryptoJob& job);
  bool StepSrtcpIndexTo(Stream& stream, uint32_t index);

  srtp::ProfileTraits traits_;
  srtp::Profile profile_;
  srtp::Direction direction_;
  SecretBytes<srtp::kMaxKeyBytes + srtp::kMaxSaltBytes> key_and_salt_;
  srtp_t session_ = nullptr;
  std::array<Stream, 16> streams_;
  uint64_t uses_ = 0;
};

}  // namespace linegate::crypto
