#include "vas/webhooks/address_guard.h"

#include <gtest/gtest.h>

#include "vas/webhooks/url.h"

namespace vas::webhooks {
namespace {

// Ways into a platform's own network.
constexpr const char* kInside[] = {"http://127.0.0.1/",
                                   "http://127.1/",
                                   "http://0x7f000001/",
                                   "http://2130706433/",
                                   "http://0177.0.0.1/",
                                   "http://0.0.0.0/",
                                   "http://10.0.0.1/",
                                   "http://10.255.255.255:8080/x",
                                   "http://172.16.0.1/",
                                   "http://172.31.255.255/",
                                   "http://192.168.1.1/",
                                   "http://169.254.169.254/latest/meta-data/",
                                   "http://169.254.0.1/",
                                   "http://100.64.0.1/",
                                   "http://100.127.255.255/",
                                   "http://192.0.0.1/",
                                   "http://192.0.2.1/",
                                   "http://198.18.0.1/",
                                   "http://198.51.100.1/",
                                   "http://203.0.113.9/",
                                   "http://224.0.0.1/",
                                   "http://239.255.255.250:1900/",
                                   "http://240.0.0.1/",
                                   "http://255.255.255.255/",
                                   "http://[::1]/",
                                   "http://[::]/",
                                   "http://[fe80::1]/",
                                   "http://[fc00::1]/",
                                   "http://[fd00:ec2::254]/",
                                   "http://[ff02::1]/",
                                   "http://[::ffff:127.0.0.1]/",
                                   "http://[::ffff:10.0.0.1]/",
                                   "http://[::ffff:a9fe:a9fe]/",
                                   "http://[64:ff9b::7f00:1]/",
                                   "http://[64:ff9b::a00:1]/",
                                   "http://[2002:7f00:1::]/",
                                   "http://[2002:a00:1::1]/",
                                   "http://[::127.0.0.1]/",
                                   "http://[2001:db8::1]/",
                                   "https://user:pw@127.0.0.1:443/",
                                   "http://127.0.0.1%2f@127.0.0.1/",
                                   "http://[0:0:0:0:0:0:0:1]/"};

TEST(AddressGuard, KeepsRequestsOutOfThePlatformsNetwork) {
  const AddressGuard guard({});
  for (const char* url : kInside) EXPECT_TRUE(fault_of_url(url, guard)) << url;
}

TEST(AddressGuard, LetsTheInternetAndWhatTheOperatorAllowsThrough) {
  const AddressGuard guard({*Network::parse("10.1.0.0/16"), *Network::parse("::1")});
  for (const char* url :
       {"https://app.example.com/incoming", "http://8.8.8.8/", "http://[2606:4700::1]:8080/x",
        "http://10.1.2.3/", "http://[::1]:9090/", "http://[::ffff:10.1.0.1]/", "http://172.32.0.1/"})
    EXPECT_FALSE(fault_of_url(url, guard)) << url << ": " << *fault_of_url(url, guard);
  EXPECT_TRUE(fault_of_url("http://10.2.0.1/", guard));
}

TEST(Url, MustBeHttpWithAHost) {
  const AddressGuard guard({});
  for (const char* url :
       {"", "x", "ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "http://",
        "javascript:alert(1)", "//a.example/", "http://a b.example/", "http://a.example/\r\nX-Evil: 1"})
    EXPECT_TRUE(fault_of_url(url, guard)) << url;
}

}  // namespace
}  // namespace vas::webhooks
