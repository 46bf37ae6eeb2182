#include "vas/api/api.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/match.h"
#include "base/text.h"
#include "base/thread_check.h"
#include "vas/api/api_call.h"
#include "vas/api/body_text.h"
#include "vas/api/connection_shares.h"
#include "vas/api/cors.h"
#include "vas/api/idempotency_key.h"
#include "vas/api/json_body.h"
#include "vas/api/open_api.h"
#include "vas/api/phone_page.h"
#include "vas/api/rate_limit.h"
#include "vas/api/request_target.h"
#include "vas/api/resources.h"
#include "vas/api/with_fields.h"

namespace vas::api {
namespace {

namespace json = boost::json;
using directory::ApiKey;
using directory::KeyScope;

// Who guesses waits for each reply, and comes again by a connection of its own.
constexpr Duration kDelayOfGuesses = std::chrono::seconds(1);
constexpr std::string_view kDraining = "This node is shutting down. Use another one.";

bool accepts_type(const Operation& operation, std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  const auto& all = operation.media_types;
  return type.empty() || std::any_of(all.begin(), all.end(), [type](const std::string& each) {
           return equals_ignoring_case(type, each);
         });
}

HttpReply wrong_type(const Operation& operation) {
  HttpReply reply =
      problem(415, fmt::format("Send `Content-Type: {}`.", fmt::join(operation.media_types, "` or `")));
  // RFC 5789 §2.2
  if (operation.method == "PATCH")
    reply.headers.emplace_back("Accept-Patch", fmt::format("{}", fmt::join(operation.media_types, ", ")));
  return reply;
}

HttpReply not_allowed(const NoSuchMethod& wrong) {
  HttpReply reply = problem(405, "This resource answers " + wrong.allowed + " only.");
  reply.headers.emplace_back("Allow", wrong.allowed);
  return reply;
}

// draft-ietf-httpapi-ratelimit-headers: how much there is in which time, how much of it is left, and in how
// many seconds it is whole again.
WithFields::Fields rate_fields(int per_second, const RateTurn& turn) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(turn.full_in).count();
  return {{"RateLimit-Policy", fmt::format("\"requests\";q={};w={}",
                                           RateLimit::kBurst * std::int64_t{per_second}, RateLimit::kBurst)},
          {"RateLimit", fmt::format("\"requests\";r={};t={}", turn.left, seconds)}};
}

// Keeps the document, the operation for each of its operationIds, and what addresses and domains have asked
// for lately. It decides whether a request is let in: which operation it means, whose key it shows, whether
// the key reaches so far, whether there have been too many, whether query and body are as the document says.
// What the operation then does, and how bytes come and go, it need not know.
//
// Threads: control only.
class Api {
 public:
  Api(const Services& services, const ApiConfig& config, ApiCounters& counters)
      : services_(services),
        counters_(counters),
        phone_(services.platform.phone_server()),
        cors_(config.cors_origins),
        clients_(config.clients) {
    add_session_operations(operations_, services.sessions);
    add_tenant_operations(operations_, services.directory);
    add_domain_operations(operations_, services.directory);
    add_subscriber_operations(operations_, services.directory);
    add_trunk_operations(operations_, services.directory);
    add_key_operations(operations_, services.directory);
    add_dead_letter_operations(operations_, services.platform);
    add_gateway_operations(operations_, services.gateway);
    add_platform_operations(operations_, services.platform);
    for (const Operation& each : document_.operations())
      VAS_CHECK(operations_.contains(each.id), "every operation of the document is implemented");
    VAS_CHECK(operations_.size() == document_.operations().size(), "every operation stands in the document");
  }

  void handle(const HttpRequest& request, const std::shared_ptr<Responder>& responder) {
    thread_check_.check();
    if (auto page = phone_.reply(request)) return reply_to_stranger(request, responder, std::move(*page));
    const auto segments = segments_of(request.path);
    if (!segments)
      return reply_to_stranger(request, responder, problem(400, "The path is not properly percent-encoded."));
    if (auto leave = leave_to_ask(request, *segments))
      return reply_to_stranger(request, responder, std::move(*leave));
    match(
        document_.match(request.method, *segments),
        [&](Matched&& found) {
          run(found, request, found.operation->is_public ? cors_.open(request, responder) : responder);
        },
        [&](const NoSuchPath&) {
          reply_to_stranger(request, responder,
                            problem(404, "There is no such resource. GET /openapi.json lists them."));
        },
        [&](const NoSuchMethod& wrong) { reply_to_stranger(request, responder, not_allowed(wrong)); });
  }

  // The key of the request. From an address that was wrong too often only one that has worked there before.
  const ApiKey* find_key(const HttpRequest& request) {
    constexpr std::string_view kScheme = "Bearer ";
    const std::string_view header = request.authorization;
    if (!starts_with_ignoring_case(header, kScheme)) return nullptr;
    const ApiKey* key = services_.directory.directory().authenticate(trim(header.substr(kScheme.size())));
    if (key == nullptr || !request.client || clients_.knows(*request.client, key->id)) return key;
    return clients_.may_try(*request.client, monotonic_now()) ? key : nullptr;
  }

 private:
  // A browser's question whether a page may ask for what needs no key.
  std::optional<HttpReply> leave_to_ask(const HttpRequest& request,
                                        const std::vector<std::string>& segments) const {
    if (!Cors::is_preflight(request)) return {};
    const auto matched = document_.match(request.asked_method, segments);
    const auto* found = std::get_if<Matched>(&matched);
    return found != nullptr && found->operation->is_public ? cors_.preflight(request) : std::nullopt;
  }

  void run(Matched& matched, const HttpRequest& request, const std::shared_ptr<Responder>& responder) {
    const Operation& operation = *matched.operation;
    ApiCall call{.path_parameters = std::move(matched.parameters), .responder = responder};
    call.domain = services_.directory.directory().find_domain(call.path("domain"));
    if (!is_let_in(operation, request, call)) return;
    if (is_over_limit(call)) return;
    if (auto fault = read_query(operation, request.query, call.query)) return call.fail(400, *fault);
    if (operation.accepts_idempotency_key && !read_idempotency_key(request, call)) return;
    if (operation.body && !read_body(operation, request, call)) return;
    if (services_.platform.is_draining() && request.method == "POST")
      return call.fail(503, std::string(kDraining));
    operations_.at(operation.id)(call);
  }

  // False: it has its reply.
  bool is_let_in(const Operation& operation, const HttpRequest& request, ApiCall& call) {
    if (operation.is_public) {
      if (!call.path("token").empty()) return proves_poll(request, call);
      if (accepts_keyless(request)) return true;
      call.responder->send(too_much());
      return false;
    }
    authenticate(request, call);
    if (call.key == nullptr && !may_be_wrong(request)) {
      call.responder->send(guesses_too_much());
      return false;
    }
    if (const auto refused = authorize(operation, call)) {
      call.fail(refused->status, refused->detail);
      return false;
    }
    call.responder->vouch(call.key->scope == KeyScope::kSystem ? ConnectionShares::kPlatform : call.key->id);
    return true;
  }

  void reply_to_stranger(const HttpRequest& request, const std::shared_ptr<Responder>& responder,
                         HttpReply reply) {
    responder->send(accepts_keyless(request) ? std::move(reply) : too_much());
  }

  bool accepts_keyless(const HttpRequest& request) {
    return !request.client || clients_.accepts_keyless(*request.client, monotonic_now());
  }

  // Counts a wrong key or token; false where there were too many.
  bool may_be_wrong(const HttpRequest& request) {
    if (!request.client) return true;
    const bool may = clients_.may_try(*request.client, monotonic_now());
    clients_.count_failure(*request.client, monotonic_now());
    return may;
  }

  HttpReply too_much() {
    ++counters_.limited_clients;
    HttpReply reply = problem(429, "Too many requests without a key come from this address.", true);
    reply.headers.emplace_back("Retry-After", "1");
    return reply;
  }

  HttpReply guesses_too_much() {
    ++counters_.limited_clients;
    HttpReply reply =
        problem(429, "Too many wrong keys or tokens came from this address. Wait before the next.", true);
    reply.headers.emplace_back("Retry-After", "6");
    reply.delay = kDelayOfGuesses;
    return reply;
  }

  void authenticate(const HttpRequest& request, ApiCall& call) {
    call.key = find_key(request);
    if (call.key != nullptr && request.client) clients_.learn(*request.client, call.key->id);
    if (call.key == nullptr && !request.authorization.empty()) ++counters_.wrong_keys;
  }

  // Whether a request without a key names a session that may be waited for. Who guesses uses up what its
  // address may be wrong, and nothing of the domain's. False: it has its reply.
  bool proves_poll(const HttpRequest& request, ApiCall& call) {
    const sessions::Session* session = session_of(call);
    if (session != nullptr) {
      call.responder->vouch(-call.domain->id);
      return true;
    }
    ++counters_.wrong_polls;
    if (may_be_wrong(request)) return true;  // and gets 403 as any
    call.responder->send(guesses_too_much());
    return false;
  }

  const sessions::Session* session_of(const ApiCall& call) const {
    const sessions::Session* session = services_.sessions.registry().find(call.path("token"));
    const bool is_its = session != nullptr && call.domain != nullptr &&
                        session->domain_id == call.domain->id &&
                        session->msisdn == directory::without_plus(call.path("msisdn"));
    return is_its ? session : nullptr;
  }

  // 401 for who is nobody, and for who is too little: the API has no 403 for keys.
  std::optional<Refused> authorize(const Operation& operation, ApiCall& call) const {
    if (call.key == nullptr) return Refused{401, "Send `Authorization: Bearer KEY` with a key that exists."};
    const auto& scopes = operation.scopes;
    if (std::find(scopes.begin(), scopes.end(), call.key->scope) == scopes.end())
      return Refused{401, fmt::format("A key of scope {} may not do this.", to_string(call.key->scope))};
    if (!reaches(*call.key, call)) return Refused{401, "This key has no authority over what the path names."};
    return missing(call);
  }

  // Whether the key's tenant or domain is the path's.
  // Who may not see all learns nothing of what does not exist.
  bool reaches(const ApiKey& key, const ApiCall& call) const {
    if (key.scope == KeyScope::kSystem) return true;
    const bool names_domain = !call.path("domain").empty();
    const bool names_tenant = !call.path("tenant").empty();
    if (names_domain && call.domain == nullptr) return false;
    if (names_tenant && parse_number<std::int64_t>(call.path("tenant")) != tenant_of(key)) return false;
    if (names_domain && !services_.directory.directory().is_authorized(key, *call.domain, true)) return false;
    return true;
  }

  std::optional<std::int64_t> tenant_of(const ApiKey& key) const {
    if (key.scope == KeyScope::kTenant) return key.tenant_id;
    const directory::Domain* domain = services_.directory.directory().domain(key.domain_id);
    return domain != nullptr ? std::optional(domain->tenant_id) : std::nullopt;
  }

  std::optional<Refused> missing(const ApiCall& call) const {
    const std::string& tenant = call.path("tenant");
    const auto tenant_id = parse_number<std::int64_t>(tenant);
    if (!tenant.empty() && (!tenant_id || services_.directory.directory().tenant(*tenant_id) == nullptr))
      return Refused{404, "There is no such tenant."};
    if (call.path("domain").empty()) return {};
    if (call.domain == nullptr || (tenant_id && call.domain->tenant_id != *tenant_id))
      return Refused{404, "There is no such domain."};
    return {};
  }

  bool is_over_limit(ApiCall& call) {
    const bool is_stranger = call.key == nullptr && session_of(call) == nullptr;
    if (call.domain == nullptr || is_stranger) return false;
    RateLimit& limit = call.key != nullptr ? requests_ : polls_;
    const int per_second = call.domain->profile.requests_per_second;
    const RateTurn turn = limit.draw(call.domain->id, per_second, monotonic_now());
    // Who polls gets its reply much later: what was left then is no news.
    if (call.key != nullptr)
      call.responder = std::make_shared<WithFields>(std::move(call.responder), rate_fields(per_second, turn));
    if (!turn.wait) return false;
    ++counters_.limited_domains;
    HttpReply reply =
        problem(429, fmt::format("The domain makes more than {} requests a second.", per_second));
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*turn.wait).count();
    reply.headers.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1)));
    call.responder->send(std::move(reply));
    return true;
  }

  bool read_idempotency_key(const HttpRequest& request, ApiCall& call) {
    if (request.idempotency_key.empty()) return true;
    call.idempotency_key = parse_idempotency_key(request.idempotency_key);
    if (!call.idempotency_key) {
      call.fail(400, fmt::format("`Idempotency-Key` is one key of 1 to {} printable characters, in quotes.",
                                 kMaxIdempotencyKey));
    }
    return call.idempotency_key.has_value();
  }

  bool read_body(const Operation& operation, const HttpRequest& request, ApiCall& call) {
    if (!accepts_type(operation, request.content_type)) {
      call.responder->send(wrong_type(operation));
      return false;
    }
    std::optional<std::string> fault;
    if (request.body.empty()) {
      if (operation.needs_body) fault = "The body is missing: send a JSON object.";
    } else if (auto body = parse_body(request.body)) {
      call.body = std::move(*body);
    } else {
      fault = body.error();
    }
    if (!fault) fault = operation.body->fault_of(call.body, "");
    if (!fault) fault = fault_of_text(call.body, "");
    if (fault) call.fail(400, *fault);
    return !fault;
  }

  const Services services_;
  ApiCounters& counters_;
  const PhonePage phone_;
  const Cors cors_;
  ClientLedger clients_;
  const OpenApi document_;
  Operations operations_;
  RateLimit requests_;
  ThreadCheck thread_check_{"Api"};
  RateLimit polls_;  // of their own: who knows no key cannot use up a domain's requests
};

}  // namespace

PageRequest page_request(const ApiCall& call) {
  PageRequest page;
  if (const json::value* after = call.query.if_contains("after"))
    page.after = std::string(after->as_string());
  if (const json::value* limit = call.query.if_contains("limit"))
    page.limit = static_cast<std::size_t>(limit->as_int64());
  return page;
}

void send_page(const std::shared_ptr<Responder>& responder, const std::string& path,
               std::optional<Page> page) {
  if (!page) return responder->send(problem(503, "The list could not be read. Try again in a moment."));
  HttpReply reply{.body = std::move(page->json)};
  if (page->next) reply.headers.emplace_back("Link", "<" + path + "after=" + *page->next + ">; rel=\"next\"");
  responder->send(std::move(reply));
}

ApiEntry make_api(const Services& services, const ApiConfig& config, ApiCounters& counters) {
  const auto api = std::make_shared<Api>(services, config, counters);
  return {.handle = [api](const HttpRequest& request,
                          const std::shared_ptr<Responder>& responder) { api->handle(request, responder); },
          .shows_key = [api](const HttpRequest& head) { return api->find_key(head) != nullptr; }};
}

}  // namespace vas::api
