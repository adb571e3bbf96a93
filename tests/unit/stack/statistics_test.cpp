// Counters by the names of RFC 4293, 4022 and 4113, as traffic makes them move.
#include "statistics.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "host.hpp"

namespace wireside::testing {
namespace {

class StatisticsTest : public ::testing::Test {
 protected:
  std::map<std::string, std::uint64_t> counters() {
    std::map<std::string, std::uint64_t> out;
    for (const auto& s : list(host.stack.statistics())) EXPECT_TRUE(out.emplace(s.name, s.value).second) << s.name;
    return out;
  }
  Host host;
};

TEST_F(StatisticsTest, APingMovesIpIcmpArpAndTheInterface) {
  host.in(host.icmp({.type = 8, .code = 0, .rest = 1}, Octets(8)));
  const auto sent = host.out_resolving();
  ASSERT_EQ(sent.size(), 1U);
  auto c = counters();
  EXPECT_EQ(c["IpInReceives"], 1U);
  EXPECT_EQ(c["IpInDelivers"], 1U);
  EXPECT_EQ(c["IpOutRequests"], 1U);
  EXPECT_EQ(c["IcmpInEchos"], 1U);
  EXPECT_EQ(c["IcmpInMsgs"], 1U);
  EXPECT_EQ(c["IcmpOutEchoReps"], 1U);
  EXPECT_EQ(c["ArpOutRequests"], 1U);
  EXPECT_EQ(c["ArpInReplies"], 1U);
  EXPECT_EQ(c["IfInFrames"], 2U);
  EXPECT_EQ(c["IfOutFrames"], 2U);
  EXPECT_EQ(c["IfOutOctets"], 60U + sent[0].size());
}

TEST_F(StatisticsTest, AClosedUdpPort) {
  host.in(host.udp(1, 2, "hello"));
  host.out_resolving();
  auto c = counters();
  EXPECT_EQ(c["UdpNoPorts"], 1U);
  EXPECT_EQ(c["UdpInDatagrams"], 0U);
  EXPECT_EQ(c["IcmpOutDestUnreachs"], 1U);
}

TEST_F(StatisticsTest, ARefusedConnection) {
  wire::TcpHeader syn;
  syn.source = Port{5};
  syn.destination = Port{6};
  syn.flags.syn = true;
  host.in(host.tcp(syn));
  host.out_resolving();
  auto c = counters();
  EXPECT_EQ(c["TcpInSegs"], 1U);
  EXPECT_EQ(c["TcpOutSegs"], 1U);
  EXPECT_EQ(c["TcpOutRsts"], 1U);
}

TEST_F(StatisticsTest, AnActiveOpenThatIsRefusedAfterARetransmission) {
  auto& sockets = host.stack.sockets();
  const auto h = *sockets.open(SocketKind::Stream);
  EXPECT_EQ(sockets.connect(host.now, h, {peer_address, Port{80}}), Result<void>{fail(Error::InProgress)});
  const auto frames = host.out_resolving();
  ASSERT_EQ(frames.size(), 1U);
  host.wait(1500ms);
  EXPECT_EQ(counters()["TcpRetransSegs"], 1U);
  const auto syn = dissect(frames[0]).tcp();
  wire::TcpHeader rst;
  rst.source = syn.destination;
  rst.destination = syn.source;
  rst.flags.rst = rst.flags.ack = true;
  rst.ack = syn.seq + 1;
  host.in(host.tcp(rst));
  auto c = counters();
  EXPECT_EQ(c["TcpActiveOpens"], 1U);
  EXPECT_EQ(c["TcpAttemptFails"], 1U);
  EXPECT_EQ(c["TcpCurrEstab"], 0U);
}

/// An IPv4 packet to us with one field changed, its header checksum right unless the change is of the checksum.
Octets changed(const Host& host, std::size_t at, std::uint8_t to, std::uint8_t protocol = 17) {
  Octets frame = host.udp(1, 2, "hello");
  frame[14 + 9] = protocol;
  frame[14 + at] = to;
  if (at != 10) {
    store_be16(frame.data() + 24, 0);
    store_be16(frame.data() + 24, internet_checksum(ByteView{frame}.subspan(14, 20)));
  }
  return frame;
}

/// An echo request with these IP options.
Octets with_options(const Host& host, const Octets& options) {
  Octets frame = host.icmp({8, 0, 1}, Octets(8));
  frame.insert(frame.begin() + 34, options.begin(), options.end());
  frame[14] = static_cast<std::uint8_t>(0x45 + options.size() / 4);
  frame[17] = static_cast<std::uint8_t>(frame[17] + options.size());
  store_be16(frame.data() + 24, 0);
  store_be16(frame.data() + 24, internet_checksum(ByteView{frame}.subspan(14, 20 + options.size())));
  return frame;
}

Octets broken(Octets frame, std::size_t at) {
  frame.at(at) ^= 1;
  return frame;
}

/// Of a TCP segment, with more to come.
Octets first_fragment(const Host& host, const Octets& octets) {
  Octets frame = host.ipv4(wire::IpProtocol::Tcp, octets);
  frame[20] = 0x20;
  store_be16(frame.data() + 24, 0);
  store_be16(frame.data() + 24, internet_checksum(ByteView{frame}.subspan(14, 20)));
  return frame;
}

/// A TCP header of 16 octets, by its own words; its checksum is right.
Octets broken_offset(Octets frame) {
  const std::uint16_t before = load_be16(frame.data() + 46);
  frame.at(46) = 0x40;
  const unsigned sum = (load_be16(frame.data() + 50) ^ 0xffffU) + (before ^ 0xffffU) + load_be16(frame.data() + 46);
  store_be16(frame.data() + 50, static_cast<std::uint16_t>(~((sum & 0xffff) + (sum >> 16))));
  return frame;
}

struct Discard {
  observe::DropReason reason;
  const char* counter;  ///< of RFC 4293 and its like, nullptr where none counts it
  Octets frame;
};

std::vector<Discard> discards(const Host& host) {
  using enum observe::DropReason;
  wire::TcpHeader syn;
  syn.destination = Port{6};
  syn.flags.syn = true;
  const MacAddress us = host.stack.mac();
  return {{FrameTooShort, nullptr, Octets(10)},
          {UnknownEtherType, nullptr, host.ethernet(us, 0x86dd, Octets(46))},
          {ArpMalformed, nullptr, host.ethernet(us, 0x0806, Octets(28))},
          {IpBadVersion, "IpInHdrErrors", changed(host, 0, 0x65)},
          {IpMalformed, "IpInHdrErrors", changed(host, 0, 0x44)},
          {IpMalformed, "IpInHdrErrors", changed(host, 2, 0xff)},
          {IpBadChecksum, "IpInHdrErrors", changed(host, 10, 0)},
          {IpBadOption, "IpInHdrErrors", with_options(host, {0x1e, 1, 0, 0})},
          {IpSourceRoute, "IpInAddrErrors", with_options(host, {131, 7, 4, 10, 0, 0, 9, 0})},
          {IpBadSource, "IpInAddrErrors", changed(host, 12, 224)},
          {IpNotOurs, "IpInAddrErrors", changed(host, 19, 77)},
          {LoopbackOnWire, "IpInAddrErrors", changed(host, 16, 127)},
          {IpUnknownProtocol, "IpInUnknownProtos", changed(host, 9, 99, 99)},
          {FragmentTiny, "IpReasmFails", first_fragment(host, Octets(16))},
          {IcmpBadChecksum, "IcmpInErrors", broken(host.icmp({8, 0, 1}, Octets(8)), 45)},
          {IcmpMalformed, "IcmpInErrors", host.ipv4(wire::IpProtocol::Icmp, Octets(4))},
          {IcmpUnknownType, nullptr, host.icmp({42, 0, 0}, Octets(8))},
          {UdpMalformed, "UdpInErrors", host.ipv4(wire::IpProtocol::Udp, Octets(8))},
          {UdpBadChecksum, "UdpInErrors", broken(host.udp(1, 2, "hello"), 43)},
          {UdpNoSocket, "UdpNoPorts", host.udp(1, 2, "hello")},
          {TcpBadChecksum, "TcpInErrs", broken(host.tcp(syn), 38)},
          {TcpMalformed, "TcpInErrs", broken_offset(host.tcp(syn))}};
}

// RFC 1122 IP-20: each kind of discard is counted once, by its own reason and in the counter that the MIB has for it.
TEST(Discards, EachIsCountedOnceUnderItsReason) {
  const Host model;
  const std::size_t kinds = discards(model).size();
  for (std::size_t i = 0; i < kinds; ++i) {
    Host host;
    const Discard discard = discards(host).at(i);
    SCOPED_TRACE(to_string(discard.reason));
    host.in(discard.frame);
    const Statistics after = host.stack.statistics();
    for (std::size_t reason = 0; reason < after.drops.size(); ++reason) {
      EXPECT_EQ(after.drops[reason], observe::DropReason(reason) == discard.reason ? 1U : 0U)
          << to_string(observe::DropReason(reason));
    }
    std::map<std::string, std::uint64_t> c;
    for (const auto& s : list(after)) c[s.name] = s.value;
    for (const char* name : {"IpInHdrErrors", "IpInAddrErrors", "IpInUnknownProtos", "IpInDiscards", "IpReasmFails",
                             "IcmpInErrors", "UdpInErrors", "UdpNoPorts", "TcpInErrs"}) {
      EXPECT_EQ(c[name], discard.counter != nullptr && discard.counter == std::string{name} ? 1U : 0U) << name;
    }
    EXPECT_EQ(c["IpInReceives"],
              c["IpInHdrErrors"] + c["IpInAddrErrors"] + c["IpInUnknownProtos"] + c["IpReasmReqds"] + c["IpInDelivers"])
        << "nothing vanishes uncounted";
  }
}

// RFC 1122 IP-20: what is dropped on the way out is counted as well.
TEST_F(StatisticsTest, PacketsThatCannotLeaveAreCounted) {
  auto& sockets = host.stack.sockets();
  const auto h = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.send_to(host.now, h, Octets(1), {Ipv4Address{10, 0, 0, 9}, Port{9}}));
  host.out();
  host.wait(5s);
  auto c = counters();
  EXPECT_EQ(c["IpOutDiscards"], 1U);
  EXPECT_EQ(host.stack.sink().drops(observe::DropReason::NeighbourUnreachable), 1U);
}

TEST_F(StatisticsTest, ImpairmentsAreListedWhereTheyHappened) {
  EXPECT_FALSE(counters().contains("ImpairInEcnMarks"));
  host.stack.sink().impaired(host.now, observe::Direction::In, observe::ImpairmentAction::Marked, {});
  host.stack.sink().impaired(host.now, observe::Direction::Out, observe::ImpairmentAction::LostAtRandom, {});
  EXPECT_EQ(counters()["ImpairInEcnMarks"], 1U);
  EXPECT_EQ(counters()["ImpairOutRandomLosses"], 1U);
}

// RFC 1122 IP-20: every discard is counted, under a name of its own.
TEST_F(StatisticsTest, EveryDropReasonIsListedOnce) {
  host.in(host.ethernet(host.stack.mac(), 0x0800, Octets(30)));
  std::set<std::string> names;
  std::uint64_t sum = 0;
  for (const auto& s : list_drops(host.stack.statistics())) {
    EXPECT_TRUE(names.insert(s.name).second) << s.name;
    sum += s.value;
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(observe::DropReason::Count));
  EXPECT_EQ(sum, 1U);
  EXPECT_EQ(counters()["IpInHdrErrors"], 1U);
}

}  // namespace
}  // namespace wireside::testing
