// Everything holds when sequence numbers cross 2^32 (RFC 9293 section 3.4, EV-32), on either side.
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

struct Isns {
  std::uint32_t ours;
  std::uint32_t peers;
};
std::ostream& operator<<(std::ostream& out, const Isns& i) {
  return out << "ours " << i.ours << ", peer's " << i.peers;
}

class TcpSequenceWrap : public ::testing::TestWithParam<Isns> {
 protected:
  static PeerSetup setup() {
    PeerSetup s;
    s.our_isn = GetParam().ours;
    s.peer_isn = GetParam().peers;
    return s;
  }
};

TEST_P(TcpSequenceWrap, ChosenInitialSequenceNumberIsUsed) {  // RFC 9293 EV-32
  TcpPeer t{setup()};
  t.establish();
  EXPECT_EQ(t.our_iss().value(), GetParam().ours);
}

TEST_P(TcpSequenceWrap, DataBothWays) {  // RFC 9293 EV-32
  TcpPeer t{setup()};
  t.establish("<mss 1000,sackOK>");
  std::uint32_t at = 1;
  for (int i = 0; i < 6; ++i, at += 1000) {
    t.send(1000);
    t.out("P. " + std::to_string(at) + "+1000 ack " + std::to_string(at));
    t.in("P. " + std::to_string(at) + "+1000 ack " + std::to_string(at + 1000));
    t.read_exactly(1000);
  }
  EXPECT_EQ(t.status().flight, 0U);
  t.ignore_rest();
}

TEST_P(TcpSequenceWrap, ReassemblyAndSack) {  // RFC 9293 EV-32
  TcpPeer t{setup()};
  t.establish("<mss 1000,sackOK>");
  t.in(". 2001+1000 ack 1");
  t.out(". 1 ack 1 <sack 2001:3001>");
  t.in(". 1001+1000 ack 1");
  t.out(". 1 ack 1 <sack 1001:3001>");
  t.in(". 1+1000 ack 1");
  t.out(". 1 ack 3001 <>");
  t.read_exactly(3000);
  t.ignore_rest();
}

TEST_P(TcpSequenceWrap, LossAndRecovery) {  // RFC 9293 EV-32
  TcpPeer t{setup()};
  t.establish("<mss 1000>");
  t.send(10000);
  EXPECT_EQ(t.discard(), 10U);
  for (int i = 0; i < 3; ++i) t.in(". 1 ack 1");
  t.out(". 1+1000");
  t.in(". 1 ack 3001");
  t.out(". 3001+1000");
  t.out_within(5s, ". 3001+1000");  // and a timeout
  t.in(". 1 ack 10001");
  EXPECT_EQ(t.status().flight, 0U);
}

TEST_P(TcpSequenceWrap, WindowEdges) {  // RFC 9293 EV-13, EV-32
  TcpPeer t{setup()};
  ConnectionOptions o;
  o.receive_buffer = 4000;
  t.establish("<mss 1000>", o);
  t.in(". 4001+10 ack 1");
  t.out(". 1 ack 1");
  t.in(". 3999+10 ack 1");
  t.out(". 1 ack 1");
  EXPECT_EQ(t.status().out_of_order, 2U);
  t.in(". 1+3998 ack 1");
  t.out(". 1 ack 4001");
  t.read_exactly(4000);
  t.ignore_rest();
}

TEST_P(TcpSequenceWrap, CloseAndTimeWait) {  // RFC 9293 EV-24, EV-26, EV-32
  TcpPeer t{setup()};
  t.establish();
  t.close();
  t.out("F. 1 ack 1");
  t.in("F. 1 ack 2");
  t.out(". 2 ack 2");
  t.in("F. 1 ack 2");
  t.out(". 2 ack 2");
  t.state(TcpState::TimeWait);
}

TEST_P(TcpSequenceWrap, PassiveClose) {  // RFC 9293 EV-25, EV-32
  TcpPeer t{setup()};
  t.establish();
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
  t.close();
  t.out("F. 1 ack 2");
  t.in(". 2 ack 2");
  t.gone();
}

TEST_P(TcpSequenceWrap, ResetChecks) {  // RFC 9293 EV-14, EV-15, EV-16, EV-32
  TcpPeer t{setup()};
  t.establish();
  t.in("R 0");
  t.nothing();
  t.in("R 2");
  t.out(". 1 ack 1");
  t.in("R 1");
  t.failed(Error::ConnectionReset);
}

TEST_P(TcpSequenceWrap, HandshakeChecks) {  // RFC 9293 EV-8, EV-32
  TcpPeer t{setup()};
  t.connect();
  t.out("S 0");
  t.in("S. 0 ack 0");
  t.out("R 0");
  t.in("S. 0 ack 2");
  t.out("R 2");
  t.in("S. 0 ack 1 <mss 1000>");
  t.out(". 1 ack 1");
  t.state(TcpState::Established);
}

INSTANTIATE_TEST_SUITE_P(Near, TcpSequenceWrap,
                         ::testing::Values(Isns{0, 0}, Isns{0xffffffffU, 0xffffffffU}, Isns{0xfffffffeU, 0xfffffffeU},
                                           Isns{0xfffffff0U, 0xffffff00U}, Isns{0xfffff000U, 0xfffff800U},
                                           Isns{0x7fffffffU, 0x7fffffffU}, Isns{0x7ffff000U, 0x80000000U},
                                           Isns{0xffffff00U, 1}, Isns{1, 0xffffff00U}));

}  // namespace
}  // namespace wireside::testing
