// linegate-xdp-echo INTERFACE CORE: sends every frame back to where it came from, by AF_XDP. What a relay on this link
// could reach if it had nothing to do.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "dataplane/app/eal_setup.h"
#include "drivers/net/dpdk_port.h"

namespace linegate::peers {
namespace {

std::atomic<bool> stop = false;

/// Ethernet addresses, IPv4 addresses and UDP ports change places; no checksum changes with that.
void TurnRound(io::Packet& packet) {
  constexpr size_t kIpAddresses = 26, kUdpPorts = 34, kLeast = 42;
  if (packet.length < kLeast) return;
  std::swap_ranges(packet.data, packet.data + 6, packet.data + 6);
  std::swap_ranges(packet.data + kIpAddresses, packet.data + kIpAddresses + 4,
                   packet.data + kIpAddresses + 4);
  std::swap_ranges(packet.data + kUdpPorts, packet.data + kUdpPorts + 2, packet.data + kUdpPorts + 2);
}

Status Echo(const char* interface) {
  auto pool = drivers::DpdkPool::Create(drivers::DpdkPool::BuffersFor(1));
  if (!pool) return MakeUnexpected(pool.error());
  auto port = drivers::DpdkPort::Open(*pool, 0, drivers::AfXdpDevice{.interface = interface});
  if (!port) return MakeUnexpected(port.error());
  std::puts("ready");
  std::fflush(stdout);
  while (!stop.load(std::memory_order_relaxed)) {
    std::array<io::Packet, io::kMaxBurst> burst;
    const size_t count = (*port)->Receive(burst);
    for (size_t i = 0; i < count; ++i) TurnRound(burst[i]);
    if (count != 0) (*port)->Send(std::span(burst).first(count));
  }
  return {};
}

int Main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "linegate-xdp-echo INTERFACE CORE\n"), 2;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(std::atoi(argv[2]), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  std::signal(SIGTERM, [](int) { stop = true; });
  auto eal = app::StartEal(settings::HugepageMode::kAuto, drivers::DpdkPool::MegabytesFor(1));
  const Status done = eal ? Echo(argv[1]) : Status(MakeUnexpected(eal.error()));
  if (!done) std::fprintf(stderr, "linegate-xdp-echo: %s\n", done.error().message().c_str());
  if (eal) app::StopEal();
  return done ? 0 : 1;
}

}  // namespace
}  // namespace linegate::peers

int main(int argc, char** argv) { return linegate::peers::Main(argc, argv); }
