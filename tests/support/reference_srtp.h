#pragma once
#include <cstdint>
#include <vector>

#include "dataplane/base/byte_view.h"
#include "dataplane/srtp/profile.h"

namespace linegate::test {

/// Session (not master) keys of RTP or RTCP.
struct ReferenceKeys {
  srtp::Profile profile = srtp::Profile::kNone;
  std::vector<uint8_t> cipher_key;
  std::vector<uint8_t> auth_key;  ///< empty for AEAD
  std::vector<uint8_t> salt;
};

/// SRTP written out from the RFCs, slowly and without state, on OpenSSL's ciphers: the oracle of every
/// engine. It is itself held against the vectors of RFC 3711 appendix B and RFC 7714 sections 16 and 17
/// (tests/conformance/srtp).
std::vector<uint8_t> ReferenceProtectRtp(const ReferenceKeys& keys, ByteView packet, size_t header_bytes,
                                         uint64_t index);
std::vector<uint8_t> ReferenceProtectRtcp(const ReferenceKeys& keys, ByteView packet, uint32_t srtcp_index);

/// `bytes` of AES counter mode key stream.
std::vector<uint8_t> AesCmKeystream(ByteView key, std::span<const uint8_t, 16> initial_counter, size_t bytes);

}  // namespace linegate::test
