#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

void AddLines(Message& message, std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty()) {
      message.body = text;
      return;
    }
    const size_t colon = line.find(':');
    message.Add(line.substr(0, colon), std::string(Trim(line.substr(colon + 1))));
  }
}

std::string PeerName(const Peer& peer) {
  if (const auto* browser = std::get_if<WssPeer>(&peer))
    return "flow" + std::to_string(browser->flow.value());
  const auto& trunk = std::get<TrunkPeer>(peer);
  return trunk.next_hop.ToString() + (trunk.prefer_tcp ? "/tcp" : "");
}

}  // namespace

Message Text(std::string_view text) {
  while (!text.empty() && text.front() == '\n') text.remove_prefix(1);
  Message message;
  const std::string_view first = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), first.size() + 1));
  const size_t blank = first.find(' ');
  if (first.substr(0, 8) == "SIP/2.0 ") {
    message.status = std::stoi(std::string(first.substr(8, 3)));
    message.reason = first.substr(12);
  } else {
    message.method = first.substr(0, blank);
    message.request_uri = first.substr(blank + 1);
  }
  AddLines(message, text);
  return message;
}

Message Reply(const Message& request, int status, std::string_view reason, std::string_view to_tag,
              std::string_view extra) {
  Message response;
  response.status = status;
  response.reason = reason;
  for (const std::string_view name : {"From", "To", "Call-ID", "CSeq"})
    response.Add(name, Header(request, name));
  if (!to_tag.empty() && !GetTag(Header(response, "To")))
    response.Set("To", Header(response, "To") + ";tag=" + std::string(to_tag));
  AddLines(response, extra);
  return response;
}

Message WithSdp(Message message, std::string sdp) {
  message.Set("Content-Type", "application/sdp");
  message.body = std::move(sdp);
  return message;
}

std::string Describe(const Action& action) {
  if (const auto* send = std::get_if<SendRequest>(&action)) {
    if (send->transaction.value() == 0) return "ACK " + PeerName(send->to) + " " + send->request.request_uri;
    return "#" + std::to_string(send->transaction.value()) + " " + PeerName(send->to) + " " +
           send->request.method + " " + send->request.request_uri;
  }
  if (const auto* respond = std::get_if<SendResponse>(&action))
    return "t" + std::to_string(respond->transaction.value()) + " " +
           std::to_string(respond->response.status) + " " + respond->response.reason;
  if (const auto* cancel = std::get_if<CancelRequest>(&action))
    return "cancel #" + std::to_string(cancel->transaction.value());
  const auto& close = std::get<CloseFlow>(action);
  return "close flow" + std::to_string(close.flow.value()) + " " + std::to_string(close.code);
}

B2buaFixture::B2buaFixture() {
  config.web_host = "gw.example";
  config.trunk_local = Endpoint::Parse("10.90.2.1:5060");
  config.sip_server = Endpoint::Parse("10.90.2.2:5060");
  DomainConfig local{"lab.example", DomainMode::kLocal, {}, TestNumbers::kOn};
  for (const char* user : {"1001", "1002", "1003"})
    local.users.push_back({user, ComputeHa1(hashes, user, "lab.example", user)});
  config.domains = {local, DomainConfig{"relay.example", DomainMode::kRelay, {}, TestNumbers::kOff}};
  const std::array<uint8_t, 32> key{1, 2, 3};
  config.identity_key.Assign(key);
  Restart();
}

void B2buaFixture::Restart() { b2bua = std::make_unique<B2bua>(config, media, bindings, hashes, rng); }

std::vector<std::string> B2buaFixture::Give(const Event& event) {
  b2bua->Handle(now, event);
  actions.clear();
  std::vector<std::string> lines;
  while (auto action = b2bua->PollAction()) {
    lines.push_back(Describe(*action));
    if (const auto* send = std::get_if<SendRequest>(&*action))
      requests_[send->transaction.value()] = send->request;
    actions.push_back(std::move(*action));
  }
  return lines;
}

std::vector<std::string> B2buaFixture::FromBrowser(uint64_t flow, uint64_t transaction, Message request) {
  return Give(RequestReceived{ServerTransactionId(request.method == "ACK" ? 0 : transaction),
                              WssPeer{FlowToken(flow)}, *Endpoint::Parse("10.90.1.2:40000"),
                              std::move(request)});
}

std::vector<std::string> B2buaFixture::FromTrunk(uint64_t transaction, Message request) {
  const Endpoint server = *Endpoint::Parse("10.90.2.2:5060");
  return Give(RequestReceived{ServerTransactionId(request.method == "ACK" ? 0 : transaction),
                              TrunkPeer{server}, server, std::move(request)});
}

std::vector<std::string> B2buaFixture::Response(uint64_t transaction, Message response) {
  return Give(ResponseReceived{ClientTransactionId(transaction), TrunkPeer{}, std::move(response)});
}

std::vector<std::string> B2buaFixture::Advance(Duration duration) {
  now += duration;
  b2bua->HandleTimeout(now);
  actions.clear();
  std::vector<std::string> lines;
  while (auto action = b2bua->PollAction()) {
    lines.push_back(Describe(*action));
    if (const auto* send = std::get_if<SendRequest>(&*action))
      requests_[send->transaction.value()] = send->request;
    actions.push_back(std::move(*action));
  }
  return lines;
}

const Message& B2buaFixture::Sent(size_t index) const {
  const Action& action = actions.at(index);
  if (const auto* send = std::get_if<SendRequest>(&action)) return send->request;
  return std::get<SendResponse>(action).response;
}

Message B2buaFixture::Authorize(Message request, const Message& challenge, std::string_view user,
                                std::string_view password) const {
  const bool proxy = challenge.status == 407;
  const auto parsed =
      ParseDigestCredentials(Header(challenge, proxy ? "Proxy-Authenticate" : "WWW-Authenticate") +
                             ", username=\"x\", uri=\"x\", response=\"x\"");
  DigestCredentials credentials = *parsed;
  credentials.username = user;
  credentials.uri = request.request_uri;
  credentials.qop = "auth";
  credentials.nc = "00000001";
  credentials.cnonce = "c";
  const std::string ha1 = ComputeHa1(hashes, user, credentials.realm, password);
  const std::string value = "Digest algorithm=MD5, username=\"" + credentials.username + "\", realm=\"" +
                            credentials.realm + "\", nonce=\"" + credentials.nonce + "\", uri=\"" +
                            credentials.uri + "\", response=\"" +
                            ComputeDigestResponse(hashes, ha1, credentials, request.method) +
                            "\", qop=auth, cnonce=\"c\", nc=00000001";
  request.Set(proxy ? "Proxy-Authorization" : "Authorization", value);
  const CSeq cseq = *ParseCSeq(*request.Get("CSeq"));
  request.Set("CSeq", std::to_string(cseq.number + 1) + " " + request.method);
  return request;
}

void B2buaFixture::RegisterLocal(uint64_t flow, const std::string& user, const std::string& contact_user) {
  Message request = Text(
      "REGISTER sip:lab.example\nMax-Forwards: 69\nTo: <sip:" + user + "@lab.example>\nFrom: <sip:" + user +
      "@lab.example>;tag=r" + contact_user + "\nCall-ID: reg-" + contact_user +
      "\nCSeq: " + std::to_string(next_setup_transaction) + " REGISTER\nContact: <sip:" + contact_user +
      "@x.invalid;transport=ws>;expires=600\nExpires: 600\n");
  FromBrowser(flow, next_setup_transaction++, request);
  ASSERT_EQ(Sent(0).status, 401);
  FromBrowser(flow, next_setup_transaction++, Authorize(request, Message(Sent(0)), user, user));
  ASSERT_EQ(Sent(0).status, 200);
}

std::string B2buaFixture::RegisterRelayed(uint64_t flow, const std::string& user,
                                          const std::string& contact_user, const std::string& instance) {
  static uint32_t cseq = 0;
  Message request = Text("REGISTER sip:relay.example\nMax-Forwards: 69\nTo: <sip:" + user +
                         "@relay.example>\nFrom: <sip:" + user + "@relay.example>;tag=r\nCall-ID: reg-" +
                         contact_user + "\nCSeq: " + std::to_string(++cseq) +
                         " REGISTER\nContact: <sip:" + contact_user + "@x.invalid;transport=ws>" +
                         (instance.empty() ? "" : ";+sip.instance=\"" + instance + "\"") + ";expires=600\n");
  FromBrowser(flow, next_setup_transaction++, request);
  const auto& send = std::get<SendRequest>(actions.at(0));
  const Message upstream = send.request;
  const std::string contact = Header(upstream, "Contact");
  Response(send.transaction.value(), Reply(upstream, 200, "OK", "regtag", "Contact: " + contact + "\n"));
  return std::string(ParseUri(ParseNameAddr(contact)->uri)->user);
}

std::vector<std::string> B2buaFixture::InviteLocal(uint64_t flow, uint64_t transaction, Message invite,
                                                   std::string_view user) {
  FromBrowser(flow, next_setup_transaction++, invite);
  return FromBrowser(flow, transaction, Authorize(invite, Message(Sent(0)), user, user));
}

Message JssipInvite(std::string_view from, std::string_view to_uri, std::string_view call_id,
                    std::string_view sdp) {
  const std::string user(from.substr(0, from.find('@')));
  Message invite = Text(
      "INVITE " + std::string(to_uri) + "\nMax-Forwards: 69\nTo: <" + std::string(to_uri) + ">\nFrom: \"" +
      user + "\" <sip:" + std::string(from) + ">;tag=jtag\nCall-ID: " + std::string(call_id) +
      "\nCSeq: 7000 INVITE\nContact: <sip:c" + user +
      "@x.invalid;transport=ws;ob>\nAllow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\n"
      "Supported: timer,ice,replaces,outbound\nSession-Expires: 90\nUser-Agent: JsSIP 3.10.1\n");
  return sdp.empty() ? invite : WithSdp(invite, std::string(sdp));
}

Message KamailioInvite(std::string_view token, std::string_view call_id, std::string_view from_tag,
                       std::string_view sdp) {
  Message invite = Text("INVITE sip:" + std::string(token) +
                        "@10.90.2.1:5060\nRecord-Route: <sip:10.90.2.2;lr=on;ftag=ptag>\nMax-Forwards: 69\n"
                        "To: <sip:1001@relay.example>\nFrom: <sip:1003@relay.example>;tag=" +
                        std::string(from_tag) + "\nCall-ID: " + std::string(call_id) +
                        "\nCSeq: 100 INVITE\nContact: <sip:1003@10.90.2.2:5070>\nUser-Agent: baresip\n");
  return sdp.empty() ? invite : WithSdp(invite, std::string(sdp));
}

Message InDialog(const Message& invite, const Message& our_response, std::string_view method, uint32_t cseq,
                 std::string_view extra) {
  Message request;
  request.method = method;
  request.request_uri = ParseNameAddr(Header(our_response, "Contact")).value_or(NameAddr{}).uri;
  request.Add("Max-Forwards", "69");
  request.Add("To", Header(our_response, "To"));
  request.Add("From", Header(invite, "From"));
  request.Add("Call-ID", Header(invite, "Call-ID"));
  request.Add("CSeq", std::to_string(cseq) + " " + std::string(method));
  AddLines(request, extra);
  if (method == "INVITE" && !request.Has("Contact")) request.Add("Contact", Header(invite, "Contact"));
  return request;
}

Message FromCallee(const Message& our_request, std::string_view tag, std::string_view method, uint32_t cseq,
                   std::string_view extra) {
  Message request;
  request.method = method;
  request.request_uri = ParseNameAddr(Header(our_request, "Contact"))->uri;
  request.Add("Max-Forwards", "69");
  request.Add("To", Header(our_request, "From"));
  request.Add("From", Header(our_request, "To") + ";tag=" + std::string(tag));
  request.Add("Call-ID", Header(our_request, "Call-ID"));
  request.Add("CSeq", std::to_string(cseq) + " " + std::string(method));
  AddLines(request, extra);
  if (method == "INVITE" && !request.Has("Contact")) request.Add("Contact", "<sip:callee@10.90.2.2:5070>");
  return request;
}

}  // namespace linegate::sip
