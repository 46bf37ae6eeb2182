#include "ice/agent/ice_lite.h"

#include <gtest/gtest.h>

#include <vector>

namespace vas::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Packet = std::vector<std::uint8_t>;

const Endpoint kHome = *Endpoint::parse("203.0.113.5:40000");
const Endpoint kMobile = *Endpoint::parse("198.51.100.9:50000");
const IceCredentials kOurs{"ours", "our-password-of-22-chars"};
const IceCredentials kTheirs{"them", "their-password-22-chars"};

class IceLiteTest : public testing::Test {
 protected:
  struct Check {
    std::string username = "ours:them";
    std::string password = kOurs.password;
    bool chooses = false;
    bool is_controlled = false;
    bool is_strange = false;
  };
  static Packet message(const Check& check) {
    std::array<std::uint8_t, StunWriter::kMaxBytes> buffer{};
    StunWriter writer(buffer, StunClass::kRequest, {7, 7, 7});
    writer.add(StunAttribute::kUsername, as_bytes(check.username));
    writer.add(check.is_controlled ? StunAttribute::kIceControlled : StunAttribute::kIceControlling,
               std::array<std::uint8_t, 8>{});
    if (check.chooses) writer.add(StunAttribute::kUseCandidate, {});
    if (check.is_strange) writer.add(static_cast<StunAttribute>(0x7777), {});
    const Bytes bytes = writer.sign(check.password);
    return {bytes.begin(), bytes.end()};
  }
  // The answer's class; nothing when there was none.
  std::optional<StunClass> send(const Endpoint& source, const Check& check) {
    const Packet packet = message(check);
    const auto parsed = StunMessage::parse(packet);
    std::array<std::uint8_t, StunWriter::kMaxBytes> reply{};
    const auto answer = ice_.on_check(now_, source, *parsed, reply);
    if (!answer) return {};
    const auto read = StunMessage::parse(*answer);
    EXPECT_TRUE(read && read->transaction() == parsed->transaction());
    EXPECT_EQ(read->xor_mapped_address(),
              read->kind() == StunClass::kSuccess ? std::optional(source) : std::nullopt);
    EXPECT_LE(answer->size(), packet.size() + 24) << "nobody is flooded through us";
    return read->kind();
  }

  Time now_{seconds(1000)};
  IceLite ice_{kOurs, kTheirs};
};

TEST_F(IceLiteTest, AnswersWhoKnowsThePasswordAndSendsThere) {
  EXPECT_EQ(send(kHome, {}), StunClass::kSuccess);
  EXPECT_EQ(ice_.destination(), kHome) << "the first that is proved, until one is chosen";
  EXPECT_EQ(send(kMobile, {}), StunClass::kSuccess);
  EXPECT_EQ(ice_.destination(), kHome);
  EXPECT_TRUE(ice_.is_proved(now_, kMobile));
  EXPECT_EQ(send(kMobile, {.chooses = true}), StunClass::kSuccess);
  EXPECT_EQ(ice_.destination(), kMobile);
}

TEST_F(IceLiteTest, AnAddressThatIsCheckedFromNoMoreIsFreeLongBeforeItsProofEnds) {
  EXPECT_FALSE(ice_.is_in_use(now_, kHome));
  send(kHome, {});
  now_ += IceLite::kAbandoned - milliseconds(1);
  EXPECT_TRUE(ice_.is_in_use(now_, kHome));
  now_ += milliseconds(1);
  EXPECT_FALSE(ice_.is_in_use(now_, kHome));
  EXPECT_TRUE(ice_.is_proved(now_, kHome));
}

TEST_F(IceLiteTest, WhoDoesNotGetsNoAnswerAndChangesNothing) {
  for (const Check& each :
       {Check{.password = "wrong"}, Check{.username = "ours:other"}, Check{.username = "ours"},
        Check{.username = "other:them"}, Check{.username = ""}, Check{.password = kTheirs.password}}) {
    Check choosing = each;
    choosing.chooses = true;
    EXPECT_FALSE(send(kHome, choosing)) << each.username;
  }
  EXPECT_FALSE(ice_.destination().is_set());
  EXPECT_FALSE(ice_.is_proved(now_, kHome));
  EXPECT_FALSE(ice_.has_consent(now_));
}

TEST_F(IceLiteTest, ConsentLastsThirtySeconds) {
  send(kHome, {.chooses = true});
  now_ += seconds(29);
  EXPECT_TRUE(ice_.has_consent(now_));
  send(kHome, {.password = "wrong"});
  now_ += seconds(1);
  EXPECT_FALSE(ice_.has_consent(now_));
  EXPECT_TRUE(ice_.is_proved(now_, kHome)) << "it may show itself again";
  send(kHome, {});
  EXPECT_TRUE(ice_.has_consent(now_));
}

// ---- Consent: of who goes on checking (RFC 7675), and of who checks no more (RFC 5245) ----

TEST_F(IceLiteTest, WhoGoesOnCheckingIsHeldToIt) {
  for (int i = 0; i < 5; ++i, now_ += seconds(5)) send(kHome, {.chooses = true});
  now_ -= seconds(5);
  for (int i = 0; i < 300; ++i, now_ += milliseconds(100)) {
    EXPECT_TRUE(ice_.has_consent(now_));
    ice_.on_alive(now_, kHome);
  }
  EXPECT_FALSE(ice_.has_consent(now_)) << "thirty seconds after its last check";
  EXPECT_FALSE(ice_.is_proved(now_, kHome));
  ice_.on_alive(now_, kHome);
  EXPECT_FALSE(ice_.has_consent(now_));
  send(kHome, {});
  EXPECT_TRUE(ice_.has_consent(now_)) << "it came back";
}

TEST_F(IceLiteTest, WhoChecksNoMoreLivesByWhatItSendsFromWhereItWasProved) {
  send(kMobile, {});
  send(kHome, {.chooses = true});
  for (int i = 0; i < 200; ++i) {  // more than an hour of keep-alives
    now_ += seconds(20);
    EXPECT_TRUE(ice_.has_consent(now_));
    ice_.on_alive(now_, kHome);
  }
  for (int i = 0; i < 30; ++i, now_ += seconds(1)) {
    ice_.on_alive(now_, kMobile);
    ice_.on_alive(now_, {kHome.address, 40002});
  }
  EXPECT_FALSE(ice_.has_consent(now_))
      << "nothing from elsewhere counts, from another proved address neither";
  EXPECT_EQ(ice_.destination(), kHome);
  EXPECT_FALSE(ice_.is_proved(now_, kMobile));

  now_ += seconds(3600);
  EXPECT_TRUE(ice_.is_proved(now_, kHome)) << "of a call that was held, and both said nothing";
  ice_.on_alive(now_, kHome);
  EXPECT_TRUE(ice_.has_consent(now_));
}

TEST_F(IceLiteTest, TheFirstChecksAndTheirRepeatsAreNoHabit) {
  for (int i = 0; i < 140; ++i, now_ += milliseconds(100)) send(kHome, {.chooses = true});
  now_ += seconds(10);
  for (int i = 0; i < 20; ++i, now_ += seconds(20)) {  // some keep alive by checks
    ice_.on_alive(now_, kHome);
    send(kHome, {});
  }
  for (int i = 0; i < 60; ++i, now_ += seconds(1)) ice_.on_alive(now_, kHome);
  EXPECT_TRUE(ice_.has_consent(now_));
}

TEST_F(IceLiteTest, ARestartMayBeAnotherDevices) {
  for (int i = 0; i < 5; ++i, now_ += seconds(5)) send(kHome, {.chooses = true});
  const IceCredentials renewed{"new1", "a-new-password-22-chars"}, theirs{"new2", "their-new-pass-22-chars"};
  ice_.restart(renewed, theirs);
  send(kMobile, {.username = "new1:new2", .password = renewed.password, .chooses = true});
  for (int i = 0; i < 60; ++i, now_ += seconds(1)) ice_.on_alive(now_, kMobile);
  EXPECT_TRUE(ice_.has_consent(now_));
  EXPECT_EQ(ice_.destination(), kMobile);
}

TEST_F(IceLiteTest, TheAddressOfWhoKeepsItAliveIsInUseBetweenItsKeepAlives) {
  send(kHome, {.chooses = true});
  for (int i = 0; i < 4; ++i) {
    now_ += seconds(16);
    ice_.on_alive(now_, kHome);
    EXPECT_TRUE(ice_.is_in_use(now_ + seconds(16), kHome));
  }
  send(kMobile, {});
  EXPECT_EQ(ice_.destination(), kHome);
  EXPECT_FALSE(ice_.is_in_use(now_ + IceLite::kQuiet, kHome));
}

TEST_F(IceLiteTest, APhoneThatMovesIsFollowed) {
  send(kHome, {.chooses = true});
  now_ += seconds(5);
  EXPECT_EQ(send(kMobile, {.chooses = true}), StunClass::kSuccess);
  EXPECT_EQ(ice_.destination(), kMobile);
}

TEST_F(IceLiteTest, OneThatMovesAndChoosesNothingAnewIsFollowedOnceItsOldAddressIsQuiet) {
  EXPECT_EQ(send(kHome, {.chooses = true}), StunClass::kSuccess);
  now_ += seconds(5);
  EXPECT_EQ(send(kMobile, {}), StunClass::kSuccess);
  EXPECT_EQ(ice_.destination(), kHome) << "it may only be trying";
  now_ += seconds(5);
  EXPECT_EQ(send(kMobile, {}), StunClass::kSuccess);
  EXPECT_EQ(ice_.destination(), kMobile);
}

TEST_F(IceLiteTest, ARestartKeepsTheOldPathUntilTheNewOneIsChecked) {
  send(kHome, {.chooses = true});
  const IceCredentials renewed{"new1", "a-new-password-22-chars"}, theirs{"new2", "their-new-pass-22-chars"};
  ice_.restart(renewed, theirs);
  EXPECT_EQ(send(kMobile, {.username = "new1:new2", .password = renewed.password, .is_controlled = true}),
            StunClass::kError);
  EXPECT_EQ(send(kHome, {}), StunClass::kSuccess) << "under the old credentials still";
  EXPECT_EQ(ice_.destination(), kHome);
  EXPECT_EQ(send(kMobile, {.username = "new1:new2", .password = renewed.password}), StunClass::kSuccess);
  EXPECT_EQ(ice_.destination(), kMobile);
  EXPECT_FALSE(send(kHome, {})) << "the old ones are no more";
  EXPECT_FALSE(ice_.is_proved(now_, kHome));
}

TEST_F(IceLiteTest, SaysWhatItDoesNotUnderstandAndWhoControls) {
  EXPECT_EQ(send(kHome, {.is_strange = true}), StunClass::kError);
  EXPECT_EQ(send(kHome, {.is_controlled = true}), StunClass::kError);
  EXPECT_FALSE(ice_.destination().is_set());
}

TEST_F(IceLiteTest, AnswersAreLimitedAndAddressesBounded) {
  int answers = 0;
  for (int i = 0; i < 1000; ++i) answers += send(kHome, {}).has_value();
  EXPECT_EQ(answers, IceLite::kMaxChecksPerSecond);
  now_ += seconds(1);
  send(kHome, {.chooses = true});
  for (std::uint16_t port = 1; port <= 50; ++port) {
    now_ += milliseconds(20);
    EXPECT_EQ(send({kMobile.address, port}, {}), StunClass::kSuccess);
  }
  EXPECT_EQ(ice_.destination(), kHome);
  EXPECT_TRUE(ice_.is_proved(now_, {kMobile.address, 50}));
  EXPECT_FALSE(ice_.is_proved(now_, {kMobile.address, 1}));
}

TEST_F(IceLiteTest, StrangersUseUpNothingOfTheParty) {
  const Check blind{.username = "aaaa:xxxx", .password = "wrong"};
  const Check informed{.password = "wrong"};
  ASSERT_TRUE(send(kHome, {.chooses = true}));
  for (int second = 0; second < 40; ++second) {
    for (std::uint16_t i = 0; i < 300; ++i) {
      EXPECT_FALSE(send({kMobile.address, i}, blind));
      EXPECT_FALSE(send({kMobile.address, i}, informed));
      EXPECT_FALSE(send(kHome, informed)) << "the party's address, forged";
    }
    if (second % 5 == 4) {
      EXPECT_EQ(send(kHome, {}), StunClass::kSuccess);
    }
    now_ += seconds(1);
  }
  EXPECT_TRUE(ice_.has_consent(now_));
}

TEST_F(IceLiteTest, WhoseUfragIsWrongDoesNotKeepThePartyFromProvingAnAddress) {
  for (int i = 0; i < 10000; ++i) EXPECT_FALSE(send(kMobile, {.username = "ours:xxxx", .password = "wrong"}));
  EXPECT_EQ(send(kHome, {}), StunClass::kSuccess);
  EXPECT_EQ(send(kMobile, {}), StunClass::kSuccess);
}

TEST_F(IceLiteTest, HmacsForNothingAreFewForALegAndForAllOfAWorker) {
  PerSecond all(30);
  IceLite one(kOurs, kTheirs, IceRole::kControlled, &all), other(kOurs, kTheirs, IceRole::kControlled, &all);
  const Packet wrong = message({.password = "wrong"}), right = message({});
  std::array<std::uint8_t, StunWriter::kMaxBytes> reply{};
  const auto answers = [&](IceLite& leg, const Packet& packet, std::uint16_t port) {
    return leg.on_check(now_, {kMobile.address, port}, *StunMessage::parse(packet), reply).has_value();
  };
  for (int i = 0; i < IceLite::kMaxStrangersPerSecond - 1; ++i) EXPECT_FALSE(answers(one, wrong, 1));
  EXPECT_TRUE(answers(one, right, 2)) << "there is room for one";
  EXPECT_FALSE(answers(one, wrong, 1));
  EXPECT_FALSE(answers(one, right, 3)) << "not looked at any more";
  EXPECT_TRUE(answers(one, right, 2)) << "but for who is proved";
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(answers(other, wrong, 1));
  EXPECT_FALSE(answers(other, right, 2)) << "the worker's are used up";
  now_ += seconds(1);
  EXPECT_TRUE(answers(other, right, 2));
  EXPECT_TRUE(answers(one, right, 3));
}

TEST(IceCredentials, AreLongEnoughAndNeverTheSame) {
  const IceCredentials one = random_credentials(), two = random_credentials();
  EXPECT_GE(one.ufrag.size(), 4u);
  EXPECT_GE(one.password.size(), 22u);
  EXPECT_NE(one, two);
}

}  // namespace
}  // namespace vas::ice
