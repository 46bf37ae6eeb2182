// Keeps requests that customers ask for out of the platform's own network (server-side request forgery).
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/address_policy.h"

namespace vas::webhooks {

// Lets through what AddressPolicy does at this door: public addresses, and what the operator allows.
//
// Threads: any.
class AddressGuard {
 public:
  explicit AddressGuard(std::vector<Network> allowed, std::shared_ptr<const OwnAddresses> own = nullptr)
      : policy_(std::make_shared<AddressPolicy>(AddressPolicy::Door::kWebhook, std::move(allowed),
                                                std::move(own))) {}

  bool lets_through(const IpAddress& address) const { return !policy_->refusal_of(address); }

 private:
  std::shared_ptr<const AddressPolicy> policy_;
};

}  // namespace vas::webhooks
