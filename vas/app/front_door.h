// What the gateway may know of us: which tokens live, and which addresses are our trunks'.
#pragma once

#include <shared_mutex>
#include <vector>

#include "signaling/gateway/gateway.h"
#include "vas/directory/directory.h"
#include "vas/sessions/token_index.h"

namespace vas::app {

// Threads: written by control, asked by the gateway.
class FrontDoor final : public signaling::AdmissionCheck {
 public:
  sessions::TokenIndex& tokens() { return tokens_; }
  void set_trunks(const directory::Directory& directory);

  bool is_trusted(const IpAddress& source) const override;
  bool knows_token(std::string_view token) const override { return tokens_.contains(token); }

 private:
  sessions::TokenIndex tokens_;
  mutable std::shared_mutex mutex_;
  std::vector<Network> trunks_;
};

}  // namespace vas::app
