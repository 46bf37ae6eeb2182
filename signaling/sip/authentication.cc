#include "signaling/sip/authentication.h"

#include <algorithm>

#include "base/random.h"

namespace vas::signaling {
namespace {

struct Chosen {
  bool is_proxy = false;
  DigestChallenge challenge;
};

// Of each realm the strongest that can be answered.
std::vector<Chosen> choose(const std::vector<ChallengeField>& fields) {
  std::vector<Chosen> chosen;
  for (const ChallengeField& field : fields) {
    for (auto& challenge : challenges_in(field.value)) {
      const auto same = std::find_if(chosen.begin(), chosen.end(), [&](const Chosen& each) {
        return each.is_proxy == field.is_proxy && each.challenge.realm == challenge.realm;
      });
      if (same == chosen.end()) {
        chosen.push_back({field.is_proxy, std::move(challenge)});
      } else if (is_stronger(challenge, same->challenge)) {
        same->challenge = std::move(challenge);
      }
    }
  }
  return chosen;
}

}  // namespace

std::vector<Header> Authentication::answers(std::string_view method, std::string_view uri,
                                            std::vector<CarriedCredentials>& carried) {
  thread_check_.check();
  std::vector<Header> headers;
  for (Realm& each : realms_) {
    ++each.uses;
    headers.push_back({each.is_proxy ? "Proxy-Authorization" : "Authorization",
                       digest_response(each.challenge, credentials_, method, uri, random_hex(8), each.uses)});
    carried.push_back({each.is_proxy, each.challenge.realm, each.challenge.nonce, each.uses});
  }
  return headers;
}

bool Authentication::apply(const std::vector<ChallengeField>& fields,
                           const std::vector<CarriedCredentials>& carried) {
  thread_check_.check();
  bool knows_more = false;
  for (const Chosen& each : choose(fields)) {
    if (!may_respond(each.challenge)) continue;
    const auto before = std::find_if(carried.begin(), carried.end(), [&](const CarriedCredentials& answer) {
      return answer.is_proxy == each.is_proxy && answer.realm == each.challenge.realm;
    });
    const bool is_refused = before != carried.end() && before->count == 1 && !each.challenge.is_stale;
    if (is_refused) return false;
    if (!has_room_for(each.is_proxy, each.challenge)) continue;
    remember(each.is_proxy, each.challenge);
    knows_more = true;
  }
  return knows_more;
}

bool Authentication::may_respond(const DigestChallenge& challenge) const {
  return !credentials_.user.empty() && (credentials_.realm.empty() || credentials_.realm == challenge.realm);
}

bool Authentication::has_room_for(bool is_proxy, const DigestChallenge& challenge) const {
  return realms_.size() < kMaxRealms || std::any_of(realms_.begin(), realms_.end(), [&](const Realm& each) {
           return each.is_of(is_proxy, challenge);
         });
}

void Authentication::remember(bool is_proxy, const DigestChallenge& challenge) {
  for (Realm& each : realms_) {
    if (!each.is_of(is_proxy, challenge)) continue;
    if (each.challenge.nonce != challenge.nonce) each.uses = 0;
    each.challenge = challenge;
    return;
  }
  realms_.push_back({is_proxy, challenge, 0});
}

}  // namespace vas::signaling
