#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/sdp/sdp_model.h"
#include "dataplane/srtp/profile.h"
#include "dataplane/srtp/transform.h"

namespace linegate::sdp {

/// More a=crypto lines of one m= line than this are ignored.
inline constexpr size_t kMaxCryptoLines = 16;

/// What an a=crypto line says (RFC 4568): the key under which its writer sends, with suite and MKI. The key is zeroed when
/// the line goes.
///
///   a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4
///            tag     suite                    base64(key || salt)           lifetime, MKI:length
struct CryptoLine {
  uint32_t tag = 0;
  srtp::MasterKey key;
};

/// The suite's name in SDP (RFC 4568 section 6.2, RFC 6188 section 4, RFC 7714 section 14.1); empty: it has none.
std::string_view SuiteName(srtp::Profile profile);
std::optional<srtp::Profile> SuiteOf(std::string_view name);

/// Reads the value of an a=crypto attribute. nullopt: malformed, or something in it is not served, in which case RFC 4568
/// wants the whole line left alone: an unknown suite, key method or session parameter (those marked "-" are ignored, and so
/// is the window size hint), a session parameter that changes what packets look like (KDR, UNENCRYPTED_*,
/// UNAUTHENTICATED_SRTP, FEC_*), more than one key, an MKI of more than srtp::kMaxMkiBytes. The lifetime is checked and
/// forgotten: it is for the sender of the key to keep.
std::optional<CryptoLine> ParseCrypto(std::string_view value);

/// The attribute's value.
std::string WriteCrypto(const CryptoLine& line);

struct CryptoLines {
  std::vector<CryptoLine> served;  ///< what ParseCrypto could read, in the order of the description
  size_t count = 0;                ///< all there are, served or not
};
CryptoLines CryptoLinesOf(const MediaSection& media);

}  // namespace linegate::sdp
