// What the API tells of this node.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/page.h"
#include "base/time.h"
#include "vas/webhooks/event.h"

namespace vas::api {

struct MediaResource {
  std::string name;
  std::vector<std::string> addresses;
};

// A thread of this node, or what it works on.
struct PartHealth {
  std::string name;
  std::string state;              // "well", "failing", "stuck"
  std::optional<WallTime> since;  // none: well
  bool needs_restart = false;     // only that gives back what it carries
};

// Threads: control only.
class PlatformService {
 public:
  virtual ~PlatformService() = default;
  virtual bool is_draining() const = 0;
  virtual std::vector<PartHealth> health() const = 0;
  virtual std::string metrics() = 0;  // Prometheus' text format
  virtual std::vector<MediaResource> media_servers() const = 0;
  virtual std::vector<MediaResource> session_border_controllers() const = 0;
  virtual std::string phone_server() const = 0;  // phone_page.h; it does not change

  // Callbacks that were given up.
  virtual void list_dead_letters(std::int64_t domain_id, const PageRequest& page,
                                 std::function<void(std::optional<Page>)> done) = 0;
  // `found` is false where there is no such letter. A replay begins its 24 h anew.
  virtual void replay_dead_letter(std::int64_t domain_id, const std::string& id,
                                  std::function<void(bool found)> done) = 0;
  virtual void drop_dead_letter(std::int64_t domain_id, const std::string& id,
                                std::function<void(bool found)> done) = 0;
};

}  // namespace vas::api
