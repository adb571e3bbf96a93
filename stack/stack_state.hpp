// Inside of Stack: the layers, how they are joined, and the little that belongs to none of them.
#pragma once

#include <deque>

#include "ip/ip_layer.hpp"
#include "link/link_layer.hpp"
#include "link/segmentation.hpp"
#include "stack.hpp"
#include "tcp/tcp_layer.hpp"
#include "udp/udp_layer.hpp"

namespace wireside {

/// Answers the socket table's questions about addresses from the routes.
class RoutedAddresses : public AddressPolicy {
 public:
  explicit RoutedAddresses(const ip::Routes& routes) : routes_{routes} {}
  [[nodiscard]] Result<IpAddress> source_for(IpAddress destination) const override;
  [[nodiscard]] bool is_local(IpAddress address) const override;
  [[nodiscard]] bool is_broadcast(IpAddress address) const override;
  void interface_gone() { gone_ = true; }

 private:
  const ip::Routes& routes_;
  bool gone_ = false;
};

/// Segments on the wire that one of `octets` payload stands for.
[[nodiscard]] constexpr std::uint64_t segments_of(std::size_t octets, std::uint16_t gso_size) {
  return gso_size == 0 || octets == 0 ? 1 : (octets + gso_size - 1) / gso_size;
}

class StackState {
 public:
  StackState(const Config& wanted, const Seed& seed);

  Random random;
  Config config;  ///< as given, with the MAC address and the current addresses filled in
  BufferPool pool;
  observe::Sink sink;
  link::LinkLayer link;
  ip::IpLayer ip;
  udp::UdpLayer udp;
  tcp::TcpLayer tcp;
  RoutedAddresses addresses;
  SocketTable sockets;

  void refresh_addresses();

  // stack_input.cpp
  void handle_frame(Instant now, const Packet& frame);
  /// Handles what we sent to ourselves, at most a bounded number of packets; false when there was nothing.
  bool handle_loopback(Instant now);

  // stack_output.cpp
  [[nodiscard]] bool poll_frame(Instant now, FrameOut& out);
  void interface_gone(Instant now);

  // stack_forward.cpp
  [[nodiscard]] bool poll_transit(TransitPacket& out);
  void forward(Instant now, TransitPacket&& packet, Ipv4Address next_hop);
  void deliver(Instant now, const TransitPacket& packet);

  [[nodiscard]] std::optional<Instant> next_deadline();
  void handle_timeouts(Instant now);

 private:
  // stack_input.cpp
  void packet_arrives(Instant now, const Slice& packet, const ip::Arrival& arrival);
  void datagram_arrives(Instant now, const ip::IncomingDatagram& datagram);
  void tcp_arrives(Instant now, const ip::IncomingDatagram& datagram);
  void udp_arrives(Instant now, const ip::IncomingDatagram& datagram);
  void error_arrives(Instant now, const ip::IcmpErrorReport& report);
  void echo_reply_arrives(Instant now, const ip::EchoReplyReport& reply);
  /// Tells the transport protocol of `tuple` that the network cannot do it.
  void transport_error(Instant now, std::uint8_t protocol, const FourTuple& tuple, std::optional<SeqNum> seq,
                       Error error, bool hard);

  // stack_forward.cpp
  void hand_to_router(Instant now, TransitPacket::Kind kind, ip::IncomingDatagram&& datagram);
  /// The same for a packet not yet taken apart.
  void hand_to_router(Instant now, TransitPacket::Kind kind, const Packet& packet);
  [[nodiscard]] bool prepare_transit(Instant now, const TransitPacket& packet, FrameOut& out);
  [[nodiscard]] bool fits_link(Instant now, FrameOut& out);
  /// Passes what neighbour cache and TCP noticed on to the routes (RFC 1122 section 3.3.1.4).
  void take_advice(Instant now);

  // stack_output.cpp
  enum class Pulled : std::uint8_t { Nothing, Frame, Again };
  [[nodiscard]] Pulled pull(Instant now, FrameOut& out);
  [[nodiscard]] Pulled send_datagram(Instant now, FrameOut& out);
  [[nodiscard]] Pulled send_transit(Instant now, FrameOut& out);
  [[nodiscard]] Pulled send_segment(Instant now, FrameOut& out);
  [[nodiscard]] Pulled dispatch(Instant now, const ip::NextHop& next_hop, FrameOut& out);
  void handle_unresolved(Instant now);
  void discard_output(Instant now);
  void report_sent(Instant now, const FrameOut& out) const;

  struct Outbound {
    TransitPacket packet;
    Ipv4Address next_hop;
  };

  link::Segmenter segmenter_;
  std::deque<TransitPacket> to_router_;
  std::deque<Outbound> from_router_;
  std::size_t from_router_octets_ = 0;
  std::deque<Packet> loopback_;
  Instant loopback_since_;        ///< when loopback_ became non-empty
  tcp::OutgoingSegment segment_;  // kept: constructing one per segment costs more than clearing it
  udp::OutgoingDatagram datagram_;
  FrameOut unresolved_;
  bool gone_ = false;
};

}  // namespace wireside
