#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "base/clock.h"
#include "base/json.h"
#include "media/rtp/voice_quality.h"
#include "vas/records/cdr.h"

namespace vas::records {
namespace {

namespace json = boost::json;

json::value time_or_null(const std::optional<WallTime>& time) {
  return time ? json::value(to_rfc3339(*time)) : json::value(nullptr);
}

// The nearest number with that many decimals: it is written with no more of them.
double rounded(double value, int decimals) {
  const double scale = std::pow(10, decimals);
  return std::round(value * scale) / scale;
}

std::optional<double> rounded(const std::optional<double>& value, int decimals = 3) {
  return value ? std::optional<double>(rounded(*value, decimals)) : std::nullopt;
}

json::object received_json(const bridge::LegStats& stats) {
  const media::ReceiveSummary& received = stats.received;
  return {{"packets", received.packets},
          {"bytes", received.bytes},
          {"lost", received.expected == 0 ? json::value(nullptr) : json::value(received.lost)},
          {"loss_percent", or_null(rounded(received.loss_percent()))},
          {"jitter_ms", or_null(rounded(received.jitter_mean_ms))},
          {"jitter_max_ms", or_null(rounded(received.jitter_max_ms))},
          {"out_of_order", received.out_of_order},
          {"duplicates", received.duplicates},
          {"refused", stats.refused_source + stats.unknown_payload_type + stats.malformed +
                          stats.unauthenticated + stats.replayed + stats.expired + stats.over_limit +
                          stats.oversized},
          {"overrun", stats.overrun}};
}

// The way to the party is measured by the party alone: what its RTCP said.
json::object sent_json(const bridge::LegStats& stats) {
  std::optional<double> loss_percent;
  if (stats.reported_lost && stats.sent_packets > 0) {
    loss_percent =
        100.0 * static_cast<double>(*stats.reported_lost) / static_cast<double>(stats.sent_packets);
  }
  return {{"packets", stats.sent_packets},
          {"bytes", stats.sent_bytes},
          {"lost", or_null(stats.reported_lost)},
          {"loss_percent", or_null(rounded(loss_percent))},
          {"jitter_ms", or_null(rounded(stats.reported_jitter_ms))},
          {"jitter_max_ms", or_null(rounded(stats.reported_jitter_max_ms))},
          {"out_of_order", nullptr},
          {"duplicates", nullptr},
          {"by_kernel", stats.sent_by_kernel}};
}

std::string ice_path(const LegRecord& leg, const bridge::LegStats& stats) {
  if (!stats.media_endpoint.is_set()) return "none";
  const auto theirs = ice::type_of(*leg.ice_candidates, stats.media_endpoint);
  return fmt::format("{}-{}", ice::to_string(leg.ice_local_type), ice::to_string(theirs));
}

json::object leg_json(const LegRecord& leg, const bridge::LegStats* stats) {
  json::object object{{"role", leg.role},
                      {"uri", or_null(leg.uri)},
                      {"signaling_address", or_null(leg.signaling_address)},
                      {"media_address", nullptr},
                      {"transport", or_null(leg.transport)},
                      {"user_agent", or_null(leg.user_agent)},
                      {"codec", nullptr},
                      {"ptime", nullptr},
                      {"srtp", nullptr},
                      {"ice_path", nullptr},
                      {"dtmf_count", nullptr},
                      {"received", nullptr},
                      {"sent", nullptr},
                      {"rtt_ms", nullptr},
                      {"r_factor", nullptr},
                      {"mos", nullptr}};
  if (stats == nullptr) return object;
  if (stats->media_endpoint.is_set()) object["media_address"] = vas::to_string(stats->media_endpoint);
  if (leg.ice_candidates) object["ice_path"] = ice_path(leg, *stats);
  if (stats->srtp) object["srtp"] = media::shape_of(*stats->srtp).name;
  if (stats->codec) object["codec"] = media::info_of(*stats->codec).name;
  object["ptime"] = or_null(stats->ptime_ms);
  object["dtmf_count"] = stats->telephone_events;
  object["received"] = received_json(*stats);
  object["sent"] = sent_json(*stats);
  object["rtt_ms"] = or_null(rounded(stats->round_trip_ms));
  if (stats->codec && stats->received.loss_percent()) {
    const auto quality = media::voice_quality({.codec = media::info_of(*stats->codec).name,
                                               .loss_percent = *stats->received.loss_percent(),
                                               .jitter_ms = stats->received.jitter_mean_ms.value_or(0),
                                               .one_way_delay_ms = stats->round_trip_ms.value_or(0) / 2});
    object["r_factor"] = rounded(quality.r_factor, 1);
    object["mos"] = rounded(quality.mos, 2);
  }
  return object;
}

json::array route_json(const CallRecord& record) {
  json::array attempts;
  for (const RouteAttempt& attempt : record.route) {
    attempts.push_back({{"trunk_id", or_null(attempt.trunk_id)},
                        {"address", attempt.address},
                        {"number", attempt.number},
                        {"code", attempt.code},
                        {"post_dial_delay_ms", or_null(rounded(attempt.post_dial_delay_ms))}});
  }
  return attempts;
}

json::value seconds_between(const std::optional<Time>& from, const std::optional<Time>& to) {
  if (!from || !to) return nullptr;
  return rounded(static_cast<double>((*to - *from).count()) / 1e6, 3);
}

json::value billed_seconds(const CallRecord& record) {
  if (!record.ended_at) return nullptr;
  if (!record.answered_at) return 0;
  return (*record.ended_at - *record.answered_at + std::chrono::microseconds(999'999)) /
         std::chrono::seconds(1);
}

json::value cost_json(const CallRecord& record, const std::optional<Price>& price) {
  if (!price || !record.ended_at) return nullptr;
  if (!record.answered_at) return 0.0;
  return rounded(cost(*price, billed_seconds(record).to_number<std::int64_t>()), 6);
}

std::string_view codec_of(const CallRecord& record) {
  if (!record.media) return {};
  for (const bridge::LegStats& stats : *record.media) {
    if (stats.codec) return media::info_of(*stats.codec).name;
  }
  return {};
}

}  // namespace

std::string to_json(const CallRecord& record) {
  json::array legs;
  for (std::size_t side = 0; side < record.legs.size(); ++side) {
    const bool is_known = record.legs[side].was_present;
    if (is_known)
      legs.push_back(leg_json(record.legs[side], record.media ? &(*record.media)[side] : nullptr));
  }
  const json::object object{
      {"id", record.id},
      {"session", or_null(record.session)},
      {"node", record.node},
      {"tenant_id", or_null(record.tenant_id)},
      {"domain_id", or_null(record.domain_id)},
      {"domain", or_null(record.domain)},
      {"subscriber_id", or_null(record.subscriber_id)},
      {"direction", record.direction},
      {"from", record.from},
      {"to", record.to},
      {"caller_id", or_null(record.caller_id)},
      {"call_ids", json::array(record.call_ids.begin(), record.call_ids.end())},
      {"start", record.start == WallTime{} ? json::value(nullptr) : json::value(to_rfc3339(record.start))},
      {"ring", time_or_null(record.ring)},
      {"answer", time_or_null(record.answer)},
      {"end", time_or_null(record.end)},
      {"duration", seconds_between(record.started_at, record.ended_at)},
      {"billsec", billed_seconds(record)},
      {"disposition", to_string(record.disposition)},
      {"termination_reason", record.termination_reason},
      {"ended_by", to_string(record.ended_by)},
      {"last_sip_code", or_null(record.last_sip_code)},
      {"local_cause", record.local_cause == LocalCause::kNone
                          ? json::value(nullptr)
                          : json::value(static_cast<int>(record.local_cause))},
      {"recovery", or_null(std::string(to_string(record.recovery)))},
      {"route", route_json(record)},
      {"codec", codec_of(record).empty() ? json::value(nullptr) : json::value(codec_of(record))},
      {"sell_cost", cost_json(record, record.sell_price)},
      {"buy_cost", cost_json(record, record.buy_price)},
      {"legs", std::move(legs)}};
  return to_text(object);
}

namespace {

// Of a clock that begins with the machine: of use to whoever reads it against others of the same process.
json::value microseconds_or_null(Time time) {
  return time == Time{} ? json::value(nullptr) : json::value(time.time_since_epoch().count());
}

json::value price_json(const std::optional<Price>& price) {
  if (!price) return nullptr;
  return json::array{price->rate_per_minute, price->minimum_s, price->increment_s};
}

json::array draft_legs(const CallRecord& record) {
  json::array legs;
  for (const LegRecord& leg : record.legs) {
    legs.push_back({{"role", leg.role},
                    {"uri", leg.uri},
                    {"signaling_address", leg.signaling_address},
                    {"transport", leg.transport},
                    {"user_agent", leg.user_agent},
                    {"was_present", leg.was_present}});
  }
  return legs;
}

std::optional<Time> monotonic_field(const json::object& object, std::string_view key) {
  const auto microseconds = integer_field(object, key);
  if (!microseconds) return {};
  return Time(Duration(*microseconds));
}

std::optional<Price> price_field(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_array() || value->as_array().size() != 3) return {};
  const json::array& parts = value->as_array();
  if (!parts[0].is_number() || !parts[1].is_int64() || !parts[2].is_int64()) return {};
  return Price{parts[0].to_number<double>(), parts[1].as_int64(), parts[2].as_int64()};
}

void read_legs(const json::object& object, CallRecord& record) {
  const json::value* legs = object.if_contains("legs");
  if (legs == nullptr || !legs->is_array()) return;
  for (std::size_t side = 0; side < std::min(record.legs.size(), legs->as_array().size()); ++side) {
    const json::value& each = legs->as_array()[side];
    if (!each.is_object()) continue;
    LegRecord& leg = record.legs[side];
    leg.role = text_field(each.as_object(), "role");
    leg.uri = text_field(each.as_object(), "uri");
    leg.signaling_address = text_field(each.as_object(), "signaling_address");
    leg.transport = text_field(each.as_object(), "transport");
    leg.user_agent = text_field(each.as_object(), "user_agent");
    const json::value* was_present = each.as_object().if_contains("was_present");
    leg.was_present = was_present != nullptr && was_present->is_bool() && was_present->as_bool();
  }
}

}  // namespace

std::string to_draft_json(const CallRecord& record) {
  return to_text(json::object{{"id", record.id},
                              {"session", record.session},
                              {"node", record.node},
                              {"tenant_id", or_null(record.tenant_id)},
                              {"domain_id", or_null(record.domain_id)},
                              {"domain", record.domain},
                              {"subscriber_id", or_null(record.subscriber_id)},
                              {"direction", record.direction},
                              {"from", record.from},
                              {"to", record.to},
                              {"caller_id", record.caller_id},
                              {"call_ids", json::array(record.call_ids.begin(), record.call_ids.end())},
                              {"start", or_null(record.start)},
                              {"ring", or_null(record.ring)},
                              {"answer", or_null(record.answer)},
                              {"started_at", microseconds_or_null(record.started_at)},
                              {"answered_at", microseconds_or_null(record.answered_at.value_or(Time{}))},
                              {"sell", price_json(record.sell_price)},
                              {"buy", price_json(record.buy_price)},
                              {"legs", draft_legs(record)}});
}

std::string to_json(const LastSign& sign) {
  return json::serialize(json::object{{"wall", sign.wall.time_since_epoch().count()},
                                      {"monotonic", sign.monotonic.time_since_epoch().count()}});
}

std::optional<LastSign> parse_last_sign(std::string_view text) {
  const auto object = parse_object(text);
  if (!object) return {};
  const auto wall = time_field(*object, "wall");
  const auto monotonic = integer_field(*object, "monotonic");
  if (!wall || !monotonic) return {};
  return LastSign{*wall, Time(Duration(*monotonic))};
}

std::optional<CallRecord> parse_draft_json(std::string_view text) {
  const auto parsed = parse_object(text);
  if (!parsed) return {};
  const json::object& object = *parsed;
  CallRecord record;
  record.id = text_field(object, "id");
  record.session = text_field(object, "session");
  record.node = text_field(object, "node");
  record.tenant_id = integer_field(object, "tenant_id");
  record.domain_id = integer_field(object, "domain_id");
  record.domain = text_field(object, "domain");
  record.subscriber_id = integer_field(object, "subscriber_id");
  record.direction = text_field(object, "direction");
  record.from = text_field(object, "from");
  record.to = text_field(object, "to");
  record.caller_id = text_field(object, "caller_id");
  if (const json::value* ids = object.if_contains("call_ids"); ids != nullptr && ids->is_array()) {
    for (const json::value& each : ids->as_array()) {
      if (each.is_string()) record.call_ids.emplace_back(each.as_string());
    }
  }
  record.start = time_field(object, "start").value_or(WallTime{});
  record.ring = time_field(object, "ring");
  record.answer = time_field(object, "answer");
  record.started_at = monotonic_field(object, "started_at").value_or(Time{});
  record.answered_at = monotonic_field(object, "answered_at");
  record.sell_price = price_field(object, "sell");
  record.buy_price = price_field(object, "buy");
  read_legs(object, record);
  if (record.id.empty()) return {};
  return record;
}

}  // namespace vas::records
