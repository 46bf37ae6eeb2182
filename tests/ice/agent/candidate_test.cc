#include "ice/agent/candidate.h"

#include <gtest/gtest.h>

namespace vas::ice {
namespace {

TEST(CandidateTest, ReadsWhatABrowserOffers) {
  const auto host =
      parse_candidate("842163049 1 udp 1677729535 192.0.2.7 50000 typ host generation 0 network-id 1");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->address, *Endpoint::parse("192.0.2.7:50000"));
  EXPECT_EQ(host->type, CandidateType::kHost);
  const auto relay = parse_candidate("1 1 UDP 1 2001:db8::7 50000 typ relay raddr 192.0.2.1 rport 9");
  ASSERT_TRUE(relay);
  EXPECT_EQ(relay->type, CandidateType::kRelayed);
}

TEST(CandidateTest, PassesOverWhatIsOfNoUse) {
  for (const char* text :
       {"", "1 1 udp 1 192.0.2.7 50000", "1 2 udp 1 192.0.2.7 50000 typ host",
        "1 1 tcp 1 192.0.2.7 9 typ host tcptype active", "1 1 udp 1 a1b2.local 50000 typ host",
        "1 1 udp 1 192.0.2.7 70000 typ host", "1 1 udp 1 192.0.2.7 5 typ guess"})
    EXPECT_FALSE(parse_candidate(text)) << text;
}

TEST(CandidateTest, AnAddressThatNobodyNamedIsPeerReflexive) {
  const std::vector<Candidate> named{
      {.address = *Endpoint::parse("192.0.2.7:50000"), .type = CandidateType::kServerReflexive}};
  EXPECT_EQ(to_string(type_of(named, *Endpoint::parse("192.0.2.7:50000"))), "srflx");
  EXPECT_EQ(to_string(type_of(named, *Endpoint::parse("192.0.2.7:50001"))), "prflx");
}

}  // namespace
}  // namespace vas::ice
