#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "dataplane/base/byte_view.h"

namespace linegate {

/// Overwrites memory in a way the compiler may not remove.
void Wipe(void* data, size_t bytes);

/// True if both are equal; takes the same time wherever they differ. Lengths are not secret.
[[nodiscard]] bool ConstantTimeEqual(ByteView a, ByteView b);

/// Up to `kCapacity` secret bytes, zeroed on destruction. Copies are explicit members of their owners, never logged.
template <size_t kCapacity>
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(ByteView bytes) { Assign(bytes); }
  SecretBytes(const SecretBytes&) = default;
  SecretBytes& operator=(const SecretBytes&) = default;
  ~SecretBytes() { Wipe(bytes_, sizeof bytes_); }
  /// Pre: `bytes.size() <= kCapacity`.
  void Assign(ByteView bytes) {
    LG_ASSERT(bytes.size() <= kCapacity);
    Wipe(bytes_, sizeof bytes_);
    size_ = bytes.size();
    for (size_t i = 0; i < size_; ++i) bytes_[i] = bytes[i];
  }
  ByteView view() const { return {bytes_, size_}; }
  bool empty() const { return size_ == 0; }

 private:
  uint8_t bytes_[kCapacity] = {};
  size_t size_ = 0;
};

/// A password or key in memory: never printed at any level, zeroed when it goes.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string text) : text_(std::move(text)) {}
  SecretText(const SecretText&) = default;
  SecretText& operator=(const SecretText& other) {
    if (this != &other) {
      Wipe(text_.data(), text_.size());
      text_ = other.text_;
    }
    return *this;
  }
  ~SecretText() { Wipe(text_.data(), text_.size()); }
  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

}  // namespace linegate
