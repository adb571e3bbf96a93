// IPv4 input and output of a host, or of one interface of a router (RFC 791, RFC 1122 section 3, RFC 1812 section 5).
#pragma once

#include <cstdint>
#include <optional>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "ip/icmp.hpp"
#include "ip/identification.hpp"
#include "ip/ip_config.hpp"
#include "ip/ip_types.hpp"
#include "ip/known_ways.hpp"
#include "ip/path_mtu.hpp"
#include "ip/reassembly.hpp"
#include "ip/redirects.hpp"
#include "ip/routes.hpp"
#include "observe/event.hpp"
#include "packet/packet.hpp"

namespace wireside::ip {

class IpLayer {
 public:
  /// `mtu`: largest packet the link takes. `random` is used in the constructor only; `pool` and `sink` outlive the
  /// layer.
  IpLayer(const IpConfig& config, std::uint16_t mtu, Random& random, BufferPool& pool, observe::Sink& sink);
  IpLayer(const IpLayer&) = delete;
  IpLayer& operator=(const IpLayer&) = delete;

  /// Checks one packet in full; what is left of it goes to the owner, or to ICMP here. Drops are counted.
  [[nodiscard]] Arrived handle_packet(Instant now, const Slice& packet, const Arrival& arrival);

  /// Puts the IPv4 header in front of a transport datagram and says where it goes. With checksum_wanted the transport
  /// checksum field (checksum_offset octets into the transport header) gets the folded pseudo-header sum, and
  /// checksum_start is set. On an error the frame is as good as dropped, and counted. Errors: NetworkUnreachable,
  /// AddressNotAvailable (source not ours), InvalidArgument (destination 0/8 or class E), MessageTooLong (beyond
  /// 65,535 octets; with dont_fragment or as a super-segment's part, beyond the link's MTU). Without dont_fragment a
  /// packet beyond the path MTU gets `fragment_limit` and its whole transport checksum: it leaves in fragments.
  [[nodiscard]] Result<NextHop> prepare(Instant now, const SendParameters& parameters, FrameOut& frame);

  /// Next packet of the layer's own making (ICMP), with its IP header and where it goes; false when there is none.
  [[nodiscard]] bool poll(Instant now, FrameOut& out, NextHop& next_hop);
  [[nodiscard]] bool has_output() const { return icmp_.has_message(); }
  /// The way to a neighbour or by a gateway that a TCP segment from `source` was sent, where that still holds; both
  /// addresses are then what they should be. nullptr: ask the routes.
  [[nodiscard]] const KnownWay* known_way(Ipv4Address source, Ipv4Address destination) const {
    if (!follows_routes_alone()) return nullptr;
    return ways_.find(source, destination, routes_.generation());
  }
  /// The link is gone: forgets what waits to be sent, or for its other fragments.
  void clear() {
    icmp_.clear();
    reassembler_.clear();
  }

  [[nodiscard]] Instant next_deadline() const;  ///< Instant::max(): none
  /// Reassembly that took too long (ICMP time exceeded), path MTUs and redirects that are too old.
  void handle_timeouts(Instant now);

  /// Largest packet to a destination that is not cut here, IP header included: EMTU_S (RFC 1122 section 3.3.3). 65,535
  /// inside the host.
  [[nodiscard]] std::uint16_t path_mtu(Ipv4Address destination) const;
  /// Largest datagram that is reassembled: EMTU_R (RFC 1122 section 3.3.2).
  [[nodiscard]] static constexpr std::uint16_t largest_reassembled() { return 65535; }
  /// Largest transport message to a destination in one packet: MMS_S (RFC 1122 section 3.3.3). `options`: octets.
  [[nodiscard]] std::uint16_t mms_s(Ipv4Address destination, std::size_t options = 0) const {
    return static_cast<std::uint16_t>(path_mtu(destination) - wire::ipv4_min_header - options);
  }
  /// Largest transport message that can arrive: MMS_R (RFC 1122 section 3.3.2).
  [[nodiscard]] static constexpr std::uint16_t mms_r() { return largest_reassembled() - wire::ipv4_min_header; }
  [[nodiscard]] PathMtuCache& path_mtus() { return path_mtus_; }
  [[nodiscard]] const PathMtuCache& path_mtus() const { return path_mtus_; }
  [[nodiscard]] RedirectCache& redirects() { return redirects_; }
  [[nodiscard]] const RedirectCache& redirects() const { return redirects_; }
  [[nodiscard]] const Reassembler& reassembler() const { return reassembler_; }

  /// Whether an ICMP message of the layer's own making went there lately.
  [[nodiscard]] bool sent_icmp_to(Ipv4Address destination) const { return icmp_.sent_to(destination); }

  /// For the owner: UDP port unreachable and the like.
  void unreachable(Instant now, wire::UnreachableCode code, const IncomingDatagram& original) {
    icmp_.unreachable(now, code, original);
  }

  /// Any other ICMP error, within the same limits. A packet that was not for us is answered from our own address.
  void icmp_error(Instant now, const wire::IcmpHeader& error, const IncomingDatagram& original) {
    icmp_.error(now, error, original);
  }

  [[nodiscard]] Routes& routes() { return routes_; }
  [[nodiscard]] const Routes& routes() const { return routes_; }
  [[nodiscard]] std::uint16_t mtu() const { return mtu_; }
  void set_mtu(std::uint16_t mtu) {
    mtu_ = mtu;
    path_mtus_.set_link_mtu(mtu);
  }

 private:
  /// Whether a router's interface looks at the packet as one to forward.
  [[nodiscard]] bool is_transit(const wire::Ipv4Header& header, const Arrival& arrival) const;
  [[nodiscard]] Arrived take_transit(Instant now, const wire::ParsedIpv4& parsed, IncomingDatagram&& datagram);
  [[nodiscard]] bool accept_destination(Instant now, const wire::Ipv4Header& header, const Arrival& arrival);
  [[nodiscard]] bool accept_source(Instant now, const wire::Ipv4Header& header, const Arrival& arrival);
  [[nodiscard]] bool accept_options(Instant now, const wire::ParsedIpv4& parsed, const IncomingDatagram& datagram);
  [[nodiscard]] Arrived deliver(Instant now, IncomingDatagram&& datagram);
  /// prepare() by a template; nullptr: it takes the long way.
  [[nodiscard]] const KnownWay* prepare_by_template(const SendParameters& parameters, FrameOut& frame);
  /// Neither a redirect nor a gateway's trouble bends the way to anybody.
  [[nodiscard]] bool follows_routes_alone() const { return redirects_.size() == 0 && routes_.all_gateways_well(); }
  void remember_way(const SendParameters& parameters, const NextHop& next_hop, ByteView header);
  [[nodiscard]] Result<NextHop> route(Ipv4Address destination) const;
  [[nodiscard]] Result<Ipv4Address> choose_source(const SendParameters& parameters, const NextHop& next_hop) const;
  [[nodiscard]] std::uint8_t default_ttl() const { return config_.default_ttl != 0 ? config_.default_ttl : 64; }
  /// False: too big. A packet that is to be cut gets its fragment_limit.
  [[nodiscard]] bool fit(const SendParameters& parameters, const NextHop& next_hop, FrameOut& frame) const;

  IpConfig config_;
  std::uint16_t mtu_;
  observe::Sink& sink_;
  Routes routes_;
  IdentificationSource identification_;
  PathMtuCache path_mtus_;
  RedirectCache redirects_;
  Reassembler reassembler_;
  Icmp icmp_;
  KnownWays ways_;
};

/// A prepared packet as one contiguous received one, for NextHop::Kind::Loopback. A checksum still wanted becomes
/// ChecksumState::Partial.
[[nodiscard]] Packet loop_back(const FrameOut& frame, BufferPool& pool);

}  // namespace wireside::ip
