// /calls/<domain>/…: the Registration-Free Dialing API. (docs/api.md)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vas/api/http_server.h"
#include "vas/api/session_service.h"

namespace vas::api {

// Threads: control only. Lifetime: borrows the service.
class SessionResource {
 public:
  explicit SessionResource(SessionService& service) : service_(service) {}

  // `path`: what follows /calls, decoded.
  void handle(const HttpRequest& request, const std::vector<std::string>& path,
              const std::shared_ptr<Responder>& responder);

 private:
  struct Call {
    const HttpRequest& request;
    const std::vector<std::string>& path;
    std::shared_ptr<Responder> responder;
    const directory::Domain* domain = nullptr;
  };
  // Sends 401 and returns false unless the key may act for the domain.
  bool authorize(Call& call, bool applications_too);
  void create(Call& call, sessions::Direction direction);
  void list(Call& call);
  void poll_ringing(Call& call);
  void handle_session(Call& call, const sessions::Session* session);
  void patch(Call& call, std::string token);
  void destroy(Call& call, std::string token);
  const sessions::Session* find(const Call& call, const std::string& token) const;
  const sessions::Session* find(const Call& call, sessions::Direction direction, const std::string& msisdn,
                                const std::string& token) const;

  SessionService& service_;
};

}  // namespace vas::api
