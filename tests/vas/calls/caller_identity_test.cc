#include "vas/calls/caller_identity.h"

#include <gtest/gtest.h>

namespace vas::calls {
namespace {

using directory::IdentityRule;
using signaling::InviteReceived;

CallerIdentity identity(std::string asserted, std::string privacy = "") {
  InviteReceived invite;
  invite.asserted_identity = std::move(asserted);
  invite.privacy = std::move(privacy);
  return identity_of(invite);
}

std::string told(const CallerIdentity& identity, IdentityRule rule) {
  std::string all;
  for (const auto& each : identity_headers(identity, rule)) all += each.name + ": " + each.value + "\n";
  return all;
}

TEST(CallerIdentity, TheAssertedNumberIsTheCallers) {
  EXPECT_EQ(shown_caller("gw", identity("<sip:+15155558484@c.example>")), "+15155558484");
  EXPECT_EQ(shown_caller("gw", identity("\"Jo\" <tel:+1-515-5558484>, <sip:+1@c.example>")), "+15155558484");
  EXPECT_EQ(shown_caller("gw", identity("<sip:+15155558484;npdi@c.example>")), "+15155558484");
  EXPECT_EQ(shown_caller("+4930", identity("")), "+4930");
}

TEST(CallerIdentity, WhatTheCallerKeepsToHimselfIsNotShown) {
  const std::string asserted = "<sip:+15155558484@c.example>";
  EXPECT_EQ(shown_caller("anonymous", identity(asserted, "id")), "anonymous");
  EXPECT_EQ(shown_caller("+4930", identity(asserted, "id")), "+4930") << "From is what he shows";
  EXPECT_EQ(shown_caller("+4930", identity(asserted, "critical; USER")), "anonymous");
  EXPECT_EQ(shown_caller("+4930", identity("", "user")), "anonymous");
  EXPECT_EQ(shown_caller("gw", identity(asserted, "none")), "+15155558484");
}

TEST(CallerIdentity, ATrustedTrunkIsToldAllOthersWhatIsNotWithheld) {
  const CallerIdentity open = identity("\"Jo\" <sip:+1@c.example>, <tel:+1>");
  const std::string all = "P-Asserted-Identity: \"Jo\" <sip:+1@c.example>, <tel:+1>\n";
  EXPECT_EQ(told(open, IdentityRule::kTrusted), all);
  EXPECT_EQ(told(open, IdentityRule::kPublic), all);
  EXPECT_EQ(told(open, IdentityRule::kNone), "");
  const CallerIdentity withheld = identity("<sip:+1@c.example>", "id;critical");
  EXPECT_EQ(told(withheld, IdentityRule::kTrusted),
            "P-Asserted-Identity: <sip:+1@c.example>\nPrivacy: id;critical\n");
  EXPECT_EQ(told(withheld, IdentityRule::kPublic), "");
  EXPECT_EQ(told(withheld, IdentityRule::kNone), "");
}

TEST(CallerIdentity, WhatIsNotWellFormedHasNotCome) {
  for (const char* bad : {"", ",", "<>", "<sip:c.example>", "<http://a>", "Jo", "<sip:a@b", "<sip:a b@c>",
                          "<sip:a@\"b>", "\"a\" b <sip:a@b>", "\"a <sip:a@b>"}) {
    EXPECT_EQ(identity(bad).asserted, "") << bad;
  }
  EXPECT_EQ(identity("<sip:a@b>;tag=x;y").asserted, "<sip:a@b>") << "it has no parameters";
  EXPECT_EQ(identity("<sip:a@b>x<tel:+1>").asserted, "<sip:a@b>");
  EXPECT_EQ(identity("Zo\xc3\xab <sip:a@b>").asserted, "\"Zo\xc3\xab\" <sip:a@b>");
  EXPECT_EQ(identity("<sip:a@b>, <sip:c@d>, <sip:e@f>").asserted, "<sip:a@b>, <sip:c@d>") << "two at most";
  EXPECT_EQ(identity("<sip:a@b>, <sip:c@d>, <sip:e@f>, <sip:g@h>").asserted, "<sip:a@b>, <sip:c@d>");
  EXPECT_EQ(identity("<sip:" + std::string(600, 'a') + "@b>").asserted, "");
  EXPECT_EQ(identity("", "id, user").privacy, "");
  EXPECT_EQ(identity("", "id;").privacy, "");
  EXPECT_EQ(identity("", std::string(200, 'a')).privacy, "");
}

}  // namespace
}  // namespace vas::calls
