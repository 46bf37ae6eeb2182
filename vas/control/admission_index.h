// What the gateway may know of us: which tokens live and where,
// and which addresses are our trunks' or nodes'.
#pragma once

#include <functional>
#include <map>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/network_set.h"
#include "base/thread_check.h"
#include "signaling/gateway/gateway.h"
#include "vas/directory/directory.h"
#include "vas/sessions/token_index.h"

namespace vas::control {

// Threads: written by control, asked by the gateway.
class AdmissionIndex final : public signaling::AdmissionCheck {
 public:
  using LookUp = std::function<void(std::string token, std::function<void()> done)>;

  explicit AdmissionIndex(std::string node) : node_(std::move(node)) {}

  sessions::TokenIndex& tokens() { return tokens_; }
  void set_trunks(const directory::Directory& directory);
  // The other nodes, by name. `look_up` asks the shared store for a token; called on the gateway's thread.
  void set_nodes(std::map<std::string, Endpoint> nodes);
  void set_look_up(LookUp look_up) { look_up_ = std::move(look_up); }  // before the gateway starts

  bool is_trusted(const IpAddress& source) const override;
  bool is_exempt(const IpAddress& source) const override;
  bool is_node(const Endpoint& source) const override;
  TokenPlace find_token(std::string_view token) const override;
  bool looks_further() const override { return look_up_ != nullptr; }
  void look_up_token(std::string token, std::function<void()> done) override {
    look_up_(std::move(token), std::move(done));
  }

 private:
  const std::string node_;
  sessions::TokenIndex tokens_;
  LookUp look_up_;
  mutable std::shared_mutex mutex_;
  NetworkSet trunks_;
  NetworkSet exempt_;  // of these, the system's
  std::map<std::string, Endpoint> nodes_;
  ThreadCheck thread_check_{"AdmissionIndex"};
};

}  // namespace vas::control
