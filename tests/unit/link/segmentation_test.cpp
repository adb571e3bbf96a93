#include "link/segmentation.hpp"

#include "link_test_support.hpp"
#include "wire/header_edit.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"
#include "wire/udp.hpp"

namespace wireside::link::testing {
namespace {

constexpr std::size_t ip_start = 14;

struct Segment {
  wire::ParsedIpv4 ip;
  wire::ParsedTcp tcp;
  std::vector<std::uint8_t> payload;
  bool transport_checksum_ok = false;
};

/// Reads a frame as a receiver would, with nothing shared with the code under test but the parsers.
Segment read_segment(const FrameOut& frame) {
  const auto octets = octets_of(frame);
  const ByteView packet = ByteView{octets}.subspan(ip_start);
  Segment segment;
  segment.ip = wire::parse_ipv4(packet).value();
  segment.ip.options = {};
  const ByteView transport = packet.subspan(20, segment.ip.header.total_length - 20U);
  segment.tcp = wire::parse_tcp(transport).value();
  segment.payload.assign(transport.begin() + static_cast<std::ptrdiff_t>(segment.tcp.header_length), transport.end());
  ChecksumAccumulator sum;
  wire::add_pseudo_header(sum, segment.ip.header.source, segment.ip.header.destination, segment.ip.header.protocol,
                          static_cast<std::uint32_t>(transport.size()));
  sum.add(transport);
  segment.transport_checksum_ok = sum.checksum() == 0;
  return segment;
}

class SegmentationTest : public ::testing::Test {
 protected:
  /// A TCP super-segment with `length` octets of a pattern in slices of `slice` octets.
  FrameOut super_segment(std::size_t length, std::uint16_t gso_size, std::size_t slice = 4096) {
    pattern.resize(length);
    for (std::size_t i = 0; i < length; ++i) pattern[i] = static_cast<std::uint8_t>(i * 7 + (i >> 8));
    FrameOut frame;
    for (std::size_t i = 0; i < length; i += slice) {
      frame.payload.push_back(pool.copy(ByteView{pattern}.subspan(i, std::min(slice, length - i))));
    }
    wire::TcpHeader tcp;
    tcp.source = Port{80};
    tcp.destination = Port{40000};
    tcp.seq = SeqNum{0xffffff00U};
    tcp.ack = SeqNum{77};
    tcp.flags = {.fin = true, .psh = true, .ack = true, .cwr = true};
    tcp.window = 500;
    tcp.options.timestamps = wire::TcpTimestamps{5, 6};
    const std::size_t tcp_length = wire::tcp_header_length(tcp);
    wire::emit_tcp(tcp, {frame.header.prepend(tcp_length), tcp_length});
    put_ip(frame, wire::IpProtocol::Tcp, wire::tcp_checksum_offset);
    frame.gso_size = gso_size;
    frame.reason = observe::TxReason::FastRetransmit;
    frame.connection = 12;
    return frame;
  }

  void put_ip(FrameOut& frame, wire::IpProtocol protocol, std::size_t checksum_offset) {
    const std::size_t transport_length = frame.size();
    wire::Ipv4Header ip;
    ip.total_length = static_cast<std::uint16_t>(20 + transport_length);
    ip.identification = 0xffff;
    ip.dont_fragment = true;
    ip.protocol = static_cast<std::uint8_t>(protocol);
    ip.source = our_ip;
    ip.destination = peer_ip;
    std::uint8_t* p = frame.header.prepend(20);
    wire::emit_ipv4(ip, {p, 20});
    wire::put_pseudo_header_sum({p, 20}, static_cast<std::uint32_t>(transport_length), p + 20 + checksum_offset);
    wire::emit_ethernet({peer_mac, our_mac, 0x0800}, {frame.header.prepend(14), 14});
    frame.checksum_wanted = true;
    frame.checksum_start = 34;
    frame.checksum_offset = static_cast<std::uint16_t>(checksum_offset);
  }

  BufferPool pool;
  std::vector<std::uint8_t> pattern;
};

TEST_F(SegmentationTest, CutsIntoSegmentsThatAreWholeAndCorrectByThemselves) {
  Segmenter segmenter{{.tso = false, .tx_checksum_offload = false, .pad_to_minimum = true}};
  constexpr std::size_t length = 10'001;
  constexpr std::uint16_t mss = 1448;
  FrameOut frame = super_segment(length, mss, 777);
  const std::size_t before = pool.octets_in_use();
  std::vector<std::uint8_t> received;
  segmenter.begin(frame);
  std::uint16_t count = 0;
  do {
    EXPECT_LE(pool.octets_in_use(), before) << "payload is shared, not copied";
    const Segment s = read_segment(frame);
    const bool last = received.size() + s.payload.size() == length;
    EXPECT_TRUE(s.ip.checksum_ok);
    EXPECT_TRUE(s.transport_checksum_ok);
    EXPECT_EQ(s.ip.header.identification, static_cast<std::uint16_t>(0xffff + count));
    EXPECT_EQ(s.payload.size(), last ? length % mss : mss);
    EXPECT_EQ(s.tcp.header.seq, SeqNum{0xffffff00U + static_cast<std::uint32_t>(received.size())});
    EXPECT_EQ(s.tcp.header.flags, (wire::TcpFlags{.fin = last, .psh = last, .ack = true, .cwr = received.empty()}));
    EXPECT_EQ(s.tcp.header.options.timestamps, (wire::TcpTimestamps{5, 6}));
    EXPECT_EQ(frame.gso_size, 0U);
    EXPECT_FALSE(frame.checksum_wanted);
    EXPECT_EQ(frame.reason, observe::TxReason::FastRetransmit);
    EXPECT_EQ(frame.connection, 12U);
    received.insert(received.end(), s.payload.begin(), s.payload.end());
    ++count;
  } while (segmenter.next(frame));
  EXPECT_EQ(received, pattern);
  EXPECT_EQ(count, 7U);
  frame.clear();
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

TEST_F(SegmentationTest, EveryLengthAndSliceSizeReassembles) {
  Segmenter segmenter{{}};
  for (const std::uint16_t mss : std::initializer_list<std::uint16_t>{1, 3, 100, 536}) {
    for (std::size_t length = 1; length < 1200; length += 37) {
      FrameOut frame = super_segment(length, mss, 100);
      std::vector<std::uint8_t> received;
      segmenter.begin(frame);
      do {
        const Segment s = read_segment(frame);
        EXPECT_TRUE(s.transport_checksum_ok);
        EXPECT_GE(frame.size(), 60U);
        received.insert(received.end(), s.payload.begin(), s.payload.end());
      } while (segmenter.next(frame));
      EXPECT_EQ(received, pattern);
    }
  }
}

TEST_F(SegmentationTest, LeavesASuperSegmentToADeviceThatCanCutIt) {
  Segmenter segmenter{{.tso = true, .tx_checksum_offload = true}};
  FrameOut frame = super_segment(5000, 1448);
  const auto before = octets_of(frame);
  segmenter.begin(frame);
  EXPECT_EQ(octets_of(frame), before);
  EXPECT_EQ(frame.gso_size, 1448U);
  EXPECT_TRUE(frame.checksum_wanted);
  EXPECT_FALSE(segmenter.next(frame));
}

TEST_F(SegmentationTest, WithChecksumOffloadOnlyTheFieldHoldsThePseudoHeaderSumOfEachSegment) {
  Segmenter segmenter{{.tso = false, .tx_checksum_offload = true}};
  FrameOut frame = super_segment(3000, 1448);
  segmenter.begin(frame);
  int count = 0;
  do {
    EXPECT_TRUE(frame.checksum_wanted);
    EXPECT_EQ(frame.checksum_start, 34U);
    complete_checksum(frame);  // what the device would do
    EXPECT_TRUE(read_segment(frame).transport_checksum_ok);
    ++count;
  } while (segmenter.next(frame));
  EXPECT_EQ(count, 3);
}

TEST_F(SegmentationTest, ASuperSegmentOfOneSegmentIsAPlainFrame) {
  Segmenter segmenter{{.tso = true, .tx_checksum_offload = true}};
  FrameOut frame = super_segment(1448, 1448);
  segmenter.begin(frame);
  EXPECT_EQ(frame.gso_size, 0U);
  EXPECT_FALSE(segmenter.next(frame));
}

TEST_F(SegmentationTest, PaddingIsNoPartOfTheChecksum) {
  FrameOut frame = super_segment(1, 0);
  pad_to_minimum(frame);
  Segmenter segmenter{{}};
  segmenter.begin(frame);
  EXPECT_FALSE(frame.checksum_wanted);
  EXPECT_TRUE(read_segment(frame).transport_checksum_ok);
}

TEST_F(SegmentationTest, AUdpChecksumOfZeroIsSentAsAllOnes) {  // RFC 768
  // Choose the payload such that the sum comes out as 0xffff.
  for (unsigned attempt = 0; attempt < 2; ++attempt) {
    static std::uint16_t filler = 0;
    FrameOut frame;
    std::vector<std::uint8_t> data(2);
    store_be16(data.data(), filler);
    frame.payload.push_back(pool.copy(data));
    wire::emit_udp({Port{53}, Port{5353}, 10, 0}, {frame.header.prepend(8), 8});
    put_ip(frame, wire::IpProtocol::Udp, wire::udp_checksum_offset);
    complete_checksum(frame);
    const std::uint16_t field = load_be16(octets_of(frame).data() + 34 + 6);
    if (attempt == 0) {
      filler = field;  // adding the complement makes the sum all ones
    } else {
      EXPECT_EQ(field, 0xffffU);
    }
  }
}

}  // namespace
}  // namespace wireside::link::testing
