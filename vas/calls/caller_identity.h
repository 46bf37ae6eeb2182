// Who calls, as the network says that knows him, and whom that may be told. (RFC 3325, RFC 3323)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "signaling/sip/sip_event.h"
#include "vas/directory/directory.h"

namespace vas::calls {

// Bounds: the first two identities, as the RFC allows (a sip: or sips: URI, and a tel: URI).
struct CallerIdentity {
  std::string asserted;  // P-Asserted-Identity's values, well-formed; empty: nothing is known
  std::string privacy;   // Privacy's value; empty: the caller asked for nothing

  bool withholds_identity() const;  // what is asserted is not for those outside of the networks that know it
  bool withholds_caller() const;    // From neither
};

// Of an INVITE whose sender speaks for its caller. What is not well-formed is as though it had not come.
CallerIdentity identity_of(const signaling::InviteReceived& invite);

// What the called party is told of the caller: the asserted number, else From's; "anonymous" where the caller
// keeps himself to himself.
std::string shown_caller(const std::string& from_user, const CallerIdentity& identity);

// What stands in an INVITE to a network of that rule.
std::vector<signaling::Header> identity_headers(const CallerIdentity& identity, directory::IdentityRule rule);

}  // namespace vas::calls
