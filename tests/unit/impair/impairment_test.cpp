#include "impair/impairment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <set>

#include "base/checksum.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"

namespace wireside::impair {
namespace {

using observe::Direction;
using observe::ImpairmentAction;

struct Frame {
  wire::TcpFlags flags{.ack = true};
  std::size_t payload = 0;
  std::uint8_t tos = 0;
  std::uint32_t seq = 0;  ///< tells frames apart
};

/// Ethernet, IPv4 and TCP with correct checksums.
std::vector<std::uint8_t> octets_of(const Frame& f) {
  constexpr std::size_t headers = 54;
  std::vector<std::uint8_t> out(headers + f.payload, 0x5a);
  wire::emit_ethernet({MacAddress{{2, 0, 0, 0, 0, 2}}, MacAddress{{2, 0, 0, 0, 0, 1}}, 0x0800}, out);
  wire::Ipv4Header ip;
  ip.tos = f.tos;
  ip.total_length = static_cast<std::uint16_t>(out.size() - 14);
  ip.protocol = 6;
  ip.source = Ipv4Address{10, 0, 0, 1};
  ip.destination = Ipv4Address{10, 0, 0, 2};
  wire::emit_ipv4(ip, MutableByteView{out}.subspan(14));
  wire::TcpHeader tcp;
  tcp.seq = SeqNum{f.seq};
  tcp.flags = f.flags;
  const auto segment = MutableByteView{out}.subspan(34);
  wire::emit_tcp(tcp, segment);
  ChecksumAccumulator sum;
  wire::add_pseudo_header(sum, ip.source, ip.destination, 6, static_cast<std::uint32_t>(segment.size()));
  sum.add(segment);
  store_be16(out.data() + 34 + wire::tcp_checksum_offset, sum.checksum());
  return out;
}

/// Whether IP header and TCP checksums hold.
bool sound(ByteView frame) {
  const ByteView segment = frame.subspan(34);
  ChecksumAccumulator sum;
  wire::add_pseudo_header(sum, Ipv4Address{10, 0, 0, 1}, Ipv4Address{10, 0, 0, 2}, 6,
                          static_cast<std::uint32_t>(segment.size()));
  sum.add(segment);
  return internet_checksum(frame.subspan(14, 20)) == 0 && sum.checksum() == 0;
}

struct Arrival {
  Duration at{};
  std::uint32_t seq = 0;
  std::vector<std::uint8_t> octets;
};

struct Recorder : observe::Observer {
  void on_event(Instant, const observe::Event& event) override {
    const auto& impaired = std::get<observe::Impaired>(event);
    EXPECT_EQ(impaired.direction, Direction::Out);
    what.push_back({impaired.action, load_be32(impaired.frame.data() + 38)});
  }
  std::vector<std::pair<ImpairmentAction, std::uint32_t>> what;
};

/// A path that starts at time 0.
struct Path {
  explicit Path(std::string_view settings, std::uint64_t seed = 1)
      : impairment{parse_settings(settings).value(), make_seed(seed), Direction::Out, pool} {
    sink.attach(&recorder);
  }
  void send(Duration at, Frame f) {
    f.seq = f.seq == 0 ? ++sent : f.seq;
    impairment.send(start + at, Packet{.data = pool.copy(octets_of(f))}, sink);
  }
  /// `count` frames of `payload` octets, `gap` apart.
  void send_many(unsigned count, Duration gap, std::size_t payload = 946) {
    for (unsigned i = 0; i < count; ++i) send(i * gap, {.payload = payload});
  }
  std::vector<Arrival> receive() {
    std::vector<Arrival> out;
    Packet packet;
    while (const auto due = impairment.next_deadline()) {
      EXPECT_FALSE(impairment.receive(*due - Duration{1}, packet)) << "before its time";
      EXPECT_TRUE(impairment.receive(*due, packet));
      const ByteView v = packet.data.view();
      out.push_back({*due - start, load_be32(v.data() + 38), {v.begin(), v.end()}});
    }
    return out;
  }
  std::vector<std::uint32_t> order() {
    std::vector<std::uint32_t> seqs;
    for (const Arrival& a : receive()) seqs.push_back(a.seq);
    return seqs;
  }
  [[nodiscard]] std::uint64_t count(ImpairmentAction a) const { return impairment.counters().of(a); }

  const Instant start = Instant::from_ns(1'000'000'000);
  BufferPool pool;
  observe::Sink sink;
  Recorder recorder;
  Impairment impairment;
  std::uint32_t sent = 0;
};

TEST(Impairment, NothingSetPassesAtOnce) {
  Path p{"none"};
  p.send(0ms, {.payload = 100});
  EXPECT_EQ(p.impairment.next_deadline(), p.start);
  const auto arrived = p.receive();
  ASSERT_EQ(arrived.size(), 1U);
  EXPECT_TRUE(sound(arrived[0].octets));
  EXPECT_TRUE(p.recorder.what.empty());
}

TEST(Impairment, DelayIsExact) {
  Path p{"delay=20ms"};
  p.send(0ms, {});
  p.send(3ms, {});
  const auto arrived = p.receive();
  ASSERT_EQ(arrived.size(), 2U);
  EXPECT_EQ(arrived[0].at, 20ms);
  EXPECT_EQ(arrived[1].at, 23ms);
}

TEST(Impairment, RandomLossIsAsOftenAsAsked) {
  Path p{"loss=10%"};
  p.send_many(20'000, 1us, 0);
  // Binomial with a standard deviation of 42.
  EXPECT_NEAR(static_cast<double>(p.count(ImpairmentAction::LostAtRandom)), 2000, 170);
  EXPECT_EQ(p.receive().size(), 20'000 - p.count(ImpairmentAction::LostAtRandom));
  EXPECT_EQ(p.impairment.counters().lost(), p.count(ImpairmentAction::LostAtRandom));
}

TEST(Impairment, CertainLossAndNoLoss) {
  Path all{"loss=100%"}, none{"loss=0%"};
  all.send_many(100, 1us, 0);
  none.send_many(100, 1us, 0);
  EXPECT_TRUE(all.receive().empty());
  EXPECT_EQ(none.receive().size(), 100U);
}

TEST(Impairment, BurstsHaveTheirMeanLengthAndShare) {
  Path p{"loss=ge:1%/20%"};
  p.send_many(50'000, 1us, 0);
  std::set<std::uint32_t> lost;
  for (const auto& [action, seq] : p.recorder.what) {
    EXPECT_EQ(action, ImpairmentAction::LostInBurst);
    lost.insert(seq);
  }
  const auto bursts = std::ranges::count_if(lost, [&](std::uint32_t seq) { return !lost.contains(seq - 1); });
  // p / (p + r) of the frames, in bursts of 1 / r.
  EXPECT_NEAR(static_cast<double>(lost.size()) / 50'000, 0.0476, 0.008);
  EXPECT_NEAR(static_cast<double>(lost.size()) / static_cast<double>(bursts), 5.0, 0.8);
}

TEST(Impairment, SameSeedSameFate) {
  constexpr auto settings = "loss=20%,duplicate=5%,corrupt=5%,delay=5ms,jitter=5ms,reorder=5%";
  Path a{settings, 7}, b{settings, 7}, other{settings, 8};
  for (Path* p : {&a, &b, &other}) p->send_many(500, 100us, 10);
  const auto from_a = a.receive(), from_b = b.receive(), from_other = other.receive();
  ASSERT_EQ(from_a.size(), from_b.size());
  for (std::size_t i = 0; i < from_a.size(); ++i) {
    EXPECT_EQ(from_a[i].at, from_b[i].at);
    EXPECT_EQ(from_a[i].octets, from_b[i].octets);
  }
  EXPECT_EQ(a.recorder.what, b.recorder.what);
  EXPECT_NE(a.recorder.what, other.recorder.what);
}

TEST(Impairment, OneAccidentLeavesTheOthersWhereTheyWere) {
  Path plain{"loss=20%", 7}, more{"loss=20%,duplicate=50%,corrupt=30%,delay=5ms,jitter=2ms,reorder=10%", 7};
  plain.send_many(500, 100us, 10);
  more.send_many(500, 100us, 10);
  std::erase_if(more.recorder.what, [](const auto& e) { return e.first != ImpairmentAction::LostAtRandom; });
  EXPECT_EQ(plain.recorder.what, more.recorder.what);
}

TEST(Impairment, JitterReordersWithoutARate) {
  Path p{"delay=20ms,jitter=5ms"};
  p.send_many(200, 100us, 0);
  const auto arrived = p.receive();
  ASSERT_EQ(arrived.size(), 200U);
  bool in_order = true;
  for (std::size_t i = 0; i < arrived.size(); ++i) {
    const Duration took = arrived[i].at - (arrived[i].seq - 1) * Duration{100us};
    EXPECT_GE(took, 15ms);
    EXPECT_LE(took, 25ms);
    in_order = in_order && arrived[i].seq == i + 1;
  }
  EXPECT_FALSE(in_order);
}

TEST(Impairment, JitterKeepsTheOrderBehindARateOrWhenAsked) {
  for (const char* settings : {"delay=20ms,jitter=5ms,order=keep", "delay=20ms,jitter=5ms,rate=100mbit"}) {
    Path p{settings};
    p.send_many(200, 100us, 0);
    const auto order = p.order();
    EXPECT_EQ(order.size(), 200U);
    EXPECT_TRUE(std::ranges::is_sorted(order)) << settings;
  }
  Path free{"delay=20ms,jitter=5ms,rate=100mbit,order=free"};
  free.send_many(200, 100us, 0);
  EXPECT_FALSE(std::ranges::is_sorted(free.order()));
}

TEST(Impairment, AReorderedFrameOvertakesThoseUnderWay) {
  Path p{"delay=20ms,reorder=100%/5"};
  p.send_many(10, 1ms, 0);
  EXPECT_EQ(p.order(), (std::vector<std::uint32_t>{5, 10, 1, 2, 3, 4, 6, 7, 8, 9}));
  EXPECT_EQ(p.count(ImpairmentAction::Overtook), 2U);
}

TEST(Impairment, ADuplicateFollowsItsOriginal) {
  Path p{"duplicate=100%"};
  p.send_many(3, 1ms, 10);
  EXPECT_EQ(p.order(), (std::vector<std::uint32_t>{1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(p.sink.count.impaired[1][static_cast<std::size_t>(ImpairmentAction::Duplicated)], 3U);
}

TEST(Impairment, CorruptionFlipsOneBitThatChecksumsFind) {
  struct Case {
    const char* settings;
    std::size_t from, to;
  };
  for (const Case& c :
       {Case{"corrupt=100%", 14, 154}, Case{"corrupt=header:100%", 14, 54}, Case{"corrupt=payload:100%", 54, 154}}) {
    Path p{c.settings};
    for (std::uint32_t seq = 1; seq <= 200; ++seq) {
      const Frame frame{.payload = 100, .seq = seq};
      const auto before = octets_of(frame);
      const Slice shared = p.pool.copy(before);
      p.impairment.send(p.start, Packet{.data = shared}, p.sink);
      EXPECT_TRUE(std::ranges::equal(shared.view(), before)) << "others see the damage";
      Packet packet;
      ASSERT_TRUE(p.impairment.receive(p.start, packet));
      const ByteView after = packet.data.view();
      int bits = 0;
      for (std::size_t i = 0; i < before.size(); ++i) {
        const int flipped = std::popcount<std::uint8_t>(before[i] ^ after[i]);
        bits += flipped;
        EXPECT_TRUE(flipped == 0 || (i >= c.from && i < c.to)) << c.settings << " at " << i;
      }
      EXPECT_EQ(bits, 1);
      EXPECT_FALSE(sound(after));
    }
  }
}

TEST(Impairment, APartialChecksumWouldMakeDamageGood) {
  Path p{"corrupt=100%"};
  const auto octets = octets_of({.payload = 100, .seq = 1});
  p.impairment.send(p.start, Packet{.data = p.pool.copy(octets), .checksum = ChecksumState::Partial}, p.sink);
  EXPECT_EQ(p.receive().at(0).octets, octets);
}

TEST(Impairment, RateIsExactOverALongBusyPeriod) {
  // 1,000-octet frames at 3 Mbit/s take 2,666,666.67 ns each.
  Path p{"rate=3mbit,queue=100000"};
  p.send_many(3000, 0ns, 946);
  const auto arrived = p.receive();
  ASSERT_EQ(arrived.size(), 3000U);
  for (std::size_t n = 1; n <= arrived.size(); ++n) {
    const std::uint64_t exact = (n * 8'000'000'000'000ULL + 2'999'999) / 3'000'000;
    EXPECT_EQ(arrived[n - 1].at.count(), static_cast<std::int64_t>(exact)) << n;
  }
  EXPECT_EQ(arrived.back().at, 8s);
}

TEST(Impairment, AnIdleLinkSendsAtOnceAndDelayComesOnTop) {
  Path p{"rate=8mbit,delay=10ms"};
  p.send(0ms, {.payload = 946});
  p.send(50ms, {.payload = 946});
  const auto arrived = p.receive();
  EXPECT_EQ(arrived.at(0).at, 11ms);
  EXPECT_EQ(arrived.at(1).at, 61ms);
}

TEST(Impairment, TheQueueDropsAtItsTail) {
  Path p{"rate=8mbit,queue=10"};
  p.send_many(20, 0ns);  // one is sent, ten wait
  EXPECT_EQ(p.count(ImpairmentAction::QueueFull), 9U);
  const auto order = p.order();
  EXPECT_EQ(order.size(), 11U);
  EXPECT_EQ(order.back(), 11U);
  EXPECT_EQ(p.recorder.what.front(), (std::pair{ImpairmentAction::QueueFull, std::uint32_t{12}}));
}

TEST(Impairment, AQueueOfOctets) {
  Path p{"rate=8mbit,queue=10kB"};
  p.send_many(20, 0ns);
  EXPECT_EQ(p.count(ImpairmentAction::QueueFull), 9U);
}

TEST(Impairment, TheQueueEmptiesWithTime) {
  Path p{"rate=8mbit,queue=2"};
  p.send_many(4, 0ns);  // the fourth is lost
  p.send(1ms, {.payload = 946});
  EXPECT_EQ(p.order(), (std::vector<std::uint32_t>{1, 2, 3, 5}));
}

// RFC 3168 section 5: only ECN-capable packets are marked; the header checksum stays right (RFC 1624).
TEST(Impairment, MarksInsteadOfLosing) {
  Path p{"rate=8mbit,queue=100,ecn=5"};
  for (const std::uint8_t tos : std::to_array<std::uint8_t>({0x02, 0x01, 0x00, 0xb8})) {
    p.impairment.clear();
    p.send_many(5, 0ns);
    p.send(0ms, {.payload = 946});
    p.recorder.what.clear();
    p.send(0ms, {.payload = 946, .tos = tos});
    const auto arrived = p.receive();
    const bool capable = (tos & 3) != 0;
    EXPECT_EQ(arrived.back().octets[15], capable ? (tos | 3) : tos);
    EXPECT_EQ(p.recorder.what.size(), capable ? 1U : 0U);
    for (const Arrival& a : arrived) EXPECT_TRUE(sound(a.octets));
  }
  EXPECT_EQ(p.count(ImpairmentAction::Marked), 2U);
}

TEST(Impairment, ABlackHoleSwallowsWhatIsTooBig) {
  Path p{"mtu=1000"};
  p.send(0ms, {.payload = 960});  // 1,000 octets of IP packet
  p.send(0ms, {.payload = 961});
  EXPECT_EQ(p.order(), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(p.count(ImpairmentAction::TooBig), 1U);
}

TEST(Impairment, TheThirdDataSegment) {
  Path p{"drop=data:3"};
  p.send(0ms, {.flags = {.syn = true}});
  for (int i = 0; i < 4; ++i) {
    p.send(0ms, {.payload = 10});
    p.send(0ms, {});  // an ACK
  }
  EXPECT_EQ(p.order(), (std::vector<std::uint32_t>{1, 2, 3, 4, 5, 7, 8, 9}));
  EXPECT_EQ(p.recorder.what, (decltype(p.recorder.what){{ImpairmentAction::LostByRule, 6}}));
}

TEST(Impairment, RulesForEachKindOfSegment) {
  struct Case {
    const char* rule;
    std::vector<std::uint32_t> left;
  };
  const Case cases[] = {
      {"drop=syn", {2, 3, 4, 5, 6, 7, 8, 9}},       {"drop=synack", {1, 3, 4, 5, 6, 7, 8, 9}},
      {"drop=ack:2", {1, 2, 3, 4, 6, 7, 8, 9}},     {"drop=ack:all", {1, 2, 4, 6, 7, 8}},
      {"drop=data:2-", {1, 2, 3, 4, 5, 8, 9}},      {"drop=fin", {1, 2, 3, 4, 5, 6, 8, 9}},
      {"drop=rst", {1, 2, 3, 4, 5, 6, 7, 9}},       {"drop=tcp:3-5", {1, 2, 6, 7, 8, 9}},
      {"drop=frame:*4", {1, 2, 3, 5, 6, 7, 9}},     {"drop=frame:1/3/8-", {2, 4, 5, 6, 7}},
      {"drop=syn,drop=rst", {2, 3, 4, 5, 6, 7, 9}}, {"drop=udp:all,drop=icmp:all", {1, 2, 3, 4, 5, 6, 7, 8, 9}},
  };
  for (const Case& c : cases) {
    Path p{c.rule};
    p.send(0ms, {.flags = {.syn = true}});
    p.send(0ms, {.flags = {.syn = true, .ack = true}});
    p.send(0ms, {});
    p.send(0ms, {.payload = 10});
    p.send(0ms, {});
    p.send(0ms, {.payload = 10});
    p.send(0ms, {.flags = {.fin = true, .ack = true}, .payload = 10});
    p.send(0ms, {.flags = {.rst = true}});
    p.send(0ms, {.flags = {.ack = true, .urg = true}});
    EXPECT_EQ(p.order(), c.left) << c.rule;
  }
}

TEST(Impairment, AHealedPathKeepsItsDelayOnly) {
  Path p{"loss=100%,corrupt=100%,duplicate=100%,drop=frame:all,mtu=68,delay=5ms"};
  p.send(0ms, {.payload = 100});
  p.impairment.heal();
  p.send(0ms, {.payload = 100});
  const auto arrived = p.receive();
  ASSERT_EQ(arrived.size(), 1U);
  EXPECT_EQ(arrived[0].at, 5ms);
  EXPECT_TRUE(sound(arrived[0].octets));
}

TEST(Impairment, MemoryIsBoundedHoweverLongTheDelay) {
  Path p{"delay=10s"};
  for (std::size_t i = 0; i < Impairment::max_under_way + 5; ++i) p.send(0ms, {});
  EXPECT_EQ(p.impairment.under_way(), Impairment::max_under_way);
  EXPECT_EQ(p.count(ImpairmentAction::QueueFull), 5U);
  p.impairment.clear();
  EXPECT_FALSE(p.impairment.next_deadline());
}

TEST(FrameKinds, ShortAndStrangeFramesPass) {
  for (std::size_t n = 0; n < 80; ++n) {
    const std::vector<std::uint8_t> zeros(n);
    const FrameFacts facts = examine(zeros);
    EXPECT_TRUE(facts.is(FrameKind::Frame));
    EXPECT_FALSE(facts.is(FrameKind::Tcp));
    EXPECT_FALSE(allows_marking(zeros));
  }
  auto fragment = octets_of({.payload = 50, .seq = 1});
  fragment[20] = 0x20;  // MF: its ports are read by no rule
  EXPECT_FALSE(examine(fragment).is(FrameKind::Tcp));
}

}  // namespace
}  // namespace wireside::impair
