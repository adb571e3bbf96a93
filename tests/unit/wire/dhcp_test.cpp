#include "wire/dhcp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"

namespace wireside::wire {
namespace {

using Octets = std::vector<std::uint8_t>;

/// A reply's fixed fields and cookie, with `options` behind them.
Octets reply(std::string_view options) {
  DhcpMessage m;
  m.op = DhcpMessage::Op::Reply;
  m.xid = 0x12345678;
  m.chaddr = MacAddress{{2, 0, 0, 0, 0, 1}};
  Octets out = emit_dhcp(m);
  out.resize(dhcp_options_offset);
  return joined(std::move(out), octets(options));
}

void put(Octets& message, std::size_t at, std::string_view text) {
  const Octets o = octets(text);
  std::copy(o.begin(), o.end(), message.begin() + static_cast<std::ptrdiff_t>(at));
}

constexpr std::size_t sname = 44, file = 108;

TEST(Dhcp, KnownOctets) {
  DhcpMessage m;
  m.type = DhcpMessageType::Discover;
  m.xid = 0x3903f326;
  m.secs = 4;
  m.broadcast = true;
  m.chaddr = MacAddress{{0x02, 0, 0x5e, 0, 0x53, 0x01}};
  m.requested_address = Ipv4Address{10, 0, 0, 57};
  const Octets out = emit_dhcp(m);
  EXPECT_EQ(out.size(), 300U);
  EXPECT_EQ(Octets(out.begin(), out.begin() + 34),
            octets("01010600 3903f326 00048000 00000000 00000000 00000000 00000000 02005e005301"));
  EXPECT_EQ(Octets(out.begin() + 236, out.begin() + 250), octets("63825363 350101 32040a000039 ff"));
  EXPECT_EQ(parse_dhcp(out), m);
  EXPECT_EQ(describe_dhcp(m),
            "DHCPDISCOVER (option 53 = 1), xid 0x3903f326, 02:00:5e:00:53:01, broadcast flag, requested 10.0.0.57");
}

// RFC 2131 DHCP-22: PAD anywhere, END ends, any order.
TEST(Dhcp, PadAndEnd) {
  const auto m = parse_dhcp(reply("00 00 3604 0a000001 00 350102 ff 330400000e10"));
  ASSERT_TRUE(m);
  EXPECT_EQ(m->type, DhcpMessageType::Offer);
  EXPECT_EQ(m->server_id, (Ipv4Address{10, 0, 0, 1}));
  EXPECT_FALSE(m->lease_seconds) << "what follows END is not looked at";
  EXPECT_TRUE(parse_dhcp(reply("350102"))) << "a missing END is forgiven";
}

// RFC 2131 DHCP-22, RFC 3396: parts of one option over the options, file and sname fields, in this order.
TEST(Dhcp, OverloadAndSplitOptions) {
  Octets message = reply("340103 350105 0c02 6162 ff");
  put(message, file, "0c02 6364 330400000e10 ff");
  put(message, sname, "0c01 65 3604 0a000001 ff");
  const auto m = parse_dhcp(message);
  ASSERT_TRUE(m);
  EXPECT_EQ(m->type, DhcpMessageType::Ack);
  EXPECT_EQ(m->host_name, "abcde");
  EXPECT_EQ(m->lease_seconds, 3600U);
  EXPECT_EQ(m->server_id, (Ipv4Address{10, 0, 0, 1}));

  put(message, dhcp_options_offset, "340101");  // the file field only
  EXPECT_EQ(parse_dhcp(message)->host_name, "abcd");
  put(message, dhcp_options_offset, "340102");  // the sname field only
  EXPECT_EQ(parse_dhcp(message)->host_name, "abe");
}

// RFC 2131 DHCP-22, RFC 3396: above 255 octets an option is written in parts.
TEST(Dhcp, LongOptionsAreSplitAndJoined) {
  DhcpMessage m;
  m.type = DhcpMessageType::Ack;
  m.domain_name = std::string(600, 'x');
  const Octets out = emit_dhcp(m);
  EXPECT_EQ(out[dhcp_options_offset + 3], 15);
  EXPECT_EQ(out[dhcp_options_offset + 4], 255);
  EXPECT_EQ(parse_dhcp(out), m);
}

// RFC 2131 DHCP-23
TEST(Dhcp, MalformedMessages) {
  const Octets good = reply("350102 ff");
  for (std::size_t n = 0; n < dhcp_options_offset; ++n) {
    EXPECT_EQ(parse_dhcp(ByteView{good}.first(n)).error(), Error::Truncated) << n;
  }
  for (const auto& [at, what] : {std::pair{0, "03"}, {1, "06"}, {2, "10"}, {236, "63825362"}}) {
    Octets bad = good;
    put(bad, static_cast<std::size_t>(at), what);
    EXPECT_EQ(parse_dhcp(bad).error(), Error::Malformed) << at;
  }
  for (const char* options : {
           "350102 36",           // a code without its length
           "350102 3604 0a0000",  // runs past the end
           "35020202 ff",         // message type of two octets
           "350100 ff",
           "35010a ff",                  // unknown message type
           "3500 ff",                    // no octet at all
           "350102 3603 0a0000 ff",      // server identifier of three
           "350102 3305 0000000e10 ff",  // lease time of five
           "350102 3a02 0e10 ff",        // T1 of two
           "350102 3b08 00000e1000000e10 ff",
           "350102 0102 ffff ff",  // mask of two
           "350102 340104 ff",     // overload of four
           "350102 340100 ff",
       }) {
    EXPECT_EQ(parse_dhcp(reply(options)).error(), Error::Malformed) << options;
  }
  Octets overloaded = reply("340101 350102 ff");
  put(overloaded, file + 126, "0cff");  // behind PADs, runs out of the file field
  EXPECT_EQ(parse_dhcp(overloaded).error(), Error::Malformed);
}

// RFC 2131 DHCP-23: an option that is only nice to have does no harm when it is broken.
TEST(Dhcp, BrokenExtrasAreAsIfAbsent) {
  const auto m = parse_dhcp(reply("350105 0303 0a0000 0605 0a00000101 1a01 05 7905 21 0a000001 1c02 0a00 ff"));
  ASSERT_TRUE(m);
  EXPECT_TRUE(m->routers.empty() && m->dns_servers.empty() && m->classless_routes.empty());
  EXPECT_FALSE(m->mtu || m->broadcast_address);
}

// RFC 3442: destination descriptors carry only the significant octets.
TEST(Dhcp, ClasslessRoutes) {
  const auto m = parse_dhcp(reply("350105 7916 00 0a000001 18 0a0102 0a000002 20 0a030303 00000000 ff"));
  ASSERT_TRUE(m);
  const std::vector<ClasslessRoute> expected{{{Ipv4Address{}, 0}, Ipv4Address{10, 0, 0, 1}},
                                             {{Ipv4Address{10, 1, 2, 0}, 24}, Ipv4Address{10, 0, 0, 2}},
                                             {{Ipv4Address{10, 3, 3, 3}, 32}, Ipv4Address{}}};
  EXPECT_EQ(m->classless_routes, expected);
}

TEST(Dhcp, TextIsSafeToShow) {
  DhcpMessage m;
  m.type = DhcpMessageType::Nak;
  m.message = "no\x1b[31m";
  EXPECT_NE(describe_dhcp(m).find("\"no?[31m\""), std::string::npos);
  const auto trailing = parse_dhcp(reply("350105 0c05 6162000000 ff"));
  EXPECT_EQ(trailing->host_name, "ab") << "NULs at the end are no part of it";
}

std::string any_text(int longest) {
  const auto size = static_cast<std::size_t>(*rc::gen::inRange(0, longest));
  return *rc::gen::container<std::string>(size, rc::gen::inRange<char>(1, 127));
}

std::vector<Ipv4Address> any_addresses() {
  std::vector<Ipv4Address> out(static_cast<std::size_t>(*rc::gen::inRange(0, 80)));
  for (auto& a : out) a = arbitrary::ipv4_address();
  return out;
}

template <class T>
std::optional<T> maybe() {
  return arbitrary::any<bool>() ? std::optional{arbitrary::any<T>()} : std::nullopt;
}

std::optional<Ipv4Address> maybe_address() {
  return arbitrary::any<bool>() ? std::optional{arbitrary::ipv4_address()} : std::nullopt;
}

DhcpMessage any_message() {
  using arbitrary::any;
  DhcpMessage m;
  m.op = any<bool>() ? DhcpMessage::Op::Request : DhcpMessage::Op::Reply;
  m.hops = any<std::uint8_t>();
  m.xid = any<std::uint32_t>();
  m.secs = any<std::uint16_t>();
  m.broadcast = any<bool>();
  m.ciaddr = arbitrary::ipv4_address();
  m.yiaddr = arbitrary::ipv4_address();
  m.siaddr = arbitrary::ipv4_address();
  m.giaddr = arbitrary::ipv4_address();
  m.chaddr = arbitrary::mac();
  if (any<bool>()) m.type = static_cast<DhcpMessageType>(*rc::gen::inRange(1, 10));
  m.requested_address = maybe_address();
  m.server_id = maybe_address();
  m.lease_seconds = maybe<std::uint32_t>();
  m.renewal_seconds = maybe<std::uint32_t>();
  m.rebinding_seconds = maybe<std::uint32_t>();
  m.subnet_mask = maybe_address();
  m.broadcast_address = maybe_address();
  m.mtu = maybe<std::uint16_t>();
  m.max_message_size = maybe<std::uint16_t>();
  m.auto_configure = maybe<std::uint8_t>();
  m.routers = any_addresses();
  m.dns_servers = any_addresses();
  m.ntp_servers = any_addresses();
  m.classless_routes.resize(static_cast<std::size_t>(*rc::gen::inRange(0, 40)));
  for (auto& route : m.classless_routes) {
    route.destination = {arbitrary::ipv4_address(), static_cast<std::uint8_t>(*rc::gen::inRange(0, 33))};
    route.destination.address = route.destination.network();
    route.router = arbitrary::ipv4_address();
  }
  m.parameter_request_list = any<std::vector<std::uint8_t>>();
  m.client_id = any<std::vector<std::uint8_t>>();
  m.host_name = any_text(64);
  m.domain_name = any_text(700);
  m.vendor_class = any_text(40);
  m.message = any_text(300);
  return m;
}

RC_GTEST_PROP(Dhcp, ParsesWhatItEmits, ()) {
  const DhcpMessage m = any_message();
  const auto out = emit_dhcp(m);
  RC_ASSERT(out.size() >= dhcp_min_message);
  RC_ASSERT((parse_dhcp(out) == m));
}

}  // namespace
}  // namespace wireside::wire
