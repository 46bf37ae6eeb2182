#include "media/srtp/libssl_version.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace vas::media {
namespace {

constexpr unsigned long k3_0_19 = 0x30000130, k3_0_22 = 0x30000160, k3_0_23 = 0x30000170, k3_5_0 = 0x30500000;

TEST(LibsslVersion, TakesWhatHasTheFixes) {
  EXPECT_FALSE(fault_of_libssl(k3_0_23, {}));
  EXPECT_FALSE(fault_of_libssl(k3_5_0, {}));
  EXPECT_FALSE(fault_of_libssl(k3_0_22, "3.0.22-1~deb12u2"));
  EXPECT_FALSE(fault_of_libssl(k3_0_22, "3.0.22-1~deb12u10"));
  EXPECT_FALSE(fault_of_libssl(k3_0_22, "3.0.22-1"));
}

TEST(LibsslVersion, TellsWhatHasThemNot) {
  const auto fault = fault_of_libssl(k3_0_22, "3.0.22-1~deb12u1");
  ASSERT_TRUE(fault);
  EXPECT_NE(fault->find("3.0.22 (package 3.0.22-1~deb12u1)"), std::string::npos) << *fault;
  EXPECT_TRUE(fault_of_libssl(k3_0_19, "3.0.19-1~deb12u2"));
  EXPECT_TRUE(fault_of_libssl(k3_0_22, {}));
  // What is loaded is not the package's.
  EXPECT_TRUE(fault_of_libssl(k3_0_19, "3.0.22-1~deb12u2"));
}

TEST(LibsslVersion, OrdersAsDpkgDoes) {
  const char* ordered[] = {"3.0.9-1",          "3.0.19-1~deb12u2",  "3.0.22-1~deb12u1",
                           "3.0.22-1~deb12u2", "3.0.22-1~deb12u10", "3.0.22-1",
                           "3.0.22-1a",        "3.0.22-1+b1",       "3.0.22-2"};
  for (std::size_t a = 0; a < std::size(ordered); ++a) {
    for (std::size_t b = 0; b < std::size(ordered); ++b) {
      const int order = compare_debian_versions(ordered[a], ordered[b]);
      EXPECT_EQ(order < 0, a < b) << ordered[a] << " " << ordered[b];
      EXPECT_EQ(order > 0, a > b) << ordered[a] << " " << ordered[b];
    }
  }
}

TEST(LibsslVersion, ReadsThePackageThatIsInstalled) {
  const std::string file = testing::TempDir() + "libssl_version_test.status";
  std::ofstream(file) << "Package: libssl3t64\nStatus: install ok installed\nVersion: 9\n\n"
                         "Package: libssl3\nStatus: deinstall ok config-files\nVersion: 1\n\n"
                         "Package: libssl3\nStatus: install ok installed\nVersion: 3.0.22-1~deb12u2\n\n";
  EXPECT_EQ(installed_version(file, "libssl3"), "3.0.22-1~deb12u2");
  EXPECT_FALSE(installed_version(file, "libssl"));
  EXPECT_FALSE(installed_version("/nonexistent", "libssl3"));
  std::remove(file.c_str());
}

}  // namespace
}  // namespace vas::media
