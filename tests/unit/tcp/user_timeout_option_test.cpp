// The user timeout option (RFC 5482).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

ConnectionOptions with_option(Duration user_timeout = {}) {
  ConnectionOptions o;
  o.user_timeout_option = true;
  o.user_timeout = user_timeout;
  return o;
}

TEST(TcpUserTimeoutOption, OursIsToldWithTheSynAndAfterTheHandshake) {
  TcpPeer t;
  t.connect(with_option(600s));
  EXPECT_EQ(t.any().header.options.user_timeout, 600s);
  t.in("S. 0 ack 1 win 65535 <mss 1000>");
  EXPECT_EQ(t.any().header.options.user_timeout, 600s);
  t.options(with_option(40'000s));
  EXPECT_EQ(t.any().header.options.user_timeout, 40'000s);
  t.nothing();
}

TEST(TcpUserTimeoutOption, OffByDefault) {
  TcpPeer t;
  t.connect();
  EXPECT_EQ(t.any().header.options.user_timeout, std::nullopt);
  t.in("S. 0 ack 1 win 65535 <mss 1000>");
  EXPECT_EQ(t.any().header.options.user_timeout, std::nullopt);
}

TEST(TcpUserTimeoutOption, ThePeersIsFollowedWhereTheApplicationChoseNone) {
  TcpPeer t;
  t.listen(16, with_option());
  t.in("S 0 win 65535 <mss 1000>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  EXPECT_EQ(t.any().header.options.user_timeout, 15min);
  EXPECT_EQ(t.status().user_timeout, 15min);
  t.in(". 1 ack 1 <uto 7200>");
  EXPECT_EQ(t.status().user_timeout, 2h);
  t.in(". 1 ack 1 <uto 1>");  // never below R2
  EXPECT_EQ(t.status().user_timeout, 15min);
  t.in(". 1 ack 1 <uto 1900000>");  // nor without bound
  EXPECT_EQ(t.status().user_timeout, 24h);
  t.options(with_option(10s));
  EXPECT_EQ(t.status().user_timeout, 10s);
  t.ignore_rest();
}

TEST(TcpUserTimeoutOption, ThePeersIsIgnoredWhereTheOptionIsOff) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.in(". 1 ack 1 <uto 7200>");
  EXPECT_EQ(t.status().user_timeout, 15min);
}

/// A listener with the option; our first ACK tells ours.
void establish(TcpPeer& t, std::string_view syn_options, const ConnectionOptions& o = with_option()) {
  t.listen(16, o);
  t.in("S 0 win 65535 " + std::string{syn_options});
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  EXPECT_NE(t.any().header.options.user_timeout, std::nullopt);
}

// RFC 5482 section 3: it may come with either SYN.
TEST(TcpUserTimeoutOption, ASynMayTellIt) {
  TcpPeer t;
  establish(t, "<mss 1000,uto 7200>");
  EXPECT_EQ(t.status().user_timeout, 2h);
  TcpPeer reserved;  // 0 says nothing
  establish(reserved, "<mss 1000,uto 0>");
  EXPECT_EQ(reserved.status().user_timeout, 15min);
}

TEST(TcpUserTimeoutOption, ASynAckMayTellIt) {  // RFC 5482 section 3
  for (const bool crossing : {false, true}) {
    TcpPeer t;
    t.connect(with_option());
    t.discard();
    t.in(crossing ? "S 0 <mss 1000,uto 7200>" : "S. 0 ack 1 <mss 1000,uto 7200>");
    if (crossing) t.in(". 1 ack 1");
    EXPECT_EQ(t.status().user_timeout, 2h);
    t.ignore_rest();
  }
}

TEST(TcpUserTimeoutOption, ASynIsNotHeardWhereTheOptionIsOff) {  // RFC 5482 section 3
  TcpPeer t;
  t.establish("<mss 1000,uto 7200>");
  EXPECT_EQ(t.status().user_timeout, 15min);
}

ConnectionOptions with_keep_alive(ConnectionOptions o) {
  o.keep_alive = true;
  o.keep_alive_idle = 10s;
  o.keep_alive_interval = 1s;
  o.keep_alive_probes = 3;
  return o;
}

// RFC 5482 section 4.2: the keep-alive timer must be larger than the user timeout that was adopted.
TEST(TcpUserTimeoutOption, KeepAliveWaitsUntilItIsOver) {
  TcpPeer t;
  establish(t, "<mss 1000>", with_keep_alive(with_option()));
  t.in(". 1 ack 1 <uto 3600>");
  EXPECT_EQ(t.status().user_timeout, 1h);
  t.silence(1h);
  EXPECT_EQ(t.out_after(0s, ". 0 ack 1").reason, observe::TxReason::KeepAlive);
  t.out_after(1s, ". 0 ack 1");
  t.out_after(1s, ". 0 ack 1");
  t.out_after(1s, "R. 1 ack 1");
  t.failed(Error::TimedOut);
}

TEST(TcpUserTimeoutOption, KeepAliveFollowsItsChanges) {  // RFC 5482 section 4.2
  TcpPeer t;
  establish(t, "<mss 1000>", with_keep_alive(with_option(20s)));
  t.out_after(20s, ". 0 ack 1", 2ms);
  t.in(". 1 ack 1");
  t.options(with_keep_alive(with_option(5s)));  // below the keep-alive timer: this one counts
  t.discard();
  t.out_after(10s, ". 0 ack 1", 2ms);
  t.in(". 1 ack 1");
  t.options(with_keep_alive(with_option()));
  t.discard();
  t.in(". 1 ack 1 <uto 7200>");
  t.wait(1min);
  t.in(". 1 ack 1 <uto 1200>");  // sooner than it was
  t.out_after(20min, ". 0 ack 1", 2ms);
  t.in(". 1 ack 1");
  ConnectionOptions off;
  t.options(with_keep_alive(off));
  t.out_after(10s, ". 0 ack 1", 2ms);
  t.in(". 1 ack 1");
}

}  // namespace
}  // namespace wireside::testing
