#include "signaling/gateway/policy/source_ledger.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

using namespace std::chrono_literals;
using Kind = SourceKind;

constexpr Time kStart{Duration(100h)};

IpAddress address(std::uint32_t number) {
  return *IpAddress::parse("10." + std::to_string(number >> 16) + "." + std::to_string(number >> 8 & 255) +
                           "." + std::to_string(number & 255));
}

class SourceLedgerTest : public testing::Test {
 protected:
  SourceLedger ledger_{{.requests_per_second = 10, .offences = 3, .ban_seconds = 300}};
  const IpAddress source_ = address(1);
};

TEST_F(SourceLedgerTest, ABanByDatagramStopsDatagramsForAMinuteAtMost) {
  const auto ban = ledger_.count_offence(source_, Offence::kScanner, Kind::kDatagram, kStart);
  ASSERT_TRUE(ban);
  EXPECT_EQ(ban->until, kStart + 60s);
  EXPECT_TRUE(ledger_.is_banned(source_, Kind::kDatagram, kStart));
  EXPECT_FALSE(ledger_.is_banned(source_, Kind::kConnection, kStart));
  EXPECT_FALSE(ledger_.is_banned(source_, Kind::kDatagram, kStart + 60s));
}

TEST_F(SourceLedgerTest, ABanByDatagramIsNoLongerTheNextTime) {
  for (int i = 0; i < 5; ++i) {
    const Time now = kStart + i * 61s;
    EXPECT_EQ(ledger_.count_offence(source_, Offence::kScanner, Kind::kDatagram, now)->until, now + 60s);
  }
}

TEST_F(SourceLedgerTest, ABanOfAConnectionStopsEverythingAndDoubles) {
  const auto ban = ledger_.count_offence(source_, Offence::kScanner, Kind::kConnection, kStart);
  ASSERT_TRUE(ban);
  EXPECT_EQ(ban->until, kStart + 300s);
  EXPECT_TRUE(ledger_.is_banned(source_, Kind::kDatagram, kStart));
  EXPECT_TRUE(ledger_.is_banned(source_, Kind::kConnection, kStart));
  EXPECT_EQ(ledger_.count_offence(source_, Offence::kScanner, Kind::kConnection, kStart + 301s)->until,
            kStart + 301s + 600s);
}

TEST_F(SourceLedgerTest, DatagramsDoNotBringAConnectionNearerToItsBan) {
  ledger_.count_offence(source_, Offence::kBadToken, Kind::kDatagram, kStart);
  ledger_.count_offence(source_, Offence::kBadToken, Kind::kDatagram, kStart);
  EXPECT_FALSE(ledger_.count_offence(source_, Offence::kBadToken, Kind::kConnection, kStart));
  EXPECT_TRUE(ledger_.count_offence(source_, Offence::kBadToken, Kind::kDatagram, kStart));
}

TEST_F(SourceLedgerTest, BansOfAThousandForgedSourcesAreFewAndPushOutNoneThatIsProved) {
  ASSERT_TRUE(ledger_.count_offence(source_, Offence::kScanner, Kind::kConnection, kStart));
  int bans = 0;
  for (std::uint32_t i = 2; i < 200'000; ++i)
    bans +=
        ledger_.count_offence(address(i), Offence::kScanner, Kind::kDatagram, kStart + Duration(i)) ? 1 : 0;
  EXPECT_LE(bans, 2 * 20 + 20);
  EXPECT_TRUE(ledger_.is_banned(source_, Kind::kConnection, kStart + 1s));
  EXPECT_EQ(ledger_.size(), SourceLedger::kMaxSources);
}

TEST_F(SourceLedgerTest, RequestsAndAnswersHaveBudgets) {
  int requests = 0, refusals = 0;
  while (ledger_.accepts_request(source_, Purse::kDatagrams, kStart)) ++requests;
  while (ledger_.accepts_refusal(source_, kStart)) ++refusals;
  EXPECT_EQ(requests, 20);
  EXPECT_EQ(refusals, 40);
  EXPECT_TRUE(ledger_.accepts_request(source_, Purse::kDatagrams, kStart + 100ms));
  EXPECT_FALSE(ledger_.accepts_request(source_, Purse::kDatagrams, kStart + 100ms));
  EXPECT_TRUE(ledger_.accepts_request(address(2), Purse::kDatagrams, kStart));
  EXPECT_TRUE(ledger_.accepts_request(source_, Purse::kConnections, kStart));
  EXPECT_TRUE(ledger_.accepts_request(source_, Purse::kProved, kStart));
  EXPECT_TRUE(ledger_.accepts_request(source_, Purse::kTokens, kStart));
}

TEST_F(SourceLedgerTest, ALiftedBanIsForgottenOfBothKinds) {
  ledger_.count_offence(source_, Offence::kScanner, Kind::kDatagram, kStart);
  ledger_.count_offence(source_, Offence::kScanner, Kind::kConnection, kStart);
  EXPECT_EQ(ledger_.bans(kStart).size(), 2u);
  EXPECT_TRUE(ledger_.lift(source_));
  EXPECT_FALSE(ledger_.lift(source_));
  EXPECT_FALSE(ledger_.is_banned(source_, Kind::kDatagram, kStart));
}

}  // namespace
}  // namespace vas::signaling
