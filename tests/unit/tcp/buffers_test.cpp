// Buffers that follow the path, bounds the application sets, and what happens when memory is short.
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

using observe::TxReason;

TEST(TcpBuffers, TheSendBufferFollowsTheCongestionWindow) {
  PeerSetup setup;
  setup.config.send_buffer_initial = 20'000;
  setup.config.send_buffer_max = 100'000;
  TcpPeer t{setup};
  t.establish("<mss 1000,nop,wscale 7>");
  EXPECT_EQ(t.send(1'000'000, false), 20'000U);
  std::uint32_t acked = 1;
  for (int round = 0; round < 40; ++round) {
    t.wait(10ms);
    t.batch([&] {
      while (t.pending() > 0) {
        acked += static_cast<std::uint32_t>(t.any().payload.octets());
        t.in(". 1 ack " + std::to_string(acked) + " win 65535");
      }
    });
    t.send(1'000'000, false);
  }
  EXPECT_EQ(t.status().send_buffer, 100'000U);
  EXPECT_GE(t.status().cwnd, 50'000U);
  t.ignore_rest();
}

TEST(TcpBuffers, AFixedSendBufferStays) {
  TcpPeer t;
  ConnectionOptions o;
  o.send_buffer = 5000;
  t.establish("<mss 1000>", o);
  EXPECT_EQ(t.send(10'000, false), 5000U);
  t.discard();
  t.in(". 1 ack 5001");
  EXPECT_EQ(t.status().send_buffer, 5000U);
}

// Tuning and the start of it: neither goes beyond what the owner allows, nor beyond what a window can tell without the
// scale (RFC 7323 section 2.2).
TEST(TcpBuffers, WithoutScalingTheReceiveBufferStaysWithinItsBoundToo) {
  for (const std::size_t most : {std::size_t{8000}, std::size_t{1} << 20}) {
    PeerSetup setup;
    setup.config.receive_buffer_initial = 4000;
    setup.config.receive_buffer_max = most;
    TcpPeer t{setup};
    t.establish("<mss 1000>");
    EXPECT_EQ(t.status().receive_buffer, 4000U);
    for (int i = 0; i < 400; ++i) {
      t.in("P. " + std::to_string(1 + 1000 * i) + "+1000 ack 1");
      t.read();
      t.wait(1ms);
      t.discard();
    }
    EXPECT_GT(t.status().receive_buffer, 4000U);
    EXPECT_LE(t.status().receive_buffer, std::min<std::size_t>(most, 65535));
    t.ignore_rest();
  }
}

TEST(TcpBuffers, NoneStartsAboveItsBound) {
  PeerSetup setup;
  setup.config.receive_buffer_max = setup.config.send_buffer_max = 4000;
  for (const std::string_view options : {"<mss 1000>", "<mss 1000,wscale 7>"}) {
    TcpPeer t{setup};
    t.establish(options);
    EXPECT_EQ(t.status().receive_buffer, 4000U);
    EXPECT_EQ(t.status().send_buffer, 4000U);
  }
}

TEST(TcpBuffers, NoMoreThanTheLowWatermarkWaitsUnsent) {  // TCP_NOTSENT_LOWAT
  TcpPeer t;
  ConnectionOptions o;
  o.notsent_lowat = 4000;
  t.establish("<mss 1000>", o, 3000);
  EXPECT_EQ(t.send(20'000, false), 4000U);
  EXPECT_EQ(t.discard(), 3U);
  EXPECT_EQ(t.status().unsent, 1000U);
  t.event(EventKind::Writable);
  EXPECT_EQ(t.send(20'000, false), 3000U);
  EXPECT_EQ(t.send(1, false), 0U);
  t.no_event(EventKind::Writable);
  t.in(". 1 ack 3001 win 3000");  // three more leave, and there is room again
  EXPECT_EQ(t.discard(), 3U);
  t.event(EventKind::Writable);
  EXPECT_EQ(t.status().unsent, 1000U);
  t.ignore_rest();
}

// A mark of one octet holds back what a segment more would be, and fills segments all the same.
TEST(TcpBuffers, ALowWatermarkBelowTheMssIsOneSegment) {  // TCP_NOTSENT_LOWAT
  TcpPeer t;
  ConnectionOptions o;
  o.notsent_lowat = 1;
  t.establish("<mss 1000>", o, 2000);
  EXPECT_EQ(t.send(20'000, false), 1000U);
  t.out("P. 1+1000 ack 1");
  EXPECT_EQ(t.send(20'000, false), 1000U);
  t.out("P. 1001+1000 ack 1");
  EXPECT_EQ(t.send(20'000, false), 1000U);
  EXPECT_EQ(t.status().unsent, 1000U);
  EXPECT_EQ(t.send(1, false), 0U);
  t.ignore_rest();
}

TEST(TcpBuffers, CorkedDataLeavesInFullSegments) {  // TCP_CORK
  TcpPeer t;
  ConnectionOptions o;
  o.cork = o.no_delay = true;
  t.establish("<mss 1000>", o);
  t.send(600);
  t.nothing();
  t.send(600);
  t.out(". 1+1000 ack 1");
  t.nothing();
  o.cork = false;
  t.options(o);
  t.out("P. 1001+200 ack 1");
  t.in(". 1 ack 1201");
}

TEST(TcpBuffers, TakingTheCorkOffAnEmptyQueueReleasesNothingLater) {  // TCP_CORK, RFC 9293 SHLD-7
  TcpPeer t;
  ConnectionOptions o;
  o.cork = true;
  t.establish("<mss 1000>", o);
  t.send(2000);
  EXPECT_EQ(t.discard(), 2U);
  t.in(". 1 ack 2001");
  o.cork = false;
  t.options(o);
  o.cork = true;
  t.options(o);
  t.send(10);
  t.nothing();
  t.out_after(200ms, "P. 2001+10 ack 1");
}

TEST(TcpBuffers, ACorkHoldsNothingForLongerThan200Milliseconds) {
  TcpPeer t;
  ConnectionOptions o;
  o.cork = true;
  t.establish("<mss 1000>", o);
  t.send(600);
  t.out_after(200ms, "P. 1+600 ack 1");
  t.in(". 1 ack 601");
  t.send(100);
  t.shutdown();  // nothing will come behind it
  t.out("FP. 601+100 ack 1");
  t.ignore_rest();
}

TEST(TcpBuffers, UnderMemoryPressureLittleIsNewlyGrantedAndNothingTakenBack) {  // RFC 9293 SHLD-14
  PeerSetup setup;
  setup.config.memory_pressure = 200'000;
  TcpPeer t{setup};
  t.establish("<mss 1000>");
  const auto edge = t.status().rcv_wnd;
  std::vector<Slice> hoard;  // held by somebody else
  for (int i = 0; i < 5; ++i) hoard.push_back(t.pool().allocate_slice(60'000));
  t.in(". 1+1000 ack 1");
  t.in(". 1001+1000 ack 1");
  EXPECT_EQ(t.any().header.window, edge - 2000);  // the edge stays where it was
  t.read_exactly(2000);
  for (std::uint32_t i = 2; i + 2 < edge / 1000; i += 2) {
    t.in(". " + std::to_string(i * 1000 + 1) + "+1000 ack 1");
    t.in(". " + std::to_string(i * 1000 + 1001) + "+1000 ack 1");
    t.read(2000);
  }
  t.discard();
  EXPECT_LE(t.status().rcv_wnd, 4000U);
  EXPECT_GT(t.status().rcv_wnd, 0U);
  hoard.clear();
  t.in(". " + std::to_string(t.status().rcv_nxt - t.status().irs) + "+1000 ack 1");
  t.wait(50ms);
  EXPECT_GT(t.status().rcv_wnd, 30'000U);
  t.ignore_rest();
}

TEST(TcpBuffers, TheFirstSegmentsAreAcknowledgedOneByOne) {
  PeerSetup setup;
  setup.config.quick_acks = 3;
  TcpPeer t{setup};
  t.establish("<mss 1000>");
  for (int i = 0; i < 3; ++i, t.wait(50ms)) {
    t.in("P. " + std::to_string(1 + i * 100) + "+100 ack 1");
    EXPECT_EQ(t.out(". 1 ack " + std::to_string(101 + i * 100)).reason, TxReason::Ack);
  }
  t.in("P. 301+100 ack 1");
  t.nothing();
  EXPECT_EQ(t.out_after(40ms, ". 1 ack 401").reason, TxReason::DelayedAck);
}

TEST(TcpBuffers, AnAnswerEndsTheQuickAcks) {
  PeerSetup setup;
  setup.config.quick_acks = 16;
  TcpPeer t{setup};
  t.establish("<mss 1000>");
  t.batch([&] {
    t.in("P. 1+100 ack 1");
    t.send(50);  // the application answers in the same turn
  });
  t.out("P. 1+50 ack 101");
  t.wait(50ms);
  t.in("P. 101+100 ack 51");
  t.nothing();
  t.out_after(40ms, ". 51 ack 201");
}

TEST(TcpBuffers, TheAckDelayFollowsTheSender) {  // RFC 9293 MUST-40
  TcpPeer t;
  t.establish("<mss 1000>");
  std::uint32_t seq = 1;
  const auto segment = [&] {
    t.in(". " + std::to_string(seq) + "+1000 ack 1");
    seq += 1000;
  };
  for (int i = 0; i < 20; ++i) {  // one per millisecond
    segment();
    t.wait(1ms);
  }
  t.discard();
  segment();
  segment();
  t.discard();
  segment();
  EXPECT_EQ(t.out_after(5ms, ". 1 ack " + std::to_string(seq)).reason, TxReason::DelayedAck);
  t.wait(100ms);  // a pause of the sender's own
  segment();
  t.out_after(40ms, ". 1 ack " + std::to_string(seq));
}

TEST(TcpStatus, SoftErrorsAreReportedOnlyToWhoAsks) {  // RFC 9293 SHLD-20
  TcpPeer t;
  t.establish();
  t.send(10);
  t.discard();
  t.icmp(Error::HostUnreachable, false, 1);
  t.no_event(EventKind::Reported);
  ConnectionOptions o;
  o.report_errors = true;
  t.options(o);
  t.icmp(Error::HostUnreachable, false, 1);
  t.event(EventKind::Reported);
  t.ignore_rest();
}

TEST(TcpStatus, SoftErrorsBeforeAcceptAreReportedAfterIt) {  // RFC 9293 MUST-47, SHLD-20
  TcpPeer t;
  ConnectionOptions o;
  o.report_errors = true;
  t.listen(16, o);
  t.in("S 0 <mss 1000>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.icmp(Error::HostUnreachable, false, 1);
  t.accept();
  t.event(EventKind::Reported);
  const auto report = t.layer().take_error_report(t.handle());
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->error, Error::HostUnreachable);
}

// A buffer that is nearly all in flight is refilled in smaller parts than a third, or the path would run dry.
TEST(TcpSendBuffer, TheWriterIsAskedForMoreBeforeThePathRunsDry) {
  PeerSetup s;
  s.mss = 9000;
  TcpPeer t{s};
  ConnectionOptions o;
  o.send_buffer = std::size_t{1} << 20;
  t.establish("<mss 8960,wscale 7>", o);
  const auto acknowledge = [&](std::uint32_t octets) {
    t.in(". 1 ack " + std::to_string(t.status().snd_una - t.our_iss() + static_cast<std::int32_t>(octets)));
    t.discard();
  };
  for (int i = 0; i < 400 && t.status().flight < 950'000; ++i) {
    t.send(o.send_buffer, false);
    t.discard();
    acknowledge(8960);
  }
  t.send(o.send_buffer, false);
  t.discard();
  ASSERT_GE(t.status().flight, 950'000U);
  t.take_events();
  acknowledge(4 * 8960);
  t.no_event(EventKind::Writable);
  acknowledge(4 * 8960);
  t.event(EventKind::Writable);
  t.ignore_rest();
}

TEST(TcpStatus, CountsSegmentsAndDeliveries) {
  PeerSetup setup;
  setup.config.tail_loss_probe = false;
  TcpPeer t{setup};
  t.listen();
  t.in("S 0 win 65535 <mss 1000,sackOK>");
  t.out("S. 0 ack 1");
  t.wait(20ms);
  t.in(". 1 ack 1");
  t.accept();
  t.discard();
  t.send(2500);
  t.discard();
  t.wait(10ms);
  t.in(". 1 ack 2501");
  t.in("P. 1+10 ack 2501");
  const auto s = t.status();
  EXPECT_EQ(s.data_segments_sent, 3U);
  EXPECT_EQ(s.data_segments_received, 1U);
  EXPECT_EQ(s.segments_received, 3U);  // with the ACK of the handshake
  EXPECT_EQ(s.delivered, 2500U);
  EXPECT_EQ(s.min_rtt, 10ms);
  EXPECT_EQ(s.path_mtu, 1500U);
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing
