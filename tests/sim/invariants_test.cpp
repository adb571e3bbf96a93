// The checker finds what it is there to find.
#include "sim/invariants.hpp"

#include <gtest/gtest.h>

#include "support/segments.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"

namespace wireside::testing {
namespace {

constexpr SeqNum a_isn{4'294'967'000U}, b_isn{77};  // one of them wraps

/// Feeds segments in the test notation, A to B or B to A, and returns the checker's verdict.
struct Wire {
  SegmentChecker checker;

  std::string send(bool from_a, const char* text) {
    const auto spec = parse_segment(text);
    auto h = build_header(spec, from_a ? a_isn : b_isn, from_a ? b_isn : a_isn, 10'000, 0);
    h.source = Port{static_cast<std::uint16_t>(from_a ? 1000 : 80)};
    h.destination = Port{static_cast<std::uint16_t>(from_a ? 80 : 1000)};
    const std::size_t tcp_length = wire::tcp_header_length(h);
    std::vector<std::uint8_t> frame(wire::ethernet_header_length + wire::ipv4_min_header + tcp_length);
    wire::emit_ethernet({.destination = {}, .source = {}, .ether_type = 0x0800}, frame);
    wire::Ipv4Header ip;
    ip.protocol = 6;
    ip.source = Ipv4Address{10, 0, 0, static_cast<std::uint8_t>(from_a ? 1 : 2)};
    ip.destination = Ipv4Address{10, 0, 0, static_cast<std::uint8_t>(from_a ? 2 : 1)};
    ip.total_length = static_cast<std::uint16_t>(wire::ipv4_min_header + tcp_length + spec.length);
    wire::emit_ipv4(ip, MutableByteView{frame}.subspan(wire::ethernet_header_length));
    wire::emit_tcp(h, MutableByteView{frame}.subspan(wire::ethernet_header_length + wire::ipv4_min_header));
    return checker.check(frame, frame.size() + spec.length);
  }
  std::string a(const char* text) { return send(true, text); }
  std::string b(const char* text) { return send(false, text); }
  void handshake(const char* options = "<mss 1460>") {
    EXPECT_EQ(a((std::string{"S 0 "} + options).c_str()), "");
    EXPECT_EQ(b((std::string{"S. 0 ack 1 "} + options).c_str()), "");
    EXPECT_EQ(a(". 1 ack 1"), "");
  }
};

TEST(SegmentChecker, AcceptsAProperConnection) {
  Wire w;
  w.handshake();
  EXPECT_EQ(w.a("P. 1+1000 ack 1"), "");
  EXPECT_EQ(w.b(". 1 ack 1001 win 9000"), "");
  EXPECT_EQ(w.a("P. 1+1000 ack 1"), "");  // a retransmission
  EXPECT_EQ(w.a("F. 1001 ack 1"), "");
  EXPECT_EQ(w.b(". 1 ack 1002 win 9000"), "");
  EXPECT_EQ(w.checker.segments(), 8U);
}

TEST(SegmentChecker, FindsAcknowledgementOfWhatWasNeverSent) {
  Wire w;
  w.handshake();
  EXPECT_NE(w.b(". 1 ack 2"), "");
}

TEST(SegmentChecker, FindsAcknowledgementTakenBack) {
  Wire w;
  w.handshake();
  EXPECT_EQ(w.a(". 1+1000 ack 1"), "");
  EXPECT_EQ(w.b(". 1 ack 1001"), "");
  EXPECT_NE(w.b(". 1 ack 501"), "");
}

TEST(SegmentChecker, FindsWindowEdgeMovedLeft) {
  Wire w;
  w.handshake();
  EXPECT_EQ(w.b(". 1 ack 1 win 10000"), "");
  EXPECT_NE(w.b(". 1 ack 1 win 9999"), "");
}

TEST(SegmentChecker, AllowsLessThanOneUnitOfTheScale) {  // RFC 7323 section 2.4
  Wire w;
  w.handshake("<mss 1460,wscale 7>");
  EXPECT_EQ(w.a(". 1+1000 ack 1"), "");
  EXPECT_EQ(w.b(". 1 ack 1 win 100"), "");
  EXPECT_EQ(w.b(". 1 ack 129 win 99"), "");
  EXPECT_EQ(w.b(". 1 ack 130 win 98"), "");
  EXPECT_NE(w.b(". 1 ack 131 win 97"), "");
}

TEST(SegmentChecker, FindsGapsAndDataBehindTheFin) {
  Wire w;
  w.handshake();
  EXPECT_NE(w.a(". 2+10 ack 1"), "");
  Wire v;
  v.handshake();
  EXPECT_EQ(v.a("F. 1 ack 1"), "");
  EXPECT_NE(v.a(". 2+10 ack 1"), "");
}

TEST(SegmentChecker, FindsWrongSackBlocks) {
  Wire w;
  w.handshake("<mss 1460,sackOK>");
  EXPECT_EQ(w.a(". 1+1000 ack 1"), "");
  EXPECT_EQ(w.b(". 1 ack 1 <sack 501:1001>"), "");
  EXPECT_NE(w.b(". 1 ack 1 <sack 501:1002>"), "");
  EXPECT_NE(w.b(". 1 ack 1 <sack 600:500>"), "");
  EXPECT_EQ(w.b(". 1 ack 501 <sack 1:501>"), "");  // a duplicate reported (RFC 2883)
  EXPECT_NE(w.b(". 1 ack 501 <sack 400:600>"), "");
  EXPECT_NE(w.b(". 1 ack 501 <sack 601:701 1:501>"), "");
}

}  // namespace
}  // namespace wireside::testing
