// Stream sockets over a real TCP layer: opening, transfer, half-close, errors, edges.
#include <gtest/gtest.h>

#include <set>

#include "two_sides.hpp"

namespace wireside {
namespace {

using testing::octets;
using testing::TwoSides;

std::string receive_text(SocketTable& table, Instant now, SocketHandle h) {
  std::array<std::uint8_t, 256> buffer{};
  const auto n = table.receive(now, h, buffer);
  if (!n) return std::string{errno_name(n.error())};
  return {reinterpret_cast<const char*>(buffer.data()), *n};
}

class StreamSocketTest : public ::testing::Test, public TwoSides {
 protected:
  SocketHandle stream(testing::Side& side) { return *side.sockets.open(SocketKind::Stream); }
};

TEST_F(StreamSocketTest, ConnectsTransfersAndReportsEdges) {
  const auto listener = stream(b);
  ASSERT_TRUE(b.sockets.bind(listener, {{}, Port{80}}).has_value());
  ASSERT_TRUE(b.sockets.listen(listener, 5).has_value());
  EXPECT_EQ(b.sockets.accept(listener).error(), Error::WouldBlock);
  const auto client = stream(a);
  EXPECT_EQ(a.sockets.connect(now, client, b.at(80)).error(), Error::InProgress);
  EXPECT_EQ(a.sockets.connect(now, client, b.at(80)).error(), Error::Already);
  pump();

  const auto e = a.sockets.poll_event();
  ASSERT_TRUE(e.has_value());
  EXPECT_EQ(e->socket, client);
  EXPECT_TRUE(e->connected);
  EXPECT_FALSE(a.sockets.poll_event().has_value());
  EXPECT_EQ(a.sockets.connect(now, client, b.at(80)).error(), Error::AlreadyConnected);

  EXPECT_TRUE(b.events_of(listener).readable);
  const auto accepted = b.sockets.accept(listener);
  ASSERT_TRUE(accepted.has_value());
  EXPECT_EQ(accepted->peer, *a.sockets.local_endpoint(client));
  EXPECT_EQ(*a.sockets.peer_endpoint(client), b.at(80));
  EXPECT_EQ(*b.sockets.local_endpoint(accepted->socket), b.at(80));

  EXPECT_EQ(*a.sockets.send(now, client, octets("hello")), 5U);
  pump();
  EXPECT_TRUE(b.events_of(accepted->socket).readable);
  EXPECT_EQ(receive_text(b.sockets, now, accepted->socket), "hello");
  EXPECT_EQ(receive_text(b.sockets, now, accepted->socket), "EAGAIN");
}

TEST_F(StreamSocketTest, UnconnectableAddressesFailAtOnceAndSendNothing) {  // RFC 9293 MUST-46
  const auto h = stream(a);
  for (const auto address :
       {Ipv4Address{}, Ipv4Address{255, 255, 255, 255}, Ipv4Address{10, 0, 0, 255}, Ipv4Address{224, 0, 0, 1}}) {
    EXPECT_EQ(a.sockets.connect(now, h, {address, Port{80}}).error(), Error::InvalidArgument) << address.to_string();
  }
  EXPECT_EQ(a.sockets.connect(now, h, b.at(0)).error(), Error::InvalidArgument);
  EXPECT_EQ(a.sockets.connect(now, h, {Ipv4Address{192, 0, 2, 1}, Port{80}}).error(), Error::NetworkUnreachable);
  tcp::OutgoingSegment out;
  EXPECT_FALSE(a.tcp.poll_segment(now, out));
}

TEST_F(StreamSocketTest, LocalAddressIsChosenBeforeTheSyn) {  // RFC 9293 MUST-44, MUST-45
  const auto h = stream(a);
  ASSERT_EQ(a.sockets.connect(now, h, b.at(80)).error(), Error::InProgress);
  EXPECT_EQ(a.sockets.local_endpoint(h)->address, IpAddress{a.address});
  EXPECT_FALSE(a.sockets.local_endpoint(h)->port.is_unspecified());
}

TEST_F(StreamSocketTest, RefusedConnectionFailsWithTheErrorOnceAndMayBeRepeated) {
  const auto h = stream(a);
  ASSERT_EQ(a.sockets.connect(now, h, b.at(81)).error(), Error::InProgress);
  pump();
  const auto e = a.events_of(h);
  EXPECT_TRUE(e.failed);
  EXPECT_FALSE(e.connected);
  EXPECT_EQ(e.error, Error::ConnectionRefused);
  EXPECT_EQ(a.sockets.take_error(h), Error::ConnectionRefused);
  EXPECT_FALSE(a.sockets.take_error(h).has_value());
  const auto listener = stream(b);
  ASSERT_TRUE(b.sockets.bind(listener, {{}, Port{81}}).has_value());
  ASSERT_TRUE(b.sockets.listen(listener, 1).has_value());
  EXPECT_EQ(a.sockets.connect(now, h, b.at(81)).error(), Error::InProgress);
  pump();
  EXPECT_TRUE(a.events_of(h).connected);
}

TEST_F(StreamSocketTest, NetworkErrorEndsAnAttempt) {
  const auto h = stream(a);
  cut = true;
  ASSERT_EQ(a.sockets.connect(now, h, b.at(80)).error(), Error::InProgress);
  pump();
  a.tcp.network_error(now, {*a.sockets.local_endpoint(h), b.at(80)}, std::nullopt, Error::HostUnreachable, true);
  EXPECT_EQ(a.events_of(h).error, Error::HostUnreachable);
}

TEST_F(StreamSocketTest, HalfCloseDeliversEofAndTheOtherDirectionGoesOn) {
  const auto [client, server] = connected();
  ASSERT_TRUE(a.sockets.shutdown(now, client, Shutdown::Send).has_value());
  pump();
  EXPECT_TRUE(b.events_of(server).readable);
  EXPECT_EQ(receive_text(b.sockets, now, server), "");
  EXPECT_EQ(a.sockets.send(now, client, octets("x")).error(), Error::BrokenPipe);
  EXPECT_EQ(*b.sockets.send(now, server, octets("still")), 5U);
  pump();
  EXPECT_EQ(receive_text(a.sockets, now, client), "still");
}

TEST_F(StreamSocketTest, ShutdownReceiveReadsAsEof) {
  const auto [client, server] = connected();
  a.events_of(client);
  ASSERT_TRUE(a.sockets.shutdown(now, client, Shutdown::Receive).has_value());
  EXPECT_TRUE(a.events_of(client).readable);
  EXPECT_TRUE(a.sockets.is_readable(client));
  EXPECT_EQ(receive_text(a.sockets, now, client), "");
}

TEST_F(StreamSocketTest, ClosedHandleIsDeadButItsDataStillArrives) {
  const auto [client, server] = connected();
  ASSERT_TRUE(a.sockets.send(now, client, octets("last words")).has_value());
  ASSERT_TRUE(a.sockets.close(now, client).has_value());
  EXPECT_EQ(a.sockets.send(now, client, octets("x")).error(), Error::BadHandle);
  EXPECT_EQ(a.sockets.close(now, client).error(), Error::BadHandle);
  pump();
  EXPECT_EQ(receive_text(b.sockets, now, server), "last words");
  EXPECT_EQ(receive_text(b.sockets, now, server), "");
  EXPECT_FALSE(a.sockets.poll_event().has_value());  // nobody is left to tell
}

TEST_F(StreamSocketTest, AbortResetsThePeer) {
  const auto [client, server] = connected();
  ASSERT_TRUE(a.sockets.abort(now, client).has_value());
  pump();
  const auto e = b.events_of(server);
  EXPECT_TRUE(e.failed);
  EXPECT_EQ(e.error, Error::ConnectionReset);
  EXPECT_EQ(receive_text(b.sockets, now, server), "ECONNRESET");
  EXPECT_FALSE(b.sockets.take_error(server).has_value());  // the call told it already
}

TEST_F(StreamSocketTest, BindConflicts) {
  const auto first = stream(b);
  ASSERT_TRUE(b.sockets.bind(first, {{}, Port{80}}).has_value());
  EXPECT_EQ(b.sockets.bind(first, {{}, Port{81}}).error(), Error::InvalidArgument);
  const auto second = stream(b);
  EXPECT_EQ(b.sockets.bind(second, b.at(80)).error(), Error::AddressInUse);
  EXPECT_EQ(b.sockets.bind(second, a.at(82)).error(), Error::AddressNotAvailable);
  ASSERT_TRUE(b.sockets.listen(first, 1).has_value());
  EXPECT_EQ(b.sockets.bind(second, {{}, Port{80}}).error(), Error::AddressInUse);
  // UDP has ports of its own.
  EXPECT_TRUE(b.sockets.bind(*b.sockets.open(SocketKind::Datagram), {{}, Port{80}}).has_value());
  ASSERT_TRUE(b.sockets.close(now, first).has_value());
  EXPECT_TRUE(b.sockets.bind(second, {{}, Port{80}}).has_value());
  EXPECT_TRUE(b.sockets.listen(second, 1).has_value());
}

// SO_REUSEADDR: different addresses, and both ask.
TEST_F(StreamSocketTest, ReuseAddressSharesAPortBetweenTheWildcardAndAnAddress) {
  tcp::ConnectionOptions reuse;
  reuse.reuse_address = true;
  const auto bound = [&](Endpoint local, const tcp::ConnectionOptions& options) {
    const auto h = stream(b);
    EXPECT_TRUE(b.sockets.set_stream_options(now, h, options).has_value());
    return b.sockets.bind(h, local).has_value() ? h : SocketHandle{};
  };
  const auto wildcard = bound({{}, Port{80}}, reuse);
  EXPECT_FALSE(bound(b.at(80), {}).is_valid());
  EXPECT_FALSE(bound({{}, Port{80}}, reuse).is_valid());
  const auto specific = bound(b.at(80), reuse);
  ASSERT_TRUE(wildcard.is_valid() && specific.is_valid());
  ASSERT_TRUE(b.sockets.listen(wildcard, 5).has_value());
  ASSERT_TRUE(b.sockets.listen(specific, 5).has_value());
  EXPECT_EQ(a.sockets.connect(now, stream(a), b.at(80)).error(), Error::InProgress);
  pump();
  EXPECT_EQ(b.sockets.accept(wildcard).error(), Error::WouldBlock);
  EXPECT_TRUE(b.sockets.accept(specific).has_value());
}

// SO_REUSEPORT: the same endpoint, if all ask.
TEST_F(StreamSocketTest, ReusePortSharesAnEndpointBetweenListeners) {
  tcp::ConnectionOptions reuse;
  reuse.reuse_port = true;
  std::vector<SocketHandle> listeners;
  for (int i = 0; i < 2; ++i) {
    const auto h = stream(b);
    ASSERT_TRUE(b.sockets.set_stream_options(now, h, reuse).has_value());
    ASSERT_TRUE(b.sockets.bind(h, {{}, Port{80}}).has_value());
    ASSERT_TRUE(b.sockets.listen(h, 100).has_value());
    listeners.push_back(h);
  }
  EXPECT_EQ(b.sockets.bind(stream(b), {{}, Port{80}}).error(), Error::AddressInUse);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(a.sockets.connect(now, stream(a), b.at(80)).error(), Error::InProgress);
  }
  pump();
  std::size_t total = 0;
  for (const auto h : listeners) {
    std::size_t accepted = 0;
    while (b.sockets.accept(h)) ++accepted;
    EXPECT_GT(accepted, 5U);
    total += accepted;
  }
  EXPECT_EQ(total, 40U);
}

// RFC 9293 MUST-42: what remains of old connections does not keep a port from being bound and listened on.
TEST_F(StreamSocketTest, TimeWaitDoesNotHinderBinding) {
  const auto [client, server] = connected();
  ASSERT_TRUE(b.sockets.close(now, server).has_value());
  pump();
  ASSERT_TRUE(a.sockets.close(now, client).has_value());
  pump();
  ASSERT_EQ(b.tcp.list().size(), 1U);
  EXPECT_EQ(b.tcp.list()[0].state, TcpState::TimeWait);
  const auto again = stream(b);
  EXPECT_TRUE(b.sockets.bind(again, b.at(80)).has_value());
  EXPECT_TRUE(b.sockets.listen(again, 1).has_value());
}

// RFC 7413: both sides, the second connection without waiting for the handshake.
TEST_F(StreamSocketTest, FirstDataGoesWithTheSecondSyn) {
  tcp::ConnectionOptions server, client;
  server.fast_open_queue = 4;
  client.fast_open = true;
  const auto listener = stream(b);
  ASSERT_TRUE(b.sockets.set_stream_options(now, listener, server).has_value());
  ASSERT_TRUE(b.sockets.bind(listener, {{}, Port{80}}).has_value());
  ASSERT_TRUE(b.sockets.listen(listener, 5).has_value());
  const auto exchange = [&] {
    const auto c = stream(a);
    EXPECT_TRUE(a.sockets.set_stream_options(now, c, client).has_value());
    EXPECT_EQ(a.sockets.connect(now, c, b.at(80), octets("question")).error(), Error::InProgress);
    pump();
    EXPECT_TRUE(a.events_of(c).connected);
    const auto s = b.sockets.accept(listener);
    ASSERT_TRUE(s.has_value());
    EXPECT_EQ(receive_text(b.sockets, now, s->socket), "question");
    EXPECT_EQ(*b.sockets.send(now, s->socket, octets("answer")), 6U);
    pump();
    EXPECT_EQ(receive_text(a.sockets, now, c), "answer");
  };
  exchange();
  EXPECT_EQ(a.sink.count.fast_open_active, 0U);
  exchange();
  EXPECT_EQ(a.sink.count.fast_open_active, 1U);
  EXPECT_EQ(b.sink.count.fast_open_passive, 1U);
}

TEST_F(StreamSocketTest, FirstDataIsForStreams) {
  const auto datagram = *a.sockets.open(SocketKind::Datagram);
  EXPECT_EQ(a.sockets.connect(now, datagram, b.at(53), octets("x")).error(), Error::NotSupported);
}

TEST_F(StreamSocketTest, PortZeroPicksSpreadPorts) {  // PORT-01, RFC 6056
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 100; ++i) {
    const auto h = stream(b);
    ASSERT_TRUE(b.sockets.bind(h, {}).has_value());
    EXPECT_TRUE(ports.insert(b.sockets.local_endpoint(h)->port.value).second);
  }
  EXPECT_GT(*ports.rbegin() - *ports.begin(), 8000);
}

TEST_F(StreamSocketTest, OptionsSetBeforeConnectAndListenAreAppliedAndInherited) {
  tcp::ConnectionOptions options;
  options.no_delay = true;
  options.ttl = 9;
  const auto listener = stream(b);
  ASSERT_TRUE(b.sockets.set_stream_options(now, listener, options).has_value());
  ASSERT_TRUE(b.sockets.bind(listener, {{}, Port{80}}).has_value());
  ASSERT_TRUE(b.sockets.listen(listener, 4).has_value());
  const auto connect = [&] {
    const auto client = stream(a);
    EXPECT_EQ(a.sockets.connect(now, client, b.at(80)).error(), Error::InProgress);
    pump();
    return b.sockets.accept(listener)->socket;
  };
  EXPECT_EQ(*b.sockets.stream_options(connect()), options);
  options.ttl = 10;  // after listen(): for those accepted from now on
  ASSERT_TRUE(b.sockets.set_stream_options(now, listener, options).has_value());
  const auto accepted = connect();
  EXPECT_EQ(b.sockets.stream_options(accepted)->ttl, 10);
  ASSERT_TRUE(b.sockets.send(now, accepted, octets("x")).has_value());
  tcp::OutgoingSegment out;
  ASSERT_TRUE(b.tcp.poll_segment(now, out));
  EXPECT_EQ(out.ttl, 10);
}

TEST_F(StreamSocketTest, ListenerIsReadableWhileSomethingWaits) {
  const auto listener = stream(b);
  ASSERT_TRUE(b.sockets.bind(listener, {{}, Port{80}}).has_value());
  ASSERT_TRUE(b.sockets.listen(listener, 5).has_value());
  EXPECT_FALSE(b.sockets.is_readable(listener));
  EXPECT_EQ(b.sockets.status(listener)->state, TcpState::Listen);
  std::ignore = a.sockets.connect(now, stream(a), b.at(80));
  pump();
  EXPECT_TRUE(b.sockets.is_readable(listener));
  EXPECT_TRUE(b.sockets.accept(listener).has_value());
  EXPECT_FALSE(b.sockets.is_readable(listener));
}

TEST_F(StreamSocketTest, DataThatCameBeforeAcceptIsReported) {
  const auto listener = stream(b);
  ASSERT_TRUE(b.sockets.bind(listener, {{}, Port{80}}).has_value());
  ASSERT_TRUE(b.sockets.listen(listener, 5).has_value());
  const auto client = stream(a);
  std::ignore = a.sockets.connect(now, client, b.at(80));
  pump();
  ASSERT_TRUE(a.sockets.send(now, client, octets("early")).has_value());
  pump();
  b.events_of(listener);
  const auto accepted = b.sockets.accept(listener)->socket;
  EXPECT_TRUE(b.events_of(accepted).readable);
  EXPECT_EQ(receive_text(b.sockets, now, accepted), "early");
}

TEST_F(StreamSocketTest, CallsThatDoNotFitAreRefused) {
  const auto h = stream(a);
  EXPECT_EQ(a.sockets.send(now, h, octets("x")).error(), Error::NotConnected);
  EXPECT_EQ(receive_text(a.sockets, now, h), "ENOTCONN");
  EXPECT_EQ(a.sockets.shutdown(now, h, Shutdown::Both).error(), Error::NotConnected);
  EXPECT_EQ(a.sockets.accept(h).error(), Error::InvalidArgument);
  EXPECT_EQ(a.sockets.send_to(now, h, octets("x"), b.at(1)).error(), Error::NotSupported);
  EXPECT_EQ(a.sockets.peer_endpoint(h).error(), Error::NotConnected);
  EXPECT_EQ(a.sockets.local_endpoint(SocketHandle{}).error(), Error::BadHandle);
  const auto d = *a.sockets.open(SocketKind::Datagram);
  EXPECT_EQ(a.sockets.listen(d, 1).error(), Error::NotSupported);
}

TEST_F(StreamSocketTest, FullSendBufferBlocksAndBecomesWritableAgain) {
  const auto [client, server] = connected();
  a.events_of(client);
  tcp::ConnectionOptions options = *a.sockets.stream_options(client);
  options.send_buffer = 10000;
  ASSERT_TRUE(a.sockets.set_stream_options(now, client, options).has_value());
  const std::string block(4000, 'x');
  std::size_t sent = 0;
  for (auto n = a.sockets.send(now, client, octets(block)); n; n = a.sockets.send(now, client, octets(block))) {
    sent += *n;
    ASSERT_LE(sent, 10000U);
  }
  EXPECT_EQ(sent, 10000U);
  EXPECT_FALSE(a.sockets.is_writable(client));
  EXPECT_FALSE(a.sockets.poll_event().has_value());
  wait(1s);
  EXPECT_TRUE(a.events_of(client).writable);
  EXPECT_TRUE(a.sockets.is_writable(client));
}

}  // namespace
}  // namespace wireside
