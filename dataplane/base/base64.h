#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/byte_view.h"

namespace linegate {

/// RFC 4648 section 4, with padding.
std::string EncodeBase64(ByteView bytes);

/// nullopt: a foreign character (white space included), wrong padding, or bits behind the last byte.
std::optional<std::vector<uint8_t>> DecodeBase64(std::string_view text);

}  // namespace linegate
