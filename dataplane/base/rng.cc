#include "dataplane/base/rng.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "dataplane/base/check.h"

namespace linegate {

uint32_t Rng::U32() {
  uint32_t value;
  Fill({reinterpret_cast<uint8_t*>(&value), sizeof value});
  return value;
}

uint64_t Rng::U64() {
  uint64_t value;
  Fill({reinterpret_cast<uint8_t*>(&value), sizeof value});
  return value;
}

std::string Rng::IceChars(size_t length) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text(length, '\0');
  Fill({reinterpret_cast<uint8_t*>(text.data()), length});
  for (char& c : text) c = kAlphabet[uint8_t(c) & 63];
  return text;
}

std::string Rng::Hex(size_t bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string raw(bytes, '\0');
  Fill({reinterpret_cast<uint8_t*>(raw.data()), bytes});
  std::string text;
  text.reserve(2 * bytes);
  for (char c : raw) {
    text += kDigits[uint8_t(c) >> 4];
    text += kDigits[uint8_t(c) & 15];
  }
  return text;
}

void SecureRng::Fill(std::span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    ssize_t n = getrandom(out.data() + done, out.size() - done, 0);
    LG_FATAL(n >= 0 || errno == EINTR);
    if (n > 0) done += size_t(n);
  }
}

}  // namespace linegate
