#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "dataplane/base/rng.h"
#include "dataplane/base/siphash.h"

namespace linegate {

/// Unpredictable bytes without a system call: SipHash of a counter under a key drawn once from a real source.
/// For STUN transaction identifiers (RFC 8489 section 5 wants them unpredictable), tie-breakers and starting
/// numbers; not for keys.
class PrfStream final : public Rng {
 public:
  explicit PrfStream(Rng& seed) { seed.Fill(key_); }
  void Fill(std::span<uint8_t> out) override {
    for (size_t done = 0; done < out.size();) {
      uint8_t block[8];
      ++counter_;
      std::memcpy(block, &counter_, sizeof block);
      const uint64_t word = SipHash24(key_, block);
      for (size_t i = 0; i < sizeof word && done < out.size(); ++i) out[done++] = uint8_t(word >> (8 * i));
    }
  }

 private:
  std::array<uint8_t, 16> key_ = {};
  uint64_t counter_ = 0;
};

}  // namespace linegate
