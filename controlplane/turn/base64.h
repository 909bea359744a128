#pragma once
#include <string>

#include "dataplane/base/byte_view.h"

namespace linegate::turn {

/// RFC 4648 section 4, with padding: passwords of time-limited credentials, and nonces.
inline std::string Base64(ByteView bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    const uint32_t group = uint32_t(bytes[i]) << 16 | uint32_t(left > 1 ? bytes[i + 1] : 0) << 8 |
                           uint32_t(left > 2 ? bytes[i + 2] : 0);
    text += kAlphabet[group >> 18];
    text += kAlphabet[(group >> 12) & 63];
    text += left > 1 ? kAlphabet[(group >> 6) & 63] : '=';
    text += left > 2 ? kAlphabet[group & 63] : '=';
  }
  return text;
}

}  // namespace linegate::turn
