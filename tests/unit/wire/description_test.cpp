// The wording of traces. The expected lines of well-formed frames were printed by tcpdump 4.99 (-nn -t).
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"
#include "wire/frame_description.hpp"
#include "wire/tcp.hpp"

namespace wireside::wire {
namespace {

std::vector<std::uint8_t> ethernet(std::uint16_t type, ByteView data) {
  std::vector<std::uint8_t> out(ethernet_header_length);
  emit_ethernet({MacAddress{{2, 0, 0, 0, 0, 2}}, MacAddress{{2, 0, 0, 0, 0, 1}}, type}, out);
  return joined(out, data);
}

/// A frame from 10.0.0.1 to 10.0.0.2.
std::vector<std::uint8_t> ip_frame(std::uint8_t protocol, ByteView data, std::uint16_t offset = 0, bool more = false) {
  Ipv4Header h;
  h.total_length = static_cast<std::uint16_t>(20 + data.size());
  h.protocol = protocol;
  h.source = Ipv4Address{10, 0, 0, 1};
  h.destination = Ipv4Address{10, 0, 0, 2};
  h.fragment_offset = offset;
  h.more_fragments = more;
  std::vector<std::uint8_t> packet(20);
  emit_ipv4(h, packet);
  return ethernet(0x0800, joined(packet, data));
}

std::vector<std::uint8_t> tcp_frame(std::string_view segment) { return ip_frame(6, octets(segment)); }

TcpHeader established() {
  TcpHeader h;
  h.source = Port{43210};
  h.destination = Port{8123};
  h.seq = SeqNum{1001};
  h.ack = SeqNum{5001};
  h.flags.ack = true;
  h.window = 502;
  return h;
}
constexpr SeqNum seq_base{1000};
constexpr SeqNum ack_base{5000};

TEST(DescribeTcp, SynIsAbsolute) {
  TcpHeader h = established();
  h.seq = SeqNum{5000};
  h.ack = SeqNum{1001};
  h.flags.syn = true;
  h.window = 65160;
  h.options.mss = 1460;
  h.options.sack_permitted = true;
  h.options.timestamps = TcpTimestamps{5, 0};
  h.options.window_scale = 7;
  EXPECT_EQ(
      describe_tcp(h, 0, seq_base, ack_base),
      "Flags [S.], seq 5000, ack 1001, win 65160, options [mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7], length 0");
  h.flags.ack = false;
  EXPECT_EQ(describe_tcp(h, 0, seq_base, ack_base),
            "Flags [S], seq 5000, win 65160, options [mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7], length 0");
}

TEST(DescribeTcp, DataIsRelative) {
  TcpHeader h = established();
  h.flags.psh = true;
  EXPECT_EQ(describe_tcp(h, 1448, seq_base, ack_base), "Flags [P.], seq 1:1449, ack 1, win 502, length 1448");
  h.flags.urg = true;
  h.urgent_pointer = 7;
  h.seq = SeqNum{2449};
  EXPECT_EQ(describe_tcp(h, 3, seq_base, ack_base), "Flags [P.U], seq 1449:1452, ack 1, win 502, urg 7, length 3");
  EXPECT_EQ(describe_tcp(h, 3), "Flags [P.U], seq 2449:2452, ack 5001, win 502, urg 7, length 3");
}

TEST(DescribeTcp, BareAckShowsNoSequenceNumber) {
  TcpHeader h = established();
  h.options.timestamps = TcpTimestamps{6, 5};
  EXPECT_EQ(describe_tcp(h, 0, seq_base, ack_base),
            "Flags [.], ack 1, win 502, options [nop,nop,TS val 6 ecr 5], length 0");
}

TEST(DescribeTcp, FinAndResets) {
  TcpHeader h = established();
  h.flags.fin = true;
  h.seq = SeqNum{2452};
  EXPECT_EQ(describe_tcp(h, 0, seq_base, ack_base), "Flags [F.], seq 1452, ack 1, win 502, length 0");
  h.flags = {};
  h.flags.rst = true;
  h.window = 0;
  EXPECT_EQ(describe_tcp(h, 0, seq_base, ack_base), "Flags [R], seq 2452, win 0, length 0");
  h.flags.ack = true;
  EXPECT_EQ(describe_tcp(h, 0, seq_base, ack_base), "Flags [R.], seq 1452, ack 1, win 0, length 0");
}

TEST(DescribeTcp, SackCountsFromTheAckBase) {
  TcpHeader h = established();
  h.ack = SeqNum{6449};
  h.options.sack = {SackBlock{SeqNum{6459}, SeqNum{6469}}, SackBlock{SeqNum{7000}, SeqNum{7100}}};
  h.options.sack_count = 2;
  EXPECT_EQ(describe_tcp(h, 0, seq_base, ack_base),
            "Flags [.], ack 1449, win 502, options [nop,nop,sack 2 {1459:1469}{2000:2100}], length 0");
}

TEST(DescribeTcp, FlagsInOrder) {
  TcpHeader h;
  EXPECT_EQ(describe_tcp(h, 0), "Flags [none], win 0, length 0");
  h.flags = {true, true, true, true, true, true, true, true};
  EXPECT_EQ(describe_tcp(h, 0), "Flags [FSRP.UEW], seq 0, ack 0, win 0, urg 0, length 0");
}

TEST(DescribeFrame, TcpWithPortsAndOptionsAsTheyStand) {
  EXPECT_EQ(describe_frame(tcp_frame("0005 1fbb 00000001 00000002 70 10 2000 0000 0000  fd 05 01 02 03 01 01 01")),
            "IP 10.0.0.1.5 > 10.0.0.2.8123: Flags [.], ack 2, win 8192, options [unknown-253 0x010203,nop,nop,nop], "
            "length 0");
  EXPECT_EQ(describe_frame(tcp_frame("0004 1fbb 00000001 00000002 60 10 2000 0000 0000  00 00 00 00")),
            "IP 10.0.0.1.4 > 10.0.0.2.8123: Flags [.], ack 2, win 8192, options [eol], length 0");
}

TEST(DescribeFrame, SequenceNumbersFromTheBases) {
  const auto frame = tcp_frame("a8ca 1fbb 000003e9 00001389 50 18 01f6 0000 0000 616263");
  const SeqBases bases{seq_base, ack_base};
  EXPECT_EQ(describe_frame(frame, &bases),
            "IP 10.0.0.1.43210 > 10.0.0.2.8123: Flags [P.], seq 1:4, ack 1, win 502, length 3");
  EXPECT_EQ(describe_frame(frame),
            "IP 10.0.0.1.43210 > 10.0.0.2.8123: Flags [P.], seq 1001:1004, ack 5001, win 502, length 3");
}

TEST(DescribeFrame, BrokenTcp) {
  EXPECT_EQ(describe_frame(tcp_frame("000b 0050 00000001 00000002 60 10 0064 0000 0000  02 00 00 00")),
            "IP 10.0.0.1.11 > 10.0.0.2.80: Flags [.], ack 2, win 100, options [[bad opt]], length 0");
  EXPECT_EQ(describe_frame(tcp_frame("0010 0050 00000001 00000002 40 10 0064 0000 0000")),
            "IP 10.0.0.1.16 > 10.0.0.2.80: TCP, bad hdr length 16 - too short, < 20");
  EXPECT_EQ(describe_frame(tcp_frame("0011 0050 00000001 00000002 60 10 0064 0000 0000")),
            "IP 10.0.0.1.17 > 10.0.0.2.80: TCP, bad hdr length 24 - too long, > 20");
  EXPECT_EQ(describe_frame(tcp_frame("0011 0050 00")), "IP 10.0.0.1.17 > 10.0.0.2.80: TCP, truncated, length 5");
  EXPECT_EQ(describe_frame(tcp_frame("")), "IP 10.0.0.1 > 10.0.0.2: TCP, truncated, length 0");
}

TEST(DescribeFrame, UdpAndIcmp) {
  EXPECT_EQ(describe_frame(ip_frame(17, octets("04d2 0009 000e 0000 616263646566"))),
            "IP 10.0.0.1.1234 > 10.0.0.2.9: UDP, length 6");
  EXPECT_EQ(describe_frame(ip_frame(17, octets("04d2 0009 0004 0000 6162"))),
            "IP 10.0.0.1.1234 > 10.0.0.2.9: UDP, bad length 4 of 10");
  EXPECT_EQ(describe_frame(ip_frame(1, joined(octets("08 00 0000 0001 0001"), std::vector<std::uint8_t>(56)))),
            "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 1, length 64");
  EXPECT_EQ(describe_frame(ip_frame(200, std::vector<std::uint8_t>(12))), "IP 10.0.0.1 > 10.0.0.2:  ip-proto-200 12");
}

TEST(DescribeFrame, Fragments) {
  const auto first = joined(octets("0005 0009 006c 0000"), std::vector<std::uint8_t>(56));
  EXPECT_EQ(describe_frame(ip_frame(17, first, 0, true)), "IP 10.0.0.1.5 > 10.0.0.2.9: UDP, length 100");
  EXPECT_EQ(describe_frame(ip_frame(17, std::vector<std::uint8_t>(44), 64)), "IP 10.0.0.1 > 10.0.0.2: ip-proto-17");
}

TEST(DescribeFrame, PaddingIsNotData) {
  EXPECT_EQ(describe_frame(joined(ip_frame(1, octets("08 00 0000 0000 0000")), std::vector<std::uint8_t>(18))),
            "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 0, seq 0, length 8");
}

TEST(DescribeFrame, BrokenIp) {
  const auto of = [](std::string_view packet) { return describe_frame(ethernet(0x0800, octets(packet))); };
  EXPECT_EQ(of("45 00 00 14 0000 0000 40"), "IP truncated, length 9");
  EXPECT_EQ(of("55 00 0014 00000000 40060000 0a000001 0a000002"), "IP5 (invalid)");
  EXPECT_EQ(of("44 00 0014 00000000 40060000 0a000001 0a000002"), "IP bad-hlen 16");
  EXPECT_EQ(of("45 00 000a 00000000 40060000 0a000001 0a000002"), "IP bad-len 10");
  EXPECT_EQ(of("45 00 03e8 00000000 40060000 0a000001 0a000002"), "IP truncated-ip - 980 bytes missing");
  EXPECT_EQ(of("45 00 001c 00000000 40010001 0a000001 0a000002 08000000 00000000"),
            "IP bad-cksum 10.0.0.1 > 10.0.0.2: ICMP echo request, id 0, seq 0, length 8");
}

TEST(DescribeFrame, Arp) {
  const auto request = octets("0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002");
  EXPECT_EQ(describe_frame(ethernet(0x0806, request)), "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28");
  EXPECT_EQ(describe_frame(ethernet(0x0806, joined(request, std::vector<std::uint8_t>(18)))),
            "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 46");
  EXPECT_EQ(describe_frame(ethernet(0x0806, ByteView{request}.first(16))), "ARP, truncated, length 16");
  EXPECT_EQ(
      describe_frame(ethernet(0x0806, octets("0006 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"))),
      "ARP, malformed, length 28");
}

TEST(DescribeFrame, OtherEtherTypesAndShortFrames) {
  EXPECT_EQ(describe_frame(ethernet(0x88b5, octets("68656c6c6f"))),
            "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0x88b5), length 19");
  EXPECT_EQ(describe_frame(octets("02 00 00")), "Ethernet truncated, length 3");
}

// The wording of tcpdump 4.99 -nn -t -v.
TEST(DescribeFrame, Verbose) {
  constexpr FrameStyle verbose{.verbose = true};
  auto udp = ip_frame(17, octets("c350 232a 0009 0000 78"));
  EXPECT_EQ(describe_frame(udp, nullptr, verbose),
            "IP (tos 0x0, ttl 64, id 0, offset 0, flags [none], proto UDP (17), length 29)\n"
            "    10.0.0.1.50000 > 10.0.0.2.9002: UDP, length 1");
  udp[14 + 1] = 3;
  EXPECT_EQ(
      describe_frame(udp, nullptr, verbose),
      "IP (tos 0x3,CE, ttl 64, id 0, offset 0, flags [none], proto UDP (17), length 29, bad cksum 66ce (->66cb)!)\n"
      "    10.0.0.1.50000 > 10.0.0.2.9002: UDP, length 1");
  const auto echo = ip_frame(1, octets("0800 0001 0000 0000"));
  EXPECT_EQ(
      describe_frame(echo, nullptr, {.link = true, .verbose = true}),
      "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800), length 42: (tos 0x0, ttl 64, id 0, offset 0, "
      "flags [none], proto ICMP (1), length 28)\n"
      "    10.0.0.1 > 10.0.0.2: ICMP echo request, id 0, seq 0, length 8 (wrong icmp cksum 1 (->f7ff)!)");
}

TEST(DescribeFrame, VerboseErrorsQuote) {
  const auto quoted = ip_frame(17, octets("0001 0002 000a 0000 7a7a"));
  auto message = octets("0303 0000 0000 0000");
  message.insert(message.end(), quoted.begin() + 14, quoted.end());
  const std::string text = describe_frame(ip_frame(1, message), nullptr, {.verbose = true});
  EXPECT_TRUE(
      text.ends_with("\n\tIP (tos 0x0, ttl 64, id 0, offset 0, flags [none], proto UDP (17), length 30)\n"
                     "    10.0.0.1.1 > 10.0.0.2.2: UDP, length 2"))
      << text;
}

RC_GTEST_PROP(DescribeFrame, HasFewLinesForAnythingVerbose,
              (const std::vector<std::uint8_t>& noise, std::uint8_t protocol)) {
  for (const auto& frame : {noise, ethernet(0x0800, noise), ethernet(0x0806, noise), ip_frame(protocol, noise),
                            ip_frame(6, noise), ip_frame(17, noise), ip_frame(1, noise)}) {
    const std::string text = describe_frame(frame, nullptr, {.link = true, .verbose = true});
    RC_ASSERT(!text.empty());
    RC_ASSERT(std::count(text.begin(), text.end(), '\n') <= 3);
  }
}

RC_GTEST_PROP(DescribeFrame, HasOneLineForAnything, (const std::vector<std::uint8_t>& noise, std::uint8_t protocol)) {
  for (const auto& frame : {noise, ethernet(0x0800, noise), ethernet(0x0806, noise), ip_frame(protocol, noise),
                            ip_frame(6, noise), ip_frame(17, noise), ip_frame(1, noise)}) {
    const std::string line = describe_frame(frame);
    RC_ASSERT(!line.empty());
    RC_ASSERT(line.find('\n') == std::string::npos);
  }
}

}  // namespace
}  // namespace wireside::wire
