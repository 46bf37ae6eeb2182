// Which part of the program may have how many descriptors, so that their sum fits what the system gives.
#pragma once

#include <cstddef>
#include <string>

#include "vas/app/config.h"

namespace vas::app {

struct DescriptorBudget {
  std::size_t media_ports = 0;  // two to four a call
  std::size_t sip_connections = 0;
  std::size_t webhooks = 0;         // requests to backends under way
  std::size_t api_connections = 0;  // ringing polls among them
};

// `limit`: RLIMIT_NOFILE. What is wanted, or less: a part of `limit` is kept for files, the database and
// threads, the rest is divided by weight, and what one pool does not want the others get.
DescriptorBudget fit_descriptors(std::size_t limit, const DescriptorBudget& wanted);

// How many of the descriptors the pools do not get.
std::size_t reserved_descriptors(std::size_t limit);

// Raises the soft limit to the hard one, makes the pools of `config` fit it, and logs what became of them.
Config within_descriptors(Config config);

}  // namespace vas::app
