// linegate-memif-floor FRAME_BYTES [LOG2_RING_SLOTS]: cycles that a packet costs between two cores over memif when nobody looks into it.
//
// One thread floods, the other sends every frame back as it came, through the very port classes of the dataplane: what
// remains of a dataplane's cycles when all of its own work is taken away. Prints one line.
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/app/eal_setup.h"
#include "drivers/net/dpdk_port.h"
#include "drivers/net/memif_socket.h"
#include "perf/load/suite.h"

namespace linegate::load {
namespace {

constexpr uint64_t kPacketsPerWindow = 8192;
constexpr size_t kWindows = 2000;
constexpr auto kLinkLimit = std::chrono::seconds(10);

bool PinTo(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

void Flood(drivers::DpdkPort& port, uint16_t frame_bytes, const std::atomic<bool>& stop) {
  (void)PinTo(0);
  (void)app::RegisterWorkerThread();
  std::array<io::Packet, io::kMaxBurst> burst;
  while (!stop.load(std::memory_order_relaxed)) {
    const size_t back = port.Receive(burst);
    if (back != 0) port.Free(std::span(burst).first(back));
    size_t count = 0;
    for (; count < burst.size() && port.Allocate(burst[count]); ++count) {
      burst[count].length = frame_bytes;
      burst[count].data[0] = uint8_t(count);
    }
    if (count != 0) port.Send(std::span(burst).first(count));
  }
  app::UnregisterWorkerThread();
}

struct Window {
  uint64_t cycles = 0;  ///< of turns that had packets
  uint64_t packets = 0;
  uint64_t turns = 0;
};

std::vector<Window> Echo(drivers::DpdkPort& port) {
  (void)PinTo(1);
  std::vector<Window> windows(kWindows);
  std::array<io::Packet, io::kMaxBurst> burst;
  for (Window& window : windows) {
    while (window.packets < kPacketsPerWindow) {
      const uint64_t begin = __rdtsc();
      const size_t count = port.Receive(burst);
      if (count == 0) continue;
      port.Send(std::span(burst).first(count));
      window.cycles += __rdtsc() - begin;
      window.packets += count;
      ++window.turns;
    }
  }
  return windows;
}

Status Measure(uint16_t frame_bytes, uint8_t log2_slots) {
  const std::string socket = "/tmp/linegate-memif-floor-" + std::to_string(getpid()) + ".sock";
  if (Status claimed = drivers::ClaimMemifSocket(socket); !claimed) return claimed;
  auto pool = drivers::DpdkPool::Create(drivers::DpdkPool::BuffersFor(2));
  if (!pool) return MakeUnexpected(pool.error());
  auto server = drivers::DpdkPort::Open(*pool, 0, drivers::MemifDevice{.socket = socket});
  if (!server) return MakeUnexpected(server.error());
  auto client = drivers::DpdkPort::Open(
      *pool, 1,
      drivers::MemifDevice{
          .socket = socket, .role = drivers::MemifDevice::Role::kClient, .log2_slots = log2_slots});
  if (!client) return MakeUnexpected(client.error());
  const auto limit = std::chrono::steady_clock::now() + kLinkLimit;
  while (!(*server)->link_up() || !(*client)->link_up()) {
    if (std::chrono::steady_clock::now() > limit) return Fail("the two ports do not meet");
  }
  std::atomic<bool> stop = false;
  std::vector<Window> windows;
  std::thread flood([&] { Flood(**client, frame_bytes, stop); });
  std::thread echo([&] {
    (void)app::RegisterWorkerThread();
    windows = Echo(**server);
    app::UnregisterWorkerThread();
  });
  echo.join();
  stop = true;
  flood.join();
  std::vector<double> cycles;
  Window all;
  for (const Window& window : windows) {
    cycles.push_back(double(window.cycles) / double(window.packets));
    all.packets += window.packets;
    all.turns += window.turns;
  }
  std::ranges::sort(cycles);
  std::printf(
      "memif, %u bytes, rings of %u: %.0f cycles per packet to receive and send it (median; best %.0f, 90 %% "
      "below %.0f), "
      "bursts of %.0f\n",
      unsigned{frame_bytes}, 1u << log2_slots, cycles[cycles.size() / 2], cycles.front(),
      cycles[cycles.size() * 9 / 10], double(all.packets) / double(all.turns));
  return {};
}

int Main(int argc, char** argv) {
  unsigned frame_bytes = 0, log2_slots = LoadOptions().log2_ring_slots;
  if (argc > 1) std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), frame_bytes);
  if (argc > 2) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), log2_slots);
  if (frame_bytes < 60 || frame_bytes > 1514 || log2_slots > 14)
    return std::fprintf(stderr, "linegate-memif-floor FRAME_BYTES [LOG2_RING_SLOTS]\n"), 2;
  auto eal = app::StartEal(settings::HugepageMode::kAuto, drivers::DpdkPool::MegabytesFor(2));
  const Status done =
      eal ? Measure(uint16_t(frame_bytes), uint8_t(log2_slots)) : Status(MakeUnexpected(eal.error()));
  if (!done) std::fprintf(stderr, "linegate-memif-floor: %s\n", done.error().message().c_str());
  if (eal) app::StopEal();
  return done ? 0 : 1;
}

}  // namespace
}  // namespace linegate::load

int main(int argc, char** argv) { return linegate::load::Main(argc, argv); }
