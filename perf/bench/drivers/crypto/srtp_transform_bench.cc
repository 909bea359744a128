// Cycles per packet of the SRTP engines: BM_{IpsecMb,Libsrtp}{Protect,Unprotect}/<profile>/<batch>/<payload bytes>/
// <sessions>, one packet per session in turn (more sessions than fit the cache show the cost of cold keys). libsrtp2
// allocates inside itself.
#include <memory>
#include <vector>

#include "dataplane/base/byte_view.h"
#include "drivers/crypto/ipsec_mb_transform.h"
#include "drivers/crypto/libsrtp_transform.h"
#include "perf/bench/measured_section.h"

namespace {

using namespace linegate;

constexpr size_t kBurst = 32;
constexpr size_t kRoom = srtp::kMaxOverheadBytes;

srtp::MasterKey KeyOf(srtp::Profile profile, size_t session) {
  const auto traits = *srtp::TraitsOf(profile);
  srtp::MasterKey master;
  master.profile = profile;
  master.key.Assign(std::vector<uint8_t>(traits.key_bytes, uint8_t(session)));
  master.salt.Assign(std::vector<uint8_t>(traits.salt_bytes, uint8_t(session >> 8)));
  return master;
}

template <typename Engine>
std::unique_ptr<Engine> Make();
template <>
std::unique_ptr<crypto::IpsecMbTransform> Make() {
  return *crypto::IpsecMbTransform::Create();
}
template <>
std::unique_ptr<crypto::LibsrtpTransform> Make() {
  return std::make_unique<crypto::LibsrtpTransform>();
}

/// `sessions` pairs of contexts and the packets of one burst at a time.
template <typename Engine>
class Traffic {
 public:
  Traffic(srtp::Profile profile, size_t sessions, size_t packet_bytes)
      : packet_bytes_(packet_bytes), sent_(sessions), buffer_(kBurst * (packet_bytes + kRoom)) {
    for (size_t i = 0; i < sessions; ++i) {
      const srtp::MasterKey key = KeyOf(profile, i);
      senders_.push_back(*transform->CreateContext(key, srtp::Direction::kProtect));
      receivers_.push_back(*transform->CreateContext(key, srtp::Direction::kUnprotect));
    }
    for (size_t i = 0; i <= sessions / kBurst;
         ++i) {  // libsrtp2 makes a session's streams with its first packet
      PrepareBurst();
      transform->Protect(jobs);
      TurnToReceivers();
      transform->Unprotect(jobs);
    }
  }

  /// Plain packets, each with the next index of its session.
  void PrepareBurst() {
    for (size_t i = 0; i < kBurst; ++i) {
      const size_t session = next_++ % senders_.size();
      uint8_t* packet = buffer_.data() + i * (packet_bytes_ + kRoom);
      const uint64_t index = ++sent_[session];
      packet[0] = 0x80, packet[1] = 8;
      StoreBe16(packet + 2, uint16_t(index));
      StoreBe32(packet + 4, uint32_t(index * 160));
      StoreBe32(packet + 8, uint32_t(session + 1));
      sessions_[i] = session;
      jobs[i] = {.context = senders_[session].get(),
                 .packet = packet,
                 .length = uint32_t(packet_bytes_),
                 .capacity = uint32_t(packet_bytes_ + kRoom),
                 .header_bytes = 12,
                 .ssrc = uint32_t(session + 1),
                 .index = index};
    }
  }
  void TurnToReceivers() {
    for (size_t i = 0; i < kBurst; ++i) jobs[i].context = receivers_[sessions_[i]].get();
  }
  bool AllDone() const {
    for (const srtp::CryptoJob& job : jobs) {
      if (job.status != srtp::JobStatus::kDone) return false;
    }
    return true;
  }

  std::unique_ptr<Engine> transform = Make<Engine>();
  std::array<srtp::CryptoJob, kBurst> jobs;

 private:
  size_t packet_bytes_;
  size_t next_ = 0;
  std::vector<std::unique_ptr<srtp::CryptoContext>> senders_;
  std::vector<std::unique_ptr<srtp::CryptoContext>> receivers_;
  std::vector<uint64_t> sent_;
  std::vector<uint8_t> buffer_;
  std::array<size_t, kBurst> sessions_ = {};
};

/// Packet bytes of a payload: an RTP header before it.
constexpr size_t kHeaderBytes = 12;

template <typename Engine>
void Protect(benchmark::State& state, srtp::Profile profile) {
  Traffic<Engine> traffic(profile, size_t(state.range(2)), kHeaderBytes + size_t(state.range(1)));
  bench::MeasuredSection section;
  for (auto _ : state) {
    traffic.PrepareBurst();
    section.Run(state, kBurst, [&] { traffic.transform->Protect(traffic.jobs); });
    if (!traffic.AllDone()) return state.SkipWithError("a packet was not protected");
  }
  section.Report(state);
}

template <typename Engine>
void Unprotect(benchmark::State& state, srtp::Profile profile) {
  Traffic<Engine> traffic(profile, size_t(state.range(2)), kHeaderBytes + size_t(state.range(1)));
  bench::MeasuredSection section;
  for (auto _ : state) {
    traffic.PrepareBurst();
    traffic.transform->Protect(traffic.jobs);
    traffic.TurnToReceivers();
    section.Run(state, kBurst, [&] { traffic.transform->Unprotect(traffic.jobs); });
    if (!traffic.AllDone()) return state.SkipWithError("a packet was not unprotected");
  }
  section.Report(state);
}

void BM_IpsecMbProtect(benchmark::State& state, srtp::Profile profile) {
  Protect<crypto::IpsecMbTransform>(state, profile);
}
void BM_IpsecMbUnprotect(benchmark::State& state, srtp::Profile profile) {
  Unprotect<crypto::IpsecMbTransform>(state, profile);
}
void BM_LibsrtpProtect(benchmark::State& state, srtp::Profile profile) {
  Protect<crypto::LibsrtpTransform>(state, profile);
}
void BM_LibsrtpUnprotect(benchmark::State& state, srtp::Profile profile) {
  Unprotect<crypto::LibsrtpTransform>(state, profile);
}

// The baseline directly behind ours; 512 sessions of libsrtp2 are cold enough, and 4,096 take it minutes to make.
#define LG_SRTP_BENCH(action, profile)                                   \
  BENCHMARK_CAPTURE(BM_IpsecMb##action, profile, srtp::Profile::profile) \
      ->Args({kBurst, 160, 1})                                           \
      ->Args({kBurst, 160, 4096})                                        \
      ->Args({kBurst, 1200, 4096})                                       \
      ->UseManualTime();                                                 \
  BENCHMARK_CAPTURE(BM_Libsrtp##action, profile, srtp::Profile::profile) \
      ->Args({kBurst, 160, 1})                                           \
      ->Args({kBurst, 160, 512})                                         \
      ->UseManualTime()

LG_SRTP_BENCH(Protect, kAes128CmHmacSha1_80);
LG_SRTP_BENCH(Unprotect, kAes128CmHmacSha1_80);
LG_SRTP_BENCH(Protect, kAeadAes128Gcm);
LG_SRTP_BENCH(Unprotect, kAeadAes128Gcm);
LG_SRTP_BENCH(Protect, kAeadAes256Gcm);
LG_SRTP_BENCH(Unprotect, kAeadAes256Gcm);

}  // namespace
