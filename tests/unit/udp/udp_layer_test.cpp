// UDP and echo sockets: checks, demultiplexing, bounds (RFC 768, RFC 1122 section 4.1).
#include "udp/udp_layer.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "base/checksum.hpp"
#include "wire/ipv4.hpp"
#include "wire/udp.hpp"

namespace wireside::udp {
namespace {

using observe::DropReason;

constexpr Ipv4Address ours{10, 0, 0, 2};
constexpr Ipv4Address ours_too{10, 0, 0, 3};
constexpr Ipv4Address theirs{10, 0, 0, 1};

class UdpLayerTest : public ::testing::Test {
 protected:
  UdpHandle bound(Endpoint local, Service service = Service::Udp) {
    const auto h = layer.open(service);
    EXPECT_TRUE(layer.bind(*h, local).has_value());
    return *h;
  }

  UdpHandle sharing_socket(Endpoint local) {
    const auto h = layer.open(Service::Udp);
    EXPECT_TRUE(layer.set_options(*h, {.reuse_port = true}).has_value());
    EXPECT_TRUE(layer.bind(*h, local).has_value());
    return *h;
  }

  /// A datagram as IP hands it over, with a correct checksum.
  UdpArrival arrival(Endpoint from, Endpoint to, std::string_view text) {
    UdpArrival a{.source = from.address, .destination = to.address, .octets = pool.allocate_slice(8 + text.size())};
    std::uint8_t* p = a.octets.mutable_data();
    std::memcpy(p + 8, text.data(), text.size());
    const auto length = static_cast<std::uint16_t>(8 + text.size());
    wire::emit_udp({.source = from.port, .destination = to.port, .length = length}, {p, length});
    ChecksumAccumulator acc;
    wire::add_pseudo_header(acc, from.address.v4(), to.address.v4(), 17, length);
    acc.add({p, length});
    store_be16(p + wire::udp_checksum_offset, acc.checksum());
    a.ttl = 61;
    return a;
  }
  Delivery deliver(Endpoint from, Endpoint to, std::string_view text) {
    return layer.datagram_arrives(Instant{}, arrival(from, to, text));
  }
  std::string text_of(UdpHandle h) {
    const auto d = layer.receive(h);
    if (!d) return std::string{errno_name(d.error())};
    return {reinterpret_cast<const char*>(d->payload.data()), d->payload.size()};
  }

  Random random{make_seed(1)};
  BufferPool pool;
  observe::Sink sink;
  UdpLayer layer{UdpConfig{}, random, pool, sink};
  Endpoint peer{theirs, Port{4000}};
};

TEST_F(UdpLayerTest, DeliversWithSenderAndDestination) {  // UDP-07
  const auto h = bound({{}, Port{53}});
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, "query"), Delivery::Delivered);
  const auto d = layer.receive(h);
  ASSERT_TRUE(d.has_value());
  EXPECT_EQ(d->from, peer);
  EXPECT_EQ(d->to, IpAddress{ours});
  EXPECT_EQ(d->ttl, 61);
  EXPECT_EQ(layer.receive(h).error(), Error::WouldBlock);
}

TEST_F(UdpLayerTest, ChecksumZeroAcceptedWrongDropped) {  // RFC 1122 UDP-02
  const auto h = bound({{}, Port{53}});
  auto wrong = arrival(peer, {ours, Port{53}}, "x");
  wrong.octets.mutable_data()[8] ^= 1;
  EXPECT_EQ(layer.datagram_arrives(Instant{}, wrong), Delivery::Dropped);
  EXPECT_EQ(sink.drops(DropReason::UdpBadChecksum), 1U);
  store_be16(wrong.octets.mutable_data() + wire::udp_checksum_offset, 0);
  EXPECT_EQ(layer.datagram_arrives(Instant{}, wrong), Delivery::Delivered);
  EXPECT_EQ(text_of(h), "y");
}

TEST_F(UdpLayerTest, OffloadedChecksumIsTrusted) {
  const auto h = bound({{}, Port{53}});
  auto a = arrival(peer, {ours, Port{53}}, "x");
  store_be16(a.octets.mutable_data() + wire::udp_checksum_offset, 0x1234);
  a.checksum = ChecksumState::Partial;
  EXPECT_EQ(layer.datagram_arrives(Instant{}, a), Delivery::Delivered);
  EXPECT_EQ(text_of(h), "x");
}

TEST_F(UdpLayerTest, LengthFieldRules) {  // UDP-03
  const auto h = bound({{}, Port{53}});
  auto a = arrival(peer, {ours, Port{53}}, "ab");
  const auto with_length = [&](std::uint16_t length) {
    store_be16(a.octets.mutable_data() + 4, length);
    store_be16(a.octets.mutable_data() + wire::udp_checksum_offset, 0);
    return layer.datagram_arrives(Instant{}, a);
  };
  EXPECT_EQ(with_length(7), Delivery::Dropped);
  EXPECT_EQ(with_length(11), Delivery::Dropped);
  EXPECT_EQ(sink.drops(DropReason::UdpMalformed), 2U);
  EXPECT_EQ(with_length(9), Delivery::Delivered);  // the rest is padding
  EXPECT_EQ(text_of(h), "a");
}

TEST_F(UdpLayerTest, MostSpecificSocketWins) {  // UDP-06
  const auto h = layer.open(Service::Udp);
  ASSERT_TRUE(layer.bind(*h, {ours, Port{53}}).has_value());
  const auto other = layer.open(Service::Udp);
  ASSERT_TRUE(layer.bind(*other, {ours_too, Port{53}}).has_value());
  EXPECT_EQ(deliver(peer, {ours_too, Port{53}}, "b"), Delivery::Delivered);
  EXPECT_EQ(text_of(*h), "EAGAIN");
  EXPECT_EQ(text_of(*other), "b");
  EXPECT_EQ(deliver(peer, {Ipv4Address{10, 0, 0, 4}, Port{53}}, "c"), Delivery::NoSocket);
}

TEST_F(UdpLayerTest, ConnectedSocketTakesPrecedenceAndWildcardGetsTheRest) {  // UDP-06
  const auto wildcard = bound({{}, Port{53}});
  const auto conflict = layer.open(Service::Udp);
  EXPECT_EQ(layer.bind(*conflict, {ours, Port{53}}).error(), Error::AddressInUse);
  ASSERT_TRUE(layer.connect(wildcard, ours, peer).has_value());
  // The association took the specific address, so another address is free again.
  ASSERT_TRUE(layer.bind(*conflict, {ours_too, Port{53}}).has_value());
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, "1"), Delivery::Delivered);
  EXPECT_EQ(deliver(peer, {ours_too, Port{53}}, "2"), Delivery::Delivered);
  EXPECT_EQ(text_of(wildcard), "1");
  EXPECT_EQ(text_of(*conflict), "2");
}

// --- SO_REUSEPORT ---

TEST_F(UdpLayerTest, SocketsSharePortsByFlow) {  // SO_REUSEPORT
  std::vector<UdpHandle> sharing;
  for (int i = 0; i < 4; ++i) sharing.push_back(sharing_socket({{}, Port{53}}));
  std::vector<std::size_t> counts(sharing.size());
  for (std::uint16_t flow = 0; flow < 400; ++flow) {
    const Endpoint from{theirs, Port{static_cast<std::uint16_t>(2000 + flow)}};
    std::size_t owner = sharing.size();
    for (int repeat = 0; repeat < 3; ++repeat) {
      ASSERT_EQ(deliver(from, {ours, Port{53}}, "x"), Delivery::Delivered);
      const auto got = std::find_if(sharing.begin(), sharing.end(), [&](UdpHandle h) { return text_of(h) == "x"; });
      const auto which = static_cast<std::size_t>(got - sharing.begin());
      if (repeat > 0) {
        EXPECT_EQ(which, owner) << "one flow, one socket";
      }
      owner = which;
    }
    ++counts.at(owner);
  }
  for (const std::size_t n : counts) EXPECT_GT(n, 50U) << "about a hundred each";
}

TEST_F(UdpLayerTest, TheHashOfSharedPortsIsTheStacksSecret) {  // SO_REUSEPORT
  Random other_random{make_seed(2)};
  UdpLayer other{UdpConfig{}, other_random, pool, sink};
  const auto owners = [&](UdpLayer& layer_of) {
    std::vector<UdpHandle> sharing;
    for (int i = 0; i < 2; ++i) {
      const auto h = layer_of.open(Service::Udp);
      EXPECT_TRUE(layer_of.set_options(*h, {.reuse_port = true}).has_value());
      EXPECT_TRUE(layer_of.bind(*h, {{}, Port{53}}).has_value());
      sharing.push_back(*h);
    }
    std::string all;
    for (std::uint16_t flow = 0; flow < 64; ++flow) {
      const Endpoint from{theirs, Port{static_cast<std::uint16_t>(2000 + flow)}};
      EXPECT_EQ(layer_of.datagram_arrives(Instant{}, arrival(from, {ours, Port{53}}, "x")), Delivery::Delivered);
      all += layer_of.receive(sharing[0]) ? '0' : '1';
      std::ignore = layer_of.receive(sharing[1]);
    }
    return all;
  };
  EXPECT_NE(owners(layer), owners(other));
}

TEST_F(UdpLayerTest, EverySharerMustAsk) {  // SO_REUSEPORT
  const auto alone = bound({{}, Port{53}});
  const auto late = layer.open(Service::Udp);
  ASSERT_TRUE(layer.set_options(*late, {.reuse_port = true}).has_value());
  EXPECT_EQ(layer.bind(*late, {{}, Port{53}}).error(), Error::AddressInUse);
  layer.close(alone);
  ASSERT_TRUE(layer.bind(*late, {{}, Port{53}}).has_value());
  const auto other = layer.open(Service::Udp);
  EXPECT_EQ(layer.bind(*other, {{}, Port{53}}).error(), Error::AddressInUse);
}

TEST_F(UdpLayerTest, OfThoseThatShareTheMoreSpecificStillWins) {  // SO_REUSEPORT, RFC 1122 UDP-06
  const auto wildcard = sharing_socket({{}, Port{53}});
  const auto specific = sharing_socket({ours, Port{53}});
  const auto connected = sharing_socket({ours, Port{53}});
  ASSERT_TRUE(layer.connect(connected, ours, peer).has_value());
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, "1"), Delivery::Delivered);
  EXPECT_EQ(text_of(connected), "1");
  EXPECT_EQ(deliver({theirs, Port{4001}}, {ours, Port{53}}, "2"), Delivery::Delivered);
  EXPECT_EQ(text_of(specific), "2");
  EXPECT_EQ(deliver(peer, {ours_too, Port{53}}, "3"), Delivery::Delivered);
  EXPECT_EQ(text_of(wildcard), "3");
}

TEST_F(UdpLayerTest, TheOtherSharersGoOnWhenOneCloses) {  // SO_REUSEPORT
  const auto first = sharing_socket({{}, Port{53}});
  const auto second = sharing_socket({{}, Port{53}});
  layer.close(first);
  for (std::uint16_t port = 2000; port < 2020; ++port) {
    EXPECT_EQ(deliver({theirs, Port{port}}, {ours, Port{53}}, "x"), Delivery::Delivered);
    EXPECT_EQ(text_of(second), "x");
  }
}

TEST_F(UdpLayerTest, AnErrorGoesToTheSharerThatSent) {  // RFC 1122 UDP-05; SO_REUSEPORT
  std::vector<UdpHandle> sharing;
  for (int i = 0; i < 4; ++i) {
    sharing.push_back(sharing_socket({ours, Port{53}}));
    auto options = *layer.options(sharing.back());
    options.report_errors = true;
    ASSERT_TRUE(layer.set_options(sharing.back(), options).has_value());
  }
  for (const UdpHandle& sender : sharing) {
    const Endpoint to{theirs, Port{static_cast<std::uint16_t>(5000 + (&sender - sharing.data()))}};
    ASSERT_TRUE(layer.send(sender, ours, to, pool.allocate_slice(1)).has_value());
    const FourTuple flow{{ours, Port{53}}, to};
    EXPECT_TRUE(layer.sent_to(Service::Udp, flow));
    layer.network_error(Service::Udp, flow, Error::ConnectionRefused);
    EXPECT_EQ(text_of(sender), "ECONNREFUSED");
  }
}

TEST_F(UdpLayerTest, ConnectFiltersPeerUntilDisconnect) {  // UDP-11
  const auto h = bound({{}, Port{53}});
  ASSERT_TRUE(layer.connect(h, ours, peer).has_value());
  EXPECT_EQ(deliver({theirs, Port{4001}}, {ours, Port{53}}, "no"), Delivery::NoSocket);
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, "yes"), Delivery::Delivered);
  EXPECT_EQ(text_of(h), "yes");
  layer.disconnect(h);
  EXPECT_EQ(layer.peer_endpoint(h).error(), Error::NotConnected);
  EXPECT_TRUE(layer.local_endpoint(h)->address.is_unspecified());
  EXPECT_EQ(deliver({theirs, Port{4001}}, {ours_too, Port{53}}, "now"), Delivery::Delivered);
}

TEST_F(UdpLayerTest, ReceiveQueueIsBoundedAndDropsTheNewest) {  // UDP-12
  const auto h = bound({{}, Port{53}});
  ASSERT_TRUE(layer.set_options(h, {.receive_buffer = 256}).has_value());
  const std::string big(120, 'a');
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, big), Delivery::Delivered);
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, big), Delivery::Delivered);
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, std::string(17, 'b')), Delivery::Dropped);
  EXPECT_EQ(sink.drops(DropReason::UdpReceiveQueueFull), 1U);
  EXPECT_EQ(text_of(h), big);
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, std::string(17, 'c')), Delivery::Delivered);
}

TEST_F(UdpLayerTest, EmptyDatagramsAreDeliveredButNotWithoutBound) {  // UDP-10, UDP-12
  const auto h = bound({{}, Port{53}});
  ASSERT_TRUE(layer.set_options(h, {.receive_buffer = 640}).has_value());
  int delivered = 0;
  for (int i = 0; i < 100; ++i) delivered += deliver(peer, {ours, Port{53}}, "") == Delivery::Delivered ? 1 : 0;
  EXPECT_EQ(delivered, 10);
  EXPECT_EQ(text_of(h), "");
}

TEST_F(UdpLayerTest, QueuedDatagramDoesNotPinTheReceiveBlock) {
  const auto h = bound({{}, Port{53}});
  auto a = arrival(peer, {ours, Port{53}}, "tiny");
  Slice block = pool.allocate_slice(66000);
  std::memcpy(block.mutable_data(), a.octets.data(), a.octets.size());
  a.octets = block.sub(0, a.octets.size());
  block = {};
  EXPECT_EQ(layer.datagram_arrives(Instant{}, a), Delivery::Delivered);
  a = {};
  EXPECT_LT(pool.octets_in_use(), 1000U);
  EXPECT_EQ(text_of(h), "tiny");
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

TEST_F(UdpLayerTest, IcmpErrorReachesOnlyTheConnectedSocketItNames) {  // UDP-05, ICMP-09
  const auto h = bound({{}, Port{53}});
  layer.network_error(Service::Udp, {{ours, Port{53}}, peer}, Error::ConnectionRefused);
  EXPECT_FALSE(layer.is_readable(h));
  ASSERT_TRUE(layer.connect(h, ours, peer).has_value());
  layer.network_error(Service::Udp, {{ours, Port{53}}, {theirs, Port{9}}}, Error::ConnectionRefused);
  layer.network_error(Service::Udp, {{ours, Port{54}}, peer}, Error::ConnectionRefused);
  EXPECT_FALSE(layer.is_readable(h));
  layer.network_error(Service::Udp, {{ours, Port{53}}, peer}, Error::ConnectionRefused);
  EXPECT_TRUE(layer.is_readable(h));
  EXPECT_EQ(layer.send(h, ours, peer, pool.allocate_slice(1)).error(), Error::ConnectionRefused);
  EXPECT_TRUE(layer.send(h, ours, peer, pool.allocate_slice(1)).has_value());  // told once
}

TEST_F(UdpLayerTest, OutgoingDatagramCarriesOptions) {  // UDP-09
  const auto h = bound({ours, Port{53}});
  ASSERT_TRUE(layer.set_options(h, {.ttl = 3, .tos = 0x10, .mtu_discovery = PathMtuDiscovery::Do}).has_value());
  ASSERT_TRUE(layer.send(h, ours, peer, pool.allocate_slice(5)).has_value());
  OutgoingDatagram out;
  ASSERT_TRUE(layer.poll_datagram(out));
  EXPECT_EQ(out.tuple, (FourTuple{{ours, Port{53}}, peer}));
  EXPECT_EQ(out.ttl, 3);
  EXPECT_EQ(out.tos, 0x10);
  EXPECT_EQ(out.mtu_discovery, PathMtuDiscovery::Do);
  EXPECT_EQ(out.payload.size(), 5U);
  EXPECT_FALSE(layer.poll_datagram(out));
}

wire::Ipv4Options ip_options(std::initializer_list<std::uint8_t> octets) {
  return wire::Ipv4Options::copy_of(std::vector<std::uint8_t>{octets});
}

TEST_F(UdpLayerTest, IpOptionsOfEachDatagram) {  // RFC 1122 UDP-09, 4.1.3.2
  const auto h = bound({ours, Port{53}});
  ASSERT_TRUE(layer.set_options(h, {.ip_options = ip_options({0x94, 4, 0, 0})}));
  ASSERT_TRUE(layer.send(h, ours, peer, pool.allocate_slice(1)));
  ASSERT_TRUE(layer.set_options(h, {.ip_options = ip_options({7, 7, 4, 0, 0, 0, 0})}));
  ASSERT_TRUE(layer.send(h, ours, peer, pool.allocate_slice(1)));
  ASSERT_TRUE(layer.set_options(h, {}));
  ASSERT_TRUE(layer.send(h, ours, peer, pool.allocate_slice(1)));
  OutgoingDatagram out;
  ASSERT_TRUE(layer.poll_datagram(out));
  EXPECT_EQ(out.ip_options, ip_options({0x94, 4, 0, 0}));
  ASSERT_TRUE(layer.poll_datagram(out));
  EXPECT_EQ(out.ip_options, ip_options({7, 7, 4, 0, 0, 0, 0, 0})) << "filled to whole words";
  ASSERT_TRUE(layer.poll_datagram(out));
  EXPECT_EQ(out.ip_options, wire::Ipv4Options{});
}

TEST_F(UdpLayerTest, IpOptionsThatAreNotSent) {
  const auto h = bound({ours, Port{53}});
  // A source route (RFC 7126 section 4.3), strict and loose.
  EXPECT_EQ(layer.set_options(h, {.ip_options = ip_options({131, 7, 4, 10, 0, 0, 9})}).error(), Error::NotSupported);
  EXPECT_EQ(layer.set_options(h, {.ip_options = ip_options({1, 137, 7, 4, 10, 0, 0, 9})}).error(), Error::NotSupported);
  // A length of one, one beyond the end, a pointer into the option's head, an unknown kind of timestamp.
  for (const auto& bad : {ip_options({0x94, 1, 0, 0}), ip_options({0x94, 9, 0, 0}), ip_options({7, 7, 2, 0, 0, 0, 0}),
                          ip_options({68, 8, 5, 7, 0, 0, 0, 0})}) {
    EXPECT_EQ(layer.set_options(h, {.ip_options = bad}).error(), Error::InvalidArgument);
  }
  EXPECT_EQ(layer.options(h)->ip_options, wire::Ipv4Options{}) << "nothing was set";
}

TEST_F(UdpLayerTest, IpOptionsTakeOfTheLargestDatagram) {  // RFC 1122 UDP-13
  const auto h = bound({ours, Port{53}});
  EXPECT_TRUE(layer.send(h, ours, peer, pool.allocate_slice(65507)));
  ASSERT_TRUE(layer.set_options(h, {.ip_options = ip_options({0x94, 4, 0, 0})}));
  EXPECT_EQ(layer.send(h, ours, peer, pool.allocate_slice(65504)).error(), Error::MessageTooLong);
  EXPECT_TRUE(layer.send(h, ours, peer, pool.allocate_slice(65503)));
}

TEST_F(UdpLayerTest, ReceivedIpOptionsArePassedOn) {  // RFC 1122 4.1.3.2
  const auto h = bound({{}, Port{53}});
  auto a = arrival(peer, {ours, Port{53}}, "x");
  a.ip_options = ip_options({0x94, 4, 0, 0});
  EXPECT_EQ(layer.datagram_arrives(Instant{}, a), Delivery::Delivered);
  EXPECT_EQ(layer.receive(h)->ip_options, a.ip_options);
}

TEST_F(UdpLayerTest, SendQueueIsBoundedAndTellsWhenThereIsRoom) {
  const auto h = bound({ours, Port{53}});
  std::size_t sent = 0;
  while (layer.send(h, ours, peer, pool.allocate_slice(1000)).has_value()) ++sent;
  EXPECT_EQ(sent, 262U);
  EXPECT_FALSE(layer.is_writable(h) && layer.send(h, ours, peer, pool.allocate_slice(1000)).has_value());
  EXPECT_FALSE(layer.poll_event().has_value());
  OutgoingDatagram out;
  while (layer.poll_datagram(out)) {
  }
  const auto event = layer.poll_event();
  ASSERT_TRUE(event.has_value());
  EXPECT_TRUE(event->writable);
  EXPECT_TRUE(layer.is_writable(h));
}

TEST_F(UdpLayerTest, TooLargeIsRefused) {  // UDP-13
  const auto h = bound({ours, Port{53}});
  EXPECT_TRUE(layer.send(h, ours, peer, pool.allocate_slice(1472)).has_value());
  EXPECT_EQ(layer.send(h, ours, peer, pool.allocate_slice(65508)).error(), Error::MessageTooLong);
}

TEST_F(UdpLayerTest, ClosedSocketStillSendsWhatItQueued) {
  const auto h = bound({ours, Port{53}});
  ASSERT_TRUE(layer.send(h, ours, peer, pool.allocate_slice(1)).has_value());
  layer.close(h);
  OutgoingDatagram out;
  EXPECT_TRUE(layer.poll_datagram(out));
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, "late"), Delivery::NoSocket);
  EXPECT_EQ(layer.receive(h).error(), Error::BadHandle);
  EXPECT_TRUE(bound({ours, Port{53}}).is_valid());  // the port is free again
}

TEST_F(UdpLayerTest, EphemeralPortsAreSpreadAndDistinct) {  // PORT-01, RFC 6056
  std::set<std::uint16_t> ports;
  std::size_t neighbours = 0;
  std::uint16_t last = 0;
  for (int i = 0; i < 200; ++i) {
    const auto p = layer.local_endpoint(bound({}))->port.value;
    EXPECT_GE(p, 49152);
    EXPECT_TRUE(ports.insert(p).second);
    neighbours += p == last + 1 ? 1 : 0;
    last = p;
  }
  EXPECT_LT(neighbours, 5U);
}

TEST_F(UdpLayerTest, ExhaustedPortsGiveAnError) {  // PORT-02
  UdpConfig config;
  config.ephemeral_first = 50000;
  config.ephemeral_last = 50002;
  UdpLayer narrow{config, random, pool, sink};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(narrow.bind(*narrow.open(Service::Udp), {}).has_value());
  EXPECT_EQ(narrow.bind(*narrow.open(Service::Udp), {}).error(), Error::AddressNotAvailable);
  EXPECT_TRUE(narrow.bind(*narrow.open(Service::Echo), {}).has_value());  // identifiers are their own space
}

TEST_F(UdpLayerTest, EchoRepliesAreMatchedByIdentifierAndSequenceCountsUp) {
  const auto h = bound({{}, Port{7}}, Service::Echo);
  ASSERT_TRUE(layer.set_options(h, {.echo_sequence = 41}).has_value());
  ASSERT_TRUE(layer.send(h, ours, {theirs, Port{}}, pool.allocate_slice(56)).has_value());
  ASSERT_TRUE(layer.send(h, ours, {theirs, Port{}}, pool.allocate_slice(56)).has_value());
  OutgoingDatagram out;
  ASSERT_TRUE(layer.poll_datagram(out));
  EXPECT_EQ(out.service, Service::Echo);
  EXPECT_EQ(out.sequence, 41);
  ASSERT_TRUE(layer.poll_datagram(out));
  EXPECT_EQ(out.sequence, 42);
  EchoArrival reply{.source = theirs, .destination = ours, .identifier = 8, .sequence = 41, .octets = {}};
  EXPECT_EQ(layer.echo_reply_arrives(Instant{}, reply), Delivery::NoSocket);
  reply.identifier = 7;
  EXPECT_EQ(layer.echo_reply_arrives(Instant{}, reply), Delivery::Delivered);
  EXPECT_EQ(layer.receive(h)->sequence, 41);
}

TEST_F(UdpLayerTest, EventsAreMergedPerSocketAndNeverNameADeadOne) {
  const auto h = bound({{}, Port{53}});
  const auto doomed = bound({{}, Port{54}});
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, "1"), Delivery::Delivered);
  EXPECT_EQ(deliver(peer, {ours, Port{54}}, "1"), Delivery::Delivered);
  EXPECT_EQ(deliver(peer, {ours, Port{53}}, "2"), Delivery::Delivered);
  layer.close(doomed);
  EXPECT_EQ(layer.poll_event()->socket, h);
  EXPECT_FALSE(layer.poll_event().has_value());
}

}  // namespace
}  // namespace wireside::udp
