// POSTs to the customers' backends, on a thread of its own, so that a hanging one delays nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/endpoint.h"
#include "base/pulse.h"
#include "base/shared_budget.h"
#include "base/time.h"
#include "vas/webhooks/address_guard.h"
#include "vas/webhooks/authorities.h"
#include "vas/webhooks/reply.h"

namespace vas::webhooks {

struct WebhookRequest {
  std::string url;
  std::string body;                  // JSON
  std::string id;                    // webhook-id: the same when it is repeated
  std::vector<std::string> secrets;  // a signature for each; none: not signed
  WallTime timestamp{};
  bool wants_body = false;  // the reply's, up to kMaxReplyBytes
  std::int64_t domain_id = 0;
  std::size_t most_of_domain = 0;  // requests of the domain under way; 0: its part of all
  std::int64_t tenant_id = 0;
  std::size_t most_of_tenant = 0;  // and of its tenant's
};

// Keeps the requests that wait and run, and how many of them are whose. It decides whether one more may
// begin, and which address of a name is connected to. What a request is for, whether it is tried again and
// what its reply means it need not know: that is Outbox's and call control's.
//
// An address is resolved once, checked by the guard, and connected to as it was checked; redirects and
// proxies of the environment are not followed.
//
// Bounds:  `under_way` requests wait or run, kMaxQueued at most; three quarters of these of one domain, or
//          what it may have; kMaxPerEndpoint to one endpoint; one more fails at once. 5 s to connect, 10 s in
//          all, name look-up among it; 64 KiB of reply.
// Threads: post() from any; completions go through the function that was given.
class WebhookClient {
 public:
  static constexpr std::size_t kMaxQueued = 10'000;
  // Four times what status callbacks have at a time (outbox.h): notifications of calls go beside them.
  static constexpr std::size_t kMaxPerEndpoint = 256;
  // A routing plan of a routing application.
  static constexpr std::size_t kMaxReplyBytes = 64 * 1024;
  using Done = std::function<void(const Reply&)>;
  using Post = std::function<void(std::function<void()>)>;
  struct Limits {
    std::size_t under_way = 4096;
    std::optional<Endpoint> dns_server;  // none: those of the system
    Authorities authorities;             // besides the system's
  };

  WebhookClient(AddressGuard guard, Post post, const Limits& limits);
  ~WebhookClient();  // drops what is under way, without completions

  void post(WebhookRequest request, Done done);
  std::size_t under_way() const;

  void ask(Time now);  // from any thread: see pulse.h
  const Pulse& pulse() const { return pulse_; }

 private:
  struct Transfer;
  class Loop;

  void run();
  void begin(std::unique_ptr<Transfer> transfer);
  void look_up(std::unique_ptr<Transfer> transfer, const std::string& name, const std::string& port);
  void connect(std::unique_ptr<Transfer> transfer);
  void finish(void* easy, int result);
  void reply(std::unique_ptr<Transfer> transfer, Reply reply);
  const char* fault_of(const WebhookRequest& request, const std::string& endpoint);

  const AddressGuard guard_;
  const Post post_;
  const std::size_t most_under_way_;
  const Authorities authorities_;
  std::unique_ptr<Loop> loop_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> waiting_;
  SharedBudget<std::int64_t> domains_;                         // waiting and running, under mutex_
  SharedBudget<std::int64_t> tenants_;                         // the same
  std::unordered_map<std::string, std::size_t> per_endpoint_;  // of these, under mutex_
  bool is_stopping_ = false;
  Pulse pulse_;
  std::unordered_map<void*, std::unique_ptr<Transfer>> running_;            // by easy handle
  std::unordered_map<std::uint64_t, std::unique_ptr<Transfer>> resolving_;  // whose name is looked up
  std::uint64_t next_look_up_ = 1;
  std::thread thread_;
};

}  // namespace vas::webhooks
