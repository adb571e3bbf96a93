// Send and receive windows: updates, scaling, edges (RFC 9293 section 3.8.6, RFC 7323 section 2).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

// RFC 9293 EV-23: SND.WND is taken only from segments that are not older than the last that set it.
TEST(TcpWindow, OldSegmentCannotChangeTheSendWindow) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+100 ack 1 win 5000");
  t.in("P. 101+100 ack 1 win 6000");
  EXPECT_EQ(t.status().snd_wnd, 6000U);
  t.in("P. 1+101 ack 1 win 100");  // older sequence number
  EXPECT_EQ(t.status().snd_wnd, 6000U);
  t.send(1000);
  t.discard();
  t.in(". 201 ack 1001 win 7000");
  EXPECT_EQ(t.status().snd_wnd, 7000U);
  t.in(". 201 ack 501 win 100");  // same sequence number, older ACK
  EXPECT_EQ(t.status().snd_wnd, 7000U);
  t.in(". 201 ack 1001 win 50");  // same and same: the latest word
  EXPECT_EQ(t.status().snd_wnd, 50U);
  t.ignore_rest();
}

// A request and its answer cost no frame more than they must, though the window that a SYN can offer is smaller than
// the buffer.
TEST(TcpWindow, ReadingTheFirstRequestNeedsNoUpdate) {
  TcpPeer t;
  t.establish("<mss 1460,wscale 7>");
  t.in("P. 1+100 ack 1");
  t.read_exactly(100);
  t.nothing();
  t.send(300);
  const auto answer = t.out("P. 1+300 ack 101");
  EXPECT_GT(std::size_t{answer.header.window} << 8, std::size_t{65535});
}

TEST(TcpWindow, SenderStopsAtTheWindowAndGoesOnWithTheUpdate) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 3000);
  t.send(10000);
  t.out(". 1+1000");
  t.out(". 1001+1000");
  t.out(". 2001+1000");
  t.nothing();
  t.in(". 1 ack 3001 win 2000");
  t.out(". 3001+1000");
  t.out(". 4001+1000");
  t.nothing();
  t.in(". 1 ack 3001 win 3000");
  t.out(". 5001+1000");
}

// RFC 9293 MUST-1: a window of 65,535 is not negative.
TEST(TcpWindow, LargestUnscaledWindowIsUsable) {
  TcpPeer t;
  t.establish("<mss 1460>", {}, 65535);
  EXPECT_EQ(t.status().snd_wnd, 65535U);
  t.send(1000);
  t.out("P. 1+1000");
}

// RFC 9293 MUST-1, REC-1; RFC 7323 TS-03: 2^30.
TEST(TcpWindow, LargestScaledWindowIsUsable) {
  TcpPeer t;
  t.establish("<mss 1460,wscale 14>", {}, 65535);
  EXPECT_EQ(t.status().snd_wnd, 65535U << 14);
  t.send(1000);
  t.out("P. 1+1000");
}

// RFC 7323 TS-01: a shift above 14 counts as 14.
TEST(TcpWindow, ShiftAboveFourteenCountsAsFourteen) {
  TcpPeer t;
  t.establish("<mss 1460,wscale 15>", {}, 4);
  EXPECT_EQ(t.status().snd_wnd, 4U << 14);
  TcpPeer u;
  u.establish("<mss 1460,wscale 255>", {}, 4);
  EXPECT_EQ(u.status().snd_wnd, 4U << 14);
}

// RFC 7323 TS-01: scaling takes both sides; without the peer's option ours is not sent and nothing is scaled.
TEST(TcpWindow, WithoutThePeersOptionNothingIsScaled) {
  TcpPeer t;
  t.listen();
  t.in("S 0 win 1000 <mss 1460>");
  t.out("S. 0 ack 1 <mss 1460>");
  t.in(". 1 ack 1 win 1000");
  t.accept();
  EXPECT_EQ(t.status().snd_wnd, 1000U);
  EXPECT_EQ(t.status().snd_wscale, 0);
  EXPECT_EQ(t.status().rcv_wscale, 0);
}

// RFC 7323 TS-02: the window in a SYN is never scaled.
TEST(TcpWindow, SynWindowIsNotScaled) {
  TcpPeer t;
  t.connect();
  const auto syn = t.out("S 0");
  EXPECT_GT(syn.header.window, 20000);
  t.in("S. 0 ack 1 win 1000 <mss 1460,wscale 7>");
  EXPECT_EQ(t.status().snd_wnd, 1000U);
  t.out(". 1 ack 1");
  t.in(". 1 ack 1 win 1000");
  EXPECT_EQ(t.status().snd_wnd, 128'000U);
}

TEST(TcpWindow, OurWindowIsScaledAfterTheSyn) {  // RFC 7323 TS-03
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460,wscale 7>");
  const auto syn_ack = t.out("S. 0 ack 1 <mss 1460,wscale *>");
  const unsigned shift = *syn_ack.header.options.window_scale;
  ASSERT_GT(shift, 0U);
  t.in(". 1+1460 ack 1");
  t.in(". 1461+1460 ack 1");
  t.accept();
  const auto ack = t.out(". 1 ack 2921");
  const auto window = std::uint32_t{ack.header.window} << shift;
  EXPECT_GT(window, 40'000U);
  EXPECT_LE(window, 9U << 20);
}

// RFC 7323 TS-03: rounding by the scale never turns room into a zero window, nor moves the edge left.
TEST(TcpWindow, SmallSegmentsUnderALargeScaleNeitherRetractNorCloseTheWindow) {
  PeerSetup s;
  s.config.receive_buffer_max = std::size_t{1} << 30;  // the largest shift
  TcpPeer t{s};
  t.establish("<mss 1460,wscale 7>");
  EXPECT_EQ(t.status().rcv_wscale, 14);
  int at = 1;
  for (int i = 0; i < 200; ++i, at += 7) {
    t.in("P. " + std::to_string(at) + "+7 ack 1");  // the harness checks the right edge of each ACK
    t.wait(50ms);
  }
  t.read_exactly(1400);
  while (t.pending() > 0 && !t.broken()) EXPECT_GT(t.out(". 1").header.window, 0);
}

// RFC 9293 SHLD-14, EV-27: the right edge stays while the application does not read.
// RFC 7323 section 2.2: the shift of the SYN holds, whatever buffer is asked for before its answer comes.
TEST(TcpWindow, ABufferChangedInSynSentLeavesTheOfferedScale) {
  TcpPeer t;
  ConnectionOptions o;
  o.receive_buffer = 8 << 20;
  t.connect(o);
  const auto syn = t.out("S 0 win 65535 <mss 1460,sackOK,TS val * ecr 0,wscale 8>");
  o.receive_buffer = 30'000;
  t.options(o);
  t.in("S. 0 ack 1 win 65535 <mss 1460,wscale 0>");
  const auto ack = t.out(". 1 ack 1");
  EXPECT_EQ(t.status().rcv_wscale, 8);
  EXPECT_EQ(std::uint32_t{ack.header.window} << 8, 65536U);  // the SYN's edge, rounded up, and not left of it
}

// RFC 9293 section 3.8.6: an empty buffer opens the window, even if it is smaller than one unit of the scale.
TEST(TcpWindow, ABufferSmallerThanOneUnitOfTheScaleStillOpensTheWindow) {
  PeerSetup s;
  s.config.receive_buffer_max = std::size_t{64} << 20;
  s.config.receive_buffer_initial = 1000;
  TcpPeer t{s};
  t.establish("<mss 1460,wscale 0>");
  t.in("P. 1+1000 ack 1");
  t.read_exactly(1000);
  t.wait(1s);
  t.discard();
  t.in(". 1000 ack 1");  // a probe
  EXPECT_GT(t.any().header.window, 0U);
  t.in("P. 1001+1000 ack 1");
  t.read_exactly(1000);
  t.ignore_rest();
}

// SHLD-14: a SYN repeated with a smaller buffer takes nothing back of what the first one offered.
TEST(TcpWindow, ASmallerSynTakesNothingBack) {
  TcpPeer t;
  t.connect();
  t.out("S 0 win 65535");
  ConnectionOptions o;
  o.receive_buffer = 4000;
  t.options(o);
  t.out_within(2s, "S 0 win 4000");
  t.in("S. 0 ack 1 win 65535 <mss 1460>");
  t.out(". 1 ack 1 win 65535");
}

// What small segments filled up to a window of zero is read: the peer learns of it at once, and not by its probe.
TEST(TcpWindow, AWindowThatRoundedToZeroIsOpenedByReading) {  // RFC 9293 MUST-39
  PeerSetup s;
  s.config.receive_buffer_max = std::size_t{1} << 30;  // the largest shift: units of 16 KiB
  s.config.receive_buffer_initial = 1000;
  TcpPeer t{s};
  t.establish("<mss 1460,wscale 0>");
  std::size_t held = 0;
  for (; held < 400'000; held += 1000) {
    t.in("P. " + std::to_string(held + 1) + "+1000 ack 1");
    t.wait(50ms);
    bool zero = false;
    while (t.pending() > 0) zero = t.any().header.window == 0;
    if (zero) break;
  }
  ASSERT_LT(held, 400'000U);
  t.read_exactly(held + 1000);
  EXPECT_GT(t.any().header.window, 0U);
}

TEST(TcpWindow, RightEdgeStaysWhileDataIsUnread) {
  TcpPeer t;
  ConnectionOptions o;
  o.receive_buffer = 8000;
  t.establish("<mss 1000>", o);
  for (int i = 0; i < 8; ++i) t.in(". " + std::to_string(1 + 1000 * i) + "+1000 ack 1");
  t.wait(500ms);
  std::uint16_t last = 8000;
  while (t.pending() > 0 && !t.broken()) last = t.out(". 1").header.window;
  EXPECT_EQ(last, 0);
}

// RFC 9293 MUST-39: the window opens by at least min(MSS, half the buffer), not octet by octet.
TEST(TcpWindow, ReceiverAvoidsSillyWindows) {
  TcpPeer t;
  ConnectionOptions o;
  o.receive_buffer = 8000;
  t.establish("<mss 1000>", o);
  for (int i = 0; i < 8; ++i) t.in(". " + std::to_string(1 + 1000 * i) + "+1000 ack 1");
  t.wait(500ms);
  t.discard();
  for (int i = 0; i < 9; ++i) t.read(100);
  t.nothing();  // 900 octets of room, less than a segment
  t.read(200);
  EXPECT_GE(t.out(". 1 ack 8001").header.window, 1000);
  // A probe in the meantime does not make the window creep, either.
  t.read(300);
  t.in(". 8001+1 ack 1");
  t.wait(500ms);
  while (t.pending() > 0 && !t.broken()) {
    const auto window = t.out(". 1").header.window;
    EXPECT_TRUE(window >= 1000 || window == 999 || window == 0) << window;
  }
}

TEST(TcpWindow, HalfTheBufferCountsWhenItIsBelowOneSegment) {  // RFC 9293 MUST-39
  TcpPeer t;
  ConnectionOptions o;
  o.receive_buffer = 1000;
  t.establish("<mss 1460>", o);
  t.in(". 1+1000 ack 1");
  t.wait(500ms);
  t.discard();
  t.read(400);
  t.nothing();
  t.read(200);
  EXPECT_GE(t.out(". 1 ack 1001").header.window, 500);
}

// RFC 9293 MUST-34, SHLD-15: after a shrink the usable window may be negative; no new data goes.
TEST(TcpWindow, SenderSurvivesAShrunkenWindow) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 5000);
  t.send(10000);
  EXPECT_EQ(t.discard(), 5U);
  t.in(". 1 ack 1001 win 1000");
  t.nothing();
  EXPECT_EQ(t.status().snd_wnd, 1000U);
  t.in(". 1 ack 5001 win 1000");
  t.out(". 5001+1000");
}

// RFC 9293 SHLD-16: what lies within the shrunken window is still retransmitted.
TEST(TcpWindow, DataInsideTheShrunkenWindowIsRetransmitted) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 5000);
  t.send(10000);
  t.discard();
  t.in(". 1 ack 1001 win 1000");
  t.out_within(3s, ". 1001+1000");
  t.in(". 1 ack 2001 win 1000");
  t.out(". 2001+1000");
}

// RFC 9293 MUST-35, SHLD-17: a window shrunk to zero is probed, and the connection does not time out meanwhile.
TEST(TcpWindow, WindowShrunkToZeroIsProbed) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 5000);
  t.send(5000);
  t.discard();
  t.in(". 1 ack 1001 win 0");
  const auto end = t.now() + 1h;
  unsigned probes = 0;
  while (t.now() < end && !t.broken()) {
    t.wait(5s);
    while (t.pending() > 0 && !t.broken()) {
      const auto probe = t.out(". 1001+1");
      ++probes;
      t.in(". 1 ack 1001 win 0");
    }
  }
  EXPECT_GE(probes, 10U);
  t.state(TcpState::Established);
  t.in(". 1 ack 1001 win 5000");
  t.wait(200ms);
  ASSERT_GE(t.pending(), 1U);
  t.discard();
}

// RFC 9293 SHLD-15, SHLD-16, SHLD-17: the right edge moves from 5001 to 3001. What lies inside is repeated, nothing
// beyond is sent, and that it stays unacknowledged for longer than R2 ends nothing.
TEST(TcpWindow, DataBeyondAShrunkenEdgeIsNotSentAndDoesNotTimeOut) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 5000);
  t.send(5000);
  t.discard();
  t.in(". 1 ack 1001 win 2000");
  t.out_within(3s, ". 1001+1000");
  t.in(". 1 ack 2001 win 1000");
  t.out_within(3s, ". 2001+1000");
  t.in(". 1 ack 3001 win 0");
  const auto end = t.now() + 2 * tcp::TcpConfig{}.r2_timeout;
  while (t.now() < end && !t.broken()) {
    t.wait(5s);
    while (t.pending() > 0 && !t.broken()) {
      t.out(". 3001+1");  // a probe (MUST-36)
      t.in(". 1 ack 3001 win 0");
    }
  }
  t.no_event(EventKind::Failed);
  t.in(". 1 ack 3001 win 500");  // the edge moves right again, not all the way
  t.out_within(3s, ". 3001+500");
  t.in(". 1 ack 3501 win 5000");
  t.wait(1s);
  t.discard();
  t.in(". 1 ack 5001 win 5000");
  EXPECT_EQ(t.status().flight, 0U);
  EXPECT_EQ(t.status().send_queued, 0U);
  t.silence(1min);
  t.state(TcpState::Established);
}

TEST(TcpWindow, LateWindowFromTheHandshakeAckIsTaken) {
  TcpPeer t;
  t.listen();
  t.in("S 0 win 100 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1 win 20000");
  t.accept();
  EXPECT_EQ(t.status().snd_wnd, 20000U);
}

TEST(TcpWindow, WhoStopsReadingOpensAFullWindow) {  // RFC 9293 MUST-39, section 3.8.6.2.2
  TcpPeer t;
  ConnectionOptions o;
  o.receive_buffer = 2000;
  t.establish("<mss 1000>", o);
  t.in(". 1+1000 ack 1");
  t.in(". 1001+1000 ack 1");
  t.out(". 1 ack 2001 win 0");
  t.shutdown_receive();
  EXPECT_EQ(t.out(". 1 ack 2001 win 2000").reason, observe::TxReason::WindowUpdate);
  t.in(". 2001+1000 ack 1");
  t.in(". 3001+1000 ack 1");
  t.out(". 1 ack 4001 win 2000");
}

// Receive-buffer auto-tuning: a fast reader makes the window grow, up to the bound.
TEST(TcpWindow, BufferGrowsForAFastReader) {
  PeerSetup s;
  s.config.receive_buffer_initial = 64 * 1024;
  s.config.receive_buffer_max = 1 << 20;
  TcpPeer t{s};
  t.establish(all_options);
  const auto before = t.status().receive_buffer;
  std::uint64_t at = 1;
  for (int round = 0; round < 30; ++round) {
    t.wait(20ms);  // one round trip
    const auto window = t.status().rcv_wnd;
    std::uint32_t sent = 0;
    t.batch([&] {
      for (; sent + 1448 <= window && !t.broken(); sent += 1448, at += 1448) {
        t.in(". " + std::to_string(at) + "+1448 ack 1");
      }
    });
    t.read();
    t.discard();
  }
  EXPECT_GT(t.status().receive_buffer, 4 * before);
  EXPECT_LE(t.status().receive_buffer, std::size_t{1} << 20);
}

TEST(TcpWindow, FixedBufferStaysFixed) {
  TcpPeer t;
  ConnectionOptions o;
  o.receive_buffer = 50000;
  t.establish(all_options, o);
  for (int i = 0; i < 100; ++i) {
    t.wait(5ms);
    t.in(". " + std::to_string(1 + i * 1448) + "+1448 ack 1");
    t.read();
  }
  EXPECT_EQ(t.status().receive_buffer, 50000U);
  t.ignore_rest();
}

// Without timestamps the sender's own measurements stand in for the receiver's round-trip time.
TEST(TcpWindow, BufferGrowsForAFastReaderWithoutTimestamps) {
  PeerSetup s;
  s.config.receive_buffer_initial = 64 * 1024;
  s.config.receive_buffer_max = 1 << 20;
  TcpPeer t{s};
  t.listen();
  t.in("S 0 <mss 1460,sackOK,nop,wscale 7>");
  t.out("S. 0 ack 1");
  t.wait(20ms);
  t.in(". 1 ack 1");
  t.accept();
  std::uint64_t at = 1;
  for (int round = 0; round < 30; ++round) {
    t.wait(20ms);  // one round trip
    const auto window = t.status().rcv_wnd;
    std::uint32_t sent = 0;
    t.batch([&] {
      for (; sent + 1460 <= window && !t.broken(); sent += 1460, at += 1460) {
        t.in(". " + std::to_string(at) + "+1460 ack 1");
      }
    });
    t.read();
    t.discard();
  }
  EXPECT_GT(t.status().receive_buffer, 256U * 1024);
}

}  // namespace
}  // namespace wireside::testing
