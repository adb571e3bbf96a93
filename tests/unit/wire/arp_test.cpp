#include "wire/arp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"

namespace wireside::wire {
namespace {

constexpr std::string_view request_text =
    "0001 0800 06 04 0001  02 00 00 00 00 01  0a 00 00 01  00 00 00 00 00 00  0a 00 00 02";
const ArpMessage request{ArpMessage::Operation::Request,
                         MacAddress{{2, 0, 0, 0, 0, 1}},
                         Ipv4Address{10, 0, 0, 1},
                         {},
                         Ipv4Address{10, 0, 0, 2}};

TEST(Arp, KnownOctets) {
  EXPECT_EQ(parse_arp(octets(request_text)), request);
  std::vector<std::uint8_t> out(arp_message_length);
  emit_arp(request, out);
  EXPECT_EQ(out, octets(request_text));
}

TEST(Arp, Words) {
  EXPECT_EQ(describe_arp(request), "Request who-has 10.0.0.2 tell 10.0.0.1");
  ArpMessage poll = request;
  poll.target_mac = MacAddress{{2, 0, 0, 0, 0, 2}};
  EXPECT_EQ(describe_arp(poll), "Request who-has 10.0.0.2 (02:00:00:00:00:02) tell 10.0.0.1");
  ArpMessage reply = request;
  reply.operation = ArpMessage::Operation::Reply;
  EXPECT_EQ(describe_arp(reply), "Reply 10.0.0.1 is-at 02:00:00:00:00:01");
}

TEST(Arp, PaddingBehindTheMessageIsIgnored) {
  EXPECT_EQ(parse_arp(joined(octets(request_text), std::vector<std::uint8_t>(18, 0xee))), request);
}

TEST(Arp, EveryShorterMessageIsTruncated) {
  const auto whole = octets(request_text);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_EQ(parse_arp(ByteView{whole}.first(n)).error(), Error::Truncated) << n;
  }
}

// RFC 826, packet reception: hardware type, protocol, lengths and operation are looked at first.
TEST(Arp, ForeignFieldsAreMalformed) {
  for (const auto& [at, value] :
       {std::pair<std::size_t, std::uint8_t>{0, 1}, {1, 6}, {2, 9}, {3, 1}, {4, 8}, {5, 16}, {6, 1}, {7, 0}, {7, 3}}) {
    auto message = octets(request_text);
    message[at] = value;
    EXPECT_EQ(parse_arp(message).error(), Error::Malformed) << "octet " << at << " = " << int{value};
  }
}

RC_GTEST_PROP(Arp, ParsesWhatItEmits, ()) {
  const auto message = arbitrary::arp();
  std::vector<std::uint8_t> out(arp_message_length);
  emit_arp(message, out);
  RC_ASSERT((parse_arp(out) == message));
}

}  // namespace
}  // namespace wireside::wire
