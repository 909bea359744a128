#include "controlplane/net/stream_splice.h"

#include <utility>

namespace linegate::net {

StreamSplice::StreamSplice(std::unique_ptr<ByteStream> a, std::unique_ptr<ByteStream> b, Totals totals,
                           std::function<void(Ended)> on_end)
    : a_(std::move(a)),
      b_(std::move(b)),
      to_b_{a_.get(), b_.get(), totals.to_b},
      to_a_{b_.get(), a_.get(), totals.to_a},
      on_end_(std::move(on_end)) {}

void StreamSplice::Start(std::vector<uint8_t> first_to_b) {
  Read(to_a_);
  if (first_to_b.empty()) return Read(to_b_);
  Write(to_b_, std::move(first_to_b));
}

void StreamSplice::Read(Direction& direction) {
  direction.from->ReadSome([this, &direction](ByteView bytes) {
    if (bytes.empty()) return End(direction);
    Write(direction, std::vector<uint8_t>(bytes.begin(), bytes.end()));
  });
}

void StreamSplice::Write(Direction& direction, std::vector<uint8_t> bytes) {
  *direction.total += bytes.size();
  direction.bytes += bytes.size();
  direction.to->Write(std::move(bytes), [this, &direction](ByteStream::Outcome outcome) {
    outcome == ByteStream::Outcome::kDone ? Read(direction) : End(direction);
  });
}

void StreamSplice::End(Direction& direction) {
  direction.ended = true;
  direction.to->EndOutput();
  const auto on_end = on_end_;  // it may destroy us
  on_end({to_a_.ended && to_b_.ended ? Ended::Kind::kBoth : Ended::Kind::kHalf});
}

}  // namespace linegate::net
