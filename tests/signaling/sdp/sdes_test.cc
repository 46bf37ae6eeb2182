#include "signaling/sdp/sdes.h"

#include <gtest/gtest.h>

#include "signaling/sdp/sdp.h"

namespace vas::signaling {
namespace {

constexpr std::string_view kKey = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";  // RFC 4568 §4.1

SdesRules rules(MediaEncryption wanted, bool is_safe = true) {
  return {.wanted = wanted, .is_signaling_safe = is_safe};
}

AudioDescription offer(MediaProtocol protocol, std::initializer_list<std::string> lines) {
  AudioDescription audio{.protocol = protocol};
  for (const std::string& each : lines) {
    if (const auto crypto = parse_crypto(each)) audio.crypto.push_back(*crypto);
  }
  return audio;
}

std::string line(int tag, std::string_view suite = "AES_CM_128_HMAC_SHA1_80") {
  return std::to_string(tag) + " " + std::string(suite) + " inline:" + std::string(kKey);
}

TEST(Sdes, ReadsWhatItWrites) {
  for (const media::SrtpSuiteShape& each : media::srtp_suites()) {
    const CryptoAttribute attribute{7, media::SrtpKey::random(each.suite)};
    EXPECT_EQ(parse_crypto(to_string(attribute)), attribute) << each.name;
  }
}

TEST(Sdes, ReadsALifetimeAndPaddingOrNone) {
  EXPECT_TRUE(parse_crypto(line(1)));
  EXPECT_TRUE(parse_crypto(line(1) + "|2^31"));
  EXPECT_TRUE(parse_crypto(line(1) + " WSH=64"));
  const std::string padded =
      to_string(CryptoAttribute{1, media::SrtpKey::random(media::SrtpSuite::kAeadAes128Gcm)});
  ASSERT_TRUE(padded.ends_with("=="));
  EXPECT_EQ(parse_crypto(padded), parse_crypto(padded.substr(0, padded.size() - 2)));
}

// RFC 4568 §6.1: behind a lifetime or without one.
TEST(Sdes, ReadsAndWritesTheIdentifierOfAMasterKey) {
  for (const char* each : {"|2^20|", "|"}) {
    const auto crypto = parse_crypto(line(1) + each + "1066:4");
    ASSERT_TRUE(crypto) << each;
    EXPECT_EQ(crypto->key.identifier(), (media::MasterKeyIdentifier{.value = 1066, .bytes = 4}));
    EXPECT_EQ(to_string(*crypto), line(1) + "|1066:4");
    EXPECT_NE(*crypto, *parse_crypto(line(1)));
  }
  EXPECT_TRUE(parse_crypto(line(1) + "|255:1"));
  EXPECT_TRUE(parse_crypto(line(1) + "|18446744073709551615:8"));
  EXPECT_TRUE(parse_crypto(line(1) + "|1:128"));
}

TEST(Sdes, OursHasTheIdentifierThatTheirsHas) {
  const AudioDescription offered = offer(MediaProtocol::kRtpSavp, {line(1) + "|2^31|7:1"});
  const auto first = answer_sdes(offered, rules(MediaEncryption::kOptional), {});
  ASSERT_TRUE(first.keys);
  EXPECT_EQ(first.keys->theirs.identifier(), (media::MasterKeyIdentifier{.value = 7, .bytes = 1}));
  EXPECT_EQ(first.keys->ours.identifier(), first.keys->theirs.identifier());
  const auto again = answer_sdes(offered, rules(MediaEncryption::kOptional), first.keys);
  EXPECT_EQ(again.keys->ours, first.keys->ours);
}

TEST(Sdes, WhyDtlsCannotBeIsSaid) {
  using enum MediaEncryption;
  AudioDescription audio{.protocol = MediaProtocol::kUdpTlsRtpSavpf};
  EXPECT_NE(answer_sdes(audio, rules(kOptional), {}).refused.find("fingerprint"), std::string::npos);
  for (const MediaProtocol each : {MediaProtocol::kUdpTlsRtpSavpf, MediaProtocol::kRtpSavp}) {
    audio = {.protocol = each, .weak_hash = "sha-1"};
    EXPECT_NE(answer_sdes(audio, rules(kOptional), {}).refused.find("sha-1"), std::string::npos);
    EXPECT_NE(answer_sdes(audio, rules(kOptional, false), {}).refused.find("sha-1"), std::string::npos);
    EXPECT_EQ(answer_sdes(audio, rules(kNone), {}).refused, "Encrypted media is not taken here");
  }
  audio.protocol = MediaProtocol::kRtpAvp;
  EXPECT_EQ(answer_sdes(audio, rules(kOptional), {}).refused, "") << "then it stays plain";
  EXPECT_NE(answer_sdes(audio, rules(kRequired), {}).refused.find("sha-1"), std::string::npos);
  audio = offer(MediaProtocol::kUdpTlsRtpSavpf, {line(1)});
  EXPECT_NE(answer_sdes(audio, rules(kOptional), {}).refused, "") << "keys in SDP have no place there";
}

TEST(Sdes, PassesOverWhatItDoesNotSpeak) {
  for (const std::string& each :
       std::vector<std::string>{std::string(),
                                std::string("1"),
                                std::string("1 AES_CM_128_HMAC_SHA1_80"),
                                line(1) + "|2^20|256:1",
                                line(1) + "|1:0",
                                line(1) + "|1:129",
                                line(1) + "|:4",
                                line(1) + "|1:",
                                line(1) + "|1:4|2^20",
                                line(1) + "|2^20|1:4|2:4",
                                line(1) + "|-1:4",
                                line(1) + "|1:4;inline:" + std::string(kKey) + "|2:4",
                                line(1) + ";inline:" + std::string(kKey),
                                line(1) + " UNENCRYPTED_SRTP",
                                line(1) + " KDR=1",
                                line(1).substr(1),
                                "x" + line(1),
                                "9999999999" + line(1),
                                line(1, "F8_128_HMAC_SHA1_80"),
                                line(1, "AEAD_AES_128_GCM"),
                                "1 AES_CM_128_HMAC_SHA1_80 inline:short",
                                "1 AES_CM_128_HMAC_SHA1_80 inline:" + std::string(39, '!') + "a",
                                "1 AES_CM_128_HMAC_SHA1_80 inline:" + std::string(4000, 'A'),
                                "1 AES_CM_128_HMAC_SHA1_80 prompt:" + std::string(kKey)})
    EXPECT_FALSE(parse_crypto(each)) << each;
}

TEST(Sdes, TakesTheFirstSuiteOfTheOfferAndKeepsOurKeyWithIt) {
  const AudioDescription offered =
      offer(MediaProtocol::kRtpSavp, {line(5, "AES_CM_128_HMAC_SHA1_32"), line(6)});
  const auto first = answer_sdes(offered, rules(MediaEncryption::kOptional), {});
  ASSERT_TRUE(first.keys);
  EXPECT_EQ(first.keys->tag, 5u);
  EXPECT_EQ(first.keys->ours.suite(), media::SrtpSuite::kAesCm128HmacSha1_32);
  EXPECT_EQ(first.keys->theirs, offered.crypto[0].key);
  EXPECT_NE(first.keys->ours, first.keys->theirs);
  const auto again = answer_sdes(offered, rules(MediaEncryption::kOptional), first.keys);
  EXPECT_EQ(again.keys->ours, first.keys->ours);
  const auto other =
      answer_sdes(offer(MediaProtocol::kRtpSavp, {line(6)}), rules(MediaEncryption::kOptional), first.keys);
  EXPECT_EQ(other.keys->ours.suite(), media::SrtpSuite::kAesCm128HmacSha1_80);
}

struct Case {
  MediaProtocol protocol;
  bool has_crypto;
  MediaEncryption wanted;
  bool is_safe;
  bool gets_keys;
  bool is_refused;
};

TEST(Sdes, GivesKeysOnlyWhereBothWantThemAndNobodyReadsThem) {
  using enum MediaEncryption;
  constexpr auto kPlain = MediaProtocol::kRtpAvp, kSecure = MediaProtocol::kRtpSavp;
  for (const Case& each :
       {Case{kPlain, false, kNone, true, false, false}, Case{kPlain, true, kNone, true, false, false},
        Case{kSecure, true, kNone, true, false, true}, Case{kPlain, false, kOptional, true, false, false},
        Case{kPlain, true, kOptional, true, true, false}, Case{kPlain, true, kOptional, false, false, false},
        Case{kSecure, true, kOptional, true, true, false}, Case{kSecure, true, kOptional, false, false, true},
        Case{kSecure, false, kOptional, true, false, true}, Case{kPlain, false, kRequired, true, false, true},
        Case{kPlain, true, kRequired, true, true, false}, Case{kPlain, true, kRequired, false, false, true},
        Case{kSecure, true, kRequired, true, true, false}}) {
    AudioDescription audio = offer(each.protocol, {});
    if (each.has_crypto) audio = offer(each.protocol, {line(1)});
    const auto outcome = answer_sdes(audio, rules(each.wanted, each.is_safe), {});
    EXPECT_EQ(outcome.keys.has_value(), each.gets_keys)
        << to_string(each.wanted) << each.is_safe << each.has_crypto;
    EXPECT_EQ(!outcome.refused.empty(), each.is_refused) << outcome.refused;
  }
}

TEST(Sdes, AnAnswerNamesOneOfTheOfferedSuites) {
  const SdesRules wanted = rules(MediaEncryption::kRequired);
  const auto offered = offer_sdes(wanted, {});
  ASSERT_EQ(offered.size(), media::srtp_suites().size());
  const auto& chosen = offered[2];
  const std::string answer =
      to_string(CryptoAttribute{chosen.tag, media::SrtpKey::random(chosen.key.suite())});
  const auto outcome = complete_sdes(offered, offer(MediaProtocol::kRtpSavp, {answer}), wanted);
  ASSERT_TRUE(outcome.keys) << outcome.refused;
  EXPECT_EQ(outcome.keys->ours, chosen.key);
  EXPECT_NE(complete_sdes(offered, offer(MediaProtocol::kRtpSavp, {line(1)}), wanted).refused, "")
      << "tag 1 is another suite";
  EXPECT_NE(complete_sdes(offered, offer(MediaProtocol::kRtpSavp, {line(9)}), wanted).refused, "");
  EXPECT_NE(complete_sdes(offered, offer(MediaProtocol::kRtpAvp, {}), wanted).refused, "")
      << "encryption is required";
  EXPECT_EQ(
      complete_sdes(offered, offer(MediaProtocol::kRtpAvp, {}), rules(MediaEncryption::kOptional)).refused,
      "");
  EXPECT_TRUE(offer_sdes(rules(MediaEncryption::kRequired, false), {}).empty());
  const auto renewed = offer_sdes(wanted, outcome.keys);
  ASSERT_EQ(renewed.size(), 1u);
  EXPECT_EQ(renewed[0].key, chosen.key);
}

}  // namespace
}  // namespace vas::signaling
