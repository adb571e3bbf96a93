// The cookies of TCP Fast Open (RFC 7413 sections 4.1.2, 4.1.3): the server's keys, the client's cache.
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"
#include "tcp/fast_open.hpp"

namespace wireside::testing {
namespace {

using tcp::FastOpenCache;
using tcp::FastOpenKeys;

constexpr IpAddress some_client{Ipv4Address{10, 0, 0, 1}}, some_server{Ipv4Address{10, 0, 0, 2}};

// RFC 7413 TFO-02: a MAC of the client's address with a key that changes.
TEST(FastOpenCookies, BelongToOneClientAndTwoKeyLifetimes) {
  Random random{make_seed(1)};
  FastOpenKeys keys{random.sip_key()};
  const Instant start = Instant::from_ns(0) + 1h;
  keys.rotate(start, 1h, random);
  const auto cookie = keys.make(some_client, some_server);
  EXPECT_EQ(cookie.length, 8);
  EXPECT_TRUE(keys.is_good(cookie, some_client, some_server));
  EXPECT_FALSE(keys.is_good(cookie, IpAddress{Ipv4Address{10, 0, 0, 3}}, some_server));
  keys.rotate(start + 61min, 1h, random);
  EXPECT_NE(keys.make(some_client, some_server), cookie);
  EXPECT_TRUE(keys.is_good(cookie, some_client, some_server));
  keys.rotate(start + 122min, 1h, random);
  EXPECT_FALSE(keys.is_good(cookie, some_client, some_server));
}

TEST(FastOpenCookies, AreNoGoodAfterALongPause) {
  Random random{make_seed(1)};
  FastOpenKeys keys{random.sip_key()};
  const Instant start = Instant::from_ns(0) + 1h;
  keys.rotate(start, 1h, random);
  const auto cookie = keys.make(some_client, some_server);
  keys.rotate(start + 3h, 1h, random);
  EXPECT_FALSE(keys.is_good(cookie, some_client, some_server));
}

// RFC 7413 TFO-03: cookie and MSS, bounded.
TEST(FastOpenCookies, OfServersAreRememberedInABoundedCache) {
  FastOpenCache cache{3, [](const FourTuple& t) { return std::size_t{t.remote.address.v4().value()}; }};
  const auto to = [](std::uint32_t n) {
    return FourTuple{{some_client, Port{1}}, {IpAddress{Ipv4Address{n}}, Port{2}}};
  };
  wire::FastOpenCookie cookie;
  cookie.length = 4;
  for (std::uint32_t n = 1; n <= 4; ++n) {
    cookie.octets[0] = static_cast<std::uint8_t>(n);
    cache.remember(to(n), cookie, static_cast<std::uint16_t>(1000 + n));
  }
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_EQ(cache.find(to(1)), nullptr);
  FourTuple other_ports = to(4);
  other_ports.remote.port = Port{77};
  ASSERT_NE(cache.find(other_ports), nullptr);
  EXPECT_EQ(cache.find(other_ports)->cookie, cookie);
  EXPECT_EQ(cache.find(other_ports)->mss, 1004);
}

}  // namespace
}  // namespace wireside::testing
