#pragma once
#include <string>

#include "controlplane/registrar/registrar.h"
#include "dataplane/base/net_address.h"

namespace linegate::registrar {

/// REGISTER of a relayed domain (design D8 "REGISTER relay"): the SIP Server is the registrar and
/// authenticates the user; we stand in for the browser with a Contact of ours, `sip:TOKEN@TRUNK`, and
/// remember whose it is.
///
///   browser                         us                                   SIP Server
///   REGISTER Contact: <sip:x9@r.invalid>  ->  Contact: <sip:TOKEN@trunk>  ->
///                                          <-  200 Contact: <sip:TOKEN@trunk>;expires=300, others
///   <-  200 Contact: <sip:x9@r.invalid>;expires=300       (binding written here, and only here)
///
/// Credentials and challenges cross byte-exact; the state between request and response is the caller's to
/// keep.
class RegistrationRelay {
 public:
  /// References must outlive the object. `trunk` is our address as the SIP Server reaches it.
  RegistrationRelay(const RegistrationConfig& config, BindingStore& store, const sip::Identity& identity,
                    const Endpoint& trunk)
      : config_(config), store_(store), identity_(identity), trunk_(trunk) {}

  struct Forwarded {
    sip::Message request;     ///< for the SIP Server
    RegisterRequest pending;  ///< hand back with its response
  };
  Result<Forwarded, Refusal> Forward(TimePoint now, const sip::Message& request) const;
  /// `request` is the browser's. A response other than 2xx crosses and changes nothing.
  RegisterOutcome Return(TimePoint now, const sip::Message& request, const RegisterRequest& pending,
                         const sip::Message& response, std::string_view local_tag);

 private:
  std::string UpstreamContact(const RequestedContact& contact) const;
  Status Write(TimePoint now, const RegisterRequest& pending, const sip::Message& response,
               RegisterOutcome& outcome);
  void AddContacts(TimePoint now, const RegisterRequest& pending, const sip::Message& from,
                   sip::Message& to) const;

  const RegistrationConfig& config_;
  BindingStore& store_;
  const sip::Identity& identity_;
  Endpoint trunk_;
};

}  // namespace linegate::registrar
