// Headers read at one go, against the parsers of each layer.
#include "wire/plain_segment.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"

namespace wireside::wire {
namespace {

constexpr MacAddress our_mac{{2, 0, 0, 0, 0, 1}}, peers_mac{{2, 0, 0, 0, 0, 2}};

std::vector<std::uint8_t> plain_frame(std::size_t payload, std::size_t padding) {
  std::vector<std::uint8_t> frame(plain_segment_start + tcp_min_header + payload + padding);
  emit_ethernet({our_mac, peers_mac, static_cast<std::uint16_t>(EtherType::Ipv4)}, frame);
  Ipv4Header ip;
  ip.tos = 8;
  ip.ttl = 61;
  ip.total_length = static_cast<std::uint16_t>(ipv4_min_header + tcp_min_header + payload);
  ip.dont_fragment = true;
  ip.protocol = static_cast<std::uint8_t>(IpProtocol::Tcp);
  ip.source = Ipv4Address{10, 0, 0, 2};
  ip.destination = Ipv4Address{10, 0, 0, 1};
  emit_ipv4(ip, MutableByteView{frame}.subspan(ethernet_header_length));
  return frame;
}

TEST(PlainSegment, IsReadWithItsPaddingLeftOut) {
  const auto plain = read_plain_segment(plain_frame(3, 6), our_mac);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->total_length, 43U);
  EXPECT_EQ(plain->source, (Ipv4Address{10, 0, 0, 2}));
  EXPECT_EQ(plain->destination, (Ipv4Address{10, 0, 0, 1}));
  EXPECT_EQ(plain->ttl, 61U);
  EXPECT_EQ(plain->tos, 8U);
  EXPECT_FALSE(read_plain_segment(plain_frame(3, 6), peers_mac));
}

/// Octets changed here and there, with the checksum made right again or not: what is taken, the parsers take alike.
RC_GTEST_PROP(PlainSegment, TakesOnlyWhatTheParsersTake,
              (std::vector<std::pair<std::uint8_t, std::uint8_t>> changes, bool mend_checksum, std::uint8_t cut)) {
  auto frame = plain_frame(*rc::gen::inRange<std::size_t>(0, 40), *rc::gen::inRange<std::size_t>(0, 10));
  for (const auto& [at, value] : changes) frame[at % 44] = value;
  MutableByteView ip = MutableByteView{frame}.subspan(ethernet_header_length);
  if (mend_checksum) {
    store_be16(ip.data() + 10, 0);
    store_be16(ip.data() + 10, internet_checksum(ip.first(ipv4_min_header)));
  }
  if (cut % 4 == 0) frame.resize(cut % (frame.size() + 1));
  const auto plain = read_plain_segment(frame, our_mac);
  const auto ethernet = parse_ethernet(frame);
  const bool ours = ethernet && ethernet->destination == our_mac && ethernet->ether_type == 0x0800;
  const auto parsed = ours ? parse_ipv4(ByteView{frame}.subspan(ethernet_header_length)) : fail(Error::Malformed);
  const bool simple = parsed && parsed->checksum_ok && parsed->header_length == ipv4_min_header &&
                      !parsed->header.is_fragment() && parsed->header.protocol == 6 &&
                      parsed->header.total_length >= ipv4_min_header + tcp_min_header;
  RC_ASSERT(plain.has_value() == simple);
  if (!plain) return;
  RC_ASSERT(plain->source == parsed->header.source);
  RC_ASSERT(plain->destination == parsed->header.destination);
  RC_ASSERT(plain->total_length == parsed->header.total_length);
  RC_ASSERT(plain->ttl == parsed->header.ttl);
  RC_ASSERT(plain->tos == parsed->header.tos);
}

}  // namespace
}  // namespace wireside::wire
