#include "signaling/sip/framer.h"

#include <gtest/gtest.h>

#include "signaling/sip/sip_message.h"

namespace vas::signaling {
namespace {

using Kind = Framer::Frame::Kind;
constexpr std::string_view kMessage = "OPTIONS sip:x SIP/2.0\r\nl: 4\r\n\r\nbody";

TEST(Framer, CutsMessagesHoweverTheBytesArrive) {
  Framer framer;
  int messages = 0;
  const std::string stream = std::string(kMessage) + "\r\n" + std::string(kMessage);
  for (const char byte : stream) {
    framer.append({&byte, 1});
    for (auto frame = framer.next(); frame.kind == Kind::kMessage; frame = framer.next()) {
      EXPECT_EQ(frame.text, kMessage);
      ++messages;
    }
  }
  EXPECT_EQ(messages, 2);
  EXPECT_FALSE(framer.holds_partial_message());
}

TEST(Framer, AnswersADoubleLineEndAsAPing) {
  Framer framer;
  framer.append("\r\n\r\n");
  EXPECT_EQ(framer.next().kind, Kind::kPing);
  EXPECT_EQ(framer.next().kind, Kind::kNeedMore);
}

TEST(Framer, AnswersAFloodOfLineEndsOnce) {
  Framer framer;
  for (int i = 0; i < 5000; ++i) framer.append("\r\n\r\n");
  framer.append("\r\nOPTIONS sip:x SIP/2.0\r\nl: 0\r\n\r\n");
  EXPECT_EQ(framer.next().kind, Kind::kPing);
  EXPECT_EQ(framer.next().kind, Kind::kMessage);
  EXPECT_EQ(framer.next().kind, Kind::kNeedMore);
}

TEST(Framer, IsBrokenByWhatCannotBeFramed) {
  for (const std::string text :
       {"OPTIONS sip:x SIP/2.0\r\nl: 99999999\r\n\r\n", "OPTIONS sip:x SIP/2.0\r\nl: x\r\n\r\n",
        "nonsense\r\nmore\r\n\r\n", "OPTIONS sip:x SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n"}) {
    Framer framer;
    framer.append(text);
    EXPECT_EQ(framer.next().kind, Kind::kBroken) << text;
  }
  Framer endless;
  endless.append(std::string(SipMessage::kMaxBytes + 1, 'a'));
  EXPECT_EQ(endless.next().kind, Kind::kBroken);
}

}  // namespace
}  // namespace vas::signaling
