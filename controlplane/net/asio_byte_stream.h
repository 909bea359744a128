#pragma once
// Of the units that hold streams of Asio or Beast: whoever includes this compiles Asio.
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <utility>

#include "controlplane/net/byte_stream.h"

namespace linegate::net {

/// The TCP socket below a stream. Beast's streams have an overload of their own beside their type.
template <typename Stream>
boost::asio::ip::tcp::socket::lowest_layer_type& SocketBelow(Stream& stream) {
  return stream.lowest_layer();
}

/// A ByteStream over tcp::socket, asio::ssl::stream or Beast's. Operations under way keep the stream alive until Asio
/// has let go of it; after destruction their results go nowhere.
template <typename Stream>
class AsioByteStream final : public ByteStream {
 public:
  /// `unread` was taken from the stream before and is read first.
  explicit AsioByteStream(Stream stream, std::vector<uint8_t> unread = {})
      : state_(std::make_shared<State>(std::move(stream), std::move(unread))) {}
  ~AsioByteStream() override {
    state_->dropped = true;
    boost::system::error_code ignored;
    SocketBelow(state_->stream).close(ignored);
  }

  void ReadSome(ReadDone done) override {
    if (!state_->unread.empty()) {
      boost::asio::post(state_->stream.get_executor(), [state = state_, done = std::move(done)] {
        const std::vector<uint8_t> bytes = std::exchange(state->unread, {});
        if (!state->dropped) done(bytes);
      });
      return;
    }
    state_->stream.async_read_some(
        boost::asio::buffer(state_->input),
        [state = state_, done = std::move(done)](boost::system::error_code error, size_t bytes) {
          if (!state->dropped) done(ByteView(state->input.data(), error ? 0 : bytes));
        });
  }

  void Write(std::vector<uint8_t> bytes, WriteDone done) override {
    state_->output = std::move(bytes);
    boost::asio::async_write(
        state_->stream, boost::asio::buffer(state_->output),
        [state = state_, done = std::move(done)](boost::system::error_code error, size_t) {
          if (!state->dropped) done(error ? Outcome::kBroken : Outcome::kDone);
        });
  }

  void EndOutput() override {
    boost::system::error_code ignored;
    SocketBelow(state_->stream).shutdown(boost::asio::socket_base::shutdown_send, ignored);
  }

 private:
  struct State {
    State(Stream taken, std::vector<uint8_t> bytes) : stream(std::move(taken)), unread(std::move(bytes)) {}
    Stream stream;
    std::vector<uint8_t> unread;
    std::vector<uint8_t> output;
    std::array<uint8_t, 8192> input;
    bool dropped = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace linegate::net
