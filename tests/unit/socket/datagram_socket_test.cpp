// Datagram and echo sockets through the socket table.
#include <gtest/gtest.h>

#include "two_sides.hpp"

namespace wireside {
namespace {

using testing::octets;
using testing::TwoSides;

class DatagramSocketTest : public ::testing::Test, public TwoSides {
 protected:
  SocketHandle open(testing::Side& side, std::uint16_t port, SocketKind kind = SocketKind::Datagram) {
    const auto h = *side.sockets.open(kind);
    if (port != 0) {
      EXPECT_TRUE(side.sockets.bind(h, {{}, Port{port}}).has_value());
    }
    return h;
  }
  std::array<std::uint8_t, 64> buffer{};
};

TEST_F(DatagramSocketTest, SendsReceivesAndAnswers) {
  const auto server = open(b, 53);
  const auto client = open(a, 0);
  EXPECT_EQ(*a.sockets.send_to(now, client, octets("query"), b.at(53)), 5U);
  pump();
  EXPECT_TRUE(b.events_of(server).readable);
  const auto got = b.sockets.receive_from(server, buffer);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->octets, 5U);
  EXPECT_EQ(got->to, IpAddress{b.address});
  EXPECT_EQ(got->from.port, a.sockets.local_endpoint(client)->port);
  ASSERT_TRUE(b.sockets.send_to(now, server, octets("answer"), got->from).has_value());
  pump();
  EXPECT_EQ(*a.sockets.receive(now, client, buffer), 6U);
}

TEST_F(DatagramSocketTest, TruncationIsTold) {  // UDP-10
  const auto server = open(b, 53);
  ASSERT_TRUE(a.sockets.send_to(now, open(a, 0), octets(std::string(100, 'x')), b.at(53)).has_value());
  pump();
  const auto got = b.sockets.receive_from(server, buffer);
  EXPECT_EQ(got->octets, 64U);
  EXPECT_EQ(got->full_length, 100U);
  EXPECT_EQ(b.sockets.receive_from(server, buffer).error(), Error::WouldBlock);  // the rest is gone
}

TEST_F(DatagramSocketTest, BroadcastNeedsPermission) {
  const auto h = open(a, 0);
  const Endpoint everybody{Ipv4Address{10, 0, 0, 255}, Port{9}};
  EXPECT_EQ(a.sockets.send_to(now, h, octets("x"), everybody).error(), Error::PermissionDenied);
  EXPECT_EQ(a.sockets.connect(now, h, everybody).error(), Error::PermissionDenied);
  ASSERT_TRUE(a.sockets.set_datagram_options(h, {.broadcast = true}).has_value());
  EXPECT_TRUE(a.sockets.send_to(now, h, octets("x"), everybody).has_value());
}

TEST_F(DatagramSocketTest, ConnectedSocketLearnsThatNobodyListens) {  // UDP-05
  const auto h = open(a, 0);
  ASSERT_TRUE(a.sockets.connect(now, h, b.at(9)).has_value());
  ASSERT_TRUE(a.sockets.send(now, h, octets("x")).has_value());
  pump();
  EXPECT_TRUE(a.events_of(h).readable);
  EXPECT_EQ(a.sockets.take_error(h), Error::ConnectionRefused);
  EXPECT_FALSE(a.sockets.take_error(h).has_value());
}

TEST_F(DatagramSocketTest, ConnectToUnspecifiedDissolves) {  // UDP-11
  const auto h = open(a, 0);
  EXPECT_EQ(a.sockets.send(now, h, octets("x")).error(), Error::NotConnected);
  ASSERT_TRUE(a.sockets.connect(now, h, b.at(9)).has_value());
  EXPECT_EQ(a.sockets.local_endpoint(h)->address, IpAddress{a.address});
  ASSERT_TRUE(a.sockets.connect(now, h, {}).has_value());
  EXPECT_EQ(a.sockets.send(now, h, octets("x")).error(), Error::NotConnected);
  EXPECT_TRUE(a.sockets.local_endpoint(h)->address.is_unspecified());
}

TEST_F(DatagramSocketTest, UnusableDestinations) {
  const auto h = open(a, 0);
  EXPECT_EQ(a.sockets.send_to(now, h, octets("x"), b.at(0)).error(), Error::InvalidArgument);
  EXPECT_EQ(a.sockets.send_to(now, h, octets("x"), {{}, Port{9}}).error(), Error::InvalidArgument);
  EXPECT_EQ(a.sockets.send_to(now, h, octets("x"), {Ipv4Address{192, 0, 2, 1}, Port{9}}).error(),
            Error::NetworkUnreachable);
  EXPECT_EQ(a.sockets.send_to(now, h, octets(std::string(70000, 'x')), b.at(9)).error(), Error::MessageTooLong);
}

TEST_F(DatagramSocketTest, ShutdownEndsEitherDirection) {
  const auto h = open(a, 0);
  EXPECT_EQ(a.sockets.shutdown(now, h, Shutdown::Both).error(), Error::NotConnected);
  ASSERT_TRUE(a.sockets.connect(now, h, b.at(9)).has_value());
  ASSERT_TRUE(a.sockets.shutdown(now, h, Shutdown::Both).has_value());
  EXPECT_EQ(a.sockets.send(now, h, octets("x")).error(), Error::BrokenPipe);
  EXPECT_EQ(*a.sockets.receive(now, h, buffer), 0U);
}

TEST_F(DatagramSocketTest, EchoSocketGetsItsReplies) {
  const auto h = open(a, 0, SocketKind::Echo);
  ASSERT_TRUE(a.sockets.set_datagram_options(h, {.ttl = 32, .echo_sequence = 5}).has_value());
  ASSERT_TRUE(a.sockets.send_to(now, h, octets("ping"), b.at(0)).has_value());
  EXPECT_EQ(a.sockets.datagram_options(h)->echo_sequence, 6);
  pump();
  const auto got = a.sockets.receive_from(h, buffer);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->echo_sequence, 5);
  EXPECT_EQ(got->octets, 4U);
  EXPECT_EQ(got->from.address, IpAddress{b.address});
}

TEST_F(DatagramSocketTest, PortsAreSharedByThoseWhoAsk) {  // SO_REUSEPORT
  std::vector<SocketHandle> sharing;
  for (int i = 0; i < 3; ++i) {
    sharing.push_back(*b.sockets.open(SocketKind::Datagram));
    auto options = *b.sockets.datagram_options(sharing.back());
    options.reuse_port = true;
    ASSERT_TRUE(b.sockets.set_datagram_options(sharing.back(), options).has_value());
    EXPECT_TRUE(b.sockets.datagram_options(sharing.back())->reuse_port);
    ASSERT_TRUE(b.sockets.bind(sharing.back(), b.at(53)).has_value());
  }
  const auto alone = *b.sockets.open(SocketKind::Datagram);
  EXPECT_EQ(b.sockets.bind(alone, b.at(53)).error(), Error::AddressInUse);
}

TEST_F(DatagramSocketTest, OptionsAreKept) {
  const auto h = open(a, 0);
  const DatagramOptions options{.ttl = 2,
                                .tos = 8,
                                .broadcast = true,
                                .mtu_discovery = PathMtuDiscovery::Do,
                                .report_errors = true,
                                .receive_buffer = 999};
  ASSERT_TRUE(a.sockets.set_datagram_options(h, options).has_value());
  const auto got = *a.sockets.datagram_options(h);
  EXPECT_EQ(got.ttl, 2);
  EXPECT_EQ(got.tos, 8);
  EXPECT_TRUE(got.broadcast);
  EXPECT_EQ(got.mtu_discovery, PathMtuDiscovery::Do);
  EXPECT_EQ(got.receive_buffer, 999U);
  EXPECT_EQ(a.sockets.set_datagram_options(h, {.ttl = 0}).error(), Error::InvalidArgument);
  EXPECT_EQ(a.sockets.stream_options(h).error(), Error::NotSupported);
}

}  // namespace
}  // namespace wireside
