#include "ice/stun/stun_message.h"

#include <gtest/gtest.h>

#include <vector>

namespace vas::ice {
namespace {

using Packet = std::vector<std::uint8_t>;

Packet from_hex(std::string_view text) {
  Packet bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

// RFC 5769 §2.1 and §2.2.
const Packet kRequest = from_hex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008"
    "932ff9"
    "b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3b"
    "cf");
const Packet kResponse = from_hex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a64300080014"
    "2b91f5"
    "99fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96");
constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";

TEST(StunMessage, ReadsTheRequestOfTheRfc) {
  const auto message = StunMessage::parse(kRequest);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind(), StunClass::kRequest);
  EXPECT_EQ(message->username(), "evtj:h6vY");
  EXPECT_EQ(load_u32(*message->find(StunAttribute::kPriority), 0), 0x6e0001ffU);
  EXPECT_TRUE(message->find(StunAttribute::kIceControlled));
  EXPECT_FALSE(message->find(StunAttribute::kUseCandidate));
  EXPECT_FALSE(message->unknown_attribute()) << "SOFTWARE need not be understood";
  EXPECT_TRUE(message->is_signed_with(kPassword));
  EXPECT_FALSE(message->is_signed_with("VOkJxbRl1RmTxUk/WvJxBs"));
  EXPECT_FALSE(message->is_signed_with(""));
}

TEST(StunMessage, ReadsTheResponseOfTheRfc) {
  const auto message = StunMessage::parse(kResponse);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind(), StunClass::kSuccess);
  EXPECT_EQ(message->xor_mapped_address(), Endpoint::parse("192.0.2.1:32853"));
  EXPECT_TRUE(message->is_signed_with(kPassword));
}

TEST(StunMessage, EveryChangedBitIsNoticed) {
  for (std::size_t bit = 0; bit < 8 * kRequest.size(); ++bit) {
    Packet forged = kRequest;
    forged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(StunMessage::parse(forged)) << bit;
  }
  for (std::size_t size = 0; size < kRequest.size(); ++size)
    EXPECT_FALSE(StunMessage::parse(Bytes(kRequest).first(size))) << size;
}

TEST(StunMessage, ReadsWhatItWrites) {
  const StunTransaction transaction{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  for (const char* each : {"192.0.2.1:32853", "[2001:db8::1]:1", "0.0.0.0:65535"}) {
    std::array<std::uint8_t, StunWriter::kMaxBytes> buffer{};
    StunWriter writer(buffer, StunClass::kSuccess, transaction);
    writer.add_xor_mapped_address(*Endpoint::parse(each));
    const auto message = StunMessage::parse(writer.sign("secret"));
    ASSERT_TRUE(message) << each;
    EXPECT_EQ(message->transaction(), transaction);
    EXPECT_EQ(message->xor_mapped_address(), Endpoint::parse(each));
    EXPECT_TRUE(message->is_signed_with("secret"));
  }
}

TEST(StunMessage, AnIndicationNeedsNoAttribute) {
  std::vector<std::uint8_t> indication{0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1,  2,
                                       3, 4,    5, 6, 7,    8,    9,    10,   11, 12};
  EXPECT_TRUE(is_binding_indication(indication));
  for (std::size_t bytes = 0; bytes < indication.size(); ++bytes)
    EXPECT_FALSE(is_binding_indication(Bytes(indication).first(bytes)));
  indication[1] = 1;
  EXPECT_FALSE(is_binding_indication(indication)) << "a request";
  indication[1] = 0x11;
  indication[4] = 0;
  EXPECT_FALSE(is_binding_indication(indication)) << "no STUN";
  indication[4] = 0x21;
  indication[3] = 4;
  EXPECT_FALSE(is_binding_indication(indication)) << "not whole";
}

TEST(StunMessage, WhatStandsBehindTheIntegrityIsNotFound) {
  std::array<std::uint8_t, StunWriter::kMaxBytes> buffer{};
  StunWriter writer(buffer, StunClass::kRequest, {});
  const std::array<std::uint8_t, 20> zeros{};
  writer.add(StunAttribute::kMessageIntegrity, zeros);
  writer.add(StunAttribute::kUseCandidate, {});
  const Bytes signed_again = writer.sign("secret");
  const auto message = StunMessage::parse(signed_again);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->find(StunAttribute::kUseCandidate));
  EXPECT_FALSE(message->is_signed_with("secret")) << "the first one counts";
}

}  // namespace
}  // namespace vas::ice
