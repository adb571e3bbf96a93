// Inside of Stack: the layers, how they are joined, and the little that belongs to none of them.
#pragma once

#include <deque>

#include "base/fifo.hpp"
#include "dhcp/client.hpp"
#include "ip/fragmentation.hpp"
#include "ip/ip_layer.hpp"
#include "link/link_layer.hpp"
#include "link/segmentation.hpp"
#include "stack.hpp"
#include "tcp/tcp_layer.hpp"
#include "udp/udp_layer.hpp"

namespace wireside {

/// Answers TCP's questions about paths.
class KnownPaths : public tcp::PathMtu {
 public:
  explicit KnownPaths(const ip::IpLayer& ip) : ip_{ip} {}
  [[nodiscard]] std::uint32_t generation() const override { return ip_.path_mtus().generation(); }
  [[nodiscard]] std::uint16_t mtu(IpAddress destination) const override { return ip_.path_mtu(destination.v4()); }

 private:
  const ip::IpLayer& ip_;
};

/// Answers the socket table's questions about addresses from the routes.
class RoutedAddresses : public AddressPolicy {
 public:
  explicit RoutedAddresses(const ip::IpLayer& ip) : ip_{ip}, routes_{ip.routes()} {}
  [[nodiscard]] Result<IpAddress> source_for(IpAddress destination) const override;
  [[nodiscard]] bool is_local(IpAddress address) const override;
  [[nodiscard]] bool is_broadcast(IpAddress address) const override;
  [[nodiscard]] std::uint16_t path_mtu(IpAddress destination) const override;
  [[nodiscard]] std::uint16_t link_mtu(IpAddress destination) const override;
  [[nodiscard]] MessageLimits message_limits(IpAddress destination, std::size_t ip_options) const override;
  void interface_gone() { gone_ = true; }

 private:
  const ip::IpLayer& ip_;
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
  KnownPaths paths;
  RoutedAddresses addresses;
  SocketTable sockets;

  void refresh_addresses();
  void set_mtu(std::uint16_t mtu);
  void set_gateway(std::optional<Ipv4Address> gateway);
  Result<void> add_route(const ip::Route& route);
  void remove_route(Ipv4Prefix destination, std::optional<Ipv4Address> gateway);

  // stack_settings.cpp
  [[nodiscard]] std::uint32_t settings_generation() const { return settings_generation_; }
  [[nodiscard]] NetworkSettings network_settings() const;
  void use_network_settings(Instant now, const NetworkSettings& wanted);

  // stack_dhcp.cpp
  Result<void> start_dhcp(Instant now, const dhcp::Options& options);
  void stop_dhcp(Instant now, bool release);
  Result<void> inform_dhcp(Instant now, const dhcp::Options& options);
  [[nodiscard]] dhcp::Status dhcp_status() const;
  [[nodiscard]] std::optional<dhcp::Change> poll_dhcp_change();
  /// What conflict detection found out about an address, asked for or in use (RFC 5227).
  void address_checked(Instant now, Ipv4Address address, bool free);

  // stack_addresses.cpp
  Result<void> add_address(Instant now, Ipv4Prefix prefix);
  Result<void> remove_address(Instant now, Ipv4Address address);
  void announce(Instant now);
  void link_down();
  [[nodiscard]] std::optional<link::ConflictResult> poll_address_event();
  [[nodiscard]] const std::vector<Ipv4Prefix>& tentative_addresses() const { return tentative_; }

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
  // stack_addresses.cpp
  void hold_back_unchecked();
  /// Acts on what address conflict detection found out.
  void handle_address_results(Instant now);
  void take_into_use(Instant now, Ipv4Prefix prefix);
  [[nodiscard]] std::size_t place_of(Ipv4Address address) const;
  [[nodiscard]] bool is_tentative(Ipv4Address address) const;
  void drop_tentative(Ipv4Address address);

  // stack_input.cpp
  void take_frame(Instant now, const Packet& frame);
  [[gnu::cold]] void take_frame_observed(Instant now, const Packet& frame);
  void packet_arrives(Instant now, const Slice& packet, const ip::Arrival& arrival);
  void datagram_arrives(Instant now, const ip::IncomingDatagram& datagram);
  void tcp_arrives(Instant now, const ip::IncomingDatagram& datagram);
  /// What is below TCP, of a segment for us.
  struct SegmentArrival {
    Ipv4Address source;
    Ipv4Address destination;
    std::uint8_t ttl = 0;
    std::uint8_t tos = 0;
    ChecksumState checksum = ChecksumState::Unverified;
    std::uint16_t gso_size = 0;
  };
  /// `octets`: from the TCP header on. True when it made progress: its neighbour is there.
  [[nodiscard]] bool segment_arrives(Instant now, const SegmentArrival& arrival, const Slice& octets);
  /// A whole TCP segment between us and a host that we know the way to, without anything that a layer would have to
  /// judge; false: it takes the usual way.
  [[nodiscard]] bool take_plain_segment(Instant now, const Packet& frame);
  void udp_arrives(Instant now, const ip::IncomingDatagram& datagram);
  void error_arrives(Instant now, const ip::IcmpErrorReport& report);
  /// Whether what the report quotes was sent and is still on its way, as far as we can know (RFC 5927 section 4).
  [[nodiscard]] bool is_credible(const ip::IcmpErrorReport& report) const;
  [[nodiscard]] bool is_credible_redirect(const ip::IcmpErrorReport& report) const;
  /// Takes a smaller path MTU over; false when the report cannot be true.
  [[nodiscard]] bool fragmentation_needed(Instant now, const ip::IcmpErrorReport& report);
  void echo_reply_arrives(Instant now, const ip::EchoReplyReport& reply);
  /// Tells the transport protocol of `report.tuple` that the network cannot do it. `seq`: TCP, where it is known.
  void transport_error(Instant now, std::uint8_t protocol, std::optional<SeqNum> seq, const ErrorReport& report,
                       bool hard);

  // stack_dhcp.cpp
  [[nodiscard]] Instant dhcp_deadline() const;
  void dhcp_timeouts(Instant now);
  /// True when the packet was the DHCP client's: it may be addressed to an address that we do not hold yet.
  [[nodiscard]] bool take_dhcp_packet(Instant now, const link::ArrivedPacket& arrived);
  void apply_dhcp_changes(Instant now);
  void apply_dhcp_change(Instant now, dhcp::Change&& change);
  void check_address(Instant now, Ipv4Address address);
  /// The DHCP client wants to know of conflicts about this address.
  [[nodiscard]] bool is_leased(Ipv4Address address) const;
  void use_lease(Instant now, const dhcp::Lease& lease);
  void use_routes(const dhcp::Configuration& c);
  void drop_lease(Instant now, Ipv4Address address);
  void forget_routes();
  void finish_release(Instant now);

  // stack_forward.cpp
  void hand_to_router(Instant now, TransitPacket::Kind kind, ip::IncomingDatagram&& datagram);
  /// The same for a packet not yet taken apart.
  void hand_to_router(Instant now, TransitPacket::Kind kind, const Packet& packet);
  struct Outbound {
    TransitPacket packet;
    Ipv4Address next_hop;
  };
  [[nodiscard]] bool prepare_transit(Instant now, const Outbound& next, FrameOut& out);
  void record_ourselves(Instant now, Ipv4Address next_hop, MutableByteView header) const;
  void fits_link(FrameOut& out) const;
  /// Passes what neighbour cache and TCP noticed on to the routes (RFC 1122 section 3.3.1.4).
  void take_advice(Instant now);
  void advise_against(Instant now, Ipv4Address neighbour, ip::GatewayAdvice advice);

  // stack_output.cpp
  enum class Pulled : std::uint8_t { Nothing, Frame, Again };
  [[nodiscard]] Pulled pull(Instant now, FrameOut& out);
  /// The next frame of a super-segment or datagram that is being cut; false when there is none.
  [[nodiscard]] bool next_part(FrameOut& out);
  /// What pull() gave becomes the first frame to send.
  void begin_cutting(FrameOut& out);
  [[nodiscard]] Pulled send_datagram(Instant now, FrameOut& out);
  [[nodiscard]] Pulled send_transit(Instant now, FrameOut& out);
  [[nodiscard]] Pulled send_dhcp(Instant now, FrameOut& out);  // stack_dhcp.cpp
  [[nodiscard]] Pulled send_segment(Instant now, FrameOut& out);
  [[nodiscard]] Pulled dispatch(Instant now, const ip::NextHop& next_hop, FrameOut& out);
  void handle_unresolved(Instant now);
  [[nodiscard]] bool sent_by_another_gateway(Instant now);
  void discard_output(Instant now);
  void report_sent(Instant now, const FrameOut& out) const;

  std::uint32_t settings_generation_ = 0;
  link::Segmenter segmenter_;
  std::deque<TransitPacket> to_router_;
  std::deque<Outbound> from_router_;
  std::size_t from_router_octets_ = 0;
  ip::Fragmenter fragmenter_;
  Fifo<Packet> loopback_;
  Instant loopback_since_;        ///< when loopback_ became non-empty
  tcp::OutgoingSegment segment_;  // kept: constructing one per segment costs more than clearing it
  udp::OutgoingDatagram datagram_;
  FrameOut unresolved_;
  std::vector<Ipv4Prefix> tentative_;      ///< not ours before probing for them has ended (RFC 5227)
  std::vector<Ipv4Address> wanted_order_;  ///< in which addresses were given
  std::deque<link::ConflictResult> address_events_;
  bool gone_ = false;
  bool link_is_down_ = false;

  /// What a lease has set, to be taken back when it ends.
  struct UsedLease {
    Ipv4Prefix prefix;
    std::vector<ip::Route> routes;
  };
  /// A released address, held until its DHCPRELEASE has left, but not for long.
  struct Releasing {
    Ipv4Address address;
    Instant until;
  };
  std::optional<dhcp::Client> dhcp_;
  std::deque<dhcp::Change> dhcp_news_;
  std::optional<UsedLease> used_lease_;
  std::optional<Releasing> releasing_;
};

}  // namespace wireside
