// A responder that adds header fields to the reply, whatever that becomes.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vas/api/http_server.h"

namespace vas::api {

// Threads: its responder's.
class WithFields final : public Responder {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  WithFields(std::shared_ptr<Responder> to, Fields fields) : to_(std::move(to)), fields_(std::move(fields)) {}
  void send(HttpReply reply) override {
    reply.headers.insert(reply.headers.end(), fields_.begin(), fields_.end());
    to_->send(std::move(reply));
  }
  void watch_client(std::function<void()> gone) override { to_->watch_client(std::move(gone)); }
  void vouch(std::int64_t owner) override { to_->vouch(owner); }

 private:
  const std::shared_ptr<Responder> to_;
  const Fields fields_;
};

}  // namespace vas::api
