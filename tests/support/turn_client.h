#pragma once
#include "tests/support/dataplane_calls.h"

/// What TURN tests of the dataplane speak: commands of the control plane, messages of a client.
namespace linegate::test {

inline const Endpoint kTurnListener4 = At("10.90.1.1:443");
inline const Endpoint kTurnListener6 = At("[fd90:1::1]:443");

inline abi::RelayRef Relay(uint32_t index, uint32_t generation = 1, uint16_t worker = 0) {
  return {index, generation, worker, 0};
}

/// Relayed addresses 10.90.1.1:`port` and, where `both_families`, [fd90:1::1]:`port`.
enum class RelayFamilies : uint8_t { kIpv4, kIpv6, kBoth };
inline abi::RelayConfig StreamRelay(uint16_t port, RelayFamilies families = RelayFamilies::kBoth) {
  abi::RelayConfig config;
  config.transport = abi::ClientTransport::kStream;
  if (families != RelayFamilies::kIpv6)
    config.relayed[0] = abi::SocketAddress::From({kTurnListener4.address, port});
  if (families != RelayFamilies::kIpv4)
    config.relayed[1] = abi::SocketAddress::From({kTurnListener6.address, port});
  return config;
}
inline abi::RelayConfig DatagramRelay(const Endpoint& client, uint16_t port,
                                      RelayFamilies families = RelayFamilies::kBoth) {
  abi::RelayConfig config = StreamRelay(port, families);
  config.transport = abi::ClientTransport::kDatagram;
  config.client_local = abi::SocketAddress::From(client.address.is_v4() ? kTurnListener4 : kTurnListener6);
  config.client_remote = abi::SocketAddress::From(client);
  config.client_next_hop = NextHopTo(DataplaneBench::kPublic);
  return config;
}

/// `port` 0 in `wire`: a permission; with `channel`: a channel.
inline abi::RelayPeer PeerOf(const Endpoint& wire, uint16_t channel = 0,
                             uint16_t port = DataplaneBench::kPrivate) {
  abi::RelayPeer peer;
  peer.wire = peer.shown = abi::SocketAddress::From(wire);
  peer.channel = channel;
  peer.permitted = 1;
  peer.next_hop = NextHopTo(port);
  return peer;
}

inline abi::CommandStatus ProgramRelay(DataplaneBench& bench, const abi::RelayRef& relay,
                                       const abi::RelayConfig& config) {
  abi::ProgramRelay command;
  command.header.flow = relay;
  command.config = config;
  return bench.Do(abi::CommandType::kProgramRelay, command);
}
inline abi::CommandStatus SetPeer(DataplaneBench& bench, const abi::RelayRef& relay, uint32_t index,
                                  const abi::RelayPeer& peer) {
  abi::SetRelayPeer command;
  command.header.flow = relay;
  command.index = index;
  command.peer = peer;
  return bench.Do(abi::CommandType::kSetRelayPeer, command);
}
inline abi::CommandStatus RemoveRelay(DataplaneBench& bench, const abi::RelayRef& relay) {
  abi::RemoveRelay command;
  command.header.flow = relay;
  return bench.Do(abi::CommandType::kRemoveRelay, command);
}

inline std::vector<uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

/// `length` overrides the length field.
inline std::vector<uint8_t> ChannelData(uint16_t channel, ByteView data, size_t padding = 0,
                                        int length = -1) {
  std::vector<uint8_t> message(4 + data.size() + padding);
  StoreBe16(message.data(), channel);
  StoreBe16(message.data() + 2, length < 0 ? uint16_t(data.size()) : uint16_t(length));
  std::copy(data.begin(), data.end(), message.begin() + 4);
  return message;
}

/// A STUN message of `type`s and attributes added by `add(writer)`.
template <typename Add>
std::vector<uint8_t> StunOf(wire::StunClass message_class, wire::StunMethod method, Add&& add) {
  static constexpr uint8_t kTransaction[12] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2};
  uint8_t buffer[2000];
  wire::StunMessageWriter writer(buffer, message_class, method, kTransaction);
  add(writer);
  const ByteView message = writer.Finish();
  LG_FATAL(!message.empty());
  return {message.begin(), message.end()};
}

inline std::vector<uint8_t> SendIndication(const Endpoint& peer, ByteView data, bool dont_fragment = false) {
  return StunOf(wire::StunClass::kIndication, wire::StunMethod::kSend, [&](wire::StunMessageWriter& writer) {
    writer.AddXorAddress(wire::StunAttribute::kXorPeerAddress, peer);
    if (dont_fragment) writer.AddFlag(wire::StunAttribute::kDontFragment);
    writer.AddBytes(wire::StunAttribute::kData, data);
  });
}

inline void InjectFromStream(DataplaneBench& bench, const abi::RelayRef& relay, ByteView message) {
  abi::RelayInjectRecord record;
  record.relay = relay;
  record.payload_bytes = uint32_t(message.size());
  bench.InjectRecord(relay.worker, abi::InjectKind::kRelayFromClient, record, message);
}

}  // namespace linegate::test
