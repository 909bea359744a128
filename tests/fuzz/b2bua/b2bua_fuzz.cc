// A conversation of any text with the B2BUA core: messages are separated by a line "--" and start with who
// speaks (b: browser, t: SIP Server, r: response to our latest request, x: CANCEL of the latest INVITE, c:
// the browser's connection closes, a: its ACK times out). Never a crash, never two final responses to one
// request, never a header of ours that could break the message open (CR, LF).
#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "controlplane/sip/b2bua.h"
#include "controlplane/sip/sip_text.h"
#include "tests/unit/sip/fake_media_broker.h"
#include "tests/unit/sip/memory_binding_store.h"
#include "tests/unit/sip/openssl_hash_functions.h"

namespace {

using namespace linegate;
using namespace linegate::sip;

class ZeroRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = ++next_;
  }

 private:
  uint8_t next_ = 0;
};

std::string_view NextLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

Message Parse(std::string_view text) {
  Message message;
  const std::string_view first = NextLine(text);
  if (first.starts_with("SIP/2.0 ")) {
    message.status = int(ParseNumber(first.substr(8, 3), 699).value_or(0));
    if (message.status < 100) message.status = 500;
  } else {
    message.method = first.substr(0, first.find(' '));
    message.request_uri = first.substr(std::min(first.size(), message.method.size() + 1));
  }
  while (!text.empty()) {
    const std::string_view line = NextLine(text);
    if (line.empty()) break;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    // The parser before the core leaves no line ends inside a value.
    std::string value(Trim(line.substr(colon + 1)));
    std::erase(value, '\r');
    message.Add(Trim(line.substr(0, colon)), std::move(value));
  }
  message.body = text;
  return message;
}

class World {
 public:
  World() : b2bua_(MakeConfig(hashes_), media_, bindings_, hashes_, rng_) {
    (void)bindings_.Put({"token", "sip:1001@relay.example", "sip:a@x.invalid", "", "reg", 1, 1000,
                         now_ + std::chrono::hours(1)});
  }

  void Speak(std::string_view text) {
    if (text.empty()) return;
    const char who = text.front();
    text.remove_prefix(1);
    if (who == 'b' || who == 't') {
      Message request = Parse(text);
      if (!request.is_request()) return;
      const bool ack = request.method == "ACK";
      const ServerTransactionId transaction(ack ? 0 : ++last_server_);
      if (request.method == "INVITE") last_invite_ = transaction;
      const Peer peer =
          who == 'b' ? Peer(WssPeer{FlowToken(1)}) : Peer(TrunkPeer{*Endpoint::Parse("10.0.0.2:5060")});
      Give(RequestReceived{transaction, peer, {}, std::move(request)});
    } else if (who == 'r') {
      Message response = Parse(text);
      if (response.is_request()) return;
      for (const std::string_view name : {"From", "To", "Call-ID", "CSeq"})
        if (!response.Has(name)) response.Add(name, std::string(last_request_.Get(name).value_or("")));
      Give(ResponseReceived{last_client_, TrunkPeer{}, std::move(response)});
    } else if (who == 'x') {
      Give(CancelReceived{last_invite_, {}});
    } else if (who == 'a') {
      Give(AckTimedOut{last_invite_});
    } else if (who == 'c') {
      Give(FlowClosed{FlowToken(1)});
    }
    now_ += std::chrono::milliseconds(700);
    b2bua_.HandleTimeout(now_);
    Drain();
  }

 private:
  static B2buaConfig MakeConfig(const HashFunctions&) {
    B2buaConfig config;
    config.web_host = "gw.example";
    config.trunk_local = Endpoint::Parse("10.0.0.1:5060");
    config.sip_server = Endpoint::Parse("10.0.0.2:5060");
    config.domains = {{"lab.example", DomainMode::kLocal, {{"1001", "0"}}, TestNumbers::kOn},
                      {"relay.example", DomainMode::kRelay, {}, TestNumbers::kOff}};
    const std::array<uint8_t, 32> key{};
    config.identity_key.Assign(key);
    return config;
  }
  void Give(const Event& event) {
    b2bua_.Handle(now_, event);
    Drain();
  }
  void Check(const Message& message) {
    for (const HeaderField& field : message.headers)
      if (field.value.find_first_of("\r\n") != std::string::npos) std::abort();
  }
  void Drain() {
    while (const auto action = b2bua_.PollAction()) {
      if (const auto* send = std::get_if<SendRequest>(&*action)) {
        Check(send->request);
        if (send->transaction.value() == 0) continue;
        last_client_ = send->transaction;
        last_request_ = send->request;
      } else if (const auto* respond = std::get_if<SendResponse>(&*action)) {
        Check(respond->response);
        if (respond->response.status >= 200 && !answered_.insert(respond->transaction.value()).second)
          std::abort();
      }
    }
  }

  OpensslHashFunctions hashes_;
  FakeMediaBroker media_;
  registrar::MemoryBindingStore bindings_;
  ZeroRng rng_;
  TimePoint now_ = TimePoint(std::chrono::hours(1));
  B2bua b2bua_;
  uint64_t last_server_ = 0;
  ServerTransactionId last_invite_;
  ClientTransactionId last_client_;
  Message last_request_;
  std::set<uint64_t> answered_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 16'384) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  World world;
  while (!text.empty()) {
    const size_t end = text.find("\n--\n");
    world.Speak(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 4);
  }
  return 0;
}
