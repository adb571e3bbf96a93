// Keep-alive (RFC 9293 section 3.8.4).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

ConnectionOptions keep_alive(Duration idle = 10s, Duration interval = 2s, unsigned probes = 3) {
  ConnectionOptions o;
  o.keep_alive = true;
  o.keep_alive_idle = idle;
  o.keep_alive_interval = interval;
  o.keep_alive_probes = probes;
  return o;
}

TEST(TcpKeepAlive, IsOffByDefaultAndTwoHoursWhenOn) {  // RFC 9293 MUST-25, MUST-28
  EXPECT_FALSE(ConnectionOptions{}.keep_alive);
  EXPECT_GE(ConnectionOptions{}.keep_alive_idle, 2h);
  TcpPeer t;
  t.establish();
  t.silence(24h);
}

// RFC 9293 MUST-26, MUST-27, SHLD-12: no data, SEQ = SND.NXT-1, after the set interval.
TEST(TcpKeepAlive, ProbeHasNoDataAndTheOctetBefore) {
  TcpPeer t;
  t.establish("<mss 1460>", keep_alive());
  EXPECT_EQ(t.out_after(10s, ". 0 ack 1").reason, observe::TxReason::KeepAlive);
  t.in(". 1 ack 1");
  t.out_after(10s, ". 0 ack 1");
  t.in(". 1 ack 1");
  t.state(TcpState::Established);
}

// RFC 9293 MUST-29: one unanswered probe proves nothing; all of them do.
TEST(TcpKeepAlive, SeveralUnansweredProbesEndTheConnection) {
  TcpPeer t;
  t.establish("<mss 1460>", keep_alive());
  t.out_after(10s, ". 0 ack 1");
  t.out_after(2s, ". 0 ack 1");
  t.out_after(2s, ". 0 ack 1");
  t.state(TcpState::Established);
  t.out_after(2s, "R. 1 ack 1");
  t.failed(Error::TimedOut);
  t.gone();
}

TEST(TcpKeepAlive, AnAnswerStartsTheCountAgain) {  // RFC 9293 MUST-29
  TcpPeer t;
  t.establish("<mss 1460>", keep_alive());
  for (int round = 0; round < 5; ++round) {
    t.out_after(10s, ". 0 ack 1", 1s);
    t.out_after(2s, ". 0 ack 1");
    t.in(". 1 ack 1");
    t.wait(0ms);
  }
  t.state(TcpState::Established);
}

TEST(TcpKeepAlive, TrafficPostponesTheProbe) {  // RFC 9293 MUST-26
  TcpPeer t;
  t.establish("<mss 1460>", keep_alive());
  for (int i = 0; i < 10; ++i) {
    t.wait(9s);
    t.nothing();
    t.in("P. " + std::to_string(1 + 10 * i) + "+10 ack 1");
    t.out_within(500ms, ". 1 ack " + std::to_string(11 + 10 * i));
  }
  t.out_within(11s, ". 0 ack 101");
}

TEST(TcpKeepAlive, NoProbeWhileDataIsOutstanding) {  // RFC 9293 MUST-26
  TcpPeer t;
  t.establish("<mss 1460>", keep_alive());
  t.send(100);
  t.out("P. 1+100");
  t.wait(1min);
  while (t.pending() > 0 && !t.broken()) EXPECT_NE(t.out("P. 1+100").reason, observe::TxReason::KeepAlive);
}

TEST(TcpKeepAlive, CanBeSwitchedOnAndOff) {  // RFC 9293 MUST-24
  TcpPeer t;
  t.establish();
  t.wait(5s);
  t.options(keep_alive());
  t.out_within(10s, ". 0 ack 1");
  t.in(". 1 ack 1");
  t.options({});
  t.silence(24h);
}

TEST(TcpKeepAlive, RebootedPeerIsDetected) {  // RFC 9293 EV-33
  TcpPeer t;
  t.establish("<mss 1460>", keep_alive());
  t.out_after(10s, ". 0 ack 1");
  t.in("R 1");
  t.failed(Error::ConnectionReset);
}

TEST(TcpKeepAlive, PeersProbeIsAnsweredAtOnce) {
  TcpPeer t;
  t.establish();
  t.in(". 0 ack 1");
  t.out(". 1 ack 1");
  t.in(". 0+1 ack 1");  // RFC 9293 MAY-6: one garbage octet
  t.out(". 1 ack 1");
  t.read_fails(Error::WouldBlock);
}

TEST(TcpKeepAlive, SwitchedOnInTimeWaitDoesNothing) {
  TcpPeer t;
  t.establish();
  t.shutdown();
  t.out("F. 1 ack 1");
  t.in("F. 1 ack 2");
  t.out(". 2 ack 2");
  t.options(keep_alive());
  t.silence(5min);
  t.eof();
}

}  // namespace
}  // namespace wireside::testing
