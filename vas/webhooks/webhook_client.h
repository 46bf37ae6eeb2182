// POSTs to the customers' backends, on a thread of its own, so that a hanging one delays nobody.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "vas/base/pulse.h"
#include "vas/base/time.h"
#include "vas/webhooks/address_guard.h"
#include "vas/webhooks/answer.h"

namespace vas::webhooks {

struct WebhookRequest {
  std::string url;
  std::string body;    // JSON
  std::string id;      // webhook-id: the same when it is repeated
  std::string secret;  // empty: not signed
  WallTime timestamp{};
  bool wants_body = false;  // the answer's, up to kMaxAnswerBytes
};

// An address is resolved once, checked by the guard, and connected to as it was checked; redirects and
// proxies of the environment are not followed.
//
// Bounds:  kMaxQueued requests wait or run, kMaxPerEndpoint of them to one endpoint; one more fails at once.
// 5 s to
//          connect, 10 s in all, 64 KiB of answer.
// Threads: post() from any; completions go through the function that was given.
class WebhookClient {
 public:
  static constexpr std::size_t kMaxQueued = 10'000;
  static constexpr std::size_t kMaxPerEndpoint = 256;
  static constexpr std::size_t kMaxAnswerBytes = 64 * 1024;
  using Done = std::function<void(const Answer&)>;
  using Post = std::function<void(std::function<void()>)>;

  WebhookClient(AddressGuard guard, Post post);
  ~WebhookClient();  // drops what is under way, without completions

  void post(WebhookRequest request, Done done);

  void ask(Time now);  // from any thread: see pulse.h
  const Pulse& pulse() const { return pulse_; }

 private:
  struct Transfer;
  class Loop;

  void run();
  void begin(std::unique_ptr<Transfer> transfer);
  void finish(void* easy, int result);
  bool admit(const std::string& endpoint);

  const AddressGuard guard_;
  const Post post_;
  std::unique_ptr<Loop> loop_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> waiting_;
  std::size_t under_way_ = 0;                                  // waiting and running, under mutex_
  std::unordered_map<std::string, std::size_t> per_endpoint_;  // of these, under mutex_
  bool is_stopping_ = false;
  Pulse pulse_;
  std::unordered_map<void*, std::unique_ptr<Transfer>> running_;  // by easy handle
  std::thread thread_;
};

}  // namespace vas::webhooks
