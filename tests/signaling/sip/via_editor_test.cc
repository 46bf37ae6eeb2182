#include "signaling/sip/via_editor.h"
#include "signaling/gateway/policy/stateless_response.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

const Endpoint kGateway = *Endpoint::parse("127.0.0.1:7001");
const Endpoint kStack = *Endpoint::parse("127.0.0.1:7002");
const Endpoint kPublic = *Endpoint::parse("198.51.100.1:5060");
const Flow kPhone{Transport::kUdp, *Endpoint::parse("203.0.113.5:61000"), 0};

class ViaEditorTest : public testing::Test {
 protected:
  std::string request(const std::string& via = "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKphone;rport",
                      const std::string& method = "INVITE") {
    return method + " sip:bob@h SIP/2.0\r\nVia: " + via +
           "\r\nX-VAS-Source: udp 1.2.3.4:5 forged\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: "
           "c\r\nCSeq: 1 " +
           method + "\r\n\r\n";
  }
  static std::vector<std::string_view> vias(const SipMessage& message) {
    std::vector<std::string_view> all;
    for (const auto& header : message.headers) {
      if (header.name == HeaderName::kVia) all.push_back(header.value);
    }
    return all;
  }
  std::string up(const std::string& text) {
    return editor_.request_to_stack(*SipMessage::parse(text), kPhone);
  }
  static std::string branch(const std::string& text) {
    return std::string(
        Via::parse(first_element(SipMessage::parse(text)->first(HeaderName::kVia)->value))->branch);
  }

  FlowSigner signer_;
  ViaEditor editor_{signer_, kGateway, {kStack}};
};

TEST_F(ViaEditorTest, PutsItsViaOnTopSaysWhatItSawAndDropsForgedPrivateHeaders) {
  const std::string text = up(request());
  const auto message = SipMessage::parse(text);
  const auto all = vias(*message);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(all[0].starts_with("SIP/2.0/UDP 127.0.0.1:7001;branch=z9hG4bK"));
  EXPECT_EQ(all[1], "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKphone;received=203.0.113.5;rport=61000");
  EXPECT_EQ(message->count(HeaderName::kVasPrivate), 1u);
  EXPECT_EQ(text.find("forged"), std::string::npos);
}

TEST_F(ViaEditorTest, AnyMessageHasABranch) {
  for (const char* text :
       {"X sip:a SIP/2.0\r\n\r\n", "X sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n", "X\r\nVia: x\r\n\r\n"})
    EXPECT_FALSE(editor_.branch_of(*SipMessage::parse(text), kPhone).empty()) << text;
}

TEST_F(ViaEditorTest, CancelAckAndRepeatsFallOnTheSameTransactionOthersDoNot) {
  EXPECT_EQ(branch(up(request())),
            branch(up(request("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKphone;rport", "CANCEL"))));
  EXPECT_NE(branch(up(request())), branch(up(request("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKother;rport"))));
  EXPECT_NE(branch(up(request())), branch(up(request("SIP/2.0/UDP 10.0.0.6;branch=z9hG4bKphone;rport"))));
  EXPECT_EQ(branch(up(request("SIP/2.0/UDP 10.0.0.5"))),
            branch(up(request("SIP/2.0/UDP 10.0.0.5"))));  // RFC 2543
}

// RFC 3261 §17.2.3, §9.2: a NAT bound another port, or the client connected anew.
TEST_F(ViaEditorTest, ATransactionIsItsBranchWhereverItsMessagesComeFrom) {
  const Flow elsewhere{Transport::kUdp, *Endpoint::parse("203.0.113.77:4000"), 0};
  const auto branch_from = [&](const std::string& text, const Flow& source) {
    return editor_.branch_of(*SipMessage::parse(text), source);
  };
  EXPECT_EQ(branch_from(request(), kPhone), branch_from(request(), elsewhere));
  const Flow tcp{Transport::kTcp, kPhone.peer, 1};
  EXPECT_EQ(branch_from(request(), tcp), branch_from(request(), {Transport::kTcp, elsewhere.peer, 2}));
  EXPECT_NE(branch_from(request(), kPhone), branch_from(request(), tcp));  // no way out of TLS
  // Two of one private address that count their branches from 1.
  std::string other_call = request();
  other_call.replace(other_call.find("Call-ID: c"), 10, "Call-ID: d");
  EXPECT_NE(branch_from(request(), kPhone), branch_from(other_call, kPhone));
  // Without a branch only the source tells two clients apart.
  const std::string old = request("SIP/2.0/UDP 10.0.0.5");
  EXPECT_NE(branch_from(old, kPhone), branch_from(old, elsewhere));
}

TEST_F(ViaEditorTest, AnswersFollowAClientThatMoved) {
  const Flow moved{Transport::kUdp, *Endpoint::parse("203.0.113.77:4000"), 0};
  std::string answer = up(request());
  answer.replace(0, answer.find("\r\n"), "SIP/2.0 200 OK");
  const auto outbound = editor_.response_to_peer(*SipMessage::parse(answer), moved);
  ASSERT_TRUE(outbound);
  EXPECT_EQ(outbound->flow, moved);
  EXPECT_EQ(vias(*SipMessage::parse(outbound->text)),
            (std::vector<std::string_view>{
                "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKphone;received=203.0.113.77;rport=4000"}));
}

// RFC 3261 §12.2.1.1: behind the flow's route stands a router without lr.
TEST_F(ViaEditorTest, AStrictRouterFindsItselfInTheRequestUriAndTheTargetLast) {
  const Flow connection{Transport::kTcp, *Endpoint::parse("203.0.113.5:5000"), 9};
  for (const std::string& own : {editor_.flow_route(connection, false), editor_.own_route()}) {
    const std::string bye = std::string("BYE sip:a@10.0.0.5 SIP/2.0\r\nRoute: ").append(own) +
                            ", <sip:old@192.0.2.8:5080>, <sip:next@192.0.2.9;lr>\r\n"
                            "Via: SIP/2.0/UDP 127.0.0.1:7002;branch=z9hG4bKs\r\n\r\n";
    const auto message = *SipMessage::parse(bye);  // which borrows its bytes
    const auto hop = std::get<ViaEditor::Hop>(editor_.next_hop(message));
    const bool is_by_flow = hop.bond != FlowBond::kNone;
    EXPECT_EQ(hop.flow.peer, is_by_flow ? connection.peer : *Endpoint::parse("192.0.2.8:5080"));
    const std::string text = editor_.request_to_peer(message, hop, kPublic);
    EXPECT_TRUE(text.starts_with("BYE sip:old@192.0.2.8:5080 SIP/2.0\r\n")) << text;
    EXPECT_NE(text.find("Route: <sip:next@192.0.2.9;lr>\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find("Route: <sip:a@10.0.0.5>\r\n\r\n"), std::string::npos) << text;
  }
}

TEST_F(ViaEditorTest, ARequestWhoseFlowIsGoneGoesOnByItsRoutes) {
  const Flow gone{Transport::kTcp, *Endpoint::parse("203.0.113.5:5000"), 9};
  const auto unsent = [&](bool may_leave, AddressPolicy::PrivateRanges ranges) {
    const std::string bye =
        "BYE sip:a@10.0.0.5;transport=tcp SIP/2.0\r\nRoute: " + editor_.flow_route(gone, may_leave) +
        "\r\nVia: SIP/2.0/UDP 127.0.0.1:7002;branch=z9hG4bKs\r\nCSeq: 2 BYE\r\n\r\n";
    const auto message = *SipMessage::parse(bye);
    const auto hop = std::get<ViaEditor::Hop>(editor_.next_hop(message));
    const std::string out = editor_.request_to_peer(message, hop, kPublic);
    return editor_.as_from_stack(*SipMessage::parse(out), ranges);
  };
  using Ranges = AddressPolicy::PrivateRanges;
  EXPECT_EQ(unsent(false, Ranges::kClosed)->bond, FlowBond::kStays);
  const auto open = unsent(true, Ranges::kOpen);
  ASSERT_TRUE(open);
  EXPECT_EQ(open->bond, FlowBond::kMayLeave);
  const auto again = *SipMessage::parse(open->text);
  EXPECT_EQ(vias(again).front(), "SIP/2.0/UDP 127.0.0.1:7002;branch=z9hG4bKs");
  const auto hop = std::get<ViaEditor::Hop>(editor_.next_hop(again));
  EXPECT_EQ(to_string(hop.flow.peer), "10.0.0.5:5060");
  EXPECT_EQ(hop.flow.connection, 0u);
  EXPECT_EQ(editor_.ranges_of(again), Ranges::kOpen);
  EXPECT_EQ(hop.bond, FlowBond::kNone);  // it is tried once
  EXPECT_FALSE(editor_.as_from_stack(*SipMessage::parse(request()), Ranges::kOpen));
}

TEST_F(ViaEditorTest, SendsTheAnswerBackTheWayTheRequestCame) {
  for (const bool has_rport : {true, false}) {
    const std::string via =
        std::string("SIP/2.0/UDP 10.0.0.5:5070;branch=z9hG4bKphone") + (has_rport ? ";rport" : "");
    std::string answer = up(request(via));
    answer.replace(0, answer.find("\r\n"), "SIP/2.0 200 OK");
    const auto outbound = editor_.response_to_peer(*SipMessage::parse(answer));
    ASSERT_TRUE(outbound);
    EXPECT_EQ(outbound->flow.peer.address, kPhone.peer.address);
    EXPECT_EQ(outbound->flow.peer.port, has_rport ? 61000 : 5070);
    EXPECT_EQ(vias(*SipMessage::parse(outbound->text)).size(), 1u);
    EXPECT_EQ(outbound->text.find("127.0.0.1"), std::string::npos);
  }
}

TEST_F(ViaEditorTest, AnAnswerWhoseViaIsNotOursGoesNowhere) {
  std::string answer = request();
  answer.replace(0, answer.find("\r\n"), "SIP/2.0 200 OK");
  EXPECT_FALSE(editor_.response_to_peer(*SipMessage::parse(answer)));
  EXPECT_FALSE(editor_.response_to_stack(*SipMessage::parse(answer), kPhone));
}

TEST_F(ViaEditorTest, HidesTheStackFromPeersAndPutsItsViaBackOnTheAnswer) {
  const std::string from_stack =
      "BYE sip:a@203.0.113.5:61000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7002;branch=z9hG4bKsofia\r\nCSeq: 2 "
      "BYE\r\n\r\n";
  const auto message = SipMessage::parse(from_stack);
  const auto hop = std::get<ViaEditor::Hop>(editor_.next_hop(*message));
  EXPECT_EQ(hop.flow.peer, kPhone.peer);
  const std::string out = editor_.request_to_peer(*message, hop, kPublic);
  EXPECT_EQ(out.find("127.0.0.1"), std::string::npos);
  EXPECT_NE(out.find("Via: SIP/2.0/UDP 198.51.100.1:5060;rport;branch=z9hG4bKsofia."), std::string::npos);

  std::string answer = out;
  answer.replace(0, answer.find("\r\n"), "SIP/2.0 200 OK");
  const auto back = editor_.response_to_stack(*SipMessage::parse(answer), kPhone);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->stack, 0u);
  EXPECT_TRUE(back->proves_source);
  const Flow elsewhere{Transport::kUdp, *Endpoint::parse("203.0.113.5:61001"), 0};
  const auto from_elsewhere = editor_.response_to_stack(*SipMessage::parse(answer), elsewhere);
  ASSERT_TRUE(from_elsewhere);
  EXPECT_FALSE(from_elsewhere->proves_source);
  EXPECT_NE(back->text.find("Via: SIP/2.0/UDP 127.0.0.1:7002;branch=z9hG4bKsofia\r\n"), std::string::npos);
  answer.replace(answer.find("z9hG4bKsofia"), 12, "z9hG4bKguess");
  EXPECT_FALSE(editor_.response_to_stack(*SipMessage::parse(answer), kPhone));
}

TEST_F(ViaEditorTest, OnlyOurOwnMarkOpensPrivateRangesAndIsTakenOff) {
  using Ranges = AddressPolicy::PrivateRanges;
  const std::string mark = editor_.private_route();
  const std::string via = "Via: SIP/2.0/UDP 127.0.0.1:7002;branch=z9hG4bKs\r\n";
  const struct {
    std::string routes;
    const char* next;
    Ranges ranges;
  } kTable[] = {{"Route: " + mark + "\r\n", "10.0.0.5:5060", Ranges::kOpen},
                {"Route: " + mark + ", <sip:10.0.0.9:5070;lr>\r\n", "10.0.0.9:5070", Ranges::kOpen},
                {"Route: " + mark + "\r\nRoute: <sip:10.0.0.9:5070;lr>\r\n", "10.0.0.9:5070", Ranges::kOpen},
                {"Route: <sip:10.0.0.9:5070;lr>\r\n", "10.0.0.9:5070", Ranges::kClosed},
                {"", "10.0.0.5:5060", Ranges::kClosed}};
  for (const auto& row : kTable) {
    const std::string text = "BYE sip:a@10.0.0.5 SIP/2.0\r\n" + row.routes + via + "\r\n";
    const auto message = *SipMessage::parse(text);
    const auto hop = std::get<ViaEditor::Hop>(editor_.next_hop(message));
    EXPECT_EQ(to_string(hop.flow.peer), row.next) << row.routes;
    EXPECT_EQ(editor_.ranges_of(message), row.ranges) << row.routes;
    EXPECT_EQ(editor_.request_to_peer(message, hop, kPublic).find("127.0.0.1:7001"), std::string::npos);
  }
  const std::string unsigned_mark =
      "BYE sip:a@10.0.0.5 SIP/2.0\r\nRoute: <sip:deadbeef@127.0.0.1:7001;lr>\r\n" + via + "\r\n";
  const auto forged = *SipMessage::parse(unsigned_mark);
  EXPECT_EQ(editor_.ranges_of(forged), Ranges::kClosed);
  EXPECT_TRUE(std::holds_alternative<NoHop>(editor_.next_hop(forged)));
}

TEST_F(ViaEditorTest, TheNextHopIsTheFlowElseTheRouteElseTheRequestUri) {
  const Flow connection{Transport::kTcp, *Endpoint::parse("203.0.113.5:5000"), 9};
  const auto hop = [&](const std::string& routes, const std::string& uri = "sip:a@10.0.0.5") {
    return editor_.next_hop(*SipMessage::parse("BYE " + uri + " SIP/2.0\r\n" + routes +
                                               "Via: SIP/2.0/UDP 127.0.0.1:7002;branch=z9hG4bKs\r\n\r\n"));
  };
  const auto by_flow = std::get<ViaEditor::Hop>(
      hop("Route: " + editor_.flow_route(connection, false) + ", <sip:p@192.0.2.8;lr>\r\n"));
  EXPECT_EQ(by_flow.flow, connection);
  EXPECT_EQ(by_flow.bond, FlowBond::kStays);
  EXPECT_EQ(
      to_string(std::get<ViaEditor::Hop>(hop("Route: <sip:192.0.2.8:5080;lr;transport=tcp>\r\n")).flow.peer),
      "192.0.2.8:5080");
  EXPECT_EQ(to_string(std::get<ViaEditor::Hop>(hop("")).flow.peer), "10.0.0.5:5060");
  EXPECT_EQ(std::get<ServerName>(hop("", "sip:a@Phone.Example")),
            (ServerName{"phone.example", 0, {}, false}));
  EXPECT_EQ(std::get<ServerName>(hop("", "sips:a@p.example")),
            (ServerName{"p.example", 0, Transport::kTls, true}));
  EXPECT_EQ(to_string(std::get<ViaEditor::Hop>(hop("", "sip:a@10.0.0.5;transport=tls")).flow.peer),
            "10.0.0.5:5061");
  EXPECT_EQ(std::get<NoHop>(hop("", "sip:a@10.0.0.5;transport=ws")), NoHop::kUnsupportedTransport);
  EXPECT_EQ(std::get<NoHop>(hop("Route: <sip:forged@127.0.0.1:7001;lr>\r\n")), NoHop::kMalformed);
  EXPECT_EQ(std::get<NoHop>(hop("", "sip:a@10.0.0.5;transport=sctp")), NoHop::kUnsupportedTransport);
}

TEST_F(ViaEditorTest, TheAckOfAStatelessAnswerIsKnownAndOthersAreNot) {
  const std::string text = request();
  const std::string answer =
      stateless_response(*SipMessage::parse(text), kPhone, {503, "Service Unavailable", 7}, signer_);
  EXPECT_NE(answer.find("\r\nRetry-After: 7\r\n"), std::string::npos);
  const std::string to = std::string(value_of(*SipMessage::parse(answer), HeaderName::kTo));
  std::string ack = request("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKphone;rport", "ACK");
  EXPECT_FALSE(is_ack_of_stateless_response(*SipMessage::parse(ack), signer_));
  ack.replace(ack.find("<sip:b@h>"), 9, to);
  EXPECT_TRUE(is_ack_of_stateless_response(*SipMessage::parse(ack), signer_));
}

TEST_F(ViaEditorTest, AnswersGoBackToTheStackThatAsked) {
  const Endpoint second = *Endpoint::parse("127.0.0.1:7003");
  const ViaEditor editor(signer_, kGateway, {kStack, second});
  const auto from_second = SipMessage::parse(
      "BYE sip:a@203.0.113.5 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7003;branch=z9hG4bKs\r\nCSeq: 2 "
      "BYE\r\n\r\n");
  const auto hop = std::get<ViaEditor::Hop>(editor.next_hop(*from_second));
  std::string answer = editor.request_to_peer(*from_second, hop, kPublic);
  answer.replace(0, answer.find("\r\n"), "SIP/2.0 200 OK");
  const auto back = editor.response_to_stack(*SipMessage::parse(answer), kPhone);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->stack, 1u);
  EXPECT_NE(back->text.find("Via: SIP/2.0/UDP 127.0.0.1:7003;branch=z9hG4bKs\r\n"), std::string::npos);
}

// Found by the fuzzer: the second element is empty.
TEST_F(ViaEditorTest, AViaThatEndsInACommaIsSurvived) {
  const std::string text = request("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKphone,");
  EXPECT_TRUE(SipMessage::parse(up(text)));
  EXPECT_FALSE(stateless_response(*SipMessage::parse(text), kPhone, {400, "Bad Request"}, signer_).empty());
}

TEST_F(ViaEditorTest, AStatelessAnswerIsNoLargerThanItsRequestByMuch) {
  const std::string text = request();
  const std::string answer =
      stateless_response(*SipMessage::parse(text), kPhone, {400, "Bad Request"}, signer_);
  EXPECT_TRUE(answer.starts_with("SIP/2.0 400 Bad Request\r\n"));
  const auto answered = SipMessage::parse(answer);
  EXPECT_TRUE(has_to_tag(*answered));
  EXPECT_LT(static_cast<double>(answer.size()), 1.3 * static_cast<double>(text.size()));
}

}  // namespace
}  // namespace vas::signaling
