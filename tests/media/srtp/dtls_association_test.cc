// One server's association, and all who would like to be its peer.
#include "media/srtp/dtls_association.h"

#include <gtest/gtest.h>

namespace vas::media {
namespace {

using Datagram = std::vector<std::uint8_t>;
using std::chrono::seconds;

const Endpoint kParty = *Endpoint::parse("198.51.100.7:40000");
const Endpoint kNeighbour = *Endpoint::parse("198.51.100.7:50000");
const Datagram kAlert{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40};

std::unique_ptr<DtlsContext> context() { return std::move(*DtlsContext::make()); }

class DtlsAssociationTest : public testing::Test {
 protected:
  DtlsSession client(const DtlsContext& certificate) {
    return DtlsSession(certificate, DtlsRole::kClient, ours_->fingerprint());
  }
  const DtlsSession::Flight& say(const Endpoint& source, DtlsSource from, const Datagram& datagram) {
    return server_.on_datagram(now_, source, from, datagram);
  }
  // What `client` says to `flight`.
  DtlsSession::Flight answer(DtlsSession& client, const DtlsSession::Flight& flight) {
    DtlsSession::Flight next;
    for (const Datagram& each : flight) {
      const auto& said = client.on_datagram(now_, each);
      next.insert(next.end(), said.begin(), said.end());
    }
    return next;
  }
  // One turn: all that `flight` has goes to the server, and what that says to the client.
  DtlsSession::Flight turn(DtlsSession& client, const DtlsSession::Flight& flight, const Endpoint& source,
                           DtlsSource from) {
    DtlsSession::Flight said;
    for (const Datagram& each : flight) {
      const auto& answers = say(source, from, each);
      said.insert(said.end(), answers.begin(), answers.end());
    }
    return answer(client, said);
  }
  bool shake_hands(DtlsSession& client, DtlsSession::Flight flight, const Endpoint& source, DtlsSource from) {
    for (int i = 0; i < 10 && !flight.empty(); ++i) flight = turn(client, flight, source, from);
    return client.keys() && server_.keys() && client.keys()->outbound == server_.keys()->inbound;
  }
  bool shake_hands(DtlsSession& client, const Endpoint& source, DtlsSource from) {
    return shake_hands(client, client.start(now_), source, from);
  }
  // A neighbour's handshake that has begun and goes no further.
  void stall(const Endpoint& source, DtlsSource from) {
    stalled_.push_back(std::make_unique<DtlsSession>(*theirs_, DtlsRole::kClient, ours_->fingerprint()));
    DtlsSession& neighbour = *stalled_.back();
    const auto answered = turn(neighbour, neighbour.start(now_), source, from);
    for (const Datagram& each : answered) (void)say(source, from, each);
  }

  Time now_{seconds(1000)};
  std::unique_ptr<DtlsContext> ours_ = context(), theirs_ = context(), strange_ = context();
  PerSecond first_{20}, again_{20};
  DtlsAssociation server_{*ours_, DtlsRole::kServer, theirs_->fingerprint(), {&first_, &again_}};
  std::vector<std::unique_ptr<DtlsSession>> stalled_;
};

TEST_F(DtlsAssociationTest, AsksForACookieAndRemembersNothingUntilItComes) {
  DtlsSession party = client(*theirs_);
  const Datagram hello = party.start(now_).at(0);
  for (std::uint16_t port = 1; port < 1000; ++port) {
    const auto& answer = say({kParty.address, port}, DtlsSource::kSdp, hello);
    ASSERT_EQ(answer.size(), 1u);
    EXPECT_LT(answer[0].size(), hello.size());
    EXPECT_EQ(answer[0][13], 3) << "HelloVerifyRequest";
  }
  EXPECT_TRUE(first_.draw(now_) && again_.draw(now_));
  EXPECT_TRUE(shake_hands(party, {hello}, kParty, DtlsSource::kSdp));
}

TEST_F(DtlsAssociationTest, ACookieIsOfOneAddressAndOneHello) {
  DtlsSession party = client(*theirs_), other = client(*theirs_);
  const auto with_cookie = answer(party, say(kParty, DtlsSource::kSdp, party.start(now_).at(0)));
  const auto& elsewhere = say(kNeighbour, DtlsSource::kCandidate, with_cookie.at(0));
  ASSERT_EQ(elsewhere.size(), 1u);
  EXPECT_EQ(elsewhere[0][13], 3);
  EXPECT_EQ(say(kParty, DtlsSource::kSdp, other.start(now_).at(0)).at(0)[13], 3);
  EXPECT_TRUE(shake_hands(party, with_cookie, kParty, DtlsSource::kSdp));
}

TEST_F(DtlsAssociationTest, BehindIceTheFirstHelloNeedsNone) {
  DtlsSession party = client(*theirs_);
  const auto& answer = say(kParty, DtlsSource::kProved, party.start(now_).at(0));
  ASSERT_FALSE(answer.empty());
  EXPECT_EQ(answer[0][13], 2) << "ServerHello";
}

TEST_F(DtlsAssociationTest, OneWithTheProvedAddressForgedNeitherEndsNorReplacesIt) {
  DtlsSession party = client(*theirs_);
  auto flight = turn(party, party.start(now_), kParty, DtlsSource::kProved);
  for (int i = 0; i < 50; ++i) {
    DtlsSession forger = client(*strange_);
    const auto& challenge = say(kParty, DtlsSource::kProved, forger.start(now_).at(0));
    ASSERT_EQ(challenge.size(), 1u);
    EXPECT_EQ(challenge[0][13], 3) << "goes to the party, not to who forges its address";
    EXPECT_TRUE(say(kParty, DtlsSource::kProved, kAlert).empty());
    EXPECT_TRUE(say(kParty, DtlsSource::kProved, Datagram(static_cast<std::size_t>(i), 22)).empty());
  }
  EXPECT_TRUE(shake_hands(party, flight, kParty, DtlsSource::kProved));
}

TEST_F(DtlsAssociationTest, OneThatCameBeforeThePartyDoesNotKeepItOut) {
  DtlsSession forger = client(*strange_), party = client(*theirs_);
  ASSERT_FALSE(say(kParty, DtlsSource::kProved, forger.start(now_).at(0)).empty());
  EXPECT_TRUE(shake_hands(party, kParty, DtlsSource::kProved)) << "it answers the cookie";
}

TEST_F(DtlsAssociationTest, NeighboursHandshakesAreBesideThePartysAndComeToNothing) {
  DtlsSession neighbour = client(*strange_);
  EXPECT_FALSE(shake_hands(neighbour, kNeighbour, DtlsSource::kCandidate));
  EXPECT_FALSE(server_.keys());
  for (std::uint16_t port = 1; port <= 5; ++port) stall({kParty.address, port}, DtlsSource::kCandidate);
  EXPECT_TRUE(say(kNeighbour, DtlsSource::kCandidate, kAlert).empty());
  DtlsSession party = client(*theirs_);
  EXPECT_TRUE(shake_hands(party, kParty, DtlsSource::kSdp));
}

TEST_F(DtlsAssociationTest, APartyBehindANatHasItsPlaceWhenNeighboursHaveHadTheirs) {
  for (std::uint16_t port = 1; port <= 3; ++port) stall({kParty.address, port}, DtlsSource::kCandidate);
  DtlsSession party = client(*theirs_);
  const Datagram hello = party.start(now_).at(0);
  const auto with_cookie = answer(party, say(kParty, DtlsSource::kCandidate, hello));
  EXPECT_TRUE(say(kParty, DtlsSource::kCandidate, with_cookie.at(0)).empty());
  now_ += DtlsAssociation::kUndisturbed + seconds(1);
  EXPECT_TRUE(shake_hands(party, with_cookie, kParty, DtlsSource::kCandidate));
}

TEST_F(DtlsAssociationTest, WhoFailsAgainAndAgainTakesNothingOfFirstHandshakes) {
  for (int i = 0; i < 100; ++i) {
    DtlsSession forger = client(*strange_);
    (void)shake_hands(forger, kParty, DtlsSource::kProved);
  }
  int left = 0;
  while (first_.draw(now_)) ++left;
  EXPECT_EQ(left, 19);
  now_ += seconds(1);
  DtlsSession party = client(*theirs_);
  EXPECT_TRUE(shake_hands(party, kParty, DtlsSource::kProved));
}

TEST_F(DtlsAssociationTest, AfterTheHandshakeItHearsItsPeerOnly) {
  DtlsSession party = client(*theirs_), another = client(*theirs_);
  ASSERT_TRUE(shake_hands(party, kParty, DtlsSource::kSdp));
  EXPECT_FALSE(shake_hands(another, kNeighbour, DtlsSource::kCandidate));
  EXPECT_TRUE(say(kParty, DtlsSource::kSdp, kAlert).empty());
  EXPECT_EQ(party.keys()->outbound, server_.keys()->inbound);
}

TEST_F(DtlsAssociationTest, APartyMayBeginAnewWhereSdpSaysSoOnceForEachTime) {
  DtlsSession party = client(*theirs_), unannounced = client(*theirs_), again = client(*theirs_),
              more = client(*theirs_);
  ASSERT_TRUE(shake_hands(party, kParty, DtlsSource::kSdp));
  EXPECT_FALSE(shake_hands(unannounced, kParty, DtlsSource::kSdp));
  server_.renew(false);
  EXPECT_TRUE(shake_hands(again, kNeighbour, DtlsSource::kSdp)) << "with the certificate that it had";
  EXPECT_NE(server_.keys()->inbound, party.keys()->outbound);
  EXPECT_EQ(server_.handshakes_done(), 2u);
  EXPECT_FALSE(shake_hands(more, kNeighbour, DtlsSource::kSdp));
  EXPECT_EQ(again.keys()->outbound, server_.keys()->inbound);
}

TEST_F(DtlsAssociationTest, WhileItMayBeRenewedItsKeysStayWhateverIsForged) {
  DtlsSession party = client(*theirs_);
  ASSERT_TRUE(shake_hands(party, kParty, DtlsSource::kProved));
  server_.renew(false);
  for (int i = 0; i < 30; ++i) {
    DtlsSession forger = client(*strange_);
    EXPECT_FALSE(shake_hands(forger, kParty, DtlsSource::kProved));
    EXPECT_TRUE(say(kParty, DtlsSource::kProved, kAlert).empty());
    ASSERT_TRUE(server_.keys());
    EXPECT_EQ(party.keys()->outbound, server_.keys()->inbound);
  }
  now_ += seconds(2);
  DtlsSession again = client(*theirs_);
  EXPECT_TRUE(shake_hands(again, kParty, DtlsSource::kProved));
}

TEST_F(DtlsAssociationTest, AsTheClientItBeginsAnewBesideItsKeysAndGivesUpWhereNobodyAnswers) {
  DtlsAssociation asks(*theirs_, DtlsRole::kClient, ours_->fingerprint(), {});
  DtlsSession::Flight flight;
  const auto send = [&](const Endpoint&, const DtlsSession::Flight& said) { flight = said; };
  const auto shake = [&] {
    const unsigned before = asks.handshakes_done();
    asks.on_time(now_, kParty, send);
    for (int i = 0; i < 10 && asks.handshakes_done() == before; ++i) {
      DtlsSession::Flight said;
      for (const Datagram& each : flight) {
        const auto& answers = say(kNeighbour, DtlsSource::kSdp, each);
        said.insert(said.end(), answers.begin(), answers.end());
      }
      flight.clear();
      for (const Datagram& each : said) {
        const auto& next = asks.on_datagram(now_, kParty, DtlsSource::kSdp, each);
        flight.insert(flight.end(), next.begin(), next.end());
      }
    }
    return asks.handshakes_done() != before;
  };
  ASSERT_TRUE(shake());
  asks.renew(false);
  flight.clear();
  asks.on_time(now_, kParty, send);
  EXPECT_TRUE(flight.empty()) << "it may be, and is not due";

  const SrtpKey before = asks.keys()->outbound;
  asks.renew(true);
  asks.on_time(now_, kParty, send);
  EXPECT_FALSE(flight.empty());
  EXPECT_EQ(asks.keys()->outbound, before);
  now_ += DtlsAssociation::kRenewal + seconds(1);
  asks.on_time(now_, kParty, send);
  flight.clear();
  now_ += seconds(100);
  asks.on_time(now_, kParty, send);
  EXPECT_TRUE(flight.empty()) << "the server goes on with what there is";

  asks.renew(true);
  server_.renew(true);
  EXPECT_TRUE(shake());
  EXPECT_NE(asks.keys()->outbound, before);
  EXPECT_EQ(asks.keys()->outbound, server_.keys()->inbound);
}

TEST_F(DtlsAssociationTest, OfSeveralFingerprintsOneIsThePartys) {
  CertificateFingerprints named(context()->fingerprint());
  named.add(theirs_->fingerprint());
  DtlsAssociation server(*ours_, DtlsRole::kServer, named, {});
  const auto has_keys_with = [&](const DtlsContext& certificate) {
    DtlsSession party = client(certificate);
    DtlsSession::Flight flight = party.start(now_);
    for (int i = 0; i < 6 && !flight.empty(); ++i) {
      DtlsSession::Flight said;
      for (const Datagram& each : flight) {
        const auto& next = server.on_datagram(now_, kParty, DtlsSource::kProved, each);
        said.insert(said.end(), next.begin(), next.end());
      }
      flight = answer(party, said);
    }
    return server.keys().has_value();
  };
  EXPECT_FALSE(has_keys_with(*strange_));
  EXPECT_TRUE(has_keys_with(*theirs_));
}

TEST_F(DtlsAssociationTest, AsTheClientItBeginsByItselfAndAgain) {
  DtlsAssociation asks(*theirs_, DtlsRole::kClient, ours_->fingerprint(), {});
  DtlsSession::Flight flight;
  const auto send = [&](const Endpoint& to, const DtlsSession::Flight& said) {
    EXPECT_EQ(to, kParty);
    flight = said;
  };
  asks.on_time(now_, {}, send);
  EXPECT_TRUE(flight.empty());
  asks.on_time(now_, kParty, send);
  for (int i = 0; i < 10 && !asks.keys(); ++i) {
    DtlsSession::Flight said;
    for (const Datagram& each : flight) {
      const auto& answers = say(kNeighbour, DtlsSource::kProved, each);
      said.insert(said.end(), answers.begin(), answers.end());
    }
    flight.clear();
    for (const Datagram& each : said) {
      const auto& next = asks.on_datagram(now_, kParty, DtlsSource::kSdp, each);
      flight.insert(flight.end(), next.begin(), next.end());
    }
  }
  EXPECT_TRUE(asks.keys() && server_.keys());
}

TEST_F(DtlsAssociationTest, AHelloIsReadWholeOrNotAtAll) {
  DtlsSession party = client(*theirs_);
  const Datagram hello = party.start(now_).at(0);
  const auto read = ClientHello::parse(hello);
  ASSERT_TRUE(read && read->is_whole);
  EXPECT_TRUE(read->cookie.empty());
  for (std::size_t bytes = 0; bytes < hello.size(); ++bytes)
    EXPECT_FALSE(ClientHello::parse(Bytes(hello).first(bytes)));
  for (std::size_t at = 0; at < hello.size(); ++at) {
    for (const int value : {0, 1, 0x7f, 0xff}) {
      Datagram other = hello;
      other[at] = static_cast<std::uint8_t>(value);
      const auto odd = ClientHello::parse(other);
      EXPECT_TRUE(!odd || odd->random.size() == ClientHello::kRandomBytes);
    }
  }
}

}  // namespace
}  // namespace vas::media
