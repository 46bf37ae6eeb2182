#include "base/capabilities.h"

#include <gtest/gtest.h>

#include <thread>

namespace vas {
namespace {

TEST(CapabilitiesTest, HaveNames) {
  EXPECT_EQ(to_string(Capabilities()), "none");
  EXPECT_EQ(to_string(Capabilities().with(CAP_NET_ADMIN).with(CAP_BPF)), "CAP_NET_ADMIN CAP_BPF");
  EXPECT_EQ(to_string(Capabilities().with(CAP_CHOWN)), "capability 0");
}

TEST(CapabilitiesTest, AThreadKeepsWhatItHadOfThoseWantedAndGetsNothingBack) {
  const Capabilities before = permitted_capabilities();
  std::thread([&] {
    const Capabilities one = Capabilities().with(CAP_NET_ADMIN);
    EXPECT_TRUE(keep_capabilities(one));
    EXPECT_EQ(permitted_capabilities(), before & one);
    std::thread([&] {
      EXPECT_EQ(permitted_capabilities(), before & one) << "of those that it makes";
    }).join();
    EXPECT_TRUE(keep_capabilities({}));
    EXPECT_TRUE(keep_capabilities(one));
    EXPECT_EQ(permitted_capabilities(), Capabilities());
  }).join();
  EXPECT_EQ(permitted_capabilities(), before) << "of other threads";
}

}  // namespace
}  // namespace vas
