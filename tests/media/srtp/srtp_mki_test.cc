// A master key with an identifier, in both implementations and against libsrtp2's own.
#include <gtest/gtest.h>
#include <srtp2/srtp.h>

#include <algorithm>
#include <vector>

#include "media/srtp/srtp_session.h"

namespace vas::media {
namespace {

using Packet = std::vector<std::uint8_t>;

constexpr MasterKeyIdentifier kIdentifier{.value = 0x0a0b, .bytes = 4};
constexpr std::array<std::uint8_t, 4> kInPacket{0, 0, 0x0a, 0x0b};

Packet rtp(std::uint16_t number) {
  Packet packet(12 + 160, 0x55);
  packet[0] = 0x80;
  packet[1] = 0;
  store_u16(packet, 2, number);
  store_u32(packet, 8, 7);
  return packet;
}

Packet rtcp() {
  Packet packet(28, 0x5a);
  packet[0] = 0x80;
  packet[1] = 201;
  store_u16(packet, 2, 6);
  store_u32(packet, 4, 7);
  return packet;
}

template <typename Session, typename Operation>
std::pair<SrtpResult, Packet> run(Session& session, Operation operation, Packet packet,
                                  std::size_t room = kSrtpMaxRoom) {
  const std::size_t size = packet.size();
  packet.resize(size + room);
  PacketBuffer buffer{MutableBytes(packet), size};
  const SrtpResult result = (session.*operation)(buffer);
  packet.resize(buffer.size());
  return {result, packet};
}

class Mki : public testing::TestWithParam<std::tuple<SrtpSuite, SrtpBackend>> {
 protected:
  SrtpSuite suite() const { return std::get<0>(GetParam()); }
  SrtpBackend backend() const { return std::get<1>(GetParam()); }
  bool is_there(const Packet& packet, std::size_t behind) const {
    return std::equal(kInPacket.begin(), kInPacket.end(),
                      packet.end() - static_cast<std::ptrdiff_t>(behind + kInPacket.size()));
  }

  const SrtpKey plain_ = SrtpKey::random(suite());
  const SrtpKey key_ = plain_.named(kIdentifier);
  std::unique_ptr<SrtpProtector> protector_ = make_srtp_protector(backend(), key_);
  std::unique_ptr<SrtpUnprotector> unprotector_ = make_srtp_unprotector(backend(), key_);
};

TEST_P(Mki, StandsInEveryPacketAndIsAskedFor) {
  const SrtpSuiteShape& shape = shape_of(suite());
  const auto [sent, packet] = run(*protector_, &SrtpProtector::protect, rtp(1));
  ASSERT_EQ(sent, SrtpResult::kOk);
  EXPECT_EQ(packet.size(), rtp(1).size() + shape.rtp_tag_bytes + kInPacket.size());
  EXPECT_TRUE(is_there(packet, shape.is_aead ? 0 : shape.rtp_tag_bytes));
  EXPECT_EQ(run(*unprotector_, &SrtpUnprotector::unprotect, packet), std::pair(SrtpResult::kOk, rtp(1)));
  EXPECT_EQ(run(*unprotector_, &SrtpUnprotector::unprotect, packet).first, SrtpResult::kReplayed);

  const auto [reported, report] = run(*protector_, &SrtpProtector::protect_rtcp, rtcp());
  ASSERT_EQ(reported, SrtpResult::kOk);
  EXPECT_TRUE(is_there(report, shape.is_aead ? 0 : shape.rtcp_tag_bytes));
  EXPECT_EQ(run(*unprotector_, &SrtpUnprotector::unprotect_rtcp, report), std::pair(SrtpResult::kOk, rtcp()));
}

TEST_P(Mki, AnotherOneOrNoneIsNotThePartys) {
  auto nameless = make_srtp_protector(backend(), plain_);
  auto other = make_srtp_protector(backend(), plain_.named({.value = 0x0a0c, .bytes = 4}));
  for (SrtpProtector* each : {nameless.get(), other.get()}) {
    const Packet packet = run(*each, &SrtpProtector::protect, rtp(1)).second;
    EXPECT_EQ(run(*unprotector_, &SrtpUnprotector::unprotect, packet).first, SrtpResult::kUnauthenticated);
    const Packet report = run(*each, &SrtpProtector::protect_rtcp, rtcp()).second;
    EXPECT_EQ(run(*unprotector_, &SrtpUnprotector::unprotect_rtcp, report).first,
              SrtpResult::kUnauthenticated);
  }
  for (std::size_t bytes = 0; bytes < 30; ++bytes)
    EXPECT_NE(run(*unprotector_, &SrtpUnprotector::unprotect, Packet(bytes, 0x80)).first, SrtpResult::kOk);
}

TEST_P(Mki, WithoutRoomForItNoIndexIsUsedUp) {
  EXPECT_EQ(run(*protector_, &SrtpProtector::protect, rtp(1), 16).first, SrtpResult::kNoRoom);
  const auto longest =
      make_srtp_protector(backend(), plain_.named({.value = 1, .bytes = MasterKeyIdentifier::kLongest}));
  EXPECT_EQ(run(*longest, &SrtpProtector::protect, rtp(1)).first, SrtpResult::kOk) << "it fits always";
  EXPECT_EQ(run(*protector_, &SrtpProtector::protect, rtp(1)).first, SrtpResult::kOk);
}

TEST_P(Mki, IsWhereLibsrtpPutsIt) {
  srtp_policy_t policy{};
  switch (suite()) {
    case SrtpSuite::kAesCm128HmacSha1_80:
      srtp_crypto_policy_set_rtp_default(&policy.rtp);
      srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
      break;
    case SrtpSuite::kAesCm128HmacSha1_32:
      srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp);
      srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
      break;
    case SrtpSuite::kAeadAes128Gcm:
      srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
      srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
      break;
    case SrtpSuite::kAeadAes256Gcm:
      srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
      srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
      break;
  }
  auto identifier = kInPacket;
  srtp_master_key_t master{const_cast<unsigned char*>(key_.master().data()), identifier.data(),
                           static_cast<unsigned>(identifier.size())};
  srtp_master_key_t* masters[] = {&master};
  policy.ssrc.type = ssrc_any_outbound;
  policy.keys = masters;
  policy.num_master_keys = 1;
  (void)make_srtp_protector(SrtpBackend::kLibsrtp, plain_);  // starts the library
  srtp_t theirs = nullptr;
  ASSERT_EQ(srtp_create(&theirs, &policy), srtp_err_status_ok);
  for (const bool is_rtcp : {false, true}) {
    Packet packet = is_rtcp ? rtcp() : rtp(1);
    int bytes = static_cast<int>(packet.size());
    packet.resize(packet.size() + kSrtpMaxRoom);
    const auto status = is_rtcp ? srtp_protect_rtcp_mki(theirs, packet.data(), &bytes, 1, 0)
                                : srtp_protect_mki(theirs, packet.data(), &bytes, 1, 0);
    ASSERT_EQ(status, srtp_err_status_ok);
    packet.resize(static_cast<std::size_t>(bytes));
    EXPECT_EQ(is_rtcp ? run(*protector_, &SrtpProtector::protect_rtcp, rtcp()).second
                      : run(*protector_, &SrtpProtector::protect, rtp(1)).second,
              packet);
  }
  srtp_dealloc(theirs);
}

INSTANTIATE_TEST_SUITE_P(
    Srtp, Mki,
    testing::Combine(testing::Values(SrtpSuite::kAesCm128HmacSha1_80, SrtpSuite::kAesCm128HmacSha1_32,
                                     SrtpSuite::kAeadAes128Gcm, SrtpSuite::kAeadAes256Gcm),
                     testing::Values(SrtpBackend::kOpenssl, SrtpBackend::kLibsrtp)));

}  // namespace
}  // namespace vas::media
