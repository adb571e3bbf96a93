// Frames that come in on the wrong queue reach the stack that has their flow, whatever they are.
#include "queue_steering.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "queue_lab.hpp"
#include "wire/arp.hpp"
#include "wire/ipv4.hpp"

namespace wireside::test {
namespace {

using namespace std::chrono_literals;

/// Each connection is asked and answered twice; returns how many answers were right.
std::size_t rounds_of_echo(QueueLab& lab, const std::vector<SocketHandle>& sockets) {
  std::size_t right = 0;
  for (const char* text : {"first", "second"}) {
    for (const SocketHandle h : sockets) (void)lab.peer.sockets().send(lab.now, h, QueueLab::view(text));
    lab.run();
    lab.echo_everywhere();
    lab.run();
    for (const SocketHandle h : sockets) right += QueueLab::read(lab.peer, lab.now, h) == text;
  }
  return right;
}

class AnyNumberOfQueues : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(QueueSteering, AnyNumberOfQueues, ::testing::Values(1, 2, 3, 7, 64));

TEST_P(AnyNumberOfQueues, ConnectionsWhoseFramesComeInOnAnyQueueAreServed) {
  QueueLab lab{GetParam()};
  lab.listen_everywhere(80);
  std::vector<SocketHandle> sockets{lab.connect_from_peer(80)};
  lab.run();  // the neighbours know each other: not all that waits for an address is kept
  while (sockets.size() < 200) sockets.push_back(lab.connect_from_peer(80));
  lab.run();
  EXPECT_EQ(rounds_of_echo(lab, sockets), 400U);
  std::size_t known = 0;
  for (std::size_t i = 0; i < GetParam(); ++i) {
    for (const auto& c : lab.stacks[i]->connections()) {
      ++known;
      EXPECT_EQ(lab.owner.of_flow(6, c.tuple), i);
      EXPECT_EQ(c.total_retransmitted, 0U);
    }
    EXPECT_EQ(lab.stacks[i]->statistics().count.tcp_resets_out, 0U);
  }
  EXPECT_EQ(known, 200U);
  EXPECT_EQ(lab.counted().lost, 0U);
  EXPECT_EQ(lab.counted().handed_over == 0, GetParam() == 1);
}

TEST_P(AnyNumberOfQueues, ConnectionsThatWeOpenStayWithTheirQueue) {
  QueueLab lab{GetParam()};
  const SocketHandle listener = *lab.peer.sockets().open(SocketKind::Stream);
  ASSERT_TRUE(lab.peer.sockets().bind(listener, {Ipv4Address{}, Port{80}}));
  ASSERT_TRUE(lab.peer.sockets().listen(listener, 1024));
  std::vector<std::pair<Stack*, SocketHandle>> opened;
  for (auto& stack : lab.stacks) {
    for (int i = 0; i < 5; ++i) {
      const SocketHandle h = *stack->sockets().open(SocketKind::Stream);
      (void)stack->sockets().connect(lab.now, h, {QueueLab::theirs, Port{80}});
      opened.emplace_back(stack.get(), h);
    }
  }
  lab.run();
  while (const auto accepted = lab.peer.sockets().accept(listener)) {
    (void)lab.peer.sockets().send(lab.now, accepted->socket, QueueLab::view("welcome"));
  }
  lab.run();
  for (const auto& [stack, h] : opened) EXPECT_EQ(QueueLab::read(*stack, lab.now, h), "welcome");
}

// A connection sits idle for as long as the driver remembers it, and longer; then its frames come in elsewhere.
TEST(QueueSteering, AFlowMovesFromOneQueueToAnotherAndBack) {
  QueueLab lab{2};
  lab.listen_everywhere(80);
  std::size_t at = 0;
  lab.arrives = [&](std::size_t, ByteView) { return at; };
  const SocketHandle socket = lab.connect_from_peer(80);
  lab.run();
  for (const std::size_t queue : {1U, 0U, 1U}) {
    lab.wait(10s);
    at = queue;
    EXPECT_EQ(rounds_of_echo(lab, {socket}), 2U);
  }
  lab.peer.sockets().close(lab.now, socket);
  at = 0;
  lab.run();
  EXPECT_EQ(lab.connections.size(), 1U);
  EXPECT_EQ(lab.stacks[0]->statistics().count.tcp_resets_out + lab.stacks[1]->statistics().count.tcp_resets_out, 0U);
}

// The same SYN on every queue, as when it is sent again before the driver has learnt: one half-open connection.
TEST(QueueSteering, ARepeatedSynMakesOneConnection) {
  QueueLab lab{4};
  lab.listen_everywhere(80);
  (void)lab.connect_from_peer(80);
  lab.run();  // the neighbours know each other
  (void)lab.connect_from_peer(80);
  FrameOut syn;
  ASSERT_TRUE(lab.peer.poll_frame(lab.now, syn));
  for (std::size_t queue = 0; queue < 4; ++queue) lab.in(queue, QueueLab::flat(syn));
  std::size_t half_open = 0;
  for (auto& stack : lab.stacks) {
    for (const auto& c : stack->connections()) half_open += c.state == TcpState::SynReceived;
  }
  EXPECT_EQ(half_open, 1U);
}

TEST(QueueSteering, OneStackAnswersArpAndAllLearnFromIt) {
  QueueLab lab{3};
  lab.listen_everywhere(80);
  (void)lab.connect_from_peer(80);
  lab.run();
  std::size_t replies = 0;
  for (const auto& frame : lab.seen_by_peer) {
    const auto arp = wire::parse_arp(ByteView{frame}.subspan(wire::ethernet_header_length));
    replies += wire::parse_ethernet(frame)->ether_type == 0x0806 && arp &&
               arp->operation == wire::ArpMessage::Operation::Reply;
  }
  EXPECT_EQ(replies, 1U);
  for (auto& stack : lab.stacks) {
    const auto neighbours = stack->neighbours();
    ASSERT_EQ(neighbours.size(), 1U);
    EXPECT_EQ(neighbours[0].mac, lab.peer.mac());
  }
}

TEST(QueueSteering, OneStackAloneAnnouncesAndDefendsTheAddress) {
  QueueLab lab{3};
  for (auto& stack : lab.stacks) stack->announce(lab.now);
  lab.run();
  lab.wait(5s);
  EXPECT_EQ(lab.seen_by_peer.size(), 2U);  // RFC 5227 section 2.3: ANNOUNCE_NUM
  lab.seen_by_peer.clear();
  std::vector<std::uint8_t> frame(wire::ethernet_header_length + wire::arp_message_length);
  const MacAddress rival{{2, 0, 0, 0, 0, 9}};
  wire::emit_ethernet({MacAddress::broadcast(), rival, 0x0806}, frame);
  wire::emit_arp({wire::ArpMessage::Operation::Request, rival, QueueLab::ours, {}, QueueLab::ours},
                 MutableByteView{frame}.subspan(wire::ethernet_header_length));
  lab.in(2, frame);
  lab.run();
  EXPECT_EQ(lab.seen_by_peer.size(), 1U);
}

TEST(QueueSteering, EchoRequestsAreAnsweredOnceWhereverTheyComeIn) {
  QueueLab lab{4};
  const SocketHandle echo = *lab.peer.sockets().open(SocketKind::Echo);
  ASSERT_TRUE(lab.peer.sockets().connect(lab.now, echo, {QueueLab::ours, {}}));
  std::array<std::uint8_t, 64> buffer;
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(lab.peer.sockets().send(lab.now, echo, QueueLab::view("are you there?")));
    lab.run();
    EXPECT_TRUE(lab.peer.sockets().receive_from(echo, buffer));
    EXPECT_FALSE(lab.peer.sockets().receive_from(echo, buffer));
  }
}

}  // namespace
}  // namespace wireside::test
