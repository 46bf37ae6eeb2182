// A leg whose party proves its path by ICE and agrees on keys by DTLS, bridged to a plain one.
#include <gtest/gtest.h>

#include "bridge/relay/bridge.h"
#include "tests/support/ice_check.h"
#include "tests/support/rtp_builder.h"

namespace vas::bridge {
namespace {

using media::DtlsContext;
using media::DtlsRole;
using media::DtlsSession;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Packet = std::vector<std::uint8_t>;

const Endpoint kBrowser = *Endpoint::parse("203.0.113.5:40000");
const Endpoint kMoved = *Endpoint::parse("198.51.100.9:50000");
const Endpoint kStranger = *Endpoint::parse("203.0.113.66:6666");
const Endpoint kCarrier = *Endpoint::parse("192.0.2.2:5000");
const ice::IceCredentials kOurs{"ours", "our-password-of-22-chars"};
const ice::IceCredentials kTheirs{"them", "their-password-22-chars"};

// A Binding indication without attributes.
const Packet kIndication{0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

Endpoint rtcp_of(const Endpoint& rtp) { return {rtp.address, static_cast<std::uint16_t>(rtp.port + 1)}; }

class SecureLeg : public testing::Test {
 protected:
  struct Sent {
    Component component;
    Endpoint to;
    Packet bytes;
  };

  SecureLeg() {
    bridge_.configure(LegSide::kB, {.far_rtp = kCarrier, .far_rtcp = rtcp_of(kCarrier), .formats = formats()},
                      now_);
    bridge_.start(now_);
  }
  static std::vector<LegFormat> formats() { return {{{0}, media::Codec::kPcmu, 8000}}; }

  LegConfig with_ice(const ice::IceCredentials& ours = kOurs, const ice::IceCredentials& theirs = kTheirs) {
    return {.rtcp_mux = true,
            .formats = formats(),
            .dtls = LegDtls{DtlsRole::kServer, theirs_->fingerprint()},
            .ice = LegIce{ours, theirs}};
  }
  LegConfig without_ice(DtlsRole ours = DtlsRole::kServer) {
    return {.far_rtp = kBrowser,
            .far_rtcp = rtcp_of(kBrowser),
            .formats = formats(),
            .dtls = LegDtls{ours, theirs_->fingerprint()}};
  }

  std::vector<Sent> deliver(LegSide from, const Endpoint& source, Packet bytes,
                            Component component = Component::kRtp) {
    const std::size_t size = bytes.size();
    bytes.resize(size + media::kSrtpMaxRoom);
    Outbox outbox;
    bridge_.on_datagram(from, component, source, {MutableBytes(bytes), size}, now_, outbox);
    return taken(outbox);
  }
  std::vector<Sent> tick() {
    Outbox outbox;
    bridge_.tick(now_, WallTime(seconds(1)), outbox);
    return taken(outbox);
  }
  static std::vector<Sent> taken(const Outbox& outbox) {
    std::vector<Sent> all;
    for (const Outgoing& each : outbox)
      all.push_back({each.component, each.to, Packet(each.bytes.begin(), each.bytes.end())});
    return all;
  }

  // A check; what came back, if anything did.
  std::vector<Sent> check(const Endpoint& source, bool chooses = true,
                          const std::string& password = kOurs.password,
                          const std::string& username = "ours:them") {
    return deliver(LegSide::kA, source, ice::build_check({username, password, chooses}));
  }
  // The party's handshake over one of the sockets, from `source`. True when both have keys.
  bool shake_hands(DtlsSession& client, const Endpoint& source, Component component = Component::kRtp) {
    auto flight = client.start(now_);
    for (int turn = 0; turn < 10 && !flight.empty(); ++turn) {
      DtlsSession::Flight next;
      for (const Packet& each : flight) {
        for (const Sent& answer : deliver(LegSide::kA, source, each, component)) {
          EXPECT_EQ(answer.to, source);
          EXPECT_EQ(answer.component, component);
          const auto& said = client.on_datagram(now_, answer.bytes);
          next.insert(next.end(), said.begin(), said.end());
        }
      }
      flight = next;
    }
    return client.keys().has_value();
  }
  void use_keys(const DtlsSession& party) {
    sends_ = media::make_srtp_protector(media::SrtpBackend::kOpenssl, party.keys()->outbound);
    hears_ = media::make_srtp_unprotector(media::SrtpBackend::kOpenssl, party.keys()->inbound);
  }
  Packet sealed(std::uint16_t number, std::uint8_t payload_type = 0) {
    Packet bytes = media::build_rtp({.payload_type = {payload_type},
                                     .sequence_number = {number},
                                     .timestamp = {number * 160U},
                                     .ssrc = {7}});
    const std::size_t size = bytes.size();
    bytes.resize(size + media::kSrtpMaxRoom);
    media::PacketBuffer packet{MutableBytes(bytes), size};
    EXPECT_EQ(sends_->protect(packet), media::SrtpResult::kOk);
    bytes.resize(packet.size());
    return bytes;
  }
  static Packet report() {
    Packet bytes(128);
    bytes.resize(media::write_report(bytes, {7}, nullptr, nullptr, "party"));
    return bytes;
  }
  Packet sealed_report() {
    Packet bytes = report();
    const std::size_t size = bytes.size();
    bytes.resize(size + media::kSrtpMaxRoom);
    media::PacketBuffer packet{MutableBytes(bytes), size};
    EXPECT_EQ(sends_->protect_rtcp(packet), media::SrtpResult::kOk);
    bytes.resize(packet.size());
    return bytes;
  }
  // Where the carrier's next packet went; unset when nowhere.
  Endpoint heard_at() {
    const std::uint16_t number = ++carrier_number_;
    auto sent =
        deliver(LegSide::kB, kCarrier,
                media::build_rtp({.sequence_number = {number}, .timestamp = {number * 160U}, .ssrc = {9}}));
    if (sent.empty()) return {};
    media::PacketBuffer packet{MutableBytes(sent[0].bytes)};
    EXPECT_EQ(hears_->unprotect(packet), media::SrtpResult::kOk);
    return sent[0].to;
  }
  void connect() {
    bridge_.configure(LegSide::kA, with_ice(), now_);
    EXPECT_EQ(check(kBrowser).size(), 1u);
    DtlsSession browser(*theirs_, DtlsRole::kClient, ours_->fingerprint());
    ASSERT_TRUE(shake_hands(browser, kBrowser));
    use_keys(browser);
  }

  Time now_{seconds(1000)};
  std::unique_ptr<DtlsContext> ours_ = std::move(*DtlsContext::make());
  std::unique_ptr<DtlsContext> theirs_ = std::move(*DtlsContext::make());
  PerSecond handshakes_{10};
  Bridge bridge_{seconds(60),
                 now_,
                 {StreamSeed{{0xaaaa}, {100}, {1000}}, StreamSeed{{0xbbbb}, {200}, {2000}}},
                 {media::SrtpBackend::kOpenssl, ours_.get(), {&handshakes_, &handshakes_}}};
  std::unique_ptr<media::SrtpProtector> sends_;
  std::unique_ptr<media::SrtpUnprotector> hears_;
  std::uint16_t carrier_number_ = 0;
};

TEST_F(SecureLeg, IsProvedThenKeyedThenHeardAndNothingPassesBefore) {
  bridge_.configure(LegSide::kA, with_ice(), now_);
  DtlsSession browser(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  EXPECT_FALSE(shake_hands(browser, kBrowser)) << "DTLS before a check";
  EXPECT_FALSE(heard_at().is_set());

  ASSERT_EQ(check(kBrowser, false).size(), 1u);
  EXPECT_FALSE(heard_at().is_set()) << "proved, and without keys";
  EXPECT_TRUE(deliver(LegSide::kA, kBrowser, media::build_rtp({.ssrc = {7}})).empty()) << "in the clear";
  DtlsSession again(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  ASSERT_TRUE(shake_hands(again, kBrowser)) << "nominated or not";
  use_keys(again);
  EXPECT_EQ(heard_at(), kBrowser);
  const auto plain = deliver(LegSide::kA, kBrowser, sealed(1));
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_EQ(plain[0].to, kCarrier);
  EXPECT_EQ(bridge_.stats(LegSide::kA).srtp, media::SrtpSuite::kAeadAes128Gcm);
  EXPECT_EQ(bridge_.stats(LegSide::kA).media_endpoint, kBrowser);
}

TEST_F(SecureLeg, WhoProvesNothingIsNotAnsweredNotHeardAndNotSentTo) {
  connect();
  EXPECT_TRUE(check(kStranger, true, "a-password-that-is-wrong").empty());
  EXPECT_TRUE(check(kStranger, true, kOurs.password, "ours:who").empty());
  EXPECT_TRUE(deliver(LegSide::kA, kStranger, sealed(2)).empty()) << "even under the right key";
  DtlsSession stranger(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  EXPECT_FALSE(shake_hands(stranger, kStranger));
  EXPECT_EQ(heard_at(), kBrowser);
}

TEST_F(SecureLeg, WithIceAndWithoutMuxThereIsRtpAndNoRtcp) {
  bridge_.configure(LegSide::kA, {.formats = formats(), .ice = LegIce{kOurs, kTheirs}}, now_);
  ASSERT_EQ(check(kBrowser).size(), 1u);
  EXPECT_EQ(deliver(LegSide::kB, kCarrier, media::build_rtp({.ssrc = {9}})).at(0).to, kBrowser);
  EXPECT_EQ(deliver(LegSide::kA, kBrowser, media::build_rtp({.ssrc = {7}})).at(0).to, kCarrier);
  Packet report(128);
  report.resize(media::write_report(report, {9}, nullptr, nullptr, "phone"));
  EXPECT_TRUE(deliver(LegSide::kB, rtcp_of(kCarrier), report, Component::kRtcp).empty());
  store_u32(report, 4, 7);
  EXPECT_TRUE(deliver(LegSide::kA, rtcp_of(kBrowser), report, Component::kRtcp).empty());
  now_ += seconds(20);
  for (const Sent& each : tick()) EXPECT_NE(each.to.address, kBrowser.address) << "a report of ours";
}

TEST_F(SecureLeg, FollowsItsPartyToAnotherNetwork) {
  connect();
  EXPECT_EQ(check(kMoved, true).size(), 1u);
  EXPECT_EQ(heard_at(), kMoved);
  EXPECT_EQ(deliver(LegSide::kA, kMoved, sealed(1)).size(), 1u) << "under the keys that it has";
}

TEST_F(SecureLeg, SendsNothingOnceConsentHasRunOut) {
  connect();
  now_ += seconds(29);
  EXPECT_EQ(heard_at(), kBrowser);
  now_ += seconds(2);
  EXPECT_FALSE(heard_at().is_set());
  EXPECT_EQ(check(kBrowser).size(), 1u);
  EXPECT_EQ(heard_at(), kBrowser) << "it came back";
}

// ---- A party that checks no more once it has chosen, as RFC 5245 has it ----

TEST_F(SecureLeg, MediaThatItsKeyOpensKeepsConsentAndNothingElseOfThatAddressDoes) {
  connect();
  std::uint16_t number = 0;
  for (int i = 0; i < 120; ++i, now_ += seconds(1)) {
    EXPECT_EQ(deliver(LegSide::kA, kBrowser, sealed(++number)).size(), 1u);
    EXPECT_EQ(heard_at(), kBrowser);
  }
  const Packet old = sealed(++number);
  deliver(LegSide::kA, kBrowser, old);
  for (int i = 0; i < 31; ++i, now_ += seconds(1)) {
    deliver(LegSide::kA, kBrowser, old);
    deliver(LegSide::kA, kBrowser, media::build_rtp({.sequence_number = {++number}, .ssrc = {7}}));
    deliver(LegSide::kA, kMoved, sealed(++number));
  }
  EXPECT_FALSE(heard_at().is_set()) << "replayed, forged, and from elsewhere";
  EXPECT_EQ(deliver(LegSide::kA, kBrowser, sealed(++number)).size(), 1u);
  EXPECT_EQ(heard_at(), kBrowser) << "it is there after all";
}

TEST_F(SecureLeg, RtcpAndKeepAlivesKeepConsentWhileNobodySpeaks) {
  connect();
  for (int i = 0; i < 10; ++i) {
    now_ += seconds(20);
    EXPECT_EQ(heard_at(), kBrowser);
    deliver(LegSide::kA, kBrowser, sealed_report());
    now_ += seconds(20);
    EXPECT_EQ(heard_at(), kBrowser);
    deliver(LegSide::kA, kBrowser, kIndication);
    now_ += seconds(20);
    EXPECT_EQ(heard_at(), kBrowser);
    deliver(LegSide::kA, kBrowser, sealed(static_cast<std::uint16_t>(i), 99));  // a keep-alive of RFC 6263
  }
  EXPECT_EQ(bridge_.stats(LegSide::kA).malformed, 0u);
  EXPECT_EQ(bridge_.stats(LegSide::kA).unknown_payload_type, 10u);
  EXPECT_EQ(bridge_.stats(LegSide::kA).unauthenticated, 0u);
  deliver(LegSide::kA, kStranger, kIndication);
  EXPECT_EQ(bridge_.stats(LegSide::kA).malformed, 1u);
}

TEST_F(SecureLeg, MediaIsNoConsentOfAPartyThatKeptChecking) {
  connect();
  std::uint16_t number = 0;
  for (int i = 0; i < 20; ++i, now_ += seconds(1)) {
    if (i % 5 == 0) check(kBrowser);
    deliver(LegSide::kA, kBrowser, sealed(++number));
  }
  for (int i = 0; i < 24; ++i, now_ += seconds(1)) {
    EXPECT_EQ(heard_at(), kBrowser);
    deliver(LegSide::kA, kBrowser, sealed(++number));
    deliver(LegSide::kA, kBrowser, kIndication);
  }
  now_ += seconds(1);
  EXPECT_FALSE(heard_at().is_set());
  EXPECT_TRUE(deliver(LegSide::kA, kBrowser, sealed(++number)).empty());
}

TEST_F(SecureLeg, WithoutKeysTheStreamFromTheProvedAddressKeepsConsent) {
  LegConfig plain = with_ice();
  plain.dtls.reset();
  bridge_.configure(LegSide::kA, plain, now_);
  ASSERT_EQ(check(kBrowser).size(), 1u);
  const auto speaks = [&](const Endpoint& source, std::uint16_t number) {
    return deliver(LegSide::kA, source, media::build_rtp({.sequence_number = {number}, .ssrc = {7}})).size();
  };
  const auto is_sent_to = [&] {
    const std::uint16_t number = ++carrier_number_;
    return !deliver(LegSide::kB, kCarrier, media::build_rtp({.sequence_number = {number}, .ssrc = {9}}))
                .empty();
  };
  for (std::uint16_t i = 0; i < 90; ++i, now_ += seconds(1)) {
    EXPECT_EQ(speaks(kBrowser, i), 1u);
    EXPECT_TRUE(is_sent_to());
  }
  for (int i = 0; i < 3; ++i, now_ += seconds(25)) {
    EXPECT_TRUE(is_sent_to());
    deliver(LegSide::kA, kBrowser, report());
  }
  for (std::uint16_t i = 0; i < 31; ++i, now_ += seconds(1)) EXPECT_EQ(speaks(kMoved, i), 0u);
  EXPECT_FALSE(is_sent_to());
  EXPECT_EQ(speaks(kBrowser, 91), 1u) << "after a hold in which nobody said anything";
  EXPECT_TRUE(is_sent_to());
}

TEST_F(SecureLeg, IceRestartKeepsTheOldPathUntilTheNewOneIsProved) {
  connect();
  const ice::IceCredentials ours{"new1", "new-password-of-22-chars"},
      theirs{"new2", "another-password-22chars"};
  bridge_.configure(LegSide::kA, with_ice(ours, theirs), now_);
  EXPECT_EQ(heard_at(), kBrowser);
  EXPECT_EQ(check(kMoved, true, ours.password, "new1:new2").size(), 1u);
  EXPECT_EQ(heard_at(), kMoved);
  EXPECT_TRUE(check(kBrowser).empty()) << "the old credentials are gone";
}

TEST_F(SecureLeg, KeysOnceAgreedSurviveAlertsAndHellos) {
  connect();
  const Packet alert{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40};
  for (int i = 0; i < 1000; ++i) deliver(LegSide::kA, kBrowser, alert);
  DtlsSession another(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  EXPECT_FALSE(shake_hands(another, kBrowser));
  EXPECT_EQ(deliver(LegSide::kA, kBrowser, sealed(1)).size(), 1u);
  EXPECT_EQ(heard_at(), kBrowser);
}

// Forged media, short records and alerts from the party's own address,
// as somebody sends them who can guess it.
TEST_F(SecureLeg, AMillionForgedPacketsLoseNothingOfALiveCall) {
#ifdef VAS_SANITIZED
  constexpr int kForged = 20'000;
#else
  constexpr int kForged = 1'000'000;
#endif
  connect();
  std::uint16_t number = 0;
  int heard = 0, spoken = 0, replayed = 0;
  std::uint32_t noise = 1;
  Packet last;
  for (int i = 0; i < kForged; ++i) {
    noise = noise * 1664525 + 1013904223;
    Packet forged = media::build_rtp({.sequence_number = {static_cast<std::uint16_t>(noise >> 16)},
                                      .timestamp = {noise},
                                      .ssrc = {i % 2 == 0 ? 7U : noise},
                                      .payload = Packet(noise >> 24, static_cast<std::uint8_t>(noise >> 8))});
    if (i % 16 == 1)
      forged = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(noise), 0, 1, 0};
    if (i % 16 == 2)
      forged = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(noise), 0, 2, 2, 0};
    EXPECT_TRUE(deliver(LegSide::kA, kBrowser, std::move(forged)).empty());
    if (i % 100 != 0) continue;
    now_ += milliseconds(20);
    if (number % 500 == 0) {
      EXPECT_EQ(check(kBrowser).size(), 1u);
    }
    if (!last.empty()) replayed += !deliver(LegSide::kA, kBrowser, last).empty();
    last = sealed(++number);
    heard += deliver(LegSide::kA, kBrowser, last).size() == 1;
    ++spoken;
  }
  EXPECT_EQ(heard, spoken);
  EXPECT_EQ(replayed, 0);
  EXPECT_EQ(heard_at(), kBrowser);
}

TEST_F(SecureLeg, WithoutMuxRtcpHasAnAssociationOfItsOwn) {
  bridge_.configure(LegSide::kA, without_ice(), now_);
  DtlsSession stranger(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  EXPECT_FALSE(shake_hands(stranger, kStranger));
  DtlsSession rtp(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  DtlsSession rtcp(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  ASSERT_TRUE(shake_hands(rtp, kBrowser));
  ASSERT_TRUE(shake_hands(rtcp, rtcp_of(kBrowser), Component::kRtcp));
  use_keys(rtp);
  EXPECT_EQ(heard_at(), kBrowser);
  EXPECT_EQ(deliver(LegSide::kA, kBrowser, sealed(1)).size(), 1u);

  now_ += seconds(20);  // our own report falls due
  const auto reports = tick();
  const auto ours = std::find_if(reports.begin(), reports.end(),
                                 [](const Sent& each) { return each.to == rtcp_of(kBrowser); });
  ASSERT_NE(ours, reports.end());
  EXPECT_EQ(ours->component, Component::kRtcp);
  Packet report = ours->bytes;
  media::PacketBuffer packet{MutableBytes(report)};
  const auto opener = media::make_srtp_unprotector(media::SrtpBackend::kOpenssl, rtcp.keys()->inbound);
  EXPECT_EQ(opener->unprotect_rtcp(packet), media::SrtpResult::kOk);
}

TEST_F(SecureLeg, AsTheClientItBeginsAndSaysAgainWhatWasLost) {
  bridge_.configure(LegSide::kA, without_ice(DtlsRole::kClient), now_);
  DtlsSession server(*theirs_, DtlsRole::kServer, ours_->fingerprint());
  auto hello = tick();
  ASSERT_EQ(hello.size(), 2u) << "one for RTP, one for RTCP";
  EXPECT_EQ(hello[0].to, kBrowser);
  EXPECT_EQ(hello[1].to, rtcp_of(kBrowser));
  Packet next = hello[0].bytes;
  for (int turn = 0; turn < 10 && !server.keys(); ++turn) {
    const auto flight = server.on_datagram(now_, next);
    for (const Packet& each : flight) {
      for (const Sent& answer : deliver(LegSide::kA, kBrowser, each)) next = answer.bytes;
    }
  }
  EXPECT_TRUE(server.keys());
}

TEST_F(SecureLeg, AHandshakeThatIsOneTooManyWaitsForTheNextSecond) {
  bridge_.configure(LegSide::kA, without_ice(), now_);
  while (handshakes_.draw(now_)) continue;
  DtlsSession early(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  EXPECT_FALSE(shake_hands(early, kBrowser));
  now_ += seconds(1);
  DtlsSession next(*theirs_, DtlsRole::kClient, ours_->fingerprint());
  EXPECT_TRUE(shake_hands(next, kBrowser)) << "and its later flights need no more room";
}

// ---- hellos before the answer, and other associations ----

class EarlyLeg : public SecureLeg {
 protected:
  // The rest of a handshake whose hello was kept: what answered it, from the leg, is in `early`.
  bool go_on(DtlsSession& client, std::vector<Sent> early, const Endpoint& source) {
    for (int turn = 0; turn < 10 && !early.empty(); ++turn) {
      std::vector<Sent> next;
      for (const Sent& each : early) {
        EXPECT_EQ(each.to, source);
        for (const Packet& said : client.on_datagram(now_, each.bytes)) {
          for (Sent& answer : deliver(LegSide::kA, source, said)) next.push_back(std::move(answer));
        }
      }
      early = std::move(next);
    }
    return client.keys().has_value();
  }
  std::vector<Sent> answer_early() {
    std::vector<Sent> all;
    Outbox outbox;
    while (bridge_.respond_to_early_hello(LegSide::kA, now_, outbox)) {
      for (Sent& each : taken(outbox)) all.push_back(std::move(each));
      outbox.clear();
    }
    return all;
  }
  // Its hello, and the one with the cookie that it is asked for; how many it was asked.
  std::size_t say_hello(DtlsSession& client, const Endpoint& source) {
    const auto asked = deliver(LegSide::kA, source, client.start(now_).at(0));
    for (const Sent& each : asked) {
      for (const Packet& said : client.on_datagram(now_, each.bytes)) {
        EXPECT_TRUE(deliver(LegSide::kA, source, said).empty()) << "it is kept";
      }
    }
    return asked.size();
  }
  DtlsSession party() { return DtlsSession(*theirs_, DtlsRole::kClient, ours_->fingerprint()); }
  LegConfig at(const Endpoint& far, std::string tls_id = "") {
    LegConfig config = without_ice();
    config.far_rtp = far;
    config.far_rtcp = rtcp_of(far);
    config.dtls->tls_id = std::move(tls_id);
    return config;
  }
};

TEST_F(EarlyLeg, AHelloThatComesBeforeTheAnswerIsAnsweredWithIt) {
  bridge_.await_dtls(LegSide::kA);
  DtlsSession stranger = party(), phone = party();
  EXPECT_EQ(say_hello(stranger, kStranger), 1u);
  EXPECT_EQ(say_hello(phone, kBrowser), 1u);
  bridge_.configure(LegSide::kA, without_ice(), now_);
  const auto early = answer_early();
  ASSERT_FALSE(early.empty());
  for (const Sent& each : early) EXPECT_EQ(each.to, kBrowser) << "whom the answer names, and nobody else";
  EXPECT_TRUE(go_on(phone, early, kBrowser)) << "without saying anything again";
  use_keys(phone);
  EXPECT_EQ(deliver(LegSide::kA, kBrowser, sealed(1)).size(), 1u);
  EXPECT_EQ(heard_at(), kBrowser);
  EXPECT_TRUE(answer_early().empty());
}

TEST_F(EarlyLeg, RtcpHasAnAssociationOfItsOwnThen) {
  bridge_.await_dtls(LegSide::kA);
  DtlsSession phone = party();
  const auto asked = deliver(LegSide::kA, rtcp_of(kBrowser), phone.start(now_).at(0), Component::kRtcp);
  ASSERT_EQ(asked.size(), 1u);
  const Packet with_cookie = phone.on_datagram(now_, asked[0].bytes).at(0);
  EXPECT_TRUE(deliver(LegSide::kA, rtcp_of(kBrowser), with_cookie, Component::kRtcp).empty());
  bridge_.configure(LegSide::kA, without_ice(), now_);
  const auto early = answer_early();
  ASSERT_FALSE(early.empty());
  EXPECT_EQ(early[0].component, Component::kRtcp);
  EXPECT_EQ(early[0].to, rtcp_of(kBrowser));
}

TEST_F(EarlyLeg, WhereNoDtlsIsOfferedOrTheAnswerHasComeStrangersAreNotAnswered) {
  DtlsSession early = party(), late = party();
  EXPECT_EQ(say_hello(early, kBrowser), 0u);
  bridge_.await_dtls(LegSide::kA);
  bridge_.configure(LegSide::kA, without_ice(), now_);
  EXPECT_EQ(say_hello(late, kStranger), 0u);
  EXPECT_TRUE(answer_early().empty());
}

TEST_F(EarlyLeg, StrangersWhoSayHelloHaveABudgetOfTheLegsAndOfItsWorkers) {
  PerSecond of_worker{SecurePath::kMaxEarlyHellosPerSecond + 5};
  const auto asked = [&](SecurePath& path) {
    path.await_dtls();
    int answered = 0;
    for (int i = 0; i < 2 * SecurePath::kMaxEarlyHellosPerSecond; ++i) {
      DtlsSession stranger = party();
      answered += !path.on_early_hello(now_, Component::kRtp, kStranger, stranger.start(now_).at(0)).empty();
    }
    return answered;
  };
  SecurePath one({.dtls = ours_.get(), .early_hellos = &of_worker});
  SecurePath other({.dtls = ours_.get(), .early_hellos = &of_worker});
  EXPECT_EQ(asked(one), SecurePath::kMaxEarlyHellosPerSecond);
  EXPECT_EQ(asked(other), 5);
}

// Who knows no leg's ufrag must not be able to keep parties' first checks out.
TEST_F(EarlyLeg, AFloodOfHellosLeavesTheBudgetOfChecksAlone) {
  PerSecond strangers{1};
  SecurePath path({.dtls = ours_.get(), .strangers = &strangers});
  path.await_dtls();
  for (int i = 0; i < 5; ++i) {
    DtlsSession stranger = party();
    (void)path.on_early_hello(now_, Component::kRtp, kStranger, stranger.start(now_).at(0));
  }
  path.configure(with_ice());
  const Packet check = ice::build_check({"ours:them", kOurs.password, true});
  EXPECT_TRUE(path.on_stun(now_, kBrowser, check));
}

TEST_F(EarlyLeg, APartyThatMovedShakesHandsAnewAndIsHeardUnderItsOldKeysUntilThen) {
  bridge_.configure(LegSide::kA, at(kBrowser), now_);
  DtlsSession first = party(), unannounced = party(), second = party();
  ASSERT_TRUE(shake_hands(first, kBrowser));
  use_keys(first);
  EXPECT_FALSE(shake_hands(unannounced, kBrowser)) << "nothing has changed";
  bridge_.configure(LegSide::kA, at(kMoved), now_);
  EXPECT_EQ(deliver(LegSide::kA, kMoved, sealed(1)).size(), 1u) << "it may go on as it was";
  EXPECT_EQ(heard_at(), kMoved);
  ASSERT_TRUE(shake_hands(second, kMoved)) << "or begin anew (RFC 5763 §6.6)";
  use_keys(second);
  EXPECT_EQ(deliver(LegSide::kA, kMoved, sealed(1)).size(), 1u);
  EXPECT_EQ(heard_at(), kMoved);
}

TEST_F(EarlyLeg, AnotherTlsIdIsAnotherAssociationAndSoMayAnIceRestartBe) {
  bridge_.configure(LegSide::kA, at(kBrowser, "one"), now_);
  DtlsSession first = party(), second = party();
  ASSERT_TRUE(shake_hands(first, kBrowser));
  bridge_.configure(LegSide::kA, at(kBrowser, "two"), now_);
  EXPECT_TRUE(shake_hands(second, kBrowser)) << "RFC 8842 §4";

  bridge_.configure(LegSide::kA, with_ice(), now_);
  EXPECT_EQ(check(kBrowser).size(), 1u);
  DtlsSession third = party(), fourth = party();
  ASSERT_TRUE(shake_hands(third, kBrowser)) << "it has ICE now";
  const ice::IceCredentials ours{"new1", "new-password-of-22-chars"},
      theirs{"new2", "another-password-22chars"};
  bridge_.configure(LegSide::kA, with_ice(ours, theirs), now_);
  EXPECT_EQ(check(kMoved, true, ours.password, "new1:new2").size(), 1u);
  EXPECT_TRUE(shake_hands(fourth, kMoved));
}

TEST_F(EarlyLeg, AHelloBeforeTheReAnswerThatAnnouncesItIsAnsweredWithIt) {
  bridge_.configure(LegSide::kA, at(kBrowser, "one"), now_);
  DtlsSession first = party(), second = party();
  ASSERT_TRUE(shake_hands(first, kBrowser));
  use_keys(first);
  EXPECT_EQ(say_hello(second, kBrowser), 1u);
  EXPECT_EQ(heard_at(), kBrowser) << "which changes nothing yet";
  bridge_.configure(LegSide::kA, at(kBrowser, "two"), now_);
  EXPECT_TRUE(go_on(second, answer_early(), kBrowser));
  use_keys(second);
  EXPECT_EQ(heard_at(), kBrowser);

  DtlsSession third = party();
  EXPECT_EQ(say_hello(third, kBrowser), 1u);
  bridge_.configure(LegSide::kA, at(kBrowser, "two"), now_);
  EXPECT_TRUE(answer_early().empty()) << "nothing has announced it";
  EXPECT_EQ(heard_at(), kBrowser);
}

TEST_F(EarlyLeg, AsTheClientItBeginsAnewWithWhoMovedAndNotForAHold) {
  LegConfig config = at(kBrowser);
  config.rtcp_mux = true;
  config.dtls->role = DtlsRole::kClient;
  bridge_.configure(LegSide::kA, config, now_);
  const auto shake = [&] {
    DtlsSession server(*theirs_, DtlsRole::kServer, ours_->fingerprint());
    auto flight = tick();
    for (int turn = 0; turn < 10 && !flight.empty(); ++turn) {
      std::vector<Sent> next;
      for (const Sent& each : flight) {
        for (const Packet& said : server.on_datagram(now_, each.bytes)) {
          for (Sent& answer : deliver(LegSide::kA, each.to, said)) next.push_back(std::move(answer));
        }
      }
      flight = std::move(next);
    }
    return server.keys().has_value();
  };
  ASSERT_TRUE(shake());
  LegConfig held = config;
  held.far_rtp.address = held.far_rtcp.address = *IpAddress::parse("0.0.0.0");
  for (const LegConfig& each : {held, config}) {
    bridge_.configure(LegSide::kA, each, now_);
    EXPECT_TRUE(tick().empty());
  }
  config.far_rtp = kMoved;
  config.far_rtcp = rtcp_of(kMoved);
  bridge_.configure(LegSide::kA, config, now_);
  EXPECT_TRUE(shake());
}

// ---- full ICE: the agent has found the path, and its socket is ours ----

class FullIceLeg : public SecureLeg {
 protected:
  LegConfig with_full_ice(const ice::IceCredentials& ours = kOurs,
                          const ice::IceCredentials& theirs = kTheirs) {
    LegConfig config = with_ice(ours, theirs);
    config.ice->is_full = true;
    return config;
  }
  void adopt_path(const Endpoint& to, bool is_pipe = false) {
    bridge_.adopt_path(LegSide::kA, to, kBrowser, is_pipe, now_);
  }
  void key(const Endpoint& source) {
    DtlsSession browser(*theirs_, DtlsRole::kClient, ours_->fingerprint());
    ASSERT_TRUE(shake_hands(browser, source));
    use_keys(browser);
  }
  // The checks among what a tick sends, answered as the party would or not at all. How many there were.
  int tick_for(Duration period, bool answers, const std::string& password = kTheirs.password) {
    int checks = 0;
    for (const Time end = now_ + period; now_ < end; now_ += milliseconds(250)) {
      for (const Sent& each : tick()) {
        const auto check = ice::StunMessage::parse(each.bytes);
        if (!check) continue;
        ++checks;
        last_checked_ = each.to;
        if (!answers) continue;
        std::array<std::uint8_t, ice::StunWriter::kMaxBytes> buffer{};
        ice::StunWriter writer(buffer, ice::StunClass::kSuccess, check->transaction());
        const Bytes bytes = writer.sign(password);
        EXPECT_TRUE(deliver(LegSide::kA, each.to, Packet(bytes.begin(), bytes.end())).empty());
      }
    }
    return checks;
  }

  Endpoint last_checked_;
};

TEST_F(FullIceLeg, ThePairIsTheLegsPathAndOurChecksKeepConsent) {
  bridge_.configure(LegSide::kA, with_full_ice(), now_);
  adopt_path(kBrowser);
  key(kBrowser);
  EXPECT_EQ(heard_at(), kBrowser);
  const int checks = tick_for(seconds(60), true);
  EXPECT_GE(checks, 10);
  EXPECT_LE(checks, 16);
  EXPECT_EQ(last_checked_, kBrowser);
  EXPECT_EQ(heard_at(), kBrowser) << "though the party has checked nothing itself: it is lite";
  EXPECT_EQ(bridge_.stats(LegSide::kA).malformed, 0u);
}

TEST_F(FullIceLeg, WithoutAnswersConsentEndsAfterThirtySeconds) {
  bridge_.configure(LegSide::kA, with_full_ice(), now_);
  adopt_path(kBrowser);
  key(kBrowser);
  tick_for(seconds(29), false);
  EXPECT_EQ(heard_at(), kBrowser);
  tick_for(seconds(2), true, "forged-password-22-chars");
  EXPECT_FALSE(heard_at().is_set());
}

TEST_F(FullIceLeg, APartyThatAnswersNoChecksLivesByItsMedia) {
  bridge_.configure(LegSide::kA, with_full_ice(), now_);
  adopt_path(kBrowser);
  key(kBrowser);
  for (std::uint16_t i = 0; i < 12; ++i) {
    tick_for(seconds(10), false);
    EXPECT_EQ(deliver(LegSide::kA, kBrowser, sealed(i)).size(), 1u);
    EXPECT_EQ(heard_at(), kBrowser);
  }
}

TEST_F(FullIceLeg, APartyThatAnsweredAndDoesNoMoreIsCut) {
  bridge_.configure(LegSide::kA, with_full_ice(), now_);
  adopt_path(kBrowser);
  key(kBrowser);
  tick_for(seconds(25), true);
  for (std::uint16_t i = 0; i < 31; ++i) {
    tick_for(seconds(1), false);
    deliver(LegSide::kA, kBrowser, sealed(i));
  }
  EXPECT_FALSE(heard_at().is_set());
}

TEST_F(FullIceLeg, AfterARestartTheOldPathServesUntilTheNewAgentHandsItsOwnOver) {
  bridge_.configure(LegSide::kA, with_full_ice(), now_);
  adopt_path(kBrowser);
  key(kBrowser);
  const ice::IceCredentials ours{"ours2", "our-next-password-22-chars"};
  const ice::IceCredentials theirs{"them2", "their-next-password-22-ch"};
  bridge_.configure(LegSide::kA, with_full_ice(ours, theirs), now_);
  EXPECT_GE(tick_for(seconds(20), true), 3) << "under the old credentials";
  EXPECT_EQ(heard_at(), kBrowser);
  EXPECT_TRUE(check(kMoved, true, ours.password, "ours2:them2").empty()) << "that is for the agent's socket";
  adopt_path(kMoved);
  EXPECT_EQ(heard_at(), kMoved);
  EXPECT_GE(tick_for(seconds(20), true, theirs.password), 3);
  EXPECT_EQ(last_checked_, kMoved);
  EXPECT_EQ(heard_at(), kMoved);
  EXPECT_EQ(check(kMoved, true, ours.password, "ours2:them2").size(), 1u);
  EXPECT_TRUE(check(kMoved, true, kOurs.password).empty());
}

TEST_F(FullIceLeg, AfterARestartARelayedPathMayReplaceADirectOne) {
  const Endpoint pipe = *Endpoint::parse("127.0.0.1:30001");
  bridge_.configure(LegSide::kA, with_full_ice(), now_);
  adopt_path(kBrowser);
  key(kBrowser);
  bridge_.configure(LegSide::kA,
                    with_full_ice({"ours2", "our-next-password-22-chars"}, {"them2", "their-next-password"}),
                    now_);
  adopt_path(pipe, true);
  EXPECT_EQ(heard_at(), pipe);
  EXPECT_EQ(tick_for(seconds(60), true), 0) << "its agent checks";
}

TEST_F(FullIceLeg, ThroughAPipeOnlyThePipeIsHeardAndADirectPairReplacesIt) {
  const Endpoint pipe = *Endpoint::parse("127.0.0.1:30001");
  bridge_.configure(LegSide::kA, with_full_ice(), now_);
  adopt_path(pipe, true);
  key(pipe);
  EXPECT_EQ(heard_at(), pipe);
  EXPECT_EQ(bridge_.stats(LegSide::kA).media_endpoint, kBrowser) << "the record names the party";
  EXPECT_EQ(tick_for(seconds(60), true), 0) << "its agent checks";
  EXPECT_EQ(heard_at(), pipe);
  deliver(LegSide::kA, kStranger, sealed(1));
  EXPECT_EQ(bridge_.stats(LegSide::kA).refused_source, 1u);
  adopt_path(kBrowser);
  EXPECT_EQ(heard_at(), kBrowser);
}

TEST_F(FullIceLeg, APipeThatIsLostIsSentNothingMore) {
  const Endpoint pipe = *Endpoint::parse("127.0.0.1:30001");
  bridge_.configure(LegSide::kA, with_full_ice(), now_);
  adopt_path(pipe, true);
  key(pipe);
  bridge_.lose_path(LegSide::kA);
  EXPECT_FALSE(heard_at().is_set());
}

TEST_F(FullIceLeg, APathForALegThatKnowsNoIceAnyMoreChangesNothing) {
  bridge_.configure(LegSide::kA, without_ice(), now_);
  adopt_path(kStranger);
  EXPECT_EQ(bridge_.stats(LegSide::kA).media_endpoint, kBrowser);
}

}  // namespace
}  // namespace vas::bridge
