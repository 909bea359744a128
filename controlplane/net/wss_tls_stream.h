#pragma once
// Of wss_server.cc alone: whoever includes this compiles Beast.
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

namespace linegate::net {

/// How long the end of a connection may take once our side has said its last word.
constexpr std::chrono::seconds kLingerTimeout{1};

class TlsStream : public boost::beast::ssl_stream<boost::beast::tcp_stream> {
 public:
  using boost::beast::ssl_stream<boost::beast::tcp_stream>::ssl_stream;
};

/// For AsioByteStream: Beast's streams have no lowest_layer().
inline boost::asio::ip::tcp::socket::lowest_layer_type& SocketBelow(TlsStream& stream) {
  return boost::beast::get_lowest_layer(stream).socket();
}

/// Swallows what the peer still sends until it closes: closing TCP with unread bytes resets the connection,
/// and our last words would be lost with it.
template <typename Handler>
void DrainInput(TlsStream& stream, std::unique_ptr<std::array<char, 4096>> scratch, Handler done) {
  const auto buffer = boost::asio::buffer(*scratch);
  boost::beast::get_lowest_layer(stream).async_read_some(
      buffer, [&stream, scratch = std::move(scratch), done = std::move(done)](boost::system::error_code error,
                                                                              size_t) mutable {
        if (error) return done(boost::system::error_code());
        DrainInput(stream, std::move(scratch), std::move(done));
      });
}

/// Beast's customization point for the end of a WebSocket. Its own version waits for the peer's close_notify
/// without a limit of its own, and lets "stream truncated" (browsers just close TCP) hide why the connection
/// ended.
template <typename Handler>
void async_teardown(boost::beast::role_type, TlsStream& stream, Handler&& handler) {
  boost::beast::get_lowest_layer(stream).expires_after(kLingerTimeout);
  stream.async_shutdown([&stream, done = std::decay_t<Handler>(std::forward<Handler>(handler))](
                            boost::system::error_code) mutable {
    boost::system::error_code ignored;
    boost::beast::get_lowest_layer(stream).socket().shutdown(boost::asio::socket_base::shutdown_send,
                                                             ignored);
    DrainInput(stream, std::make_unique<std::array<char, 4096>>(), std::move(done));
  });
}

/// permessage-deflate is compiled out: SIP messages are small, and compression beside secrets leaks them (RFC
/// 7692 section 8).
using WsStream = boost::beast::websocket::stream<TlsStream, false>;

}  // namespace linegate::net
