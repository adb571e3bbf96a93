// Listeners that wait for data (TCP_DEFER_ACCEPT), that share an endpoint (SO_REUSEPORT), and a socket that connects to
// itself (RFC 9293 section 3.5, simultaneous open).
#include <gtest/gtest.h>

#include <set>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

// ----------------------------------------------------------------------------------------------------- defer_accept

ConnectionOptions deferring(Duration longest) {
  ConnectionOptions o;
  o.defer_accept = longest;
  return o;
}

TEST(TcpDeferAccept, HandsTheConnectionOutWithItsFirstData) {
  TcpPeer t;
  t.listen(16, deferring(10s));
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.wait(20ms);
  t.in(". 1 ack 1");
  t.silence(5s);  // the client has answered: the SYN-ACK is not repeated
  t.no_event(EventKind::AcceptReady);
  EXPECT_EQ(t.layer().accept(t.listener()).error(), Error::WouldBlock);
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
  t.in("P. 1+100 ack 1");
  t.event(EventKind::AcceptReady);
  t.accept();
  t.read_exactly(100);
  EXPECT_EQ(t.status().srtt, 20ms);  // measured with the handshake, not with the data
  t.ignore_rest();
}

TEST(TcpDeferAccept, AFinIsAsGoodAsData) {
  TcpPeer t;
  t.listen(16, deferring(10s));
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
  t.accept();
  t.eof();
}

TEST(TcpDeferAccept, EndsAfterItsTime) {
  TcpPeer t;
  t.listen(16, deferring(10s));
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.out_after(10s, "S. 0 ack 1");  // asks again
  t.in(". 1 ack 1");
  t.event(EventKind::AcceptReady);
  t.accept();
  t.state(TcpState::Established);
}

TEST(TcpDeferAccept, AClientThatIsGoneIsForgotten) {
  TcpPeer t;
  t.listen(16, deferring(10s));
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.wait(10min);
  EXPECT_GE(t.discard(), 3U);
  t.gone();
}

TEST(TcpDeferAccept, ASynAckIsRepeatedUntilItIsAnswered) {
  TcpPeer t;
  t.listen(16, deferring(10s));
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.out_after(1s, "S. 0 ack 1");
  t.in("P. 1+10 ack 1");
  t.accept();
  t.read_exactly(10);
  t.ignore_rest();
}

// ------------------------------------------------------------------------------------------------------- reuse_port

TEST(TcpReusePort, ListenersShareAnEndpointByFourTuple) {
  TcpPeer t;
  ConnectionOptions sharing;
  sharing.reuse_port = true;
  constexpr std::size_t listeners = 4;
  std::vector<tcp::ListenerHandle> handles;
  for (std::size_t i = 0; i < listeners; ++i) {
    const auto h = t.layer().listen(t.tuple().local, 1000, sharing);
    ASSERT_TRUE(h);
    handles.push_back(*h);
  }
  for (std::uint16_t port = 20000; port < 20400; ++port) {
    t.use_port(port);
    t.in("S 0 <mss 1460>");
    t.out("S. 0 ack 1");
    t.in(". 1 ack 1");
  }
  std::size_t total = 0;
  for (const auto h : handles) {
    std::size_t accepted = 0;
    while (t.layer().accept(h)) ++accepted;
    EXPECT_GT(accepted, 60U);  // 100 expected, standard deviation 9
    total += accepted;
  }
  EXPECT_EQ(total, 400U);
}

TEST(TcpReusePort, EveryListenerMustAsk) {
  ConnectionOptions sharing;
  sharing.reuse_port = true;
  for (const bool first_asks : {false, true}) {
    TcpPeer t;
    ASSERT_TRUE(t.layer().listen(t.tuple().local, 1, first_asks ? sharing : ConnectionOptions{}));
    const auto second = t.layer().listen(t.tuple().local, 1, first_asks ? ConnectionOptions{} : sharing);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), Error::AddressInUse);
  }
}

TEST(TcpReusePort, TheOthersGoOnWhenOneCloses) {
  TcpPeer t;
  ConnectionOptions sharing;
  sharing.reuse_port = true;
  const auto first = t.layer().listen(t.tuple().local, 100, sharing);
  const auto second = t.layer().listen(t.tuple().local, 100, sharing);
  ASSERT_TRUE(first && second);
  t.layer().close_listener(t.now(), *first);
  for (std::uint16_t port = 20000; port < 20020; ++port) {
    t.use_port(port);
    t.in("S 0 <mss 1460>");
    t.out("S. 0 ack 1");
    t.in(". 1 ack 1");
    EXPECT_TRUE(t.layer().accept(*second));
  }
  t.layer().close_listener(t.now(), *second);
  t.use_port(20100);
  t.in("S 0 <mss 1460>");
  t.out("R. 0 ack 1");
}

// ------------------------------------------------------------------------------------------------------ self-connect

/// A layer whose segments come back to it.
struct Mirror {
  Random random{make_seed(1)};
  BufferPool pool;
  observe::Sink sink;
  tcp::TcpLayer layer{tcp::TcpConfig{}, random, pool, sink};
  Instant now = Instant::from_ns(0) + 1h;

  Mirror() { layer.set_limits(1460, 1460); }
  void run() {
    tcp::OutgoingSegment out;
    for (int i = 0; i < 1000 && layer.poll_segment(now, out); ++i) {
      tcp::IncomingSegment in;
      in.tuple = {out.tuple.remote, out.tuple.local};
      in.header = out.header;
      std::vector<std::uint8_t> octets(out.payload.octets());
      out.payload.copy_to(0, octets);
      if (!octets.empty()) in.payload = pool.copy(octets);
      layer.segment_arrives(now, in);
    }
  }
};

// RFC 9293 MUST-10: the SYN crosses itself.
TEST(TcpSelfConnect, ASocketMayConnectToItself) {
  Mirror m;
  const Endpoint self{IpAddress{Ipv4Address{10, 0, 0, 2}}, Port{5000}};
  const auto h = m.layer.connect(m.now, {self, self}, {});
  ASSERT_TRUE(h);
  m.run();
  EXPECT_EQ(m.layer.status(*h)->state, TcpState::Established);
  const auto sent = pattern_octets(ours_to_peer, 0, 5000);
  ASSERT_EQ(m.layer.send(m.now, *h, sent), sent.size());
  m.run();
  std::vector<std::uint8_t> got(6000);
  const auto n = m.layer.receive(m.now, *h, got);
  ASSERT_TRUE(n);
  got.resize(*n);
  EXPECT_EQ(got, sent);
  ASSERT_TRUE(m.layer.shutdown_send(m.now, *h));
  m.run();
  EXPECT_EQ(m.layer.receive(m.now, *h, got), 0U);
  EXPECT_EQ(m.layer.status(*h)->state, TcpState::TimeWait);  // by CLOSING
  m.layer.close(m.now, *h);
  EXPECT_EQ(m.pool.buffers_in_use(), 0U);
}

}  // namespace
}  // namespace wireside::testing
