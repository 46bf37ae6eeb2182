#include "vas/routing/routing_plan.h"

#include <gtest/gtest.h>

namespace vas::routing {
namespace {

constexpr std::string_view kSeed = R"({"sellrate":0.02,"sellrate_minimum":60,"sellrate_increment":60,"route":[
  {"provider_id":1,"cx_trunk_id":101,"termination_ip":"187.33.22.44:5060","termination_number":"2828#63121233333","buyrate":0.012,"buyrate_minimum":1,"buyrate_increment":1},
  {"cx_trunk_id":102,"termination_ip":"187.33.22.45;transport=tcp","termination_number":"1"}]})";

TEST(RoutingPlan, ReadsTheApisPlan) {
  const auto plan = parse_routing_plan(kSeed);
  ASSERT_TRUE(plan) << plan.error();
  ASSERT_EQ(plan->routes.size(), 2u);
  EXPECT_EQ(plan->routes[0].trunk_id, 101);
  EXPECT_EQ(to_string(plan->routes[0].server), "187.33.22.44:5060");
  EXPECT_DOUBLE_EQ(plan->routes[0].buy_price->rate_per_minute, 0.012);
  EXPECT_EQ(plan->routes[1].transport, signaling::Transport::kTcp);
  EXPECT_EQ(request_uri(plan->routes[1]), "sip:1@187.33.22.45;transport=tcp");
  EXPECT_EQ(plan->sell_price->minimum_s, 60);
}

TEST(RoutingPlan, ReturnsRouteAsRoutesAndKeepsWhatItDoesNotKnow) {
  const auto normalized = normalize_routing_plan(kSeed);
  ASSERT_TRUE(normalized);
  EXPECT_NE(normalized->find("\"routes\":["), std::string::npos);
  EXPECT_EQ(normalized->find("\"route\":"), std::string::npos);
  EXPECT_NE(normalized->find("provider_id"), std::string::npos);
}

TEST(RoutingPlan, SaysWhichFieldIsWrong) {
  const auto error = [](std::string_view text) { return parse_routing_plan(text).error(); };
  EXPECT_NE(error(R"({"routes":5})").find("routes"), std::string::npos);
  EXPECT_NE(error(R"({"routes":[{"termination_ip":"carrier example","termination_number":"1"}]})")
                .find("routes[0].termination_ip"),
            std::string::npos);
  EXPECT_NE(error(R"({"routes":[{"termination_ip":"1.2.3.4"}]})").find("termination_number"),
            std::string::npos);
}

TEST(RoutingPlan, TakesNamesWhoseServersDnsKnows) {
  const auto plan = parse_routing_plan(
      R"({"routes":[{"termination_ip":"sip.Carrier.example","termination_number":"1"},
          {"termination_ip":"carrier.example:5061;transport=tls","termination_number":"2"}]})");
  ASSERT_TRUE(plan) << plan.error();
  EXPECT_FALSE(plan->routes[0].transport);
  EXPECT_EQ(request_uri(plan->routes[0]), "sip:1@sip.carrier.example");
  EXPECT_EQ(request_uri(plan->routes[1]), "sip:2@carrier.example:5061;transport=tls");
}

TEST(RoutingPlan, FailsOverOnServersFaultsAndNeverFollowsARedirect) {
  for (const int status : {0, 408, 500, 503, 302}) EXPECT_TRUE(fails_over(status)) << status;
  for (const int status : {403, 404, 480, 486, 603, 600}) EXPECT_FALSE(fails_over(status)) << status;
}

TEST(RoutingPlan, EscapesWhatAUserPartMayNotHold) {
  EXPECT_EQ(escape_user("2828#1 <x>@y"), "2828%231%20%3Cx%3E%40y");
  EXPECT_EQ(escape_user("+15155558484"), "+15155558484");
}

TEST(RoutingPlan, TakesTheTrunkWithTheLongestPrefixThenByPriority) {
  directory::Directory directory;
  const auto trunk = [&](std::int64_t id, std::vector<std::string> prefixes, int priority) {
    directory.put(directory::Trunk{.id = id,
                                   .domain_id = 3,
                                   .targets = {"192.0.2.1"},
                                   .prefixes = std::move(prefixes),
                                   .priority = priority,
                                   .strip_prefix = "00",
                                   .add_prefix = "9",
                                   .progress_timeout = std::chrono::seconds(id)});
  };
  trunk(1, {}, 1);
  trunk(2, {"0049"}, 50);
  trunk(3, {"0049"}, 10);
  trunk(4, {"0044"}, 1);
  const auto plan = plan_by_trunks(directory, 3, "0049301234");
  ASSERT_EQ(plan.routes.size(), 3u);
  EXPECT_EQ(plan.routes[0].trunk_id, 3);
  EXPECT_EQ(plan.routes[1].trunk_id, 2);
  EXPECT_EQ(plan.routes[2].trunk_id, 1);
  EXPECT_EQ(plan.routes[0].number, "949301234");
  EXPECT_EQ(plan.routes[0].progress_timeout, std::chrono::seconds(3));
}

TEST(RoutingPlan, ARouteThatNamesATrunkOfTheDomainIsAsPatient) {
  directory::Directory directory;
  directory.put(directory::Trunk{.id = 101, .domain_id = 3, .progress_timeout = std::chrono::seconds(20)});
  directory.put(directory::Trunk{.id = 102, .domain_id = 4, .progress_timeout = std::chrono::seconds(30)});
  auto plan = parse_routing_plan(kSeed);
  ASSERT_TRUE(plan);
  adopt_rules_of_trunks(directory, 3, *plan);
  EXPECT_EQ(plan->routes[0].progress_timeout, std::chrono::seconds(20));
  EXPECT_EQ(plan->routes[1].progress_timeout, std::nullopt);  // another domain's
}

TEST(RoutingPlan, ARouteToATrunkHasItsRulesOfMedia) {
  directory::Directory directory;
  directory.put(directory::Trunk{.id = 1, .domain_id = 3, .targets = {"192.0.2.7:5070"}, .symmetric = false});
  directory.put(directory::Trunk{
      .id = 2, .domain_id = 3, .sources = {*Network::parse("198.51.100.0/28")}, .latches_to_anyone = true});
  directory.put(directory::Trunk{.id = 3, .domain_id = 4, .targets = {"203.0.113.9"}, .symmetric = false});
  const auto rules_at = [&](const std::string& address) {
    auto plan = *parse_routing_plan(R"({"routes":[{"termination_ip":")" + address +
                                    R"(","termination_number":"1"}]})");
    adopt_rules_of_trunks(directory, 3, plan);
    return std::pair(plan.routes[0].symmetric_media, plan.routes[0].latches_to_anyone);
  };
  EXPECT_EQ(rules_at("192.0.2.7:5060"), std::pair(false, false));
  EXPECT_EQ(rules_at("198.51.100.3"), std::pair(true, true));
  EXPECT_EQ(rules_at("203.0.113.9"), std::pair(true, false)) << "another domain's";
  EXPECT_EQ(rules_at("carrier.example"), std::pair(true, false));
}

TEST(RoutingPlan, ATrunkIsToldOfTheCallerByItsRuleAndARouteWithoutATrunkIsNot) {
  using directory::IdentityRule;
  directory::Directory directory;
  directory.put(directory::Trunk{.id = 1, .domain_id = 3, .targets = {"192.0.2.1"}});
  directory.put(directory::Trunk{.id = 2, .domain_id = 3, .targets = {"192.0.2.1"}, .trusted = false});
  directory.put(
      directory::Trunk{.id = 3, .domain_id = 3, .targets = {"192.0.2.1"}, .identity = IdentityRule::kPublic});
  directory.put(directory::Trunk{.id = 4, .domain_id = 9, .targets = {"192.0.2.1"}});
  RoutingPlan plan;
  for (const std::int64_t id : {1, 2, 3, 4, 5}) plan.routes.push_back({.trunk_id = id});
  plan.routes.push_back({});
  adopt_rules_of_trunks(directory, 3, plan);
  const IdentityRule wanted[] = {IdentityRule::kTrusted, IdentityRule::kNone, IdentityRule::kPublic,
                                 IdentityRule::kNone,  // of another domain
                                 IdentityRule::kNone,    IdentityRule::kNone};
  for (std::size_t i = 0; i < plan.routes.size(); ++i) EXPECT_EQ(plan.routes[i].identity, wanted[i]) << i;
  EXPECT_EQ(plan_by_trunks(directory, 3, "1").routes[0].identity, IdentityRule::kTrusted);
}

}  // namespace
}  // namespace vas::routing
