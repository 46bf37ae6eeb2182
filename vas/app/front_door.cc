#include "vas/app/front_door.h"

#include <algorithm>
#include <mutex>

namespace vas::app {

void FrontDoor::set_trunks(const directory::Directory& directory) {
  std::vector<Network> trunks;
  for (const auto& [id, trunk] : directory.trunks())
    trunks.insert(trunks.end(), trunk.sources.begin(), trunk.sources.end());
  const std::unique_lock lock(mutex_);
  trunks_ = std::move(trunks);
}

bool FrontDoor::is_trusted(const IpAddress& source) const {
  const std::shared_lock lock(mutex_);
  return std::any_of(trunks_.begin(), trunks_.end(),
                     [&](const Network& network) { return network.contains(source); });
}

}  // namespace vas::app
