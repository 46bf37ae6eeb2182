#include "vas/webhooks/webhook_client.h"

#include <curl/curl.h>
#include <pthread.h>

#include "vas/webhooks/signature.h"

namespace vas::webhooks {
namespace {

constexpr long kConnectTimeoutMs = 5'000;
constexpr long kTotalTimeoutMs = 10'000;
constexpr std::size_t kMaxAnswerBytes = 64 * 1024;

// The body of an answer means nothing to us; one without end is cut.
std::size_t drop_body(char*, std::size_t size, std::size_t count, void* received) {
  auto& bytes = *static_cast<std::size_t*>(received);
  bytes += size * count;
  return bytes > kMaxAnswerBytes ? 0 : size * count;
}

}  // namespace

struct WebhookClient::Transfer {
  WebhookRequest request;
  Done done;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::size_t received = 0;

  ~Transfer() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
  void add_header(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }
};

WebhookClient::WebhookClient(Post post) : post_(std::move(post)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = curl_multi_init();
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "vas-webhooks");
}

WebhookClient::~WebhookClient() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  curl_multi_wakeup(static_cast<CURLM*>(multi_));
  thread_.join();
  for (const auto& [easy, transfer] : running_) curl_multi_remove_handle(static_cast<CURLM*>(multi_), easy);
  running_.clear();
  curl_multi_cleanup(static_cast<CURLM*>(multi_));
}

void WebhookClient::post(WebhookRequest request, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (under_way_ < kMaxQueued) {
      auto transfer = std::make_unique<Transfer>();
      transfer->request = std::move(request);
      transfer->done = std::move(done);
      waiting_.push_back(std::move(transfer));
      ++under_way_;
      curl_multi_wakeup(static_cast<CURLM*>(multi_));
      return;
    }
  }
  post_([done = std::move(done)] { done(0); });
}

void WebhookClient::run() {
  for (;;) {
    std::vector<std::unique_ptr<Transfer>> fresh;
    {
      const std::lock_guard lock(mutex_);
      if (is_stopping_) return;
      fresh.swap(waiting_);
    }
    for (auto& transfer : fresh) begin(std::move(transfer));

    auto* multi = static_cast<CURLM*>(multi_);
    int running = 0;
    curl_multi_perform(multi, &running);
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      long status = 0;
      curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
      finish(message->easy_handle,
             message->data.result == CURLE_OK || message->data.result == CURLE_WRITE_ERROR
                 ? static_cast<int>(status)
                 : 0);
    }
    curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
}

void WebhookClient::begin(std::unique_ptr<Transfer> transfer) {
  const WebhookRequest& request = transfer->request;
  CURL* easy = curl_easy_init();
  transfer->easy = easy;
  const auto timestamp = std::to_string(
      std::chrono::duration_cast<std::chrono::seconds>(request.timestamp.time_since_epoch()).count());
  transfer->add_header("Content-Type: application/json");
  transfer->add_header("webhook-id: " + request.id);
  transfer->add_header("webhook-timestamp: " + timestamp);
  if (!request.secret.empty())
    transfer->add_header("webhook-signature: " +
                         signature(request.secret, request.id, timestamp, request.body));

  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, kTotalTimeoutMs);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "VAS");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer->received);
  running_.emplace(easy, std::move(transfer));
  curl_multi_add_handle(static_cast<CURLM*>(multi_), easy);
}

void WebhookClient::finish(void* easy, int status) {
  const auto found = running_.find(easy);
  if (found == running_.end()) return;
  curl_multi_remove_handle(static_cast<CURLM*>(multi_), easy);
  post_([done = std::move(found->second->done), status] { done(status); });
  running_.erase(found);
  const std::lock_guard lock(mutex_);
  --under_way_;
}

}  // namespace vas::webhooks
