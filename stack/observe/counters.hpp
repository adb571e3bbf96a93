// What the layers count as packets pass: plain increments. What was dropped and why is counted by Sink::drop.
#pragma once

#include <array>
#include <cstdint>

#include "observe/vocabulary.hpp"

namespace wireside::observe {

struct Counters {
  using Count = std::uint64_t;
  /// ICMP types 0 to 18 (RFC 792, RFC 950); the last element is all others.
  static constexpr std::size_t icmp_types = 20;

  // interface
  Count frames_in = 0, octets_in = 0, frames_out = 0, octets_out = 0;
  // ARP
  Count arp_requests_in = 0, arp_replies_in = 0, arp_requests_out = 0, arp_replies_out = 0;
  // IP (RFC 4293)
  Count ip_receives = 0, ip_octets_in = 0, ip_forwarded = 0, ip_delivers = 0, ip_requests = 0;
  Count ip_reassembly_required = 0, ip_reassembled = 0, ip_reassembly_failures = 0;
  Count ip_fragmented = 0, ip_fragment_failures = 0, ip_fragments_created = 0;
  // ICMP by type
  std::array<Count, icmp_types> icmp_in{}, icmp_out{};
  // impairment, by Direction and ImpairmentAction
  std::array<std::array<Count, static_cast<std::size_t>(ImpairmentAction::Count)>, 2> impaired{};
  // TCP (RFC 4022)
  Count tcp_active_opens = 0, tcp_passive_opens = 0, tcp_attempt_fails = 0, tcp_estab_resets = 0;
  Count tcp_segments_in = 0, tcp_segments_out = 0, tcp_segments_retransmitted = 0, tcp_resets_out = 0;
  Count tcp_optimistic_acks = 0;  // which cannot come from the receipt of what they acknowledge, and earn no window
  // SYN cookies (RFC 4987 section 3.6)
  Count syn_cookies_sent = 0, syn_cookies_received = 0, syn_cookies_failed = 0;
  // TCP Fast Open (RFC 7413): data in our SYN was taken, or was not; data in a peer's was, or was not; cookies that
  // were asked of us; SYNs whose data was not taken since too many are pending
  Count fast_open_active = 0, fast_open_active_fails = 0, fast_open_passive = 0, fast_open_passive_fails = 0;
  Count fast_open_cookies_requested = 0, fast_open_overflows = 0;
  // UDP (RFC 4113)
  Count udp_in = 0, udp_out = 0;

  static constexpr std::size_t icmp_row(std::uint8_t type) { return type < icmp_types - 1 ? type : icmp_types - 1; }
};

}  // namespace wireside::observe
