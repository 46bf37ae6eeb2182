#include "vas/api/resources.h"

namespace vas::api {
namespace {

std::function<void(bool)> reply_with(const ApiCall& call, int status) {
  return [responder = call.responder, status](bool found) {
    if (!found)
      return responder->send(problem(404, "The domain has no such dead letter: it may have been replayed."));
    responder->send({.status = status});
  };
}

}  // namespace

void add_dead_letter_operations(Operations& operations, PlatformService& service) {
  operations["listDeadLetters"] = [&](ApiCall& call) {
    service.list_dead_letters(
        call.domain->id, page_request(call),
        [responder = call.responder, name = call.domain->name](std::optional<Page> page) {
          send_page(responder, "/domains/" + name + "/deadletters?", std::move(page));
        });
  };
  operations["replayDeadLetter"] = [&](ApiCall& call) {
    service.replay_dead_letter(call.domain->id, call.path("id"), reply_with(call, 202));
  };
  operations["deleteDeadLetter"] = [&](ApiCall& call) {
    service.drop_dead_letter(call.domain->id, call.path("id"), reply_with(call, 204));
  };
}

}  // namespace vas::api
