// Every kind of party bridged to every other: plain, with keys from SDP, with ICE and DTLS; over IPv4 and
// IPv6. Each pair lives through hold, new keys and another codec, and what each hears stays one stream.
#include <gtest/gtest.h>

#include "bridge/relay/bridge.h"
#include "tests/support/ice_check.h"
#include "tests/support/rtp_builder.h"

namespace vas::bridge {
namespace {

using media::DtlsContext;
using media::DtlsRole;
using media::DtlsSession;
using media::SrtpBackend;
using media::SrtpKey;
using media::SrtpSuite;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Packet = std::vector<std::uint8_t>;

enum class Kind { kPlain, kSdes, kDtlsIce };
struct PartyKind {
  Kind kind;
  bool is_ipv6;
};

const DtlsContext& certificate_of_ours() {
  static const auto context = std::move(*DtlsContext::make());
  return *context;
}

// A phone of some kind at one side of the bridge.
class Party {
 public:
  Party(PartyKind kind, LegSide side) : kind_(kind.kind), side_(side) {
    const std::string last = side == LegSide::kA ? "1" : "2";
    at_ = *Endpoint::parse(kind.is_ipv6 ? "[2001:db8::" + last + "]:4000" : "192.0.2." + last + ":4000");
  }

  LegConfig config(bool on_hold = false) {
    LegConfig config{.rtcp_mux = kind_ == Kind::kDtlsIce,
                     .sends = !on_hold,
                     .receives = !on_hold,
                     .formats = {{{codec_}, codec_ == 0 ? media::Codec::kPcmu : media::Codec::kPcma, 8000}}};
    if (kind_ != Kind::kDtlsIce) {
      config.far_rtp = at_;
      config.far_rtcp = {at_.address, static_cast<std::uint16_t>(at_.port + 1)};
    }
    if (kind_ == Kind::kSdes) config.srtp = LegSrtp{*inbound_, *outbound_};
    if (kind_ == Kind::kDtlsIce) {
      config.dtls = LegDtls{DtlsRole::kServer, certificate_->fingerprint()};
      config.ice =
          LegIce{{"our" + round_, "our-password-of-22-chars"}, {"them" + round_, "their-password-22-chars"}};
    }
    return config;
  }
  void set_codec(std::uint8_t payload_type) { codec_ = payload_type; }

  // New keys, agreed in whatever way it has.
  void rekey(Bridge& bridge, Time now) {
    round_ += "x";
    if (kind_ == Kind::kPlain) return bridge.configure(side_, config(), now);
    if (kind_ == Kind::kSdes) {
      inbound_ = SrtpKey::random(SrtpSuite::kAesCm128HmacSha1_80);
      outbound_ = SrtpKey::random(SrtpSuite::kAesCm128HmacSha1_80);
      bridge.configure(side_, config(), now);
      return use(*inbound_, *outbound_);
    }
    certificate_ = std::move(*DtlsContext::make());
    bridge.configure(side_, config(), now);
    check(bridge, now);
    DtlsSession client(*certificate_, DtlsRole::kClient, certificate_of_ours().fingerprint());
    auto flight = client.start(now);
    while (!flight.empty() && !client.keys()) {
      DtlsSession::Flight next;
      for (const Packet& each : flight) {
        for (const Packet& answer : deliver(bridge, now, each)) {
          const auto& said = client.on_datagram(now, answer);
          next.insert(next.end(), said.begin(), said.end());
        }
      }
      flight = next;
    }
    ASSERT_TRUE(client.keys());
    for (const Packet& each : flight) deliver(bridge, now, each);
    use(client.keys()->outbound, client.keys()->inbound);
  }

  // The next 20 ms of speech: where they went, and what the other party makes of them.
  void say(Bridge& bridge, Time now, Party& other) {
    Packet bytes = media::build_rtp({.payload_type = {codec_},
                                     .sequence_number = {++number_},
                                     .timestamp = {number_ * 160U},
                                     .ssrc = {side_ == LegSide::kA ? 7U : 9U}});
    seal(bytes);
    const auto sent = deliver(bridge, now, bytes, &other.at_);
    ASSERT_EQ(sent.size(), 1u);
    other.hear(sent[0]);
  }
  bool is_silent(Bridge& bridge, Time now) {
    Packet bytes = media::build_rtp({.payload_type = {codec_}, .sequence_number = {++number_}, .ssrc = {7}});
    seal(bytes);
    return deliver(bridge, now, bytes).empty();
  }
  int heard() const { return heard_; }

 private:
  void use(const SrtpKey& sends, const SrtpKey& hears) {
    sealer_ = make_srtp_protector(SrtpBackend::kLibsrtp, sends);
    opener_ = make_srtp_unprotector(SrtpBackend::kLibsrtp, hears);
  }
  void seal(Packet& bytes) {
    if (!sealer_) return;
    const std::size_t size = bytes.size();
    bytes.resize(size + media::kSrtpMaxRoom);
    media::PacketBuffer packet{MutableBytes(bytes), size};
    ASSERT_EQ(sealer_->protect(packet), media::SrtpResult::kOk);
    bytes.resize(packet.size());
  }
  void hear(Packet bytes) {
    if (opener_) {
      media::PacketBuffer packet{MutableBytes(bytes)};
      ASSERT_EQ(opener_->unprotect(packet), media::SrtpResult::kOk);
      bytes.resize(packet.size());
    }
    const auto packet = media::RtpPacket::parse(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->payload_type().value, codec_);
    if (heard_++ > 0) {
      EXPECT_EQ(packet->ssrc(), ssrc_) << "one stream to each listener";
      EXPECT_EQ(packet->sequence_number().value, static_cast<std::uint16_t>(last_ + 1)) << "without a gap";
    }
    ssrc_ = packet->ssrc();
    last_ = packet->sequence_number().value;
  }
  void check(Bridge& bridge, Time now) {
    const Packet check = ice::build_check(
        {.username = "our" + round_ + ":them" + round_, .password = "our-password-of-22-chars"});
    ASSERT_EQ(deliver(bridge, now, check).size(), 1u);
  }
  std::vector<Packet> deliver(Bridge& bridge, Time now, Packet bytes, const Endpoint* to = nullptr) {
    const std::size_t size = bytes.size();
    bytes.resize(size + media::kSrtpMaxRoom);
    Outbox outbox;
    bridge.on_datagram(side_, Component::kRtp, at_, {MutableBytes(bytes), size}, now, outbox);
    std::vector<Packet> all;
    for (const Outgoing& each : outbox) {
      EXPECT_EQ(each.to, to != nullptr ? *to : at_);
      all.emplace_back(each.bytes.begin(), each.bytes.end());
    }
    return all;
  }

  const Kind kind_;
  const LegSide side_;
  Endpoint at_;
  std::uint8_t codec_ = 0;
  std::string round_ = "s";
  std::optional<SrtpKey> inbound_, outbound_;
  std::unique_ptr<DtlsContext> certificate_;
  std::unique_ptr<media::SrtpProtector> sealer_;
  std::unique_ptr<media::SrtpUnprotector> opener_;
  std::uint16_t number_ = 0, last_ = 0;
  media::Ssrc ssrc_;
  int heard_ = 0;
};

using Pair = std::tuple<int, int>;
constexpr std::array<PartyKind, 6> kKinds{{{Kind::kPlain, false},
                                           {Kind::kPlain, true},
                                           {Kind::kSdes, false},
                                           {Kind::kSdes, true},
                                           {Kind::kDtlsIce, false},
                                           {Kind::kDtlsIce, true}}};
class Pairs : public testing::TestWithParam<Pair> {};

TEST_P(Pairs, TalkThroughHoldNewKeysAndAnotherCodec) {
  Time now{seconds(1000)};
  Bridge bridge(seconds(60), now, {StreamSeed{{0xa}, {100}, {1000}}, StreamSeed{{0xb}, {65530}, {2000}}},
                {SrtpBackend::kOpenssl, &certificate_of_ours()});
  Party a(kKinds[static_cast<std::size_t>(std::get<0>(GetParam()))], LegSide::kA);
  Party b(kKinds[static_cast<std::size_t>(std::get<1>(GetParam()))], LegSide::kB);
  const auto talk = [&] {
    for (int i = 0; i < 20; ++i) {
      now += milliseconds(20);
      a.say(bridge, now, b);
      b.say(bridge, now, a);
    }
  };
  a.rekey(bridge, now);
  b.rekey(bridge, now);
  bridge.start(now);
  talk();

  bridge.configure(LegSide::kA, a.config(true), now);
  EXPECT_TRUE(b.is_silent(bridge, now));
  bridge.configure(LegSide::kA, a.config(), now);
  talk();

  a.rekey(bridge, now);
  talk();
  b.rekey(bridge, now);
  talk();

  for (Party* each : {&a, &b}) each->set_codec(8);
  bridge.configure(LegSide::kA, a.config(), now);
  bridge.configure(LegSide::kB, b.config(), now);
  talk();
  EXPECT_EQ(a.heard(), 100);
  EXPECT_EQ(b.heard(), 100);
}

INSTANTIATE_TEST_SUITE_P(OfEveryKind, Pairs, testing::Combine(testing::Range(0, 6), testing::Range(0, 6)));

}  // namespace
}  // namespace vas::bridge
