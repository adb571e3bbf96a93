// Proportional Rate Reduction for itself (RFC 6937bis).
#include <gtest/gtest.h>

#include "tcp/recovery.hpp"

namespace wireside::tcp {
namespace {

TEST(Prr, TheFirstAckAlwaysLetsTheFastRetransmitGo) {
  Prr p;
  p.start(10000, 5000);
  EXPECT_EQ(p.on_ack(1000, 8000, false, 1000), 9000U);
}

TEST(Prr, AboveSsthreshItIsProportional) {
  Prr p;
  p.start(10000, 5000);
  p.sent(1000);
  EXPECT_EQ(p.on_ack(2000, 8000, false, 1000), 8000U);
  EXPECT_EQ(p.on_ack(2000, 7000, false, 1000), 8000U) << "4,000 delivered, half of it may have left, 1,000 did";
}

TEST(Prr, BelowSsthreshItIsConservativeUnlessThingsGoWell) {
  Prr conservative;
  conservative.start(10000, 5000);
  conservative.sent(1000);
  EXPECT_EQ(conservative.on_ack(1000, 3000, false, 1000), 4000U) << "packet conservation";
  Prr going_well = conservative;
  going_well.sent(1000);
  EXPECT_EQ(going_well.on_ack(1000, 3000, true, 1000), 5000U) << "slow start towards ssthresh";
  EXPECT_EQ(going_well.on_ack(5000, 4500, true, 1000), 5000U) << "never beyond it";
}

}  // namespace
}  // namespace wireside::tcp
