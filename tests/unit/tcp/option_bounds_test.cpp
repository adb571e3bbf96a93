// Options whose value is too large or too small to work with are brought to the nearest one that does.
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

constexpr Duration a_year = 24h * 365;

PeerSetup without_tail_probe() {
  PeerSetup s;
  s.config.tail_loss_probe = false;
  return s;
}

TEST(TcpOptionBounds, KeepAliveTimesOfZeroLetTimePass) {  // RFC 9293 MUST-26, section 3.8.4
  TcpPeer t{without_tail_probe()};
  ConnectionOptions o;
  o.keep_alive = true;
  o.keep_alive_idle = o.keep_alive_interval = Duration{0};
  t.establish("<mss 1000>", o);
  t.send(100);
  t.out("P. 1+100 ack 1");
  t.silence(100ms);  // the timer runs all the while
  t.in(". 1 ack 101");
  EXPECT_EQ(t.out_after(1ms, ". 100 ack 1").reason, observe::TxReason::KeepAlive);
  t.options({});
  t.options(o);
  t.out_after(1ms, ". 100 ack 1");
  t.ignore_rest();
}

TEST(TcpOptionBounds, AUserTimeoutWithoutBoundIsAYear) {  // RFC 9293 MUST-21, section 3.8.3
  ConnectionOptions o;
  o.user_timeout = Duration::max();
  TcpPeer t{without_tail_probe()};
  t.establish("<mss 1000>", o);
  EXPECT_EQ(t.status().user_timeout, a_year);
  t.send(100);
  t.out("P. 1+100 ack 1");
  const Duration first = t.out_within(2s, "P. 1+100 ack 1");
  EXPECT_GE(first, 200ms);
  t.out_after(2 * first, "P. 1+100 ack 1");
  t.in(". 1 ack 101 win 0");
  t.send(100);
  EXPECT_GE(t.out_within(5s, ". 101+1 ack 1"), 200ms);
  t.in(". 1 ack 101 win 0");
  t.state(TcpState::Established);
}

TEST(TcpOptionBounds, AUserTimeoutWithoutBoundIsAYearForASynToo) {  // RFC 9293 MUST-21, MUST-23
  ConnectionOptions o;
  o.user_timeout = Duration::max();
  TcpPeer t;
  t.connect(o);
  t.out("S 0");
  t.out_after(1s, "S 0");
  EXPECT_EQ(t.status().user_timeout, a_year);
  t.options({});
  t.options(o);
  EXPECT_EQ(t.status().user_timeout, a_year);
  t.out_after(2s, "S 0");
}

TEST(TcpOptionBounds, AConfiguredR2WithoutBoundIsAYear) {  // RFC 9293 MUST-20
  PeerSetup s = without_tail_probe();
  s.config.r2_timeout = s.config.syn_timeout = Duration::max();
  TcpPeer t{s};
  t.listen();
  t.in("S 0 <mss 1000>");
  t.out("S. 0 ack 1");
  t.out_after(1s, "S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  EXPECT_EQ(t.status().user_timeout, a_year);
  t.send(100);
  t.out("P. 1+100 ack 1");
  EXPECT_GE(t.out_within(5s, "P. 1+100 ack 1"), 200ms);
}

TEST(TcpOptionBounds, KeepAliveMayBeAsGoodAsNever) {
  TcpPeer t;
  ConnectionOptions o;
  o.keep_alive = true;
  o.keep_alive_idle = o.keep_alive_interval = Duration::max();
  t.establish("<mss 1000>", o);
  t.silence(24h * 30);
}

// RFC 9293 section 3.4: of numbers more than 2^31 apart nobody can tell which is the later one.
TEST(TcpOptionBounds, TheSendBufferStaysBelowHalfTheSequenceSpace) {
  constexpr std::size_t gigabyte = std::size_t{1} << 30;
  TcpPeer t;
  ConnectionOptions o;
  o.send_buffer = SIZE_MAX;
  t.establish("<mss 1000>", o, 1000);
  EXPECT_EQ(t.status().send_buffer, gigabyte);
  const Slice large = t.pool().allocate_slice(gigabyte / 16);
  std::size_t taken = 0;
  t.batch([&] {
    t.send(2000);
    while (taken < 3 * gigabyte && t.layer().send_slice(t.now(), t.handle(), large)) taken += large.size();
  });
  EXPECT_EQ(taken, gigabyte);  // the last one fitted only in part
  t.out(". 1+1000 ack 1");
  t.in(". 1 ack 1001 win 1000");
  t.out(". 1001+1000 ack 1");
  t.ignore_rest();
}

TEST(TcpOptionBounds, ASliceLargerThanAnySendBufferIsRefused) {  // RFC 9293 section 3.4
  TcpPeer t;
  t.establish("<mss 1000>");
  const auto sent = t.layer().send_slice(t.now(), t.handle(), t.pool().allocate_slice((std::size_t{1} << 30) + 1));
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error(), Error::MessageTooLong);
  EXPECT_EQ(t.status().send_queued, 0U);
}

}  // namespace
}  // namespace wireside::testing
