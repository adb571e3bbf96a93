// Holding an address: T1, T2, the end of the lease, link-local addresses.
#include "dhcp_test_support.hpp"

namespace wireside::dhcp {
namespace {

using namespace testing;

class DhcpLeaseTest : public ClientTest {};

constexpr const char* renew = "REQUEST 10.0.0.57 > 10.0.0.1 ciaddr 10.0.0.57";
constexpr const char* rebind = "REQUEST 10.0.0.57 > 255.255.255.255 ciaddr 10.0.0.57";

// RFC 2131 DHCP-13
TEST_F(DhcpLeaseTest, RenewsByUnicastAtHalfTheLease) {
  to_bound();
  const auto xid = last.xid;
  EXPECT_TRUE(wait(1700s).empty());
  EXPECT_EQ(wait(100s), Strings{renew});
  EXPECT_EQ(client->state(), DhcpState::Renewing);
  EXPECT_NE(last.xid, xid);
  const Instant asked = sent_at.back();
  ack();
  EXPECT_EQ(told(), Strings{"renewed 10.0.0.57/24"});
  EXPECT_EQ(client->state(), DhcpState::Bound);
  EXPECT_EQ(client->lease()->expires_at(), asked + 3600s);
}

// RFC 3203 section 6: without authentication anybody on the link could send it.
TEST_F(DhcpLeaseTest, ForceRenewIsIgnored) {
  to_bound();
  const Instant renewal = client->next_deadline();
  auto m = reply(DhcpMessageType::ForceRenew);
  EXPECT_TRUE(dropped(DropReason::DhcpUnexpected, m));
  m.xid = 0;  // a server need not know the last exchange
  m.yiaddr = {};
  EXPECT_TRUE(dropped(DropReason::DhcpUnexpected, m));
  EXPECT_EQ(client->state(), DhcpState::Bound);
  EXPECT_EQ(client->next_deadline(), renewal);
  EXPECT_EQ(wait(1800s), Strings{renew}) << "at T1, as without it";
}

// RFC 2131 DHCP-13: hosts that started together do not renew together.
TEST_F(DhcpLeaseTest, TimesAreALittleRandom) {
  std::vector<Duration> t1;
  for (std::uint64_t seed = 1; seed < 10; ++seed) {
    make({}, seed);
    to_bound();
    t1.push_back(client->lease()->t1);
    EXPECT_LE(t1.back(), 1800s);
    EXPECT_GT(t1.back(), 1740s);
    client->stop(now, false);
    sent();
  }
  EXPECT_GT(std::count_if(t1.begin(), t1.end(), [&](Duration d) { return d != t1.front(); }), 5);
}

// RFC 2131 DHCP-16: half the time that remains, not within 60 s; DHCP-14; DHCP-17.
TEST_F(DhcpLeaseTest, SilenceLeadsThroughRebindingToTheEnd) {
  to_bound();
  const Lease lease = *client->lease();
  const auto lines = wait(3599s);
  std::size_t renewals = 0;
  for (; renewals < lines.size() && lines[renewals] == renew; ++renewals) {
  }
  ASSERT_GE(renewals, 3U);
  for (std::size_t i = renewals; i < lines.size(); ++i) EXPECT_EQ(lines[i], rebind);
  ASSERT_GE(lines.size() - renewals, 2U);
  for (std::size_t i = 1; i < sent_at.size(); ++i) {
    const Instant limit = i < renewals ? lease.t2_at() : lease.expires_at();
    if (i == renewals) continue;  // T2 itself
    EXPECT_EQ(sent_at[i] - sent_at[i - 1], std::max<Duration>((limit - sent_at[i - 1]) / 2, 60s)) << i;
  }
  EXPECT_EQ(sent_at[renewals], lease.t2_at());
  EXPECT_EQ(client->state(), DhcpState::Rebinding);
  EXPECT_TRUE(told().empty()) << "the address is ours to the end";
  EXPECT_EQ(wait(1s), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255 requested 10.0.0.57"});
  EXPECT_EQ(told(), Strings{"lost 10.0.0.57: the lease expired"});
  EXPECT_FALSE(client->lease());
}

// RFC 2131 DHCP-14: another server may take over.
TEST_F(DhcpLeaseTest, AnotherServerRebinds) {
  to_bound();
  wait(3200s);
  ASSERT_EQ(client->state(), DhcpState::Rebinding);
  ack(other_server);
  EXPECT_EQ(told(), Strings{"renewed 10.0.0.57/24"});
  EXPECT_EQ(client->lease()->server, other_server);
}

// RFC 2131 DHCP-12: NAK in RENEWING and REBINDING.
TEST_F(DhcpLeaseTest, NakTakesTheAddressDown) {
  for (const Duration until : {1900s, 3200s}) {
    make({});
    to_bound();
    wait(until);
    ASSERT_NE(client->state(), DhcpState::Bound);
    nak();
    EXPECT_EQ(told(), (Strings{"refused by 10.0.0.1", "lost 10.0.0.57: the server took it back (DHCPNAK)"}));
    EXPECT_EQ(sent(), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255"});
    client->stop(now, false);
  }
}

// RFC 2131 DHCP-25: only the server of the lease may answer what was sent to it.
TEST_F(DhcpLeaseTest, RenewalIsAnsweredByItsServer) {
  to_bound();
  wait(1900s);
  EXPECT_TRUE(dropped(DropReason::DhcpOtherServer, reply(DhcpMessageType::Ack, other_server)));
  EXPECT_TRUE(dropped(DropReason::DhcpOtherServer, reply(DhcpMessageType::Nak, other_server)));
  EXPECT_TRUE(dropped(DropReason::DhcpUnusable, reply(DhcpMessageType::Ack, server, Ipv4Address{10, 0, 0, 58})));
}

// RFC 2131 DHCP-23
TEST_F(DhcpLeaseTest, InfiniteLeaseNeedsNoTime) {
  to_bound(wire::dhcp_infinite_lease);
  EXPECT_TRUE(client->lease()->infinite);
  EXPECT_EQ(client->next_deadline(), Instant::max());
}

// RFC 2131 DHCP-17: a clock that jumps past everything.
TEST_F(DhcpLeaseTest, TimePassedUnseen) {
  to_bound();
  now += 3300s;
  client->handle_timeouts(now);
  EXPECT_EQ(client->state(), DhcpState::Rebinding);
  EXPECT_EQ(sent(), Strings{rebind});
  now += 3600s;
  client->handle_timeouts(now);
  EXPECT_EQ(told(), Strings{"lost 10.0.0.57: the lease expired"});
}

TEST_F(DhcpLeaseTest, LeaseThatEndsDuringTheCheck) {
  to_requesting();
  auto m = reply(DhcpMessageType::Ack);
  m.lease_seconds = 2;
  in(m);
  told();
  EXPECT_EQ(wait(2s), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255"});
  client->address_free(now, given);
  EXPECT_TRUE(told().empty());
}

// RFC 3927: only when no server answers, and given up when one does.
TEST_F(DhcpLeaseTest, LinkLocalAddressUntilAServerAnswers) {
  make({.link_local = true});
  client->start(now);
  sent();
  EXPECT_EQ(last.auto_configure, 1) << "RFC 2563";
  wait(15s);
  auto changes = told();
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0], "no server");
  ASSERT_EQ(changes[1].substr(0, 14), "check 169.254.");
  const auto address = *Ipv4Address::parse(changes[1].substr(6));
  EXPECT_FALSE(client->lease());
  client->address_free(now, address);
  EXPECT_EQ(told(), Strings{"bound " + address.to_string() + "/16"});
  EXPECT_TRUE(client->lease()->link_local);
  wait(30s);
  offer();
  sent();
  ack();
  client->address_free(now, given);
  EXPECT_EQ(told(), (Strings{"check 10.0.0.57", "lost " + address.to_string() + ": replaced by a leased address",
                             "bound 10.0.0.57/24"}));
}

// RFC 3927 section 2.1: the same station tends to get the same address. Section 2.2.1: ten conflicts slow it down.
TEST_F(DhcpLeaseTest, LinkLocalConflicts) {
  const auto first_choice = [&](std::uint64_t seed) {
    make({.link_local = true}, seed);
    client->start(now);
    sent();
    wait(15s);
    return told().back();
  };
  EXPECT_EQ(first_choice(1), first_choice(2)) << "from the MAC address, not from the stack's randomness";
  std::string checked = first_choice(1);
  for (int conflicts = 1; conflicts < 10; ++conflicts) {
    client->address_conflict(now, *Ipv4Address::parse(checked.substr(6)));
    const auto changes = told();
    ASSERT_EQ(changes.size(), 1U) << conflicts;
    EXPECT_NE(changes[0], checked);
    checked = changes[0];
  }
  client->address_conflict(now, *Ipv4Address::parse(checked.substr(6)));
  EXPECT_TRUE(told().empty());
  wait(59s);
  EXPECT_TRUE(told().empty());
  wait(1s);
  EXPECT_EQ(told().size(), 1U);
}

// RFC 2563
TEST_F(DhcpLeaseTest, AServerMayForbidLinkLocalAddresses) {
  make({.link_local = true});
  client->start(now);
  sent();
  auto m = reply(DhcpMessageType::Offer, server, Ipv4Address{});
  m.auto_configure = std::uint8_t{0};
  in(m);
  wait(60s);
  EXPECT_EQ(told(), Strings{"no server"});
}

TEST_F(DhcpLeaseTest, InterfaceGone) {
  to_bound();
  client->interface_gone(now);
  EXPECT_EQ(client->state(), DhcpState::Stopped);
  EXPECT_EQ(client->next_deadline(), Instant::max());
  EXPECT_TRUE(sent().empty());
}

}  // namespace
}  // namespace wireside::dhcp
