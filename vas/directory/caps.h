// How much of the platform one customer may use at once. (docs/limits.md)
#pragma once

#include <cstdint>

namespace vas::directory {

// Of one domain: half of what the domains of a tenant have together, or somewhat less, so that no domain
// leaves its tenant's others without.
inline constexpr std::int64_t kMaxCallsPerSecondOfDomain = 500;
inline constexpr std::int64_t kMaxSessionsOfDomain = 200'000;
inline constexpr std::int64_t kMaxSessionBytesOfDomain = 256 * 1024 * 1024;
inline constexpr std::int64_t kMaxWebhooksOfDomain = 2'500;
inline constexpr std::int64_t kMaxPollsOfDomain = 20'000;

// Of one tenant: half of what the process holds of sessions, their bytes and polls (SessionRegistry), so that
// no tenant leaves all others without.
inline constexpr std::int64_t kMaxCallsPerSecondOfTenant = 1'000;
inline constexpr std::int64_t kMaxSessionsOfTenant = 500'000;
inline constexpr std::int64_t kMaxSessionBytesOfTenant = 512 * 1024 * 1024;
inline constexpr std::int64_t kMaxWebhooksOfTenant = 5'000;
inline constexpr std::int64_t kMaxPollsOfTenant = 50'000;

// As a domain, whose only trunk it may be.
inline constexpr std::int64_t kMaxCallsPerSecondOfTrunk = 500;

// In a domain's profile and in a tenant's `limits`; only a system key raises one.
struct Caps {
  std::int64_t calls = 0;  // max-calls; 0: a share of what the node carries (vas/calls/call_quota.h)
  std::int64_t calls_per_second = kMaxCallsPerSecondOfDomain;  // max-calls-per-second; twice as many at once
  std::int64_t sessions = kMaxSessionsOfDomain;                // max-sessions
  std::int64_t session_bytes = kMaxSessionBytesOfDomain;       // max-session-bytes: as they are stored
  std::int64_t webhooks = kMaxWebhooksOfDomain;                // max-webhooks: requests to backends under way
  std::int64_t polls = kMaxPollsOfDomain;                      // max-polls: that wait
};

inline constexpr Caps caps_of_tenants() {
  return {.calls_per_second = kMaxCallsPerSecondOfTenant,
          .sessions = kMaxSessionsOfTenant,
          .session_bytes = kMaxSessionBytesOfTenant,
          .webhooks = kMaxWebhooksOfTenant,
          .polls = kMaxPollsOfTenant};
}

// The first cap of `wanted` that is above what stands, by its name; none: nullptr.
// No cap on calls is the highest.
inline const char* raised_cap(const Caps& stands, const Caps& wanted) {
  if (stands.calls != 0 && (wanted.calls == 0 || wanted.calls > stands.calls)) return "max-calls";
  if (wanted.calls_per_second > stands.calls_per_second) return "max-calls-per-second";
  if (wanted.sessions > stands.sessions) return "max-sessions";
  if (wanted.session_bytes > stands.session_bytes) return "max-session-bytes";
  if (wanted.webhooks > stands.webhooks) return "max-webhooks";
  if (wanted.polls > stands.polls) return "max-polls";
  return nullptr;
}

}  // namespace vas::directory
