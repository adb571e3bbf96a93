// The way to an address: INIT, SELECTING, REQUESTING, the check, BOUND; INIT-REBOOT; what is not taken.
#include "dhcp/client.hpp"

#include "dhcp_test_support.hpp"

namespace wireside::dhcp {
namespace {

using namespace testing;

class DhcpClientTest : public ClientTest {};

// RFC 2131 DHCP-02, DHCP-03, DHCP-05, DHCP-06, DHCP-09, DHCP-10: the textbook exchange.
TEST_F(DhcpClientTest, FourMessages) {
  client->start(now);
  EXPECT_EQ(sent(), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255"});
  EXPECT_EQ(last.op, DhcpMessage::Op::Request);
  EXPECT_EQ(last.chaddr, our_mac);
  EXPECT_FALSE(last.broadcast) << "DHCP-04: unicast replies can be received";
  const DhcpMessage discover = last;
  now += 2s;
  offer();
  EXPECT_EQ(sent(), Strings{"REQUEST 0.0.0.0 > 255.255.255.255 requested 10.0.0.57 server 10.0.0.1"});
  EXPECT_EQ(last.xid, discover.xid);
  EXPECT_EQ(last.secs, discover.secs);
  EXPECT_EQ(last.client_id, discover.client_id);
  EXPECT_EQ(last.parameter_request_list, discover.parameter_request_list);
  ack();
  EXPECT_EQ(told(), Strings{"check 10.0.0.57"});
  EXPECT_EQ(client->state(), DhcpState::Checking);
  EXPECT_FALSE(client->lease()) << "not before the check is over";
  client->address_free(now, given);
  EXPECT_EQ(told(), Strings{"bound 10.0.0.57/24"});
  EXPECT_EQ(client->state(), DhcpState::Bound);
  EXPECT_EQ(states, (Strings{"INIT: started", "SELECTING: DHCPDISCOVER sent", "REQUESTING: DHCPOFFER chosen",
                             "CHECKING: DHCPACK received", "BOUND: nobody else has the address"}));
}

// RFC 2131 DHCP-03
TEST_F(DhcpClientTest, EachExchangeHasItsOwnXid) {
  client->start(now);
  sent();
  const auto first = last.xid;
  client->stop(now, true);
  client->start(now);
  sent();
  EXPECT_NE(last.xid, first);
  auto wrong = reply(DhcpMessageType::Offer);
  wrong.xid = first;
  EXPECT_TRUE(dropped(DropReason::DhcpOtherExchange, wrong));
}

// RFC 4361, RFC 6842
TEST_F(DhcpClientTest, ClientIdentifier) {
  const std::vector<std::uint8_t> expected{255, 0x5e, 0, 0x53, 1, 0, 3, 0, 1, 2, 0, 0x5e, 0, 0x53, 1};
  client->start(now);
  sent();
  EXPECT_EQ(last.client_id, expected);
  auto echoed = reply(DhcpMessageType::Offer);
  echoed.client_id = {1, 2, 3};
  EXPECT_TRUE(dropped(DropReason::DhcpNotForUs, echoed));
  echoed.client_id = expected;
  in(echoed);
  EXPECT_EQ(client->state(), DhcpState::Requesting);
}

// RFC 2131 DHCP-01
TEST_F(DhcpClientTest, StartDelayIsOneToTenSecondsWhereWanted) {
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    make({.start_delay = true}, seed);
    client->start(now);
    EXPECT_TRUE(sent().empty());
    EXPECT_GE(client->next_deadline() - now, 1s);
    EXPECT_LE(client->next_deadline() - now, 10s);
    EXPECT_EQ(wait(client->next_deadline() - now).size(), 1U);
    client->stop(now, false);
    sent();
  }
}

// RFC 2131 DHCP-07: 4, 8, 16, 32, 64, 64 ... seconds, each one second more or less.
TEST_F(DhcpClientTest, DiscoverBacksOff) {
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    make({}, seed);
    sent_at.clear();
    client->start(now);
    sent();
    Instant before = now;
    const auto lines = wait(400s);
    ASSERT_GE(lines.size(), 6U);
    const Duration expected[] = {4s, 8s, 16s, 32s, 64s, 64s};
    bool random = false;
    for (std::size_t i = 0; i < 6; ++i) {
      const Duration gap = sent_at[i] - before;
      EXPECT_GE(gap, expected[i] - 1s) << i;
      EXPECT_LE(gap, expected[i] + 1s) << i;
      random |= gap != expected[i];
      before = sent_at[i];
    }
    EXPECT_TRUE(random);
    EXPECT_EQ(told(), Strings{"no server"}) << "said once";
    EXPECT_GE(unanswered.size(), 6U);
    unanswered.clear();
    client->stop(now, false);
  }
}

// RFC 2131 DHCP-08
TEST_F(DhcpClientTest, UnansweredRequestStartsAnew) {
  to_requesting();
  const auto xid = last.xid;
  const auto lines = wait(66s);  // 4 + 8 + 16 + 32, with a second each
  ASSERT_GE(lines.size(), 4U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(lines[static_cast<std::size_t>(i)].substr(0, 7), "REQUEST");
  EXPECT_EQ(lines[3], "DISCOVER 0.0.0.0 > 255.255.255.255");
  EXPECT_NE(last.xid, xid);
  EXPECT_EQ(client->state(), DhcpState::Selecting);
}

// RFC 2131 DHCP-12
TEST_F(DhcpClientTest, NakLeadsToInitAtOnce) {
  to_requesting();
  nak();
  EXPECT_EQ(sent(), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255"});
  EXPECT_EQ(told(), Strings{"refused by 10.0.0.1"});
  EXPECT_EQ(client->state(), DhcpState::Selecting);
  // A server that refuses what it offers is not asked in a tight loop.
  offer();
  sent();
  nak();
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(client->state(), DhcpState::Init);
  EXPECT_EQ(wait(1s).size(), 1U);
}

// RFC 2131 DHCP-11
TEST_F(DhcpClientTest, ConflictIsDeclined) {
  to_requesting();
  ack();
  client->address_conflict(now, given);
  EXPECT_EQ(sent(), Strings{"DECLINE 0.0.0.0 > 255.255.255.255 requested 10.0.0.57 server 10.0.0.1"});
  EXPECT_TRUE(last.parameter_request_list.empty() && last.vendor_class.empty() && !last.max_message_size) << "table 5";
  EXPECT_EQ(client->state(), DhcpState::Init);
  EXPECT_TRUE(wait(9999ms).empty());
  EXPECT_EQ(wait(1ms), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255"});
  EXPECT_EQ(told(), (Strings{"check 10.0.0.57", "declined 10.0.0.57"}));
}

// RFC 2131 DHCP-11: also when it shows up later (RFC 5227 section 2.4).
TEST_F(DhcpClientTest, ConflictWhileBoundGivesTheAddressUp) {
  to_bound();
  client->address_conflict(now, Ipv4Address{10, 0, 0, 58});
  EXPECT_EQ(client->state(), DhcpState::Bound) << "not our address";
  client->address_conflict(now, given);
  EXPECT_EQ(told(), (Strings{"lost 10.0.0.57: another host uses it", "declined 10.0.0.57"}));
  EXPECT_EQ(sent(), Strings{"DECLINE 0.0.0.0 > 255.255.255.255 requested 10.0.0.57 server 10.0.0.1"});
}

// RFC 2131 DHCP-24
TEST_F(DhcpClientTest, FirstOfferWins) {
  client->start(now);
  sent();
  offer(other_server, Ipv4Address{10, 0, 0, 90});
  EXPECT_EQ(sent(), Strings{"REQUEST 0.0.0.0 > 255.255.255.255 requested 10.0.0.90 server 10.0.0.9"});
  EXPECT_TRUE(dropped(DropReason::DhcpUnexpected, reply(DhcpMessageType::Offer)));
  EXPECT_TRUE(dropped(DropReason::DhcpOtherServer, reply(DhcpMessageType::Ack)));
  EXPECT_TRUE(dropped(DropReason::DhcpOtherServer, reply(DhcpMessageType::Nak)));
}

// RFC 2131 DHCP-24
TEST_F(DhcpClientTest, CollectedOffersPreferTheAddressOfBefore) {
  Lease before;
  before.prefix = {given, 24};
  before.server = server;
  before.obtained = now - 100s;
  before.duration = 10s;  // over: asked for, but not by INIT-REBOOT
  make({.collect_offers = 1s, .previous = before});
  client->start(now);
  EXPECT_EQ(sent(), Strings{"DISCOVER 0.0.0.0 > 255.255.255.255 requested 10.0.0.57"});
  offer(other_server, Ipv4Address{10, 0, 0, 90});
  EXPECT_TRUE(sent().empty());
  offer();
  EXPECT_EQ(sent(), Strings{"REQUEST 0.0.0.0 > 255.255.255.255 requested 10.0.0.57 server 10.0.0.1"});

  make({.collect_offers = 1s});
  client->start(now);
  sent();
  offer(other_server, Ipv4Address{10, 0, 0, 90});
  offer();
  EXPECT_EQ(wait(1s), Strings{"REQUEST 0.0.0.0 > 255.255.255.255 requested 10.0.0.90 server 10.0.0.9"});
}

// RFC 2131 DHCP-23, DHCP-25
TEST_F(DhcpClientTest, WhatIsNotTaken) {
  EXPECT_TRUE(dropped(DropReason::DhcpUnexpected, reply(DhcpMessageType::Ack))) << "stopped";
  client->start(now);
  sent();
  EXPECT_TRUE(dropped(DropReason::DhcpUnexpected, reply(DhcpMessageType::Ack))) << "no offer was taken yet";
  EXPECT_TRUE(dropped(DropReason::DhcpUnexpected, reply(DhcpMessageType::Nak)));
  EXPECT_TRUE(dropped(DropReason::DhcpUnexpected, reply(DhcpMessageType::Discover)));
  auto m = reply(DhcpMessageType::Offer);
  m.type.reset();
  EXPECT_TRUE(dropped(DropReason::DhcpMalformed, m)) << "no option 53";
  m = reply(DhcpMessageType::Offer);
  m.server_id.reset();
  EXPECT_TRUE(dropped(DropReason::DhcpMalformed, m)) << "no server identifier";
  m = reply(DhcpMessageType::Offer);
  m.chaddr.octets[5] = 9;
  EXPECT_TRUE(dropped(DropReason::DhcpNotForUs, m)) << "another client's";
  m = reply(DhcpMessageType::Offer);
  m.op = DhcpMessage::Op::Request;
  EXPECT_TRUE(dropped(DropReason::DhcpNotForUs, m)) << "a request";
  m = reply(DhcpMessageType::Offer);
  m.lease_seconds = 0;
  EXPECT_TRUE(dropped(DropReason::DhcpUnusable, m)) << "lease of no time";
  for (const auto bad : {Ipv4Address{}, Ipv4Address{10, 0, 0, 0}, Ipv4Address{10, 0, 0, 255}, Ipv4Address{224, 0, 0, 1},
                         Ipv4Address{127, 0, 0, 1}, Ipv4Address{255, 255, 255, 255}, Ipv4Address{240, 0, 0, 1}}) {
    EXPECT_TRUE(dropped(DropReason::DhcpUnusable, reply(DhcpMessageType::Offer, server, bad))) << bad.to_string();
  }
  offer();
  sent();
  m = reply(DhcpMessageType::Ack);
  m.lease_seconds.reset();
  EXPECT_TRUE(dropped(DropReason::DhcpUnusable, m)) << "an ACK without a lease time";
  EXPECT_TRUE(dropped(DropReason::DhcpUnusable, reply(DhcpMessageType::Ack, server, Ipv4Address{10, 0, 0, 58})))
      << "an address not asked for";
  ack();
  client->address_free(now, given);
  told();
  EXPECT_TRUE(dropped(DropReason::DhcpUnexpected, reply(DhcpMessageType::Ack))) << "BOUND";
  EXPECT_TRUE(dropped(DropReason::DhcpUnexpected, reply(DhcpMessageType::Nak))) << "BOUND";
}

// RFC 2131 DHCP-09
TEST_F(DhcpClientTest, ConfigurationOfTheAck) {
  to_requesting();
  auto m = reply(DhcpMessageType::Ack);
  m.subnet_mask = Ipv4Address{255, 255, 240, 0};
  m.routers = {Ipv4Address{10, 0, 0, 1}, Ipv4Address{255, 255, 255, 255}};
  m.dns_servers = {Ipv4Address{10, 0, 0, 53}};
  m.ntp_servers = {Ipv4Address{10, 0, 0, 123}};
  m.domain_name = "example.net";
  m.mtu = 1400;
  m.renewal_seconds = 1000;
  m.rebinding_seconds = 2000;
  m.classless_routes = {{{Ipv4Address{192, 168, 0, 0}, 16}, Ipv4Address{10, 0, 0, 2}}};
  in(m);
  client->address_free(now, given);
  const Lease lease = *client->lease();
  EXPECT_EQ(lease.prefix.to_string(), "10.0.0.57/20");
  EXPECT_EQ(lease.server, server);
  EXPECT_EQ(lease.configuration.routers, std::vector{server}) << "no host can be at the broadcast address";
  EXPECT_EQ(lease.configuration.dns_servers.size(), 1U);
  EXPECT_EQ(lease.configuration.ntp_servers.size(), 1U);
  EXPECT_EQ(lease.configuration.domain_name, "example.net");
  EXPECT_EQ(lease.configuration.mtu, 1400);
  EXPECT_EQ(lease.configuration.routes, m.classless_routes);
  EXPECT_EQ(lease.duration, 3600s);
  EXPECT_LE(lease.t1, 1000s);
  EXPECT_GT(lease.t1, 960s);
  EXPECT_LE(lease.t2, 2000s);
  EXPECT_GT(lease.t2, 1930s);
}

TEST_F(DhcpClientTest, MaskThatIsMissingOrOddIsTheClasss) {
  for (const auto mask : {std::optional<Ipv4Address>{}, std::optional{Ipv4Address{255, 0, 255, 0}}}) {
    make({});
    to_requesting();
    auto m = reply(DhcpMessageType::Ack);
    m.subnet_mask = mask;
    in(m);
    client->address_free(now, given);
    EXPECT_EQ(client->lease()->prefix.length, 8);
  }
}

// RFC 2131 DHCP-15
TEST_F(DhcpClientTest, T1BeforeT2BeforeTheEnd) {
  struct Row {
    std::uint32_t t1, t2;
  };
  for (const auto& [t1, t2] : {Row{2000, 1000}, {5000, 6000}, {0, 0}, {3599, 3600}, {1000, 1000}, {100, 9000}}) {
    make({});
    to_requesting();
    auto m = reply(DhcpMessageType::Ack);
    m.renewal_seconds = t1;
    m.rebinding_seconds = t2;
    in(m);
    client->address_free(now, given);
    const Lease lease = *client->lease();
    EXPECT_GT(lease.t1, 0s) << t1 << ' ' << t2;
    EXPECT_LT(lease.t1, lease.t2) << t1 << ' ' << t2;
    EXPECT_LT(lease.t2, lease.duration) << t1 << ' ' << t2;
    client->stop(now, false);
    sent();
  }
}

// RFC 2131 DHCP-18
TEST_F(DhcpClientTest, LeaseCountsFromTheRequest) {
  to_requesting();
  const Instant requested = now;
  wait(6s);  // one retransmission at least
  ack();
  client->address_free(now, given);
  EXPECT_EQ(client->lease()->obtained, requested);
}

// RFC 2131 DHCP-20
TEST_F(DhcpClientTest, ReleaseTellsTheServerOnce) {
  to_bound();
  const auto id = last.client_id;
  client->stop(now, true);
  EXPECT_EQ(sent(), Strings{"RELEASE 10.0.0.57 > 10.0.0.1 ciaddr 10.0.0.57 server 10.0.0.1"});
  EXPECT_EQ(last.client_id, id);
  EXPECT_TRUE(last.parameter_request_list.empty());
  EXPECT_EQ(told(), Strings{"lost 10.0.0.57: released"});
  EXPECT_EQ(client->next_deadline(), Instant::max()) << "no retry";
  EXPECT_EQ(states.back(), "STOPPED: lease released");
}

// RFC 2131 section 4.4.6: the server has given the address, though it is not in use yet. Nothing may come from it
// before the check has ended (RFC 5227 section 2.1.1).
TEST_F(DhcpClientTest, StopDuringTheCheckReleases) {
  to_requesting();
  ack();
  told();
  ASSERT_EQ(client->state(), DhcpState::Checking);
  client->stop(now, true);
  EXPECT_EQ(sent(), Strings{"RELEASE 0.0.0.0 > 255.255.255.255 ciaddr 10.0.0.57 server 10.0.0.1"});
  EXPECT_EQ(last.ciaddr, given);
  EXPECT_EQ(last.server_id, server);
  EXPECT_TRUE(told().empty()) << "no address was held that could be lost";
  EXPECT_EQ(states.back(), "STOPPED: lease released");
  client->address_free(now, given);
  EXPECT_EQ(client->state(), DhcpState::Stopped);
}

TEST_F(DhcpClientTest, StopDuringTheCheckMayKeepTheLease) {
  to_requesting();
  ack();
  client->stop(now, false);
  EXPECT_TRUE(sent().empty());
}

TEST_F(DhcpClientTest, WithoutTheCheckNobodyClaimsThatTheAddressIsFree) {
  to_requesting();
  ack();
  client->address_unchecked(now, given);
  EXPECT_EQ(states.back(), "BOUND: not asked whether another host has the address");
  EXPECT_TRUE(client->holds_address());
}

TEST_F(DhcpClientTest, StopWithoutReleaseIsSilent) {
  to_bound();
  client->stop(now, false);
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(told(), Strings{"lost 10.0.0.57: the DHCP client was stopped"});
}

// RFC 2131 DHCP-21
TEST_F(DhcpClientTest, InformAsksForConfigurationOnly) {
  const Ipv4Address by_hand{10, 0, 0, 2};
  client->inform(now, by_hand);
  EXPECT_EQ(sent(), Strings{"INFORM 10.0.0.2 > 255.255.255.255 ciaddr 10.0.0.2"});
  auto m = reply(DhcpMessageType::Ack, server, Ipv4Address{});
  m.lease_seconds.reset();
  in(m);
  EXPECT_EQ(told(), Strings{"informed by 10.0.0.1"});
  EXPECT_EQ(client->state(), DhcpState::Stopped);

  client->inform(now, by_hand);
  sent();
  EXPECT_EQ(wait(70s).size(), 3U);
  EXPECT_EQ(told(), Strings{"no server"});
  EXPECT_EQ(client->state(), DhcpState::Stopped);
}

TEST(DhcpStateTable, NamesEveryStateAndCause) {
  const std::string dot = state_table_dot();
  for (std::size_t s = 0; s <= static_cast<std::size_t>(DhcpState::Informing); ++s) {
    EXPECT_NE(dot.find('"' + std::string{to_string(static_cast<DhcpState>(s))} + '"'), std::string::npos) << s;
  }
  for (std::size_t c = 0; c <= static_cast<std::size_t>(DhcpCause::LinkReturned); ++c) {
    EXPECT_NE(dot.find('"' + std::string{to_string(static_cast<DhcpCause>(c))} + '"'), std::string::npos) << c;
  }
}

}  // namespace
}  // namespace wireside::dhcp
