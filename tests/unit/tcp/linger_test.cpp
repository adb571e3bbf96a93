// CLOSE with a time to linger (SO_LINGER), and CLOSE before the handshake is over (RFC 9293 section 3.10.4).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

ConnectionOptions lingering(Duration time) {
  ConnectionOptions o;
  o.linger = time;
  return o;
}

/// CLOSE with five seconds to linger, behind two segments of data: all of it leaves, and the FIN.
void close_behind_data(TcpPeer& t) {
  t.establish("<mss 1460>", lingering(5s));
  t.send(2000);
  t.close();
  t.out(". 1+1460");
  t.out("P. 1461+540");
  t.out("F. 2001");
}

TEST(TcpLinger, WhatIsAcknowledgedInTimeClosesInOrder) {  // RFC 9293 section 3.10.4; SO_LINGER
  TcpPeer t;
  close_behind_data(t);
  t.wait(10ms);
  t.in(". 1 ack 2002");
  t.in("F. 1 ack 2002");
  t.out(". 2002 ack 2");
  t.state(TcpState::TimeWait);
  t.silence(10s);
}

TEST(TcpLinger, WhatIsNotEndsInAReset) {  // SO_LINGER
  TcpPeer t;
  close_behind_data(t);
  t.in(". 1 ack 1461");
  t.wait(5s - 1ms);
  t.discard();  // retransmissions
  t.state(TcpState::FinWait1);
  EXPECT_EQ(t.out_after(1ms, "R. 2002 ack 1").reason, observe::TxReason::ResetLinger);
  EXPECT_EQ(t.states_seen().back(), TcpState::Closed);
  t.gone();
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
  t.silence(10min);
}

TEST(TcpLinger, AWindowThatStaysClosedDoesNotHoldItForEver) {  // SO_LINGER; RFC 6429
  TcpPeer t;
  t.establish("<mss 1460>", lingering(30s), 1000);
  t.send(5000);
  t.close();
  t.out_within(1s, ". 1+1000");
  t.in(". 1 ack 1001 win 0");
  t.wait(30s - 10ms);
  EXPECT_GT(t.discard(), 0U) << "probes";
  t.wait(2s);
  EXPECT_EQ(t.any().reason, observe::TxReason::ResetLinger);
  t.gone();
}

TEST(TcpLinger, AnEarlierHalfCloseCountsFromClose) {  // SO_LINGER
  TcpPeer t;
  t.establish("<mss 1460>", lingering(2s));
  t.shutdown();
  t.out("F. 1 ack 1");
  t.wait(10s);
  t.discard();
  t.close();
  t.wait(2s);
  while (t.pending() > 1) t.any();
  EXPECT_EQ(t.any().reason, observe::TxReason::ResetLinger);
  t.gone();
}

TEST(TcpLinger, InLastAckThePeerIsToldToo) {  // SO_LINGER
  TcpPeer t;
  t.establish("<mss 1460>", lingering(2s));
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
  t.send(100);
  t.close();
  t.out("P. 1+100 ack 2");
  t.out("F. 101 ack 2");
  t.state(TcpState::LastAck);
  t.wait(2s);
  while (t.pending() > 1) t.any();
  EXPECT_EQ(t.out("R. 102 ack 2").reason, observe::TxReason::ResetLinger);
  t.gone();
}

TEST(TcpLinger, BeforeTheEndOfTheHandshake) {  // RFC 9293 section 3.10.4, SYN-RECEIVED; SO_LINGER
  TcpPeer t;
  t.connect(lingering(2s));
  t.out("S 0");
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.close();
  t.wait(2s);
  while (t.pending() > 1) t.any();
  EXPECT_EQ(t.any().reason, observe::TxReason::ResetLinger);
  t.gone();
}

TEST(TcpLinger, InFinWait2NothingIsLeftToWaitFor) {  // SO_LINGER: all is acknowledged
  TcpPeer t;
  t.establish("<mss 1460>", lingering(2s));
  t.close();
  t.out("F. 1 ack 1");
  t.in(". 1 ack 2");
  t.silence(20s);
  t.state(TcpState::FinWait2);
}

// ------------------------------------------------------------------------------- SYN-RECEIVED with data in the SYN

/// Accepted before the end of the handshake, behind a good Fast Open cookie; 100 octets have come.
void open_fast(TcpPeer& t, ConnectionOptions options = {}) {
  options.fast_open_queue = 16;
  t.listen(16, options);
  t.use_port(39999);
  t.in("S 0 <mss 1460,tfo>");
  const auto answer = t.out("S. 0 ack 1 <mss 1460,tfo *>");
  t.in("R 1");
  t.use_port(TcpPeer::peer_port);
  ASSERT_TRUE(answer.header.options.fast_open.has_value());
  constexpr const char* digits = "0123456789abcdef";
  std::string cookie;
  for (const std::uint8_t octet : answer.header.options.fast_open->view()) {
    cookie += {digits[octet >> 4], digits[octet & 15]};
  }
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.out("S. 0 ack 101");
  t.accept();
}

// The client's data came with its SYN and was never read: it must learn of that although the handshake is not over.
TEST(TcpFastOpenClose, ClosingWithUnreadDataBeforeTheEndOfTheHandshakeSendsReset) {  // RFC 9293 SHLD-3, 3.10.4
  TcpPeer t;
  open_fast(t);
  t.read(60);
  t.close();
  EXPECT_EQ(t.out("R. 1 ack 101").reason, observe::TxReason::ResetUnreadData);
  t.gone();
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
  t.silence(5min);
}

TEST(TcpFastOpenClose, ClosingBehindReadDataBeforeTheEndOfTheHandshakeSendsFin) {  // RFC 9293 section 3.10.4
  TcpPeer t;
  open_fast(t);
  t.read_exactly(100);
  t.close();
  t.nothing();
  t.in(". 101 ack 1");
  t.out("F. 1 ack 101");
  t.ignore_rest();
}

TEST(TcpFastOpenClose, LingerZeroAbortsBeforeTheEndOfTheHandshake) {  // RFC 9293 section 3.10.5, SYN-RECEIVED
  TcpPeer t;
  open_fast(t, lingering(Duration{0}));
  t.read_exactly(100);
  t.close();
  EXPECT_EQ(t.out("R. 1 ack 101").reason, observe::TxReason::ResetAborted);
  t.gone();
}

}  // namespace
}  // namespace wireside::testing
