// SRTP against the RFCs' vectors, and two implementations of it against each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "media/srtp/srtp_cipher.h"
#include "media/srtp/srtp_session.h"

namespace vas::media {
namespace {

using Packet = std::vector<std::uint8_t>;

Packet from_hex(std::string_view text) {
  Packet bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string to_hex(Bytes bytes) {
  std::string text;
  for (const std::uint8_t each : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", each);
    text += digits;
  }
  return text;
}

SrtpKey key_of(SrtpSuite suite, std::string_view hex) { return *SrtpKey::from(suite, from_hex(hex)); }

// A packet with room behind it.
struct Buffer {
  explicit Buffer(const Packet& packet) : storage(packet), size(packet.size()) {
    storage.resize(packet.size() + 160);
  }
  PacketBuffer view() { return {storage, size}; }
  Packet storage;
  std::size_t size;
};

template <typename Session, typename Operation>
std::pair<SrtpResult, Packet> run(Session& session, Operation operation, const Packet& packet) {
  Buffer buffer(packet);
  PacketBuffer view = buffer.view();
  const SrtpResult result = (session.*operation)(view);
  const MutableBytes bytes = view.bytes();
  return {result, result == SrtpResult::kOk ? Packet(bytes.begin(), bytes.end()) : Packet()};
}

Packet rtp(Ssrc ssrc, std::uint16_t number, std::size_t payload = 20) {
  Packet packet(12 + payload, static_cast<std::uint8_t>(number));
  packet[0] = 0x80;
  packet[1] = 0;
  store_u16(packet, 2, number);
  store_u32(packet, 4, number * 160U);
  store_u32(packet, 8, ssrc.value);
  return packet;
}

Packet rtcp(Ssrc ssrc, std::size_t words) {
  Packet packet(8 + 4 * words, 0x5a);
  packet[0] = 0x80;
  packet[1] = 201;
  store_u16(packet, 2, static_cast<std::uint16_t>(1 + words));
  store_u32(packet, 4, ssrc.value);
  return packet;
}

// RFC 3711 appendix B.3.
TEST(SrtpKeyDerivation, GivesTheKeysOfTheRfc) {
  const SrtpKey master =
      key_of(SrtpSuite::kAesCm128HmacSha1_80, "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
  const SrtpSessionKeys keys = derive_session_keys(master, SrtpKeyUse::kRtp);
  EXPECT_EQ(to_hex(Bytes(keys.cipher).first(16)), "c61e7a93744f39ee10734afe3ff7a087");
  EXPECT_EQ(to_hex(keys.salt), "30cbbc08863d8c85d49db34a9ae1");
  EXPECT_EQ(to_hex(keys.auth), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
}

// RFC 7714 §16.1.1 and §16.2.1: the session keys are given there.
TEST(SrtpCipher, SealsAndOpensTheRtpPacketsOfTheRfc) {
  const Packet plain = from_hex(
      "8040f17b8041f8d35501a0b2"
      "47616c6c696120657374206f6d6e697320646976"
      "69736120696e207061727465732074726573");
  struct Case {
    SrtpSuite suite;
    std::size_t key_bytes;
    std::string_view sealed;
  };
  for (const Case& each :
       {Case{
            SrtpSuite::kAeadAes128Gcm, 16,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf"
            "8833899d7f27beb16a9152cf765ee4390cce"},
        Case{
            SrtpSuite::kAeadAes256Gcm, 32,
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799"
            "b87b7aa3db36dfffd6b0f9bb7878d7a76c13"}}) {
    SrtpSessionKeys keys;
    for (std::size_t i = 0; i < each.key_bytes; ++i) keys.cipher[i] = static_cast<std::uint8_t>(i);
    const Packet salt = from_hex("517569642070726f2071756f");
    std::copy(salt.begin(), salt.end(), keys.salt.begin());
    SrtpCipher sealer(each.suite, SrtpKeyUse::kRtp, keys, SrtpCipher::Direction::kSeal);
    SrtpCipher opener(each.suite, SrtpKeyUse::kRtp, keys, SrtpCipher::Direction::kOpen);
    Buffer buffer(plain);
    PacketBuffer packet = buffer.view();
    sealer.seal(packet, 12, {0x5501a0b2}, 0xf17b, {});
    EXPECT_EQ(to_hex(packet.bytes()), each.sealed);
    ASSERT_TRUE(opener.open(packet, 12, {0x5501a0b2}, 0xf17b, {}));
    EXPECT_EQ(to_hex(packet.bytes()), to_hex(plain));
  }
}

class EachSuite : public testing::TestWithParam<SrtpSuite> {
 protected:
  const SrtpKey key_ = SrtpKey::random(GetParam());
  std::unique_ptr<SrtpProtector> protector_ = make_srtp_protector(SrtpBackend::kOpenssl, key_);
  std::unique_ptr<SrtpUnprotector> unprotector_ = make_srtp_unprotector(SrtpBackend::kOpenssl, key_);

  Packet sealed(const Packet& plain) {
    auto [result, packet] = run(*protector_, &SrtpProtector::protect, plain);
    EXPECT_EQ(result, SrtpResult::kOk);
    return packet;
  }
  SrtpResult opened(const Packet& packet) {
    return run(*unprotector_, &SrtpUnprotector::unprotect, packet).first;
  }
};

TEST_P(EachSuite, NoIndexIsSentTwiceAndNoPacketTakenTwice) {
  const Packet first = sealed(rtp({7}, 100));
  EXPECT_EQ(run(*protector_, &SrtpProtector::protect, rtp({7}, 100, 30)).first, SrtpResult::kReplayed);
  EXPECT_EQ(opened(first), SrtpResult::kOk);
  EXPECT_EQ(opened(first), SrtpResult::kReplayed);
  const Packet early = sealed(rtp({7}, 101));
  for (std::uint16_t number = 102; number < 300; ++number)
    ASSERT_EQ(opened(sealed(rtp({7}, number))), SrtpResult::kOk);
  EXPECT_EQ(opened(early), SrtpResult::kReplayed) << "it is older than the window";
}

TEST_P(EachSuite, EveryChangedBitIsNoticed) {
  const Packet packet = sealed(rtp({7}, 100));
  for (std::size_t bit = 0; bit < 8 * packet.size(); ++bit) {
    Packet forged = packet;
    forged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_NE(opened(forged), SrtpResult::kOk) << bit;
  }
  for (std::size_t size = 0; size < packet.size(); ++size)
    EXPECT_NE(opened(Packet(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size))),
              SrtpResult::kOk);
  EXPECT_EQ(opened(packet), SrtpResult::kOk) << "what was forged left no trace";
}

TEST_P(EachSuite, EveryChangedBitOfRtcpIsNoticed) {
  auto [result, packet] = run(*protector_, &SrtpProtector::protect_rtcp, rtcp({7}, 6));
  ASSERT_EQ(result, SrtpResult::kOk);
  for (std::size_t bit = 0; bit < 8 * packet.size(); ++bit) {
    Packet forged = packet;
    forged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_NE(run(*unprotector_, &SrtpUnprotector::unprotect_rtcp, forged).first, SrtpResult::kOk) << bit;
  }
  EXPECT_EQ(run(*unprotector_, &SrtpUnprotector::unprotect_rtcp, packet),
            std::pair(SrtpResult::kOk, rtcp({7}, 6)));
  EXPECT_EQ(run(*unprotector_, &SrtpUnprotector::unprotect_rtcp, packet).first, SrtpResult::kReplayed);
}

TEST_P(EachSuite, TenWrapsWithLossAndReorderLoseNothingElse) {
  std::mt19937 random(7);
  std::vector<Packet> on_the_way;
  std::size_t refused = 0, taken = 0;
  std::uint16_t number = 65'000;
  for (int i = 0; i < 655'360 / 8; ++i, number = static_cast<std::uint16_t>(number + 8)) {
    on_the_way.push_back(sealed(rtp({7}, number)));
    if (random() % 10 == 0) on_the_way.pop_back();
    if (on_the_way.size() < 6) continue;
    std::shuffle(on_the_way.begin(), on_the_way.end(), random);
    for (const Packet& each : on_the_way) {
      ++taken;
      refused += opened(each) != SrtpResult::kOk;
    }
    on_the_way.clear();
  }
  EXPECT_EQ(refused, 0u);
  EXPECT_GT(taken, 30'000u);
}

TEST_P(EachSuite, StateOutlivesItsSessionAndNoLowerIndexIsSentAgain) {
  for (int i = 0; i < 70'000; ++i)
    ASSERT_EQ(opened(sealed(rtp({7}, static_cast<std::uint16_t>(i)))), SrtpResult::kOk);
  const Packet before = sealed(rtp({7}, 4464));
  const auto sent = protector_->state();
  const auto received = unprotector_->state();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].rtp.highest(), 70'000u);
  protector_ = make_srtp_protector(SrtpBackend::kOpenssl, key_);
  unprotector_ = make_srtp_unprotector(SrtpBackend::kOpenssl, key_);
  protector_->restore(sent);
  unprotector_->restore(received);
  EXPECT_EQ(unprotector_->state(), received);
  EXPECT_EQ(run(*protector_, &SrtpProtector::protect, rtp({7}, 4464)).first, SrtpResult::kReplayed);
  EXPECT_EQ(run(*protector_, &SrtpProtector::protect, rtp({7}, 4463)).first, SrtpResult::kReplayed);
  EXPECT_EQ(opened(before), SrtpResult::kOk) << "it was on its way meanwhile";
  EXPECT_EQ(opened(before), SrtpResult::kReplayed);
  EXPECT_EQ(opened(sealed(rtp({7}, 4465))), SrtpResult::kOk) << "in the second round still";
}

// A media server has an SSRC for each announcement, and then comes back to its first.
TEST_P(EachSuite, AnySsrcIsHeardHoweverManyThereWereAndNothingOfThemTwice) {
  for (const SrtpBackend backend : {SrtpBackend::kOpenssl, SrtpBackend::kLibsrtp}) {
    protector_ = make_srtp_protector(SrtpBackend::kOpenssl, key_);
    unprotector_ = make_srtp_unprotector(backend, key_);
    const auto opened_rtcp = [&](const Packet& packet) {
      return run(*unprotector_, &SrtpUnprotector::unprotect_rtcp, packet).first;
    };
    const auto sealed_rtcp = [&](Ssrc ssrc) {
      return run(*protector_, &SrtpProtector::protect_rtcp, rtcp(ssrc, 2)).second;
    };
    std::vector<Packet> old;
    for (const std::uint16_t number : std::initializer_list<std::uint16_t>{65'000, 65'400, 20, 21})
      old.push_back(sealed(rtp({1}, number)));
    const Packet late = sealed(rtp({1}, 19)), report = sealed_rtcp({1});
    for (const Packet& each : old) ASSERT_EQ(opened(each), SrtpResult::kOk);
    ASSERT_EQ(opened_rtcp(report), SrtpResult::kOk);
    for (std::uint32_t ssrc = 100; ssrc < 100 + 3 * kSrtpMaxStreams; ++ssrc) {
      ASSERT_EQ(opened(sealed(rtp({ssrc}, 1))), SrtpResult::kOk) << ssrc;
      ASSERT_EQ(opened_rtcp(sealed_rtcp({ssrc})), SrtpResult::kOk) << ssrc;
    }
    for (const bool is_back : {false, true}) {
      for (const Packet& each : old) EXPECT_EQ(opened(each), SrtpResult::kReplayed) << is_back;
      EXPECT_EQ(opened(late), SrtpResult::kReplayed) << "nobody knows any more whether it was there";
      EXPECT_EQ(opened_rtcp(report), SrtpResult::kReplayed) << is_back;
      Packet forged = sealed(rtp({1}, static_cast<std::uint16_t>(is_back ? 23 : 22)));
      forged.back() ^= 1;
      EXPECT_EQ(opened(forged), SrtpResult::kUnauthenticated);
      forged.back() ^= 1;
      EXPECT_EQ(opened(forged), SrtpResult::kOk) << "it goes on in its second round";
      EXPECT_EQ(opened(forged), SrtpResult::kReplayed);
      EXPECT_EQ(opened_rtcp(sealed_rtcp({1})), SrtpResult::kOk);
    }
  }
}

TEST_P(EachSuite, NothingIsSentTwiceUnderAnSsrcThatMadeRoomForOthers) {
  for (const SrtpBackend backend : {SrtpBackend::kOpenssl, SrtpBackend::kLibsrtp}) {
    protector_ = make_srtp_protector(backend, key_);
    (void)sealed(rtp({1}, 10));
    const Packet report = run(*protector_, &SrtpProtector::protect_rtcp, rtcp({1}, 2)).second;
    for (std::uint32_t ssrc = 100; ssrc < 100 + kSrtpMaxStreams; ++ssrc) (void)sealed(rtp({ssrc}, 1));
    EXPECT_NE(run(*protector_, &SrtpProtector::protect, rtp({1}, 10)).first, SrtpResult::kOk);
    EXPECT_NE(run(*protector_, &SrtpProtector::protect_rtcp, rtcp({1}, 2)).second, report);
    EXPECT_EQ(run(*protector_, &SrtpProtector::protect, rtp({163}, 2)).first, SrtpResult::kOk);
  }
}

TEST_P(EachSuite, StreamsAndThoseThatTheyFollowAreBounded) {
  constexpr std::uint32_t kAll = kSrtpMaxStreams + kSrtpMostFormerStreams;
  for (const SrtpBackend backend : {SrtpBackend::kOpenssl, SrtpBackend::kLibsrtp}) {
    protector_ = make_srtp_protector(SrtpBackend::kOpenssl, key_);
    unprotector_ = make_srtp_unprotector(backend, key_);
    for (std::uint32_t ssrc = 0; ssrc < kAll; ++ssrc)
      ASSERT_EQ(opened(sealed(rtp({ssrc}, 1))), SrtpResult::kOk);
    EXPECT_EQ(run(*protector_, &SrtpProtector::protect, rtp({kAll}, 1)).first, SrtpResult::kNoRoom);
    auto other = make_srtp_protector(SrtpBackend::kOpenssl, key_);
    const Packet more = run(*other, &SrtpProtector::protect, rtp({kAll}, 1)).second;
    EXPECT_EQ(opened(more), SrtpResult::kNoRoom);
    EXPECT_EQ(opened(sealed(rtp({kAll - 1}, 2))), SrtpResult::kOk);
    EXPECT_EQ(opened(sealed(rtp({5}, 2))), SrtpResult::kOk) << "its own place is free";
  }
}

TEST_P(EachSuite, StreamsThatWereGivenUpOutliveTheirSession) {
  const Packet first = sealed(rtp({1}, 10));
  ASSERT_EQ(opened(first), SrtpResult::kOk);
  for (std::uint32_t ssrc = 100; ssrc < 100 + kSrtpMaxStreams; ++ssrc)
    ASSERT_EQ(opened(sealed(rtp({ssrc}, 1))), SrtpResult::kOk);
  const auto state = unprotector_->state();
  EXPECT_EQ(state.size(), kSrtpMaxStreams + 1);
  unprotector_ = make_srtp_unprotector(SrtpBackend::kOpenssl, key_);
  unprotector_->restore(state);
  EXPECT_EQ(unprotector_->state(), state);
  EXPECT_EQ(opened(first), SrtpResult::kReplayed);
}

TEST_P(EachSuite, ABufferWithoutRoomIsRefused) {
  Packet packet = rtp({7}, 1);
  PacketBuffer full{MutableBytes(packet)};
  EXPECT_EQ(protector_->protect(full), SrtpResult::kNoRoom);
  EXPECT_EQ(packet, rtp({7}, 1));
}

// Whatever is sent, lost, repeated, overtaken or forged: two implementations do the same with it, to the bit.
TEST_P(EachSuite, EveryPacketIsAsTheOtherImplementationHasIt) {
#ifdef VAS_SANITIZED
  constexpr int kPackets = 20'000;
#else
  constexpr int kPackets = 250'000;  // a million with four suites
#endif
  auto their_protector = make_srtp_protector(SrtpBackend::kLibsrtp, key_);
  auto their_unprotector = make_srtp_unprotector(SrtpBackend::kLibsrtp, key_);
  std::mt19937 random(static_cast<unsigned>(GetParam()) + 1);
  std::array<std::uint16_t, 4> numbers{1, 65'500, 32'760, 50'000};
  std::deque<Packet> on_the_way;
  std::array<std::size_t, 6> results{};

  for (int i = 0; i < kPackets; ++i) {
    const std::size_t stream = random() % numbers.size();
    const bool is_rtcp = random() % 20 == 0;
    const Ssrc ssrc{static_cast<std::uint32_t>(1000 + stream)};
    Packet plain;
    if (is_rtcp) {
      plain = rtcp(ssrc, random() % 20);
    } else {
      const auto step = random() % 50 == 0 ? random() % 3000 : random() % 3;  // 0: the same number again
      numbers[stream] = static_cast<std::uint16_t>(numbers[stream] + step);
      const auto back = random() % 20 == 0 ? random() % 140 : 0;
      plain = rtp(ssrc, static_cast<std::uint16_t>(numbers[stream] - back), random() % 200);
      if (random() % 10 == 0) plain[0] |= static_cast<std::uint8_t>(random() & 0x1f);  // CSRCs, an extension
    }
    const auto operation = is_rtcp ? &SrtpProtector::protect_rtcp : &SrtpProtector::protect;
    const auto ours = run(*protector_, operation, plain);
    ASSERT_EQ(ours, run(*their_protector, operation, plain)) << i << " " << to_hex(plain);
    if (ours.first != SrtpResult::kOk) continue;

    if (random() % 10 != 0) on_the_way.push_back(ours.second);
    if (random() % 30 == 0) on_the_way.push_back(ours.second);
    if (on_the_way.size() < 60) continue;
    const std::size_t which = random() % 10 == 0 ? random() % on_the_way.size() : 0;
    Packet arrived = on_the_way[which];
    on_the_way.erase(on_the_way.begin() + static_cast<std::ptrdiff_t>(which));
    // A flipped bit of the sequence number may name an index that is older than any; what each calls that
    // is its own affair, so bits are flipped behind the header.
    if (random() % 30 == 0) arrived[12 + random() % (arrived.size() - 12)] ^= 1;
    const bool came_as_rtcp = (arrived[1] & 0x7f) >= 64;
    const auto opening = came_as_rtcp ? &SrtpUnprotector::unprotect_rtcp : &SrtpUnprotector::unprotect;
    const auto opened = run(*unprotector_, opening, arrived);
    ASSERT_EQ(opened, run(*their_unprotector, opening, arrived)) << i << " " << to_hex(arrived);
    ++results[static_cast<std::size_t>(opened.first)];
  }
  EXPECT_GT(results[static_cast<std::size_t>(SrtpResult::kOk)], kPackets / 2U);
  EXPECT_GT(results[static_cast<std::size_t>(SrtpResult::kReplayed)], 0u);
  EXPECT_GT(results[static_cast<std::size_t>(SrtpResult::kUnauthenticated)], 0u);
}

INSTANTIATE_TEST_SUITE_P(Srtp, EachSuite,
                         testing::Values(SrtpSuite::kAesCm128HmacSha1_80, SrtpSuite::kAesCm128HmacSha1_32,
                                         SrtpSuite::kAeadAes128Gcm, SrtpSuite::kAeadAes256Gcm),
                         [](const auto& each) { return std::string(shape_of(each.param).name); });

}  // namespace
}  // namespace vas::media
