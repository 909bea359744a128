#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/base/result.h"
#include "dataplane/io/packet_port.h"
#include "drivers/net/dpdk_pool.h"

struct rte_mbuf;

namespace linegate::drivers {

/// An AF_XDP device on one receive queue of a kernel interface. The XDP program must be attached already
/// (drivers/net/xdp): the device adopts it.
struct AfXdpDevice {
  std::string interface;
  uint16_t queue = 0;
  /// Poll the NIC's driver from the worker (SO_PREFER_BUSY_POLL): pays with native mode on physical ports
  /// only.
  enum class BusyPoll : uint8_t { kOff, kOn } busy_poll = BusyPoll::kOff;
};

/// Replays one capture and records what is sent into another. One of the two may be empty: receives nothing,
/// or drops what is sent.
struct PcapDevice {
  std::string name;  ///< unique per process
  std::string receive_file;
  std::string send_file;
};

/// A ring pair shared with another poll-mode process, a virtual switch or a load generator (memif). The server
/// makes the Unix socket by which the two meet (ClaimMemifSocket first) and takes a new client when one went
/// away; a client connects when it is opened, and never again by itself.
struct MemifDevice {
  std::string socket;  ///< absolute path
  uint16_t id = 0;     ///< tells several port pairs on one socket apart; equal on both sides
  enum class Role : uint8_t { kServer, kClient } role = Role::kServer;
  uint8_t log2_slots = 10;  ///< the client's choice; 1,024 slots stay within the cache
};

/// One queue pair of one DPDK ethdev as a PacketPort.
///
/// Theory of operation. Open creates the virtual device, gives it one receive and one transmit queue over the
/// shared pool, and starts it; the destructor stops and removes it. Between the calls a packet is an mbuf
/// whose fields Packet mirrors; Send writes data and length back. Frames in several segments (jumbo) are
/// dropped and not counted as received. The thread that calls Receive and Send owns the port; it should be
/// registered with DPDK (rte_thread_register), otherwise every buffer bypasses the pool's cache.
///
/// Checksums: AF_XDP hides whether the kernel ever computed one. Local senders over veth, and virtual
/// machines' NICs, leave the bare pseudo-header sum (CHECKSUM_PARTIAL); such frames are recognised and marked
/// kUnfinished, all others are kUnknown. What we send carries the checksum it was given.
class DpdkPort final : public io::PacketPort {
 public:
  /// `port_id` is what received packets carry. Errors: names the device and DPDK's reason.
  static Result<std::unique_ptr<DpdkPort>> Open(const DpdkPool& pool, uint16_t port_id,
                                                const AfXdpDevice& device);
  static Result<std::unique_ptr<DpdkPort>> Open(const DpdkPool& pool, uint16_t port_id,
                                                const PcapDevice& device);
  static Result<std::unique_ptr<DpdkPort>> Open(const DpdkPool& pool, uint16_t port_id,
                                                const MemifDevice& device);
  DpdkPort(const DpdkPort&) = delete;
  DpdkPort& operator=(const DpdkPort&) = delete;
  ~DpdkPort() override;

  size_t Receive(std::span<io::Packet> out) override;
  size_t Send(std::span<const io::Packet> packets) override;
  bool Allocate(io::Packet& out) override;
  void Free(std::span<const io::Packet> packets) override;
  MacAddress mac() const override { return mac_; }
  io::PortStats stats() const override { return stats_; }

  /// Of a memif port: a peer is connected. Others are always up.
  bool link_up() const;
  /// Of a memif client whose link is down: connects anew, which it never does by itself; to be called again while the link
  /// stays down. Errors: nobody listens (yet); until a later call succeeds, Receive and Send find nothing.
  Status Reconnect();

 private:
  enum class Kind : uint8_t { kAfXdp, kPcap, kMemif };
  DpdkPort(const DpdkPool& pool, uint16_t port_id, std::string device_name, Kind kind);
  static Result<std::unique_ptr<DpdkPort>> Open(std::unique_ptr<DpdkPort> port, const std::string& arguments);
  Status Start(const std::string& arguments);
  uint16_t ReceiveMbufs(rte_mbuf** mbufs, uint16_t wanted);
  uint16_t SendMbufs(rte_mbuf** mbufs, uint16_t count);
  size_t SendBurst(std::span<const io::Packet> packets);

  rte_mempool* const pool_;
  const uint16_t port_id_;
  const std::string device_name_;
  const Kind kind_;
  uint16_t ethdev_ = UINT16_MAX;  ///< DPDK's number; UINT16_MAX: not created
  bool started_ = false;
  MacAddress mac_;
  io::PortStats stats_;
};

}  // namespace linegate::drivers
