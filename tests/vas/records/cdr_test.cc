#include "vas/records/cdr.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <string>

namespace vas::records {
namespace {

TEST(Cdr, CostIsTheMinimumThenWholeIncrements) {
  const Price price{0.6, 30, 6};
  EXPECT_DOUBLE_EQ(cost(price, 1), 0.3);
  EXPECT_DOUBLE_EQ(cost(price, 30), 0.3);
  EXPECT_DOUBLE_EQ(cost(price, 31), 0.36);
  EXPECT_DOUBLE_EQ(cost(price, 36), 0.36);
  EXPECT_DOUBLE_EQ(cost(price, 37), 0.42);
}

TEST(Cdr, WhatIsNotKnownIsNullAndNeverZero) {
  CallRecord record{.id = "r", .direction = "outgoing"};
  record.legs[0].was_present = true;
  record.ended_at = record.started_at + std::chrono::milliseconds(1500);
  const auto json = boost::json::parse(to_json(record)).as_object();
  for (const char* key : {"session", "answer", "last_sip_code", "codec", "sell_cost", "local_cause", "end"})
    EXPECT_TRUE(json.at(key).is_null()) << key;
  EXPECT_EQ(json.at("billsec"), 0);
  EXPECT_DOUBLE_EQ(json.at("duration").as_double(), 1.5);
  const auto& leg = json.at("legs").as_array().at(0).as_object();
  for (const char* key : {"media_address", "codec", "rtt_ms", "mos", "received", "dtmf_count"})
    EXPECT_TRUE(leg.at(key).is_null()) << key;
}

// As the text says it, not as a reader's arithmetic would round it.
TEST(Cdr, NumbersAreWrittenWithNoMoreDecimalsThanTheyAreWorth) {
  CallRecord record{.id = "r", .direction = "outgoing"};
  for (LegRecord& each : record.legs) each.was_present = true;
  for (const int each : {3010, 1001, 4999, 70, 33, 12'345'678, 8}) {
    record.ended_at = record.started_at + std::chrono::milliseconds(each) + std::chrono::microseconds(400);
    const std::string text = to_json(record);
    const auto at = text.find("\"duration\":") + 11;
    const std::string number = text.substr(at, text.find(',', at) - at);
    EXPECT_LE(number.size() - number.find('.') - 1, 3u) << number;
    EXPECT_EQ(std::llround(std::stod(number) * 1000), each) << number;
  }
  record.answered_at = record.started_at;
  record.ended_at = record.started_at + std::chrono::seconds(61);
  record.sell_price = Price{0.013, 0, 1};
  record.buy_price = Price{0.0000007, 0, 1};
  record.media.emplace();
  auto& received = (*record.media)[0].received;
  received.jitter_mean_ms = 3.0099999999999998;
  received.jitter_max_ms = 0.1 + 0.2;
  record.route.push_back({.address = "192.0.2.1:5060", .post_dial_delay_ms = 4017.3000000000002});
  const std::string text = to_json(record);
  for (const char* wanted :
       {"\"sell_cost\":0.013217,", "\"buy_cost\":0.000001,", "\"jitter_ms\":3.01,", "\"jitter_max_ms\":0.3,",
        "\"post_dial_delay_ms\":4017.3}", "\"duration\":61.0,"})
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << " in " << text;
}

TEST(Cdr, WhetherIceFoundAPathIsTold) {
  CallRecord record{.id = "r", .direction = "outgoing"};
  const auto path = [&](std::size_t leg) {
    const auto json = boost::json::parse(to_json(record)).as_object();
    return json.at("legs").as_array().at(leg).as_object().at("ice_path");
  };
  for (LegRecord& each : record.legs) each.was_present = true;
  record.media.emplace();
  EXPECT_TRUE(path(0).is_null()) << "there was no ICE";
  record.legs[0].ice_candidates.emplace();
  EXPECT_EQ(path(0), "none");
  (*record.media)[0].media_endpoint = *Endpoint::parse("192.0.2.7:50000");
  EXPECT_EQ(path(0), "host-prflx");
  EXPECT_TRUE(path(1).is_null());
}

TEST(Cdr, ADraftComesBackAndIsClosedAsNodeFailure) {
  CallRecord record{.id = "r",
                    .session = "s",
                    .domain_id = 3,
                    .direction = "incoming",
                    .from = "a\"b",
                    .call_ids = {"1", "2"}};
  record.start = WallTime(std::chrono::milliseconds(5));
  record.answer = WallTime(std::chrono::milliseconds(9));
  auto restored = parse_draft_json(to_draft_json(record));
  ASSERT_TRUE(restored);
  EXPECT_EQ(to_draft_json(*restored), to_draft_json(record));
  close_after_node_failure(*restored, {});
  const auto json = boost::json::parse(to_json(*restored)).as_object();
  EXPECT_EQ(json.at("termination_reason"), "node-failure");
  EXPECT_EQ(json.at("disposition"), "ANSWERED");
  EXPECT_TRUE(json.at("duration").is_null());
  EXPECT_EQ(json.at("recovery"), "last-known");
}

}  // namespace
}  // namespace vas::records
