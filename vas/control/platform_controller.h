// What the API tells of this node: its addresses, its metrics, whether it is leaving.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/thread_check.h"
#include "base/watchdog.h"
#include "vas/api/platform_service.h"
#include "vas/control/callback_dispatcher.h"
#include "vas/control/metrics.h"

namespace vas::control {

// Threads: control only.
class PlatformController final : public api::PlatformService {
 public:
  struct Addresses {
    std::string node;
    std::vector<std::string> media;
    std::vector<std::string> signaling;
    std::string phone_server;  // phone_page.h
  };
  PlatformController(CallbackDispatcher& callbacks, Addresses addresses, std::function<Snapshot()> snapshot)
      : callbacks_(callbacks), addresses_(std::move(addresses)), snapshot_(std::move(snapshot)) {}
  void set_watchdog(const Watchdog& watchdog) { watchdog_ = &watchdog; }  // which outlives its last call

  void drain() { is_draining_ = true; }

  bool is_draining() const override { return is_draining_; }
  std::vector<api::PartHealth> health() const override;
  std::string metrics() override { return to_metrics_text(snapshot_()); }
  std::vector<api::MediaResource> media_servers() const override {
    return {{addresses_.node, addresses_.media}};
  }
  std::vector<api::MediaResource> session_border_controllers() const override {
    return {{addresses_.node, addresses_.signaling}};
  }
  std::string phone_server() const override { return addresses_.phone_server; }
  void list_dead_letters(std::int64_t domain_id, const PageRequest& page,
                         std::function<void(std::optional<Page>)> done) override {
    callbacks_.list_dead(domain_id, page, std::move(done));
  }
  void replay_dead_letter(std::int64_t domain_id, const std::string& id,
                          std::function<void(bool)> done) override {
    callbacks_.replay_dead(domain_id, id, std::move(done));
  }
  void drop_dead_letter(std::int64_t domain_id, const std::string& id,
                        std::function<void(bool)> done) override {
    callbacks_.drop_dead(domain_id, id, std::move(done));
  }

 private:
  CallbackDispatcher& callbacks_;
  const Addresses addresses_;
  const std::function<Snapshot()> snapshot_;
  const Watchdog* watchdog_ = nullptr;
  bool is_draining_ = false;
  ThreadCheck thread_check_{"PlatformController"};
};

}  // namespace vas::control
