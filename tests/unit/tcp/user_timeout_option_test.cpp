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

}  // namespace
}  // namespace wireside::testing
