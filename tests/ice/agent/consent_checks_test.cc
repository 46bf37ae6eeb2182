#include "ice/agent/consent_checks.h"

#include <gtest/gtest.h>

#include <set>

namespace vas::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Packet = std::vector<std::uint8_t>;

const Endpoint kPeer = *Endpoint::parse("203.0.113.5:40000");
const Endpoint kOther = *Endpoint::parse("198.51.100.9:50000");
const IceCredentials kOurs{"ours", "our-password-of-22-chars"};
const IceCredentials kTheirs{"them", "their-password-22-chars"};

Packet answer_to(Bytes check, const std::string& password = kTheirs.password,
                 StunClass kind = StunClass::kSuccess) {
  std::array<std::uint8_t, StunWriter::kMaxBytes> buffer{};
  StunWriter writer(buffer, kind, StunMessage::parse(check)->transaction());
  writer.add_xor_mapped_address(kPeer);
  const Bytes bytes = writer.sign(password);
  return {bytes.begin(), bytes.end()};
}

class ConsentChecksTest : public testing::Test {
 protected:
  bool answer(const Endpoint& source, const Packet& packet) {
    return checks_.on_response(source, *StunMessage::parse(packet));
  }

  Time now_{seconds(1000)};
  ConsentChecks checks_{kOurs, kTheirs, IceRole::kControlled};
};

TEST_F(ConsentChecksTest, AsksTheDestinationEveryFourToSixSeconds) {
  std::set<Duration> gaps;
  Time last = now_;
  ASSERT_TRUE(checks_.on_time(now_, kPeer));
  for (int i = 0; i < 40; ++i) {
    std::optional<ConsentChecks::Check> check;
    while (!(check = checks_.on_time(now_, kPeer))) now_ += milliseconds(10);
    EXPECT_EQ(check->to, kPeer);
    gaps.insert(now_ - last);
    last = now_;
  }
  EXPECT_GE(*gaps.begin(), seconds(4));
  EXPECT_LE(*gaps.rbegin(), seconds(6) + milliseconds(10));
  EXPECT_GT(gaps.size(), 10u) << "not in step with anybody";
}

TEST_F(ConsentChecksTest, WithoutADestinationNobodyIsAsked) { EXPECT_FALSE(checks_.on_time(now_, {})); }

TEST_F(ConsentChecksTest, ACheckIsWhatAnIceAgentTakes) {
  IceLite peer(kTheirs, kOurs, IceRole::kControlling);
  const auto check = checks_.on_time(now_, kPeer);
  const auto message = StunMessage::parse(check->message);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->username(), "them:ours");
  EXPECT_FALSE(message->find(StunAttribute::kUseCandidate)) << "the controlled side chooses nothing";
  std::array<std::uint8_t, StunWriter::kMaxBytes> reply{};
  const auto answered = peer.on_check(now_, kOther, *message, reply);
  ASSERT_TRUE(answered);
  EXPECT_EQ(StunMessage::parse(*answered)->kind(), StunClass::kSuccess);
  EXPECT_TRUE(answer(kPeer, Packet(answered->begin(), answered->end())));
}

TEST_F(ConsentChecksTest, OnlyTheRightAnswerFromTheRightPlaceProvesAndOnce) {
  const Packet check = [&] {
    const auto due = checks_.on_time(now_, kPeer);
    return Packet(due->message.begin(), due->message.end());
  }();
  EXPECT_FALSE(answer(kOther, answer_to(check))) << "from elsewhere";
  EXPECT_FALSE(answer(kPeer, answer_to(check, "wrong-password-22-chars"))) << "forged";
  EXPECT_FALSE(answer(kPeer, answer_to(check, kTheirs.password, StunClass::kError))) << "refused";
  EXPECT_FALSE(answer(kPeer, check)) << "a request is no answer";
  EXPECT_TRUE(answer(kPeer, answer_to(check)));
  EXPECT_FALSE(answer(kPeer, answer_to(check))) << "again";
}

TEST_F(ConsentChecksTest, TheLongestNamesFit) {
  const std::string longest(256, 'x');
  ConsentChecks checks({longest, longest}, {longest, longest}, IceRole::kControlling);
  const auto check = checks.on_time(now_, kPeer);
  ASSERT_TRUE(check);
  EXPECT_TRUE(StunMessage::parse(check->message)->find(StunAttribute::kUseCandidate));
}

}  // namespace
}  // namespace vas::ice
