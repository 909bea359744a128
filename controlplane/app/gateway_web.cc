// The web server and what the page is told; the TURN server that shares its port.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "controlplane/app/gateway.h"

namespace linegate::app {

Status Gateway::StartWeb() {
  net::WssOptions options;
  options.listen = config_.web.listen;
  options.certificate_path = config_.web.certificate;
  options.private_key_path = config_.web.private_key;
  options.allowed_origins = config_.web.allowed_origins;
  options.load_site = [this] { return BuildSite(); };
  options.connections = {.total = config_.web.max_connections,
                         .per_source = config_.web.max_connections_per_source};
  if (turn_ && config_.turn->server.listeners.share_web_port) {
    options.on_turn = [this](std::unique_ptr<net::ByteStream> stream, const Endpoint& local,
                             const Endpoint& remote) { turn_->Adopt(std::move(stream), local, remote); };
  }
  auto web = net::WssServer::Start(runtime_, options, *this);
  if (!web) return MakeUnexpected(std::move(web).error());
  web_ = std::move(web).value();
  return {};
}

Status Gateway::StartTurn() {
  if (!config_.turn) return {};
  auto turn = TurnGateway::Start(runtime_, config_, link_, *next_hops_, rng_, [this] { Pump(); });
  if (!turn) return MakeUnexpected(std::move(turn).error());
  turn_ = std::move(turn).value();
  return {};
}

Result<net::StaticSite> Gateway::BuildSite() {
  net::StaticSite site;
  if (!config_.web.root.empty()) {
    auto loaded = net::StaticSite::Load(config_.web.root);
    if (!loaded) return loaded;
    site = std::move(loaded).value();
  }
  site.PutGenerated("/config.json", [this] { return net::StaticFile{"application/json", PageConfig()}; });
  return site;
}

/// The page learns its domain, the media port it may have to ask a firewall for, and perhaps our TURN server from here.
std::string Gateway::PageConfig() {
  const settings::Realm& realm = config_.realm(config_.web.realm);
  nlohmann::json page = {{"iceServers", nlohmann::json::array()}, {"mediaPort", realm.webrtc_port}};
  if (turn_ && config_.turn->page_credentials) {
    const IceServer ours = turn_->MakePageCredentials();
    page["iceServers"].push_back(
        {{"urls", ours.urls}, {"username", ours.username}, {"credential", ours.credential}});
  }
  if (!config_.domains.empty()) page["domain"] = config_.domains.front().name;
  page["testNumbers"] = std::any_of(config_.domains.begin(), config_.domains.end(),
                                    [](const auto& d) { return d.test_numbers == ops::TestNumbers::kOn; });
  return page.dump();
}

}  // namespace linegate::app
