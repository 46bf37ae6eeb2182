#include "signaling/sip/dialog_state.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

TEST(DialogState, SurvivesBeingWrittenDown) {
  const DialogState state{.call_id = "c@h",
                          .local = "\"VAS\" <sip:vas@h>;tag=1",
                          .remote = "<sip:a@h>;tag=2",
                          .local_sequence = 7,
                          .remote_sequence = 4'000'000'000,
                          .remote_target = "sip:a@10.0.0.5",
                          .routes = {"<sip:p1;lr>", "<sip:p2;lr>"},
                          .flow = Flow{Transport::kUdp, *Endpoint::parse("203.0.113.5:61000"), 0},
                          .reaches_private = true,
                          .is_of_token = true,
                          .contact = "<sip:vas@198.51.100.1>",
                          .local_sdp = "v=0\r\n",
                          .invite_sequence = 6};
  EXPECT_EQ(parse_dialog_state(write(state)), state);
  for (const char* text : {"", "{}", "[]", "{\"call_id\":5}", "nonsense"})
    EXPECT_FALSE(parse_dialog_state(text)) << text;
}

TEST(DialogState, StaysOnTheFlowWhereTheNamedHopCannotBeReached) {
  const Flow udp{Transport::kUdp, *Endpoint::parse("203.0.113.5:61000"), 0};
  const Flow tcp{Transport::kTcp, *Endpoint::parse("203.0.113.5:61000"), 3};
  EXPECT_TRUE(stays_on_flow(tcp, "sip:a@203.0.113.5", false));
  EXPECT_TRUE(stays_on_flow(udp, "sip:a@10.0.0.5", false));
  EXPECT_TRUE(stays_on_flow(udp, "sip:a@phone.example", false));
  EXPECT_TRUE(stays_on_flow(udp, "sip:proxy.example;lr", true));
  EXPECT_FALSE(stays_on_flow(udp, "sip:a@203.0.113.5:5060", false));
  EXPECT_FALSE(stays_on_flow(udp, "sip:a@198.51.100.9", false));
  EXPECT_FALSE(stays_on_flow(udp, "sip:10.0.0.9;lr", true));
}

}  // namespace
}  // namespace vas::signaling
