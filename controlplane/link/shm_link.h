#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/abi/flow_command.h"
#include "dataplane/abi/flow_event.h"
#include "dataplane/abi/link_region.h"
#include "dataplane/abi/punt_record.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace linegate::link {

/// What workers tell us. `worker` is the ring it came from; a record that claims another worker's flow is dropped.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  virtual void OnCommandDone(const abi::CommandDone& done) = 0;
  virtual void OnPathValidated(const abi::PathEvent& path) = 0;
  virtual void OnPathSelected(const abi::PathEvent& path) = 0;
  virtual void OnConsentLost(const abi::FlowRef& flow) = 0;
  virtual void OnPuntedDtls(const abi::FlowRef& flow, const Endpoint& local, const Endpoint& remote,
                            ByteView datagram) = 0;
  /// A STUN message for the TURN server from a UDP client of `worker`. Valid during the call, as below.
  virtual void OnPuntedTurn(uint16_t worker, const abi::TurnPuntRecord& record, ByteView message) = 0;
  /// ChannelData or a Data indication for the stream client of `relay`.
  virtual void OnRelayToClient(const abi::RelayRef& relay, ByteView message) = 0;
  /// Another dataplane took the region: everything must be programmed again.
  virtual void OnDataplaneRestarted() = 0;
};

/// Packets for our ports that the XDP program dropped; at most a second old.
struct XdpDrops {
  uint64_t no_socket_pkts = 0;  ///< while no dataplane was bound
  uint64_t fragment_pkts = 0;
};

struct LinkCounters {
  uint64_t malformed_records = 0;  ///< wrong size, unknown type, another worker's flow
  uint64_t command_ring_full = 0;
  uint64_t inject_ring_full = 0;
};

/// The control plane's end of the link region: the only user of its rings here. Theory of operation: Poll is called every
/// millisecond while calls exist (no file descriptor wakes us: a worker makes no system call); it drains events and punts
/// with a bound, beats our heart, and notices a dead or new dataplane. Everything is copied before it is looked at.
class ShmLink {
 public:
  /// Errors: no region yet, other ABI, other configuration (see Region::Attach).
  static Result<ShmLink> Attach(const std::string& path, uint64_t config_hash, uint32_t workers,
                                uint32_t flows_per_worker, uint32_t relays_per_worker);
  ShmLink(ShmLink&&) = default;
  ShmLink& operator=(ShmLink&&) = default;

  /// False: the ring is full (counted); the sender repeats later, commands being at-least-once.
  bool SendCommand(uint16_t worker, abi::CommandType type, ByteView command);
  bool Inject(uint16_t worker, const abi::InjectRecord& record, ByteView payload);
  /// An answer of the TURN server to a UDP client.
  bool InjectFromListener(uint16_t worker, const abi::ListenerInjectRecord& record, ByteView message);
  /// What a stream client sends to its peers.
  bool InjectFromClient(const abi::RelayRef& relay, ByteView message);
  void Poll(TimePoint now, LinkHandler& handler);

  /// The dataplane's heart beat within the last 500 ms.
  bool dataplane_up(TimePoint now) const;
  std::array<uint8_t, 16> ice_key() const;
  /// First command sequence number this life may use.
  uint64_t first_sequence() const { return first_sequence_; }
  /// Remembered in the region for our successor.
  void NoteSequence(uint64_t sequence);
  XdpDrops ReadXdpDrops() const;
  void ReadCounters(uint16_t worker, abi::WorkerCounters& out) const;
  /// nullopt: the slot has served another flow since.
  std::optional<abi::FlowStats> ReadFlowStats(const abi::FlowRef& flow) const;
  std::optional<abi::RelayStats> ReadRelayStats(const abi::RelayRef& relay) const;
  uint32_t workers() const { return region_view_.layout().workers(); }
  const LinkCounters& counters() const { return counters_; }

 private:
  ShmLink(abi::Region region, const abi::LinkLayout& layout);
  void HandleEvent(uint16_t worker, uint32_t type, ByteView payload, LinkHandler& handler);
  void HandlePunt(uint16_t worker, uint32_t type, ByteView payload, LinkHandler& handler);
  template <typename Record>
  bool WriteInject(uint16_t worker, abi::InjectKind kind, Record record, ByteView payload);

  struct WorkerRings {
    abi::RingProducer commands, inject;
    abi::RingConsumer events, punts;
  };
  abi::Region region_;
  abi::LinkRegion region_view_;
  std::vector<WorkerRings> rings_;
  uint64_t epoch_ = 0;
  uint64_t first_sequence_ = 1;
  LinkCounters counters_;
};

}  // namespace linegate::link
