#include "signaling/sdp/offer_answer.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

using media::Codec;

AudioDescription with(std::vector<AudioFormat> formats) { return {.formats = std::move(formats)}; }

TEST(OfferAnswer, SharedFormatsKeepOnesTypesAndTellItTheOthersWishes) {
  const auto one = with({{{111}, Codec::kOpus, 48000, "mine"},
                         {{0}, Codec::kPcmu, 8000, ""},
                         {{101}, Codec::kTelephoneEvent, 8000, "0-15"}});
  const auto other =
      with({{{101}, Codec::kTelephoneEvent, 48000, "0-11"}, {{96}, Codec::kOpus, 48000, "theirs"}});
  const auto shared = shared_formats(one, other);
  ASSERT_EQ(shared.size(), 2u);
  EXPECT_EQ(shared[0], (AudioFormat{{111}, Codec::kOpus, 48000, "theirs"}));
  EXPECT_EQ(shared[1].payload_type, media::PayloadType{101});
  EXPECT_TRUE(shared_formats(one, with({{{8}, Codec::kPcma, 8000, ""}})).empty());
}

TEST(OfferAnswer, ComfortNoiseIsSharedWhereBothHaveItAtTheClockOfACodec) {
  const AudioFormat pcmu{{0}, Codec::kPcmu, 8000, ""}, opus{{111}, Codec::kOpus, 48000, ""};
  const AudioFormat noise{{13}, Codec::kComfortNoise, 8000, ""}, wide{{98}, Codec::kComfortNoise, 32000, ""};
  EXPECT_EQ(shared_formats(with({pcmu, noise, wide}), with({pcmu, noise, wide})).size(), 2u);
  EXPECT_EQ(shared_formats(with({pcmu, noise}), with({pcmu})).size(), 1u);
  EXPECT_EQ(shared_formats(with({pcmu, noise}), with({pcmu, wide})).size(), 1u);
  EXPECT_EQ(shared_formats(with({opus, noise}), with({opus, noise})).size(), 1u);
  EXPECT_FALSE(with({noise}).has_audio_codec());
}

TEST(Rfc3264Section6_1, TheAnswersDirectionFitsTheOffers) {
  const Direction sendrecv{true, true}, sendonly{true, false}, recvonly{false, true}, inactive{false, false};
  EXPECT_EQ(answer_direction(sendonly, sendrecv), recvonly);
  EXPECT_EQ(answer_direction(recvonly, sendrecv), sendonly);
  EXPECT_EQ(answer_direction(sendrecv, recvonly), recvonly);
  EXPECT_EQ(answer_direction(inactive, sendrecv), inactive);
  EXPECT_EQ(answer_direction(sendonly, sendonly), inactive);
}

}  // namespace
}  // namespace vas::signaling
