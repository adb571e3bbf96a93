// TCP options: MSS, window scale, timestamps, SACK (RFC 9293 section 3.2, 3.7.1; RFC 7323; RFC 2018).
#include <gtest/gtest.h>

#include <algorithm>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

// RFC 9293 MUST-14, SHLD-5, MUST-67, MAY-3; RFC 7323 TS-10: the offer is MTU - 40, options not deducted.
TEST(TcpOptions, SynOffersTheLinksMss) {
  TcpPeer t;
  t.connect();
  EXPECT_EQ(t.out("S 0 <mss 1460,...>").header.options.mss, 1460);
  PeerSetup s;
  s.mss = 8960;
  TcpPeer u{s};
  u.listen();
  u.in("S 0 <mss 1460>");
  u.out("S. 0 ack 1 <mss 8960>");
}

// RFC 9293 MUST-65: MSS only on SYN; RFC 2018 SACK-01: SACK-permitted too; RFC 7323 TS-01: window scale too.
TEST(TcpOptions, SynOptionsAppearOnSynsOnly) {
  TcpPeer t;
  t.establish(all_options);
  t.send(100);
  const auto data = t.out("P. 1+100");
  EXPECT_FALSE(data.header.options.mss);
  EXPECT_FALSE(data.header.options.window_scale);
  EXPECT_FALSE(data.header.options.sack_permitted);
}

TEST(TcpOptions, SynAckAnswersOnlyWhatWasOffered) {  // RFC 7323 TS-01, TS-04; RFC 2018 SACK-01
  const std::pair<const char*, const char*> cases[] = {
      {"<mss 1460>", "<mss 1460>"},
      {"<mss 1460,sackOK>", "<mss 1460,sackOK>"},
      {"<mss 1460,wscale 3>", "<mss 1460,wscale *>"},
      {"<mss 1460,TS val 9 ecr 0>", "<mss 1460,TS val * ecr 9>"},
      {"<mss 1460,sackOK,TS val 9 ecr 0,nop,wscale 7>", "<mss 1460,sackOK,TS val * ecr 9,wscale *>"},
      {"<>", "<mss 1460>"},
  };
  for (const auto& [offer, answer] : cases) {
    TcpPeer t;
    t.listen();
    t.in(std::string{"S 0 "} + offer);
    t.out(std::string{"S. 0 ack 1 "} + answer);
  }
}

TEST(TcpOptions, ConfigurationSwitchesOptionsOff) {
  PeerSetup s;
  s.config.window_scaling = s.config.timestamps = s.config.sack = false;
  TcpPeer t{s};
  t.connect();
  t.out("S 0 <mss 1460>");
  TcpPeer u{s};
  u.listen();
  u.in("S 0 <mss 1460,sackOK,TS val 9 ecr 0,nop,wscale 7>");
  u.out("S. 0 ack 1 <mss 1460>");
}

// RFC 9293 MUST-15
TEST(TcpOptions, WithoutMssOptionThePeerTakes536) {
  TcpPeer t;
  t.establish("<>");
  EXPECT_EQ(t.status().mss, 536U);
  t.send(1000);
  t.out(". 1+536");
  t.in(". 1 ack 537");
  t.out("P. 537+464");
}

// RFC 9293 MUST-16: min(peer's MSS, link) less option octets.
TEST(TcpOptions, SegmentSizeIsTheSmallerMssLessOptions) {
  const auto size = [](std::string_view options, std::uint16_t link) {
    PeerSetup s;
    s.mss = link;
    TcpPeer t{s};
    t.establish(options);
    t.send(20'000);
    t.ignore_rest();
    return t.out(". 1+" + std::to_string(t.status().mss)).payload.octets();
  };
  EXPECT_EQ(size("<mss 1460>", 1460), 1460U);
  EXPECT_EQ(size("<mss 1000>", 1460), 1000U);
  EXPECT_EQ(size("<mss 9000>", 1460), 1460U);
  EXPECT_EQ(size("<mss 1460,TS val 1 ecr 0>", 1460), 1448U);  // RFC 7323 TS-10
}

TEST(TcpOptions, AbsurdlySmallMssIsSurvived) {
  for (const char* options : {"<mss 0>", "<mss 1>", "<mss 12,TS val 1 ecr 0>"}) {
    TcpPeer t;
    t.establish(options);
    t.send(5000);
    EXPECT_GT(t.status().mss, 0U);
    EXPECT_GE(t.discard(), 1U);
  }
}

TEST(TcpOptions, ApplicationBoundsTheMss) {
  TcpPeer t;
  ConnectionOptions o;
  o.max_segment = 600;
  t.listen(1, o);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1 <mss 600>");
  t.in(". 1 ack 1");
  t.accept();
  t.send(1000);
  t.out(". 1+600");
  t.ignore_rest();
}

// RFC 9293 MUST-5: options count on any segment; an MSS option outside a SYN has no meaning.
TEST(TcpOptions, MssOptionOnOtherSegmentsIsIgnored) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.in(". 1 ack 1 <mss 100>");
  EXPECT_EQ(t.status().mss, 1000U);
}

// RFC 7323 TS-04
TEST(TcpTimestamps, EverySegmentButResetCarriesThem) {
  TcpPeer t;
  t.establish("<mss 1460,TS val 100 ecr 0>");
  t.send(100);
  t.out("P. 1+100 <TS val * ecr 100>");
  t.in("P. 1+100 ack 101 <TS val 150 ecr last>");
  t.out_within(500ms, ". 101 ack 101 <TS val * ecr 150>");
  t.read(100);
  t.close();
  t.out("F. 101 ack 101 <TS val * ecr 150>");
}

TEST(TcpTimestamps, EchoIsTheOneThatBelongsToTheLastAck) {  // RFC 7323 TS-04, section 4.3
  TcpPeer t;
  t.establish("<mss 1460,TS val 100 ecr 0>");
  t.in("P. 1+100 ack 1 <TS val 110 ecr last>");
  t.in("P. 101+100 ack 1 <TS val 120 ecr last>");  // the ACK is still owed for the first: its value counts
  t.out_within(500ms, ". 1 ack 201 <TS val * ecr 110>");
  t.in("P. 301+100 ack 1 <TS val 130 ecr last>");  // out of order: does not touch TS.Recent
  t.out(". 1 ack 201 <TS val * ecr 110>");
  t.in("P. 201+100 ack 1 <TS val 140 ecr last>");  // fills the gap
  t.out(". 1 ack 401 <TS val * ecr 140>");
}

TEST(TcpTimestamps, ClockRunsAndNeverGoesBack) {  // RFC 7323 TS-07: 1 ms to 1 s per tick
  TcpPeer t;
  t.establish("<mss 1460,TS val 100 ecr 0>");
  t.send(10);
  t.out("P. 1+10");
  const auto first = t.our_last_timestamp();
  t.in(". 1 ack 11");
  t.wait(10s);
  t.send(10);
  t.out("P. 11+10");
  const auto ticks = t.our_last_timestamp() - first;
  EXPECT_GE(ticks, 10U);
  EXPECT_LE(ticks, 10'000U);
}

TEST(TcpTimestamps, OffsetsDifferBetweenConnections) {  // RFC 7323 TS-07, section 7.1
  TcpPeer t;
  std::vector<std::uint32_t> values;
  for (std::uint16_t port = 40000; port < 40010; ++port) {
    t.use_port(port);
    t.establish("<mss 1460,TS val 100 ecr 0>");
    values.push_back(t.our_last_timestamp());
  }
  std::sort(values.begin(), values.end());
  EXPECT_EQ(std::unique(values.begin(), values.end()), values.end());
}

// RFC 7323 TS-05: SHOULD be dropped, never aborts.
TEST(TcpTimestamps, SegmentWithoutTimestampsIsDropped) {
  TcpPeer t;
  t.establish("<mss 1460,TS val 100 ecr 0>");
  t.in("P. 1+100 ack 1 <>");
  t.silence(1s);
  t.read_fails(Error::WouldBlock);
  EXPECT_EQ(t.drops(observe::DropReason::TcpMissingTimestamp), 1U);
  t.in("R 1 <>");  // a RST needs none
  t.failed(Error::ConnectionReset);
}

TEST(TcpTimestamps, NotNegotiatedTimestampsAreIgnored) {
  TcpPeer t;
  t.establish("<mss 1460>");
  t.in("P. 1+100 ack 1 <TS val 5 ecr 5>");
  t.read_exactly(100);
  t.out_within(500ms, ". 1 ack 101 <>");
}

// RFC 2018 SACK-03: each ACK for out-of-order data carries SACK, the cumulative ACK unchanged.
TEST(TcpSack, OutOfOrderDataIsReported) {
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.in(". 1001+1000 ack 1");
  t.out(". 1 ack 1 <sack 1001:2001>");
  t.in(". 2001+1000 ack 1");
  t.out(". 1 ack 1 <sack 1001:3001>");
  t.in(". 1+1000 ack 1");
  t.out(". 1 ack 3001 <>");
}

// RFC 2018 SACK-02: the block with the latest segment first, then by how recently they changed.
TEST(TcpSack, FirstBlockIsTheMostRecent) {
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.in(". 1001+1000 ack 1");
  t.out(". 1 ack 1 <sack 1001:2001>");
  t.in(". 3001+1000 ack 1");
  t.out(". 1 ack 1 <sack 3001:4001 1001:2001>");
  t.in(". 5001+1000 ack 1");
  t.out(". 1 ack 1 <sack 5001:6001 3001:4001 1001:2001>");
  t.in(". 7001+1000 ack 1");
  t.out(". 1 ack 1 <sack 7001:8001 5001:6001 3001:4001 1001:2001>");
  t.in(". 9001+1000 ack 1");
  t.out(". 1 ack 1 <sack 9001:10001 7001:8001 5001:6001 3001:4001>");
  t.in(". 2001+1000 ack 1");  // joins two blocks
  t.out(". 1 ack 1 <sack 1001:4001 9001:10001 7001:8001 5001:6001>");
}

TEST(TcpSack, ThreeBlocksFitBesideTimestamps) {  // RFC 2018 SACK-02
  TcpPeer t;
  t.establish("<mss 1000,sackOK,TS val 1 ecr 0>");
  for (int i = 0; i < 6; ++i) t.in(". " + std::to_string(1001 + 2000 * i) + "+1000 ack 1");
  t.wait(0ms);
  while (t.pending() > 1) t.out(". 1 ack 1");
  t.out(". 1 ack 1 <TS val * ecr *,sack 11001:12001 9001:10001 7001:8001>");
}

TEST(TcpSack, NoBlocksWithoutNegotiation) {  // RFC 2018 SACK-01
  TcpPeer t;
  t.establish("<mss 1000>");
  t.in(". 1001+1000 ack 1");
  t.out(". 1 ack 1 <>");
}

TEST(TcpSack, BlocksRideBesideOutgoingDataToo) {  // RFC 2018 section 4
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.batch([&] {
    t.in(". 1001+1000 ack 1");
    t.send(100);
  });
  bool reported = false;
  while (t.pending() > 0 && !t.broken()) {
    const auto s = t.out(t.pending() == 2 ? "P. 1+100 ack 1" : ". 101 ack 1");
    reported = reported || s.header.options.sack_count == 1;
  }
  EXPECT_TRUE(reported);
}

// RFC 2018 SACK-06: nonsense blocks do no harm.
TEST(TcpSack, GarbageBlocksAreIgnored) {
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.send(5000);
  EXPECT_EQ(t.discard(), 5U);
  for (const char* blocks : {"sack 2000:1000", "sack 100000:200000", "sack -500:-100", "sack 1:1", "sack 0:2000000000",
                             "sack 1:5001 1:5001 5001:1 3:4"}) {
    t.in(std::string{". 1 ack 1 <"} + blocks + ">");
  }
  t.discard();
  EXPECT_EQ(t.status().flight, 5000U);
  t.in(". 1 ack 5001");
  EXPECT_EQ(t.status().flight, 0U);
  t.state(TcpState::Established);
}

// RFC 2018 SACK-05: SACKed octets may be discarded by the receiver; they must still be there for a retransmission.
TEST(TcpSack, RenegingReceiverGetsItsDataAgain) {
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.send(5000);
  t.discard();
  t.in(". 1 ack 1 <sack 2001:5001>");
  t.out_within(5s, ". 1+1000");
  t.in(". 1 ack 1001");  // and nothing of the SACKed is acknowledged any more
  SeqNum taken = t.our_iss() + 1001;
  for (int i = 0; i < 100 && taken != t.our_iss() + 5001; ++i) {
    t.wait(5s);
    while (t.pending() > 0 && !t.broken()) {
      const auto s = t.any();
      if (s.header.seq == taken) taken += static_cast<std::uint32_t>(s.payload.octets());
      t.in(". 1 ack " + std::to_string(taken - t.our_iss()));
    }
  }
  EXPECT_EQ(taken, t.our_iss() + 5001);
}

// RFC 2018 SACK-07: a flood of holes is bounded in memory.
TEST(TcpSack, HoleFloodIsBounded) {
  PeerSetup s;
  s.config.max_reassembly_slices = 256;
  TcpPeer t{s};
  t.establish("<mss 1000,sackOK,wscale 7>");
  for (int i = 0; i < 10'000; ++i) t.in(". " + std::to_string(3 + 2 * i) + "+1 ack 1");
  EXPECT_LE(t.status().out_of_order, 256U);
  EXPECT_LE(t.pool().octets_in_use(), 1U << 20);
  t.discard();
  t.state(TcpState::Established);
}

// RFC 7323 TS-04: Last.ACK.sent is the ACK field of the last segment sent, a retransmission included.
TEST(TcpTimestamps, RetransmissionCountsAsTheLastAck) {
  TcpPeer t;
  t.establish("<mss 1012,TS val 100 ecr 0>");
  t.send(5000);
  EXPECT_EQ(t.discard(), 5U);
  t.in("P. 1+100 ack 1 <TS val 110 ecr last>");  // its ACK is delayed
  for (int i = 0; i < 3; ++i) t.in(". 101 ack 1 <TS val 111 ecr last>");
  t.out(". 1+1000 ack 101 <TS val * ecr 110>");
  t.in("P. 101+100 ack 1 <TS val 115 ecr last>");
  t.out_within(100ms, ". 5001 ack 201 <TS val * ecr 115>");
  t.ignore_rest();
}

TEST(TcpTimestamps, HandshakeAckWithoutTimestampsIsDropped) {  // RFC 7323 TS-05
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460,TS val 100 ecr 0>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1 <>");
  t.nothing();
  t.state(TcpState::SynReceived);
  EXPECT_EQ(t.drops(observe::DropReason::TcpMissingTimestamp), 1U);
}

}  // namespace
}  // namespace wireside::testing
