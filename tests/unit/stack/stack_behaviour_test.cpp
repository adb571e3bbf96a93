// What a Stack as a whole promises: determinism, no idle wake-ups, loopback, clear ends.
#include <gtest/gtest.h>

#include "host.hpp"

namespace wireside {
namespace {

using testing::dissect;
using testing::Host;
using testing::Octets;
using testing::octets_of;
using testing::our_address;
using testing::peer_address;

/// The first event of `h` that `wanted` likes; at most a few hundred are looked at.
template <class F>
bool has_event(Stack& stack, SocketHandle h, F wanted) {
  for (int i = 0; i < 500; ++i) {
    const auto e = stack.poll_event();
    if (!e) return false;
    if (e->socket == h && wanted(*e)) return true;
  }
  return false;
}

SocketHandle listening(Host& host, Endpoint local) {
  const auto h = *host.stack.sockets().open(SocketKind::Stream);
  EXPECT_TRUE(host.stack.sockets().bind(h, local).has_value());
  EXPECT_TRUE(host.stack.sockets().listen(h, 5).has_value());
  return h;
}

TEST(StackBehaviour, IdleStackHasNoDeadline) {
  Host host;
  listening(host, {{}, Port{80}});
  EXPECT_FALSE(host.stack.next_deadline().has_value());
  EXPECT_TRUE(host.out().empty());
}

TEST(StackBehaviour, SameSeedAndInputsGiveTheSameOctets) {
  const auto run = [](std::uint64_t seed) {
    Host host{testing::test_config(), seed};
    auto& sockets = host.stack.sockets();
    std::vector<Octets> all;
    const auto collect = [&](std::vector<Octets> frames) {
      for (auto& f : frames) all.push_back(std::move(f));
    };
    host.in(host.arp_from_peer(wire::ArpMessage::Operation::Request, MacAddress::broadcast()));
    collect(host.out());
    for (int i = 0; i < 3; ++i) {
      const auto tcp = *sockets.open(SocketKind::Stream);
      std::ignore = sockets.connect(host.now, tcp, {peer_address, Port{80}});
      const auto udp = *sockets.open(SocketKind::Datagram);
      std::ignore = sockets.send_to(host.now, udp, octets_of("hello"), {peer_address, Port{53}});
      collect(host.out());
      host.wait(1500ms);
    }
    collect(host.sent_while_waiting);
    return all;
  };
  const auto first = run(7);
  EXPECT_GT(first.size(), 8U);
  EXPECT_EQ(first, run(7));
  EXPECT_NE(first, run(8));
}

TEST(StackBehaviour, MacAddressComesFromTheSeedOrIsGiven) {
  EXPECT_TRUE(Host{}.stack.mac().is_locally_administered());
  EXPECT_FALSE(Host{}.stack.mac().is_multicast());
  EXPECT_NE((Host{testing::test_config(), 1}.stack.mac()), (Host{testing::test_config(), 2}.stack.mac()));
  auto config = testing::test_config();
  config.link.mac = MacAddress{{2, 1, 2, 3, 4, 5}};
  EXPECT_EQ(Host{config}.stack.mac(), config.link.mac);
}

TEST(StackBehaviour, LoopbackConnectionNeverTouchesTheWire) {
  Host host;
  auto& sockets = host.stack.sockets();
  const auto listener = listening(host, {{}, Port{80}});
  const auto client = *sockets.open(SocketKind::Stream);
  ASSERT_EQ(sockets.connect(host.now, client, {our_address, Port{80}}).error(), Error::InProgress);
  EXPECT_TRUE(host.out().empty());
  EXPECT_TRUE(has_event(host.stack, client, [](const SocketEvent& e) { return e.connected; }));
  const auto accepted = sockets.accept(listener);
  ASSERT_TRUE(accepted.has_value());

  const Octets data(300'000, 0x42);
  std::size_t sent = 0;
  std::size_t received = 0;
  Octets buffer(65536);
  for (int i = 0; i < 2000 && received < data.size(); ++i) {
    if (const auto n = sockets.send(host.now, client, ByteView{data}.subspan(sent))) sent += *n;
    EXPECT_TRUE(host.out().empty());
    while (const auto n = sockets.receive(host.now, accepted->socket, buffer)) {
      if (*n == 0) break;
      received += *n;
    }
    host.wait(1ms);
  }
  EXPECT_EQ(received, data.size());
  EXPECT_TRUE(host.sent_while_waiting.empty());
}

TEST(StackBehaviour, LoopbackUdpAndRefusal) {
  Host host;
  auto& sockets = host.stack.sockets();
  const auto server = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.bind(server, {our_address, Port{53}}).has_value());
  const auto client = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.send_to(host.now, client, octets_of("me"), {our_address, Port{53}}).has_value());
  EXPECT_TRUE(host.out().empty());
  Octets buffer(10);
  EXPECT_EQ(sockets.receive_from(server, buffer)->octets, 2U);
  ASSERT_TRUE(sockets.connect(host.now, client, {our_address, Port{54}}).has_value());
  ASSERT_TRUE(sockets.send(host.now, client, octets_of("me")).has_value());
  EXPECT_TRUE(host.out().empty());
  EXPECT_EQ(sockets.take_error(client), Error::ConnectionRefused);
}

TEST(StackBehaviour, UnansweredNeighbourFailsTheConnect) {  // RFC 1122 ARPC-05
  Host host;
  auto& sockets = host.stack.sockets();
  const auto client = *sockets.open(SocketKind::Stream);
  ASSERT_EQ(sockets.connect(host.now, client, {peer_address, Port{80}}).error(), Error::InProgress);
  const auto frames = host.out();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(wire::parse_ethernet(frames[0])->ether_type, 0x0806);
  host.wait(20s);
  EXPECT_TRUE(has_event(host.stack, client,
                        [](const SocketEvent& e) { return e.failed && e.error == Error::HostUnreachable; }));
  EXPECT_EQ(sockets.take_error(client), Error::HostUnreachable);
}

TEST(StackBehaviour, UnansweredNeighbourIsToldToUdpAndEchoSockets) {
  Host host;
  auto& sockets = host.stack.sockets();
  const auto udp = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.connect(host.now, udp, {peer_address, Port{80}}).has_value());
  ASSERT_TRUE(sockets.send(host.now, udp, octets_of("x")).has_value());
  const auto echo = *sockets.open(SocketKind::Echo);
  ASSERT_TRUE(sockets.send_to(host.now, echo, octets_of("x"), {peer_address, {}}).has_value());
  host.out();
  host.wait(20s);
  EXPECT_EQ(sockets.take_error(udp), Error::HostUnreachable);
  EXPECT_EQ(sockets.take_error(echo), Error::HostUnreachable);
}

TEST(StackBehaviour, NoRouteFailsAtOnce) {
  Host host;
  const auto h = *host.stack.sockets().open(SocketKind::Stream);
  const Endpoint far{Ipv4Address{192, 0, 2, 1}, Port{80}};
  EXPECT_EQ(host.stack.sockets().connect(host.now, h, far).error(), Error::NetworkUnreachable);
  host.stack.set_gateway(peer_address);
  EXPECT_EQ(host.stack.sockets().connect(host.now, h, far).error(), Error::InProgress);
  const auto frames = host.out_resolving();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).ethernet.destination, testing::peer_mac);
  EXPECT_EQ(dissect(frames[0]).ip.destination, far.address.v4());
}

TEST(StackBehaviour, AddressesComeAndGo) {
  Host host;
  const Ipv4Address second{10, 0, 0, 3};
  ASSERT_TRUE(host.stack.add_address(host.now, {second, 24}).has_value());
  EXPECT_EQ(host.stack.add_address(host.now, {second, 24}).error(), Error::AddressInUse);
  EXPECT_FALSE(host.out().empty());  // announced
  EXPECT_EQ(host.stack.config().ip.addresses.size(), 2U);
  auto& sockets = host.stack.sockets();
  EXPECT_TRUE(sockets.bind(*sockets.open(SocketKind::Datagram), {second, Port{5}}).has_value());
  ASSERT_TRUE(host.stack.remove_address(host.now, second).has_value());
  EXPECT_EQ(host.stack.remove_address(host.now, second).error(), Error::AddressNotAvailable);
  EXPECT_EQ(sockets.bind(*sockets.open(SocketKind::Datagram), {second, Port{6}}).error(), Error::AddressNotAvailable);
}

TEST(StackBehaviour, InterfaceGoneEndsEverythingClearly) {
  Host host;
  auto& sockets = host.stack.sockets();
  const auto client = *sockets.open(SocketKind::Stream);
  std::ignore = sockets.connect(host.now, client, {peer_address, Port{80}});
  host.out();
  host.stack.interface_gone(host.now);
  EXPECT_TRUE(
      has_event(host.stack, client, [](const SocketEvent& e) { return e.failed && e.error == Error::NetworkDown; }));
  EXPECT_TRUE(host.out().empty());
  const auto late = *sockets.open(SocketKind::Stream);
  EXPECT_EQ(sockets.connect(host.now, late, {peer_address, Port{80}}).error(), Error::NetworkDown);
  host.wait(60s);
  EXPECT_TRUE(host.sent_while_waiting.empty());
}

TEST(StackBehaviour, InterfaceGoneGivesBackWhatWaitedToLeave) {
  Host host;
  host.in(host.icmp({.type = 8, .code = 0, .rest = 1}, Octets(1000)));  // the reply waits for the neighbour
  EXPECT_EQ(host.out().size(), 1U);                                     // the ARP request
  for (int i = 0; i < 10; ++i) host.in(host.icmp({.type = 8, .code = 0, .rest = 1}, Octets(1000)));
  EXPECT_EQ(host.stack.buffers().buffers_in_use(), 11U);
  host.stack.interface_gone(host.now);
  EXPECT_TRUE(host.out().empty());
  EXPECT_EQ(host.stack.buffers().buffers_in_use(), 0U);
  EXPECT_FALSE(host.stack.next_deadline()) << "nothing is left to wait for";
}

TEST(StackBehaviour, OffloadedSendLeavesThePseudoHeaderSum) {
  auto config = testing::test_config();
  config.link.tx_checksum_offload = true;
  Host host{config};
  host.in(host.arp_from_peer(wire::ArpMessage::Operation::Request, MacAddress::broadcast()));
  host.out();
  const auto client = *host.stack.sockets().open(SocketKind::Stream);
  std::ignore = host.stack.sockets().connect(host.now, client, {peer_address, Port{80}});
  FrameOut frame;
  ASSERT_TRUE(host.stack.poll_frame(host.now, frame));
  EXPECT_TRUE(frame.checksum_wanted);
  EXPECT_EQ(frame.checksum_start, 34);
  EXPECT_EQ(frame.checksum_offset, 16);
  const auto length = static_cast<std::uint32_t>(frame.size() - 34);
  ChecksumAccumulator acc;
  wire::add_pseudo_header(acc, our_address, peer_address, 6, length);
  EXPECT_EQ(load_be16(frame.header.data() + 50), acc.folded());
}

TEST(StackBehaviour, MemoryReturnsToThePool) {
  Host host;
  auto& sockets = host.stack.sockets();
  const auto server = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.bind(server, {{}, Port{53}}).has_value());
  for (int i = 0; i < 10; ++i) host.in(host.udp(4000, 53, "data"));
  EXPECT_GT(host.stack.buffers().buffers_in_use(), 0U);
  std::ignore = sockets.close(host.now, server);
  EXPECT_EQ(host.stack.buffers().buffers_in_use(), 0U);
}

}  // namespace
}  // namespace wireside
