#include "vas/api/directory_entry.h"
#include "vas/api/resources.h"

namespace vas::api {
namespace {

using directory::Change;
using directory::Directory;
using directory::Entry;
using directory::Kind;
using directory::Subscriber;

const Refused kNoSubscriber{404, "The domain has no subscriber with this MSISDN."};

std::optional<Refused> check_numbers(const Directory& directory, const Subscriber& subscriber) {
  std::vector<std::string> numbers = subscriber.aliases;
  numbers.push_back(subscriber.msisdn);
  for (const std::string& number : numbers) {
    const Subscriber* holder = directory.find_subscriber(subscriber.domain_id, number);
    if (holder != nullptr && holder->id != subscriber.id)
      return Refused{409, "`" + number + "` belongs to a subscriber of the domain already."};
  }
  return {};
}

void create(ApiCall& call, DirectoryService& service) {
  const auto entry = std::make_shared<Entry>();
  create_entry<Subscriber>(
      call, service, call.domain->id, kMaxSubscribersOfDomain, entry, check_numbers,
      [responder = call.responder, entry, name = call.domain->name](const std::optional<Refused>& refused) {
        if (refused) return responder->send(problem(refused->status, refused->detail));
        HttpReply reply{.status = 201, .body = to_json(*entry)};
        reply.headers.emplace_back(
            "Location", "/domains/" + name + "/subscribers/" + std::get<Subscriber>(*entry).msisdn);
        responder->send(std::move(reply));
      });
}

// The subscriber whom the path names.
auto finder(const ApiCall& call) {
  return [domain = call.domain->id, msisdn = call.path("msisdn")](const Directory& directory) {
    return directory.find_subscriber(domain, msisdn);
  };
}

void patch(ApiCall& call, DirectoryService& service) {
  patch_entry(call, service, finder(call), kNoSubscriber,
              [](const Directory& directory, const Subscriber&, const Subscriber& wanted) {
                return check_numbers(directory, wanted);
              });
}

}  // namespace

void add_subscriber_operations(Operations& operations, DirectoryService& service) {
  operations["listSubscribers"] = [&](ApiCall& call) {
    reply_page(call, service, Kind::kSubscriber, call.domain->id,
               "/domains/" + call.domain->name + "/subscribers");
  };
  operations["createSubscriber"] = [&](ApiCall& call) { create(call, service); };
  operations["getSubscriber"] = [&](ApiCall& call) {
    reply_entry(call, finder(call)(service.directory()), kNoSubscriber);
  };
  operations["updateSubscriber"] = [&](ApiCall& call) { patch(call, service); };
  operations["deleteSubscriber"] = [&](ApiCall& call) {
    service.change(plan_removal(finder(call), kNoSubscriber), reply_with(call.responder, 204));
  };
}

}  // namespace vas::api
