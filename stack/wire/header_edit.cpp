#include "wire/header_edit.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"

namespace wireside::wire {
namespace {

constexpr std::uint8_t flag_fin = 0x01;
constexpr std::uint8_t flag_psh = 0x08;
constexpr std::uint8_t flag_cwr = 0x80;
constexpr std::size_t quoted_transport_octets = 8;
constexpr std::uint8_t option_copied = 0x80;

}  // namespace

std::size_t ipv4_header_length(ByteView ip_header) { return std::size_t{ip_header[0] & 0x0fU} * 4; }

Ipv4Address ipv4_source(ByteView ip_header) { return Ipv4Address{load_be32(ip_header.data() + 12)}; }

Ipv4Address ipv4_destination(ByteView ip_header) { return Ipv4Address{load_be32(ip_header.data() + 16)}; }

std::uint16_t ipv4_total_length(ByteView ip_header) { return load_be16(ip_header.data() + 2); }

void resize_ipv4(MutableByteView ip_header, std::uint16_t total_length, std::uint16_t identification_step) {
  std::uint8_t* p = ip_header.data();
  store_be16(p + 2, total_length);
  store_be16(p + 4, static_cast<std::uint16_t>(load_be16(p + 4) + identification_step));
  store_be16(p + 10, 0);
  store_be16(p + 10, internet_checksum(ip_header.first(ipv4_header_length(ip_header))));
}

void decrement_ttl(MutableByteView ip_header) {
  std::uint8_t* p = ip_header.data();
  assert(p[8] != 0);
  const std::uint16_t before = load_be16(p + 8);  // TTL and protocol share a word
  --p[8];
  store_be16(p + 10, updated_checksum(load_be16(p + 10), before, load_be16(p + 8)));
}

FragmentFields fragment_fields(ByteView ip_header) {
  const std::uint16_t field = load_be16(ip_header.data() + 6);
  return {static_cast<std::uint16_t>((field & 0x1fffU) * 8U), (field & ipv4_flag_more_fragments) != 0};
}

void put_tos(MutableByteView ip_header, std::uint8_t tos) { ip_header[1] = tos; }

void put_fragment_fields(MutableByteView ip_header, std::uint16_t total_length, std::uint16_t offset, bool more) {
  assert(offset % 8 == 0);
  std::uint8_t* p = ip_header.data();
  const unsigned kept = load_be16(p + 6) & 0xc000U;  // reserved and DF
  store_be16(p + 6, static_cast<std::uint16_t>(kept | (more ? ipv4_flag_more_fragments : 0U) | (offset / 8U)));
  resize_ipv4(ip_header, total_length, 0);
}

std::size_t copy_ipv4_header_for_fragment(ByteView ip_header, MutableByteView out) {
  const std::size_t end = ipv4_header_length(ip_header);
  std::copy_n(ip_header.begin(), ipv4_min_header, out.begin());
  std::size_t length = ipv4_min_header;
  for (std::size_t at = ipv4_min_header; at < end && ip_header[at] != ipv4_option_end;) {
    const std::size_t octets = ip_header[at] == ipv4_option_nop ? 1 : at + 1 < end ? ip_header[at + 1] : 0;
    if (octets == 0 || at + octets > end || (octets == 1 && ip_header[at] != ipv4_option_nop)) break;  // malformed
    if ((ip_header[at] & option_copied) != 0) {
      std::copy_n(ip_header.begin() + static_cast<std::ptrdiff_t>(at), octets,
                  out.begin() + static_cast<std::ptrdiff_t>(length));
      length += octets;
    }
    at += octets;
  }
  while (length % 4 != 0) out[length++] = ipv4_option_end;
  out[0] = static_cast<std::uint8_t>(0x40U | (length / 4));
  return length;
}

std::size_t copied_ipv4_header_length(ByteView ip_header) {
  if (ipv4_header_length(ip_header) == ipv4_min_header) return ipv4_min_header;
  std::array<std::uint8_t, ipv4_max_header> scratch{};
  return copy_ipv4_header_for_fragment(ip_header, scratch);
}

std::size_t tcp_data_offset(ByteView tcp_header) { return (std::size_t{tcp_header[12]} >> 4U) * 4; }

void adjust_tcp_segment(MutableByteView tcp_header, std::uint32_t seq_step, bool first, bool last) {
  std::uint8_t* p = tcp_header.data();
  store_be32(p + 4, load_be32(p + 4) + seq_step);
  unsigned flags = p[13];
  if (!last) flags &= ~unsigned{flag_fin | flag_psh};
  if (!first) flags &= ~unsigned{flag_cwr};
  p[13] = static_cast<std::uint8_t>(flags);
}

void put_pseudo_header_sum(ByteView ip_header, std::uint32_t transport_length, std::uint8_t* checksum_field) {
  ChecksumAccumulator sum;
  const std::uint8_t* p = ip_header.data();
  add_pseudo_header(sum, Ipv4Address{load_be32(p + 12)}, Ipv4Address{load_be32(p + 16)}, p[9], transport_length);
  store_be16(checksum_field, sum.folded());
}

TemplateSums make_ipv4_template(MutableByteView ip_header) {
  std::uint8_t* p = ip_header.data();
  store_be16(p + 2, 0);
  store_be16(p + 10, 0);
  TemplateSums sums;
  for (std::size_t at = 0; at < ipv4_min_header; at += 2) sums.header += load_be16(p + at);
  for (std::size_t at = 12; at < ipv4_min_header; at += 2) sums.pseudo_header += load_be16(p + at);
  sums.pseudo_header += p[9];
  return sums;
}

void put_ipv4_total_length(std::uint8_t* ip_header, std::uint16_t total_length, std::uint32_t sum) {
  store_be16(ip_header + 2, total_length);
  put_sum(ip_header + 10, std::uint64_t{sum} + total_length);
  store_be16(ip_header + 10, static_cast<std::uint16_t>(~load_be16(ip_header + 10)));
}

namespace {

std::uint32_t sum_words(const std::uint8_t* p, std::size_t from, std::size_t to) {
  std::uint32_t sum = 0;
  for (std::size_t at = from; at < to; at += 2) sum += load_be16(p + at);
  return sum;
}

}  // namespace

SegmentSums sum_segment_headers(ByteView ip_header, ByteView tcp_header) {
  const std::uint8_t* const ip = ip_header.data();
  const std::uint8_t* const tcp = tcp_header.data();
  SegmentSums sums;
  sums.ip = sum_words(ip, 0, 2) + sum_words(ip, 6, 10) + sum_words(ip, 12, ipv4_header_length(ip_header));
  sums.tcp = sum_words(ip, 12, 20) + ip[9] + sum_words(tcp, 0, 4) + sum_words(tcp, 8, 12) + sum_words(tcp, 14, 16) +
             sum_words(tcp, 18, tcp_data_offset(tcp_header));
  return sums;
}

void make_segment_headers(const SegmentSums& sums, const SegmentPart& part, MutableByteView ip_header,
                          MutableByteView tcp_header) {
  std::uint8_t* const ip = ip_header.data();
  std::uint8_t* const tcp = tcp_header.data();
  const auto identification = static_cast<std::uint16_t>(load_be16(ip + 4) + part.index);
  store_be16(ip + 2, part.total_length);
  store_be16(ip + 4, identification);
  put_sum(ip + 10, std::uint64_t{sums.ip} + part.total_length + identification);
  store_be16(ip + 10, static_cast<std::uint16_t>(~load_be16(ip + 10)));

  adjust_tcp_segment(tcp_header, part.seq_step, part.first, part.last);
  const std::uint32_t length = part.total_length - static_cast<std::uint32_t>(ipv4_header_length(ip_header));
  if (!part.complete) {
    put_sum(tcp + 16, std::uint64_t{sum_words(ip, 12, 20)} + ip[9] + length);
    return;
  }
  const std::uint64_t own = std::uint64_t{sum_words(tcp, 4, 8)} + sum_words(tcp, 12, 14);
  put_sum(tcp + 16, sums.tcp + length + own + part.text_sum);
  store_be16(tcp + 16, static_cast<std::uint16_t>(~load_be16(tcp + 16)));
}

void put_sum(std::uint8_t* checksum_field, std::uint64_t sum) {
  sum = (sum >> 16) + (sum & 0xffffU);
  sum = (sum >> 16) + (sum & 0xffffU);
  store_be16(checksum_field, static_cast<std::uint16_t>(sum));
}

void put_checksum(std::uint8_t* checksum_field, std::uint16_t checksum) { store_be16(checksum_field, checksum); }

Result<QuotedPacket> parse_quoted_packet(ByteView quote) {
  if (quote.size() < ipv4_min_header) return fail(Error::Truncated);
  const std::uint8_t* p = quote.data();
  QuotedPacket packet;
  packet.header_length = ipv4_header_length(quote);
  if ((p[0] >> 4U) != 4 || packet.header_length < ipv4_min_header) return fail(Error::Malformed);
  if (quote.size() < packet.header_length + quoted_transport_octets) return fail(Error::Truncated);
  Ipv4Header& h = packet.header;
  h.tos = p[1];
  h.total_length = load_be16(p + 2);
  h.identification = load_be16(p + 4);
  const std::uint16_t fragment = load_be16(p + 6);
  h.dont_fragment = (fragment & 0x4000U) != 0;
  h.more_fragments = (fragment & 0x2000U) != 0;
  h.fragment_offset = static_cast<std::uint16_t>((fragment & 0x1fffU) * 8U);
  h.ttl = p[8];
  h.protocol = p[9];
  h.source = Ipv4Address{load_be32(p + 12)};
  h.destination = Ipv4Address{load_be32(p + 16)};
  if (h.fragment_offset != 0) return packet;  // what follows is no transport header

  const std::uint8_t* t = p + packet.header_length;
  if (h.protocol == static_cast<std::uint8_t>(IpProtocol::Icmp)) {
    // In a reply of ours the identifier is that of whoever asked.
    if (t[0] != static_cast<std::uint8_t>(IcmpType::EchoRequest)) return packet;
    packet.echo_id = load_be16(t + 4);
    packet.echo_sequence = load_be16(t + 6);
    return packet;
  }
  packet.source_port = Port{load_be16(t)};
  packet.destination_port = Port{load_be16(t + 2)};
  if (h.protocol == static_cast<std::uint8_t>(IpProtocol::Tcp)) packet.seq = SeqNum{load_be32(t + 4)};
  return packet;
}

}  // namespace wireside::wire
