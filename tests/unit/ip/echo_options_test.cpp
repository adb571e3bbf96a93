// IP options of echo requests and what the answers carry (RFC 1122 section 3.2.2.6).
#include "ip_test_support.hpp"

namespace wireside::ip::testing {
namespace {

using observe::DropReason;

class EchoOptions : public IpTest {
 protected:
  /// The answer to an echo request with these options; its options, which are checked to be in a good header.
  std::optional<wire::ParsedIpv4> ask(const Octets& options) {
    receive(make_packet(header_to_us(wire::IpProtocol::Icmp), make_icmp(8, 0, 7, {1, 2, 3}), options));
    const auto sent = poll();
    if (!sent) return std::nullopt;
    answer = *sent;
    const auto parsed = wire::parse_ipv4(answer);
    EXPECT_TRUE(parsed && parsed->checksum_ok);
    EXPECT_EQ(Octets(answer.begin() + static_cast<std::ptrdiff_t>(parsed->header_length), answer.end()),
              make_icmp(0, 0, 7, {1, 2, 3}));
    return *parsed;
  }
  static Octets octets(ByteView view) { return {view.begin(), view.end()}; }
  Octets answer;
};

TEST_F(EchoOptions, RecordRouteComesBackWithUsInIt) {  // RFC 1122 ICMP-17
  const auto reply = ask({7, 15, 8, 10, 0, 0, 254, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  ASSERT_TRUE(reply);
  EXPECT_EQ(octets(reply->options), (Octets{7, 15, 12, 10, 0, 0, 254, 10, 0, 0, 2, 0, 0, 0, 0, 0}));
  EXPECT_EQ(reply->header.destination, peer_ip);
  EXPECT_EQ(octets(ask({7, 7, 8, 9, 9, 9, 9, 0})->options), (Octets{7, 7, 8, 9, 9, 9, 9, 0})) << "full, not truncated";
}

TEST_F(EchoOptions, TimestampComesBackWithOurs) {  // RFC 1122 ICMP-17
  const auto plain = ask({68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(plain->options[2], 9);
  EXPECT_NE(plain->options[4] & 0x80, 0) << "not since midnight";
  const auto asked_of_us = ask({68, 12, 5, 3, 10, 0, 0, 2, 0, 0, 0, 0});
  EXPECT_EQ(asked_of_us->options[2], 13);
  const auto asked_of_another = ask({68, 12, 5, 3, 10, 0, 0, 9, 0, 0, 0, 0});
  EXPECT_EQ(asked_of_another->options[2], 5);
  EXPECT_EQ(ask({68, 8, 9, 0, 1, 2, 3, 4})->options[3], 0x10) << "one host without room";
}

TEST_F(EchoOptions, ASourceRouteIsTurnedRound) {  // RFC 1122 ICMP-17
  for (const std::uint8_t kind : {std::uint8_t{131}, std::uint8_t{137}}) {
    const auto reply = ask({kind, 11, 12, 10, 0, 0, 71, 10, 0, 0, 72, 1});
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->header.destination, (Ipv4Address{10, 0, 0, 72}));
    EXPECT_EQ(octets(reply->options), (Octets{kind, 11, 4, 10, 0, 0, 71, 10, 0, 0, 1, 1}));
    // Some put the source in front of the route.
    const auto shorter = ask({kind, 11, 12, 10, 0, 0, 1, 10, 0, 0, 72, 1});
    EXPECT_EQ(shorter->header.destination, (Ipv4Address{10, 0, 0, 72}));
    EXPECT_EQ(octets(shorter->options), (Octets{kind, 7, 4, 10, 0, 0, 1, 1, 1, 1, 1, 1}));
  }
}

TEST_F(EchoOptions, OtherOptionsAreNotSaidBack) {
  const auto reply = ask({148, 4, 0, 0});
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->options.empty());
  EXPECT_EQ(octets(ask({148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0})->options),
            (Octets{1, 1, 1, 1, 7, 7, 8, 10, 0, 0, 2, 0}));
}

TEST_F(EchoOptions, WhatCannotBeEnteredIsAParameterProblem) {  // RFC 791, RFC 1122 ICMP-12
  receive(make_packet(header_to_us(wire::IpProtocol::Icmp), make_icmp(8, 0, 7, {}), {7, 7, 6, 0, 0, 0, 0, 0}));
  const auto sent = poll();
  ASSERT_TRUE(sent);
  EXPECT_EQ((*sent)[20], 12);
  EXPECT_EQ((*sent)[24], 22) << "points at the pointer";
  EXPECT_EQ(drops(DropReason::IpBadOption), 1U);
}

TEST_F(EchoOptions, ALargeAnswerWithOptionsIsCut) {  // RFC 791: the option in the first fragment only
  receive(
      make_packet(header_to_us(wire::IpProtocol::Icmp), make_icmp(8, 0, 7, Octets(3000, 1)), {7, 7, 4, 0, 0, 0, 0, 0}));
  FrameOut out;
  ASSERT_TRUE(ip->poll(Instant{}, out, next_hop));
  EXPECT_EQ(out.fragment_limit, 1500);
  EXPECT_EQ(out.size(), 28U + 8 + 3000);
}

}  // namespace
}  // namespace wireside::ip::testing
