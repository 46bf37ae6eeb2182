#include "ice/agent/ice_lite.h"

#include <algorithm>
#include <utility>

#include "base/random.h"

namespace vas::ice {

IceCredentials random_credentials() {
  // In hex digits. The ufrag tells all legs of a port apart, the password is the secret.
  constexpr std::size_t kUfragBytes = 8, kPasswordBytes = 16;
  return {random_hex(kUfragBytes), random_hex(kPasswordBytes)};
}

std::optional<std::string_view> local_ufrag_of(const StunMessage& check) {
  const auto username = check.username();
  if (check.kind() != StunClass::kRequest || !username) return {};
  const auto colon = username->find(':');
  if (colon == std::string_view::npos) return {};
  return username->substr(0, colon);
}

void IceLite::restart(IceCredentials local, IceCredentials remote) {
  thread_check_.check();
  Side side{std::move(local), std::move(remote)};
  if (side.local == current_.local && side.remote == current_.remote) {
    next_.reset();
  } else {
    next_ = std::move(side);
  }
}

const IceLite::Side* IceLite::named_by(const StunMessage& check) const {
  const auto username = check.username();
  if (!username) return nullptr;
  const auto is_of = [&](const Side& side) {
    const std::string_view ours = side.local.ufrag, theirs = side.remote.ufrag;
    return username->size() == ours.size() + 1 + theirs.size() && username->starts_with(ours) &&
           (*username)[ours.size()] == ':' && username->ends_with(theirs);
  };
  if (next_ && is_of(*next_)) return &*next_;
  return is_of(current_) ? &current_ : nullptr;
}

// From a proved address it is always looked at: who forges that, and knows the ufrags, must not be able to
// keep the party's own out.
bool IceLite::is_signed(Time now, const Endpoint& source, const Side& side, const StunMessage& check) {
  const bool is_stranger = !is_proved(now, source);
  const bool has_room =
      strangers_.has_room(now) && (all_strangers_ == nullptr || all_strangers_->has_room(now));
  if (is_stranger && !has_room) return false;
  if (check.is_signed_with(side.local.password)) return true;
  if (is_stranger) {
    (void)strangers_.draw(now);
    if (all_strangers_ != nullptr) (void)all_strangers_->draw(now);
  }
  return false;
}

std::optional<Bytes> IceLite::on_check(Time now, const Endpoint& source, const StunMessage& check,
                                       MutableBytes reply) {
  thread_check_.check();
  if (check.kind() != StunClass::kRequest) return {};
  const Side* side = named_by(check);
  if (side == nullptr || !is_signed(now, source, *side, check) || !checks_.draw(now)) return {};

  // Both cannot have one role (RFC 8445 §7.3.1.1). Ours is settled: a lite side never controls a full one,
  // and a full side has controlled its nomination.
  const bool is_conflict = check
                               .find(role_ == IceRole::kControlled ? StunAttribute::kIceControlled
                                                                   : StunAttribute::kIceControlling)
                               .has_value();
  const auto unknown = check.unknown_attribute();
  StunWriter writer(reply, unknown || is_conflict ? StunClass::kError : StunClass::kSuccess,
                    check.transaction());
  if (unknown) {
    std::array<std::uint8_t, 2> type{};
    store_u16(type, 0, *unknown);
    writer.add_error(420, "Unknown Attribute");
    writer.add(StunAttribute::kUnknownAttributes, type);
  } else if (is_conflict) {
    writer.add_error(487, "Role Conflict");
  } else {
    writer.add_xor_mapped_address(source);
    if (side != &current_) begin_next();
    side = &current_;
    remember(now, source,
             role_ == IceRole::kControlled && check.find(StunAttribute::kUseCandidate).has_value());
  }
  return writer.sign(side->local.password);
}

void IceLite::begin_next() {
  current_ = std::move(*std::exchange(next_, {}));
  proved_.clear();
  is_chosen_ = false;  // the old destination stays until a check names another
  last_check_.reset();
  keeps_checking_ = false;  // it may be another device's
}

void IceLite::on_proved(Time now, const Endpoint& source, bool is_chosen) {
  thread_check_.check();
  if (next_) begin_next();
  remember(now, source, is_chosen);
}

void IceLite::learn_habit(Time now) {
  if (!last_check_ || now - *last_check_ >= kAbandoned) checks_since_ = now;
  last_check_ = now;
  lives_by_media_ = false;
  keeps_checking_ = keeps_checking_ || now - checks_since_ >= kAgreement;
}

void IceLite::on_alive(Time now, const Endpoint& source) {
  if (keeps_checking_ || source != destination_) return;
  for (Proved& each : proved_) {
    if (each.source == source) each.at = now;
  }
  lives_by_media_ = last_check_ && now - *last_check_ >= kAbandoned;
}

void IceLite::remember(Time now, const Endpoint& source, bool is_chosen) {
  learn_habit(now);
  const auto same = [&](const Proved& each) { return each.source == source; };
  const auto found = std::find_if(proved_.begin(), proved_.end(), same);
  if (found != proved_.end()) {
    found->at = now;
  } else {
    if (proved_.size() == kMaxProved) {  // the oldest goes, but not the one that media goes to
      const auto age = [&](const Proved& each) { return std::pair(each.source == destination_, each.at); };
      proved_.erase(
          std::min_element(proved_.begin(), proved_.end(),
                           [&](const Proved& one, const Proved& two) { return age(one) < age(two); }));
    }
    proved_.push_back({source, now});
  }
  const bool is_first = proved_.size() == 1 && !is_chosen_;
  if (is_chosen || is_first || !is_in_use(now, destination_)) destination_ = source;
  is_chosen_ = is_chosen_ || is_chosen;
}

bool IceLite::was_proved_within(Duration period, Time now, const Endpoint& source) const {
  return std::any_of(proved_.begin(), proved_.end(),
                     [&](const Proved& each) { return each.source == source && now - each.at < period; });
}

bool IceLite::is_proved(Time now, const Endpoint& source) const {
  const bool is_where_it_goes = destination_.is_set() && source == destination_;
  return (is_where_it_goes && !keeps_checking_) || was_proved_within(kConsent, now, source);
}

bool IceLite::is_in_use(Time now, const Endpoint& source) const {
  return was_proved_within(lives_by_media_ ? kQuiet : kAbandoned, now, source);
}

}  // namespace vas::ice
