// What the far side of a dialog has asked of us, and what its requests carry in answer. (RFC 3261 §22)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_check.h"
#include "signaling/sip/digest.h"
#include "signaling/sip/sip_event.h"

namespace vas::signaling {

// One header field of a 401 or 407; a field may hold several challenges.
struct ChallengeField {
  bool is_proxy = false;  // Proxy-Authenticate
  std::string value;
};

// An answer that a request carried: by it the next challenge to that request is judged.
struct CarriedCredentials {
  bool is_proxy = false;
  std::string realm;
  std::string nonce;
  std::uint32_t count = 0;  // of the nonce's uses, this one among them
};

// Every request of a dialog is authenticated in this one way. A realm that was answered once is answered in
// every later request, and its nonce's uses are counted; servers and proxies have realms of their own, side
// by side.
//
// Whether a challenge means a wrong password shows the nonce, not `stale`, which most servers leave out: an
// answer that was refused when its nonce was fresh is wrong,
// and one whose nonce had served before has grown old.
//
// Threads: its dialog's.
// Bounds:  kMaxRealms; more are not answered. How often one request is said again is its sender's to bound.
class Authentication {
 public:
  // A carrier has a proxy and a server; more would make each request longer without end.
  static constexpr std::size_t kMaxRealms = 4;

  void use(Credentials credentials) { credentials_ = std::move(credentials); }

  // Authorization and Proxy-Authorization of a request; none where nobody asked. `carried` is told of each.
  std::vector<Header> answers(std::string_view method, std::string_view uri,
                              std::vector<CarriedCredentials>& carried);

  // A request that had `carried` was challenged. True: answers() knows what to say now, and the request is
  // worth saying again.
  bool apply(const std::vector<ChallengeField>& fields, const std::vector<CarriedCredentials>& carried);

 private:
  struct Realm {
    bool is_proxy = false;
    DigestChallenge challenge;
    std::uint32_t uses = 0;

    bool is_of(bool proxy, const DigestChallenge& other) const {
      return is_proxy == proxy && challenge.realm == other.realm;
    }
  };
  bool may_respond(const DigestChallenge& challenge) const;
  bool has_room_for(bool is_proxy, const DigestChallenge& challenge) const;
  void remember(bool is_proxy, const DigestChallenge& challenge);

  Credentials credentials_;
  std::vector<Realm> realms_;
  ThreadCheck thread_check_{"Authentication"};
};

}  // namespace vas::signaling
