#include "vas/api/client_ledger.h"

#include <gtest/gtest.h>

#include "vas/api/client_address.h"

namespace vas::api {
namespace {

const IpAddress kOffice = *IpAddress::parse("192.0.2.7");
const Time kBegin{std::chrono::hours(1)};

IpAddress numbered(unsigned number) {
  IpAddress address = *IpAddress::parse("10.0.0.0");
  address.bytes[2] = static_cast<std::uint8_t>(number >> 8);
  address.bytes[3] = static_cast<std::uint8_t>(number);
  return address;
}

TEST(ClientLedger, WhoIsWrongTooOftenMayNotTryForAWhile) {
  ClientLedger ledger({.failures_per_minute = 10});
  for (int i = 0; i < ClientLedger::kFailuresAtOnce; ++i) {
    EXPECT_TRUE(ledger.may_try(kOffice, kBegin));
    ledger.count_failure(kOffice, kBegin);
  }
  EXPECT_FALSE(ledger.may_try(kOffice, kBegin));
  ledger.count_failure(kOffice, kBegin);
  EXPECT_TRUE(ledger.may_try(*IpAddress::parse("192.0.2.8"), kBegin)) << "the neighbour";
  EXPECT_FALSE(ledger.may_try(kOffice, kBegin + std::chrono::seconds(5)));
  EXPECT_TRUE(ledger.may_try(kOffice, kBegin + std::chrono::milliseconds(6001))) << "ten a minute";
}

TEST(ClientLedger, AKeyThatHasWorkedFromAnAddressIsKnownThere) {
  ClientLedger ledger({});
  EXPECT_FALSE(ledger.knows(kOffice, 3));
  ledger.learn(kOffice, 3);
  EXPECT_TRUE(ledger.knows(kOffice, 3));
  EXPECT_FALSE(ledger.knows(kOffice, 4));
  EXPECT_FALSE(ledger.knows(*IpAddress::parse("192.0.2.8"), 3));
  ledger.learn(*IpAddress::parse("2001:db8::1"), 3);
  EXPECT_TRUE(ledger.knows(*IpAddress::parse("2001:db8::2"), 3)) << "of one /64";
}

TEST(ClientLedger, RequestsWithoutAKeyHaveARate) {
  ClientLedger ledger({.keyless_per_second = 5});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(ledger.accepts_keyless(kOffice, kBegin)) << i;
  EXPECT_FALSE(ledger.accepts_keyless(kOffice, kBegin));
  EXPECT_TRUE(ledger.accepts_keyless(kOffice, kBegin + std::chrono::milliseconds(201)));
  EXPECT_TRUE(ledger.may_try(kOffice, kBegin)) << "and nothing was wrong";
}

TEST(ClientLedger, RemembersSoManyAndForgetsWhoWasQuietLongest) {
  ClientLedger ledger({.failures_per_minute = 10});
  for (int i = 0; i < ClientLedger::kFailuresAtOnce; ++i) ledger.count_failure(kOffice, kBegin);
  for (unsigned i = 0; i < ClientLedger::kMaxClients - 1; ++i) ledger.count_failure(numbered(i), kBegin);
  EXPECT_FALSE(ledger.may_try(kOffice, kBegin));
  for (unsigned i = 0; i < ClientLedger::kMaxClients; ++i) ledger.count_failure(numbered(i), kBegin);
  EXPECT_EQ(ledger.size(), ClientLedger::kMaxClients);
  EXPECT_TRUE(ledger.may_try(kOffice, kBegin)) << "forgotten";
  for (unsigned i = 0; i <= ClientLedger::kMaxKnown; ++i) ledger.learn(numbered(i), 1);
  EXPECT_FALSE(ledger.knows(numbered(0), 1));
  EXPECT_TRUE(ledger.knows(numbered(1), 1));
}

TEST(ClientOf, BelievesOnlyProxiesAndOnlyWhatTheyAdded) {
  const std::vector<Network> proxies = {*Network::parse("127.0.0.0/8"), *Network::parse("10.1.0.0/16")};
  const IpAddress local = *IpAddress::parse("127.0.0.1"), far = *IpAddress::parse("192.0.2.7");
  EXPECT_EQ(client_of(far, "192.0.2.99", proxies), far) << "who is no proxy is believed nothing";
  EXPECT_EQ(client_of(local, "192.0.2.99", proxies), *IpAddress::parse("192.0.2.99"));
  EXPECT_EQ(client_of(local, "198.51.100.1, 192.0.2.99, 10.1.2.3", proxies), *IpAddress::parse("192.0.2.99"))
      << "what stands before the last stranger is that stranger's word";
  EXPECT_EQ(client_of(local, "[2001:db8::5]:4711", proxies), *IpAddress::parse("2001:db8::5"));
  EXPECT_EQ(client_of(local, "192.0.2.99:4711", proxies), *IpAddress::parse("192.0.2.99"));
  EXPECT_EQ(client_of(local, "", proxies), std::nullopt) << "the host itself";
  EXPECT_EQ(client_of(local, "10.1.0.1", proxies), std::nullopt);
  EXPECT_EQ(client_of(local, "unknown", proxies), local);
}

}  // namespace
}  // namespace vas::api
