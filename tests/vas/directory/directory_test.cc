#include "vas/directory/directory.h"

#include <gtest/gtest.h>

namespace vas::directory {
namespace {

constexpr std::string_view kFile = R"({
  "tenants":[{"id":1,"name":"t"}],
  "domains":[{"id":3,"tenantId":1,"name":"Example.com","aliases":["alias.example"],"profile":{"call-timeout":10,"hold-timeout":90,"symmetric":false,"unknown":{"kept":1}}}],
  "subscribers":[{"id":11,"domainId":3,"msisdn":"+15550001","aliases":["100"]}],
  "trunks":[{"id":7,"domainId":3,"sources":["192.0.2.0/24"],"targets":["192.0.2.1:5060"],"mediaKeying":"dtls","ice":"full","symmetric":false}],
  "apiKeys":[{"id":1,"key":"XIsys","scope":"system"},{"id":2,"key":"XIapp","scope":"application","domainId":3}]})";

Directory read(std::string_view text) {
  const auto entries = parse_directory(text);
  EXPECT_TRUE(entries) << (entries ? "" : entries.error());
  Directory directory;
  if (entries) directory.apply(*entries);
  return directory;
}

TEST(Directory, FindsDomainsByNameAliasAndIdAndNumbersWithoutTheirPlus) {
  const Directory directory = read(kFile);
  for (const char* name : {"example.com", "EXAMPLE.com", "alias.example", "3"})
    EXPECT_NE(directory.find_domain(name), nullptr) << name;
  EXPECT_EQ(directory.find_domain("4"), nullptr);
  for (const char* number : {"15550001", "+15550001", "100"})
    EXPECT_NE(directory.find_subscriber(3, number), nullptr) << number;
  EXPECT_EQ(directory.find_subscriber(4, "100"), nullptr);
  EXPECT_EQ(directory.find_domain("3")->profile.call_timeout, std::chrono::seconds(10));
  EXPECT_EQ(directory.find_domain("3")->profile.hold_timeout, std::chrono::seconds(90));
  EXPECT_NE(directory.find_domain("3")->profile_json.find("kept"), std::string::npos);
}

TEST(Directory, TrustsATrunksSourcesOnly) {
  const Directory directory = read(kFile);
  EXPECT_EQ(directory.trusted_trunks(*IpAddress::parse("192.0.2.77")).size(), 1u);
  EXPECT_TRUE(directory.trusted_trunks(*IpAddress::parse("192.0.3.1")).empty());
}

TEST(Directory, KnowsWhoSendsMediaFromOtherPorts) {
  const Directory directory = read(kFile);
  EXPECT_FALSE(directory.find_domain("3")->profile.symmetric);
  const Trunk& trunk = *directory.trunk(7);
  EXPECT_FALSE(trunk.symmetric);
  const auto kept = parse_entry(Kind::kTrunk, to_store_json(trunk));
  ASSERT_TRUE(kept);
  EXPECT_FALSE(std::get<Trunk>(*kept).symmetric);
  EXPECT_TRUE(Trunk{}.symmetric && DomainProfile{}.symmetric);
}

TEST(Directory, KnowsHowLongServersMayBeSilent) {
  const Directory directory = read(R"({"tenants":[{"id":1}],
    "domains":[{"id":3,"tenantId":1,"name":"d.example","profile":{"no-answer-timeout":6}}],
    "trunks":[{"id":7,"domainId":3,"noAnswerTimeout":5,"progress-timeout":20},{"id":8,"domainId":3}]})");
  const DomainProfile& profile = directory.find_domain("3")->profile;
  EXPECT_EQ(profile.route_timeouts.no_answer, std::chrono::seconds(6));
  EXPECT_EQ(profile.route_timeouts.progress, std::chrono::seconds(10));
  EXPECT_EQ(directory.trunk(7)->no_answer_timeout, std::chrono::seconds(5));
  EXPECT_EQ(directory.trunk(8)->no_answer_timeout, std::nullopt);
  const auto kept = parse_entry(Kind::kTrunk, to_store_json(*directory.trunk(7)));
  ASSERT_TRUE(kept);
  EXPECT_EQ(std::get<Trunk>(*kept).progress_timeout, std::chrono::seconds(20));
  EXPECT_NE(to_json(*directory.trunk(7)).find(R"("progressTimeout":20)"), std::string::npos);
  for (const char* wrong : {R"("noAnswerTimeout":33)", R"("noAnswerTimeout":0)", R"("progressTimeout":181)",
                            R"("progress-timeout":"9")"})
    EXPECT_FALSE(parse_entry(Kind::kTrunk, std::string(R"({"id":7,"domainId":3,)") + wrong + "}")) << wrong;
}

TEST(Directory, KeepsWhatATrunkIsToldOfTheCaller) {
  EXPECT_FALSE(read(kFile).trunk(7)->identity) << "by whether it is trusted";
  for (const char* word : {"", "none", "public", "trusted"}) {
    const auto entry = parse_entry(
        Kind::kTrunk, std::string(R"({"id":7,"domainId":3,"name":"c","identity":")") + word + "\"}");
    ASSERT_TRUE(entry) << word;
    const auto& identity = std::get<Trunk>(*entry).identity;
    EXPECT_EQ(identity ? to_string(*identity) : "", word);
    const auto kept = parse_entry(Kind::kTrunk, to_store_json(*entry));
    ASSERT_TRUE(kept);
    EXPECT_EQ(std::get<Trunk>(*kept).identity, identity);
  }
  EXPECT_FALSE(parse_entry(Kind::kTrunk, R"({"id":7,"domainId":3,"name":"c","identity":"all"})"));
}

TEST(Directory, KnowsAKeyAndHowFarItReaches) {
  const Directory directory = read(kFile);
  const Domain& domain = *directory.find_domain("3");
  const ApiKey* application = directory.authenticate("XIapp");
  ASSERT_NE(application, nullptr);
  EXPECT_EQ(directory.authenticate("XIother"), nullptr);
  EXPECT_TRUE(directory.is_authorized(*application, domain, true));
  EXPECT_FALSE(directory.is_authorized(*application, domain, false));
  EXPECT_TRUE(directory.is_authorized(*directory.authenticate("XIsys"), domain, false));
}

TEST(Directory, ForgetsTheNamesAndNumbersOfWhatIsReplacedOrRemoved) {
  Directory directory = read(kFile);
  Domain renamed = *directory.find_domain("example.com");
  renamed.name = "new.example";
  renamed.aliases.clear();
  directory.put(renamed);
  EXPECT_EQ(directory.find_domain("example.com"), nullptr);
  EXPECT_EQ(directory.find_domain("alias.example"), nullptr);
  EXPECT_NE(directory.find_domain("NEW.example"), nullptr);

  Subscriber moved = *directory.find_subscriber(3, "100");
  moved.aliases = {"200"};
  directory.put(moved);
  EXPECT_EQ(directory.find_subscriber(3, "100"), nullptr);
  EXPECT_NE(directory.find_subscriber(3, "200"), nullptr);

  directory.apply(directory.removal_of_domain(3));
  EXPECT_EQ(directory.find_subscriber(3, "15550001"), nullptr);
  EXPECT_EQ(directory.authenticate("XIapp"), nullptr);
  EXPECT_NE(directory.authenticate("XIsys"), nullptr);
  EXPECT_TRUE(directory.trusted_trunks(*IpAddress::parse("192.0.2.77")).empty());
}

TEST(Directory, NothingOutlivesItsDomain) {
  Directory directory;
  directory.put(Domain{.id = 3});
  directory.put(Domain{.id = 4});
  for (const Kind kind : kKinds) {
    with_kind(kind, [&]<typename T>(const Description<T>& description) {
      if (description.owner != Kind::kDomain) return;
      for (const std::int64_t domain : {3, 4}) {
        T entry{.id = domain * 10};
        entry.*description.owner_id = domain;
        directory.put(entry);
      }
    });
  }

  directory.apply(directory.removal_of_domain(3));

  for (const Kind kind : kKinds) {
    if (owner_of(kind) != Kind::kDomain) continue;
    EXPECT_EQ(directory.count_of(kind, 3), 0u) << to_string(kind);
    EXPECT_EQ(directory.count_of(kind, 4), 1u) << to_string(kind);
  }
  EXPECT_EQ(directory.domain(3), nullptr);
  EXPECT_NE(directory.domain(4), nullptr);
}

TEST(Directory, EveryEntrySurvivesTheStore) {
  const auto entries = parse_directory(kFile);
  for (const auto& each : *entries) {
    const Entry& entry = std::get<Entry>(each);
    const auto restored = parse_entry(kind_of(entry), to_store_json(entry));
    ASSERT_TRUE(restored) << restored.error();
    EXPECT_EQ(to_store_json(*restored), to_store_json(entry));
    EXPECT_EQ(to_json(entry).find("sha256"), std::string::npos);
  }
}

TEST(Directory, DomainHasOneWebhookSecretOrSeveral) {
  const auto secrets = [](const std::string& value) {
    const auto entry = parse_entry(
        Kind::kDomain, R"({"id":3,"tenantId":1,"name":"d","profile":{"webhook-secret":)" + value + "}}");
    return entry ? std::get<Domain>(*entry).profile.webhook_secrets
                 : std::vector<std::string>{"refused: " + entry.error()};
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(secrets("null"), List{});
  EXPECT_EQ(secrets("\"\""), List{});
  EXPECT_EQ(secrets("\"one\""), List{"one"});
  EXPECT_EQ(secrets(R"(["new","old"])"), (List{"new", "old"}));
  EXPECT_EQ(secrets("\"whsec_not base64\""), List{"whsec_not base64"}) << "stored before it was looked at";
  for (const char* wrong : {"5", "{}", R"([""])", R"(["a",5])", R"(["1","2","3","4","5"])"})
    EXPECT_EQ(secrets(wrong)[0].find("refused: profile: `webhook-secret`"), 0u) << secrets(wrong)[0];
}

TEST(Directory, SecretsAreKeptAndNotTold) {
  const auto entries = parse_directory(
      R"({"domains":[{"id":3,"tenantId":1,"name":"d.example","profile":{"webhook-secret":"canary","call-timeout":9}}],
          "trunks":[{"id":7,"domainId":3,"username":"u","password":"canary"}]})");
  ASSERT_TRUE(entries) << entries.error();
  for (const auto& each : *entries) {
    const Entry& entry = std::get<Entry>(each);
    EXPECT_EQ(to_json(entry).find("canary"), std::string::npos) << to_json(entry);
    EXPECT_NE(to_store_json(entry).find("canary"), std::string::npos);
  }
}

TEST(Directory, ComplaintsNameTheEntryAndTheField) {
  const auto error = [](std::string_view text) { return parse_directory(text).error(); };
  EXPECT_NE(error(R"({"domains":[{"id":3,"tenantId":1}]})").find("domains[0]: `name`"), std::string::npos);
  EXPECT_NE(error(R"({"subscribers":[{"id":1,"domainId":9,"msisdn":"1"}]})").find("subscribers[0]"),
            std::string::npos);
  EXPECT_NE(
      error(R"({"trunks":[{"id":1,"domainId":3,"sources":["carrier.example"]}]})").find("carrier.example"),
      std::string::npos);
  EXPECT_NE(error(R"({"trunks":[{"id":1,"domainId":3,"ice":"half"}]})").find("none, lite, full"),
            std::string::npos);
  EXPECT_NE(error(R"({"trunks":[{"id":1,"domainId":3,"mediaKeying":"zrtp"}]})").find("none of sdes, dtls"),
            std::string::npos);
  EXPECT_NE(error(R"({"apiKeys":[{"id":1,"key":"x","scope":"root"}]})").find("scope"), std::string::npos);
  EXPECT_NE(error(R"({"domain":[]})").find("`domain`"), std::string::npos);
  EXPECT_NE(error("{").find("JSON"), std::string::npos);
}

}  // namespace
}  // namespace vas::directory
