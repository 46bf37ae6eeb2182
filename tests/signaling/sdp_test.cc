#include "signaling/sdp.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

// From a browser-like phone: two codecs that we know, one that we do not, DTMF, RTCP elsewhere, video.
constexpr std::string_view kOffer =
    "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\n"
    "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
    "m=audio 4000 RTP/AVP 111 18 0 101\r\nc=IN IP4 192.0.2.9\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 "
    "useinbandfec=1\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=rtcp:4444 IN IP4 192.0.2.10\r\n";

TEST(Sdp, ReadsTheFirstAudioLineThatIsPlainRtp) {
  const auto description = SessionDescription::parse(kOffer);
  ASSERT_TRUE(description);
  EXPECT_EQ(description->audio_line, 1u);
  const AudioDescription& audio = description->audio;
  EXPECT_EQ(to_string(audio.rtp), "192.0.2.9:4000");
  EXPECT_EQ(to_string(audio.rtcp), "192.0.2.10:4444");
  EXPECT_EQ(audio.direction, (Direction{true, false}));
  EXPECT_EQ(audio.ptime_ms, 20);
  ASSERT_EQ(audio.formats.size(), 3u);
  EXPECT_EQ(audio.formats[0].codec, media::Codec::kOpus);
  EXPECT_EQ(audio.formats[0].fmtp, "useinbandfec=1");
  EXPECT_EQ(audio.formats[1].codec, media::Codec::kPcmu);  // static: no rtpmap needed
}

TEST(Rfc3264Section6, AnswerKeepsTheOrderOfMediaLinesAndRefusesTheOthers) {
  const auto offer = *SessionDescription::parse(kOffer);
  AudioDescription ours = offer.audio;
  ours.rtp = *Endpoint::parse("198.51.100.1:20000");
  const auto answer = SessionDescription::parse(write_answer({5, 1}, offer, ours));
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->lines.size(), 2u);
  EXPECT_EQ(answer->lines[0].kind, "video");
  EXPECT_EQ(answer->audio_line, 1u);
  EXPECT_EQ(to_string(answer->audio.rtp), "198.51.100.1:20000");
}

TEST(Sdp, WritesWhatItReads) {
  AudioDescription audio = SessionDescription::parse(kOffer)->audio;
  audio.rtcp = *Endpoint::parse("192.0.2.9:4001");
  EXPECT_EQ(SessionDescription::parse(write_offer({1, 1}, audio))->audio, audio);
  audio.rtp = *Endpoint::parse("[2001:db8::1]:4000");
  audio.rtcp = *Endpoint::parse("[2001:db8::1]:4001");
  EXPECT_EQ(SessionDescription::parse(write_offer({1, 1}, audio))->audio, audio);
}

TEST(Sdp, ANameOrAZeroPortOrAStrangeProtocolIsNoAudioOfOurs) {
  for (const char* line :
       {"c=IN IP4 host.example\r\nm=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.1\r\nm=audio 0 RTP/AVP 0",
        "c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/XYZ 0", "m=audio 4000 RTP/AVP 0"}) {
    const auto description = SessionDescription::parse(std::string("v=0\r\n") + line + "\r\n");
    ASSERT_TRUE(description) << line;
    EXPECT_FALSE(description->audio_line) << line;
  }
}

TEST(Sdp, AnUnspecifiedAddressIsHold) {
  const auto description = SessionDescription::parse("v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n");
  EXPECT_FALSE(description->audio.direction.receives);
}

TEST(Sdp, KeepsItsBounds) {
  std::string many = "v=0\r\nc=IN IP4 192.0.2.1\r\n";
  for (int i = 0; i < 17; ++i) many += "m=audio 4000 RTP/AVP 0\r\n";
  EXPECT_FALSE(SessionDescription::parse(many));
  std::string formats = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP";
  for (int i = 0; i < 65; ++i) formats += " 0";
  EXPECT_FALSE(SessionDescription::parse(formats + "\r\n"));
  EXPECT_FALSE(
      SessionDescription::parse("v=0\r\na=" + std::string(1100, 'x') + "\r\nm=audio 1 RTP/AVP 0\r\n"));
  for (const char* text : {"", "v=0", "x", "v=0\r\nm=audio\r\n", "v=0\r\nm=audio x\r\n"})
    EXPECT_FALSE(SessionDescription::parse(text)) << text;
}

TEST(Sdp, EveryTruncationIsSurvived) {
  for (std::size_t size = 0; size < kOffer.size(); ++size) {
    const auto description = SessionDescription::parse(kOffer.substr(0, size));
    EXPECT_LE(description ? description->lines.size() : 0, 2u);
  }
}

}  // namespace
}  // namespace vas::signaling
