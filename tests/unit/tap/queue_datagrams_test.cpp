// Datagrams, their fragments and ICMP errors find the stack they concern from any queue.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "fragments.hpp"
#include "queue_lab.hpp"
#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"
#include "wire/udp.hpp"

namespace wireside::test {
namespace {

using namespace std::chrono_literals;

/// A UDP socket in each stack, as a server has them; the peer has one, too.
struct Datagrams : QueueLab {
  explicit Datagrams(std::size_t queues) : QueueLab{queues} {
    for (auto& stack : stacks) servers.push_back(bound(*stack, 7));
    client = bound(peer, 5000);
  }
  static SocketHandle bound(Stack& stack, std::uint16_t port) {
    const SocketHandle h = *stack.sockets().open(SocketKind::Datagram);
    EXPECT_TRUE(stack.sockets().bind(h, {Ipv4Address{}, Port{port}}));
    return h;
  }
  /// How many stacks' servers got exactly this.
  std::size_t received(std::string_view text) {
    std::size_t n = 0;
    std::vector<std::uint8_t> buffer(65536);
    for (std::size_t i = 0; i < stacks.size(); ++i) {
      while (const auto d = stacks[i]->sockets().receive_from(servers[i], buffer)) {
        n += std::string_view{reinterpret_cast<const char*>(buffer.data()), d->octets} == text;
      }
    }
    return n;
  }
  std::vector<SocketHandle> servers;
  SocketHandle client;
};

TEST(QueueDatagrams, EachGoesToOneServer) {
  Datagrams lab{5};
  std::vector<std::size_t> of_queue(5);
  for (std::uint16_t port = 6000; port < 6100; ++port) {
    const SocketHandle h = Datagrams::bound(lab.peer, port);
    ASSERT_TRUE(lab.peer.sockets().send_to(lab.now, h, QueueLab::view("hello"), {QueueLab::ours, Port{7}}));
    lab.run();
    EXPECT_EQ(lab.received("hello"), 1U);
  }
}

/// Every order of three fragments, each coming in on a queue of its own.
TEST(QueueDatagrams, FragmentsMeetInOneStackInAnyOrder) {
  const std::string text(3000, 'f');
  std::vector<std::size_t> order{0, 1, 2};
  do {
    for (std::size_t first_queue = 0; first_queue < 3; ++first_queue) {
      Datagrams lab{3};
      std::vector<std::vector<std::uint8_t>> fragments;
      lab.arrives = [&](std::size_t, ByteView) { return 0U; };
      ASSERT_TRUE(lab.peer.sockets().send_to(lab.now, lab.client, QueueLab::view("x"), {QueueLab::ours, Port{7}}));
      lab.run();  // the neighbours know each other
      ASSERT_EQ(lab.received("x"), 1U);
      ASSERT_TRUE(lab.peer.sockets().send_to(lab.now, lab.client, QueueLab::view(text), {QueueLab::ours, Port{7}}));
      FrameOut frame;
      while (lab.peer.poll_frame(lab.now, frame)) fragments.push_back(QueueLab::flat(frame));
      ASSERT_EQ(fragments.size(), 3U);
      for (const std::size_t i : order) lab.in((first_queue + i) % 3, fragments[i]);
      EXPECT_EQ(lab.received(text), 1U);
      EXPECT_EQ(lab.counted().fragments_lost, 0U);
    }
  } while (std::ranges::next_permutation(order).found);
}

/// The path's other end refuses what a socket of ours sent; the message comes in on the wrong queue, and every right
/// one.
TEST(QueueDatagrams, ErrorsReachTheSocketThatSent) {
  for (std::size_t in = 0; in < 4; ++in) {
    QueueLab lab{4};
    lab.arrives = [&](std::size_t, ByteView) { return in; };
    for (auto& stack : lab.stacks) {
      const SocketHandle h = *stack->sockets().open(SocketKind::Datagram);
      ASSERT_TRUE(stack->sockets().connect(lab.now, h, {QueueLab::theirs, Port{9}}));
      ASSERT_TRUE(stack->sockets().send(lab.now, h, QueueLab::view("anybody?")));
      lab.run();
      EXPECT_EQ(stack->sockets().take_error(h), Error::ConnectionRefused);  // UDP-03
    }
  }
}

std::vector<std::uint8_t> fragmentation_needed(const QueueLab& lab, ByteView frame, std::uint16_t mtu) {
  const std::size_t quoted = 28 + 20;
  std::vector<std::uint8_t> out(wire::ethernet_header_length + wire::ipv4_min_header + wire::icmp_header_length +
                                quoted);
  MutableByteView rest{out};
  wire::emit_ethernet({lab.stacks[0]->mac(), lab.peer.mac(), 0x0800}, rest);
  rest = rest.subspan(wire::ethernet_header_length);
  wire::emit_ipv4({.total_length = static_cast<std::uint16_t>(rest.size()),
                   .protocol = 1,
                   .source = QueueLab::theirs,
                   .destination = QueueLab::ours},
                  rest);
  rest = rest.subspan(wire::ipv4_min_header);
  wire::emit_icmp({.type = 3, .code = 4, .rest = mtu}, rest);
  std::ranges::copy(frame.subspan(wire::ethernet_header_length, quoted), rest.begin() + wire::icmp_header_length);
  store_be16(rest.data() + wire::icmp_checksum_offset, internet_checksum(rest));
  return out;
}

// RFC 1191 PMTU-02: only the stack that has the quoted segment in flight can believe the message.
TEST(QueueDatagrams, NarrowPathsAreLearntByTheStackThatSent) {
  QueueLab lab{4};
  lab.listen_everywhere(80);
  const SocketHandle socket = lab.connect_from_peer(80);
  lab.run();
  EXPECT_EQ(lab.stacks.size(), 4U);
  (void)lab.peer.sockets().send(lab.now, socket, QueueLab::view("much, please"));
  lab.run();
  lab.echo_everywhere();
  lab.run();
  ASSERT_EQ(lab.connections.size(), 1U);
  Stack& ours = *lab.stacks[lab.connections[0].queue];
  (void)ours.sockets().send(lab.now, lab.connections[0].socket, QueueLab::view(std::string(3000, 'm')));
  FrameOut frame;
  ASSERT_TRUE(ours.poll_frame(lab.now, frame));
  for (std::size_t queue = 0; queue < 4; ++queue) lab.in(queue, fragmentation_needed(lab, QueueLab::flat(frame), 1000));
  for (auto& stack : lab.stacks) EXPECT_EQ(stack->path_mtus().size(), stack.get() == &ours ? 1U : 0U);
}

TEST(QueueDatagrams, WhatComesToTheDhcpClientsPortIsQueueZeros) {
  const FlowOwner owner{8, 99};
  for (std::uint8_t last = 1; last < 100; ++last) {
    EXPECT_EQ(owner.of_flow(17, {.local = {Ipv4Address{10, 0, 0, 2}, Port{68}},
                                 .remote = {Ipv4Address{10, 0, 0, last}, Port{67}}}),
              0U);
  }
}

}  // namespace
}  // namespace wireside::test
