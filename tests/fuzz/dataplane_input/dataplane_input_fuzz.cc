// A whole worker with one call and two TURN allocations under way (a UDP client's and a stream client's, one the peer of
// the other), fed what strangers and a broken control plane can put in: frames, datagrams of
// either leg, command and inject records, time. Nothing may crash, loop or lose a buffer (the bench checks that).
//
//   input = records { kind (1), length (2, network order), bytes }
#include "tests/support/srtp_end.h"
#include "tests/support/turn_client.h"

using namespace linegate;
using namespace linegate::test;

namespace {

const Endpoint kTurnClient = At("10.90.1.2:5000");
const Endpoint kTurnPeer = At("10.90.2.2:7000");
const Endpoint kTurnPeer6 = At("[fd90:2::2]:7000");
constexpr uint16_t kDatagramPort = 49152;
constexpr uint16_t kStreamPort = 49154;

void MakeAllocations(DataplaneBench& bench) {
  ProgramRelay(bench, Relay(0), DatagramRelay(kTurnClient, kDatagramPort));
  ProgramRelay(bench, Relay(1), StreamRelay(kStreamPort));
  for (uint32_t i = 0; i < 2; ++i) {
    SetPeer(bench, Relay(i), 0, PeerOf(kTurnPeer, 0x4000));
    SetPeer(bench, Relay(i), 1, PeerOf(kTurnPeer6, 0x4001));
    SetPeer(bench, Relay(i), 2, PeerOf(At("10.90.2.3:0")));
    SetPeer(bench, Relay(i), 3,
            PeerOf({kTurnListener4.address, i == 0 ? kStreamPort : kDatagramPort}, 0x4002));
  }
}

void Apply(DataplaneBench& bench, GatewayCall& call, uint8_t kind, ByteView bytes) {
  if (bytes.size() > 1500) return;  // as long as a frame
  switch (kind % 14) {
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
    case 7:
      return bench.Advance(std::chrono::milliseconds(bytes.size()));
    case 8:
      return bench.Receive(DataplaneBench::kPublic, kTurnClient, kTurnListener4, bytes);
    case 9:
      return bench.Receive(DataplaneBench::kPrivate, kTurnPeer, {kTurnListener4.address, kDatagramPort},
                           bytes);
    case 10:
      return bench.Receive(DataplaneBench::kPrivate, kTurnPeer6, {kTurnListener6.address, kStreamPort},
                           bytes);
    case 11:
      return InjectFromStream(bench, Relay(1), bytes);
    case 12:  // a datagram to any listener from a stranger
      return bench.Receive(DataplaneBench::kPublic, At("10.90.1.77:7"), At("10.90.1.5:3478"), bytes);
    default:
      if (bytes.size() < 4) return;
      linegate::abi::RingProducer(bench.link().inject_ring(0), linegate::abi::kInjectRingBytes)
          .TryWrite(LoadBe32(bytes.data()), bytes.subspan(4));
      return;
  }
}

/// The RTP side as SRTP, with an MKI, and in the middle of a change of keys.
void Secure(DataplaneBench& bench, GatewayCall& call) {
  call.out_config.egress.srtp = call.back_config.ingress.srtp = 1;
  call.Program();
  for (const uint8_t seed : {1, 2}) {
    const srtp::MasterKey key = MasterKeyFrom(seed, srtp::Profile::kAes128CmHmacSha1_80, {2, {0, seed}});
    bench.Install(call.back, linegate::abi::KeyUse::kReceive, key);
    bench.Install(call.out, linegate::abi::KeyUse::kSend, key);
  }
}

void Play(ByteView input, bool secure) {
  crypto::NullTransform transform;
  DataplaneBench bench(1, &transform);
  GatewayCall call(bench, transform, Flow(0), Flow(1));
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  if (secure) Secure(bench, call);
  MakeAllocations(bench);
  ByteView rest = input;
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
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Play({data, size}, false);
  Play({data, size}, true);
  return 0;
}
