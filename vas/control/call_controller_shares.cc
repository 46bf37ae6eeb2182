// Which shares a call takes of, and what happens when one is used up.
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "vas/control/call_controller.h"

namespace vas::control {

using calls::CallQuota;
using records::LocalCause;

std::vector<CallQuota::Holder> CallController::shares_of(const directory::Domain& domain,
                                                         const directory::Trunk* trunk) const {
  const directory::Directory& directory = parts_.directory;
  const auto most = [this](std::int64_t cap, bool is_alone) {
    return cap != 0 ? cap : calls::share_of_calls(config_.capacity, is_alone);
  };
  std::vector<CallQuota::Holder> shares;
  if (const directory::Tenant* tenant = directory.tenant(domain.tenant_id)) {
    shares.push_back({CallQuota::Kind::kTenant, tenant->id,
                      most(tenant->caps.calls, directory.has_one_tenant()), tenant->caps.calls_per_second});
  }
  const directory::Caps& caps = domain.profile.caps;
  shares.push_back({CallQuota::Kind::kDomain, domain.id, most(caps.calls, directory.has_one_domain()),
                    caps.calls_per_second});
  if (trunk != nullptr) {
    shares.push_back({CallQuota::Kind::kTrunk, trunk->id, trunk->max_calls, trunk->max_calls_per_second});
  }
  return shares;
}

std::optional<CallController::Refusal> CallController::claim_shares(
    const std::vector<CallQuota::Holder>& shares) {
  const CallQuota::Outcome outcome = quota_.claim(shares, monotonic_now());
  if (outcome.verdict == CallQuota::Verdict::kGranted) return {};
  const bool is_too_fast = outcome.verdict == CallQuota::Verdict::kTooFast;
  switch (outcome.kind) {
    case CallQuota::Kind::kTenant:
      ++refused_.of_tenants;
      return Refusal{503, LocalCause::kShareUsedUp, is_too_fast ? "tenant-call-rate" : "tenant-calls"};
    case CallQuota::Kind::kDomain:
      ++refused_.of_domains;
      return Refusal{503, LocalCause::kShareUsedUp, is_too_fast ? "domain-call-rate" : "domain-calls"};
    case CallQuota::Kind::kTrunk: break;
  }
  ++refused_.of_trunks;
  return Refusal{503, LocalCause::kTrunkUsedUp, is_too_fast ? "trunk-call-rate" : "trunk-calls"};
}

// An INVITE is about to leave: a trunk of the domain's own counts it. False: the trunk has all it may.
bool CallController::claim_trunk(Entry& entry) {
  if (const auto before = std::exchange(entry.out_by, std::nullopt)) quota_.give_back({&*before, 1});
  const records::CallRecord& record = entry.call->record();
  const auto id = record.route.empty() ? std::nullopt : record.route.back().trunk_id;
  const directory::Trunk* trunk = id ? parts_.directory.trunk(*id) : nullptr;
  if (trunk == nullptr || trunk->domain_id != record.domain_id)
    return true;  // a plan's own word for something
  const CallQuota::Holder holder{CallQuota::Kind::kTrunk, trunk->id, trunk->max_calls,
                                 trunk->max_calls_per_second};
  if (quota_.claim({&holder, 1}, monotonic_now()).verdict == CallQuota::Verdict::kGranted) {
    entry.out_by = holder;
    return true;
  }
  ++refused_.of_trunks;
  log::warn(entry.token, "trunk {} has as many calls as it may: the next route is tried", trunk->id);
  return false;
}

void CallController::give_back_shares(Entry& entry) {
  quota_.give_back(std::exchange(entry.shares, {}));
  if (const auto out_by = std::exchange(entry.out_by, std::nullopt)) quota_.give_back({&*out_by, 1});
}

}  // namespace vas::control
