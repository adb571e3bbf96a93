// Reading and changing single fields of headers that are already written: what segmentation and ICMP quotes need.
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/seq_num.hpp"
#include "wire/ipv4.hpp"

namespace wireside::wire {

/// IHL of an IPv4 header in octets, unchecked.
[[nodiscard]] std::size_t ipv4_header_length(ByteView ip_header);
/// Source address of an IPv4 header, unchecked.
[[nodiscard]] Ipv4Address ipv4_source(ByteView ip_header);
/// Destination address of an IPv4 header, unchecked.
[[nodiscard]] Ipv4Address ipv4_destination(ByteView ip_header);
/// Total length field, unchecked.
[[nodiscard]] std::uint16_t ipv4_total_length(ByteView ip_header);
/// Sets total length, adds to the identification (modulo 2^16) and recomputes the header checksum.
void resize_ipv4(MutableByteView ip_header, std::uint16_t total_length, std::uint16_t identification_step);

/// One hop less to live: decrements a TTL of at least 1 and updates the header checksum (RFC 1812 section 5.2.1.1,
/// RFC 1624).
void decrement_ttl(MutableByteView ip_header);

/// Where a packet lies in the datagram it was cut from; unchecked.
struct FragmentFields {
  std::uint16_t offset = 0;  ///< octets
  bool more = false;
};
[[nodiscard]] FragmentFields fragment_fields(ByteView ip_header);
/// Writes the former TOS octet (Diffserv and ECN); the checksum is stale.
void put_tos(MutableByteView ip_header, std::uint8_t tos);
/// Sets total length, fragment offset (octets, a multiple of 8) and MF, and recomputes the header checksum.
void put_fragment_fields(MutableByteView ip_header, std::uint16_t total_length, std::uint16_t offset, bool more);
/// Writes the header that fragments after the first get: of the options only those with the copied flag (RFC 791
/// section 3.1), filled to a multiple of four octets. `out` has room for 60. Returns its length. The checksum is stale.
std::size_t copy_ipv4_header_for_fragment(ByteView ip_header, MutableByteView out);
/// Length of that header.
[[nodiscard]] std::size_t copied_ipv4_header_length(ByteView ip_header);

/// Data offset of a TCP header in octets, unchecked.
[[nodiscard]] std::size_t tcp_data_offset(ByteView tcp_header);
/// Turns a super-segment's header into that of one of its segments: moves SEQ on, keeps FIN and PSH only on the last
/// segment and CWR only on the first (RFC 3168 section 6.1.2).
void adjust_tcp_segment(MutableByteView tcp_header, std::uint32_t seq_step, bool first, bool last);

/// Writes the folded pseudo-header sum, not complemented, into a transport checksum field of a packet: what a device
/// that completes checksums expects. `ip_header` says addresses and protocol.
void put_pseudo_header_sum(ByteView ip_header, std::uint32_t transport_length, std::uint8_t* checksum_field);

/// Writes a finished checksum into its field.
/// Sums of what stays the same in the segments of a flow, in plain arithmetic.
struct TemplateSums {
  std::uint32_t header = 0;         ///< IPv4 header without total length and checksum
  std::uint32_t pseudo_header = 0;  ///< for TCP or UDP, without the length
};
/// Sets total length and checksum of a header without options to 0, and sums up the rest.
[[nodiscard]] TemplateSums make_ipv4_template(MutableByteView ip_header);
/// Completes a copy of the template: `sum` is that of the rest.
void put_ipv4_total_length(std::uint8_t* ip_header, std::uint16_t total_length, std::uint32_t sum);
/// Sums over the headers of a super-segment, which those of its segments differ from in little.
struct SegmentSums {
  std::uint32_t ip = 0;   ///< without total length, identification and checksum
  std::uint32_t tcp = 0;  ///< pseudo-header without its length and TCP header, without sequence number, flags, checksum
};
[[nodiscard]] SegmentSums sum_segment_headers(ByteView ip_header, ByteView tcp_header);
/// What one segment of it has of its own.
struct SegmentPart {
  std::uint16_t total_length = 0;
  std::uint16_t index = 0;     ///< added to the identification
  std::uint32_t seq_step = 0;  ///< added to the sequence number
  bool first = false;          ///< keeps CWR
  bool last = false;           ///< keeps FIN and PSH
  std::uint16_t text_sum = 0;  ///< folded sum of the payload; with `complete` only
  bool complete = false;       ///< the whole TCP checksum is written, else the pseudo-header's folded sum
};
/// Makes a copy of the super-segment's headers those of one segment: the sums are not made anew.
void make_segment_headers(const SegmentSums& sums, const SegmentPart& part, MutableByteView ip_header,
                          MutableByteView tcp_header);
/// Writes a sum, folded and not complemented, into a checksum field.
void put_sum(std::uint8_t* checksum_field, std::uint64_t sum);
void put_checksum(std::uint8_t* checksum_field, std::uint16_t checksum);

/// What can be learnt from the start of a packet we sent: an ICMP quote, or a frame handed back.
struct QuotedPacket {
  Ipv4Header header;
  std::size_t header_length = ipv4_min_header;
  Port source_port;                 ///< TCP and UDP
  Port destination_port;            ///< TCP and UDP
  std::optional<SeqNum> seq;        ///< TCP
  std::uint16_t echo_id = 0;        ///< ICMP echo request
  std::uint16_t echo_sequence = 0;  ///< ICMP echo request
};

/// Reads an IPv4 header and the first eight octets behind it; total length and checksum are not judged, as a quote
/// is cut short. Errors: Malformed (version, IHL), Truncated (fewer than eight octets behind the header).
[[nodiscard]] Result<QuotedPacket> parse_quoted_packet(ByteView quote);

}  // namespace wireside::wire
