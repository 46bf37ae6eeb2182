#include "vas/directory/directory.h"

#include <gtest/gtest.h>

namespace vas::directory {
namespace {

constexpr std::string_view kFile = R"({
  "tenants":[{"id":1,"name":"t"}],
  "domains":[{"id":3,"tenantId":1,"name":"Example.com","aliases":["alias.example"],"profile":{"call-timeout":10,"unknown":{"kept":1}}}],
  "subscribers":[{"id":11,"domainId":3,"msisdn":"+15550001","aliases":["100"]}],
  "trunks":[{"id":7,"domainId":3,"sources":["192.0.2.0/24"],"targets":["192.0.2.1:5060"]}],
  "apiKeys":[{"id":1,"key":"XIsys","scope":"system"},{"id":2,"key":"XIapp","scope":"application","domainId":3}]})";

TEST(Directory, FindsDomainsByNameAliasAndIdAndNumbersWithoutTheirPlus) {
  const auto directory = parse_directory(kFile);
  ASSERT_TRUE(directory) << directory.error();
  for (const char* name : {"example.com", "EXAMPLE.com", "alias.example", "3"})
    EXPECT_NE(directory->find_domain(name), nullptr) << name;
  EXPECT_EQ(directory->find_domain("4"), nullptr);
  for (const char* number : {"15550001", "+15550001", "100"})
    EXPECT_NE(directory->find_subscriber(3, number), nullptr) << number;
  EXPECT_EQ(directory->find_subscriber(4, "100"), nullptr);
  EXPECT_EQ(directory->find_domain("3")->profile.call_timeout, std::chrono::seconds(10));
  EXPECT_NE(directory->find_domain("3")->profile_json.find("kept"), std::string::npos);
}

TEST(Directory, TrustsATrunksSourcesOnly) {
  const auto directory = parse_directory(kFile);
  EXPECT_NE(directory->trusted_trunk(*IpAddress::parse("192.0.2.77")), nullptr);
  EXPECT_EQ(directory->trusted_trunk(*IpAddress::parse("192.0.3.1")), nullptr);
}

TEST(Directory, KnowsAKeyAndHowFarItReaches) {
  const auto directory = parse_directory(kFile);
  const Domain& domain = *directory->find_domain("3");
  const ApiKey* application = directory->authenticate("XIapp");
  ASSERT_NE(application, nullptr);
  EXPECT_EQ(directory->authenticate("XIother"), nullptr);
  EXPECT_TRUE(directory->is_authorized(*application, domain, true));
  EXPECT_FALSE(directory->is_authorized(*application, domain, false));
  EXPECT_TRUE(directory->is_authorized(*directory->authenticate("XIsys"), domain, false));
}

TEST(Directory, ComplaintsNameTheEntryAndTheField) {
  const auto error = [](std::string_view text) { return parse_directory(text).error(); };
  EXPECT_NE(error(R"({"domains":[{"id":3,"tenantId":1}]})").find("domains[0]: `name`"), std::string::npos);
  EXPECT_NE(error(R"({"subscribers":[{"id":1,"domainId":9,"msisdn":"1"}]})").find("subscribers[0]"),
            std::string::npos);
  EXPECT_NE(
      error(R"({"trunks":[{"id":1,"domainId":3,"sources":["carrier.example"]}]})").find("carrier.example"),
      std::string::npos);
  EXPECT_NE(error(R"({"apiKeys":[{"id":1,"key":"x","scope":"root"}]})").find("scope"), std::string::npos);
  EXPECT_NE(error(R"({"domain":[]})").find("`domain`"), std::string::npos);
  EXPECT_NE(error("{").find("JSON"), std::string::npos);
}

}  // namespace
}  // namespace vas::directory
