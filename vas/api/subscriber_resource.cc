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

std::optional<Refused> plan(const boost::json::object& fields, const Directory& directory, Entry& entry,
                            Change& change) {
  if (auto refused = read_entry(Kind::kSubscriber, fields, entry)) return refused;
  const Subscriber& subscriber = std::get<Subscriber>(entry);
  std::vector<std::string> numbers = subscriber.aliases;
  numbers.push_back(subscriber.msisdn);
  for (const std::string& number : numbers) {
    const Subscriber* holder = directory.find_subscriber(subscriber.domain_id, number);
    if (holder != nullptr && holder->id != subscriber.id)
      return Refused{409, "`" + number + "` belongs to a subscriber of the domain already."};
  }
  change.emplace_back(entry);
  return {};
}

void create(ApiCall& call, DirectoryService& service) {
  const auto entry = std::make_shared<Entry>();
  service.change(
      [&service, entry, domain = call.domain->id, scope = call.key->scope, fields = call.body](
          const Directory& directory, Change& change) mutable -> std::optional<Refused> {
        if (directory.domain(domain) == nullptr) return Refused{404, "There is no such domain."};
        if (scope != directory::KeyScope::kSystem) {
          if (auto refused = check_count(directory, Kind::kSubscriber, domain, kMaxSubscribersOfDomain))
            return refused;
        }
        fields["id"] = service.next_id(Kind::kSubscriber);
        fields["domainId"] = domain;
        return plan(fields, directory, *entry, change);
      },
      [responder = call.responder, entry, name = call.domain->name](const std::optional<Refused>& refused) {
        if (refused) return responder->send(problem(refused->status, refused->detail));
        HttpReply reply{.status = 201, .body = to_json(*entry)};
        reply.headers.emplace_back(
            "Location", "/domains/" + name + "/subscribers/" + std::get<Subscriber>(*entry).msisdn);
        responder->send(std::move(reply));
      });
}

// The subscriber whom the path names, when the change's turn has come.
template <typename Plan>
DirectoryService::Plan of_subscriber(const ApiCall& call, Plan plan_for) {
  return [plan_for = std::move(plan_for), domain = call.domain->id, msisdn = call.path("msisdn")](
             const Directory& directory, Change& change) -> std::optional<Refused> {
    const Subscriber* subscriber = directory.find_subscriber(domain, msisdn);
    if (subscriber == nullptr) return kNoSubscriber;
    return plan_for(*subscriber, directory, change);
  };
}

void patch(ApiCall& call, DirectoryService& service) {
  const auto entry = std::make_shared<Entry>();
  service.change(of_subscriber(call,
                               [entry, fields = call.body](const Subscriber& subscriber,
                                                           const Directory& directory, Change& change) {
                                 boost::json::object object = stored_object(subscriber);
                                 merge(object, fields);
                                 return plan(object, directory, *entry, change);
                               }),
                 reply_with(call.responder, 200, entry));
}

void remove(ApiCall& call, DirectoryService& service) {
  service.change(of_subscriber(call,
                               [](const Subscriber& subscriber, const Directory&,
                                  Change& change) -> std::optional<Refused> {
                                 change.emplace_back(directory::Removal{Kind::kSubscriber, subscriber.id});
                                 return {};
                               }),
                 reply_with(call.responder, 204));
}

void get(ApiCall& call, DirectoryService& service) {
  const Subscriber* subscriber = service.directory().find_subscriber(call.domain->id, call.path("msisdn"));
  if (subscriber == nullptr) return call.fail(kNoSubscriber.status, kNoSubscriber.detail);
  call.reply(200, to_json(Entry(*subscriber)));
}

}  // namespace

void add_subscriber_operations(Operations& operations, DirectoryService& service) {
  operations["listSubscribers"] = [&](ApiCall& call) {
    service.list(Kind::kSubscriber, call.domain->id, page_request(call),
                 [responder = call.responder, name = call.domain->name](std::optional<Page> page) {
                   send_page(responder, "/domains/" + name + "/subscribers?", std::move(page));
                 });
  };
  operations["createSubscriber"] = [&](ApiCall& call) { create(call, service); };
  operations["getSubscriber"] = [&](ApiCall& call) { get(call, service); };
  operations["updateSubscriber"] = [&](ApiCall& call) { patch(call, service); };
  operations["deleteSubscriber"] = [&](ApiCall& call) { remove(call, service); };
}

}  // namespace vas::api
