#include "controlplane/net/wss_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <deque>
#include <optional>
#include <unordered_map>

#include "controlplane/net/asio_byte_stream.h"
#include "controlplane/net/asio_endpoint.h"
#include "controlplane/net/http_response.h"
#include "controlplane/net/tcp_acceptors.h"
#include "controlplane/net/tls_server_context.h"
#include "controlplane/net/turn_stream_session.h"
#include "controlplane/net/wss_admission.h"
#include "controlplane/net/wss_tls_stream.h"

namespace linegate::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using asio::awaitable;
using asio::ip::tcp;
using boost::system::error_code;

using Request = http::request<http::empty_body>;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
/// Enough for a browser's request or a TURN message.
constexpr size_t kFirstBytes = 2048;
/// A reader of files slower than this is cut.
constexpr size_t kSlowestReaderBytesPerSecond = 16 * 1024;

std::string_view Field(const Request& request, http::field name) {
  const auto value = request[name];
  return {value.data(), value.size()};
}

/// What a queued message takes of the limit: a flood of two-byte answers is not free either.
size_t CostOf(const std::string& message) { return sizeof message + message.size(); }

class Connection;

}  // namespace

/// State shared by the connections. Outlives the WssServer until the last coroutine has noticed.
class WssServer::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Runtime& runtime, WssOptions server_options, WssHandler& server_handler)
      : context(runtime.context()),
        options(std::move(server_options)),
        handler(&server_handler),
        acceptors(std::make_shared<TcpAcceptors>(context, counters.accept_errors)),
        connection_limiter(options.connections),
        flow_limiter(options.flows) {}

  Status Load();
  Status Bind(const Endpoint& endpoint);
  void StopAccepting();

  asio::io_context& context;
  const WssOptions options;
  WssHandler* handler;  ///< null once the WssServer is gone
  WssCounters counters;
  std::shared_ptr<asio::ssl::context> tls;
  std::shared_ptr<const StaticSite> site;
  const std::shared_ptr<TcpAcceptors> acceptors;
  std::vector<Endpoint> endpoints;
  SourceLimiter connection_limiter;
  SourceLimiter flow_limiter;
  bool draining = false;
  uint64_t last_flow = 0;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;
  std::unordered_map<sip::FlowToken, Connection*> flows;

 private:
  void Admit(tcp::socket socket, const Endpoint& source);
};

namespace {

using CorePtr = std::shared_ptr<WssServer::Core>;

/// One TCP connection: TLS, then HTTP requests, then perhaps a WebSocket until the end.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(CorePtr core, tcp::socket socket, const Endpoint& source)
      : core_(std::move(core)),
        source_(source),
        ws_(std::move(socket), *core_->tls),
        request_bytes_(core_->options.max_request_bytes),
        timer_(core_->context) {}

  static awaitable<void> Run(std::shared_ptr<Connection> self);
  bool Send(std::string message);
  void Close(uint16_t code);
  /// Closes the socket; the coroutine ends with an error soon after.
  void Cut() {
    if (!handed_over_) beast::get_lowest_layer(ws_).close();
    timer_.cancel();
  }
  bool is_flow() const { return flow_.has_value(); }

 private:
  enum class AfterRequest { kNext, kUpgraded, kEnd };
  struct Refusal {
    unsigned status;
    std::string_view text;
    std::string_view extra_fields = {};
  };

  awaitable<error_code> ReadFirstBytes();
  bool HandOverIfTurn();
  awaitable<AfterRequest> ServeRequest(bool is_first);
  awaitable<AfterRequest> AnswerFile(const Request& request);
  awaitable<AfterRequest> Upgrade(const Request& request);
  std::optional<Refusal> RefuseUpgrade(const Request& request);
  awaitable<void> Refuse(Refusal refusal);
  awaitable<void> SayGoodbye();
  awaitable<error_code> Write(std::string head, std::string_view body);
  awaitable<void> ReadMessages();
  void OnMessage(std::string_view message);
  void CountReadError(error_code error);
  void Enqueue(std::string message);
  void WriteNext();
  void StartClose();
  void CheckLiveness();
  void End();

  void ExpireAfter(Duration delay) { beast::get_lowest_layer(ws_).expires_after(delay); }
  WssCounters& counters() { return core_->counters; }

  CorePtr core_;
  Endpoint source_;
  WsStream ws_;
  beast::flat_buffer request_bytes_;
  asio::steady_timer timer_;  ///< pings; while closing, the deadline
  std::optional<sip::FlowToken> flow_;
  bool holds_flow_slot_ = false;
  bool handed_over_ = false;       ///< the stream below `ws_` is gone
  std::deque<std::string> queue_;  ///< front: being written
  size_t queued_bytes_ = 0;
  std::optional<uint16_t> close_code_;
  bool ping_in_flight_ = false;
  TimePoint last_heard_;
};

awaitable<void> Connection::Run(std::shared_ptr<Connection> self) {
  // Runs when the coroutine ends in whatever way, including its destruction with the io_context.
  struct Ending {
    Connection& connection;
    ~Ending() { connection.End(); }
  } ending{*self};
  self->ExpireAfter(self->core_->options.handshake_timeout);
  auto [error] = co_await self->ws_.next_layer().async_handshake(asio::ssl::stream_base::server, kAsTuple);
  if (error) {
    ++(error == beast::error::timeout ? self->counters().handshake_timeouts : self->counters().tls_failed);
    co_return;
  }
  if (self->core_->options.on_turn) {
    if (co_await self->ReadFirstBytes()) co_return;
    if (self->HandOverIfTurn()) co_return;
  }
  auto next = co_await self->ServeRequest(true);
  while (next == AfterRequest::kNext) {
    self->ExpireAfter(self->core_->options.http_idle_timeout);
    next = co_await self->ServeRequest(false);
  }
  if (next == AfterRequest::kUpgraded) co_await self->ReadMessages();
}

awaitable<error_code> Connection::ReadFirstBytes() {
  const auto room = request_bytes_.prepare(kFirstBytes);
  auto [error, bytes] = co_await ws_.next_layer().async_read_some(room, kAsTuple);
  request_bytes_.commit(bytes);
  if (error == beast::error::timeout) ++counters().handshake_timeouts;
  co_return error;
}

bool Connection::HandOverIfTurn() {
  const auto bytes = static_cast<const uint8_t*>(request_bytes_.data().data());
  if (!TurnStreamSession::CouldOpen(bytes[0])) return false;
  error_code error;
  const tcp::endpoint local = beast::get_lowest_layer(ws_).socket().local_endpoint(error);
  if (error) return true;
  ++counters().turn_handed_over;
  beast::get_lowest_layer(ws_).expires_never();
  handed_over_ = true;
  core_->options.on_turn(
      std::make_unique<AsioByteStream<TlsStream>>(std::move(ws_.next_layer()),
                                                  std::vector<uint8_t>(bytes, bytes + request_bytes_.size())),
      ToEndpoint(local), source_);
  return true;
}

awaitable<Connection::AfterRequest> Connection::ServeRequest(bool is_first) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(uint32_t(core_->options.max_request_bytes));
  auto [error, bytes] = co_await http::async_read(ws_.next_layer(), request_bytes_, parser, kAsTuple);
  if (error) {
    if (error == beast::error::timeout) {
      if (is_first) ++counters().handshake_timeouts;
    } else if (error.category() == make_error_code(http::error::bad_method).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
      ++counters().http_bad_requests;
      const bool is_too_big = error == http::error::header_limit || error == http::error::buffer_overflow;
      co_await Refuse({is_too_big ? 431u : 400u, "malformed request\n"});
    }
    co_return AfterRequest::kEnd;
  }
  const Request request = parser.release();
  if (http::token_list(request[http::field::upgrade]).exists("websocket"))
    co_return co_await Upgrade(request);
  co_return co_await AnswerFile(request);
}

awaitable<Connection::AfterRequest> Connection::AnswerFile(const Request& request) {
  ++counters().http_requests;
  HttpResponseHead head;
  if (!request.keep_alive() || core_->draining) head.connection = HttpResponseHead::Connection::kClose;
  std::shared_ptr<const StaticFile> file;
  std::string_view body;
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    ++counters().http_method_refused;
    head.status = 405, head.extra_fields = "Allow: GET, HEAD\r\n", body = "GET and HEAD only\n";
    head.connection = HttpResponseHead::Connection::kClose;  // it may have a body that was not read
  } else if (file = core_->site->Find({request.target().data(), request.target().size()}); file) {
    head.content_type = file->content_type, body = file->body;
  } else {
    ++counters().http_not_found;
    head.status = 404, body = "no such page\n";
  }
  if (head.content_type.empty()) head.content_type = "text/plain; charset=utf-8";
  head.content_length = body.size();
  if (request.method() == http::verb::head) body = {};
  const error_code error = co_await Write(FormatHttpResponseHead(head), body);
  if (error) co_return AfterRequest::kEnd;
  if (head.connection == HttpResponseHead::Connection::kKeepAlive) co_return AfterRequest::kNext;
  co_await SayGoodbye();
  co_return AfterRequest::kEnd;
}

std::optional<Connection::Refusal> Connection::RefuseUpgrade(const Request& request) {
  if (!websocket::is_upgrade(request) || request_bytes_.size() != 0) {
    ++counters().upgrade_failed;
    return Refusal{400, "malformed WebSocket handshake\n"};
  }
  if (!OriginAllowed(core_->options.allowed_origins, Field(request, http::field::origin))) {
    ++counters().upgrade_refused_origin;
    return Refusal{403, "this origin is not allowed\n"};
  }
  if (!OffersSipSubprotocol(Field(request, http::field::sec_websocket_protocol))) {
    ++counters().upgrade_refused_subprotocol;
    return Refusal{400, "subprotocol sip required\n"};
  }
  if (core_->draining || core_->flow_limiter.Admit(source_.address) != SourceLimiter::Admission::kAdmitted) {
    ++counters().upgrade_refused_limit;
    return Refusal{503, "too many connections\n", "Retry-After: 5\r\n"};
  }
  holds_flow_slot_ = true;
  return std::nullopt;
}

awaitable<Connection::AfterRequest> Connection::Upgrade(const Request& request) {
  if (auto refusal = RefuseUpgrade(request)) {
    co_await Refuse(*refusal);
    co_return AfterRequest::kEnd;
  }
  beast::get_lowest_layer(ws_).expires_never();  // the WebSocket stream has timers of its own
  websocket::stream_base::timeout timeout{};
  timeout.handshake_timeout = core_->options.handshake_timeout;
  // Beast's idle timer restarts only on its own pings, which come at half the time-out: ours is
  // CheckLiveness.
  timeout.idle_timeout = websocket::stream_base::none();
  timeout.keep_alive_pings = false;
  ws_.set_option(timeout);
  ws_.control_callback([this](websocket::frame_type, beast::string_view) { last_heard_ = MonotonicNow(); });
  ws_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
    response.set(http::field::server, "Linegate");
    response.set(http::field::sec_websocket_protocol, "sip");
  }));
  ws_.read_message_max(core_->options.max_message_bytes);
  ws_.auto_fragment(false);
  ws_.text(true);
  auto [error] = co_await ws_.async_accept(request, kAsTuple);
  if (error) {
    ++counters().upgrade_failed;
    co_return AfterRequest::kEnd;
  }
  request_bytes_ = beast::flat_buffer();
  co_return AfterRequest::kUpgraded;
}

awaitable<void> Connection::Refuse(Refusal refusal) {
  HttpResponseHead head;
  head.status = refusal.status;
  head.content_type = "text/plain; charset=utf-8";
  head.content_length = refusal.text.size();
  head.connection = HttpResponseHead::Connection::kClose;
  head.extra_fields = refusal.extra_fields;
  const error_code error = co_await Write(FormatHttpResponseHead(head), refusal.text);
  if (!error) co_await SayGoodbye();
}

awaitable<void> Connection::SayGoodbye() {
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(error_code)>(
      [this](auto handler) {
        async_teardown(beast::role_type::server, ws_.next_layer(), std::move(handler));
      },
      asio::use_awaitable);
}

awaitable<error_code> Connection::Write(std::string head, std::string_view body) {
  ExpireAfter(core_->options.http_idle_timeout +
              std::chrono::seconds(body.size() / kSlowestReaderBytesPerSecond));
  // One buffer at a time. Given two, async_write over Boost 1.81's flat_stream reports success after the first when
  // the second is larger than 16 KiB (seen with Debian 12's packages; a page then never arrives).
  auto [error, bytes] = co_await asio::async_write(ws_.next_layer(), asio::buffer(head), kAsTuple);
  if (error || body.empty()) co_return error;
  auto [body_error, body_bytes] = co_await asio::async_write(ws_.next_layer(), asio::buffer(body), kAsTuple);
  co_return body_error;
}

awaitable<void> Connection::ReadMessages() {
  if (core_->handler == nullptr) co_return;
  flow_ = sip::FlowToken(++core_->last_flow);
  core_->flows.emplace(*flow_, this);
  ++counters().flows_opened;
  last_heard_ = MonotonicNow();
  CheckLiveness();
  core_->handler->OnFlowOpened(*flow_, source_);
  // Larger than any message, so that the limit ends in 1009 and not in a full buffer.
  beast::flat_buffer message(core_->options.max_message_bytes + 1);
  for (;;) {
    auto [error, bytes] = co_await ws_.async_read(message, kAsTuple);
    if (error) {
      CountReadError(error);
      co_return;
    }
    OnMessage({static_cast<const char*>(message.data().data()), message.size()});
    message.consume(message.size());
    message.shrink_to_fit();  // most flows are idle: keep no 64 KiB for each
  }
}

void Connection::OnMessage(std::string_view message) {
  last_heard_ = MonotonicNow();
  if (close_code_ || core_->handler == nullptr) return;
  if (message == "\r\n\r\n") {  // RFC 5626 section 3.5.1: ping; the answer is a single CRLF
    ++counters().keepalives_answered;
    Enqueue("\r\n");
    return;
  }
  if (message.find_first_not_of("\r\n") == std::string_view::npos) return;
  ++counters().messages_received;
  core_->handler->OnText(*flow_, message);
}

void Connection::CountReadError(error_code error) {
  // An ordinary end (close frame, or TCP just gone) counts nowhere but in flows_closed.
  if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
    ++counters().messages_too_big;
  } else if (error == websocket::error::bad_frame_payload) {
    ++counters().bad_utf8;
  } else if (error == websocket::condition::protocol_violation) {
    ++counters().protocol_errors;
  }
}

bool Connection::Send(std::string message) {
  if (close_code_) return false;
  if (queued_bytes_ + CostOf(message) > core_->options.max_queue_bytes) {
    ++counters().slow_readers;
    close_code_ = websocket::close_code::policy_error;
    Cut();
    return false;
  }
  ++counters().messages_sent;
  Enqueue(std::move(message));
  return true;
}

void Connection::Enqueue(std::string message) {
  // Keep-alive answers are not refused by the queue limit, but they are not queued without end either.
  if (queued_bytes_ > core_->options.max_queue_bytes) return;
  queued_bytes_ += CostOf(message);
  queue_.push_back(std::move(message));
  if (queue_.size() == 1) WriteNext();
}

void Connection::WriteNext() {
  ws_.async_write(asio::buffer(queue_.front()), [self = shared_from_this()](error_code error, size_t) {
    if (error) return;  // the reader notices, too
    self->queued_bytes_ -= CostOf(self->queue_.front());
    self->queue_.pop_front();
    if (!self->queue_.empty()) {
      self->WriteNext();
    } else if (self->close_code_) {
      self->StartClose();
    }
  });
}

void Connection::Close(uint16_t code) {
  if (close_code_) return;
  close_code_ = code;
  timer_.expires_after(core_->options.close_timeout);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->Cut();
  });
  if (queue_.empty()) StartClose();
}

void Connection::StartClose() {
  ws_.async_close(websocket::close_reason(websocket::close_code(*close_code_)),
                  [self = shared_from_this()](error_code) { self->Cut(); });
}

void Connection::CheckLiveness() {
  timer_.expires_after(core_->options.ping_interval);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (error || self->close_code_) return;
    if (MonotonicNow() - self->last_heard_ >= self->core_->options.idle_timeout) {
      ++self->counters().idle_timeouts;
      self->Cut();
      return;
    }
    if (!self->ping_in_flight_) {
      self->ping_in_flight_ = true;
      self->ws_.async_ping({}, [self](error_code) { self->ping_in_flight_ = false; });
    }
    self->CheckLiveness();
  });
}

void Connection::End() {
  timer_.cancel();
  Cut();
  const auto keep = shared_from_this();
  if (core_->connections.erase(this) != 0) core_->connection_limiter.Release(source_.address);
  if (holds_flow_slot_) core_->flow_limiter.Release(source_.address);
  if (!flow_) return;
  core_->flows.erase(*flow_);
  ++counters().flows_closed;
  close_code_ = close_code_.value_or(uint16_t(websocket::close_code::normal));
  if (core_->handler != nullptr) core_->handler->OnFlowClosed(*flow_);
}

}  // namespace

Status WssServer::Core::Load() {
  auto loaded_site = options.load_site();
  if (!loaded_site) return MakeUnexpected(std::move(loaded_site).error());
  auto loaded_tls =
      MakeTlsServerContext(options.certificate_path, options.private_key_path,
                           options.on_turn ? TlsApplications::kHttpAndTurn : TlsApplications::kHttp);
  if (!loaded_tls) return MakeUnexpected(std::move(loaded_tls).error());
  site = std::make_shared<const StaticSite>(std::move(*loaded_site));
  tls = std::make_shared<asio::ssl::context>(loaded_tls->release());
  return {};
}

Status WssServer::Core::Bind(const Endpoint& endpoint) {
  const auto bound = acceptors->Listen(
      endpoint, [this](tcp::socket socket, const Endpoint& source) { Admit(std::move(socket), source); });
  if (!bound) return MakeUnexpected(bound.error());
  endpoints.push_back(*bound);
  return {};
}

void WssServer::Core::StopAccepting() {
  draining = true;
  acceptors->Stop();
}

void WssServer::Core::Admit(tcp::socket socket, const Endpoint& source) {
  const auto admission = connection_limiter.Admit(source.address);
  if (admission != SourceLimiter::Admission::kAdmitted) {
    ++(admission == SourceLimiter::Admission::kTotalReached ? counters.connections_refused_total
                                                            : counters.connections_refused_source);
    return;
  }
  ++counters.connections_accepted;
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  auto connection = std::make_shared<Connection>(shared_from_this(), std::move(socket), source);
  connections.emplace(connection.get(), connection);
  asio::co_spawn(context, Connection::Run(std::move(connection)), asio::detached);
}

void WssCounters::ForEach(
    const std::function<void(std::string_view, std::string_view, uint64_t)>& visit) const {
#define LG_WSS_COUNTER(name, text) visit(#name, text, name);
#include "controlplane/net/wss_counters.def"
#undef LG_WSS_COUNTER
}

Result<std::unique_ptr<WssServer>> WssServer::Start(Runtime& runtime, WssOptions options,
                                                    WssHandler& handler) {
  auto core = std::make_shared<Core>(runtime, std::move(options), handler);
  if (auto loaded = core->Load(); !loaded) return MakeUnexpected(std::move(loaded).error());
  for (const Endpoint& endpoint : core->options.listen) {
    if (auto bound = core->Bind(endpoint); !bound) return MakeUnexpected(std::move(bound).error());
  }
  core->acceptors->Start();
  return std::unique_ptr<WssServer>(new WssServer(std::move(core)));
}

WssServer::WssServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}

WssServer::~WssServer() {
  core_->handler = nullptr;
  core_->StopAccepting();
  core_->flows.clear();
  for (auto& [key, connection] : std::exchange(core_->connections, {})) connection->Cut();
}

bool WssServer::Send(sip::FlowToken flow, std::string message) {
  const auto found = core_->flows.find(flow);
  return found != core_->flows.end() && found->second->Send(std::move(message));
}

void WssServer::Close(sip::FlowToken flow, uint16_t code) {
  const auto found = core_->flows.find(flow);
  if (found != core_->flows.end()) found->second->Close(code);
}

Status WssServer::Reload() { return core_->Load(); }

void WssServer::Drain() {
  core_->StopAccepting();
  for (auto& [key, connection] : core_->connections) {
    if (connection->is_flow()) {
      connection->Close(uint16_t(websocket::close_code::going_away));
    } else {
      connection->Cut();
    }
  }
}

const WssCounters& WssServer::counters() const { return core_->counters; }
size_t WssServer::flow_count() const { return core_->flows.size(); }
size_t WssServer::connection_count() const { return core_->connections.size(); }
std::vector<Endpoint> WssServer::endpoints() const { return core_->endpoints; }

}  // namespace linegate::net
