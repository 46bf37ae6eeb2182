#include "base/host_port.h"

#include <gtest/gtest.h>

namespace vas {
namespace {

TEST(HostPort, ReadsNamesAndAddresses) {
  EXPECT_EQ(HostPort::parse("192.0.2.7"), (HostPort{"192.0.2.7", 0}));
  EXPECT_EQ(HostPort::parse("[2001:db8::1]:5060"), (HostPort{"2001:db8::1", 5060}));
  EXPECT_EQ(HostPort::parse("SIP.Carrier.example:5061"), (HostPort{"sip.carrier.example", 5061}));
  EXPECT_EQ(to_string(HostPort{"2001:db8::1", 5060}), "[2001:db8::1]:5060");
  EXPECT_EQ(to_string(HostPort{"carrier.example", 0}), "carrier.example");
}

TEST(HostPort, RefusesWhatIsNeither) {
  for (const char* text : {"", "a b", "a..b", "-a.example", "192.0.2.300", "1.2.3", "a:0", "a:70000", "a:x",
                           "a/b", "x@y", "a\r\nb"}) {
    EXPECT_FALSE(HostPort::parse(text)) << text;
  }
}

}  // namespace
}  // namespace vas
