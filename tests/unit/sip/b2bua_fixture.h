#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/sip/b2bua.h"
#include "controlplane/sip/digest.h"
#include "controlplane/sip/sip_text.h"
#include "tests/unit/sip/fake_media_broker.h"
#include "tests/unit/sip/memory_binding_store.h"
#include "tests/unit/sip/openssl_hash_functions.h"

namespace linegate::sip {

class CountingRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = uint8_t(++count_);
  }

 private:
  uint32_t count_ = 0;
};

/// "Name: value" lines, an empty line, the body. The first line is a request line or a status line.
Message Text(std::string_view text);
/// A response to `request` with this To tag; `extra`: further header lines and body as in Text().
Message Reply(const Message& request, int status, std::string_view reason, std::string_view to_tag,
              std::string_view extra = {});
Message WithSdp(Message message, std::string sdp);
/// One line per action: "#3 flow7 INVITE sip:x@y", "#3 10.90.2.2:5060 INVITE ...", "ACK flow7 sip:x@y",
/// "t5 180 Ringing", "cancel #3", "close flow7 1008".
std::string Describe(const Action& action);

/// A B2bua between browsers (flows) and a SIP Server at 10.90.2.2:5060, on a virtual clock. Domain
/// lab.example is local with users 1001 and 1002, relay.example goes to the SIP Server.
class B2buaFixture : public ::testing::Test {
 protected:
  B2buaFixture();

  /// Gives the event and collects the actions in `actions` (those of earlier events are gone).
  std::vector<std::string> Give(const Event& event);
  std::vector<std::string> FromBrowser(uint64_t flow, uint64_t transaction, Message request);
  std::vector<std::string> FromTrunk(uint64_t transaction, Message request);
  std::vector<std::string> Response(uint64_t transaction, Message response);
  std::vector<std::string> Advance(Duration duration);

  /// The request or response of action `index` of the last event.
  const Message& Sent(size_t index) const;
  const Message& SentRequest(ClientTransactionId transaction) const {
    return requests_.at(transaction.value());
  }
  const Message& SentRequest(uint64_t transaction) const { return requests_.at(transaction); }

  /// Adds credentials for the challenge in `response` to `request` and raises its CSeq.
  Message Authorize(Message request, const Message& challenge, std::string_view user,
                    std::string_view password) const;
  /// REGISTER with digest in lab.example; the binding is there afterwards.
  void RegisterLocal(uint64_t flow, const std::string& user, const std::string& contact_user);
  /// REGISTER through the SIP Server in relay.example; returns the token.
  std::string RegisterRelayed(uint64_t flow, const std::string& user, const std::string& contact_user,
                              const std::string& instance = "");
  /// An authorised INVITE in lab.example: challenge and retry.
  std::vector<std::string> InviteLocal(uint64_t flow, uint64_t transaction, Message invite,
                                       std::string_view user);

  void Restart();

  B2buaConfig config;
  FakeMediaBroker media;
  registrar::MemoryBindingStore bindings;
  OpensslHashFunctions hashes;
  CountingRng rng;
  std::unique_ptr<B2bua> b2bua;
  TimePoint now = TimePoint(std::chrono::hours(1));
  std::vector<Action> actions;
  uint64_t next_setup_transaction = 1000;

 private:
  std::map<uint64_t, Message> requests_;
};

/// An INVITE as JsSIP sends it (Via left out: the transport's).
Message JssipInvite(std::string_view from, std::string_view to_uri, std::string_view call_id = "jssip-call",
                    std::string_view sdp = "offer");
/// An INVITE as Kamailio forwards it from a phone.
Message KamailioInvite(std::string_view token, std::string_view call_id = "phone-call",
                       std::string_view from_tag = "ptag", std::string_view sdp = "offer");
/// A request inside the dialog that `our_response` (as sent by us to `invite`) made.
Message InDialog(const Message& invite, const Message& our_response, std::string_view method, uint32_t cseq,
                 std::string_view extra = {});
/// A request of the callee inside the dialog that `our_request` and its `tag` made.
Message FromCallee(const Message& our_request, std::string_view tag, std::string_view method, uint32_t cseq,
                   std::string_view extra = {});

inline std::string Header(const Message& message, std::string_view name) {
  return std::string(message.Get(name).value_or("(none)"));
}

}  // namespace linegate::sip
