#include "vas/calls/caller_identity.h"

#include <algorithm>

#include "base/text.h"
#include "signaling/sip/display_name.h"
#include "signaling/sip/sip_message.h"
#include "signaling/sip/user_of.h"

namespace vas::calls {
namespace {

constexpr std::size_t kMostIdentities = 2;  // RFC 3325 §9.1
// A display name and a URI, each as long as anybody writes one.
constexpr std::size_t kMaxIdentityBytes = 512;
// All words of RFC 3323 and RFC 3325 together are less than half of it.
constexpr std::size_t kMaxPrivacyBytes = 128;

// One value as it may be written: a display name, and the URI of somebody. Nothing behind it: a
// P-Asserted-Identity has no parameters.
std::string identity_in(std::string_view value) {
  const std::string named = signaling::with_quoted_names(value);
  const std::string_view uri = signaling::uri_of(named);
  if (signaling::user_of(uri).empty()) return {};
  const auto before_uri = static_cast<std::size_t>(uri.data() - named.data());
  std::string_view name = trim(std::string_view(named).substr(0, before_uri));
  if (name.ends_with('<')) name = trim(name.substr(0, name.size() - 1));
  const bool is_well_formed =
      named.size() <= kMaxIdentityBytes && is_printable(named) &&
      uri.find_first_of(" \"<>,") == std::string_view::npos &&
      (signaling::is_quoted_string(name) || name.find_first_of("\"<>") == std::string_view::npos);
  if (!is_well_formed) return {};
  std::string out(name);
  return out.append(name.empty() ? "<" : " <").append(uri).append(">");
}

bool is_privacy(std::string_view value) {
  const auto words = split(value, ';');
  return value.size() <= kMaxPrivacyBytes &&
         std::all_of(words.begin(), words.end(),
                     [](std::string_view each) { return signaling::is_token(trim(each)); });
}

bool has_word(std::string_view privacy, std::string_view word) {
  const auto words = split(privacy, ';');
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view each) { return equals_ignoring_case(trim(each), word); });
}

}  // namespace

bool CallerIdentity::withholds_identity() const { return has_word(privacy, "id") || withholds_caller(); }

bool CallerIdentity::withholds_caller() const { return has_word(privacy, "user"); }

CallerIdentity identity_of(const signaling::InviteReceived& invite) {
  CallerIdentity identity;
  std::size_t count = 0;
  for (const std::string_view each : signaling::elements(invite.asserted_identity)) {
    const std::string value = identity_in(each);
    if (value.empty()) continue;
    if (++count > kMostIdentities) break;
    identity.asserted.append(identity.asserted.empty() ? "" : ", ").append(value);
  }
  if (is_privacy(invite.privacy)) identity.privacy = invite.privacy;
  return identity;
}

std::string shown_caller(const std::string& from_user, const CallerIdentity& identity) {
  if (identity.withholds_caller()) return "anonymous";
  if (identity.asserted.empty() || identity.withholds_identity()) return from_user;
  return signaling::user_of(signaling::uri_of(signaling::first_element(identity.asserted)));
}

std::vector<signaling::Header> identity_headers(const CallerIdentity& identity,
                                                directory::IdentityRule rule) {
  using directory::IdentityRule;
  if (rule == IdentityRule::kNone) return {};
  std::vector<signaling::Header> headers;
  const bool is_told = rule == IdentityRule::kTrusted || !identity.withholds_identity();
  if (is_told && !identity.asserted.empty()) headers.push_back({"P-Asserted-Identity", identity.asserted});
  const bool can_act_on_it = rule == IdentityRule::kTrusted && !identity.privacy.empty();
  if (can_act_on_it) headers.push_back({"Privacy", identity.privacy});
  return headers;
}

}  // namespace vas::calls
