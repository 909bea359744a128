#include "controlplane/net/tcp_acceptors.h"

#include <boost/asio/ip/v6_only.hpp>
#include <chrono>
#include <utility>

#include "controlplane/net/asio_endpoint.h"

namespace linegate::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kBackoff = std::chrono::milliseconds(100);

}  // namespace

Result<Endpoint> TcpAcceptors::Listen(const Endpoint& local, Accepted accepted) {
  error_code error;
  tcp::acceptor acceptor(context_);
  const tcp::endpoint endpoint = FromEndpoint(local);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && local.address.is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Fail("listen on " + local.ToString() + ": " + error.message());
  const Endpoint bound = ToEndpoint(acceptor.local_endpoint());
  Add(std::move(acceptor), std::move(accepted));
  return bound;
}

void TcpAcceptors::Add(tcp::acceptor acceptor, Accepted accepted) {
  listeners_.push_back({std::move(acceptor), std::move(accepted), asio::steady_timer(context_)});
}

void TcpAcceptors::Start() {
  for (size_t i = 0; i < listeners_.size(); ++i) AcceptNext(i);
}

void TcpAcceptors::Stop() {
  stopped_ = true;
  error_code ignored;
  for (Listener& listener : listeners_) {
    listener.acceptor.close(ignored);
    listener.pause.cancel();
  }
}

void TcpAcceptors::AcceptNext(size_t index) {
  listeners_[index].acceptor.async_accept(
      [self = shared_from_this(), index](error_code error, tcp::socket socket) {
        if (self->stopped_) return;
        if (!error) {
          error_code gone;
          const tcp::endpoint remote = socket.remote_endpoint(gone);
          if (!gone) self->listeners_[index].accepted(std::move(socket), ToEndpoint(remote));
          if (!self->stopped_) self->AcceptNext(index);
          return;
        }
        ++self->accept_errors_;
        asio::steady_timer& pause = self->listeners_[index].pause;
        pause.expires_after(kBackoff);
        pause.async_wait([self, index](error_code cancelled) {
          if (!cancelled && !self->stopped_) self->AcceptNext(index);
        });
      });
}

}  // namespace linegate::net
