// Listeners: backlog, half-open records, several connections (RFC 9293 section 3.10.1, MUST-41, MUST-42; RFC 4987).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

TEST(TcpListen, PortZeroIsInvalid) {
  TcpPeer t;
  const auto r = t.layer().listen({Ipv4Address{10, 0, 0, 2}, Port{0}}, 1, {});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error(), Error::InvalidArgument);
}

TEST(TcpListen, SecondListenerOnTheSameEndpointIsRefused) {
  TcpPeer t;
  t.listen();
  const auto r = t.layer().listen(t.tuple().local, 1, {});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error(), Error::AddressInUse);
}

// RFC 9293 MUST-43: a listener bound to an address comes before one on the wildcard.
TEST(TcpListen, BoundAddressIsMoreSpecificThanTheWildcard) {
  TcpPeer t;
  const auto wildcard = t.layer().listen({IpAddress{}, Port{TcpPeer::our_port}}, 1, {});
  ASSERT_TRUE(wildcard);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  EXPECT_TRUE(t.layer().accept(*wildcard));
  t.listen();
  t.use_port(40001);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  EXPECT_EQ(t.layer().accept(*wildcard).error(), Error::WouldBlock);
  t.accept();
}

TEST(TcpListen, AcceptWithNothingWaitingWouldBlock) {
  TcpPeer t;
  t.listen();
  EXPECT_EQ(t.layer().accept(t.listener()).error(), Error::WouldBlock);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  EXPECT_EQ(t.layer().accept(t.listener()).error(), Error::WouldBlock);  // half open is not enough
}

// RFC 9293 MUST-41: a new passive open does not disturb existing connections.
TEST(TcpListen, NewListenerDoesNotDisturbConnections) {
  TcpPeer t;
  t.establish();
  t.layer().close_listener(t.now(), t.listener());
  t.collect();
  t.listen();
  t.send(10);
  t.out("P. 1+10");
  t.in("P. 1+10 ack 11");
  t.read_exactly(10);
  t.ignore_rest();
}

TEST(TcpListen, ManyConnectionsAtOnce) {
  TcpPeer t;
  t.listen(1000);
  std::vector<tcp::ConnectionHandle> handles;
  for (std::uint16_t i = 0; i < 500; ++i) {
    t.use_port(static_cast<std::uint16_t>(20000 + i));
    t.establish();
    handles.push_back(t.handle());
  }
  for (std::uint16_t i = 0; i < 500; ++i) {
    t.use_port(static_cast<std::uint16_t>(20000 + i));
    t.use_handle(handles[i]);
    t.send(10);
    t.out("P. 1+10 ack 1");
    t.in("F. 1 ack 11");
    t.out(". 11 ack 2");
    t.close();
    t.out("F. 11 ack 2");
    t.in(". 2 ack 12");
    t.gone();
  }
  EXPECT_TRUE(t.layer().list().empty());
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

// RFC 4987 SYNF-03: beyond the backlog nothing is reset; the client tries again.
TEST(TcpListen, FullBacklogDropsSilently) {
  TcpPeer t;
  t.listen(2);
  for (std::uint16_t port = 40001; port <= 40002; ++port) {
    t.use_port(port);
    t.in("S 0 <mss 1460>");
    t.out("S. 0 ack 1");
    t.in(". 1 ack 1");
  }
  t.use_port(40003);
  t.in("S 0 <mss 1460>");
  t.nothing();
  t.use_port(40001);
  t.accept();
  t.use_port(40003);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  t.nothing();
}

TEST(TcpListen, HandshakeAckBeyondTheBacklogIsNotReset) {  // RFC 4987 SYNF-03
  TcpPeer t;
  t.listen(1);
  for (std::uint16_t port = 40001; port <= 40002; ++port) {
    t.use_port(port);
    t.in("S 0 <mss 1460>");
    t.out("S. 0 ack 1");
  }
  t.use_port(40001);
  t.in(". 1 ack 1");
  t.use_port(40002);
  t.in(". 1 ack 1");
  t.nothing();
  t.use_port(40001);
  t.accept();
  t.use_port(40002);
  t.in("P. 1+10 ack 1");  // the client's first data
  t.accept();
  t.read_exactly(10);
  t.ignore_rest();
}

// RFC 4987 SYNF-01: a SYN flood takes bounded memory, and a newcomer still gets in.
TEST(TcpListen, SynFloodIsBounded) {
  PeerSetup s;
  s.config.max_syn_queue = 64;
  TcpPeer t{s};
  t.listen();
  for (std::uint16_t i = 0; i < 5000; ++i) {
    t.use_port(static_cast<std::uint16_t>(1024 + i));
    t.in("S 0 <mss 1460>");
  }
  EXPECT_LE(t.layer().list().size(), 64U);
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
  t.discard();
  t.use_port(60000);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  t.ignore_rest();
}

TEST(TcpListen, ClosingTheListenerResetsWhatWaits) {
  TcpPeer t;
  t.listen();
  t.use_port(40001);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.use_port(40002);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.layer().close_listener(t.now(), t.listener());
  t.collect();
  EXPECT_EQ(t.pending(), 2U);
  t.use_port(40001);
  t.out("R. 1 ack 1");
  t.use_port(40002);
  t.out("R. 1 ack 1");
  EXPECT_TRUE(t.layer().list().empty());
  t.use_port(40003);
  t.in("S 0 <mss 1460>");
  t.out("R. 0 ack 1");
}

TEST(TcpListen, AcceptedConnectionSurvivesItsListener) {
  TcpPeer t;
  t.establish();
  t.layer().close_listener(t.now(), t.listener());
  t.collect();
  t.nothing();
  t.in("P. 1+10 ack 1");
  t.read_exactly(10);
  t.ignore_rest();
}

TEST(TcpListen, ConnectionResetBeforeAcceptIsNotHandedOut) {
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.in("R 1");
  EXPECT_EQ(t.layer().accept(t.listener()).error(), Error::WouldBlock);
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

TEST(TcpListen, DataBeforeAcceptIsReadableAfterIt) {
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("P. 1+100 ack 1");
  t.in("F. 101 ack 1");
  t.accept();
  t.event(EventKind::Readable);
  t.read_exactly(100);
  t.eof();
  t.ignore_rest();
}

TEST(TcpListen, OptionsAreInherited) {
  TcpPeer t;
  ConnectionOptions o;
  o.no_delay = true;
  o.user_timeout = 33s;
  o.congestion = tcp::CongestionAlgorithm::NewReno;
  o.pacing = tcp::Pacing::Off;
  t.establish("<mss 1460>", o);
  const auto got = t.layer().options(t.handle());
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, o);
}

}  // namespace
}  // namespace wireside::testing
