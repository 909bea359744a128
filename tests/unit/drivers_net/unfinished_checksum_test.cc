#include "drivers/net/unfinished_checksum.h"

#include <gtest/gtest.h>

#include <vector>

#include "dataplane/wire/checksum.h"

namespace linegate::drivers {
namespace {

/// An Ethernet, IP and UDP frame of `payload_bytes`; IPv4 carries `option_bytes` of no-operations.
struct Frame {
  Frame(const char* source_text, const char* destination_text, size_t payload_bytes,
        size_t option_bytes = 0) {
    source = *IpAddress::Parse(source_text);
    destination = *IpAddress::Parse(destination_text);
    const bool v4 = source.is_v4();
    udp = 14 + (v4 ? 20 + option_bytes : 40);
    bytes.assign(udp + 8 + payload_bytes, 0x5a);
    StoreBe16(&bytes[12], v4 ? 0x0800 : 0x86dd);
    bytes[14] = v4 ? uint8_t(0x45 + option_bytes / 4) : 0x60;
    bytes[v4 ? 23 : 20] = 17;
    std::copy(source.bytes().begin(), source.bytes().end(), bytes.begin() + (v4 ? 26 : 22));
    std::copy(destination.bytes().begin(), destination.bytes().end(), bytes.begin() + (v4 ? 30 : 38));
    StoreBe16(&bytes[udp + 4], uint16_t(8 + payload_bytes));
    StoreBe16(&bytes[udp + 6], 0);
  }
  ByteView datagram() const { return ByteView(bytes).subspan(udp); }
  /// What the kernel leaves for offload: the folded pseudo-header sum, not complemented.
  void LeaveUnfinished() {
    wire::ChecksumAccumulator sum;
    sum.Add(source.bytes());
    sum.Add(destination.bytes());
    sum.AddU16(17);
    sum.AddU16(uint16_t(datagram().size()));
    StoreBe16(&bytes[udp + 6], uint16_t(~sum.Finish()));
  }
  void Finish() { StoreBe16(&bytes[udp + 6], wire::UdpChecksum(source, destination, datagram())); }

  IpAddress source, destination;
  size_t udp = 0;
  std::vector<uint8_t> bytes;
};

TEST(UnfinishedChecksum, IsFoundOverBothFamiliesAndBehindOptions) {
  for (size_t size : {0u, 1u, 160u, 1400u}) {
    Frame v4("10.91.1.2", "10.91.1.1", size), with_options("10.91.1.2", "10.91.1.1", size, 8),
        v6("fd91::2", "fd91::1", size);
    for (Frame* frame : {&v4, &with_options, &v6}) {
      frame->LeaveUnfinished();
      EXPECT_EQ(ProbeUnfinishedChecksum(frame->bytes), io::RxChecksum::kUnfinished);
    }
  }
}

TEST(UnfinishedChecksum, FinishedAndAbsentOnesAreUnknown) {
  for (const char* address : {"10.91.1.2", "fd91::2"}) {
    Frame frame(address, address, 160);
    EXPECT_EQ(ProbeUnfinishedChecksum(frame.bytes), io::RxChecksum::kUnknown);
    frame.Finish();
    EXPECT_EQ(ProbeUnfinishedChecksum(frame.bytes), io::RxChecksum::kUnknown);
  }
}

TEST(UnfinishedChecksum, OtherProtocolsAreUnknown) {
  Frame frame("10.91.1.2", "10.91.1.1", 160);
  frame.LeaveUnfinished();
  frame.bytes[23] = 6;
  EXPECT_EQ(ProbeUnfinishedChecksum(frame.bytes), io::RxChecksum::kUnknown);
}

TEST(UnfinishedChecksum, SurvivesEveryTruncation) {
  for (Frame frame : {Frame("10.91.1.2", "10.91.1.1", 20, 40), Frame("fd91::2", "fd91::1", 20)}) {
    frame.LeaveUnfinished();
    for (size_t length = 0; length < frame.udp + 8; ++length) {
      const std::vector<uint8_t> cut(frame.bytes.begin(), frame.bytes.begin() + long(length));
      EXPECT_EQ(ProbeUnfinishedChecksum(cut), io::RxChecksum::kUnknown) << length;
    }
  }
}

}  // namespace
}  // namespace linegate::drivers
