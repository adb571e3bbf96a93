// Initial sequence numbers (RFC 6528, RFC 9293 section 3.4.1) and ephemeral ports (RFC 6056).
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <map>
#include <memory>
#include <optional>
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

// RFC 9293 MUST-9; RFC 6528 section 3, ISN = M + F(tuple, secret): whoever learns F of one four-tuple, from a
// connection of its own, must not know F of another. So their distance is another one with every secret, and from tuple
// to tuple.
TEST(TcpIsn, OneFourTupleSaysNothingOfAnother) {
  const auto now = Instant::from_ns(0) + 1h;
  const auto own = tuple_with(1000, 80), other = tuple_with(1000, 80, 2);
  std::set<std::int32_t> by_secret, by_port;
  std::array<int, 8> octants{};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::int32_t distance = isn_at(seed, now, other) - isn_at(seed, now, own);
    by_secret.insert(distance);
    ++octants[static_cast<std::uint32_t>(distance) >> 29U];
  }
  EXPECT_EQ(by_secret.size(), 200U);
  for (const int count : octants) {  // 25 are expected, with a standard deviation of 4.7
    EXPECT_GT(count, 5);
    EXPECT_LT(count, 50);
  }
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    by_port.insert(isn_at(1, now, tuple_with(static_cast<std::uint16_t>(port + 1), 80)) -
                   isn_at(1, now, tuple_with(port, 80)));
  }
  EXPECT_EQ(by_port.size(), 100U);  // no step from port to port
}

// RFC 6528 section 3; RFC 9293 MUST-8, MUST-9: F does not change with time, so that the numbers of each four-tuple go
// on by the clock, and half of F's bits change with any other secret.
TEST(TcpIsn, TheClockMovesEveryFourTupleAlikeAndTheSecretChangesHalfOfTheBits) {
  const auto t0 = Instant::from_ns(0) + 1h;
  for (std::uint16_t port = 1000; port < 1020; ++port) {
    const auto tuple = tuple_with(port, 80);
    EXPECT_EQ(isn_at(1, t0 + 30s, tuple) - isn_at(1, t0, tuple), 7'500'000) << port;
    EXPECT_EQ(isn_at(1, t0 + 4h, tuple) - isn_at(1, t0, tuple),
              static_cast<std::int32_t>(static_cast<std::uint32_t>(3'600'000'000)));
  }
  int bits = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto a = isn_at(seed, t0, tuple_with(1000, 80)), b = isn_at(seed + 1, t0, tuple_with(1000, 80));
    bits += std::popcount(a.value() ^ b.value());
  }
  EXPECT_GT(bits, 200 * 15);  // 16 are expected each, with a standard deviation of 0.2 in their mean
  EXPECT_LT(bits, 200 * 17);
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

// RFC 6056 PORT-01, section 3.2: a port that a server of ours waits at is none of the free ones, or its clients'
// segments and the answers to this connection would meet.
TEST(TcpPorts, ThoseOfListenersAreLeftAlone) {
  for (const Ipv4Address address : {Ipv4Address{10, 0, 0, 2}, Ipv4Address{}}) {
    tcp::TcpConfig c;
    c.ephemeral_first = 50000;
    c.ephemeral_last = 50009;
    Ports p{c};
    for (std::uint16_t port = 50000; port < 50010; ++port) {
      if (port == 50003) continue;
      ASSERT_TRUE(p.layer.listen({address, Port{port}}, 1, {}));
    }
    for (std::uint16_t remote = 80; remote < 90; ++remote) EXPECT_EQ(p.connect(remote), 50003);
    EXPECT_EQ(p.connect(80).error(), Error::AddressNotAvailable);
  }
}

/// A client of one server, which it always leaves first: its connections end in TIME-WAIT.
struct Client {
  Client() {
    tcp::TcpConfig c;
    c.ephemeral_first = 50000;
    c.ephemeral_last = 50009;
    layer = std::make_unique<tcp::TcpLayer>(c, random, pool, sink);
    layer->set_limits(1460, 1460);
  }
  std::optional<tcp::OutgoingSegment> next() {
    tcp::OutgoingSegment out;
    return layer->poll_segment(now, out) ? std::optional{out} : std::nullopt;
  }
  void answer(const tcp::OutgoingSegment& to, SeqNum seq, bool syn, bool fin) {
    tcp::IncomingSegment s;
    s.tuple = to.tuple;
    s.header.source = to.tuple.remote.port;
    s.header.destination = to.tuple.local.port;
    s.header.seq = seq;
    s.header.ack = to.header.seq + 1;
    s.header.flags.ack = true;
    s.header.flags.syn = syn;
    s.header.flags.fin = fin;
    s.header.window = 65535;
    if (to.header.options.timestamps && timestamps) {
      const auto ms = static_cast<std::uint32_t>((now - Instant{}) / 1ms);
      s.header.options.timestamps = wire::TcpTimestamps{ms, to.header.options.timestamps->ts_val};
    }
    layer->segment_arrives(now, s);
  }
  /// Opens a connection; its SYN.
  Result<tcp::OutgoingSegment> open(std::uint16_t port = 0) {
    const auto opened = layer->connect(now, tuple_with(port, 80), {});
    if (!opened) return fail(opened.error());
    handle = *opened;
    return *next();
  }
  /// And brings it to TIME-WAIT.
  void finish(const tcp::OutgoingSegment& syn) {
    answer(syn, SeqNum{7000}, true, false);
    while (next()) continue;
    layer->close(now, handle);
    const auto fin = next();
    ASSERT_TRUE(fin && fin->header.flags.fin);
    answer(*fin, SeqNum{7001}, false, true);
    while (next()) continue;
  }

  bool timestamps = true;
  Instant now = Instant::from_ns(0) + 1h;
  Random random{make_seed(7)};
  BufferPool pool;
  observe::Sink sink;
  std::unique_ptr<tcp::TcpLayer> layer;
  tcp::ConnectionHandle handle;
};

// RFC 6191 TW-01, from the opening side: without it, sixty seconds of TIME-WAIT allow 16,384 connections to a server.
TEST(TcpPorts, OneInTimeWaitIsOpenedOverWhenTimestampsAllowIt) {
  Client client;
  std::map<std::uint16_t, tcp::OutgoingSegment> before;
  for (int i = 0; i < 10; ++i) {
    const auto syn = client.open();
    ASSERT_TRUE(syn);
    before[syn->tuple.local.port.value] = *syn;
    client.finish(*syn);
  }
  ASSERT_EQ(before.size(), 10U) << "free ports first";
  ASSERT_EQ(client.layer->list().size(), 10U);
  client.now += 900ms;
  EXPECT_EQ(client.open().error(), Error::AddressNotAvailable);  // the peer's clock may not have moved on
  client.now += 200ms;
  std::set<std::uint16_t> again;
  for (int i = 0; i < 10; ++i) {
    const auto syn = client.open();
    ASSERT_TRUE(syn);
    const auto port = syn->tuple.local.port.value;
    EXPECT_TRUE(again.insert(port).second);
    const auto& old = before.at(port);
    EXPECT_TRUE(syn->header.seq.after(old.header.seq + 2 + 65535));  // MUST-8, section 3.4.3: beyond the old numbers
    EXPECT_GT(syn->header.options.timestamps->ts_val, old.header.options.timestamps->ts_val);
    client.finish(*syn);
  }
  EXPECT_EQ(client.open().error(), Error::AddressNotAvailable);
}

TEST(TcpPorts, OneInTimeWaitWithoutTimestampsStays) {  // RFC 9293 MUST-13
  Client client;
  client.timestamps = false;
  for (int i = 0; i < 10; ++i) {
    const auto syn = client.open();
    ASSERT_TRUE(syn);
    client.finish(*syn);
  }
  client.now += 59s;
  client.layer->handle_timeouts(client.now);
  EXPECT_EQ(client.open().error(), Error::AddressNotAvailable);
  client.now += 2s;
  client.layer->handle_timeouts(client.now);
  EXPECT_TRUE(client.open());
}

TEST(TcpPorts, AChosenPortInTimeWaitIsOpenedOverAsWell) {  // RFC 6191 TW-01
  Client client;
  const auto first = client.open(1234);
  ASSERT_TRUE(first);
  EXPECT_EQ(client.open(1234).error(), Error::AddressInUse);
  client.finish(*first);
  EXPECT_EQ(client.open(1234).error(), Error::AddressInUse);
  client.now += 1s;
  const auto second = client.open(1234);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->header.seq.after(first->header.seq + 2));
}

TEST(TcpPorts, SequenceDependsOnTheSeedOnly) {
  Ports a, b;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*a.connect(80), *b.connect(80));
}

}  // namespace
}  // namespace wireside::testing
