// Nagle's algorithm and the sender's silly-window avoidance (RFC 9293 sections 3.7.4, 3.8.6.2.1).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

// RFC 9293 SHLD-7
TEST(TcpNagle, SmallSegmentWaitsWhileAnotherIsUnacknowledged) {
  TcpPeer t;
  t.establish();
  t.send(10);
  t.out("P. 1+10");
  t.send(20);
  t.send(30);
  t.nothing();
  t.in(". 1 ack 11");
  t.out("P. 11+50");
}

TEST(TcpNagle, FullSegmentsDoNotWait) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(10);
  t.out("P. 1+10");
  t.send(2500);
  t.out(". 11+1000");
  t.out(". 1011+1000");
  t.nothing();  // 500 octets wait
  t.in(". 1 ack 2011");
  t.out("P. 2011+500");
}

// The test is about the latest small segment in flight, whatever was sent again meanwhile.
TEST(TcpNagle, ARepeatedSmallSegmentDoesNotHideALaterOne) {  // RFC 9293 SHLD-7
  PeerSetup s;
  s.config.tail_loss_probe = false;
  TcpPeer t{s};
  ConnectionOptions o;
  o.no_delay = true;
  t.establish_after(100ms, "<mss 1000,sackOK>", o);
  t.send(500);
  t.out("P. 1+500");
  t.send(1000);
  t.out("P. 501+1000");
  t.wait(99ms);
  t.send(100);
  t.out("P. 1501+100");
  o.no_delay = false;
  t.options(o);
  t.in(". 1 ack 1 <sack 501:1501>");
  t.out_within(50ms, ". 1+500");
  t.in(". 1 ack 1501");
  t.send(50);
  t.nothing();  // 1501 to 1600 are not acknowledged
  t.in(". 1 ack 1601");
  t.out("P. 1601+50");
}

// RFC 9293 MUST-17
TEST(TcpNagle, NoDelaySendsAtOnce) {
  TcpPeer t;
  ConnectionOptions o;
  o.no_delay = true;
  t.establish("<mss 1460>", o);
  t.send(10);
  t.out("P. 1+10");
  t.send(10);
  t.out("P. 11+10");
  t.send(10);
  t.out("P. 21+10");
}

TEST(TcpNagle, SwitchingItOffReleasesWhatWaits) {  // RFC 9293 MUST-17
  TcpPeer t;
  ConnectionOptions o;
  t.establish("<mss 1460>", o);
  t.send(10);
  t.out("P. 1+10");
  t.send(10);
  t.nothing();
  o.no_delay = true;
  t.options(o);
  t.out("P. 11+10");
}

TEST(TcpNagle, FinReleasesWhatWaits) {
  TcpPeer t;
  t.establish();
  t.send(10);
  t.out("P. 1+10");
  t.send(10);
  t.nothing();
  t.close();
  t.out("FP. 11+10");
}

// RFC 9293 MUST-38: not silly small segments into a slowly opening window.
TEST(TcpSenderSws, TinyWindowIsNotFilledAtOnce) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 10000);
  t.send(10000);
  EXPECT_EQ(t.discard(), 10U);
  t.send(5000);
  t.in(". 1 ack 10001 win 100");
  t.nothing();
  t.in(". 1 ack 10001 win 200");
  t.nothing();
  t.in(". 1 ack 10001 win 1000");
  t.out(". 10001+1000");
}

// RFC 9293 MUST-38 rule (3): half of the largest window seen is worth a segment.
TEST(TcpSenderSws, HalfOfTheLargestWindowIsWorthASegment) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 800);
  t.send(3000);
  t.out(". 1+800");
  t.in(". 1 ack 801 win 399");
  t.nothing();
  t.in(". 1 ack 801 win 400");
  t.out(". 801+400");
}

// RFC 9293 MUST-38 rule (4): the override timeout, 0.1 to 1 s.
TEST(TcpSenderSws, OverrideTimeoutSendsWhatFits) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 10000);
  t.send(10000);
  t.discard();
  t.send(5000);
  t.in(". 1 ack 10001 win 100");
  const auto took = t.out_within(2s, ". 10001+100");
  EXPECT_GE(took, 100ms);
  EXPECT_LE(took, 1s);
}

TEST(TcpSenderSws, WindowLimitSendsWholeSegmentsOnly) {  // RFC 9293 MUST-38
  TcpPeer t;
  t.establish("<mss 1000>", {}, 2500);
  t.send(5000);
  t.out(". 1+1000");
  t.out(". 1001+1000");
  t.nothing();  // 500 octets of window are not worth a segment
  t.in(". 1 ack 1001 win 2500");
  t.out(". 2001+1000");
}

// RFC 9293 MUST-38: an outstanding probe is repeated, but brings no silly segment with it.
TEST(TcpSenderSws, WindowThatOpensALittleAfterAProbeIsNotFilled) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 10000);
  t.send(10000);
  EXPECT_EQ(t.discard(), 10U);
  t.in(". 1 ack 10001 win 0");
  t.send(5000);
  t.out_within(10s, ". 10001+1");
  t.in(". 1 ack 10001 win 100");
  t.out(". 10001+1");
  t.in(". 1 ack 10002 win 99");
  t.nothing();
  t.in(". 1 ack 10002 win 5000");
  t.out(". 10002+1000");
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing
