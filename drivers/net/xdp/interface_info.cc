#include "drivers/net/xdp/interface_info.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "drivers/net/xdp/system_error.h"

namespace linegate::drivers {
namespace {

/// An ioctl socket and the request structure that names the interface.
class InterfaceQuery {
 public:
  explicit InterfaceQuery(const std::string& name) : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    std::strncpy(request_.ifr_name, name.c_str(), sizeof request_.ifr_name - 1);
  }
  InterfaceQuery(const InterfaceQuery&) = delete;
  InterfaceQuery& operator=(const InterfaceQuery&) = delete;
  ~InterfaceQuery() {
    if (socket_ >= 0) close(socket_);
  }
  bool Ask(unsigned long code) { return ioctl(socket_, code, &request_) == 0; }
  template <typename Command>
  bool AskEthtool(Command& command) {
    request_.ifr_data = reinterpret_cast<char*>(&command);
    return Ask(SIOCETHTOOL);
  }
  const ifreq& answer() const { return request_; }

 private:
  int socket_;
  ifreq request_ = {};
};

}  // namespace

Result<InterfaceInfo> InspectInterface(const std::string& name) {
  InterfaceInfo info;
  info.index = name.size() < IFNAMSIZ ? int(if_nametoindex(name.c_str())) : 0;
  if (info.index == 0) return Fail("network interface '" + name + "' does not exist");
  InterfaceQuery query(name);
  if (!query.Ask(SIOCGIFHWADDR)) return FailErrno("network interface '" + name + "'");
  std::memcpy(info.mac.bytes.data(), query.answer().ifr_hwaddr.sa_data, info.mac.bytes.size());
  if (!query.Ask(SIOCGIFMTU)) return FailErrno("network interface '" + name + "'");
  info.mtu = uint32_t(query.answer().ifr_mtu);
  if (!query.Ask(SIOCGIFFLAGS)) return FailErrno("network interface '" + name + "'");
  info.up = (query.answer().ifr_flags & IFF_UP) != 0;
  ethtool_drvinfo driver = {};
  driver.cmd = ETHTOOL_GDRVINFO;
  if (query.AskEthtool(driver))
    info.driver.assign(driver.driver, strnlen(driver.driver, sizeof driver.driver));
  ethtool_channels channels = {};
  channels.cmd = ETHTOOL_GCHANNELS;
  // Drivers without channels have one queue.
  if (query.AskEthtool(channels))
    info.receive_queues = std::max(1u, channels.combined_count + channels.rx_count);
  return info;
}

}  // namespace linegate::drivers
