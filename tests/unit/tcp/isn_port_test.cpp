// Initial sequence numbers (RFC 6528, RFC 9293 section 3.4.1) and ephemeral ports (RFC 6056).
#include <gtest/gtest.h>

#include <set>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

/// The ISN of an active open at `now`.
SeqNum isn_at(std::uint64_t seed, Instant now, const FourTuple& tuple) {
  Random random{make_seed(seed)};
  BufferPool pool;
  observe::Sink sink;
  tcp::TcpLayer layer{{}, random, pool, sink};
  layer.set_limits(1460, 1460);
  EXPECT_TRUE(layer.connect(now, tuple, {}));
  tcp::OutgoingSegment syn;
  EXPECT_TRUE(layer.poll_segment(now, syn));
  return syn.header.seq;
}

FourTuple tuple_with(std::uint16_t local, std::uint16_t remote, std::uint8_t host = 1) {
  return {{Ipv4Address{10, 0, 0, 2}, Port{local}}, {Ipv4Address{10, 0, 0, host}, Port{remote}}};
}

// RFC 9293 MUST-8; RFC 6528 ISN-01: a clock of about 4 us per tick.
TEST(TcpIsn, AdvancesWithAFourMicrosecondClock) {
  const auto t0 = Instant::from_ns(0) + 5h;
  const auto tuple = tuple_with(1000, 80);
  const auto a = isn_at(1, t0, tuple);
  EXPECT_EQ(isn_at(1, t0 + 4us, tuple) - a, 1);
  EXPECT_EQ(isn_at(1, t0 + 1s, tuple) - a, 250'000);
  EXPECT_EQ(isn_at(1, t0 + 10min, tuple) - a, 150'000'000);
}

// RFC 9293 MUST-9, SHLD-1; RFC 6528 ISN-01: other four-tuples have unrelated offsets.
TEST(TcpIsn, DiffersByEveryPartOfTheFourTuple) {
  const auto now = Instant::from_ns(0) + 1h;
  std::set<std::uint32_t> seen;
  for (std::uint16_t i = 0; i < 50; ++i) {
    seen.insert(isn_at(1, now, tuple_with(static_cast<std::uint16_t>(1000 + i), 80)).value());
    seen.insert(isn_at(1, now, tuple_with(1000, static_cast<std::uint16_t>(8000 + i))).value());
    seen.insert(isn_at(1, now, tuple_with(1000, 80, static_cast<std::uint8_t>(100 + i))).value());
  }
  EXPECT_EQ(seen.size(), 150U);
  // Spread over the whole space, not near one another.
  std::array<int, 8> octants{};
  for (const auto v : seen) ++octants[v >> 29U];
  for (const int count : octants) EXPECT_GT(count, 4);
}

TEST(TcpIsn, SecretDependsOnTheSeed) {  // RFC 6528 ISN-02
  const auto now = Instant::from_ns(0) + 1h;
  std::set<std::uint32_t> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) seen.insert(isn_at(seed, now, tuple_with(1000, 80)).value());
  EXPECT_EQ(seen.size(), 50U);
}

TEST(TcpIsn, PassiveAndActiveOpenUseTheSameFunction) {
  PeerSetup s;
  s.our_isn = 123'456;  // calibrated by an active open
  TcpPeer t{s};
  t.listen();
  t.in("S 0 <mss 1460>");
  EXPECT_EQ(t.out("S. 0 ack 1").header.seq, SeqNum{123'456});
}

struct Ports {
  explicit Ports(tcp::TcpConfig config = {}) : layer{config, random, pool, sink} { layer.set_limits(1460, 1460); }
  Result<std::uint16_t> connect(std::uint16_t remote) {
    const auto handle = layer.connect(Instant::from_ns(1), tuple_with(0, remote), {});
    if (!handle) return fail(handle.error());
    return layer.status(*handle)->tuple.local.port.value;
  }
  Random random{make_seed(7)};
  BufferPool pool;
  observe::Sink sink;
  tcp::TcpLayer layer;
};

// RFC 6056 PORT-01
TEST(TcpPorts, AreRandomAndNotInUse) {
  Ports p;
  std::set<std::uint16_t> seen;
  int ascending = 0;
  std::uint16_t last = 0;
  for (int i = 0; i < 200; ++i) {
    const auto port = p.connect(80);
    ASSERT_TRUE(port);
    EXPECT_GE(*port, 49152);
    EXPECT_TRUE(seen.insert(*port).second);
    ascending += static_cast<int>(*port > last);
    last = *port;
  }
  EXPECT_GT(ascending, 60);
  EXPECT_LT(ascending, 140);
  EXPECT_GT(*seen.rbegin() - *seen.begin(), 12'000);
}

// RFC 6056 PORT-02
TEST(TcpPorts, ExhaustionIsAnError) {
  tcp::TcpConfig c;
  c.ephemeral_first = 50000;
  c.ephemeral_last = 50009;
  Ports p{c};
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 10; ++i) {
    const auto port = p.connect(80);
    ASSERT_TRUE(port);
    seen.insert(*port);
  }
  EXPECT_EQ(seen.size(), 10U);
  const auto none = p.connect(80);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), Error::AddressNotAvailable);
  EXPECT_TRUE(p.connect(81));  // the same port serves another peer
}

TEST(TcpPorts, SequenceDependsOnTheSeedOnly) {
  Ports a, b;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*a.connect(80), *b.connect(80));
}

}  // namespace
}  // namespace wireside::testing
