// The smallest dataplane: everything of dataplane/app and drivers/net, and a worker that sends each UDP
// datagram back. xdp_test.py drives it. Prints "ready" when its sockets are bound, one line of JSON at the
// end. SIGTERM ends it gracefully.
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/app/eal_setup.h"
#include "dataplane/app/port_setup.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/frame_view.h"

namespace linegate {
namespace {

volatile sig_atomic_t stop_requested = 0;

struct Totals {
  uint64_t received = 0, sent = 0, unfinished = 0, bad_checksum = 0, not_udp = 0;
};

/// Turns the frame round. False if it is no UDP datagram, or damaged.
bool TurnRound(io::Packet& packet, Totals& totals) {
  wire::FrameView view;
  if (wire::ParseFrame(packet.bytes(), view) != wire::FrameError::kNone) return ++totals.not_udp, false;
  if (packet.rx_checksum == io::RxChecksum::kUnfinished) {
    ++totals.unfinished;
  } else if (!wire::UdpChecksumValid(packet.bytes(), view)) {
    return ++totals.bad_checksum, false;
  }
  uint8_t* ip = packet.data + view.l2_bytes;
  uint8_t* udp = packet.data + view.udp_offset;
  std::swap_ranges(packet.data, packet.data + 6, packet.data + 6);
  if (view.family() == IpFamily::kIpv4) {
    std::swap_ranges(ip + 12, ip + 16, ip + 16);
  } else {
    std::swap_ranges(ip + 8, ip + 24, ip + 24);
  }
  std::swap_ranges(udp, udp + 2, udp + 2);
  StoreBe16(udp + 6, 0);
  StoreBe16(udp + 6, wire::UdpChecksum(view.destination.address, view.source.address, {udp, view.udp_bytes}));
  return true;
}

/// True if there was something.
bool Poll(io::PacketPort& port, Totals& totals) {
  std::array<io::Packet, io::kMaxBurst> burst;
  const size_t received = port.Receive(burst);
  if (received == 0) return false;
  totals.received += received;
  size_t kept = 0;
  for (size_t i = 0; i < received; ++i) {
    if (TurnRound(burst[i], totals)) {
      burst[kept++] = burst[i];
    } else {
      port.Free(std::span(&burst[i], 1));
    }
  }
  totals.sent += port.Send(std::span(burst).first(kept));
  return true;
}

int Run(const std::string& config) {
  const auto fail = [](const Error& error) {
    return std::fprintf(stderr, "%s\n", error.message().c_str()), 1;
  };
  auto settings = settings::LoadDataplaneSettings(config);
  if (!settings) return fail(settings.error());
  auto eal = app::StartEal(settings->hugepages, app::NetworkMegabytes(*settings));
  if (!eal) return fail(eal.error());
  if (Status registered = app::RegisterWorkerThread(); !registered) return fail(registered.error());
  auto network = app::NetworkPorts::Open(*settings);
  if (!network) return fail(network.error());
  for (const std::string& warning : network->warnings())
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  std::printf("ready hugepages=%d %s\n", int(eal->hugepages), eal->note.c_str());
  std::fflush(stdout);
  Totals totals;
  const std::vector<io::PacketPort*> ports = network->PortsOf(0);
  while (!stop_requested) {
    bool busy = false;
    for (io::PacketPort* port : ports) busy |= Poll(*port, totals);
    if (!busy) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  const auto counters = network->ReadXdpCounters();
  if (!counters) return fail(counters.error());
  std::printf(
      "{\"received\": %lu, \"sent\": %lu, \"unfinished\": %lu, \"bad_checksum\": %lu, \"not_udp\": %lu",
      totals.received, totals.sent, totals.unfinished, totals.bad_checksum, totals.not_udp);
  for (size_t i = 0; i < counters->size(); ++i) {
    std::printf(", \"xdp_%s\": %lu", std::string(drivers::XdpCounterName(LgXdpCounter(i))).c_str(),
                (*counters)[i]);
  }
  std::printf("}\n");
  if (Status closed = network->Close(); !closed) return fail(closed.error());
  return 0;
}

}  // namespace
}  // namespace linegate

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: xdp_echo CONFIG\n"), 2;
  struct sigaction action = {};
  action.sa_handler = [](int) { linegate::stop_requested = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  const int status = linegate::Run(argv[1]);
  linegate::app::StopEal();
  return status;
}
