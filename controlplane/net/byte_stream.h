#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/base/byte_view.h"

namespace linegate::net {

/// An established byte stream, plain or inside TLS. On the Runtime's thread; callbacks never come from inside the call
/// that asked for them, and none comes after destruction, which cuts the connection.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Valid during the call; empty: the peer has ended the stream, or it broke.
  using ReadDone = std::function<void(ByteView bytes)>;
  enum class Outcome : uint8_t { kDone, kBroken };
  using WriteDone = std::function<void(Outcome)>;

  /// One at a time. Whatever has come, at most some KiB.
  virtual void ReadSome(ReadDone done) = 0;
  /// One at a time. All of `bytes`, or broken.
  virtual void Write(std::vector<uint8_t> bytes, WriteDone done) = 0;
  /// Nothing is written any more: the peer learns it by TCP's FIN, behind what was written before.
  virtual void EndOutput() = 0;
};

}  // namespace linegate::net
