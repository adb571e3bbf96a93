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

void take(TcpPeer& t, std::size_t octets) {
  while (octets > 0) {
    const auto slice = t.layer().receive_slice(t.now(), t.handle(), octets);
    ASSERT_TRUE(slice.has_value());
    octets -= slice->size();
  }
  tcp::OutgoingSegment ack;
  while (t.layer().poll_segment(t.now(), ack)) continue;
}

/// The next segment from the peer, past what TcpPeer keeps of the numbers: they wrap more than once.
void arrive(TcpPeer& t, Slice text, std::uint16_t urgent_pointer = 0) {
  const auto status = t.status();
  tcp::IncomingSegment s;
  s.tuple = t.tuple();
  s.header.source = s.tuple.remote.port;
  s.header.destination = s.tuple.local.port;
  s.header.flags.ack = true;
  s.header.flags.urg = urgent_pointer != 0;
  s.header.urgent_pointer = urgent_pointer;
  s.header.seq = status.rcv_nxt;
  s.header.ack = status.snd_una;
  s.header.window = 65535;
  s.gso_size = 1460;
  s.payload = std::move(text);
  t.layer().segment_arrives(t.now(), s);
}

/// So many octets from the peer, and read, in large pieces.
void stream(TcpPeer& t, std::uint64_t octets) {
  constexpr std::size_t piece = 60'000;
  const Slice text = t.pool().copy(pattern_octets(peer_to_us, 0, piece));
  while (octets > 0) {
    const auto n = std::min<std::uint64_t>(octets, piece);
    arrive(t, text.sub(0, n));
    take(t, n);
    octets -= n;
  }
}

bool announced(TcpPeer& t) {
  bool urgent = false;
  while (const auto event = t.layer().poll_event()) urgent |= event->kind == EventKind::Urgent;
  return urgent;
}

// RFC 9293 MUST-32, MUST-33, section 3.4: what was urgent once is not urgent again half the sequence space later.
TEST(TcpUrgent, AMarkThatWasReadDoesNotComeBackWhenNumbersWrap) {
  TcpPeer t;
  t.establish();
  t.in("PU. 1+10 ack 1 urg 10");
  t.event(EventKind::Urgent);
  t.read_exactly(10);
  EXPECT_EQ(t.status().urgent_ahead, 0U);
  stream(t, 2'200'000'000);
  EXPECT_FALSE(announced(t));
  EXPECT_EQ(t.status().urgent_ahead, 0U);
  arrive(t, t.pool().copy(pattern_octets(peer_to_us, 0, 10)), 30);
  EXPECT_TRUE(announced(t));
  EXPECT_EQ(t.status().urgent_ahead, 30U);
  take(t, 10);
  stream(t, 2'200'000'000);  // past the start
  EXPECT_EQ(t.status().urgent_ahead, 0U);
  t.ignore_rest();
}

TEST(TcpUrgent, AMarkIsForgottenWhereNobodyReads) {  // RFC 9293 MUST-32, MUST-33
  TcpPeer t;
  t.establish();
  t.shutdown_receive();
  t.in("PU. 1+10 ack 1 urg 10");
  EXPECT_EQ(t.status().urgent_ahead, 0U);
  t.ignore_rest();
}

TEST(TcpUrgent, WhatCameBeforeAcceptIsToldAfterIt) {  // RFC 9293 MUST-32
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.in("PU. 1+10 ack 1 urg 10");
  t.no_event(EventKind::Urgent);  // nobody has a handle yet
  t.accept();
  t.event(EventKind::Urgent);
  EXPECT_EQ(t.status().urgent_ahead, 10U);
  t.read_exactly(10);
  t.ignore_rest();
}

// RFC 9293 MUST-32, section 3.10.7.3: behind a SYN-ACK processing goes on at the sixth step. The pointer counts from
// the SYN, which has a sequence number itself.
TEST(TcpUrgent, ASynAckMayAnnounceIt) {
  for (const bool crossing : {false, true}) {
    TcpPeer t;
    t.connect();
    t.out("S 0");
    if (crossing) {
      t.in("S 0 <mss 1460>");
      t.out("S. 0 ack 1");
    }
    t.in("SU. 0+10 ack 1 urg 16 <mss 1460>");
    t.event(EventKind::Urgent);
    EXPECT_EQ(t.status().urgent_ahead, 15U);
    t.read_exactly(10);
    EXPECT_EQ(t.status().urgent_ahead, 5U);
    t.ignore_rest();
  }
}

TEST(TcpUrgent, ASynAckWithoutOctetsMayAnnounceItToo) {  // RFC 9293 MUST-32, section 3.10.7.3
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("SU. 0 ack 1 urg 6 <mss 1460>");
  t.event(EventKind::Urgent);
  EXPECT_EQ(t.status().urgent_ahead, 5U);
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing
