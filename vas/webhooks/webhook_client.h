// POSTs to the customers' backends, on a thread of its own, so that a hanging one delays nobody.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "vas/base/time.h"

namespace vas::webhooks {

struct WebhookRequest {
  std::string url;
  std::string body;    // JSON
  std::string id;      // webhook-id: the same when it is repeated
  std::string secret;  // empty: not signed
  WallTime timestamp{};
};

// Bounds:  kMaxQueued requests wait or run; one more fails at once. 5 s to connect, 10 s in all, no
// redirects. Threads: post() from any; completions go through the function that was given.
class WebhookClient {
 public:
  static constexpr std::size_t kMaxQueued = 10'000;
  // `status` of the answer; 0: none came.
  using Done = std::function<void(int status)>;
  using Post = std::function<void(std::function<void()>)>;

  explicit WebhookClient(Post post);
  ~WebhookClient();  // drops what is under way, without completions

  void post(WebhookRequest request, Done done);

 private:
  struct Transfer;

  void run();
  void begin(std::unique_ptr<Transfer> transfer);
  void finish(void* easy, int status);

  const Post post_;
  void* multi_ = nullptr;  // CURLM
  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> waiting_;
  std::size_t under_way_ = 0;  // waiting and running, under mutex_
  bool is_stopping_ = false;
  std::map<void*, std::unique_ptr<Transfer>> running_;  // by easy handle
  std::thread thread_;
};

}  // namespace vas::webhooks
