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
