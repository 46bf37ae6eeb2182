#include "signaling/sip/flow.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

TEST(FlowSigner, ReadsBackOnlyWhatItSignedItself) {
  const FlowSigner signer;
  const FlowSigner other;
  for (const Flow& flow : {Flow{Transport::kUdp, *Endpoint::parse("192.0.2.1:5060"), 0},
                           Flow{Transport::kWss, *Endpoint::parse("[2001:db8::1]:44"), 17, 3}}) {
    const std::string token = signer.sign(flow);
    EXPECT_EQ(token.find_first_of(" ;:@<>,"), std::string::npos) << token;
    EXPECT_EQ(signer.verify(token), flow);
    EXPECT_FALSE(other.verify(token));
    std::string forged = token;
    forged[2] = forged[2] == '9' ? '8' : '9';
    EXPECT_FALSE(signer.verify(forged));
  }
  for (const char* text : {"", "-", "u-1.2.3.4-5-0", "x"}) EXPECT_FALSE(signer.verify(text)) << text;
}

}  // namespace
}  // namespace vas::signaling
