#include "signaling/sdp/sdp.h"

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

TEST(Sdp, ReadsComfortNoiseAndMaxptimeAndMappedAddresses) {
  const auto description = SessionDescription::parse(
      "v=0\r\nc=IN IP6 ::ffff:192.0.2.1\r\nm=audio 4000 RTP/AVP 0 13 98\r\na=rtpmap:98 CN/16000\r\n"
      "a=ptime:20\r\na=maxptime:60\r\na=rtcp:4444 IN IP6 ::ffff:192.0.2.2\r\n");
  ASSERT_TRUE(description && description->audio_line);
  const AudioDescription& audio = description->audio;
  EXPECT_EQ(audio.rtp, *Endpoint::parse("192.0.2.1:4000"));
  EXPECT_EQ(audio.rtcp, *Endpoint::parse("192.0.2.2:4444"));
  ASSERT_EQ(audio.formats.size(), 3u);
  EXPECT_EQ(audio.formats[1].codec, media::Codec::kComfortNoise);
  EXPECT_EQ(audio.formats[1].clock_rate, 8000u);
  EXPECT_EQ(audio.formats[2].clock_rate, 16000u);
  EXPECT_EQ(audio.maxptime_ms, 60);
  EXPECT_NE(write_offer({1, 1}, audio).find("a=ptime:20\r\na=maxptime:60\r\n"), std::string::npos);
  EXPECT_NE(write_offer({1, 1}, audio).find("a=rtpmap:13 CN/8000\r\n"), std::string::npos);
  for (const char* bad : {"0", "-20", "x", "100000"}) {
    const auto odd = SessionDescription::parse(
        std::string("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=maxptime:") + bad + "\r\n");
    EXPECT_FALSE(odd->audio.maxptime_ms) << bad;
  }
}

TEST(Rfc3264Section6, AnswerKeepsTheOrderOfMediaLinesAndRefusesTheOthers) {
  const auto offer = *SessionDescription::parse(kOffer);
  AudioDescription ours = offer.audio;
  ours.rtp = *Endpoint::parse("198.51.100.1:20000");
  const auto answer = SessionDescription::parse(write_answer({5, 1}, offer, ours));
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->lines.size(), 2u);
  EXPECT_EQ(answer->lines[0].kind, "video");
  EXPECT_NE(
      write_answer({5, 1}, offer, ours).find("m=video 0 RTP/AVP 96\r\nc=IN IP4 198.51.100.1\r\nm=audio"),
      std::string::npos)
      << "RFC 8866 §5.7: each media description has a c= where the session has none";
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
        "c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/XYZ 0", "m=audio 0 RTP/AVP 0"}) {
    const auto description = SessionDescription::parse(std::string("v=0\r\n") + line + "\r\n");
    ASSERT_TRUE(description) << line;
    EXPECT_FALSE(description->audio_line) << line;
  }
}

TEST(Sdp, AudioWithoutAnyAddressIsNoDescription) {
  EXPECT_FALSE(SessionDescription::parse("v=0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"));
  EXPECT_FALSE(SessionDescription::parse(
      "v=0\r\nm=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\nc=IN IP4 192.0.2.1\r\n"));
  EXPECT_TRUE(SessionDescription::parse(
      "v=0\r\nm=video 4002 RTP/AVP 96\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n"));
}

TEST(Sdp, G722IsG722BeItsClockWrittenAsItsSamplingRate) {
  for (const char* rtpmap : {"9 G722/8000", "9 G722/16000", "98 g722/16000/1"}) {
    const std::string number(rtpmap, std::string_view(rtpmap).find(' '));
    const auto parsed = SessionDescription::parse("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP " +
                                                  number + "\r\na=rtpmap:" + rtpmap + "\r\n");
    ASSERT_TRUE(parsed && parsed->audio.has_audio_codec()) << rtpmap;
    EXPECT_EQ(parsed->audio.formats[0].codec, media::Codec::kG722);
    EXPECT_EQ(parsed->audio.formats[0].clock_rate, 8000u) << "which RTP's ticks are (RFC 3551 section 4.5.2)";
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

// As Chromium writes it, without what does not matter here.
constexpr std::string_view kBrowserOffer =
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "a=fingerprint:sha-256 "
    "F9:90:B5:1B:0F:AB:2F:F7:05:41:DC:0D:F3:D7:D8:80:0D:C6:B5:2F:61:A6:92:20:2F:51:41:46:51:9D:E0:47\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host generation 0\r\n"
    "a=candidate:2 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=ice-options:trickle\r\na=setup:actpass\r\n"
    "a=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n";

TEST(Rfc8839, ReadsABrowsersOffer) {
  const auto offer = SessionDescription::parse(kBrowserOffer);
  ASSERT_TRUE(offer);
  const AudioDescription& audio = offer->audio;
  EXPECT_EQ(audio.protocol, MediaProtocol::kUdpTlsRtpSavpf);
  ASSERT_TRUE(audio.dtls && audio.ice);
  EXPECT_EQ(audio.dtls->setup, DtlsSetup::kActpass);
  EXPECT_EQ(audio.ice->ufrag, "abcd");
  EXPECT_FALSE(audio.ice->is_lite);
  EXPECT_EQ(audio.ice->candidates.size(), 1u);
  EXPECT_EQ(audio.direction, (Direction{true, true})) << "no address yet is no hold";
  EXPECT_EQ(audio.mid, "0");
  EXPECT_TRUE(audio.is_bundled);
}

TEST(Rfc8839, AnswersAsALiteSideThatIsPassive) {
  const auto offer = *SessionDescription::parse(kBrowserOffer);
  AudioDescription ours = offer.audio;
  ours.rtp = ours.rtcp = *Endpoint::parse("198.51.100.1:20000");
  ours.dtls->setup = DtlsSetup::kPassive;
  ours.ice = IceDescription{"ours", "ourPasswordOf22Chars+/1", true, {}};
  const std::string text = write_answer({5, 1}, offer, ours);
  for (const char* line : {"a=group:BUNDLE 0\r\n", "a=ice-lite\r\n", "a=mid:0\r\n", "a=setup:passive\r\n",
                           "m=audio 20000 UDP/TLS/RTP/SAVPF 111 0\r\n", "a=rtcp-mux\r\n",
                           "a=candidate:1 1 udp 2130706431 198.51.100.1 20000 typ host\r\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  const auto read = SessionDescription::parse(text);
  ASSERT_TRUE(read && read->audio.ice);
  EXPECT_TRUE(read->audio.ice->is_lite);
}

TEST(Rfc8839, CredentialsThatAreNoneAreNoIce) {
  for (const auto& [before, after] :
       {std::pair("ufrag:abcd", "ufrag:abc"), std::pair("ufrag:abcd", "ufrag:ab d"),
        std::pair("pwd:0123456789abcdefghijkl", "pwd:short"),
        std::pair("pwd:0123456789abcdefghijkl", "pwd:0123456789abcdefghijk:")}) {
    std::string text(kBrowserOffer);
    text.replace(text.find(before), std::string_view(before).size(), after);
    const auto offer = SessionDescription::parse(text);
    ASSERT_TRUE(offer);
    EXPECT_FALSE(offer->audio.ice) << after;
  }
}

TEST(Rfc8122, AFingerprintThatIsNoneIsNoDtls) {
  std::string text(kBrowserOffer);
  text.replace(text.find("sha-256"), 7, "sha-1  ");
  EXPECT_FALSE(SessionDescription::parse(text)->audio.dtls);
  EXPECT_EQ(SessionDescription::parse(text)->audio.weak_hash, "sha-1");
}

constexpr std::string_view kSha256 =
    "sha-256 F9:90:B5:1B:0F:AB:2F:F7:05:41:DC:0D:F3:D7:D8:80:0D:C6:B5:2F:61:A6:92:20:2F:51:41:46:51:9D:E0:47";
constexpr std::string_view kOtherSha256 =
    "sha-256 AA:90:B5:1B:0F:AB:2F:F7:05:41:DC:0D:F3:D7:D8:80:0D:C6:B5:2F:61:A6:92:20:2F:51:41:46:51:9D:E0:47";
constexpr std::string_view kSha1 = "SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";

AudioDescription with_fingerprints(std::string_view session, std::string_view media,
                                   std::string_view protocol) {
  std::string text = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
  text += std::string(session) + "m=audio 4000 " + std::string(protocol) + " 0\r\n" + std::string(media);
  return SessionDescription::parse(text)->audio;
}
std::string fingerprints(std::initializer_list<std::string_view> all) {
  std::string lines;
  for (const std::string_view each : all) lines += "a=fingerprint:" + std::string(each) + "\r\n";
  return lines;
}

TEST(Rfc8122, AnyFingerprintOfAKnownHashCountsWhateverTheProfileIs) {
  const auto known = *media::CertificateFingerprint::parse(kSha256);
  const auto other = *media::CertificateFingerprint::parse(kOtherSha256);
  for (const char* protocol :
       {"RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"}) {
    const auto audio =
        with_fingerprints("", fingerprints({kSha1, kSha256, "sha-256 zz", "odd", kSha256}), protocol);
    ASSERT_TRUE(audio.dtls) << protocol;
    EXPECT_EQ(audio.dtls->fingerprints, media::CertificateFingerprints(known));
    EXPECT_EQ(audio.weak_hash, "");
  }
  const auto two = with_fingerprints("", fingerprints({kOtherSha256, kSha256}), "RTP/SAVPF");
  EXPECT_EQ(two.dtls->fingerprints.all().size(), 2u);
  EXPECT_EQ(two.dtls->fingerprints,
            with_fingerprints("", fingerprints({kSha256, kOtherSha256}), "RTP/SAVPF").dtls->fingerprints)
      << "their order means nothing";
  const auto own = with_fingerprints(fingerprints({kSha256}), fingerprints({kOtherSha256}), "RTP/SAVPF");
  EXPECT_EQ(own.dtls->fingerprints, media::CertificateFingerprints(other)) << "in place of the session's";
}

TEST(Rfc8122, AWeakHashIsNamedWhereThereIsNoBetterOne) {
  EXPECT_EQ(with_fingerprints(fingerprints({kSha1}), "", "RTP/SAVP").weak_hash, "sha-1");
  EXPECT_EQ(with_fingerprints("", fingerprints({"md5 aa:bb"}), "RTP/SAVP").weak_hash, "md5");
  EXPECT_EQ(with_fingerprints("", fingerprints({"\"x\" aa", "sha-256 aa:bb"}), "RTP/SAVP").weak_hash, "");
  EXPECT_EQ(with_fingerprints("", "", "RTP/SAVP").weak_hash, "");
}

TEST(Rfc8122, FingerprintsAreBounded) {
  std::string lines;
  for (int i = 0; i < 30; ++i) {
    std::string line(kSha256);
    line[8] = static_cast<char>('0' + i % 10);
    line[9] = static_cast<char>('0' + i / 10);
    lines += "a=fingerprint:" + line + "\r\n";
  }
  EXPECT_EQ(with_fingerprints("", lines, "RTP/SAVPF").dtls->fingerprints.all().size(),
            media::CertificateFingerprints::kMost);
}

TEST(Rfc8842, ReadsAndWritesTheNameOfAnAssociation) {
  const std::string name = "abc3de65cddef001be82";
  for (const std::string& lines : {fingerprints({kSha256}) + "a=tls-id:" + name + "\r\n",
                                   "a=tls-id:" + name + "\r\n" + fingerprints({kSha256})}) {
    auto audio = with_fingerprints("", lines, "UDP/TLS/RTP/SAVP");
    EXPECT_EQ(audio.dtls->tls_id, name);
    EXPECT_NE(write_offer({1, 1}, audio).find("a=tls-id:" + name + "\r\n"), std::string::npos);
  }
  for (const std::string& odd : {std::string("short"), std::string(256, 'a'), name + "!", name + " b"})
    EXPECT_EQ(
        with_fingerprints("", fingerprints({kSha256}) + "a=tls-id:" + odd + "\r\n", "RTP/SAVPF").dtls->tls_id,
        "");
}

// RFC 8866 §5: a byte-string holds no NUL, CR or LF.
// An attribute that is no text is as though it were not there.
TEST(Sdp, IsOfTextAlone) {
  const auto with = [](const std::string& line) {
    return SessionDescription::parse(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=caf\xe9\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP "
        "0\r\n" +
        line + "\r\n");
  };
  EXPECT_EQ(with("a=fmtp:0 caf\xc3\xa9")->audio.formats[0].fmtp, "caf\xc3\xa9");
  for (const std::string& bytes :
       std::vector<std::string>{"\xff", "\x1b[31m", "\x7f", "\xc2\x9b", "\xed\xa0\x80"})
    EXPECT_EQ(with("a=fmtp:0 x" + bytes)->audio.formats[0].fmtp, "") << bytes;
  for (const std::string& end : {std::string("\r"), std::string("\0", 1)}) {
    const auto read = with("a=fmtp:0 x" + end + "a=ice-ufrag:abcd");
    EXPECT_EQ(read->audio.formats[0].fmtp, "");
    EXPECT_TRUE(with("i=x" + end));
    EXPECT_FALSE(with("m=video" + end + " 0 RTP/AVP 31"));
  }
  EXPECT_FALSE(with("m=video\x1b 0 RTP/AVP 31"));
  EXPECT_FALSE(with("c=IN IP4 192.0.2.1\xff"));
}

}  // namespace
}  // namespace vas::signaling
