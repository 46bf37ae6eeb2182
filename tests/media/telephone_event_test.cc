#include "media/telephone_event.h"

#include <gtest/gtest.h>

#include "tests/support/rtp_builder.h"

namespace vas::media {
namespace {

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
