// Explicit congestion notification (RFC 3168, RFC 8311) and ABE (RFC 8511). In the traces tos 2 is ECT(0), 3 is CE.
#include "tcp/ecn.hpp"

#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"
#include "tcp/congestion.hpp"

namespace wireside::testing {
namespace {

using observe::TxReason;
using observe::WindowCause;
using tcp::EcnMode;

constexpr int octets_per_segment = 1000;

PeerSetup setup() {
  PeerSetup s;
  s.config.tail_loss_probe = false;
  return s;
}

ConnectionOptions with(EcnMode mode) {
  ConnectionOptions o;
  o.ecn = mode;
  return o;
}

/// The peer asks for ECN and gets it; the round trip is 100 ms.
void establish(TcpPeer& t, ConnectionOptions options = {}, std::string_view syn_options = "<mss 1000,sackOK>") {
  t.listen(16, options);
  t.in("SEW 0 win 65535 " + std::string{syn_options});
  EXPECT_EQ(tcp::ecn_of(t.out("SE. 0 ack 1").tos), tcp::EcnCodepoint::NotEct) << "ECN-01, ECN-04";
  t.wait(100ms);
  t.in(". 1 ack 1");
  t.accept();
  t.nothing();
}

std::string data_segment(int first) { return ". " + std::to_string(1 + first * octets_per_segment) + "+1000"; }
std::string ack(int segments, std::string_view flags = ".") {
  return std::string{flags} + " 1 ack " + std::to_string(1 + segments * octets_per_segment);
}

int count_of(const TcpPeer& t, WindowCause cause) {
  int n = 0;
  for (const auto& w : t.windows_seen()) n += w.cause == cause ? 1 : 0;
  return n;
}

// --- negotiation ---

TEST(TcpEcn, AServerAcceptsWhatTheClientAsksFor) {  // RFC 3168 ECN-01, SHLD-8
  TcpPeer t{setup()};
  establish(t);
  EXPECT_TRUE(t.status().ecn);
}

TEST(TcpEcn, NobodyAskedNobodyGotIt) {  // RFC 3168 ECN-01
  for (const auto* syn : {"S", "SE", "SW"}) {
    TcpPeer t{setup()};
    t.listen();
    t.in(std::string{syn} + " 0 win 65535 <mss 1000>");
    t.out("S. 0 ack 1 tos 0");
    t.in(". 1 ack 1");
    t.accept();
    EXPECT_FALSE(t.status().ecn) << syn;
    t.send(1000);
    t.out("P. 1+1000 tos 0");
  }
}

TEST(TcpEcn, AServerMayBeToldNotTo) {
  TcpPeer t{setup()};
  t.listen(16, with(EcnMode::Off));
  t.in("SEW 0 win 65535 <mss 1000>");
  t.out("S. 0 ack 1");
}

TEST(TcpEcn, AMarkedSynShowsAPathThatMarksEverything) {
  TcpPeer t{setup()};
  t.listen();
  t.in("SEW 0 win 65535 tos 3 <mss 1000>");
  t.out("S. 0 ack 1");
}

TEST(TcpEcn, AClientAsksOnlyWhenTold) {  // RFC 3168 ECN-01
  TcpPeer plain{setup()};
  plain.connect();
  plain.out("S 0 tos 0");
  TcpPeer t{setup()};
  t.connect(with(EcnMode::Ask));
  t.out("SEW 0 tos 0");
  t.in("SE. 0 ack 1 <mss 1000>");
  t.out(". 1 ack 1 tos 0");
  EXPECT_TRUE(t.status().ecn);
}

TEST(TcpEcn, ABrokenPeersReflectionIsNoAgreement) {  // RFC 3168 ECN-01, section 6.1.1
  for (const auto* answer : {"SEW.", "S.", "SW."}) {
    TcpPeer t{setup()};
    t.connect(with(EcnMode::Ask));
    t.out("SEW 0");
    t.in(std::string{answer} + " 0 ack 1 <mss 1000>");
    t.out(". 1 ack 1");
    EXPECT_FALSE(t.status().ecn) << answer;
    t.send(1000);
    t.out("P. 1+1000 tos 0");
    t.in("E. 1 ack 1001");  // says nothing to us
    EXPECT_EQ(count_of(t, WindowCause::EcnEcho), 0);
  }
}

TEST(TcpEcn, ALostSynIsRepeatedWithoutEcn) {  // RFC 3168 ECN-01, section 6.1.1.1
  TcpPeer t{setup()};
  t.connect(with(EcnMode::Ask));
  t.out("SEW 0");
  t.out_after(1s, "S 0");
  t.in("SE. 0 ack 1 <mss 1000>");  // the answer to the first, late: one of our SYNs was none of ECN
  t.out(". 1 ack 1");
  EXPECT_FALSE(t.status().ecn);
}

TEST(TcpEcn, AClientThatFallsBackIsFollowed) {  // RFC 3168 ECN-01, section 6.1.1
  TcpPeer t{setup()};
  t.listen();
  t.in("SEW 0 win 65535 <mss 1000>");
  t.out("SE. 0 ack 1");
  t.in("S 0 win 65535 <mss 1000>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  EXPECT_FALSE(t.status().ecn);
}

TEST(TcpEcn, SimultaneousOpen) {  // RFC 3168 ECN-01, section 6.1.1
  TcpPeer t{setup()};
  t.connect(with(EcnMode::Ask));
  t.out("SEW 0");
  t.in("SEW 0 <mss 1000>");
  t.out("SE. 0 ack 1 tos 0");
  t.in("SE. 0 ack 1");
  t.state(TcpState::Established);
  EXPECT_TRUE(t.status().ecn);
  t.discard();
  t.send(1000);
  t.out("P. 1+1000 tos 2");
  EXPECT_EQ(count_of(t, WindowCause::EcnEcho), 0) << "ECE of a SYN is no echo";
}

// --- what is ECN-capable ---

TEST(TcpEcn, OnlyNewDataIsEcnCapable) {  // RFC 3168 ECN-04, sections 6.1.4 and 6.1.5
  TcpPeer t{setup()};
  establish(t);
  t.send(2000);
  t.out(". 1+1000 tos 2");
  t.out("P. 1001+1000 tos 2");
  t.in("P. 1+1000 ack 1");
  t.in("P. 1001+1000 ack 1");
  t.out(". 2001 ack 2001 tos 0");              // a pure ACK
  t.out_after(300ms, ". 1+1000 tos 0", 50ms);  // a retransmission
  t.wait(50ms);
  t.in(". 2001 ack 2001");
  t.shutdown();
  t.out("F. 2001 ack 2001 tos 0");
}

TEST(TcpEcn, ZeroWindowProbesAreNot) {  // RFC 3168 ECN-04, section 6.1.6
  TcpPeer t{setup()};
  establish(t);
  t.in(". 1 ack 1 win 0");
  t.send(1000);
  EXPECT_EQ(t.out_after(300ms, ". 1+1 tos 0", 10ms).reason, TxReason::ZeroWindowProbe);
}

TEST(TcpEcn, KeepAlivesAndResetsAreNot) {  // RFC 3168 ECN-04
  TcpPeer t{setup()};
  ConnectionOptions o;
  o.keep_alive = true;
  o.keep_alive_idle = 10s;
  establish(t, o);
  t.out_after(10s, ". 0 ack 1 tos 0");
  t.in(". 1 ack 1");
  t.abort();
  EXPECT_EQ(t.any().tos, 0);
}

TEST(TcpEcn, TheApplicationsTosKeepsToItsBits) {  // RFC 3168 ECN-05
  TcpPeer t{setup()};
  ConnectionOptions o;
  o.tos = 0xff;
  establish(t, o, "<mss 1000>");
  t.send(1000);
  t.out("P. 1+1000 tos 254");
  t.in("P. 1+1000 ack 1001");
  t.out_after(40ms, ". 1001 ack 1001 tos 252");
  o.tos = 0x01;
  t.options(o);
  t.send(1000);
  t.out("P. 1001+1000 tos 2");
  t.shutdown();
  t.out("F. 2001 tos 0");
  TcpPeer off{setup()};
  o.tos = 0xb9;
  off.establish("<mss 1000>", o);
  off.send(1000);
  off.out("P. 1+1000 tos 184");
}

// --- the receiver ---

TEST(TcpEcn, AMarkIsEchoedUntilTheSenderHasReduced) {  // RFC 3168 ECN-02, section 6.1.3
  TcpPeer t{setup()};
  establish(t);
  t.in(". 1+1000 ack 1 tos 3");
  t.out("E. 1 ack 1001");  // at once
  t.in(". 1001+1000 ack 1 tos 2");
  t.in(". 2001+1000 ack 1 tos 2");
  t.out("E. 1 ack 3001");
  t.read();
  t.send(500);
  t.out("PE. 1+500 ack 3001 tos 2");
  t.in("W. 3001+1000 ack 501 tos 2");
  t.out(". 501 ack 4001");  // at once: the peer's window may be down to one segment
  t.in(". 4001+1000 ack 501 tos 2");
  t.in(". 5001+1000 ack 501 tos 2");
  t.out(". 501 ack 6001");
  EXPECT_EQ(t.status().ce_received, 1U);
}

TEST(TcpEcn, AMarkOnTheReductionsSegmentCountsAnew) {  // RFC 3168 ECN-02, section 6.1.3
  TcpPeer t{setup()};
  establish(t);
  t.in(". 1+1000 ack 1 tos 3");
  t.out("E. 1 ack 1001");
  t.in("W. 1001+1000 ack 1 tos 3");
  t.out("E. 1 ack 2001");
  t.in("W. 2001+1000 ack 1 tos 2");
  t.out(". 1 ack 3001");
}

TEST(TcpEcn, MarksOutsideTheWindowAndOnEmptySegmentsAreIgnored) {  // RFC 3168 ECN-02, section 6.1.5
  TcpPeer t{setup()};
  establish(t);
  t.in(". 1+1000 ack 1");
  t.out_after(40ms, ". 1 ack 1001");
  t.in(". 1+1000 ack 1 tos 3");  // old
  t.out(". 1 ack 1001 <sack 1:1001>");
  t.in(". 1001 ack 1 tos 3");  // no octets
  t.nothing();
  EXPECT_EQ(t.status().ce_received, 0U);
}

TEST(TcpEcn, OutOfOrderTheMarkIsEchoedToo) {  // RFC 3168 ECN-02
  TcpPeer t{setup()};
  establish(t);
  t.in(". 1001+1000 ack 1 tos 3");
  t.out("E. 1 ack 1 <sack 1001:2001>");
  t.nothing();
}

TEST(TcpEcn, WithoutAgreementMarksSayNothing) {
  TcpPeer t{setup()};
  t.establish("<mss 1000>");
  t.in(". 1+1000 ack 1 tos 3");
  t.out_after(40ms, ". 1 ack 1001");
}

// --- the sender ---

TEST(TcpEcn, AnEchoHalvesTheWindowOncePerRoundTrip) {  // RFC 3168 ECN-03, section 6.1.2
  TcpPeer t{setup()};
  establish(t);
  t.send(60'000);
  for (int i = 0; i < 10; ++i) t.out(data_segment(i) + " tos 2");
  t.wait(100ms);
  t.in(ack(1, "E."));
  EXPECT_EQ(t.status().ssthresh, 5000U);
  t.out("W. 10001+1000 tos 2");  // the first new data says so, once
  for (int i = 2; i <= 10; ++i) t.in(ack(i, "E."));
  EXPECT_EQ(t.status().ssthresh, 5000U);
  EXPECT_EQ(count_of(t, WindowCause::EcnEcho), 1);
  const std::size_t sent = t.pending();
  EXPECT_GE(sent, 3U) << "acknowledgements go on clocking out data";
  EXPECT_LE(sent, 5U) << "one for two";
  int next = 11;
  while (t.pending() > 0) t.out(data_segment(next++) + " tos 2");
  t.wait(100ms);
  t.in(ack(11, "E."));  // from the next window of data: once more
  EXPECT_EQ(count_of(t, WindowCause::EcnEcho), 2);
  EXPECT_LT(t.status().ssthresh, 5000U);
  EXPECT_EQ(t.status().ece_received, 11U);
  t.ignore_rest();
}

TEST(TcpEcn, TheWindowEndsAtSsthreshAndGrowsFromThere) {  // RFC 3168 ECN-03
  TcpPeer t{setup()};
  establish(t);
  t.send(100'000);
  t.discard();
  t.wait(100ms);
  t.in(ack(1, "E."));
  for (int i = 2; i <= 10; ++i) t.in(ack(i));
  t.wait(100ms);
  t.in(ack(11));
  EXPECT_EQ(t.status().cwnd, 5000U);
  const auto sent = static_cast<int>(10 + t.discard());
  for (int i = 12; i <= sent; ++i) t.in(ack(i));
  EXPECT_GE(t.status().cwnd, 5000U);
  EXPECT_LE(t.status().cwnd, 6000U) << "congestion avoidance";
  t.ignore_rest();
}

TEST(TcpEcn, AnEchoDoesNotLetTheWindowGrow) {  // RFC 3168 ECN-03, section 6.1.2
  TcpPeer t{setup()};
  establish(t);
  t.send(20'000);
  t.discard();
  t.wait(100ms);
  t.in(ack(10, "E."));
  EXPECT_LE(t.status().cwnd, 5000U);
  EXPECT_NE(t.status().ssthresh, UINT32_MAX);
  t.ignore_rest();
}

TEST(TcpEcn, ALossInTheSameWindowReducesNoFurther) {  // RFC 3168 ECN-03: once for drops and marks together
  TcpPeer t{setup()};
  establish(t);
  t.send(60'000);
  t.discard();
  t.wait(100ms);
  t.in(ack(1, "E."));
  t.in(ack(1) + " <sack 2001:3001>");
  t.in(ack(1) + " <sack 2001:4001>");
  t.in(ack(1) + " <sack 2001:5001>");
  EXPECT_EQ(t.status().ssthresh, 5000U);
  bool sent_again = false;
  while (t.pending() > 0) {
    const auto s = t.any();
    if (s.reason == TxReason::FastRetransmit) {
      sent_again = true;
      EXPECT_EQ(s.tos, 0) << "ECN-04";
      EXPECT_FALSE(s.header.flags.cwr);
    }
  }
  EXPECT_TRUE(sent_again);
  t.ignore_rest();
}

TEST(TcpEcn, AfterALossTheNewDataSaysThatTheWindowIsReduced) {  // RFC 3168 ECN-03, section 6.1.2: for any reason
  TcpPeer t{setup()};
  establish(t);
  t.send(20'000);
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:10001>");
  t.out(". 1+1000 tos 0");
  t.in(ack(10, "E."));
  EXPECT_EQ(count_of(t, WindowCause::EcnEcho), 0) << "this window has paid already";
  bool told = false;
  while (t.pending() > 0) {
    const auto s = t.any();
    if (s.payload.octets() == 0) continue;
    EXPECT_EQ(s.header.flags.cwr, !told);
    told = true;
  }
  EXPECT_TRUE(told);
  t.ignore_rest();
}

TEST(TcpEcn, WithoutSackTheSame) {  // RFC 3168 ECN-03
  TcpPeer t{setup()};
  establish(t, {}, "<mss 1000>");
  t.send(60'000);
  t.discard();
  t.wait(100ms);
  t.in(ack(1, "E."));
  EXPECT_EQ(t.status().ssthresh, 5000U);
  t.out("W. 10001+1000 tos 2");
  for (int i = 2; i <= 10; ++i) t.in(ack(i));
  t.wait(100ms);
  t.in(ack(11));
  EXPECT_EQ(t.status().cwnd, 5000U);
  t.ignore_rest();
}

TEST(TcpEcn, AtOneSegmentTheTimerSlowsDown) {  // RFC 3168 ECN-03, section 6.1.2
  TcpPeer t{setup()};
  establish(t);
  t.send(50'000);
  t.discard();
  t.out_within(2s, ". 1+1000");  // timeout: one segment
  t.wait(100ms);
  t.in(ack(10));
  while (t.status().cwnd > 1000) {  // marks until the window is down to one
    const auto end = t.status().snd_nxt - t.our_iss();
    t.discard();
    t.wait(100ms);
    t.in("E. 1 ack " + std::to_string(end));
    ASSERT_LT(t.now() - Instant::from_ns(0), 1h + 60s);
  }
  const auto end = t.status().snd_nxt - t.our_iss();
  t.discard();
  t.wait(100ms);
  t.in("E. 1 ack " + std::to_string(end));
  EXPECT_EQ(t.status().cwnd, 1000U);
  const Duration rto = t.status().rto;
  t.silence(rto - 1ms);
  t.wait(2ms);
  EXPECT_EQ(t.pending(), 1U) << "one segment when the timer would have expired";
  EXPECT_TRUE(t.any().header.flags.cwr);
  t.ignore_rest();
}

TEST(TcpEcn, CwrIsOnOneSegmentOfASuperSegment) {  // RFC 3168 ECN-03: on the first packet after the reduction
  PeerSetup s = setup();
  s.max_super_segment = 60'000;
  TcpPeer t{s};
  establish(t);
  t.send(60'000);
  EXPECT_EQ(t.any().gso_size, 1000);
  t.wait(100ms);
  t.in(ack(8));
  t.discard();
  t.wait(100ms);
  const auto end = t.status().snd_nxt - t.our_iss();
  t.in("E. 1 ack " + std::to_string(end));
  int with_cwr = 0;
  while (t.pending() > 0) {
    const auto out = t.any();
    EXPECT_EQ(out.tos, 2);
    if (!out.header.flags.cwr) continue;
    ++with_cwr;
    EXPECT_EQ(out.gso_size, 0);
    EXPECT_EQ(out.payload.octets(), 1000U);
  }
  EXPECT_EQ(with_cwr, 1);
  t.ignore_rest();
}

// --- ABE ---

TEST(TcpEcn, AbeFallsLessForAMark) {  // RFC 8511 section 3, ABE
  TcpPeer t{setup()};
  ConnectionOptions o;
  o.abe = true;
  establish(t, o);
  t.send(60'000);
  t.discard();
  t.wait(100ms);
  t.in(ack(1, "E."));
  EXPECT_EQ(t.status().ssthresh, 8000U);
  t.ignore_rest();
}

TEST(TcpEcn, AbesFactors) {  // RFC 8511 sections 3 and 3.1, ABE
  using tcp::CongestionAlgorithm;
  using tcp::CongestionSignal;
  const auto kept = [](CongestionAlgorithm algorithm, CongestionSignal signal) {
    tcp::Congestion c;
    c.select(algorithm);
    c.start(1000, false);
    c.set_cwnd(100'000);
    c.reduce(100'000, signal, Instant::from_ns(1));
    return c.ssthresh();
  };
  EXPECT_EQ(kept(CongestionAlgorithm::NewReno, CongestionSignal::Ecn), 50'000U) << "RFC 3168 section 6.1.2";
  EXPECT_EQ(kept(CongestionAlgorithm::Cubic, CongestionSignal::Ecn), 70'000U) << "RFC 9438 section 4.6";
  EXPECT_EQ(kept(CongestionAlgorithm::NewReno, CongestionSignal::AlternativeEcn), 80'000U);
  EXPECT_EQ(kept(CongestionAlgorithm::Cubic, CongestionSignal::AlternativeEcn), 85'000U);
}

}  // namespace
}  // namespace wireside::testing
