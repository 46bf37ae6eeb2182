#include "vas/app/descriptor_budget.h"

#include <gtest/gtest.h>

namespace vas::app {
namespace {

const DescriptorBudget kWanted{
    .media_ports = 10'000, .sip_connections = 8192, .webhooks = 4096, .api_connections = 100'000};

std::size_t sum(const DescriptorBudget& budget) {
  return budget.media_ports + budget.sip_connections + budget.webhooks + budget.api_connections;
}

TEST(DescriptorBudget, GivesWhatIsWantedWhereThereIsEnough) {
  const auto budget = fit_descriptors(1'000'000, kWanted);
  EXPECT_EQ(sum(budget), sum(kWanted));
}

TEST(DescriptorBudget, FitsEveryLimit) {
  for (const std::size_t limit : {64u, 256u, 1024u, 4096u, 5000u, 20'000u, 65'536u, 120'000u}) {
    const auto budget = fit_descriptors(limit, kWanted);
    EXPECT_LE(sum(budget) + reserved_descriptors(limit), limit) << limit;
    EXPECT_GE(sum(budget) + reserved_descriptors(limit) + 8, limit) << limit << ": and uses it";
    EXPECT_GE(budget.media_ports, 8u);
    EXPECT_GE(budget.api_connections, 8u);
  }
}

TEST(DescriptorBudget, WhatOnePoolDoesNotWantTheOthersGet) {
  DescriptorBudget wanted = kWanted;
  wanted.media_ports = 100;
  const auto budget = fit_descriptors(20'000, wanted);
  EXPECT_EQ(budget.media_ports, 100u);
  EXPECT_EQ(budget.webhooks, 4096u);
  EXPECT_GT(budget.api_connections, 7'000u);
}

}  // namespace
}  // namespace vas::app
