#include "dataplane/nodes/transmit.h"

#include <cstring>

namespace linegate::nodes {
namespace {

using abi::DropReason;

bool HeadersFit(const io::Packet& packet, const uint8_t* payload, const wire::FrameTemplate& headers) {
  return size_t(payload - (packet.data - packet.headroom)) >= headers.header_bytes();
}

/// `out` = `packet` from `frame` to the end of the payload. They may be the same.
void Reframe(const io::Packet& packet, uint8_t* frame, uint8_t* payload, size_t payload_bytes,
             io::Packet& out) {
  uint8_t* const end = packet.data + packet.length + packet.tailroom;
  uint8_t* const begin = packet.data - packet.headroom;
  out.data = frame;
  out.length = uint16_t(payload + payload_bytes - frame);
  out.headroom = uint16_t(frame - begin);
  out.tailroom = uint16_t(end - (payload + payload_bytes));
  out.port_id = packet.port_id;
  out.rx_checksum = packet.rx_checksum;
  out.buffer = packet.buffer;
}

void Frame(const io::Packet& packet, const PacketMeta& meta, io::Packet& out) {
  uint8_t* const frame = meta.open ? meta.out->Write(meta.payload, meta.payload_bytes, meta.ip)
                                   : meta.out->Write(meta.payload, meta.payload_bytes);
  Reframe(packet, frame, meta.payload, meta.payload_bytes, out);
}

}  // namespace

void Transmit(PacketBatch& batch, NodeContext& context) {
  for (size_t i = 0; i < batch.count; ++i) {
    PacketMeta& meta = batch.meta[i];
    if (meta.verdict != Verdict::kForward || !meta.ready) continue;
    io::Packet& packet = batch.packets[i];
    if (!HeadersFit(packet, meta.payload, *meta.out)) [[unlikely]] {
      context.Drop(meta, DropReason::kNoRoom);
      continue;
    }
    if (meta.internal) [[unlikely]] {
      if (meta.hops >= kMaxInternalHops) {
        context.Drop(meta, DropReason::kHairpinLoop);
        continue;
      }
      Frame(packet, meta, packet);
      packet.rx_checksum = io::RxChecksum::kGood;
      packet.port_id = meta.out_port;
      meta.verdict = Verdict::kLoop;
      context.Count(abi::Counter::kLoopedPkts);
      continue;
    }
    Frame(packet, meta, context.tx.Claim(meta.out_port));
  }
}

bool TransmitOne(io::Packet packet, uint8_t* payload, size_t payload_bytes, const wire::FrameHeader& header,
                 uint16_t port_id, NodeContext& context) {
  const wire::FrameTemplate headers(header);
  if (!HeadersFit(packet, payload, headers)) {
    context.ports[port_id]->Free({&packet, 1});
    return false;
  }
  Reframe(packet, headers.Write(payload, payload_bytes), payload, payload_bytes, packet);
  if (!context.local_ports.IsOurAddress(header.destination.address)) {
    context.tx.Push(port_id, packet);
    return true;
  }
  packet.rx_checksum = io::RxChecksum::kGood;
  packet.port_id = port_id;
  if (context.loops.Push(packet)) {
    context.Count(abi::Counter::kLoopedPkts);
    return true;
  }
  context.ports[port_id]->Free({&packet, 1});
  return false;
}

DropReason TransmitCopy(ByteView payload, const wire::FrameHeader& header, uint16_t port_id,
                        NodeContext& context) {
  io::PacketPort& port = *context.ports[port_id];
  io::Packet packet;
  if (!port.Allocate(packet)) return DropReason::kNoBuffer;
  if (packet.tailroom < wire::kMaxFrameHeaderBytes + payload.size()) {
    port.Free({&packet, 1});
    return DropReason::kNoRoom;
  }
  packet.length = 0;
  uint8_t* const out = packet.data + wire::kMaxFrameHeaderBytes;
  if (!payload.empty()) std::memcpy(out, payload.data(), payload.size());
  const bool sent = TransmitOne(packet, out, payload.size(), header, port_id, context);
  return sent ? DropReason::kNone : DropReason::kHairpinLoop;
}

}  // namespace linegate::nodes
