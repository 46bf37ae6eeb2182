#include "vas/app/descriptor_budget.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace vas::app {
namespace {

// Files, database, journal, event loops, name servers, BPF: a few hundred at most.
constexpr std::size_t kReserved = 512;
// Of what is left; a call without media is worth nothing, and a callback can wait.
constexpr std::array<double, 4> kWeights = {0.40, 0.20, 0.15, 0.25};  // in the order of the budget's fields
// Of each pool, however few descriptors there are.
constexpr std::size_t kFewest = 8;

std::size_t raised_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    log::warn("", "the limit of descriptors cannot be raised: {}", std::strerror(errno));
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace

std::size_t reserved_descriptors(std::size_t limit) { return std::min(kReserved, limit / 4); }

DescriptorBudget fit_descriptors(std::size_t limit, const DescriptorBudget& wanted) {
  const std::array wants = {wanted.media_ports, wanted.sip_connections, wanted.webhooks,
                            wanted.api_connections};
  std::array<std::size_t, 4> got{};
  std::size_t left = limit - reserved_descriptors(limit);
  // Each round gives every pool that wants more its part of what is left.
  for (bool has_given = true; has_given && left > 0;) {
    has_given = false;
    double weights = 0;
    for (std::size_t i = 0; i < wants.size(); ++i) weights += got[i] < wants[i] ? kWeights[i] : 0;
    const std::size_t round = left;
    for (std::size_t i = 0; i < wants.size() && weights > 0; ++i) {
      const auto part = static_cast<std::size_t>(static_cast<double>(round) * kWeights[i] / weights);
      const std::size_t more = std::min({wants[i] - got[i], part, left});
      got[i] += more;
      left -= more;
      has_given = has_given || more > 0;
    }
  }
  const auto at_least = [](std::size_t got_it, std::size_t wants_it) {
    return std::max(got_it, std::min(kFewest, wants_it));
  };
  return {at_least(got[0], wants[0]), at_least(got[1], wants[1]), at_least(got[2], wants[2]),
          at_least(got[3], wants[3])};
}

Config within_descriptors(Config config) {
  const std::size_t limit = raised_limit();
  const std::size_t ports = static_cast<std::size_t>(config.media.last_port - config.media.first_port) + 1;
  const DescriptorBudget wanted{.media_ports = ports,
                                .sip_connections = config.sip.transports.max_connections,
                                .webhooks = config.webhook_connections,
                                .api_connections = config.http.max_connections};
  const DescriptorBudget budget = fit_descriptors(limit, wanted);
  config.sip.transports.max_connections = budget.sip_connections;
  config.webhook_connections = budget.webhooks;
  config.http.max_connections = budget.api_connections;
  const std::string pools = fmt::format(
      "{} media ports of {}, {} SIP connections of {}, {} requests to backends of {}, {} API "
      "connections of {}",
      budget.media_ports, wanted.media_ports, budget.sip_connections, wanted.sip_connections, budget.webhooks,
      wanted.webhooks, budget.api_connections, wanted.api_connections);
  const bool is_scaled = budget.media_ports < wanted.media_ports ||
                         budget.sip_connections < wanted.sip_connections || budget.webhooks < wanted.webhooks;
  if (!is_scaled) {
    log::info("", "descriptors: {} are allowed: {}", limit, pools);
    return config;
  }
  config.media.last_port =
      static_cast<std::uint16_t>(config.media.first_port + std::max<std::size_t>(budget.media_ports, 4) - 1);
  log::warn("",
            "descriptors: {} are allowed, too few for what is configured: {}. Raise LimitNOFILE (ulimit -n)",
            limit, pools);
  return config;
}

}  // namespace vas::app
