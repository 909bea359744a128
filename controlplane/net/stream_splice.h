#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "controlplane/net/byte_stream.h"

namespace linegate::net {

/// Copies two streams into each other until both have ended. One piece per direction is in memory; the next is read when
/// it was written. Destruction cuts both.
class StreamSplice {
 public:
  struct Ended {
    enum class Kind : uint8_t { kHalf, kBoth } kind;
  };
  struct Totals {
    uint64_t* to_a;  ///< added to as bytes are written
    uint64_t* to_b;
  };
  /// `on_end`: a stream has ended or broken; kHalf: the other was told and is still copied. May destroy the splice when kBoth.
  StreamSplice(std::unique_ptr<ByteStream> a, std::unique_ptr<ByteStream> b, Totals totals,
               std::function<void(Ended)> on_end);
  /// `first_to_b` is written before what `a` sends.
  void Start(std::vector<uint8_t> first_to_b);
  uint64_t bytes_to_a() const { return to_a_.bytes; }
  uint64_t bytes_to_b() const { return to_b_.bytes; }

 private:
  struct Direction {
    ByteStream* from;
    ByteStream* to;
    uint64_t* total;
    uint64_t bytes = 0;
    bool ended = false;
  };
  void Read(Direction& direction);
  void Write(Direction& direction, std::vector<uint8_t> bytes);
  void End(Direction& direction);

  std::unique_ptr<ByteStream> a_, b_;
  Direction to_b_, to_a_;
  std::function<void(Ended)> on_end_;
};

}  // namespace linegate::net
