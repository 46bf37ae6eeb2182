#include "signaling/sip/digest.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

// RFC 7616 §3.9.1: one request, both algorithms.
constexpr const char* kClientNonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
const Credentials kMufasa{"Mufasa", "Circle of Life", {}};

std::string challenge(const std::string& algorithm, const std::string& more = ", qop=\"auth, auth-int\"") {
  return "Digest realm=\"http-auth@example.org\"" + more + ", algorithm=" + algorithm +
         ", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
         "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
}

std::string answer(const std::string& value) {
  return digest_response(*DigestChallenge::parse(value), kMufasa, "GET", "/dir/index.html", kClientNonce, 1);
}

TEST(Digest, GivesTheResponsesOfTheRfc) {
  EXPECT_NE(answer(challenge("MD5")).find("response=\"8ca523f5e9506fed4657c9700eebdbec\""),
            std::string::npos);
  const std::string sha256 = answer(challenge("SHA-256"));
  EXPECT_NE(sha256.find("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
            std::string::npos);
  EXPECT_NE(sha256.find("qop=auth, nc=00000001"), std::string::npos);
  EXPECT_NE(sha256.find("opaque=\"FQhe/"), std::string::npos);
}

TEST(Digest, DoesWithoutQopForOldServers) {
  const std::string value = answer(challenge("MD5", ""));
  EXPECT_EQ(value.find("qop"), std::string::npos);
  EXPECT_EQ(value.find("cnonce"), std::string::npos);
}

TEST(Digest, LeavesOutWhatItCannotAnswer) {
  for (const char* value : {"Basic realm=\"x\"", "Digest realm=\"x\"", "Digest nonce=\"", "",
                            "Digest nonce=\"n\", qop=\"auth-int\"", "Digest nonce=\"n\", algorithm=MD5-sess"})
    EXPECT_FALSE(DigestChallenge::parse(value)) << value;
  EXPECT_FALSE(DigestChallenge::parse(challenge("SHA-512-256")));
  EXPECT_TRUE(
      is_stronger(*DigestChallenge::parse(challenge("SHA-256")), *DigestChallenge::parse(challenge("MD5"))));
  EXPECT_FALSE(
      is_stronger(*DigestChallenge::parse(challenge("MD5")), *DigestChallenge::parse(challenge("MD5"))));
}

TEST(Digest, ReadsSeveralChallengesOfOneField) {
  const auto nonces = [](std::string_view field) {
    std::string all;
    for (const DigestChallenge& each : challenges_in(field)) all += each.nonce + ' ';
    return all;
  };
  EXPECT_EQ(nonces("Digest realm=\"r\", nonce=\"1\", algorithm=SHA-256, Digest realm=\"r\", nonce=\"2\""),
            "1 2 ");
  EXPECT_EQ(nonces("Negotiate abc==, Digest nonce=\"a,b=c\" , Basic, digest nonce=\"d \\\" e=\""),
            "a,b=c d \" e= ");
  EXPECT_EQ(nonces("Digest nonce = \"1\", realm = \"Digest x=y, z\""), "1 ");
  EXPECT_EQ(nonces(", ,"), "");
  const std::string long_one = "Digest nonce=\"" + std::string(2100, 'x') + "\"";
  EXPECT_EQ(nonces(long_one), "");
}

TEST(Digest, QuotesWhatItRepeats) {
  const auto parsed = DigestChallenge::parse("Digest realm=\"a\\\"b\", nonce=\"n\"");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->realm, "a\"b");
  EXPECT_NE(digest_response(*parsed, kMufasa, "INVITE", "sip:x", "c", 1).find("realm=\"a\\\"b\""),
            std::string::npos);
  EXPECT_FALSE(DigestChallenge::parse("Digest realm=\"a\r\nX: y\", nonce=\"n\""));
}

}  // namespace
}  // namespace vas::signaling
