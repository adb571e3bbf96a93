// The link layer: Ethernet II frames in and out (RFC 894), ARP (RFC 826), and the neighbour cache behind them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "link/address_conflict.hpp"
#include "link/link_config.hpp"
#include "link/neighbour_cache.hpp"
#include "observe/event.hpp"
#include "packet/packet.hpp"
#include "wire/arp.hpp"

namespace wireside::link {

/// An IPv4 packet that arrived in a frame for us.
struct ArrivedPacket {
  Slice packet;  ///< from the IP header on, padding possibly behind it
  ChecksumState checksum = ChecksumState::Unverified;
  std::uint16_t gso_size = 0;
  /// The frame was sent to the broadcast or a multicast MAC address (ARPC-06).
  bool link_broadcast = false;
  MacAddress source;
};

enum class Disposition : std::uint8_t {
  Ready,   ///< the frame has its Ethernet header: send it now
  Parked,  ///< taken: it comes back from poll() or poll_failed(), or is counted as dropped
};

class LinkLayer {
 public:
  /// `config.mac` must be set. `random` and `sink` outlive the layer.
  LinkLayer(const LinkConfig& config, Random& random, observe::Sink& sink);

  /// Our addresses, for ARP and for ongoing conflict detection (RFC 5227 section 2.4). The prefix length chooses which
  /// one a request is sent from. ARP messages that still wait to speak for a former address are dropped.
  void set_addresses(std::vector<Ipv4Prefix> addresses);

  /// One received frame: an IPv4 packet for us, or nothing when it was ARP or was dropped (counted).
  [[nodiscard]] std::optional<ArrivedPacket> handle_frame(Instant now, const Packet& frame);

  /// Puts the Ethernet header in front of an IP packet for a neighbour; IPv4 multicast addresses are mapped
  /// (RFC 1112 section 6.4). Moves checksum_start along.
  [[nodiscard]] Disposition send(Instant now, Ipv4Address next_hop, FrameOut& frame);
  /// An IP packet for a neighbour that is to come from poll().
  void send_later(Instant now, Ipv4Address next_hop, FrameOut&& frame) {
    neighbours_.use_later(now, next_hop, std::move(frame));
  }
  /// As send() for link broadcast; always Ready.
  Disposition send_broadcast(FrameOut& frame);

  /// Next frame of the layer's own making, or one that waited for its neighbour; false when there is none.
  [[nodiscard]] bool poll(Instant now, FrameOut& out);
  /// False: poll() has none.
  [[nodiscard]] bool has_output() const {
    return !queue_.empty() || conflicts_.has_message() || neighbours_.has_output();
  }
  /// A packet whose neighbour did not answer, without Ethernet header: for a HostUnreachable error above (ARPC-05).
  /// The drop is already counted.
  [[nodiscard]] bool poll_failed(FrameOut& out) { return neighbours_.poll_failed(out); }

  /// An upper layer saw forward progress through this neighbour.
  void confirm(Instant now, Ipv4Address next_hop) { neighbours_.confirm(now, next_hop); }
  /// The address is ours no longer: packets from it that wait for a neighbour are dropped.
  void drop_from(Instant now, Ipv4Address source) { neighbours_.drop_from(now, source); }
  /// Asks a neighbour for a sign of life (NeighbourCache::verify).
  void verify(Instant now, Ipv4Address neighbour) { neighbours_.verify(now, neighbour); }
  /// News about who answers (NeighbourCache::poll_advice).
  [[nodiscard]] std::optional<ReachabilityAdvice> poll_advice() { return neighbours_.poll_advice(); }
  /// The link is gone: forgets all neighbours and every frame that waits, and conflict detection.
  void clear();
  /// Announces each of our addresses, now and once more later (RFC 5227 section 2.3).
  void announce(Instant now);
  /// Probes and results of address conflict detection. Poll the results after handle_frame and handle_timeouts.
  [[nodiscard]] AddressConflict& conflicts() { return conflicts_; }

  /// Instant::max(): none.
  [[nodiscard]] Instant next_deadline() { return std::min(neighbours_.next_deadline(), conflicts_.next_deadline()); }
  void handle_timeouts(Instant now);

  [[nodiscard]] MacAddress mac() const { return config_.mac; }
  [[nodiscard]] const NeighbourCache& neighbours() const { return neighbours_; }
  [[nodiscard]] NeighbourCache& neighbours() { return neighbours_; }

 private:
  struct QueuedArp {
    wire::ArpMessage message;
    MacAddress destination;
    observe::TxReason reason = observe::TxReason::ArpReply;
  };

  void handle_arp(Instant now, ByteView payload);
  [[nodiscard]] bool is_ours(Ipv4Address address) const;
  [[nodiscard]] Ipv4Address source_for(Ipv4Address target) const;
  void finish(FrameOut& frame, MacAddress destination) const;
  void build_arp(const QueuedArp& arp, FrameOut& out) const;
  void build_request(const Solicitation& solicitation, FrameOut& out) const;

  LinkConfig config_;
  observe::Sink& sink_;
  NeighbourCache neighbours_;
  AddressConflict conflicts_;
  std::vector<Ipv4Prefix> addresses_;
  std::deque<QueuedArp> queue_;
};

/// Fills a frame to 60 octets with zeros (RFC 894; ARP-05). Longer frames stay as they are.
void pad_to_minimum(FrameOut& frame);

}  // namespace wireside::link
