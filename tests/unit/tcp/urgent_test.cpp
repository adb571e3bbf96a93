// Urgent data: in line, with its end known on both sides (RFC 9293 section 3.8.5, RFC 6093).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

TEST(TcpUrgent, TheApplicationIsToldWhenUrgentDataIsAnnounced) {  // RFC 9293 MUST-32, MUST-33
  TcpPeer t;
  t.establish();
  t.no_event(EventKind::Urgent);
  t.in("PU. 1+10 ack 1 urg 30");  // its end lies beyond what has come
  t.event(EventKind::Urgent);
  EXPECT_EQ(t.status().urgent_ahead, 30U);
  t.read_exactly(10);
  EXPECT_EQ(t.status().urgent_ahead, 20U);
  t.in("PU. 11+10 ack 1 urg 20");  // the same end: nothing new
  t.no_event(EventKind::Urgent);
  t.in("PU. 21+10 ack 1 urg 40");  // it moves on
  t.event(EventKind::Urgent);
  EXPECT_EQ(t.status().urgent_ahead, 50U);
  t.read_exactly(20);
  EXPECT_EQ(t.status().urgent_ahead, 30U);
  t.ignore_rest();
}

TEST(TcpUrgent, WhatWasReadAlreadyIsNotUrgent) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+10 ack 1");
  t.read_exactly(10);
  t.in("PU. 11+5 ack 1 urg 0");
  t.no_event(EventKind::Urgent);
  t.in("U. 16 ack 1 urg 5");  // no octets with it: the pointer counts all the same
  t.event(EventKind::Urgent);
  EXPECT_EQ(t.status().urgent_ahead, 10U);
  t.ignore_rest();
}

TEST(TcpUrgent, AClosedWindowDoesNotHideIt) {  // RFC 9293 MUST-66
  TcpPeer t;
  ConnectionOptions o;
  o.receive_buffer = 1000;
  t.establish("<mss 1000>", o);
  t.in("P. 1+1000 ack 1");
  t.discard();
  t.in("U. 1001 ack 1 urg 100");
  t.event(EventKind::Urgent);
  EXPECT_EQ(t.status().urgent_ahead, 1100U);
  t.ignore_rest();
}

TEST(TcpUrgent, ThePointerNamesTheOctetBehindIt) {  // RFC 9293 MUST-62, MUST-30, MUST-31
  PeerSetup setup;
  setup.max_super_segment = 65000;
  TcpPeer t{setup};
  t.establish("<mss 1000>", {}, 8000);
  const auto octets = pattern_octets(ours_to_peer, 0, 2600);
  t.batch([&] { EXPECT_EQ(t.layer().send_urgent(t.now(), t.handle(), ByteView{octets}.first(2500)), 2500U); });
  EXPECT_EQ(t.out("U. 1+1000 ack 1 urg 2500").gso_size, 0U);
  t.out("U. 1001+1000 ack 1 urg 1500");
  t.out("PU. 2001+500 ack 1 urg 500");
  t.in(". 1 ack 2501");
  t.batch([&] { EXPECT_EQ(t.layer().send(t.now(), t.handle(), ByteView{octets}.subspan(2500)), 100U); });
  t.out("P. 2501+100 ack 1");
}

TEST(TcpUrgent, WhatLiesFartherThanThePointerReachesIsToldLater) {  // RFC 9293 MUST-31
  TcpPeer t;
  ConnectionOptions o;
  o.send_buffer = 200'000;
  t.establish("<mss 1000>", o, 3000);
  const auto octets = pattern_octets(ours_to_peer, 0, 80'000);
  t.batch([&] { EXPECT_EQ(t.layer().send_urgent(t.now(), t.handle(), octets), 80'000U); });
  t.out("U. 1+1000 ack 1 urg 65535");
  t.out("U. 1001+1000 ack 1 urg 65535");
  t.out("U. 2001+1000 ack 1 urg 65535");
  t.in(". 1 ack 3001 win 30000");
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing
