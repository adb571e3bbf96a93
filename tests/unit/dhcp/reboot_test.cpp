// INIT-REBOOT: a lease of before, at a start and when the link comes back (RFC 2131 sections 3.2, 3.7 and 4.4.2).
#include "dhcp_test_support.hpp"

namespace wireside::dhcp {
namespace {

using namespace testing;

class DhcpRebootTest : public ClientTest {
 protected:
  Lease before() {
    Lease lease;
    lease.prefix = {given, 24};
    lease.server = server;
    lease.obtained = now - 100s;
    lease.duration = 3600s;
    lease.t1 = 1800s;
    lease.t2 = 3150s;
    return lease;
  }
};

// RFC 2131 DHCP-19
TEST_F(DhcpRebootTest, AckConfirmsTheLeaseOfBefore) {
  make({.previous = before()});
  client->start(now);
  EXPECT_EQ(sent(), Strings{"REQUEST 0.0.0.0 > 255.255.255.255 requested 10.0.0.57"});
  EXPECT_EQ(client->state(), DhcpState::Rebooting);
  ack();
  client->address_free(now, given);
  EXPECT_EQ(told(), (Strings{"check 10.0.0.57", "bound 10.0.0.57/24"}));
  EXPECT_EQ(client->lease()->obtained, now);
}

// RFC 2131 DHCP-19, DHCP-12
TEST_F(DhcpRebootTest, NakMeansANewAddress) {
  make({.previous = before()});
  client->start(now);
  sent();
  nak(other_server);
  EXPECT_EQ(sent(), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255"}) << "the address of before is not asked for again";
  EXPECT_FALSE(client->lease());
}

// RFC 2131 DHCP-19
TEST_F(DhcpRebootTest, SilenceKeepsALeaseThatRuns) {
  make({.previous = before()});
  client->start(now);
  sent();
  EXPECT_EQ(wait(15s).size(), 1U);
  EXPECT_EQ(told(), Strings{"check 10.0.0.57"});
  client->address_free(now, given);
  EXPECT_EQ(told(), Strings{"bound 10.0.0.57/24"});
  EXPECT_EQ(client->lease()->expires_at() - now, 3600s - 100s - 15s);
}

// RFC 2131 DHCP-19
TEST_F(DhcpRebootTest, SilenceWithALeaseThatHasEndedStartsAnew) {
  auto lease = before();
  lease.duration = 105s;
  make({.previous = lease});
  client->start(now);
  sent();
  const auto lines = wait(15s);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1], "DISCOVER 0.0.0.0 > 255.255.255.255 requested 10.0.0.57");
  EXPECT_TRUE(told().empty());
}

// RFC 2131 section 3.7, DHCP-19: the address stays in use while it is asked for.
TEST_F(DhcpRebootTest, AReturningLinkVerifiesTheLease) {
  to_bound();
  now += 100s;
  client->link_returned(now);
  EXPECT_EQ(sent(), Strings{"REQUEST 0.0.0.0 > 255.255.255.255 requested 10.0.0.57"});
  EXPECT_EQ(client->state(), DhcpState::Rebooting);
  ASSERT_TRUE(client->lease());
  EXPECT_TRUE(client->holds_address());
  ack();
  EXPECT_EQ(told(), Strings{"check 10.0.0.57"});
  EXPECT_TRUE(client->lease());
  client->address_free(now, given);
  EXPECT_EQ(told(), Strings{"renewed 10.0.0.57/24"});
  EXPECT_EQ(client->lease()->obtained, now);
  EXPECT_EQ(client->state(), DhcpState::Bound);
}

// RFC 2131 section 3.7: without an answer the lease is used while it runs.
TEST_F(DhcpRebootTest, AReturningLinkWithoutAServerKeepsTheLease) {
  to_bound();
  now += 100s;
  client->link_returned(now);
  sent();
  EXPECT_EQ(wait(15s).size(), 1U);
  EXPECT_EQ(told(), Strings{"check 10.0.0.57"});
  client->address_free(now, given);
  EXPECT_EQ(told(), Strings{"renewed 10.0.0.57/24"});
  EXPECT_EQ(client->lease()->expires_at() - now, 3600s - 115s);
}

// RFC 2131 DHCP-12: another network's server takes the address away at once.
TEST_F(DhcpRebootTest, ANakAfterTheLinkReturnedTakesTheAddressDown) {
  to_bound();
  client->link_returned(now);
  sent();
  nak(other_server);
  EXPECT_EQ(told(), (Strings{"refused by 10.0.0.9", "lost 10.0.0.57: the server took it back (DHCPNAK)"}));
  EXPECT_EQ(sent(), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255"});
  EXPECT_FALSE(client->holds_address());
}

// RFC 2131 DHCP-17, DHCP-11: the end of the lease and conflicts count while the address is verified.
TEST_F(DhcpRebootTest, WhatEndsALeaseEndsItWhileItIsVerified) {
  to_bound(60);
  client->link_returned(now + 57s);
  sent();
  wait(61s);
  EXPECT_EQ(told(), Strings{"lost 10.0.0.57: the lease expired"});

  make({});
  to_bound();
  client->link_returned(now);
  sent();
  client->address_conflict(now, given);
  EXPECT_EQ(told(), (Strings{"lost 10.0.0.57: another host uses it", "declined 10.0.0.57"}));

  make({});
  to_bound();
  client->link_returned(now);
  sent();
  client->stop(now, true);
  EXPECT_EQ(sent(), Strings{"RELEASE 10.0.0.57 > 10.0.0.1 ciaddr 10.0.0.57 server 10.0.0.1"});
  EXPECT_EQ(told(), Strings{"lost 10.0.0.57: released"});
}

// RFC 2131 section 3.7: a link that flaps begins anew each time, and loses nothing.
TEST_F(DhcpRebootTest, ALinkThatFlapsKeepsTheAddress) {
  to_bound();
  for (int i = 0; i < 5; ++i) {
    client->link_returned(now);
    EXPECT_EQ(sent().size(), 1U);
    EXPECT_TRUE(client->holds_address());
    wait(1s);
  }
  ack();
  client->link_returned(now);  // while it is checked
  EXPECT_EQ(sent().size(), 1U);
  EXPECT_TRUE(client->holds_address());
  ack();
  client->address_free(now, given);
  EXPECT_EQ(client->state(), DhcpState::Bound);
}

TEST_F(DhcpRebootTest, WithoutALeaseAReturningLinkIsAskedAtOnce) {
  client->start(now);
  sent();
  wait(100s);
  client->link_returned(now);
  EXPECT_EQ(sent(), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255"});
  EXPECT_EQ(client->state(), DhcpState::Selecting);
}

}  // namespace
}  // namespace wireside::dhcp
