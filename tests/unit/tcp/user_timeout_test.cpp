// R1, R2 and the user timeout (RFC 9293 sections 3.8.3, 3.10.8).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

ConnectionOptions user_timeout(Duration d) {
  ConnectionOptions o;
  o.user_timeout = d;
  return o;
}

ConnectionOptions reporting_errors() {
  ConnectionOptions o;
  o.report_errors = true;
  return o;
}

/// 100 octets leave and are not acknowledged.
void send_hundred(TcpPeer& t) {
  t.send(100);
  t.out("P. 1+100");
}

/// However often it was repeated, the connection ends with this error.
void fails_after(TcpPeer& t, Duration time, Error error) {
  t.wait(time);
  t.discard();
  t.failed(error);
}

void lives_after(TcpPeer& t, Duration time) {
  t.wait(time);
  t.discard();
  t.state(TcpState::Established);
}

TEST(TcpUserTimeout, DefaultsFollowTheRfc) {
  const tcp::TcpConfig c;
  EXPECT_GE(c.r1_retransmissions, 3U);  // RFC 9293 SHLD-10
  EXPECT_GE(c.r2_timeout, 100s);        // RFC 9293 SHLD-11
  EXPECT_GE(c.syn_timeout, 3min);       // RFC 9293 MUST-23
}

// RFC 9293 MUST-21: the application sets R2.
TEST(TcpUserTimeout, EndsTheConnectionWithUnacknowledgedData) {
  TcpPeer t;
  t.establish("<mss 1460>", user_timeout(7s));
  send_hundred(t);
  lives_after(t, 6900ms);
  fails_after(t, 200ms, Error::TimedOut);
  t.gone();
}

TEST(TcpUserTimeout, CountsFromTheLastProgress) {
  TcpPeer t;
  t.establish("<mss 1000>", user_timeout(7s));
  t.send(2000);
  t.discard();
  t.wait(6s);
  t.discard();
  t.in(". 1 ack 1001");
  lives_after(t, 6s);
  fails_after(t, 2s, Error::TimedOut);
}

TEST(TcpUserTimeout, IdleConnectionIsNotAffected) {
  TcpPeer t;
  t.establish("<mss 1460>", user_timeout(7s));
  t.silence(1h);
  t.state(TcpState::Established);
  send_hundred(t);
  lives_after(t, 5s);  // the idle hour does not count
}

TEST(TcpUserTimeout, CanBeChangedDuringTheConnection) {  // RFC 9293 MUST-21
  TcpPeer t;
  t.establish();
  t.options(user_timeout(3s));
  send_hundred(t);
  fails_after(t, 4s, Error::TimedOut);
}

TEST(TcpUserTimeout, AppliesToTheSynToo) {  // RFC 9293 MUST-21, MUST-22
  TcpPeer t;
  t.connect(user_timeout(5s));
  t.out("S 0");
  fails_after(t, 6s, Error::TimedOut);
}

TEST(TcpUserTimeout, SetWhileConnectingItHoldsForTheSynUnderWay) {  // RFC 9293 MUST-21, MUST-22
  TcpPeer t;
  t.connect();
  t.any();
  t.wait(1500ms);  // the SYN has gone again at 1 s, and would at 3 s
  t.options(user_timeout(2s));
  fails_after(t, 600ms, Error::TimedOut);
}

TEST(TcpUserTimeout, MayBeLongerThanTheDefault) {  // RFC 9293 MUST-21
  TcpPeer t;
  t.establish("<mss 1460>", user_timeout(5h));
  send_hundred(t);
  lives_after(t, 4h);
}

TEST(TcpUserTimeout, SoftErrorIsTheReasonGiven) {  // RFC 9293 SHLD-9, SHLD-25
  TcpPeer t;
  t.establish("<mss 1460>", user_timeout(7s));
  send_hundred(t);
  t.icmp(Error::HostUnreachable, false, 1);
  t.no_event(EventKind::Failed);
  fails_after(t, 8s, Error::HostUnreachable);
}

TEST(TcpUserTimeout, ClosedConnectionIsForgottenAfterR2) {
  TcpPeer t;
  t.establish();
  t.close();
  t.out("F. 1 ack 1");
  t.wait(1h);
  t.discard();
  t.gone();
  EXPECT_EQ(t.layer().next_deadline(), Instant::max());
}

// RFC 9293 MUST-20: from R1 on, IP is advised to look for another way, and the application can see the trouble.
TEST(TcpUserTimeout, FromR1OnThereIsNegativeAdvice) {
  TcpPeer t;
  t.establish();
  send_hundred(t);
  for (unsigned i = 1; i < tcp::TcpConfig{}.r1_retransmissions; ++i) t.out_within(5s, "P. 1+100");
  EXPECT_FALSE(t.layer().take_negative_advice().has_value());
  EXPECT_FALSE(t.status().error.has_value());
  t.out_within(5s, "P. 1+100");
  EXPECT_EQ(t.layer().take_negative_advice(), t.tuple().remote.address);
  EXPECT_FALSE(t.layer().take_negative_advice().has_value());
  EXPECT_EQ(t.status().error, Error::TimedOut);  // SHLD-9: a soft error
  t.out_within(10s, "P. 1+100");
  EXPECT_TRUE(t.layer().take_negative_advice().has_value()) << "and again, as long as it lasts";
  t.no_event(EventKind::Failed);
  t.in(". 1 ack 101");
  EXPECT_FALSE(t.status().error.has_value());
}

TEST(TcpUserTimeout, ReachingR1WhileConnectingGivesNegativeAdviceToo) {  // RFC 9293 MUST-20, MUST-22
  TcpPeer t;
  t.connect();
  t.out("S 0");
  for (unsigned i = 0; i < tcp::TcpConfig{}.r1_retransmissions; ++i) t.out_within(10s, "S 0");
  EXPECT_TRUE(t.layer().take_negative_advice().has_value());
}

// RFC 9293 MUST-47, section 3.9.1.8: soft errors are reported when they occur: ICMP messages, and from R1 on the
// retransmissions.
TEST(TcpUserTimeout, SoftErrorsAreReportedWhenTheyOccur) {
  TcpPeer t;
  t.establish("<mss 1460>", reporting_errors());
  send_hundred(t);
  t.icmp(Error::HostUnreachable, false, 1);
  t.event(EventKind::Reported);
  auto report = t.layer().take_error_report(t.handle());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->error, Error::HostUnreachable);
  for (unsigned i = 1; i < tcp::TcpConfig{}.r1_retransmissions; ++i) t.out_within(5s, "P. 1+100");
  t.no_event(EventKind::Reported);
  t.out_within(5s, "P. 1+100");
  t.event(EventKind::Reported);
  report = t.layer().take_error_report(t.handle());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->error, Error::TimedOut);
  EXPECT_TRUE(report->local);
  EXPECT_EQ(report->tuple, t.tuple());
  t.out_within(10s, "P. 1+100");
  t.no_event(EventKind::Reported);  // once, until there is progress
  t.state(TcpState::Established);   // MUST-56: it goes on
  t.in(". 1 ack 101");
  t.no_event(EventKind::Failed);
}

TEST(TcpUserTimeout, WithoutTheOptionNothingIsReported) {  // RFC 9293 MUST-47
  TcpPeer t;
  t.establish();
  t.send(100);
  t.icmp(Error::HostUnreachable, false, 1);
  t.wait(30s);
  t.discard();
  t.no_event(EventKind::Reported);
  EXPECT_FALSE(t.layer().take_error_report(t.handle()));
}

}  // namespace
}  // namespace wireside::testing
