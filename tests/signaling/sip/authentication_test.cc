#include "signaling/sip/authentication.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

ChallengeField challenge(const std::string& realm, const std::string& nonce, bool is_proxy = true,
                         bool is_stale = false) {
  return {is_proxy, "Digest realm=\"" + realm + "\", nonce=\"" + nonce + "\", qop=\"auth\"" +
                        (is_stale ? ", stale=true" : "")};
}

class AuthenticationTest : public testing::Test {
 protected:
  AuthenticationTest() { authentication_.use({"us", "secret", {}}); }
  // The answers of the next request, whose challenge is judged next.
  std::vector<Header> send(const char* method = "INVITE") {
    carried_.clear();
    return authentication_.answers(method, "sip:1@carrier", carried_);
  }
  bool challenged(const std::vector<ChallengeField>& fields) {
    return authentication_.apply(fields, carried_);
  }

  Authentication authentication_;
  std::vector<CarriedCredentials> carried_;
};

TEST_F(AuthenticationTest, IsCarriedByEachLaterRequestAndItsUsesAreCounted) {
  EXPECT_TRUE(send().empty());
  EXPECT_TRUE(challenged({challenge("c", "n1")}));
  const auto first = send();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].name, "Proxy-Authorization");
  EXPECT_NE(first[0].value.find("nc=00000001"), std::string::npos);
  EXPECT_NE(send("BYE")[0].value.find("nc=00000002"), std::string::npos);
}

TEST_F(AuthenticationTest, AFreshNoncesRefusalIsAWrongPassword) {
  send();
  EXPECT_TRUE(challenged({challenge("c", "n1")}));
  send();
  EXPECT_FALSE(challenged({challenge("c", "n2")}));
}

TEST_F(AuthenticationTest, ANonceThatHasServedIsReplacedWithoutStale) {
  send();
  challenged({challenge("c", "n1")});
  send();
  send("BYE");
  EXPECT_TRUE(challenged({challenge("c", "n2")}));
  const auto again = send("BYE");
  EXPECT_NE(again[0].value.find("nonce=\"n2\""), std::string::npos);
  EXPECT_NE(again[0].value.find("nc=00000001"), std::string::npos);
  EXPECT_FALSE(challenged({challenge("c", "n3")}));
}

TEST_F(AuthenticationTest, AStaleNonceIsReplacedThoughItWasFresh) {
  send();
  challenged({challenge("c", "n1")});
  send();
  EXPECT_TRUE(challenged({challenge("c", "n2", true, true)}));
}

TEST_F(AuthenticationTest, AProxyAndAServerAreAnsweredSideBySide) {
  send();
  EXPECT_TRUE(challenged({challenge("proxy", "p1")}));
  send();
  EXPECT_TRUE(challenged({challenge("server", "s1", false)}));
  auto both = send();
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].name, "Proxy-Authorization");
  EXPECT_EQ(both[1].name, "Authorization");
  // A proxy whose nonces serve once: it let the request before this one through.
  EXPECT_TRUE(challenged({challenge("proxy", "p2")}));
  both = send();
  EXPECT_NE(both[0].value.find("nonce=\"p2\""), std::string::npos);
  EXPECT_NE(both[1].value.find("nc=00000002"), std::string::npos);
}

TEST_F(AuthenticationTest, SeveralRealmsAtOnceAreAllAnswered) {
  send();
  EXPECT_TRUE(challenged({challenge("a", "1"), challenge("b", "2"), challenge("c", "3", false)}));
  EXPECT_EQ(send().size(), 3u);
}

TEST_F(AuthenticationTest, RequestsThatCrossAreJudgedByWhatEachCarried) {
  send();
  challenged({challenge("c", "n1")});
  send();
  std::vector<CarriedCredentials> info, offer;
  authentication_.answers("INFO", "sip:x", info);
  authentication_.answers("INVITE", "sip:x", offer);
  EXPECT_TRUE(authentication_.apply({challenge("c", "n2")}, info));
  info.clear();
  authentication_.answers("INFO", "sip:x", info);
  EXPECT_TRUE(authentication_.apply({challenge("c", "n3")}, offer));
}

TEST_F(AuthenticationTest, OnlyTheTrunksRealmIsAnsweredWhereItHasOne) {
  authentication_.use({"us", "secret", "carrier"});
  EXPECT_FALSE(challenged({challenge("phishing", "n")}));
  EXPECT_TRUE(challenged({challenge("phishing", "n"), challenge("carrier", "n")}));
  EXPECT_EQ(send().size(), 1u);
}

TEST_F(AuthenticationTest, WithoutAUserNothingIsAnswered) {
  authentication_.use({});
  EXPECT_FALSE(challenged({challenge("c", "n")}));
  EXPECT_FALSE(challenged({}));
}

TEST_F(AuthenticationTest, NoMoreRealmsThanABoundAreAnswered) {
  for (std::size_t i = 0; i < Authentication::kMaxRealms; ++i)
    EXPECT_TRUE(challenged({challenge("r" + std::to_string(i), "n")}));
  EXPECT_FALSE(challenged({challenge("one too many", "n")}));
  EXPECT_EQ(send().size(), Authentication::kMaxRealms);
}

TEST_F(AuthenticationTest, OfOneRealmTheStrongestIsTaken) {
  const std::string both =
      "Digest realm=\"r\", nonce=\"10\", algorithm=SHA-256, Digest realm=\"r\", nonce=\"11\", algorithm=MD5";
  EXPECT_TRUE(challenged({{false, both}}));
  const auto answers = send();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_NE(answers[0].value.find("nonce=\"10\""), std::string::npos);
  EXPECT_NE(answers[0].value.find("algorithm=SHA-256"), std::string::npos);
}

}  // namespace
}  // namespace vas::signaling
