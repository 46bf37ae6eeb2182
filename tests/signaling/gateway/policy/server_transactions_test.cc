#include "signaling/gateway/policy/server_transactions.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <list>

namespace vas::signaling {
namespace {

using namespace std::chrono_literals;

constexpr Time kStart{Duration(1h)};
const Flow kPhone{Transport::kUdp, *Endpoint::parse("203.0.113.5:61000"), 0};
const Flow kMoved{Transport::kUdp, *Endpoint::parse("203.0.113.5:61001"), 0};

class ServerTransactionsTest : public testing::Test {
 protected:
  // Lives as long as what borrows it.
  SipMessage request(const char* method, int cseq = 1, const char* tag = "theirs") {
    texts_.push_back(
        fmt::format("{0} sip:a SIP/2.0\r\nFrom: <sip:a>;tag={1}\r\nTo: <sip:b>\r\nCall-ID: "
                    "call\r\nCSeq: {2} {0}\r\n\r\n",
                    method, tag, cseq));
    return *SipMessage::parse(texts_.back());
  }

  std::list<std::string> texts_;
  ServerTransactions transactions_;
};

TEST_F(ServerTransactionsTest, AnswersStayWhereTheRequestCameFromUntilItsClientSpeaksFromElsewhere) {
  transactions_.remember(request("INVITE"), "b1", kPhone, kStart);
  EXPECT_FALSE(transactions_.flow_of("b1"));
  transactions_.remember(request("INVITE"), "b1", kMoved, kStart + 1s);
  EXPECT_EQ(transactions_.flow_of("b1"), kMoved);
  EXPECT_FALSE(transactions_.flow_of("b2"));
}

TEST_F(ServerTransactionsTest, ACancelMovesItsInviteAndAnAckNothing) {
  transactions_.remember(request("INVITE"), "b1", kPhone, kStart);
  transactions_.remember(request("ACK"), "b1", kMoved, kStart);
  EXPECT_FALSE(transactions_.flow_of("b1"));
  transactions_.remember(request("CANCEL"), "b1", kMoved, kStart + 2min);
  EXPECT_EQ(transactions_.flow_of("b1"), kMoved);
  transactions_.remember(request("CANCEL"), "b3", kMoved, kStart + 6min);
  EXPECT_EQ(transactions_.flow_of("b1"), kMoved) << "an INVITE may ring for minutes";
}

TEST_F(ServerTransactionsTest, ACopyUnderAnotherBranchIsMergedARepeatAndAnotherRequestAreNot) {
  transactions_.remember(request("INVITE"), "b1", kPhone, kStart);
  EXPECT_TRUE(transactions_.is_merged(request("INVITE"), "b2"));
  EXPECT_FALSE(transactions_.is_merged(request("INVITE"), "b1"));
  EXPECT_FALSE(transactions_.is_merged(request("INVITE", 2), "b2")) << "tried again with credentials";
  EXPECT_FALSE(transactions_.is_merged(request("INVITE", 1, "others"), "b2"));
  EXPECT_TRUE(transactions_.is_merged(request("INVITE"), "b3"));
}

}  // namespace
}  // namespace vas::signaling
