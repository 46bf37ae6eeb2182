#include "ice/agent/consent_checks.h"

#include <algorithm>
#include <utility>

#include "base/random.h"

namespace vas::ice {
namespace {

// RFC 7675 §5.1: 5 s, made uneven by a fifth both ways.
Duration random_interval() {
  // Microseconds: 4 s and so much by lot, which makes 4 to 6 s.
  constexpr std::uint32_t kSpread = 2'000'001;
  return std::chrono::seconds(4) + std::chrono::microseconds(random_u32() % kSpread);
}

}  // namespace

ConsentChecks::ConsentChecks(IceCredentials local, IceCredentials remote, IceRole role)
    : local_(std::move(local)), remote_(std::move(remote)), role_(role), tie_breaker_(random_u64()) {}

std::optional<ConsentChecks::Check> ConsentChecks::on_time(Time now, const Endpoint& destination) {
  thread_check_.check();
  if (!destination.is_set() || now < next_check_) return {};
  next_check_ = now + random_interval();
  return check(destination);
}

ConsentChecks::Check ConsentChecks::check(const Endpoint& to) {
  Awaited& awaited = awaited_[next_awaited_];
  next_awaited_ = (next_awaited_ + 1) % kMaxAwaited;
  fill_random(awaited.transaction);
  awaited.to = to;

  StunWriter writer(message_, StunClass::kRequest, awaited.transaction);
  const std::string username = remote_.ufrag + ":" + local_.ufrag;
  writer.add(StunAttribute::kUsername, as_bytes(username));
  std::array<std::uint8_t, 4> priority{};
  store_u32(priority, 0, kHostPriority);
  writer.add(StunAttribute::kPriority, priority);
  std::array<std::uint8_t, 8> tie_breaker{};
  store_u32(tie_breaker, 0, static_cast<std::uint32_t>(tie_breaker_ >> 32));
  store_u32(tie_breaker, 4, static_cast<std::uint32_t>(tie_breaker_));
  const bool is_controlling = role_ == IceRole::kControlling;
  writer.add(is_controlling ? StunAttribute::kIceControlling : StunAttribute::kIceControlled, tie_breaker);
  if (is_controlling) writer.add(StunAttribute::kUseCandidate, {});
  return {to, writer.sign(remote_.password)};
}

bool ConsentChecks::on_response(const Endpoint& source, const StunMessage& response) {
  thread_check_.check();
  if (response.kind() != StunClass::kSuccess) return false;
  const auto ours = std::find_if(awaited_.begin(), awaited_.end(), [&](const Awaited& each) {
    return each.to == source && each.transaction == response.transaction();
  });
  if (ours == awaited_.end() || !response.is_signed_with(remote_.password)) return false;
  *ours = {};
  return true;
}

}  // namespace vas::ice
