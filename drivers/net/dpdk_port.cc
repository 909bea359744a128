#include "drivers/net/dpdk_port.h"

#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#include "dataplane/base/check.h"
#include "drivers/net/memif_guard.h"
#include "drivers/net/unfinished_checksum.h"

namespace linegate::drivers {
namespace {

// The AF_XDP driver's rings have this size whatever is asked for; a smaller request is refused.
constexpr uint16_t kDescriptors = 2048;

/// libxdp's last complaint, for error messages only: it also warns, on every bind, that it will not remove a
/// program without a reference count, which is what we want.
thread_local std::string last_libxdp_warning;

int KeepLibxdpWarning(libxdp_print_level level, const char* format, va_list arguments) {
  if (level != LIBXDP_WARN) return 0;
  char text[256];
  std::vsnprintf(text, sizeof text, format, arguments);
  last_libxdp_warning = text;
  while (!last_libxdp_warning.empty() && last_libxdp_warning.back() == '\n') last_libxdp_warning.pop_back();
  return 0;
}

void Fill(io::Packet& packet, rte_mbuf* mbuf, uint16_t port_id) {
  packet.data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  packet.length = rte_pktmbuf_data_len(mbuf);
  packet.headroom = rte_pktmbuf_headroom(mbuf);
  packet.tailroom = rte_pktmbuf_tailroom(mbuf);
  packet.port_id = port_id;
  packet.rx_checksum = io::RxChecksum::kUnknown;
  packet.buffer = mbuf;
}

rte_mbuf* MbufOf(const io::Packet& packet) { return static_cast<rte_mbuf*>(packet.buffer); }

}  // namespace

DpdkPort::DpdkPort(const DpdkPool& pool, uint16_t port_id, std::string device_name, Kind kind)
    : pool_(pool.handle()), port_id_(port_id), device_name_(std::move(device_name)), kind_(kind) {}

Result<std::unique_ptr<DpdkPort>> DpdkPort::Open(const DpdkPool& pool, uint16_t port_id,
                                                 const AfXdpDevice& device) {
  const std::string queue = std::to_string(device.queue);
  std::unique_ptr<DpdkPort> port(
      new DpdkPort(pool, port_id, "net_af_xdp_" + device.interface + "_" + queue, Kind::kAfXdp));
  // Never `xdp_prog=`: the driver would own the program, and kill -9 would leave it attached for good.
  return Open(std::move(port), "iface=" + device.interface + ",start_queue=" + queue +
                                   ",queue_count=1,busy_budget=" +
                                   (device.busy_poll == AfXdpDevice::BusyPoll::kOn ? "64" : "0"));
}

Result<std::unique_ptr<DpdkPort>> DpdkPort::Open(const DpdkPool& pool, uint16_t port_id,
                                                 const PcapDevice& device) {
  std::unique_ptr<DpdkPort> port(new DpdkPort(pool, port_id, "net_pcap_" + device.name, Kind::kPcap));
  std::string arguments;
  if (!device.receive_file.empty()) arguments = "rx_pcap=" + device.receive_file;
  if (!device.send_file.empty())
    arguments += (arguments.empty() ? "" : ",") + ("tx_pcap=" + device.send_file);
  return Open(std::move(port), arguments);
}

Result<std::unique_ptr<DpdkPort>> DpdkPort::Open(const DpdkPool& pool, uint16_t port_id,
                                                 const MemifDevice& device) {
  if (!MemifGuard::Register()) return Fail("memif needs membarrier(2), which this kernel does not have");
  const bool server = device.role == MemifDevice::Role::kServer;
  std::unique_ptr<DpdkPort> port(new DpdkPort(
      pool, port_id,
      "net_memif_" + std::to_string(port_id) + "_" + std::to_string(device.id) + (server ? "s" : "c"),
      Kind::kMemif));
  return Open(std::move(port), std::string("role=") + (server ? "server" : "client") +
                                   ",id=" + std::to_string(device.id) + ",socket=" + device.socket +
                                   ",socket-abstract=no,bsize=" + std::to_string(kBufferBytes) +
                                   ",rsize=" + std::to_string(device.log2_slots));
}

Result<std::unique_ptr<DpdkPort>> DpdkPort::Open(std::unique_ptr<DpdkPort> port,
                                                 const std::string& arguments) {
  libxdp_set_print(KeepLibxdpWarning);
  last_libxdp_warning.clear();
  if (Status started = port->Start(arguments); !started) {
    const std::string reason = last_libxdp_warning.empty() ? "" : " (" + last_libxdp_warning + ")";
    return Fail("port " + port->device_name_ + ": " + started.error().message() + reason);
  }
  return port;
}

Status DpdkPort::Start(const std::string& arguments) {
  const auto fail = [](const char* step, int error) {
    return Fail(std::string("cannot ") + step + ": " + rte_strerror(error < 0 ? -error : error));
  };
  if (int error = rte_vdev_init(device_name_.c_str(), arguments.c_str()); error != 0) {
    return fail("create the device", error);
  }
  if (int error = rte_eth_dev_get_port_by_name(device_name_.c_str(), &ethdev_); error != 0) {
    return fail("find the device", error);
  }
  rte_eth_conf configuration = {};
  if (int error = rte_eth_dev_configure(ethdev_, 1, 1, &configuration); error != 0)
    return fail("configure", error);
  if (int error = rte_eth_rx_queue_setup(ethdev_, 0, kDescriptors, SOCKET_ID_ANY, nullptr, pool_);
      error != 0) {
    return fail("set up the receive queue", error);
  }
  if (int error = rte_eth_tx_queue_setup(ethdev_, 0, kDescriptors, SOCKET_ID_ANY, nullptr); error != 0) {
    return fail("set up the transmit queue", error);
  }
  rte_ether_addr address = {};
  if (int error = rte_eth_macaddr_get(ethdev_, &address); error != 0)
    return fail("read the MAC address", error);
  std::memcpy(mac_.bytes.data(), address.addr_bytes, mac_.bytes.size());
  if (int error = rte_eth_dev_start(ethdev_); error != 0) return fail("start", error);
  started_ = true;
  return {};
}

Status DpdkPort::Reconnect() {
  LG_ASSERT(kind_ == Kind::kMemif);
  if (started_) rte_eth_dev_stop(ethdev_);
  const int error = rte_eth_dev_start(ethdev_);
  started_ = error == 0;
  if (!started_) return Fail("port " + device_name_ + ": nobody listens");
  return {};
}

bool DpdkPort::link_up() const {
  rte_eth_link link = {};
  return rte_eth_link_get_nowait(ethdev_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

DpdkPort::~DpdkPort() {
  if (ethdev_ == UINT16_MAX) return;
  // On closing it tries to take a native program off, which hangs on our link and stays, and says so.
  if (kind_ == Kind::kAfXdp) rte_log_set_level_pattern("pmd.net.af_xdp", RTE_LOG_CRIT);
  rte_eth_dev_stop(ethdev_);
  rte_eth_dev_close(ethdev_);
  rte_vdev_uninit(device_name_.c_str());
}

uint16_t DpdkPort::ReceiveMbufs(rte_mbuf** mbufs, uint16_t wanted) {
  if (kind_ != Kind::kMemif) return rte_eth_rx_burst(ethdev_, 0, mbufs, wanted);
  if (!started_) return 0;
  const MemifGuard guard(ethdev_);
  return rte_eth_rx_burst(ethdev_, 0, mbufs, wanted);
}

uint16_t DpdkPort::SendMbufs(rte_mbuf** mbufs, uint16_t count) {
  if (kind_ != Kind::kMemif) return rte_eth_tx_burst(ethdev_, 0, mbufs, count);
  if (!started_) return 0;
  const MemifGuard guard(ethdev_);
  return rte_eth_tx_burst(ethdev_, 0, mbufs, count);
}

size_t DpdkPort::Receive(std::span<io::Packet> out) {
  std::array<rte_mbuf*, io::kMaxBurst> mbufs;
  const auto wanted = uint16_t(std::min(out.size(), mbufs.size()));
  const uint16_t received = ReceiveMbufs(mbufs.data(), wanted);
  size_t count = 0;
  for (uint16_t i = 0; i < received; ++i) {
    if (mbufs[i]->nb_segs != 1) [[unlikely]] {
      rte_pktmbuf_free(mbufs[i]);
      continue;
    }
    io::Packet& packet = out[count++];
    Fill(packet, mbufs[i], port_id_);
    if (kind_ == Kind::kAfXdp) packet.rx_checksum = ProbeUnfinishedChecksum(packet.bytes());
  }
  stats_.received_pkts += count;
  return count;
}

size_t DpdkPort::SendBurst(std::span<const io::Packet> packets) {
  std::array<rte_mbuf*, io::kMaxBurst> mbufs;
  for (size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* mbuf = MbufOf(packets[i]);
    mbuf->data_off = uint16_t(packets[i].data - static_cast<uint8_t*>(mbuf->buf_addr));
    mbuf->data_len = packets[i].length;
    mbuf->pkt_len = packets[i].length;
    mbufs[i] = mbuf;
  }
  const auto count = uint16_t(packets.size());
  const uint16_t sent = SendMbufs(mbufs.data(), count);
  if (sent < count) [[unlikely]]
    rte_pktmbuf_free_bulk(mbufs.data() + sent, count - sent);
  stats_.sent_pkts += sent;
  stats_.send_failed_pkts += uint64_t(count - sent);
  return sent;
}

size_t DpdkPort::Send(std::span<const io::Packet> packets) {
  return io::SendInBursts(packets, [this](std::span<const io::Packet> burst) { return SendBurst(burst); });
}

bool DpdkPort::Allocate(io::Packet& out) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
  if (mbuf == nullptr) return false;
  Fill(out, mbuf, port_id_);
  return true;
}

void DpdkPort::Free(std::span<const io::Packet> packets) {
  for (const io::Packet& packet : packets) rte_pktmbuf_free(MbufOf(packet));
}

}  // namespace linegate::drivers
