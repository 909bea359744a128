#pragma once
// Of turn_stream_server.cc and its other half alone: whoever includes this compiles Asio.
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>

#include "controlplane/net/turn_stream_server.h"
#include "controlplane/net/turn_stream_session.h"

namespace linegate::net {

/// What a connection needs of its server.
class TurnStreamConnections {
 public:
  virtual ~TurnStreamConnections() = default;
  virtual void OnMessage(const turn::TurnClient& client, const turn::StreamFrame& frame) = 0;
  /// Destroys the connection, unless it runs just now: then when it returns.
  enum class Tell : uint8_t { kNobody, kHandler };
  virtual void Remove(uint64_t connection, Tell tell) = 0;
  virtual bool Holds(uint64_t connection) const = 0;
};

/// One established stream of TurnStreamServer. Owned by the server's table; its callbacks hold it while they run.
class TurnStreamConnection : public std::enable_shared_from_this<TurnStreamConnection> {
 public:
  TurnStreamConnection(boost::asio::io_context& context, TurnStreamConnections& owner,
                       TurnStreamCounters& counters, const TurnStreamLimits& limits,
                       std::unique_ptr<ByteStream> stream, std::shared_ptr<void> admission,
                       const turn::TurnClient& client, TimePoint accepted_at);

  void Start();
  void SendAnswer(ByteView message);
  void SendRelayed(ByteView message);
  void SetAllocation(TurnStreamSession::Allocation allocation);
  void Close();
  void Detach(TurnStreamServer::Detached detached) { detached_ = std::move(detached); }

 private:
  void Read();
  void OnBytes(ByteView bytes);
  void Flush();
  void OnWritten(ByteStream::Outcome outcome);
  /// Closing or detaching goes on once nothing waits for the socket.
  void OnDrained();
  void ArmTimer();
  void OnTimer();
  void End();

  boost::asio::io_context& context_;
  TurnStreamConnections& owner_;
  TurnStreamCounters& counters_;
  std::unique_ptr<ByteStream> stream_;
  std::shared_ptr<void> admission_;
  turn::TurnClient client_;
  TurnStreamSession session_;
  boost::asio::steady_timer timer_;
  std::optional<TimePoint> timer_at_;
  bool known_to_handler_ = false;
  bool output_ended_ = false;
  uint64_t oversized_counted_ = 0;
  TurnStreamServer::Detached detached_;
};

}  // namespace linegate::net
