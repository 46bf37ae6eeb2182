#include "media/telephone_event.h"

#include <gtest/gtest.h>

#include "tests/support/rtp_builder.h"

namespace vas::media {
namespace {

TEST(TelephoneEvent, ReadsDigitEndAndDuration) {
  const std::vector<std::uint8_t> payload = {11, 0x8a, 0x03, 0x20};
  const auto event = TelephoneEvent::parse(payload);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->digit(), '#');
  EXPECT_TRUE(event->is_end);
  EXPECT_EQ(event->duration, 800);
  EXPECT_FALSE(TelephoneEvent::parse(Bytes(payload).first(3)));
}

TEST(TelephoneEventCounter, CountsAPressOnceHoweverManyPacketsCarryIt) {
  TelephoneEventCounter counter;
  for (const std::uint32_t press : {100u, 100u, 100u, 900u, 900u}) {
    const auto bytes = build_rtp({.timestamp = {press}, .payload = {5, 10, 0, 160}});
    counter.on_event(*RtpPacket::parse(bytes));
  }
  EXPECT_EQ(counter.count(), 2u);
}

}  // namespace
}  // namespace vas::media
