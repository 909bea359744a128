#include "drivers/net/memory_port.h"

#include <algorithm>
#include <utility>

namespace linegate::drivers {

MemoryPool::MemoryPool(size_t buffers) {
  buffers_.reserve(buffers);
  free_.reserve(buffers);
  for (size_t i = 0; i < buffers; ++i) {
    buffers_.push_back(std::make_unique<Buffer>());
    free_.push_back(buffers_.back().get());
  }
}

bool MemoryPool::Take(io::Packet& out) {
  if (exhausted_ || free_.empty()) return false;
  Buffer* buffer = free_.back();
  free_.pop_back();
  buffer->taken = true;
  out = {};
  out.data = buffer->bytes + kHeadroom;
  out.headroom = kHeadroom;
  out.tailroom = kRoom;
  out.buffer = buffer;
  return true;
}

void MemoryPool::Return(const io::Packet& packet) {
  auto* buffer = static_cast<Buffer*>(packet.buffer);
  LG_FATAL(buffer != nullptr && buffer->taken);
  // The frame must still lie inside its buffer: a node that moved `data` too far is found here.
  LG_FATAL(packet.data >= buffer->bytes &&
           packet.data + packet.length <= buffer->bytes + sizeof buffer->bytes);
  buffer->taken = false;
  free_.push_back(buffer);
}

MemoryPort::MemoryPort(MemoryPool& pool, uint16_t port_id, MacAddress mac)
    : pool_(pool), port_id_(port_id), mac_(mac) {}

void MemoryPort::Inject(ByteView frame, io::RxChecksum checksum) {
  LG_FATAL(frame.size() <= MemoryPool::kRoom);
  inbound_.push_back({{frame.begin(), frame.end()}, checksum});
}

std::vector<std::vector<uint8_t>> MemoryPort::TakeSent() { return std::exchange(sent_, {}); }

size_t MemoryPort::Receive(std::span<io::Packet> out) {
  size_t count = 0;
  while (count < out.size() && !inbound_.empty() && pool_.Take(out[count])) {
    const Inbound& frame = inbound_.front();
    io::Packet& packet = out[count++];
    std::copy(frame.bytes.begin(), frame.bytes.end(), packet.data);
    packet.length = uint16_t(frame.bytes.size());
    packet.tailroom = uint16_t(MemoryPool::kRoom - packet.length);
    packet.port_id = port_id_;
    packet.rx_checksum = frame.checksum;
    inbound_.pop_front();
  }
  stats_.received_pkts += count;
  return count;
}

size_t MemoryPort::Send(std::span<const io::Packet> packets) {
  const size_t accepted = std::min(packets.size(), send_budget_);
  if (send_budget_ != SIZE_MAX) send_budget_ -= accepted;
  for (const io::Packet& packet : packets.first(accepted))
    sent_.emplace_back(packet.data, packet.data + packet.length);
  Free(packets);
  stats_.sent_pkts += accepted;
  stats_.send_failed_pkts += packets.size() - accepted;
  return accepted;
}

bool MemoryPort::Allocate(io::Packet& out) {
  if (!pool_.Take(out)) return false;
  out.port_id = port_id_;
  return true;
}

void MemoryPort::Free(std::span<const io::Packet> packets) {
  for (const io::Packet& packet : packets) pool_.Return(packet);
}

}  // namespace linegate::drivers
