// A whole worker with one call under way, fed what strangers and a broken control plane can put in: frames, datagrams of
// either leg, command and inject records, time. Nothing may crash, loop or lose a buffer (the bench checks that).
//
//   input = records { kind (1), length (2, network order), bytes }
#include "tests/support/dataplane_calls.h"

using namespace linegate;
using namespace linegate::test;

namespace {

void Apply(DataplaneBench& bench, GatewayCall& call, uint8_t kind, ByteView bytes) {
  if (bytes.size() > 1500) return;
  switch (kind % 8) {
    case 0:
      return bench.ReceiveFrame(DataplaneBench::kPublic, bytes);
    case 1:
      return bench.ReceiveFrame(DataplaneBench::kPrivate, bytes);
    case 2:
      return call.FromBrowser(bytes);
    case 3:
      return call.FromPhone(bytes);
    case 4:
      return bench.Receive(DataplaneBench::kPrivate, At("10.90.2.2:6001"), call.gateway_rtcp, bytes);
    case 5:
      if (bytes.size() >= 4) bench.WriteCommand(0, LoadBe32(bytes.data()), bytes.subspan(4));
      return;
    case 6:
      linegate::abi::RingProducer(bench.link().inject_ring(0), linegate::abi::kInjectRingBytes)
          .TryWrite(1, bytes);
      return;
    default:
      return bench.Advance(std::chrono::milliseconds(bytes.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  crypto::NullTransform transform;
  DataplaneBench bench(1, &transform);
  GatewayCall call(bench, transform, Flow(0), Flow(1));
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  ByteView rest(data, size);
  for (int records = 0; rest.size() >= 3 && records < 64; ++records) {
    const uint8_t kind = rest[0];
    const size_t length = std::min<size_t>(LoadBe16(rest.data() + 1), rest.size() - 3);
    Apply(bench, call, kind, rest.subspan(3, length));
    bench.Run();
    bench.Events();
    bench.Punts();
    rest = rest.subspan(3 + length);
  }
  bench.Sent(DataplaneBench::kPublic);  // parses every frame and verifies its checksums
  bench.Sent(DataplaneBench::kPrivate);
  bench.Restart();
  return 0;
}
