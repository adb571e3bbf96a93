// Zero-window probes (RFC 9293 section 3.8.6.1).
#include <gtest/gtest.h>

#include <optional>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

/// Established with a closed window and data waiting.
void establish_blocked(TcpPeer& t, ConnectionOptions o = {}) {
  t.establish("<mss 1000>", o, 0);
  t.send(3000);
  t.nothing();
}

// RFC 9293 MUST-36, SHLD-29: the first probe comes after about one RTO.
TEST(TcpProbe, FirstProbeComesAfterAboutOneRto) {
  TcpPeer t;
  establish_blocked(t);
  const auto rto = t.status().rto;
  const auto took = t.out_within(10s, ". 1+1 ack 1");
  EXPECT_GE(took, rto * 9 / 10);
  EXPECT_LE(took, rto * 2);
}

TEST(TcpProbe, WhatWasSentIntoAClosedWindowIsNoTimeoutsRepetition) {  // RFC 9293 MUST-36
  TcpPeer t;
  establish_blocked(t);
  t.out_within(10s, ". 1+1 ack 1");
  t.in(". 1 ack 1 win 65535");
  EXPECT_EQ(t.out(". 1+1000").reason, observe::TxReason::WindowRetransmit);
  EXPECT_EQ(t.out(". 1001+1000").reason, observe::TxReason::Data);
  t.ignore_rest();
}

// RFC 9293 SHLD-30
TEST(TcpProbe, IntervalGrowsExponentiallyUpToALimit) {
  TcpPeer t;
  establish_blocked(t);
  auto last = t.out_within(10s, ". 1+1 ack 1");
  t.in(". 1 ack 1 win 0");
  bool limited = false;
  for (int i = 0; i < 15 && !t.broken(); ++i) {
    const auto gap = t.out_within(10min, ". 1+1 ack 1");
    t.in(". 1 ack 1 win 0");
    limited = limited || gap >= 60s;
    if (!limited) {
      EXPECT_GE(gap, last * 19 / 10) << "after " << i;
      EXPECT_LE(gap, last * 5) << "after " << i;
    }
    EXPECT_LE(gap, 5min);
    last = gap;
  }
  EXPECT_TRUE(limited);
}

// RFC 9293 MUST-37: as long as the peer answers, the connection stays, for ever; its control state is not harmed.
TEST(TcpProbe, AnsweredProbesKeepTheConnectionUpForADay) {
  TcpPeer t;
  establish_blocked(t);
  const auto cwnd = t.status().cwnd;
  const auto end = t.now() + 24h;
  while (t.now() < end && !t.broken()) {
    t.out_within(10min, ". 1+1 ack 1");
    t.in(". 1 ack 1 win 0");
    t.nothing();  // no answer to the answer
  }
  t.state(TcpState::Established);
  EXPECT_EQ(t.status().cwnd, cwnd);  // probe answers are neither losses nor duplicates
  EXPECT_GT(t.status().ssthresh, 1U << 20);
  t.in(". 1 ack 1 win 5000");
  t.out(". 1+1000");
  t.out(". 1001+1000");
  t.out("P. 2001+1000");
}

// RFC 9293 MUST-20: unanswered probes end by R2.
TEST(TcpProbe, UnansweredProbesEndTheConnection) {
  TcpPeer t;
  establish_blocked(t);
  t.wait(30min);
  t.discard();
  t.failed(Error::TimedOut);
  t.silence(1h);
}

TEST(TcpProbe, PeerMayTakeTheProbeOctet) {
  TcpPeer t;
  establish_blocked(t);
  t.out_within(10s, ". 1+1 ack 1");
  t.in(". 1 ack 2 win 0");
  t.out_within(10s, ". 2+1 ack 1");
  t.in(". 1 ack 3 win 5000");
  t.out(". 3+1000");
  t.out(". 1003+1000");
  t.out("P. 2003+998");
}

TEST(TcpProbe, LostWindowUpdateIsRepairedByTheProbe) {
  TcpPeer t;
  establish_blocked(t);
  t.out_within(10s, ". 1+1 ack 1");
  t.in(". 1 ack 1 win 3000");
  t.out(". 1+1000");
  t.out(". 1001+1000");
  t.out("P. 2001+1000");
  t.in(". 1 ack 3001 win 3000");
  t.silence(10s);
}

TEST(TcpProbe, FinIsProbedToo) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 0);
  t.close();
  t.nothing();
  t.out_within(10s, "F. 1 ack 1");
  t.in(". 1 ack 2 win 0");
  t.state(TcpState::FinWait2);
}

TEST(TcpProbe, ProbesStopWhenNothingWaits) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 1000);
  t.send(1000);
  t.out("P. 1+1000");
  t.in(". 1 ack 1001 win 0");
  t.silence(1h);
}

TEST(TcpProbe, WindowClosedInMidTransferIsProbed) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 2000);
  t.send(5000);
  t.out(". 1+1000");
  t.out(". 1001+1000");
  t.in(". 1 ack 2001 win 0");
  t.out_within(10s, ". 2001+1");
  t.in(". 1 ack 2001 win 0");
  t.in(". 1 ack 2001 win 1000");
  t.out(". 2001+1000");
}

ConnectionOptions limited_to(Duration d) {
  ConnectionOptions o;
  o.user_timeout = d;
  return o;
}

/// Answers every probe with a closed window for so long; tells when the connection ended.
std::optional<Duration> answer_probes(TcpPeer& t, Duration limit, std::string_view answer = ". 1 ack 1 win 0") {
  const auto start = t.now();
  while (t.now() - start < limit && !t.broken()) {
    t.wait(100ms);
    if (t.layer().list().empty() || t.layer().list()[0].state == TcpState::Closed) return t.now() - start;
    if (t.discard() > 0) t.in(answer);
  }
  return std::nullopt;
}

// RFC 9293 MUST-21; TCP_USER_TIMEOUT: a time that the application sets holds behind a closed window, too.
TEST(TcpProbe, TheApplicationsUserTimeoutEndsAnsweredProbes) {
  TcpPeer t;
  establish_blocked(t, limited_to(5s));
  const auto took = answer_probes(t, 1min);
  ASSERT_TRUE(took.has_value());
  EXPECT_GE(*took, 5s);
  EXPECT_LE(*took, 5200ms);
  t.failed(Error::TimedOut);
}

TEST(TcpProbe, TheUserTimeoutMayBeSetWhileTheWindowIsClosed) {  // RFC 9293 MUST-21
  TcpPeer t;
  establish_blocked(t);
  EXPECT_FALSE(answer_probes(t, 1h).has_value());  // MUST-37
  t.options(limited_to(5s));
  const auto took = answer_probes(t, 1min);
  ASSERT_TRUE(took.has_value());
  EXPECT_LE(*took, 5200ms);
}

TEST(TcpProbe, WhatThePeerTakesStartsTheUserTimeoutAnew) {  // RFC 9293 MUST-21
  TcpPeer t;
  establish_blocked(t, limited_to(5s));
  EXPECT_FALSE(answer_probes(t, 4s).has_value());
  t.in(". 1 ack 1 win 1000");
  t.discard();
  t.in(". 1 ack 1001 win 0");
  EXPECT_FALSE(answer_probes(t, 4s, ". 1 ack 1001 win 0").has_value());
  EXPECT_TRUE(answer_probes(t, 2s, ". 1 ack 1001 win 0").has_value());
}

TEST(TcpProbe, AnIdleConnectionBehindAClosedWindowHasNoUserTimeout) {  // RFC 9293 MUST-21
  TcpPeer t;
  t.establish("<mss 1000>", limited_to(5s), 1000);
  t.send(1000);
  t.out("P. 1+1000");
  t.in(". 1 ack 1001 win 0");
  t.silence(1h);
  t.state(TcpState::Established);
  t.send(10);
  EXPECT_FALSE(answer_probes(t, 4s, ". 1 ack 1001 win 0").has_value());  // the hour does not count
  EXPECT_TRUE(answer_probes(t, 2s, ". 1 ack 1001 win 0").has_value());
}

// RFC 6429 section 4: MUST-37 is no duty to keep for ever what the application has given up.
TEST(TcpProbe, AClosedSocketDoesNotWaitBehindAClosedWindowForEver) {
  TcpPeer t;
  establish_blocked(t);
  t.close();
  const auto took = answer_probes(t, 1h);
  ASSERT_TRUE(took.has_value());
  EXPECT_GE(*took, tcp::TcpConfig{}.r2_timeout);
  EXPECT_LE(*took, tcp::TcpConfig{}.r2_timeout + 200ms);
  t.gone();
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

TEST(TcpProbe, TheTimeBehindAClosedWindowDoesNotCountAgainstTheDataThatFollows) {  // RFC 9293 MUST-21
  TcpPeer t;
  establish_blocked(t, limited_to(5s));
  EXPECT_FALSE(answer_probes(t, 4s).has_value());
  t.in(". 1 ack 1 win 65535");
  EXPECT_EQ(t.discard(), 3U);
  t.wait(4900ms);
  t.discard();
  t.state(TcpState::Established);
  t.wait(200ms);
  t.discard();
  t.failed(Error::TimedOut);
}

}  // namespace
}  // namespace wireside::testing
