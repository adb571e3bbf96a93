// Reassembly as a peer sees it: fragments in, a whole datagram or nothing out.
#include "ip/reassembly.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "fragments.hpp"
#include "ip_test_support.hpp"

namespace wireside::ip::testing {
namespace {

using observe::DropReason;
using wire::IpProtocol;
using wireside::testing::cut;
using wireside::testing::make_fragment;
using wireside::testing::ReferenceReassembly;

Octets numbered_octets(std::size_t n) {
  Octets octets(n);
  for (std::size_t i = 0; i < n; ++i) octets[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return octets;
}

class ReassemblyTest : public IpTest {
 protected:
  /// The transport payload of the datagram that this packet completed.
  std::optional<Octets> whole(const Octets& packet, Instant now = {}) {
    auto arrived = receive(packet, {}, now);
    auto* datagram = std::get_if<IncomingDatagram>(&arrived);
    if (datagram == nullptr) return std::nullopt;
    last = *datagram;
    const ByteView payload = datagram->payload.view();
    return Octets(payload.begin(), payload.end());
  }
  static wire::Ipv4Header header(std::uint16_t identification = 77, IpProtocol protocol = IpProtocol::Udp) {
    wire::Ipv4Header h = header_to_us(protocol);
    h.identification = identification;
    return h;
  }
  std::optional<wire::IcmpHeader> poll_icmp() {
    const auto packet = poll();
    if (!packet) return std::nullopt;
    return wire::parse_icmp(ByteView{*packet}.subspan(20)).value();
  }
  std::optional<IncomingDatagram> last;
};

TEST_F(ReassemblyTest, FragmentsMayComeInAnyOrder) {  // RFC 791 FRAG-01
  const Octets payload = numbered_octets(100);
  std::vector<int> order{0, 1, 2, 3};
  do {
    const auto parts = cut(header(), payload, 32);
    ASSERT_EQ(parts.size(), 4U);
    for (int i = 0; i < 3; ++i)
      EXPECT_FALSE(whole(parts[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]));
    EXPECT_EQ(whole(parts[static_cast<std::size_t>(order[3])]), payload);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(ip->reassembler().datagrams(), 0U);
  EXPECT_EQ(ip->reassembler().octets(), 0U);
}

TEST_F(ReassemblyTest, TheWholeLooksAsIfItHadNeverBeenCut) {  // RFC 791 FRAG-01
  for (const auto& part : cut(header(), numbered_octets(100), 40)) (void)whole(part);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->header.total_length, 120);
  EXPECT_FALSE(last->header.is_fragment());
  EXPECT_EQ(last->checksum, ChecksumState::Unverified);
  const auto parsed = wire::parse_ipv4(last->packet.view());
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->checksum_ok);
  EXPECT_EQ(parsed->header, last->header);
}

TEST_F(ReassemblyTest, TheLargestDatagramIsReassembled) {  // RFC 1122 FRAG-02
  const Octets payload = numbered_octets(65'515);
  const auto parts = cut(header(), payload, 1480);
  for (std::size_t i = parts.size() - 1; i > 0; --i) ASSERT_FALSE(whole(parts[i]));
  EXPECT_EQ(whole(parts[0]), payload);
  EXPECT_EQ(last->packet.size(), IpLayer::largest_reassembled());  // RFC 1122 FRAG-12
}

TEST_F(ReassemblyTest, DatagramsThatDifferInOneKeyDoNotMix) {  // RFC 791 FRAG-03
  std::vector<wire::Ipv4Header> headers(5, header());
  headers[1].identification = 78;
  headers[2].protocol = static_cast<std::uint8_t>(IpProtocol::Tcp);
  headers[3].source = Ipv4Address{10, 0, 0, 9};
  headers[4].destination = second_ip;
  std::vector<Octets> payloads;
  for (std::size_t i = 0; i < headers.size(); ++i) payloads.emplace_back(64, static_cast<std::uint8_t>(i + 1));
  for (std::size_t i = 0; i < headers.size(); ++i) {
    EXPECT_FALSE(whole(make_fragment(headers[i], payloads[i], 0, 32, true)));
  }
  EXPECT_EQ(ip->reassembler().datagrams(), 5U);
  for (std::size_t i = 0; i < headers.size(); ++i) {
    EXPECT_EQ(whole(make_fragment(headers[i], payloads[i], 32, 32, false)), payloads[i]);
  }
}

TEST_F(ReassemblyTest, TimeIsUpAfterSixtySecondsAndTheSenderIsTold) {  // RFC 1122 FRAG-04, FRAG-05
  const Octets payload = numbered_octets(64);
  EXPECT_FALSE(whole(make_fragment(header(), payload, 0, 32, true), at(1s)));
  EXPECT_EQ(ip->next_deadline(), at(61s));
  ip->handle_timeouts(at(61s - 1ns));
  EXPECT_FALSE(poll());
  ip->handle_timeouts(at(61s));
  const auto icmp = poll_icmp();
  ASSERT_TRUE(icmp);
  EXPECT_EQ(icmp->type, 11);
  EXPECT_EQ(icmp->code, 1);
  EXPECT_EQ(drops(DropReason::FragmentTimeout), 1U);
  EXPECT_EQ(ip->reassembler().octets(), 0U);
  EXPECT_EQ(pool.buffers_in_use(), 0U);
  EXPECT_EQ(ip->next_deadline(), Instant::max());
}

TEST_F(ReassemblyTest, WithoutTheFirstFragmentTheTimeoutIsSilent) {  // RFC 792 FRAG-05, RFC 1122 ICMP-06
  EXPECT_FALSE(whole(make_fragment(header(), numbered_octets(64), 32, 32, false)));
  ip->handle_timeouts(at(60s));
  EXPECT_EQ(drops(DropReason::FragmentTimeout), 1U);
  EXPECT_FALSE(poll());
}

TEST_F(ReassemblyTest, ABroadcastTimesOutInSilence) {  // RFC 1122 ICMP-06
  wire::Ipv4Header h = header();
  h.destination = Ipv4Address{10, 0, 0, 255};
  EXPECT_FALSE(whole(make_fragment(h, numbered_octets(64), 0, 32, true)));
  ip->handle_timeouts(at(60s));
  EXPECT_EQ(drops(DropReason::FragmentTimeout), 1U);
  EXPECT_FALSE(poll());
}

TEST_F(ReassemblyTest, LaterFragmentsDoNotProlongTheWait) {  // RFC 1122 FRAG-04
  const Octets payload = numbered_octets(96);
  EXPECT_FALSE(whole(make_fragment(header(), payload, 0, 32, true)));
  EXPECT_FALSE(whole(make_fragment(header(), payload, 32, 32, true), at(59s)));
  ip->handle_timeouts(at(60s));
  EXPECT_EQ(ip->reassembler().datagrams(), 0U);
}

TEST_F(ReassemblyTest, AnExactRepetitionIsHarmless) {  // RFC 5722 FRAG-06
  const Octets payload = numbered_octets(96);
  const auto parts = cut(header(), payload, 32);
  for (const auto& part : {parts[0], parts[0], parts[2], parts[2]}) EXPECT_FALSE(whole(part));
  EXPECT_EQ(drops(DropReason::FragmentRepeated), 2U);
  EXPECT_EQ(whole(parts[1]), payload);
}

TEST_F(ReassemblyTest, AnyOverlapDiscardsTheWholeDatagramAndWhatStillComes) {  // RFC 5722 FRAG-07
  const Octets payload = numbered_octets(96);
  const Octets other(96, 0xee);
  struct Case {
    std::size_t offset, octets;
    bool more;
    const Octets& content;
  };
  const std::vector<Case> cases{
      {32, 32, true, other},     // the same place, other octets
      {24, 16, true, payload},   // runs into its front
      {56, 16, true, payload},   // begins in its end
      {40, 8, true, payload},    // inside
      {24, 48, true, payload},   // around
      {32, 32, false, payload},  // the same octets, but said to be the last
      {8, 16, false, payload},   // ends before what is there
  };
  std::uint16_t identification = 100;
  for (const Case& c : cases) {
    const wire::Ipv4Header h = header(++identification);
    EXPECT_FALSE(whole(make_fragment(h, payload, 32, 32, true)));
    EXPECT_FALSE(whole(make_fragment(h, c.content, c.offset, c.octets, c.more)));
    for (const auto& part : cut(h, payload, 32)) EXPECT_FALSE(whole(part)) << c.offset << '+' << c.octets;
  }
  EXPECT_EQ(drops(DropReason::FragmentOverlap), cases.size() * 4);
  EXPECT_EQ(pool.buffers_in_use(), 0U) << "only the records stay";
  ip->handle_timeouts(at(60s));
  EXPECT_FALSE(poll()) << "a discarded datagram is not reported";
  for (const auto& part : cut(header(101), payload, 32)) (void)whole(part);
  EXPECT_TRUE(last) << "the identification is free again";
}

TEST_F(ReassemblyTest, TwoDifferentEndsDiscardTheDatagram) {  // RFC 5722 FRAG-07
  const Octets payload = numbered_octets(96);
  EXPECT_FALSE(whole(make_fragment(header(), payload, 32, 32, false)));
  EXPECT_FALSE(whole(make_fragment(header(), payload, 64, 32, true)));
  EXPECT_EQ(drops(DropReason::FragmentOverlap), 1U);
}

TEST_F(ReassemblyTest, AFragmentBeyond65535OctetsIsRefused) {  // RFC 791 FRAG-08
  const Octets payload(65'536, 1);
  EXPECT_FALSE(whole(make_fragment(header(), payload, 65'512, 16, false)));
  EXPECT_FALSE(whole(make_fragment(header(), payload, 65'512, 8, true)));
  EXPECT_EQ(drops(DropReason::FragmentMalformed), 2U);
  EXPECT_EQ(ip->reassembler().datagrams(), 0U);
}

TEST_F(ReassemblyTest, OptionsCountTowardsTheLargestDatagram) {  // RFC 791 FRAG-08
  // The first header brings 40 octets of options: the whole would have 65,555 octets.
  const Octets payload(65'515, 1);
  wire::Ipv4Header h = header();
  h.more_fragments = true;
  EXPECT_FALSE(whole(make_packet(h, Octets(1000, 1), Octets(40, 1))));
  for (std::size_t offset = 1000; offset < payload.size(); offset += 1480) {
    const std::size_t n = std::min<std::size_t>(1480, payload.size() - offset);
    EXPECT_FALSE(whole(make_fragment(header(), payload, offset, n, offset + n < payload.size())));
  }
  EXPECT_EQ(drops(DropReason::FragmentMalformed), 1U);
  EXPECT_EQ(ip->reassembler().octets(), 0U);
}

TEST_F(ReassemblyTest, OnlyTheLastFragmentMayHaveAnOddLength) {  // RFC 791 FRAG-09
  const Octets payload = numbered_octets(96);
  for (const std::size_t octets : {std::size_t{31}, std::size_t{0}}) {
    EXPECT_FALSE(whole(make_fragment(header(), payload, 0, octets, true)));
  }
  EXPECT_FALSE(whole(make_fragment(header(), payload, 32, 0, false)));
  EXPECT_EQ(drops(DropReason::FragmentMalformed), 3U);
}

TEST_F(ReassemblyTest, AFragmentThatSplitsTheTransportHeaderIsDropped) {  // RFC 1858, RFC 3128 FRAG-10
  const Octets payload = numbered_octets(96);
  EXPECT_FALSE(whole(make_fragment(header(1, IpProtocol::Tcp), payload, 0, 16, true)));
  EXPECT_FALSE(whole(make_fragment(header(2, IpProtocol::Tcp), payload, 8, 32, true)));
  EXPECT_EQ(drops(DropReason::FragmentTiny), 2U);
  EXPECT_FALSE(whole(make_fragment(header(4, IpProtocol::Tcp), payload, 0, 24, true)));
  EXPECT_FALSE(whole(make_fragment(header(5, IpProtocol::Udp), payload, 0, 8, true)));
  EXPECT_EQ(ip->reassembler().datagrams(), 2U);
}

TEST_F(ReassemblyTest, ACongestionMarkOnAnyFragmentIsKept) {  // RFC 3168 ECN-06, section 5.3
  const Octets payload = numbered_octets(96);
  for (unsigned marked = 0; marked < 3; ++marked) {
    for (unsigned i = 0; i < 3; ++i) {
      wire::Ipv4Header h = header(static_cast<std::uint16_t>(marked));
      h.tos = i == marked ? 0x2b : 0x2a;  // CE among ECT(0), some Diffserv value above
      (void)whole(make_fragment(h, payload, i * 32, 32, i < 2));
    }
    ASSERT_TRUE(last);
    EXPECT_EQ(last->header.tos, 0x2b) << "fragment " << marked;
    const auto parsed = wire::parse_ipv4(last->packet.view());
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->checksum_ok);
    EXPECT_EQ(parsed->header, last->header);
    last.reset();
  }
}

TEST_F(ReassemblyTest, WithoutAMarkTheCodepointStays) {  // RFC 3168 ECN-06, section 5.3
  for (const unsigned tos : {0U, 1U, 2U, 3U}) {
    wire::Ipv4Header h = header();
    h.tos = static_cast<std::uint8_t>(tos);
    for (const auto& part : cut(h, numbered_octets(100), 32)) (void)whole(part);
    ASSERT_TRUE(last);
    EXPECT_EQ(last->header.tos, tos);
    last.reset();
  }
}

TEST_F(ReassemblyTest, AMarkAmongFragmentsOfAHostWithoutEcnDropsAll) {  // RFC 3168 ECN-06, section 5.3
  const Octets payload = numbered_octets(96);
  for (unsigned i = 0; i < 3; ++i) {
    wire::Ipv4Header h = header();
    h.tos = i == 1 ? 3 : 0;
    EXPECT_FALSE(whole(make_fragment(h, payload, i * 32, 32, i < 2)));
  }
  EXPECT_EQ(drops(DropReason::FragmentEcnMixed), 1U);
  EXPECT_EQ(ip->reassembler().datagrams(), 0U);
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

TEST_F(ReassemblyTest, TooManyFragmentsDiscardTheDatagram) {
  const Octets payload = numbered_octets(8 * 400);
  for (const auto& part : cut(header(), payload, 8)) EXPECT_FALSE(whole(part));
  EXPECT_EQ(drops(DropReason::FragmentsTooMany), 1U);
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

TEST_F(ReassemblyTest, AFloodOfFirstFragmentsMeetsTheBound) {  // RFC 1122 FRAG-04
  config.reassembly.max_octets = 64 * 1024;
  config.reassembly.max_octets_per_source = 64 * 1024;
  build();
  const Octets payload = numbered_octets(64);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    wire::Ipv4Header h = header(static_cast<std::uint16_t>(i));
    h.source = Ipv4Address{(10U << 24) | (i % 250 + 3)};
    EXPECT_FALSE(whole(make_fragment(h, payload, 0, 32, true)));
    ASSERT_LE(ip->reassembler().octets(), 64U * 1024U);
    ASSERT_LE(pool.octets_in_use(), 64U * 1024U);
  }
  EXPECT_GT(drops(DropReason::FragmentEvicted), 9000U);
  // Whoever comes now is served: the oldest has to go.
  for (const auto& part : cut(header(9), payload, 32)) (void)whole(part);
  EXPECT_TRUE(last);
}

TEST_F(ReassemblyTest, OneSourceCannotPushOutAnother) {
  config.reassembly.max_octets = 64 * 1024;
  config.reassembly.max_octets_per_source = 16 * 1024;
  build();
  const Octets payload = numbered_octets(64);
  wire::Ipv4Header quiet = header(5);
  quiet.source = Ipv4Address{10, 0, 0, 77};
  EXPECT_FALSE(whole(make_fragment(quiet, payload, 0, 32, true)));
  for (std::uint16_t i = 0; i < 5000; ++i) EXPECT_FALSE(whole(make_fragment(header(i), payload, 0, 32, true)));
  EXPECT_LE(ip->reassembler().octets(), 32U * 1024U);
  EXPECT_EQ(whole(make_fragment(quiet, payload, 32, 32, false)), payload);
}

TEST_F(ReassemblyTest, ASmallFragmentDoesNotPinALargeBlock) {
  Slice block = pool.allocate_slice(60'000);
  const Octets packet = make_fragment(header(), numbered_octets(64), 0, 32, true);
  std::copy(packet.begin(), packet.end(), block.mutable_data());
  (void)ip->handle_packet({}, block.sub(0, packet.size()), {});
  block = {};
  EXPECT_LE(pool.octets_in_use(), 256U);
}

TEST_F(ReassemblyTest, AChecksumNeverComputedStaysSo) {
  const auto parts = cut(header(), numbered_octets(64), 32);
  (void)receive(parts[0], {.checksum = ChecksumState::Partial});
  const auto arrived = receive(parts[1]);
  EXPECT_EQ(std::get<IncomingDatagram>(arrived).checksum, ChecksumState::Partial);
}

TEST_F(ReassemblyTest, NoDeviceCanVouchForAPart) {
  const auto parts = cut(header(), numbered_octets(64), 32);
  (void)receive(parts[0], {.checksum = ChecksumState::Validated});
  const auto arrived = receive(parts[1], {.checksum = ChecksumState::Validated});
  EXPECT_EQ(std::get<IncomingDatagram>(arrived).checksum, ChecksumState::Unverified);
}

TEST_F(ReassemblyTest, AFragmentedEchoRequestIsAnsweredWhole) {  // RFC 1122 ICMP-01
  const Octets request = make_icmp(8, 0, 0x00070001, numbered_octets(65'507));
  for (const auto& part : cut(header(1, IpProtocol::Icmp), request, 1480)) receive(part);
  FrameOut out;
  ASSERT_TRUE(ip->poll({}, out, next_hop));
  EXPECT_EQ(out.fragment_limit, 1500);
  EXPECT_EQ(out.size(), 65'535U);
}

RC_GTEST_PROP(ReassemblyProperties, ShuffledAndRepeatedFragmentsGiveTheSame, ()) {
  Random random{make_seed(1)};
  observe::Sink sink;
  BufferPool pool;
  Reassembler reassembler{{}, random, pool, sink};
  const auto payload = *rc::gen::scale(20.0, rc::gen::nonEmpty(rc::gen::arbitrary<Octets>()));
  wire::Ipv4Header header = header_to_us(IpProtocol::Icmp);
  auto parts = cut(header, payload, static_cast<std::size_t>(*rc::gen::inRange(8, 200)));
  RC_PRE(parts.size() >= 2);
  const auto repeated = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, parts.size()));
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < parts.size(); ++i) order.push_back(i);
  // Repetitions only of what is there already, or they would belong to the next datagram of this identification.
  const std::size_t last = static_cast<std::size_t>(*rc::gen::inRange<std::size_t>(0, parts.size()));
  std::erase(order, last);
  for (const std::size_t i : repeated) {
    if (i != last) order.push_back(i);
  }
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[*rc::gen::inRange<std::size_t>(0, i)]);
  }
  order.push_back(last);
  std::optional<IncomingDatagram> got;
  for (const std::size_t i : order) {
    RC_ASSERT(!got);
    const Slice packet = pool.copy(parts[i]);
    got = reassembler.add(
        {}, {.header = wire::parse_ipv4(packet.view())->header, .payload = packet.sub(20), .packet = packet});
  }
  RC_ASSERT(got.has_value());
  const ByteView view = got->payload.view();
  RC_ASSERT(Octets(view.begin(), view.end()) == payload);
  RC_ASSERT(reassembler.octets() == 0U);
}

RC_GTEST_PROP(ReassemblyProperties, OverlapNeverYieldsMixedData, ()) {  // RFC 5722 FRAG-07
  Random random{make_seed(2)};
  observe::Sink sink;
  BufferPool pool;
  Reassembler reassembler{{}, random, pool, sink};
  ReferenceReassembly reference;
  const wire::Ipv4Header header = header_to_us(IpProtocol::Icmp);
  const int count = *rc::gen::inRange(1, 30);
  for (int i = 0; i < count; ++i) {
    const auto offset = static_cast<std::size_t>(*rc::gen::inRange(0, 6)) * 8;
    const auto octets = static_cast<std::size_t>(*rc::gen::inRange(1, 5)) * 8;
    const bool more = *rc::gen::weightedElement<bool>({{4, true}, {1, false}});
    if (offset == 0 && !more) continue;  // a whole datagram
    const Octets content(offset + octets, static_cast<std::uint8_t>(*rc::gen::inRange(1, 3)));
    const Slice packet = pool.copy(make_fragment(header, content, offset, octets, more));
    const auto got = reassembler.add(
        {}, {.header = wire::parse_ipv4(packet.view())->header, .payload = packet.sub(20), .packet = packet});
    const auto expected = reference.add(offset, packet.sub(20).view(), more);
    RC_ASSERT(got.has_value() == expected.has_value());
    if (got) {
      const ByteView view = got->payload.view();
      RC_ASSERT(Octets(view.begin(), view.end()) == *expected);
    }
  }
}

}  // namespace
}  // namespace wireside::ip::testing
