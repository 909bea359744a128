#pragma once
// Of the units that speak Asio themselves.
#include <boost/asio/ip/tcp.hpp>

#include "dataplane/base/net_address.h"

namespace linegate::net {

inline Endpoint ToEndpoint(const boost::asio::ip::tcp::endpoint& endpoint) {
  if (endpoint.address().is_v4())
    return {IpAddress::V4(endpoint.address().to_v4().to_bytes()), endpoint.port()};
  return {IpAddress::V6(endpoint.address().to_v6().to_bytes()), endpoint.port()};
}

inline boost::asio::ip::tcp::endpoint FromEndpoint(const Endpoint& endpoint) {
  return {boost::asio::ip::make_address(endpoint.address.ToString()), endpoint.port};
}

}  // namespace linegate::net
