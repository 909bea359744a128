#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"
#include "drivers/net/xdp/bpf_filesystem.h"
#include "drivers/net/xdp/udp_port_claim.h"
#include "drivers/net/xdp/xdp_abi.h"

namespace linegate::drivers {

enum class XdpMode : uint8_t {
  kGeneric,  ///< in the network stack, after the driver: works on every interface
  kNative,   ///< in the driver: faster, where the driver has it
};
std::string_view XdpModeName(XdpMode mode);

enum class XdpOrigin : uint8_t {
  kAttached,  ///< by this Attach
  kAdopted,   ///< by an earlier process: it was in force all the time
};

struct XdpOptions {
  std::string interface;
  XdpMode mode = XdpMode::kGeneric;  ///< kNative: generic after all where the driver refuses
  std::string bpffs_directory;       ///< a bpffs is mounted here if none is
};

/// What the XDP program counted since it was first attached, by LgXdpCounter.
using XdpCounters = std::array<uint64_t, LgXdp_count>;
std::string_view XdpCounterName(LgXdpCounter counter);

/// Our XDP program on one network interface.
///
/// Theory of operation. The program hangs on the interface by a `bpf_link` that is pinned, together with the
/// program's maps, as <bpffs_directory>/<interface>/{link,ports,sockets,counters}. Pins outlive the process:
/// after kill -9 the program stays, with its port set, and drops packets for our ports until a new process
/// has bound its socket. Attach therefore finds one of these on the interface:
///   nothing           attach and pin; reuse pinned maps that fit, replace those of another layout;
///   our pinned link   same program (by tag): keep it; another build: swap the program in place
///   (`bpf_link_update`);
///                     another mode: detach, attach anew;
///   any other program refuse, and name it.
/// Where the driver refuses native mode the program is attached in generic mode, and an empty folder `generic_instead`
/// beside the pins remembers it: a successor keeps that program, since trying native mode anew means to detach first, and
/// in between the kernel would answer for our ports. Detach forgets it.
/// The AF_XDP driver then adopts the program by its names (see linegate_xdp.bpf.c); it must not be given
/// `xdp_prog=`. It is adopted or silently replaced by libxdp's own, so VerifySocketBound is called after
/// every bind. The destructor detaches nothing; Detach does. One process at a time: the caller holds the
/// vault's lock.
class XdpLoader {
 public:
  /// Errors, all naming the interface: it does not exist; a foreign program sits on it; bpffs cannot be
  /// mounted; the kernel refuses program or mode.
  static Result<XdpLoader> Attach(const XdpOptions& options);
  /// Takes our program off `interface` and removes its pins, as Detach does, without having attached: for
  /// what a killed process left. Nothing there: nothing done.
  static void Release(const std::string& bpffs_directory, const std::string& interface);
  XdpLoader(XdpLoader&&) noexcept;
  XdpLoader& operator=(XdpLoader&&) noexcept;
  ~XdpLoader();

  /// Makes `claims` the port set; may be called at any time. Ports in both sets are never without an entry.
  /// Errors: too many ports; the kernel refuses an update.
  Status SetPorts(std::span<const UdpPortClaim> claims);
  /// True state after the AF_XDP driver bound `queue`: our program is the one attached, and its socket map
  /// has a socket for the queue. Errors say which of the two is not so.
  Status VerifySocketBound(uint32_t queue) const;
  Result<XdpCounters> ReadCounters() const;
  /// kProcess: the caller should warn that a crash takes the program with it.
  BpffsLifetime pin_lifetime() const;
  XdpOrigin origin() const;
  /// What it runs in.
  XdpMode mode() const;
  /// Why it runs in generic mode although native was asked for; empty otherwise.
  const std::string& native_refusal() const;
  const std::string& interface() const;
  /// Takes the program off the interface, removes the pins, and unmounts the bpffs when nothing else is
  /// pinned in it.
  Status Detach();

 private:
  struct State;
  explicit XdpLoader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace linegate::drivers
