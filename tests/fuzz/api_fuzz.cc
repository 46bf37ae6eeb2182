// A request as the HTTP server hands it on, through routing, keys, the document's checks, and every resource.
//
// Input: "METHOD TARGET\n", "AUTHORIZATION\n" or "AUTHORIZATION\tIDEMPOTENCY-KEY\n", the body.
#include <cstdlib>

#include "base/clock.h"
#include "vas/api/api.h"
#include "vas/api/directory_entry.h"
#include "vas/calls/call_instructions.h"

namespace {

using namespace vas;
using namespace vas::api;

void require(bool condition) {
  if (!condition) std::abort();
}

// Services that store nothing: a change is in force at once.
class Stub : public SessionService, public DirectoryService, public PlatformService, public GatewayService {
 public:
  Stub() {
    const auto entries = directory::parse_directory(R"({"tenants":[{"id":1,"name":"t"}],
      "domains":[{"id":3,"tenantId":1,"name":"d.example","profile":{"api-requests-per-second":1000000}}],
      "subscribers":[{"id":5,"domainId":3,"msisdn":"1"}],"trunks":[{"id":7,"domainId":3,"name":"c"}],
      "apiKeys":[{"id":1,"key":"k","scope":"system"},{"id":2,"key":"a","scope":"application","domainId":3}]})");
    directory_.apply(*entries);
    registry_.add({.id = 1,
                   .token = "t",
                   .domain_id = 3,
                   .subscriber_id = 5,
                   .msisdn = "1",
                   .direction = sessions::Direction::kIncoming});
  }

  const directory::Directory& directory() const override { return directory_; }
  void change(Plan plan, Done done) override {
    directory::Change change;
    const auto refused = plan(directory_, change);
    // What was planned would come back from the store.
    for (const auto& each : change) {
      if (const auto* entry = std::get_if<directory::Entry>(&each))
        require(static_cast<bool>(directory::parse_entry(kind_of(*entry), to_store_json(*entry))));
    }
    done(refused);
  }
  std::int64_t next_id(directory::Kind) override { return 99; }
  void list(directory::Kind, std::int64_t, const PageRequest&,
            std::function<void(std::optional<Page>)> done) override {
    done(Page{.json = "[]", .next = "1"});
  }
  std::size_t sessions_of(std::int64_t) const override { return 0; }
  std::optional<std::string> fault_of_url(const std::string&) const override { return {}; }
  std::optional<std::string> fault_of_server(std::string_view, bool) const override { return {}; }

  bool has_room_for_poll(std::int64_t) const override { return true; }
  std::optional<Refused> create(const NewSession& request,
                                std::function<void(const sessions::Session*)> done) override {
    sessions::Session session{.id = 2,
                              .token = "n",
                              .domain_id = 3,
                              .remote = request.remote,
                              .caller_id = request.caller_id,
                              .time_limit_s = request.time_limit_s,
                              .callback = request.callback.value_or(""),
                              .call_timeout_s = request.call_timeout_s};
    session.made_by = request.made_by;
    if (!request.routing_json.empty()) {
      const auto normalized = routing::normalize_routing_plan(request.routing_json);
      if (!normalized) return Refused{400, normalized.error()};
      session.routing_json = *normalized;
    }
    const auto again = sessions::parse_store_json(to_store_json(session));
    require(again && to_json(*again) == to_json(session));
    done(&session);
    return {};
  }
  std::optional<Refused> change(const std::string& token, const SessionChange&,
                                std::function<void(const sessions::Session*)> done) override {
    done(registry_.find(token));
    return {};
  }
  void destroy(const std::string&, const std::string&, std::function<void()> done) override { done(); }
  void list(const sessions::SessionFilter&, const PageRequest& page,
            std::function<void(std::optional<Page>)> done) override {
    require(page.limit >= 1 && page.limit <= 10'000);
    done(Page{.json = "[]", .next = "1"});
  }
  void mark_ringing(const std::string&) override {}
  sessions::SessionRegistry& registry() override { return registry_; }

  bool is_draining() const override { return false; }
  std::vector<PartHealth> health() const override { return {{"store", "failing", WallTime{}, true}}; }
  std::string metrics() override { return {}; }
  std::vector<MediaResource> media_servers() const override { return {{"n", {"192.0.2.1"}}}; }
  std::vector<MediaResource> session_border_controllers() const override { return {}; }
  std::string phone_server() const override { return "wss://{host}"; }
  void list_dead_letters(std::int64_t, const PageRequest&,
                         std::function<void(std::optional<Page>)> done) override {
    done(std::nullopt);
  }
  void replay_dead_letter(std::int64_t, const std::string&, std::function<void(bool)> done) override {
    done(true);
  }
  void drop_dead_letter(std::int64_t, const std::string&, std::function<void(bool)> done) override {
    done(false);
  }

  void list_bans(std::function<void(const std::vector<BannedSource>&)> done) override {
    done({{"192.0.2.9", "scanner", 60, 3}});
  }
  void lift_ban(const IpAddress&, std::function<void(bool was_banned)> done) override { done(true); }
  void trace(const std::string&, std::function<void(const std::vector<TracedMessage>&)> done) override {
    done({{{}, "udp", "192.0.2.9:5060", "192.0.2.1:5060", "OPTIONS sip:a@b SIP/2.0\r\n\r\n"}});
  }

 private:
  directory::Directory directory_;
  sessions::SessionRegistry registry_;
};

class OneReply final : public Responder {
 public:
  explicit OneReply(int& replies) : replies_(replies) {}
  void send(HttpReply reply) override {
    ++replies_;
    require(reply.status >= 200 && reply.status < 504);
    boost::system::error_code failure;
    if (reply.content_type.find("json") != std::string::npos && !reply.body.empty())
      (void)boost::json::parse(reply.body, failure);
    require(!failure);
    for (const auto& [name, value] : reply.headers) require(value.find_first_of("\r\n") == std::string::npos);
  }
  void watch_client(std::function<void()> gone) override { gone(); }
  void vouch(std::int64_t) override {}

 private:
  int& replies_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Stub stub;
  static ApiCounters counters;
  static const HttpHandler api = make_api({stub, stub, stub, stub}, {}, counters).handle;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto first = input.find('\n');
  const auto second = first == std::string_view::npos ? first : input.find('\n', first + 1);
  if (second == std::string_view::npos) return 0;
  const std::string_view start = input.substr(0, first);
  const auto space = start.find(' ');
  if (space == std::string_view::npos) return 0;
  const std::string_view target = start.substr(space + 1);
  const auto mark = target.find('?');
  const std::string_view second_line = input.substr(first + 1, second - first - 1);
  const auto tab = second_line.find('\t');
  const HttpRequest request{
      .method = std::string(start.substr(0, space)),
      .path = std::string(target.substr(0, mark)),
      .query = mark == std::string_view::npos ? "" : std::string(target.substr(mark + 1)),
      .authorization = std::string(second_line.substr(0, tab)),
      .content_type = "application/json",
      .idempotency_key = std::string(tab == std::string_view::npos ? "" : second_line.substr(tab + 1)),
      .body = std::string(input.substr(second + 1))};
  int replies = 0;
  api(request, std::make_shared<OneReply>(replies));
  const bool waits = request.path.find("/ringing/") != std::string::npos;  // and its client left at once
  require(replies == 1 || (waits && replies == 0));
  (void)calls::parse_call_instructions(request.body);
  return 0;
}
