#include "signaling/gateway/net/stack_link.h"

#include <gtest/gtest.h>

#include <string>

#include "base/clock.h"
#include "tests/support/udp_socket.h"

namespace vas::signaling {
namespace {

using std::chrono::milliseconds;

class StackLinkTest : public testing::Test {
 protected:
  StackLinkTest() {
    link_.bind();
    link_.start({stack_.local()}, true, [](std::string_view) {});
  }
  // What the stack is sent meanwhile: how many probes. The last one's number is kept.
  int probes_within(Duration period) {
    int probes = 0;
    for (const Time end = monotonic_now() + period; monotonic_now() < end;) {
      context_.run_for(milliseconds(2));
      for (auto got = stack_.receive(); !got.empty(); got = stack_.receive()) {
        const std::string text(got.begin(), got.end());
        if (text.find(kProbeCallId) == std::string::npos) continue;
        ++probes;
        number_ = std::stoull(text.substr(text.find("CSeq: ") + 6));
        if (confirms_) link_.confirm_probe(number_);
      }
    }
    return probes;
  }
  // Whether there is a pause some time: a machine that is busy itself makes ages of its own.
  bool comes_to_rest() {
    for (int i = 0; i < 50; ++i) {
      if (probes_within(milliseconds(100)) == 0) return true;
    }
    return false;
  }
  Duration age() const { return link_.age(0, monotonic_now()); }

  boost::asio::io_context context_;
  const UdpSocket stack_{"127.0.0.1:0"};
  StackLink link_{context_};
  std::uint64_t number_ = 0;
  bool confirms_ = true;
};

TEST_F(StackLinkTest, WhereNothingIsSentNothingProbes) {
  EXPECT_EQ(probes_within(milliseconds(100)), 0);
  EXPECT_EQ(age(), Duration::zero());
}

TEST_F(StackLinkTest, AMessageIsFollowedByAProbeAndThenThereIsRest) {
  for (int i = 0; i < 2; ++i) {
    link_.send(0, "INVITE");
    EXPECT_GE(probes_within(milliseconds(100)), 1);
    EXPECT_TRUE(comes_to_rest());
    EXPECT_LT(age(), milliseconds(20));
  }
}

TEST_F(StackLinkTest, AStackThatConfirmsNothingIsProbedOnAndItsAgeGrows) {
  confirms_ = false;
  link_.send(0, "INVITE");
  EXPECT_GE(probes_within(milliseconds(500)), 5);
  EXPECT_GE(age(), milliseconds(450));
  confirms_ = true;
  link_.confirm_probe(number_);
  EXPECT_TRUE(comes_to_rest());
  EXPECT_LT(age(), milliseconds(20));
}

}  // namespace
}  // namespace vas::signaling
