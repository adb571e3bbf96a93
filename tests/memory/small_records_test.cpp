// What stands for a connection that is not one yet, or not any more: 128 octets at most, its place in the
// demultiplexing table and its timer included.
#include <gtest/gtest.h>

#include <iostream>

#include "base/random.hpp"
#include "memory/counted_memory.hpp"
#include "observe/event.hpp"
#include "support/stack_pair.hpp"
#include "tcp/tcp_layer.hpp"

namespace wireside::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most = 128;

/// Where tables have just doubled, and where they are as full as they become.
class SynQueue : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(SynQueue, AnEntryIsSmall) {
  Random random{make_seed(1)};
  BufferPool pool;
  observe::Sink sink;
  tcp::TcpConfig config;
  config.max_syn_queue = GetParam() + 1;
  tcp::TcpLayer layer{config, random, pool, sink};
  const Endpoint local{Ipv4Address{10, 0, 0, 2}, Port{80}};
  ASSERT_TRUE(layer.listen(local, 16, {}));
  const auto syn = [&](std::uint32_t number) {
    tcp::IncomingSegment s;
    s.tuple = {local,
               {Ipv4Address{0x0a010000U + number / 50000}, Port{static_cast<std::uint16_t>(1024 + number % 50000)}}};
    s.header.source = s.tuple.remote.port;
    s.header.destination = s.tuple.local.port;
    s.header.seq = SeqNum{number};
    s.header.flags.syn = true;
    s.header.window = 65535;
    s.header.options.mss = 1460;
    s.header.options.timestamps = wire::TcpTimestamps{1, 0};
    layer.segment_arrives(Instant::from_ns(number), s);
    tcp::OutgoingSegment answer;
    EXPECT_TRUE(layer.poll_segment(Instant::from_ns(number), answer));
  };
  const std::size_t before = octets_allocated();
  for (std::uint32_t i = 0; i < GetParam(); ++i) syn(i);
  const std::size_t each = (octets_allocated() - before) / GetParam();
  ASSERT_EQ(layer.list().size(), GetParam());
  std::cout << each << " octets for each of " << GetParam() << " entries of the SYN queue\n";
  RecordProperty("octets", static_cast<int>(each));
  EXPECT_LE(each, most);
}

INSTANTIATE_TEST_SUITE_P(Counts, SynQueue, ::testing::Values(6000U, 6200U, 12288U, 12289U, 100'000U));

class TimeWaits : public ::testing::TestWithParam<std::size_t> {};

TEST_P(TimeWaits, OneIsSmall) {
  tcp::TcpConfig config;
  config.max_time_wait = GetParam();
  StackPair pair{config};
  pair.meet();
  pair.callers.reserve(GetParam());
  pair.accepted.reserve(GetParam());
  pair.open(1);  // the tables of whatever number of sockets there was
  const std::size_t before = octets_allocated();
  pair.open(GetParam() - 1);
  const std::size_t with_connections = octets_allocated();
  for (const auto caller : pair.callers) (void)pair.client.sockets().close(pair.now, caller);
  pair.exchange();
  for (const auto one : pair.accepted) (void)pair.server.sockets().close(pair.now, one);
  pair.exchange();
  pair.live(30s);  // less than 2*MSL
  pair.take_events();
  ASSERT_EQ(pair.client.connections().size(), GetParam());
  ASSERT_EQ(pair.server.connections().size(), 0U);
  ASSERT_LT(octets_allocated(), with_connections);
  const std::size_t each = (octets_allocated() - before) / GetParam();
  std::cout << each << " octets for each of " << GetParam() << " in TIME-WAIT\n";
  RecordProperty("octets", static_cast<int>(each));
  EXPECT_LE(each, most);
}

INSTANTIATE_TEST_SUITE_P(Counts, TimeWaits, ::testing::Values(6000U, 9900U, 12289U, 60'000U));

}  // namespace
}  // namespace wireside::testing
