#include "vas/control/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

namespace vas::control {
namespace {

void add_gateway(prometheus::Registry& registry, const signaling::GatewayCounters& counters) {
  prometheus::BuildCounter()
      .Name("vas_sip_messages_total")
      .Help("SIP messages that came from the network")
      .Register(registry)
      .Add({})
      .Increment(static_cast<double>(counters.received));
  auto& stopped = prometheus::BuildCounter()
                      .Name("vas_sip_stopped_total")
                      .Help("SIP messages that the gateway did not let through, by why")
                      .Register(registry);
  const auto add = [&stopped](const char* why, std::uint64_t count) {
    stopped.Add({{"why", why}}).Increment(static_cast<double>(count));
  };
  add("refused", counters.refused);
  add("dropped", counters.dropped);
  add("bad-token", counters.bad_tokens);
  add("limited", counters.limited);
  add("banned", counters.banned);
  add("shed", counters.shed);
  add("no-dialog", counters.no_dialog);
  add("unproved", counters.unproved);
  add("no-next-hop", counters.no_next_hop);
  add("refused-next-hop", counters.refused_hops);
  prometheus::BuildGauge()
      .Name("vas_sip_connections")
      .Help("TCP, TLS and WebSocket connections of SIP peers")
      .Register(registry)
      .Add({})
      .Set(static_cast<double>(counters.connections));
  auto& handshakes = prometheus::BuildCounter()
                         .Name("vas_sip_handshakes_total")
                         .Help(
                             "Handshakes of TLS and WebSockets with who connected to us: begun, refused over "
                             "budget before they cost anything, and of the begun those that failed")
                         .Register(registry);
  handshakes.Add({{"outcome", "begun"}}).Increment(static_cast<double>(counters.handshakes));
  handshakes.Add({{"outcome", "refused"}}).Increment(static_cast<double>(counters.handshakes_refused));
  handshakes.Add({{"outcome", "failed"}}).Increment(static_cast<double>(counters.handshakes_failed));
  prometheus::BuildGauge()
      .Name("vas_sip_queue_age_seconds")
      .Help("How long a message needs from the gateway to call control at present")
      .Register(registry)
      .Add({})
      .Set(static_cast<double>(counters.queue_age_us) / 1e6);
}

constexpr std::size_t kMostDomainsTold = 100;  // those with most

std::string name_of(const directory::Directory& directory, std::int64_t domain_id) {
  const directory::Domain* domain = directory.domain(domain_id);
  return domain != nullptr ? domain->name : std::to_string(domain_id);
}

// What domains use of their shares: of the busiest, so that no customer can make the text long.
void add_domains(prometheus::Registry& registry, const Snapshot& snapshot) {
  auto& calls = prometheus::BuildGauge()
                    .Name("vas_domain_calls")
                    .Help("Calls of the domains that have most")
                    .Register(registry);
  for (const auto& [id, count] : snapshot.quota->busiest(calls::CallQuota::Kind::kDomain, kMostDomainsTold))
    calls.Add({{"domain", name_of(*snapshot.directory, id)}}).Set(static_cast<double>(count));
  std::vector<std::pair<std::int64_t, sessions::SessionRegistry::Use>> uses(snapshot.session_uses->begin(),
                                                                            snapshot.session_uses->end());
  std::sort(uses.begin(), uses.end(),
            [](const auto& a, const auto& b) { return a.second.sessions > b.second.sessions; });
  if (uses.size() > kMostDomainsTold) uses.resize(kMostDomainsTold);
  auto& sessions = prometheus::BuildGauge()
                       .Name("vas_domain_sessions")
                       .Help("Sessions of the domains that have most")
                       .Register(registry);
  auto& bytes = prometheus::BuildGauge()
                    .Name("vas_domain_session_bytes")
                    .Help("What the sessions of these take")
                    .Register(registry);
  for (const auto& [id, use] : uses) {
    const std::string name = name_of(*snapshot.directory, id);
    sessions.Add({{"domain", name}}).Set(static_cast<double>(use.sessions));
    bytes.Add({{"domain", name}}).Set(static_cast<double>(use.bytes));
  }
}

void add_handshakes(prometheus::Registry& registry, const Snapshot& snapshot) {
  auto& https =
      prometheus::BuildCounter()
          .Name("vas_https_handshakes_total")
          .Help(
              "TLS handshakes with who connected to the API: begun, refused over budget before they "
              "cost anything, and of the begun those that failed")
          .Register(registry);
  https.Add({{"outcome", "begun"}}).Increment(static_cast<double>(snapshot.http.handshakes));
  https.Add({{"outcome", "refused"}}).Increment(static_cast<double>(snapshot.http.handshakes_refused));
  https.Add({{"outcome", "failed"}}).Increment(static_cast<double>(snapshot.http.handshakes_failed));
}

void add_shares(prometheus::Registry& registry, const Snapshot& snapshot) {
  auto& calls = prometheus::BuildCounter()
                    .Name("vas_calls_refused_total")
                    .Help("Calls, or attempts by a trunk, turned away because a share was used up, by whose")
                    .Register(registry);
  calls.Add({{"of", "tenant"}}).Increment(static_cast<double>(snapshot.calls_refused.of_tenants));
  calls.Add({{"of", "domain"}}).Increment(static_cast<double>(snapshot.calls_refused.of_domains));
  calls.Add({{"of", "trunk"}}).Increment(static_cast<double>(snapshot.calls_refused.of_trunks));
  auto& http = prometheus::BuildCounter()
                   .Name("vas_http_refused_total")
                   .Help("Connections and requests that the API turned away, by why")
                   .Register(registry);
  const auto add = [&http](const char* why, std::uint64_t count) {
    http.Add({{"why", why}}).Increment(static_cast<double>(count));
  };
  add("made-room", snapshot.http.made_room);
  add("no-place", snapshot.http.no_place);
  add("bad-request", snapshot.http.bad_requests);
  add("bodies", snapshot.http.bodies_refused);
  add("wrong-key", snapshot.api.wrong_keys);
  add("wrong-poll", snapshot.api.wrong_polls);
  add("client-limit", snapshot.api.limited_clients);
  add("domain-limit", snapshot.api.limited_domains);
}

}  // namespace

std::string to_metrics_text(const Snapshot& snapshot) {
  prometheus::Registry registry;
  const auto gauge = [&registry](const char* name, const char* help, std::size_t value) {
    prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({}).Set(static_cast<double>(value));
  };
  const auto counter = [&registry](const char* name, const char* help, std::uint64_t value) {
    prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({}).Increment(
        static_cast<double>(value));
  };
  gauge("vas_calls", "Calls that are up, ringing or parked", snapshot.calls);
  gauge("vas_sessions", "Sessions whose token lives", snapshot.sessions);
  gauge("vas_ringing_polls", "Long polls that wait", snapshot.polls_waiting);
  gauge("vas_callbacks_waiting", "Status callbacks not delivered yet", snapshot.callbacks_waiting);
  gauge("vas_callback_endpoints_broken", "Endpoints that callbacks keep away from for a while",
        snapshot.broken_endpoints);
  counter("vas_sessions_created_total", "Sessions made through the API", snapshot.sessions_created);
  counter("vas_callbacks_delivered_total", "Status callbacks that were taken", snapshot.callbacks_delivered);
  counter("vas_callback_tries_failed_total", "Tries of status callbacks that failed and are repeated",
          snapshot.callback_tries_failed);
  counter("vas_callbacks_buried_total", "Status callbacks given up, now dead letters",
          snapshot.callbacks_buried);
  counter("vas_store_rows_refused_total",
          "Rows that the database refused; what was promised of them is in rejected-rows.jsonl",
          snapshot.rows_refused);
  auto& packets = prometheus::BuildCounter()
                      .Name("vas_media_packets_total")
                      .Help("RTP and RTCP packets relayed, in user space or by the kernel's fast path")
                      .Register(registry);
  packets.Add({{"path", "user"}}).Increment(static_cast<double>(snapshot.media.user_packets));
  packets.Add({{"path", "kernel"}}).Increment(static_cast<double>(snapshot.media.kernel_packets));
  counter("vas_media_overrun_total", "Media datagrams lost because they were not read in time",
          snapshot.media.overrun);
  counter("vas_media_oversized_total", "Media datagrams larger than what is read, and dropped",
          snapshot.media.oversized);
  counter("vas_media_stray_total",
          "Datagrams at a port that ICE legs share whose sender no leg's party has proved to be",
          snapshot.media.stray);
  counter("vas_media_over_limit_total", "RTP beyond what a leg may send in a second",
          snapshot.media.over_limit);
  gauge("vas_media_kernel_legs", "Legs whose media the kernel relays now", snapshot.media.fast_legs);
  auto& well = prometheus::BuildGauge()
                   .Name("vas_part_well")
                   .Help("1 while a part of the server works; 0 while it is stuck or fails")
                   .Register(registry);
  for (const Watchdog::Seen& part : snapshot.parts)
    well.Add({{"part", part.name}}).Set(part.reading.state == Pulse::State::kWell ? 1 : 0);
  counter("vas_sessions_refused_total", "Sessions that were not made because a share was used up",
          snapshot.sessions_refused);
  gauge("vas_http_connections", "Connections to the API", snapshot.http.connections);
  gauge("vas_http_body_bytes", "Bytes set aside for bodies that are being read", snapshot.http.body_bytes);
  gauge("vas_webhooks_under_way", "Requests to backends under way", snapshot.webhooks_under_way);
  add_handshakes(registry, snapshot);
  add_shares(registry, snapshot);
  add_domains(registry, snapshot);
  add_gateway(registry, *snapshot.gateway);
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

}  // namespace vas::control
