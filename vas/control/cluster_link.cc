#include "vas/control/cluster_link.h"

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/match.h"

namespace vas::control {
namespace {

namespace json = boost::json;
using What = PeerRequest::What;

constexpr std::string_view kReply = "reply";

std::string_view name_of(What what) {
  switch (what) {
    case What::kDestroy: return "destroy";
    case What::kChange: return "change";
    case What::kRing: return "ring";
  }
  return "?";
}

std::optional<What> what_by_name(std::string_view name) {
  for (const What what : {What::kDestroy, What::kChange, What::kRing}) {
    if (name == name_of(what)) return what;
  }
  return {};
}

std::string write(const PeerRequest& request, std::int64_t id, const std::string& from) {
  json::object object{{"id", id}, {"from", from}, {"do", name_of(request.what)}, {"token", request.token}};
  if (!request.reason.empty()) object["reason"] = request.reason;
  if (request.change.changes_time_limit) object["timeLimit"] = or_null(request.change.time_limit_s);
  if (request.change.changes_call_timeout) object["callTimeout"] = or_null(request.change.call_timeout_s);
  if (request.change.callback) object["callback"] = *request.change.callback;
  if (request.change.call_start) object["callStart"] = request.change.call_start->time_since_epoch().count();
  return to_text(object);
}

PeerRequest read(const json::object& object, What what) {
  PeerRequest request{what, text_field(object, "token"), text_field(object, "reason"), {}};
  request.change.changes_time_limit = object.contains("timeLimit");
  request.change.time_limit_s = integer_field(object, "timeLimit");
  request.change.changes_call_timeout = object.contains("callTimeout");
  request.change.call_timeout_s = integer_field(object, "callTimeout");
  if (object.contains("callback")) request.change.callback = text_field(object, "callback");
  if (const auto start = integer_field(object, "callStart"))
    request.change.call_start = WallTime(std::chrono::milliseconds(*start));
  return request;
}

}  // namespace

ClusterLink::ClusterLink(const Parts& parts, const std::string& url, const std::string& sip) : parts_(parts) {
  parts_.admission_index.set_look_up([this](std::string token, std::function<void()> done) {
    boost::asio::post(parts_.context,
                      [this, token = std::move(token), done = std::move(done)] { look_up(token, done); });
  });
  const auto sink = [this](store::FeedEvent event) {
    boost::asio::post(parts_.context,
                      [this, event = std::move(event)]() mutable { dispatch(std::move(event)); });
  };
  feed_ = store::ChangeFeed::start(url, parts_.sessions.node(), sip, parts_.store.sealer(), sink);
}

void ClusterLink::dispatch(store::FeedEvent event) {
  thread_check_.check();
  match(
      std::move(event),
      [this](store::SessionChanged&& each) { parts_.sessions.adopt_replica(std::move(each.session)); },
      [this](const store::SessionRemoved& each) { parts_.sessions.drop_replica(each.id); },
      [this](const store::DirectoryChanged& each) { parts_.directory.adopt(each.change); },
      [this](const store::NodesSeen& each) { adopt_nodes(each.nodes); },
      [this](const store::NodeMessage& each) { dispatch_message(each.text); },
      [this](store::FeedRestored&& each) { restore(std::move(each)); });
}

void ClusterLink::restore(store::FeedRestored&& all) {
  parts_.directory.replace(all.directory);
  parts_.sessions.replace_replicas(std::move(all.sessions));
}

// One that is silent stays known: its calls may live though the database is away for it.
void ClusterLink::adopt_nodes(const std::vector<store::NodeEntry>& nodes) {
  std::map<std::string, Endpoint> others;
  for (const store::NodeEntry& node : nodes) {
    const auto sip = Endpoint::parse(node.sip);
    if (node.name != parts_.sessions.node() && sip) others.emplace(node.name, *sip);
  }
  parts_.admission_index.set_nodes(std::move(others));
}

void ClusterLink::ask(const std::string& node, const PeerRequest& request, std::function<void()> done) {
  thread_check_.check();
  const std::int64_t id = next_id_++;
  if (asked_.size() >= kMaxAsked || !feed_->send(node, write(request, id, parts_.sessions.node())))
    return done();
  Asked asked{std::move(done), std::make_unique<boost::asio::steady_timer>(parts_.context, kPatience)};
  asked.patience->async_wait([this, id, node](boost::system::error_code failure) {
    if (failure) return;
    log::warn("", "node {} did not answer within {} s", node, kPatience / std::chrono::seconds(1));
    finish(id);
  });
  asked_.emplace(id, std::move(asked));
}

void ClusterLink::finish(std::int64_t id) {
  const auto found = asked_.find(id);
  if (found == asked_.end()) return;
  const auto done = std::move(found->second.done);
  asked_.erase(found);
  done();
}

void ClusterLink::reply(const std::string& node, std::int64_t id) {
  feed_->send(node, to_text(json::object{{"id", id}, {"do", kReply}}));
}

void ClusterLink::dispatch_message(const std::string& text) {
  const auto object = parse_object(text);
  const auto id = object ? integer_field(*object, "id") : std::nullopt;
  if (!id) return;
  const std::string verb = text_field(*object, "do");
  if (verb == kReply) return finish(*id);
  const auto what = what_by_name(verb);
  if (!what) return;
  const PeerRequest request = read(*object, *what);
  const sessions::Session* session = parts_.sessions.find(request.token);
  const std::string from = text_field(*object, "from");
  // Only what is ours: two nodes must not send each other round in circles.
  if (session == nullptr || session->node != parts_.sessions.node()) return reply(from, *id);
  switch (request.what) {
    case What::kDestroy:
      return parts_.sessions.destroy(request.token, request.reason, [this, from, id] { reply(from, *id); });
    case What::kChange:
      // What could be wrong with it was looked at where it came from.
      if (parts_.sessions.change(request.token, request.change,
                                 [this, from, id](const sessions::Session*) { reply(from, *id); }))
        reply(from, *id);
      return;
    case What::kRing: parts_.sessions.mark_ringing(request.token); return reply(from, *id);
  }
}

void ClusterLink::look_up(const std::string& token, std::function<void()> done) {
  if (parts_.sessions.find(token) != nullptr) return done();
  parts_.store.queries().find_session(token,
                                      [this, done = std::move(done)](std::optional<sessions::Session> found) {
                                        if (found && found->node != parts_.sessions.node())
                                          parts_.sessions.adopt_replica(std::move(*found));
                                        done();
                                      });
}

}  // namespace vas::control
