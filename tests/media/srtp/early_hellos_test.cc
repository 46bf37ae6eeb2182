#include "media/srtp/early_hellos.h"

#include <gtest/gtest.h>

#include "media/srtp/dtls_association.h"

namespace vas::media {
namespace {

using Datagram = std::vector<std::uint8_t>;

const Endpoint kParty = *Endpoint::parse("198.51.100.7:40000");

class EarlyHellosTest : public testing::Test {
 protected:
  // Its first hello is asked for a cookie; the one that brings it gets nothing back.
  Datagram bring_cookie(DtlsSession& client, const Endpoint& source) {
    const Datagram first = client.start(now_).at(0);
    const auto request = early_.on_datagram(source, first);
    EXPECT_EQ(request.size(), 1u);
    EXPECT_EQ(request.at(0)[13], 3) << "HelloVerifyRequest";
    EXPECT_LT(request.at(0).size(), first.size());
    const Datagram second = client.on_datagram(now_, request.at(0)).at(0);
    EXPECT_TRUE(early_.on_datagram(source, second).empty());
    return second;
  }

  Time now_{std::chrono::seconds(1000)};
  std::unique_ptr<DtlsContext> ours_ = std::move(*DtlsContext::make());
  std::unique_ptr<DtlsContext> theirs_ = std::move(*DtlsContext::make());
  const HelloCookies cookies_;
  EarlyHellos early_{cookies_};
};

TEST_F(EarlyHellosTest, WhoReceivesWhereItSendsFromIsKeptAndItsHandshakeGoesOnWithoutBeingAskedAgain) {
  DtlsSession party(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  const Datagram second = bring_cookie(party, kParty);
  const auto kept = early_.pop();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->source, kParty);
  EXPECT_EQ(kept->datagram, second);
  EXPECT_FALSE(early_.pop());

  DtlsAssociation server(*ours_, DtlsRole::kServer, theirs_->fingerprint(), {}, cookies_);
  auto flight = server.on_datagram(now_, kParty, DtlsSource::kSdp, kept->datagram);
  ASSERT_FALSE(flight.empty());
  EXPECT_EQ(flight[0][13], 2) << "ServerHello";
  for (int i = 0; i < 5 && !flight.empty(); ++i) {
    DtlsSession::Flight next, turn;
    for (const Datagram& each : flight) {
      turn = party.on_datagram(now_, each);
      next.insert(next.end(), turn.begin(), turn.end());
    }
    flight.clear();
    for (const Datagram& each : next) {
      turn = server.on_datagram(now_, kParty, DtlsSource::kSdp, each);
      flight.insert(flight.end(), turn.begin(), turn.end());
    }
  }
  ASSERT_TRUE(party.keys() && server.keys());
  EXPECT_EQ(party.keys()->outbound, server.keys()->inbound);
}

TEST_F(EarlyHellosTest, OneIsKeptOfEachSenderAndTheOldestMakesRoom) {
  std::vector<Endpoint> sources;
  for (std::uint16_t port = 1; port <= EarlyHellos::kMostKept + 2; ++port) {
    DtlsSession client(*theirs_, DtlsRole::kClient, ours_->fingerprint());
    sources.push_back({kParty.address, port});
    const Datagram hello = bring_cookie(client, sources.back());
    EXPECT_TRUE(early_.on_datagram(sources.back(), hello).empty()) << "again, for nobody has responded";
  }
  for (std::size_t i = 2; i < sources.size(); ++i) EXPECT_EQ(early_.pop()->source, sources[i]);
  EXPECT_FALSE(early_.pop());
}

TEST_F(EarlyHellosTest, NothingElseIsRespondedToOrKept) {
  DtlsSession client(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  const Datagram hello = bring_cookie(client, kParty);
  (void)early_.pop();
  for (std::size_t bytes = 0; bytes < hello.size(); ++bytes) {
    EXPECT_TRUE(early_.on_datagram(kParty, Bytes(hello).first(bytes)).empty());
  }
  const Datagram alert{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40};
  EXPECT_TRUE(early_.on_datagram(kParty, alert).empty());
  Datagram large = hello;
  large.resize(EarlyHellos::kMostBytes + 1);
  EXPECT_TRUE(early_.on_datagram(kParty, large).empty());
  EXPECT_EQ(early_.on_datagram({kParty.address, 9}, hello).size(), 1u) << "a cookie is of one address";
  EXPECT_FALSE(early_.pop());
}

}  // namespace
}  // namespace vas::media
