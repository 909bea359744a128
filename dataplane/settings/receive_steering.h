#pragma once
#include <cstdint>
#include <vector>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"
#include "dataplane/settings/settings.h"

namespace linegate::settings {

/// The Toeplitz hash that network cards spread packets by (Microsoft's "RSS Hashing Functions"): for every bit of `input`
/// that is set, the 32 bits of `key` that begin at that bit's place. Pre: `key` is 4 bytes longer than `input`, or more.
uint32_t ToeplitzHash(ByteView key, ByteView input);

/// How a card chooses the receive queue of a UDP packet: Toeplitz over some header fields, its low bits an index into the
/// redirection table (RETA) that holds queue numbers. What stands in here is what the device was configured with, or says
/// of itself (rte_eth_dev_rss_hash_conf_get, rte_eth_dev_rss_reta_query).
struct ReceiveSteering {
  /// The fields in the specification's order. Cards that hash fewer (RTE_ETH_RSS_L4_DST_ONLY) differ in what becomes of the
  /// others.
  struct Fields {
    bool source_address = true;
    bool destination_address = true;
    bool source_port = true;
    bool destination_port = true;
  };
  enum class Absent : uint8_t {
    kLeftOut,  ///< the next field moves up, as in the specification's forms with fewer fields
    kZero,     ///< its place holds zeros
  };

  std::vector<uint8_t> key;    ///< 40 bytes, or 52 (i40e, ice)
  std::vector<uint16_t> reta;  ///< queue numbers; size a power of two
  Fields fields;
  Absent absent = Absent::kLeftOut;

  uint32_t HashOf(const Endpoint& source, const Endpoint& destination) const;
  uint16_t QueueOf(const Endpoint& source, const Endpoint& destination) const;
  /// The queue depends on the packet's destination alone.
  bool by_destination() const { return !fields.source_address && !fields.source_port; }
  /// Errors: a key too short for the fields, a table that is empty or no power of two.
  Status Check() const;
};

/// Which worker owns each port pair (even port and the odd one above it) of a range (design D4). Worker i serves queue i.
class PortOwners {
 public:
  /// In equal shares by number, as RtpShareOf: for ports any queue may receive (AF_XDP, memif). A pair's packets then reach
  /// another worker first in (workers - 1) of `workers` cases and are handed over.
  static PortOwners ByNumber(const PortRange& range, uint16_t workers);
  /// As the card delivers packets to the even port of `address`: none of these is handed over. The odd port, RTCP's, may
  /// arrive elsewhere: that is a hundredth of the packets. Shares are as even as the hash. Errors: those of Check; the queue
  /// depends on the source as well; the table names a queue that no worker serves.
  static Result<PortOwners> ByHash(const PortRange& range, uint16_t workers, const IpAddress& address,
                                   const ReceiveSteering& steering);

  /// Pre: `port` lies in a pair of the range.
  uint16_t OwnerOf(uint16_t port) const { return owners_[(port - first_) / 2u]; }
  /// Even ports of the pairs that `worker` owns, ascending.
  std::vector<uint16_t> PairsOf(uint16_t worker) const;
  size_t pairs() const { return owners_.size(); }

 private:
  explicit PortOwners(const PortRange& range);
  uint16_t PortAt(size_t pair) const { return uint16_t(first_ + 2 * pair); }
  uint16_t first_ = 0;
  std::vector<uint16_t> owners_;  ///< by pair
};

}  // namespace linegate::settings
