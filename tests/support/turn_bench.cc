#include "tests/support/turn_bench.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "dataplane/base/check.h"

namespace linegate::test {
namespace {

using turn::ClientTransport;
using wire::StunAttribute;
using wire::StunClass;
using wire::StunMethod;

std::string NameOf(StunMethod method) {
  switch (method) {
    case StunMethod::kBinding:
      return "Binding";
    case StunMethod::kAllocate:
      return "Allocate";
    case StunMethod::kRefresh:
      return "Refresh";
    case StunMethod::kCreatePermission:
      return "CreatePermission";
    case StunMethod::kChannelBind:
      return "ChannelBind";
    case StunMethod::kConnect:
      return "Connect";
    case StunMethod::kConnectionBind:
      return "ConnectionBind";
    case StunMethod::kConnectionAttempt:
      return "ConnectionAttempt";
    default:
      return "?";
  }
}

const char* NameOf(ClientTransport transport) {
  constexpr const char* kNames[] = {"udp", "tcp", "tls", "dtls"};
  return kNames[size_t(transport)];
}

std::string AnswerText(const wire::StunMessageView& view) {
  std::string text = NameOf(view.method());
  switch (view.message_class()) {
    case StunClass::kSuccess:
      text += " ok";
      break;
    case StunClass::kError:
      text += " " + std::to_string(view.error_code()->code);
      break;
    default:
      text += " indication";
  }
  view.ForEachAttribute([&](StunAttribute attribute, ByteView value) {
    if (attribute == StunAttribute::kXorRelayedAddress)
      text += " relayed " + view.DecodeXorAddress(value)->ToString();
    if (attribute == StunAttribute::kXorMappedAddress)
      text += " mapped " + view.DecodeXorAddress(value)->ToString();
    if (attribute == StunAttribute::kXorPeerAddress)
      text += " peer " + view.DecodeXorAddress(value)->ToString();
    if (attribute == StunAttribute::kLifetime) text += " lifetime " + std::to_string(LoadBe32(value.data()));
    if (attribute == StunAttribute::kConnectionId)
      text += " connection " + std::to_string(LoadBe32(value.data()));
    if (attribute == StunAttribute::kReservationToken) text += " token";
    if (attribute == StunAttribute::kMobilityTicket) text += " ticket";
    if (attribute == StunAttribute::kNonce) text += " nonce";
    if (attribute == StunAttribute::kAddressErrorCode) {
      text += " family " + std::to_string(value[0]) + ": " + std::to_string(value[2] * 100 + value[3]);
    }
  });
  return text;
}

}  // namespace

std::array<uint8_t, 16> TurnTestCrypto::Md5(ByteView bytes) {
  std::array<uint8_t, 16> digest;
  LG_FATAL(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_md5(), nullptr) == 1);
  return digest;
}

std::array<uint8_t, 32> TurnTestCrypto::Sha256(ByteView bytes) {
  std::array<uint8_t, 32> digest;
  LG_FATAL(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return digest;
}

void TurnTestCrypto::Sha256Hmac::Compute(ByteView key, ByteView first, ByteView second,
                                         std::span<uint8_t, kTagBytes> tag) noexcept {
  std::vector<uint8_t> message(first.begin(), first.end());
  message.insert(message.end(), second.begin(), second.end());
  unsigned length = 0;
  LG_FATAL(HMAC(EVP_sha256(), key.data(), int(key.size()), message.data(), message.size(), tag.data(),
                &length) != nullptr);
}

namespace {
const EVP_CIPHER* CipherOf(ByteView key) { return key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(); }
}  // namespace

std::optional<std::vector<uint8_t>> TurnTestCrypto::OpenAesGcm(ByteView key, ByteView nonce,
                                                               ByteView associated_data, ByteView sealed) {
  if (sealed.size() < 16 || nonce.empty()) return std::nullopt;
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  std::vector<uint8_t> plain(sealed.size() - 16), tag(sealed.end() - 16, sealed.end());
  int length = 0;
  EVP_DecryptInit_ex(context, CipherOf(key), nullptr, nullptr, nullptr);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_IVLEN, int(nonce.size()), nullptr);
  EVP_DecryptInit_ex(context, nullptr, nullptr, key.data(), nonce.data());
  EVP_DecryptUpdate(context, nullptr, &length, associated_data.data(), int(associated_data.size()));
  EVP_DecryptUpdate(context, plain.data(), &length, sealed.data(), int(plain.size()));
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, tag.data());
  const bool right = EVP_DecryptFinal_ex(context, nullptr, &length) == 1;
  EVP_CIPHER_CTX_free(context);
  return right ? std::optional(plain) : std::nullopt;
}

std::vector<uint8_t> TurnTestCrypto::SealAesGcm(ByteView key, ByteView nonce, ByteView associated_data,
                                                ByteView plain) {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  std::vector<uint8_t> sealed(plain.size() + 16);
  int length = 0;
  EVP_EncryptInit_ex(context, CipherOf(key), nullptr, nullptr, nullptr);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_IVLEN, int(nonce.size()), nullptr);
  EVP_EncryptInit_ex(context, nullptr, nullptr, key.data(), nonce.data());
  EVP_EncryptUpdate(context, nullptr, &length, associated_data.data(), int(associated_data.size()));
  EVP_EncryptUpdate(context, sealed.data(), &length, plain.data(), int(plain.size()));
  EVP_EncryptFinal_ex(context, sealed.data() + length, &length);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, sealed.data() + plain.size());
  EVP_CIPHER_CTX_free(context);
  return sealed;
}

turn::TurnConfig TurnBench::Config() {
  turn::TurnConfig config;
  config.enabled = true;
  config.realm = "lab.example";
  config.users = {{"lab", "lab"}, {"eve", "eve"}};
  config.shared_secrets = {"lab-secret"};
  config.allowed_peers = {*turn::IpPrefix::Parse("198.51.100.0/24"), *turn::IpPrefix::Parse("2001:db8::/32")};
  turn::RelayRealm relay;
  relay.bound = {IpAddress::V4(10, 0, 0, 1), *IpAddress::Parse("fd00::1")};
  relay.advertised = {IpAddress::V4(192, 0, 2, 1), *IpAddress::Parse("2001:db8::1")};
  relay.shares = {{49160, 49175}};
  config.relay_realms = {relay};
  config.relay_realm_of = {0};
  config.media_addresses = {relay.bound[0], relay.bound[1], relay.advertised[0], relay.advertised[1]};
  return config;
}

turn::TurnClient TurnBench::Client(int number, ClientTransport transport) {
  turn::TurnClient client;
  client.transport = transport;
  client.local = {IpAddress::V4(10, 0, 0, 1), 3478};
  client.remote = {IpAddress::V4(203, 0, uint8_t(113 + number / 250), uint8_t(number % 250)), uint16_t(5000)};
  client.connection = turn::HasConnection(transport) ? uint64_t(number) : 0;
  return client;
}

TurnBench::TurnBench(turn::TurnConfig config)
    : server_(std::make_unique<turn::TurnServer>(std::move(config), crypto, rng_)) {}

void TurnBench::Pass(Duration duration) {
  now_ += duration;
  unix_s_ += std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  server_->HandleTimeout(now_);
}

std::vector<uint8_t> TurnBench::Key() {
  if (key) return *key;
  const std::string text = user + ":" + realm + ":" + password;
  if (algorithm == turn::PasswordAlgorithm::kSha256) {
    const auto digest = crypto.Sha256(AsBytes(text));
    return {digest.begin(), digest.end()};
  }
  const auto digest = crypto.Md5(AsBytes(text));
  return {digest.begin(), digest.end()};
}

std::string TurnBench::Nonce(const turn::TurnClient& client) {
  while (auto output = server_->PollOutput()) held_.push_back(*std::move(output));
  std::array<uint8_t, 64> buffer;
  constexpr std::array<uint8_t, 12> kId = {0xff};
  wire::StunMessageWriter writer(buffer, StunClass::kRequest, StunMethod::kAllocate, kId);
  writer.AddU32(StunAttribute::kRequestedTransport, 17u << 24);
  Deliver(client, writer.Finish());
  const auto output = server_->PollOutput();
  if (!output) return std::string();  // the 5-tuple is being let go of
  const auto& message = std::get<turn::SendToClient>(*output).message;
  return std::string(*wire::StunMessageView::Parse(message)->nonce());
}

std::vector<uint8_t> TurnBench::Request(const turn::TurnClient& client, StunMethod method, const Add& add) {
  std::array<uint8_t, 12> id = {};
  StoreBe64(id.data(), next_transaction_++);
  if (transaction) id = *transaction;
  std::array<uint8_t, 2048> buffer;
  wire::StunMessageWriter writer(buffer, StunClass::kRequest, method, id);
  if (add) add(writer);
  if (proof != Proof::kNone) {
    writer.AddText(StunAttribute::kUsername, user);
    writer.AddText(StunAttribute::kRealm, realm);
    writer.AddText(StunAttribute::kNonce, Nonce(client));
    if (names_algorithm) {
      constexpr std::array<uint8_t, 8> kOffer = {0, 1, 0, 0, 0, 2, 0, 0};
      const std::array<uint8_t, 4> chosen = {0, uint8_t(algorithm), 0, 0};
      writer.AddBytes(StunAttribute::kPasswordAlgorithms, kOffer);
      writer.AddBytes(StunAttribute::kPasswordAlgorithm, chosen);
    }
    if (proof == Proof::kSha1) writer.AddMessageIntegrity(crypto.hmac_sha1(), Key());
    if (proof == Proof::kSha256) writer.AddMessageIntegritySha256(crypto.hmac_sha256(), Key());
  }
  if (fingerprint) writer.AddFingerprint();
  const ByteView message = writer.Finish();
  LG_FATAL(!message.empty());
  return {message.begin(), message.end()};
}

int TurnBench::Code(const turn::TurnClient& client, StunMethod method, const Add& add) {
  last_message_.clear();
  Ask(client, method, add);
  Settle();
  if (last_message_.empty()) return -1;
  const auto error = last_answer().error_code();
  return error ? error->code : 0;
}

int TurnBench::Allocate(const turn::TurnClient& client, const Add& add) {
  return Code(client, StunMethod::kAllocate, [&](wire::StunMessageWriter& writer) {
    writer.AddU32(StunAttribute::kRequestedTransport, 17u << 24);
    if (add) add(writer);
  });
}

int TurnBench::Permit(const turn::TurnClient& client, std::initializer_list<const char*> peers) {
  return Code(client, StunMethod::kCreatePermission, [&](wire::StunMessageWriter& writer) {
    for (const char* peer : peers)
      writer.AddXorAddress(StunAttribute::kXorPeerAddress, {*IpAddress::Parse(peer), 0});
  });
}

int TurnBench::Bind(const turn::TurnClient& client, uint16_t channel, const char* peer) {
  return Code(client, StunMethod::kChannelBind, [&](wire::StunMessageWriter& writer) {
    writer.AddU32(StunAttribute::kChannelNumber, uint32_t(channel) << 16);
    writer.AddXorAddress(StunAttribute::kXorPeerAddress, *Endpoint::Parse(peer));
  });
}

int TurnBench::Refresh(const turn::TurnClient& client, uint32_t lifetime, const Add& add) {
  return Code(client, StunMethod::kRefresh, [&](wire::StunMessageWriter& writer) {
    writer.AddU32(StunAttribute::kLifetime, lifetime);
    if (add) add(writer);
  });
}

std::string TurnBench::Text(const turn::Output& output) {
  const auto number = [](auto id) { return std::to_string(id.value()); };
  if (const auto* send = std::get_if<turn::SendToClient>(&output)) {
    last_message_ = send->message;
    return "answer " + send->client.remote.ToString() + " " + AnswerText(last_answer());
  }
  if (const auto* program = std::get_if<turn::ProgramRelay>(&output)) {
    std::string text = "program " + number(program->allocation) + " change " +
                       std::to_string(program->change) + " worker " + std::to_string(program->worker) + " " +
                       NameOf(program->terms.client.transport) + " " +
                       program->terms.client.remote.ToString();
    for (const Endpoint& relayed : program->terms.relayed) {
      if (relayed.port != 0) text += " relayed " + relayed.ToString();
    }
    if (program->terms.bytes_per_second != 0)
      text += " rate " + std::to_string(program->terms.bytes_per_second);
    return text;
  }
  if (const auto* set = std::get_if<turn::SetRelayPeer>(&output)) {
    std::string text = "peer " + number(set->allocation) + " change " + std::to_string(set->change) + " [" +
                       std::to_string(set->index) + "] ";
    if (set->terms.peer.address.family() == IpFamily::kNone) return text + "none";
    text += set->terms.peer.ToString();
    if (set->terms.channel != 0) text += " channel " + std::to_string(set->terms.channel);
    return text + (set->terms.permitted ? "" : " not permitted");
  }
  if (const auto* remove = std::get_if<turn::RemoveRelay>(&output))
    return "remove " + number(remove->allocation);
  if (const auto* close = std::get_if<turn::CloseClient>(&output))
    return "close " + std::to_string(close->connection);
  if (const auto* open = std::get_if<turn::OpenTcpRelay>(&output))
    return "open tcp " + number(open->allocation) + " " + open->local.ToString();
  if (const auto* shut = std::get_if<turn::CloseTcpRelay>(&output))
    return "close tcp " + number(shut->allocation);
  if (const auto* connect = std::get_if<turn::ConnectTcpPeer>(&output))
    return "connect " + number(connect->allocation) + " " + connect->local.ToString() + " to " +
           connect->peer.ToString();
  if (const auto* bind = std::get_if<turn::BindTcpConnection>(&output))
    return "bind to client " + std::to_string(bind->client_connection);
  return "close connection";
}

void TurnBench::Confirm(const turn::Output& output) {
  if (const auto* program = std::get_if<turn::ProgramRelay>(&output))
    server_->HandleRelaySettled(now_, program->allocation, program->change, turn::Outcome::kDone);
  if (const auto* set = std::get_if<turn::SetRelayPeer>(&output))
    server_->HandleRelaySettled(now_, set->allocation, set->change, turn::Outcome::kDone);
  if (const auto* remove = std::get_if<turn::RemoveRelay>(&output))
    server_->HandleRelayRemoved(now_, remove->allocation);
  if (const auto* open = std::get_if<turn::OpenTcpRelay>(&output))
    server_->HandleTcpRelayOpened(now_, open->allocation, turn::Outcome::kDone);
}

std::optional<turn::Output> TurnBench::Next() {
  if (held_.empty()) return server_->PollOutput();
  turn::Output output = std::move(held_.front());
  held_.pop_front();
  return output;
}

std::vector<std::string> TurnBench::Outputs() {
  std::vector<std::string> texts;
  while (const auto output = Next()) texts.push_back(Text(*output));
  return texts;
}

std::vector<std::string> TurnBench::Settle() {
  std::vector<std::string> texts;
  while (const auto output = Next()) {
    texts.push_back(Text(*output));
    Confirm(*output);
  }
  return texts;
}

}  // namespace linegate::test
