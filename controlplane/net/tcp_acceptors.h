#pragma once
// Of the units that speak Asio themselves.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::net {

/// Listening sockets, each with what becomes of the connections it accepts. After an accept that failed (no descriptor is free)
/// a listener rests for 100 ms: it would only fail again. On the Runtime's thread; owned by a shared_ptr, because an accept
/// that is under way ends after Stop.
class TcpAcceptors : public std::enable_shared_from_this<TcpAcceptors> {
 public:
  using Accepted = std::function<void(boost::asio::ip::tcp::socket socket, const Endpoint& remote)>;

  /// Counts failed accepts in `accept_errors`, which lives until Stop at least.
  TcpAcceptors(boost::asio::io_context& context, uint64_t& accept_errors)
      : context_(context), accept_errors_(accept_errors) {}

  /// Listens and returns the address as bound; nothing is accepted before Start. Errors: the address is taken or not ours.
  Result<Endpoint> Listen(const Endpoint& local, Accepted accepted);
  /// Takes a socket that listens already.
  void Add(boost::asio::ip::tcp::acceptor acceptor, Accepted accepted);
  void Start();
  /// Nothing is called any more, not even for what was accepted meanwhile. May be called by what Accepted does.
  void Stop();

 private:
  struct Listener {
    boost::asio::ip::tcp::acceptor acceptor;
    Accepted accepted;
    boost::asio::steady_timer pause;
  };
  void AcceptNext(size_t index);

  boost::asio::io_context& context_;
  uint64_t& accept_errors_;
  std::vector<Listener> listeners_;
  bool stopped_ = false;
};

}  // namespace linegate::net
